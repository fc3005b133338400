"""The server under ``poll --listen``, ``dev`` and ``demo``: who is answered, and who is not."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
import click

from ddbstream.cli import _http
from ddbstream.cli._http import LOOPBACK, Request, Response, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


def echo(request: Request) -> Response:
    if request.path == "/broken":
        raise LookupError("a bug")
    return Response(200, request.body)


@pytest.fixture
def address() -> Iterator[str]:
    with serving(echo, (LOOPBACK, 0), longest_body=100) as url:
        yield url.removeprefix("http://")


def status(
    address: str, method: str = "GET", path: str = "/", body: str | None = None, **headers: str
) -> int:
    with closing(HTTPConnection(address, timeout=10)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        return connection.getresponse().status


def raw(address: str) -> socket.socket:
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("rebound.example", 403),
        ("127.0.0.1.rebound.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_on_this_machine_only_its_own_names_are_served(
    address: str, host: str, expected: int
) -> None:
    assert status(address, Host=host) == expected


def test_web_pages_are_not_served(address: str) -> None:
    assert status(address, "POST", body="{}", Origin="http://localhost:3000") == 403


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ("{}", "application/json", 200),
        ("{}", "application/json; charset=utf-8", 200),
        ("{}", "application/x-amz-json-1.0", 200),
        ("{}", "text/plain", 415),
        ("{}", "application/x-www-form-urlencoded", 415),
        ("{", "application/json", 400),
        ("[" * 50_000, "application/json", 413),
    ],
)
def test_a_body_is_json_and_says_so(address: str, body: str, kind: str, expected: int) -> None:
    assert status(address, "POST", body=body, Content_Type=kind) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content_Length": "many"}, 400),
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "9" * 5000}, 413),
        ({"Transfer_Encoding": "chunked"}, 411),
    ],
)
def test_a_body_of_no_known_length_is_refused(
    address: str, headers: dict[str, str], expected: int
) -> None:
    assert status(address, "POST", **headers) == expected


def test_a_bug_is_a_500_for_the_client_and_a_traceback_for_the_user(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status(address, path="/broken") == 500
    assert "LookupError: a bug" in capfd.readouterr().err


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_client_that_hangs_up_leaves_no_traceback(
    address: str, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    for reset in (True, False):
        client = raw(address)
        client.sendall(sent)
        if reset:  # the connection breaks off
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    assert status(address) == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("drip", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_client_that_does_not_finish_its_request_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    monkeypatch.setattr(_http, "_PATIENCE", 0.1)
    with serving(echo, (LOOPBACK, 0)) as url, raw(url.removeprefix("http://")) as client:
        client.sendall(drip)
        assert client.recv(1) == b""


def test_a_server_has_room_for_so_many_clients_and_for_others_when_those_have_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_http, "_MOST_CLIENTS", 2)
    with serving(echo, (LOOPBACK, 0)) as url:
        address = url.removeprefix("http://")
        idle = [raw(address), raw(address)]
        with raw(address) as third:
            assert third.recv(1) == b""
        for client in idle:
            client.close()
        while True:  # the server notices that they have gone at a time of its own
            with raw(address) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if client.recv(12) == b"HTTP/1.1 200":
                    break


def test_a_connection_serves_many_requests(address: str) -> None:
    with closing(HTTPConnection(address, timeout=10)) as connection:
        for number in range(3):
            connection.request("POST", "/", json.dumps(number))
            assert connection.getresponse().read() == str(number).encode()


def test_an_address_that_is_taken_is_said_in_one_line(address: str) -> None:
    port = int(address.rpartition(":")[2])
    taken = serving(echo, (LOOPBACK, port))
    with pytest.raises(click.ClickException, match=f"cannot listen on 127.0.0.1:{port}: "), taken:
        pass
