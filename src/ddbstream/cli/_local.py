"""A DynamoDB in this process that others on this machine can write to: moto behind ``http.server``.

moto answers in the process that it is in. So a request is passed on to it as it came, but for the
signature: the body is DynamoDB's own JSON protocol, and the header ``X-Amz-Target`` names the call.
"""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import click

from ddbstream.cli._aws import boto3_client, need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["REGION", "make_table", "serving_dynamodb"]

REGION = "us-east-1"
_LONGEST_BODY = 64 * 1024 * 1024  # bytes; more than DynamoDB takes in any call


def make_table(name: str, keys: Sequence[str]) -> None:
    """A table with a stream of new and old images.

    Args:
        name: The table's.
        keys: Its partition key and, if it has one, its sort key; both strings.
    """
    boto3_client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


@contextmanager
def serving_dynamodb(port: int) -> Iterator[str]:
    """The DynamoDB that moto has in this process at 127.0.0.1; gives its URL.

    Args:
        port: To listen on; 0 for any free one.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    except OSError as error:
        raise click.ClickException(f"port {port}: {error.strerror}; try --port") from None
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_version = "ddbstream-dev"
    protocol_version = "HTTP/1.1"
    _one_at_a_time = Lock()

    def do_POST(self) -> None:
        """Hand the call to moto."""
        target = self.headers.get("X-Amz-Target", "")
        length = self.headers.get("Content-Length", "")
        if not target.startswith("DynamoDB") or not length.isdecimal():
            self.close_connection = True
            self._answer(400, b"this is a DynamoDB endpoint\n", "text/plain")
            return
        if int(length) > _LONGEST_BODY:
            self.close_connection = True
            self._answer(413, b"too long\n", "text/plain")
            return
        body = self.rfile.read(int(length))
        host = "streams.dynamodb" if target.startswith("DynamoDBStreams") else "dynamodb"
        with self._one_at_a_time:
            answer = _asked_moto(f"https://{host}.{REGION}.amazonaws.com/", target, body)
        self._answer(answer.status_code, answer.content, "application/x-amz-json-1.0")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Nothing: the changes are what there is to see."""


def _asked_moto(url: str, target: str, body: bytes) -> Any:
    requests = need("requests", "demo", "an embedded DynamoDB")
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: this stays in the process
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
        return session.post(url, data=body, headers=headers)
