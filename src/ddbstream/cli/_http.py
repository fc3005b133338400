"""The small HTTP server under every command that answers on this machine.

What a server says is a function from `Request` to `Response`. The rules are the same for all:

* A client has ten seconds to send a request and as many to take the response, and a server has 64
  clients at most. Who connects and says nothing is cut off.
* A client that hangs up is no error of the server's: nothing is printed.
* On a loopback address the ``Host`` header must name this machine. A web page can have its own name
  resolve to 127.0.0.1 (DNS rebinding), but then the header still has that name.
* A request with an ``Origin`` was sent by a web page and is refused, and so is one of which the
  browser says that another site has asked for it (``Sec-Fetch-Site``).
* What two readers could read in two ways is refused: several lengths, several hosts, chunks, lines
  among the headers that are none. What is no response is not sent either: a header that a function
  made from what it was sent begins no other header.
* A body is JSON. Its content type says so, or is absent: what web pages may send to other sites
  without asking first is forms and text.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from contextlib import contextmanager, suppress
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    InvalidHeaderDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Lock, Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from ddbstream.cli._standard_streams import complain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from email.message import Message

__all__ = ["LOOPBACK", "Request", "Response", "function_response", "message", "serving"]

LOOPBACK = "127.0.0.1"
JSON = MappingProxyType({"Content-Type": "application/json"})

_PATIENCE = 10.0  # seconds
_MOST_CLIENTS = 64  # more connections than boto3 keeps in a pool, few enough for a thread each
_MOST_UNREAD = 1 << 20  # bytes of a refused body
_LOOK_AROUND = 0.1  # seconds between two looks at who is late, and at whether to stop
_ASKED_HERE = {"none", "same-origin"}  # by a person in the browser, or by a page of this server
_JSON = {"application/json", "application/x-amz-json-1.0", "application/x-amz-json-1.1"}
_HOST = re.compile(r"(?:\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]|([^][:]+))(?::[0-9]*)?")
_NO_HEADERS = (  # a line was left out, or was taken for the end of the headers
    FirstHeaderLineIsContinuationDefect,
    InvalidHeaderDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = {"content-length", "transfer-encoding", "connection"}  # which is the server's own
_BODILESS = {204, 304}


class Request(NamedTuple):
    """What a client sent.

    Attributes:
        method: ``GET``, ``POST`` and so on.
        path: The path, without its query.
        headers: Values by their names in any case.
        body: JSON in UTF-8, or nothing.
    """

    method: str
    path: str
    headers: Message
    body: bytes


class Response(NamedTuple):
    """What the client gets."""

    status: int
    body: bytes
    headers: Mapping[str, str] = JSON


def function_response(status: int, body: bytes, headers: Mapping[str, object]) -> Response:
    """What a function answered to a proxy event: JSON, unless its headers say otherwise."""
    named = {name: str(value) for name, value in headers.items() if name.lower() not in _FRAMING}
    kind = {} if any(name.lower() == "content-type" for name in named) else JSON
    return Response(status, body, {**kind, **named})


def message(status: int, text: str) -> Response:
    """A response that is a JSON object with a ``message``."""
    return Response(status, json.dumps({"message": text}).encode() + b"\n")


@contextmanager
def serving(
    respond: Callable[[Request], Response],
    address: tuple[str, int],
    *,
    longest_body: int = 0,
    refusal: str = "cannot listen on {host}:{port}: {reason}",
) -> Iterator[str]:
    """Answer requests, each client in a thread, while the block runs; gives the server's URL.

    Args:
        respond: Answers one request. What it raises is printed, and the client gets a 500.
        address: Host and port; port 0 is any free one.
        longest_body: How many bytes the body of a request may have.
        refusal: What to tell the user if the address cannot be listened on.

    Raises:
        click.ClickException: The address cannot be listened on.
    """
    host, port = address
    try:
        server = _Server(address, respond, longest_body)
    except OSError as error:
        text = refusal.format(host=host, port=port, reason=error.strerror or error)
        raise click.ClickException(text) from None
    thread = Thread(
        target=server.serve_forever, args=(_LOOK_AROUND,), name="ddbstream-http", daemon=True
    )
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a burst that finds no place waits a second to be tried again

    def __init__(
        self, address: tuple[str, int], respond: Callable[[Request], Response], longest_body: int
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.respond = respond
        self.longest_body = longest_body
        self._lock = Lock()
        self._deadlines: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)
        self.is_local = ip_address(str(self.server_address[0])).is_loopback

    def give_time(self, client: socket.socket, seconds: float) -> None:
        """Cut a client off unless it is given time again, or gone, within so many seconds."""
        with self._lock:
            self._deadlines[client] = time.monotonic() + seconds

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for another client."""
        with self._lock:
            full = len(self._deadlines) >= _MOST_CLIENTS
        if not full:
            self.give_time(request, _PATIENCE)
        return not full

    def service_actions(self) -> None:
        """Cut off the clients that are late; the accepting loop calls this all the time."""
        now = time.monotonic()
        with self._lock:
            late = [client for client, deadline in self._deadlines.items() if deadline < now]
        _cut_off(late)

    def shutdown_request(self, request: Any) -> None:
        """Let go of a client that is done."""
        with self._lock:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Let go of the address, and of the clients that are still there."""
        super().server_close()
        with self._lock:
            left = list(self._deadlines)
        _cut_off(left)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless it is only that the client has gone."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            complain_of(error)


def _cut_off(clients: list[socket.socket]) -> None:
    for client in clients:
        with suppress(OSError):  # it has gone by itself
            client.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ddbstream"
    timeout = _PATIENCE  # of one read or write; the deadline is for a client that drips bytes

    @property
    def _server(self) -> _Server:
        return cast("_Server", self.server)

    def handle_one_request(self) -> None:
        self._server.give_time(self.connection, _PATIENCE)
        super().handle_one_request()

    def _handle(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(refusal)
            return
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the client has gone
            self.close_connection = True
            return
        self._server.give_time(self.connection, float("inf"))  # the rest is up to us
        response = self._response(body)
        self._server.give_time(self.connection, _PATIENCE)
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server's

    def _refuse(self, refusal: Response) -> None:
        """Answer, and hang up: what comes next may be the body of what was refused."""
        self.close_connection = True
        self._send(refusal)
        # A connection that is closed with bytes unread is reset, and the answer may go with it.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            left = _MOST_UNREAD
            while left > 0 and (unread := self.connection.recv(65536)):
                left -= len(unread)

    def _refusal(self) -> Response | None:
        """Why the request is refused by its headers alone; None if it is not."""
        hosts = self.headers.get_all("Host", [])
        lengths = self.headers.get_all("Content-Length", ["0"])
        if len(hosts) > 1 or len(lengths) > 1:
            return message(400, "Host and Content-Length may be there once")
        if any(isinstance(defect, _NO_HEADERS) for defect in self.headers.defects):
            return message(400, "a line among the headers is none")
        if not hosts and self.request_version != "HTTP/1.0":
            return message(400, "there is no Host header")
        if self._server.is_local and not all(map(_is_this_machine, hosts)):
            return message(403, "the Host header does not name this machine")
        if "Origin" in self.headers or not _ASKED_HERE.issuperset(
            self.headers.get_all("Sec-Fetch-Site", [])
        ):
            return message(403, "web pages are not served")
        (length,) = lengths
        if "Transfer-Encoding" in self.headers:
            return message(411, "a body needs a Content-Length")
        if not (length.isascii() and length.isdecimal()):
            return message(400, "Content-Length is not a number")
        if len(length) > 15 or int(length) > self._server.longest_body:
            return message(413, f"a body may have {self._server.longest_body} bytes")
        says_other = "Content-Type" in self.headers and self.headers.get_content_type() not in _JSON
        if int(length) and says_other:
            return message(415, "the Content-Type of a body must be application/json")
        return None

    def _response(self, body: bytes) -> Response:
        try:
            if body:
                json.loads(body.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return message(400, "the body must be JSON in UTF-8")
        path = self.path.partition("?")[0]
        try:
            response = self._server.respond(Request(self.command, path, self.headers, body))
            _check(response)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a 500 to the client, the reason to whoever runs this
            complain_of(error)
            return message(500, "Internal Server Error")
        return response

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in _BODILESS:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if response.status not in _BODILESS and self.command != "HEAD":
            self.wfile.write(response.body)

    def send_error(self, code: int, *_words: str | None, **_named: str | None) -> None:
        """Answer what is no request, without a word of it; its bytes are not worth reading on."""
        self.request_version = self.protocol_version  # or the answer has no head
        self._refuse(message(code, HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: a probe comes every few seconds."""


def _check(response: Response) -> None:
    """Raise ValueError for what is no response of HTTP, of which a client would read another."""
    if not 200 <= response.status <= 599:
        raise ValueError(f"{response.status} is no status of a response")
    for name, value in response.headers.items():
        if not (_HEADER.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError(f"the header {name!r} of a response has characters that none has")


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _is_this_machine(host: str) -> bool:
    """Whether a ``Host`` header names a loopback address."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    address, name = found.groups()
    try:
        return (name or "").lower() == "localhost" or ip_address(address or name).is_loopback
    except ValueError:
        return False
