"""``ddbstream poll --listen``: a poller's health and counts over HTTP.

``/healthy`` answers 200 or 503 with a few words, for whoever restarts what does not get on;
``/metrics`` answers in Prometheus's text format. There is no third address, and nothing is written.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ddbstream.poller import StreamPoller

__all__ = ["Address", "serving"]

if TYPE_CHECKING:
    _ParamType = click.ParamType[tuple[str, int]]
else:  # older versions of click have it without parameters
    _ParamType = click.ParamType


class Address(_ParamType):
    """``PORT``, of this machine alone, or ``HOST:PORT``."""

    name = "[HOST:]PORT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the argument."""
        host, _, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdecimal() and int(port) < 65536):
            self.fail(f"{value!r} is no port, nor a host and a port", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def serving(poller: StreamPoller, address: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Answer while the block runs; gives the address, whose port the system chose if it was 0.

    Raises:
        click.ClickException: The address cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/healthy":
                problem = poller.problem()
                self._answer(200 if problem is None else 503, f"{problem or 'ok'}\n")
            elif path == "/metrics":
                healthy = f"ddbstream_poller_healthy {int(poller.healthy())}\n"
                self._answer(200, healthy + poller.metrics.prometheus())
            else:
                self._answer(404, "there are /healthy and /metrics\n")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: a probe comes every few seconds."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    try:
        server = Server(address, Handler)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="ddbstream-health", daemon=True)
    thread.start()
    try:
        yield (address[0], server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
