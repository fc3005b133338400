"""A service that follows a table: the poller, its health and its metrics on one port.

Environment: ``TABLE`` (the table's name or the stream's ARN), ``CHECKPOINTS`` (a DynamoDB table for
positions, or a path that ends in ``.db``), ``PORT`` (8080).
"""

from __future__ import annotations

import logging
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ddbstream import Change, StreamRouter, by_key_prefix
from ddbstream.poller import (
    CheckpointStore,
    DynamoDBCheckpoints,
    SQLiteCheckpoints,
    StreamPoller,
    retry,
)

GRACE = 25  # seconds for running handlers at SIGTERM; every platform here waits longer

logger = logging.getLogger("poller_service")
router = StreamRouter(classify=by_key_prefix("PK"))


@router.on_change()
def changed(record: Change[dict[str, Any]]) -> None:
    """What the service is for."""
    logger.info("%s %s", record.event_name, record.keys)


def checkpoints(where: str) -> CheckpointStore:
    """A file for one machine, a table for a container that may run anywhere."""
    return SQLiteCheckpoints(where) if where.endswith(".db") else DynamoDBCheckpoints(where)


def poller(**options: Any) -> StreamPoller:
    """The poller as the environment describes it."""
    return StreamPoller(
        os.environ["TABLE"],
        router,
        checkpoints=checkpoints(os.environ["CHECKPOINTS"]),
        on_failure=retry(20, then="stop"),  # the platform starts it anew, and somebody looks
        grace=GRACE,
        **options,
    )


def serve(watched: StreamPoller, port: int) -> ThreadingHTTPServer:
    """Answer ``/healthz`` and ``/metrics`` about a poller, in threads of their own."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, watched.metrics.prometheus())
            elif self.path == "/healthz":
                problem = watched.problem()
                self.answer(503 if problem else 200, f"{problem or 'ok'}\n")
            else:
                self.answer(404, "/healthz or /metrics\n")

        def answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: a probe every few seconds is no news."""

    server = ThreadingHTTPServer(("", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    watched = poller()
    server = serve(watched, int(os.environ.get("PORT", "8080")))
    try:
        watched.run(install_signals=True)
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
