"""An HTTP proxy that breaks things, between a client and DynamoDB Local.

Each call gets a fault with a chance, chosen by a seeded generator: an AWS error, a 5xx, a 200 with
a page of HTML, a connection reset before or after the server did the work, an answer that is cut
off, a delay, a listing that hides its newest shards or shows a closed one as open, an empty page
before the records.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = (
    "throttle",
    "limit",
    "internal",
    "unavailable",
    "html",
    "reset_before",
    "reset_after",
    "truncate",
    "delay",
    "hide_children",
    "hide_ending",
    "expired",
)


class FaultProxy:
    """Listens on a port of its own and forwards to another.

    ``chance`` is that of a fault per call.
    """

    def __init__(
        self,
        target_port: int,
        *,
        chance: float = 0.0,
        seed: int = 0,
        only: Callable[[str], bool] = lambda operation: True,
    ) -> None:
        self.chance = chance
        self.counts: Counter[str] = Counter()
        self.plan: list[tuple[str, str]] = []  # (operation, fault) to come first, in order
        self.only = only
        self._target = target_port
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        fault = self._choose(operation)
        if fault is not None:
            with self._lock:
                self.counts[fault] += 1
        if fault == "reset_before":
            _reset(request)
            return
        if fault == "delay":
            time.sleep(self._random.uniform(0.05, 0.8))
        refusal = _REFUSALS.get(fault or "")
        if refusal is not None:
            _answer(request, *refusal, [])
            return
        status, headers, answer = self._forward(request, body)
        if fault == "reset_after":
            _reset(request)
            return
        if fault in ("hide_children", "hide_ending") and operation == "DescribeStream":
            answer = _rewrite(answer, fault)
            headers = [(name, value) for name, value in headers if name != "x-amz-crc32"]
        if fault == "truncate":
            _answer(request, status, answer, headers, cut=len(answer) // 2)
            return
        _answer(request, status, answer, headers)

    def _choose(self, operation: str) -> str | None:
        with self._lock:
            if self.plan and self.plan[0][0] == operation:
                return self.plan.pop(0)[1]
            if self.only(operation) and self._random.random() < self.chance:
                fault = self._random.choice(FAULTS)
                if fault == "expired" and operation != "GetRecords":
                    return None
                return fault
        return None

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=30)
        try:
            headers = {
                name: value for name, value in request.headers.items() if name.lower() != "host"
            }
            connection.request("POST", request.path, body, headers)
            response = connection.getresponse()
            kept = [
                (name.lower(), value)
                for name, value in response.getheaders()
                if name.lower() in ("content-type", "x-amz-crc32", "x-amzn-requestid", "date")
            ]
            return response.status, kept, response.read()
        finally:
            connection.close()


def _aws_error(code: str) -> bytes:
    return json.dumps(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "proxy"}
    ).encode()


_REFUSALS: dict[str, tuple[int, bytes]] = {
    "throttle": (400, _aws_error("ThrottlingException")),
    "limit": (400, _aws_error("LimitExceededException")),
    "expired": (400, _aws_error("ExpiredIteratorException")),
    "gone": (400, _aws_error("ResourceNotFoundException")),  # by plan alone: a table may be gone
    "internal": (500, _aws_error("InternalServerError")),
    "unavailable": (503, b"<html>Service Unavailable</html>"),
    "html": (200, b"<html>Welcome to the hotel's network</html>"),
}


def _rewrite(answer: bytes, fault: str) -> bytes:
    content = json.loads(answer)
    shards = content.get("StreamDescription", {}).get("Shards", [])
    if fault == "hide_children":
        newest = max((shard["ShardId"] for shard in shards), default="")
        shards[:] = [shard for shard in shards if shard["ShardId"] != newest]
    else:
        for shard in shards:
            shard["SequenceNumberRange"].pop("EndingSequenceNumber", None)
    return json.dumps(content).encode()


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: list[tuple[str, str]],
    *,
    cut: int | None = None,
) -> None:
    request.send_response_only(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("content-length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[:cut])
    if cut is not None:
        request.wfile.flush()
        _reset(request, hard=False)


def _reset(request: BaseHTTPRequestHandler, *, hard: bool = True) -> None:
    if hard:  # RST and not FIN
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.close_connection = True
    with_suppressed_shutdown(request.connection)


def with_suppressed_shutdown(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
