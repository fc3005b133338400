"""A Lambda Runtime API on this machine, and a handler under AWS's own runtime client.

The client is the package ``awslambdaric``: the program that calls Python handlers in Lambda. It
asks this server for the next invocation and posts back what the handler returned or raised, so
what a test sees here is what Lambda would have been told.

The protocol: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from tests.support.missing import missing

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:under-test"


class HandlerError(Exception):
    """What the handler, or the import of its module, raised; as Lambda is told about it."""

    def __init__(self, error_type: str, message: str, trace: list[str]) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.trace = trace


@dataclass(frozen=True)
class _Invocation:
    request_id: str
    body: bytes
    deadline_ms: int


class LambdaRuntime:
    """A function environment that lives as long as the ``with`` block, with one process in it.

    Args:
        handler: ``module.function``, as a function's configuration has it.
        task_root: The folder that the module is in; the process runs there.
        environment: More environment variables for the process.
    """

    def __init__(
        self, handler: str, task_root: Path, environment: dict[str, str] | None = None
    ) -> None:
        if importlib.util.find_spec("awslambdaric") is None:
            missing("awslambdaric is not installed (it has wheels for Linux only)")
        self._todo: queue.Queue[_Invocation] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._stopping = threading.Event()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - __exit__ closes it
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._handler = handler
        self._task_root = task_root
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LambdaRuntime:
        self._thread.start()
        search = [str(self._task_root), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self._handler],
            cwd=self._task_root,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_FUNCTION_NAME": "under-test",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "AWS_REGION": "us-east-1",
                "LAMBDA_TASK_ROOT": str(self._task_root),
                "PYTHONPATH": os.pathsep.join(search),
                **self._environment,
            },
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._log.close()

    def invoke(self, event: object, *, timeout: float = 10.0) -> Any:
        """What the handler returned for ``event``, read back from the JSON it became.

        Args:
            event: Anything that is JSON.
            timeout: Seconds that the invocation may take, which is also the handler's deadline
                (``context.get_remaining_time_in_millis()``).

        Raises:
            HandlerError: The handler raised, or its module could not be imported.
        """
        deadline = time.time() + timeout
        self._todo.put(
            _Invocation(str(uuid.uuid4()), json.dumps(event).encode(), int(deadline * 1000))
        )
        while True:
            try:
                kind, body = self._answers.get(timeout=0.1)
                break
            except queue.Empty:
                ended = self._process is None or self._process.poll() is not None
                if time.time() > deadline + 5 or (ended and self._answers.empty()):
                    raise AssertionError(f"no answer from the handler:\n{self.log()}") from None
        answer = json.loads(body or b"null")
        if kind == "response":
            return answer
        raise HandlerError(
            answer["errorType"], answer["errorMessage"], answer.get("stackTrace") or []
        )

    def log(self) -> str:
        """What the process has printed so far."""
        with contextlib.suppress(ValueError):
            self._log.seek(0)
            return self._log.read().decode(errors="replace")
        return ""

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """``/2018-06-01/runtime/invocation/next``: waits for one, however long."""
                while not runtime._stopping.is_set():
                    try:
                        invocation = runtime._todo.get(timeout=0.05)
                    except queue.Empty:
                        continue
                    self.send_response(200)
                    self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.request_id)
                    self.send_header("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms))
                    self.send_header("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN)
                    self._finish(invocation.body)
                    return
                self.close_connection = True

            def do_POST(self) -> None:
                """``…/invocation/ID/response``, ``…/invocation/ID/error``, ``…/init/error``."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                runtime._answers.put((self.path.rsplit("/", 1)[-1], body))
                self.send_response(202)
                self._finish(b'{"status": "OK"}')

            def _finish(self, body: bytes) -> None:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Say nothing: a failing test shows the process's own output."""

        return Handler
