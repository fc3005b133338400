"""The server under ``poll --listen``, ``dev`` and ``demo``: who is answered, and who is not."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
import click

from ddbstream.cli import _http
from ddbstream.cli._dev_api import _response
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
        ("[0:0:0:0:0:0:0:1]", 200),
        ("[::1].rebound.example", 403),
        ("[::1]rebound.example", 403),
        ("[127.0.0.1]", 403),
        ("::1", 403),
        ("rebound.example@localhost", 403),
        ("localhost/rebound.example", 403),
        ("localhost?rebound.example", 403),
        ("localhost#rebound.example", 403),
        ("localhost:rebound.example", 403),
        ("127.0.0.1:80:80", 403),
        ("2130706433", 403),
        ("169.254.169.254", 403),
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


# --- requests that are none, and clients that are slow --------------------------------------------


def answer(address: str, sent: bytes) -> bytes:
    """All that comes back until the server hangs up, or is done with what was sent."""
    with raw(address) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


HERE = b"Host: localhost\r\n"
POST = b"POST / HTTP/1.1\r\n" + HERE


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\n" + HERE + b"\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HERE + b"Host: rebound.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: rebound.example\r\n" + HERE + b"\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: rebound.example\r\n\r\n", 403),
        (b"GET http://rebound.example/ HTTP/1.1\r\nHost: rebound.example\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: localhost.\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: localhost@rebound.example\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\n" + HERE + b"Sec-Fetch-Site: cross-site\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\n" + HERE + b"Sec-Fetch-Site: same-site\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\n" + HERE + b"Sec-Fetch-Site: none\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n" + HERE + b"Origin: null\r\n\r\n", 403),
        (POST + b"Origin: http://localhost\r\nContent-Length: 2\r\n\r\n{}", 403),
        (POST + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415),
        (POST + b"Content-Type: multipart/form-data\r\nContent-Length: 2\r\n\r\n{}", 415),
        (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
        (POST + b"Content-Length: +2\r\n\r\n{}", 400),
        (POST + b"Content-Length: -2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
        (POST + b"Content-Length: \xb2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 101\r\n\r\n" + b" " * 101, 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 411),
        (POST + b"Content-Length: 3\r\n\r\n\xff{}", 400),
        (POST + b"Content-Length: 5\r\n\r\n\xef\xbb\xbf{}", 400),
        (POST + b"Content-Length: 90\r\n\r\n" + b"[" * 90, 400),
        (POST + b"Content-Length: 3\r\n\r\n\x1f\x8b\x08", 400),
        (POST + b"Content-Length: 3\r\n\r\nNaN", 400),
        (POST + b'Content-Length: 14\r\n\r\n{"a":Infinity}', 400),
        (POST + b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}", 400),
        (POST + b"no header\r\nContent-Length: 2\r\n\r\n{}", 400),
        (POST + b": nameless\r\nContent-Length: 2\r\n\r\n{}", 400),
        (b"GET / HTTP/1.1\r\n Origin: http://a\r\n" + HERE + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HERE + b"From a\r\nX: y\r\n\r\n", 400),
        (b"GET / HTTP/1.10\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HERE + b"\r\n", 200),
        (b"OPTIONS / HTTP/1.1\r\n" + HERE + b"\r\n", 501),
        (b"TRACE / HTTP/1.1\r\n" + HERE + b"\r\n", 501),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.x\r\n\r\n", 400),
        (b"GET /<script>alert(1)</script> \x1b[2J HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HERE + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HERE + b"X: a\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_a_request_that_is_none_gets_an_answer_and_no_traceback(
    address: str, sent: bytes, expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    head, _, body = answer(address, sent).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == expected
    assert b"script" not in head + body
    assert b"\x1b" not in head + body
    if expected != 200:
        assert list(json.loads(body)) == ["message"]
        assert b"Content-Type: application/json" in head
    assert capfd.readouterr().err == ""
    assert status(address) == 200  # and the server serves on


@pytest.mark.parametrize(
    "sent", [b"GET /\r\n\r\n", b"POST /\r\n\r\n", b"\r\n\r\n", b"\n", b"\0" * 999]
)
def test_what_is_no_http_that_we_know_ends_the_connection(
    address: str, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer(address, sent)
    assert status(address) == 200
    assert capfd.readouterr().err == ""


def test_requests_behind_one_another_are_answered_in_turn_until_one_is_refused(
    address: str,
) -> None:
    def post(body: bytes) -> bytes:
        return POST + f"Content-Length: {len(body)}\r\n\r\n".encode() + body

    answers = answer(address, post(b"1") + post(b"2") + post(b"no") + post(b"3"))
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b"HTTP/1.1 400") == 1
    answers = answer(address, post(b"1") + POST + b"Origin: x\r\n\r\n" + post(b"2"))
    assert answers.count(b"HTTP/1.1 ") == 2  # what is behind a refusal may be its body


def test_a_client_that_drips_bytes_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "_PATIENCE", 0.3)
    with serving(echo, (LOOPBACK, 0)) as url, raw(url.removeprefix("http://")) as client:
        client.settimeout(0.02)
        for _ in range(500):  # each byte comes in time, and the request would take ten seconds
            try:
                client.sendall(b"a")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("the client was served for as long as it liked")


def test_a_client_that_does_not_take_its_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_http, "_PATIENCE", 0.3)
    monkeypatch.setattr(_http, "_MOST_CLIENTS", 1)
    large = Response(200, b"x" * 30_000_000)
    with serving(lambda _: large, (LOOPBACK, 0)) as url:
        address = url.removeprefix("http://")
        with raw(address) as client:
            client.sendall(b"GET / HTTP/1.1\r\n" + HERE + b"\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            while True:  # there is room again, although it has not gone
                with raw(address) as other:
                    other.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    if other.recv(12) == b"HTTP/1.1 200":
                        break
    assert capfd.readouterr().err == ""


def test_many_idle_clients_hold_as_many_threads_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_http, "_MOST_CLIENTS", 5)
    before = threading.active_count()
    with serving(echo, (LOOPBACK, 0)) as url, ExitStack() as stack:
        address = url.removeprefix("http://")
        for _ in range(40):
            stack.enter_context(raw(address))
        with raw(address) as last:
            assert last.recv(1) == b""
        assert threading.active_count() - before <= 5 + 1


# --- responses that are none ----------------------------------------------------------------------

FUNCTIONS: dict[str, object] = {
    "another header": {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: forged=1"}},
    "another name": {"statusCode": 200, "headers": {"X: a\r\nSet-Cookie": "forged=1"}},
    "no Latin-1": {"statusCode": 200, "headers": {"X": "\u2603"}},
    "a control character": {"statusCode": 200, "headers": {"X": "\x1b[2J"}},
    "no final status": {"statusCode": 100},
    "no status": {"statusCode": 99999},
    "half a character": {"statusCode": 200, "body": "\ud800"},
    "no JSON": {"statusCode": 200, "body": {"x": object()}},
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_function_that_answers_no_http_is_a_500_and_a_traceback(
    what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _: _response(FUNCTIONS[what]), (LOOPBACK, 0)) as url:
        got = answer(url.removeprefix("http://"), b"GET / HTTP/1.1\r\n" + HERE + b"\r\n")
    assert got.startswith(b"HTTP/1.1 500 ")
    assert b"forged" not in got
    told = capfd.readouterr().err
    assert told.startswith("Traceback")
    assert all(map(str.isprintable, told.split("\n")))


def test_how_long_a_response_is_and_of_what_type_is_said_once() -> None:
    headers = {"content-length": "99", "Transfer-Encoding": "chunked", "content-type": "text/html"}
    function = {"statusCode": 200, "headers": headers, "body": "hello"}
    with serving(lambda _: _response(function), (LOOPBACK, 0)) as url:
        got = answer(url.removeprefix("http://"), b"GET / HTTP/1.1\r\n" + HERE + b"\r\n").lower()
    head, _, body = got.partition(b"\r\n\r\n")
    assert body == b"hello"
    assert head.count(b"content-length: 5") == head.count(b"content-length") == 1
    assert head.count(b"content-type: text/html") == head.count(b"content-type") == 1
    assert b"transfer-encoding" not in head


@pytest.mark.parametrize(("method", "code"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_has_none(method: str, code: int) -> None:
    sent = f"{method} / HTTP/1.1\r\n".encode() + HERE + b"\r\n"
    with serving(lambda _: Response(code, b"hello"), (LOOPBACK, 0)) as url:
        got = answer(url.removeprefix("http://"), sent + sent)
    assert got.count(f"HTTP/1.1 {code} ".encode()) == 2
    assert b"hello" not in got


def test_a_function_that_ends_its_process_is_a_500(capfd: pytest.CaptureFixture[str]) -> None:
    def leave(_: Request) -> Response:
        raise SystemExit(3)

    with serving(leave, (LOOPBACK, 0)) as url:
        assert status(url.removeprefix("http://")) == 500
    assert "SystemExit: 3" in capfd.readouterr().err
