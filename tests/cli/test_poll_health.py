"""``ddbstream poll --listen``: what a supervisor and Prometheus are told."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import click
import pytest
from click.testing import CliRunner

from ddbstream import StreamRouter
from ddbstream.cli._app import cli
from ddbstream.cli._http import serving
from ddbstream.cli._parameters import Address
from ddbstream.cli.poll import health_of
from ddbstream.poller import StreamPoller
from ddbstream.testing import FakeClock, FakeStream


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server's
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_it_says_that_a_poller_runs_and_when_it_does_not() -> None:
    clock = FakeClock()
    stream, router = FakeStream("Product", clock=clock), StreamRouter()
    stream.put({"PK": {"S": "Product#1"}})
    poller = StreamPoller(stream.arn, router, client=stream, clock=clock)
    said = []
    with serving(health_of(poller), ("127.0.0.1", 0)) as url:
        router.on_insert()(lambda record: said.append(get(f"{url}/healthy")))
        poller.run_until_caught_up()
        assert said == [(200, "text/plain; version=0.0.4; charset=utf-8", "ok\n")]
        assert get(f"{url}/healthy")[::2] == (503, f"{poller.problem()}\n")
        status, kind, text = get(f"{url}/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert text == "ddbstream_poller_healthy 0\n" + poller.metrics.prometheus()
        assert "ddbstream_poller_records_done_total 1\n" in text
        assert get(f"{url}/")[0] == 404
        probe = urllib.request.Request(f"{url}/metrics", method="HEAD")  # noqa: S310 - as above
        with urllib.request.urlopen(probe, timeout=20) as answer:  # noqa: S310
            assert (answer.status, answer.read()) == (200, b"")
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/healthy")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert Address().convert(text, None, None) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "65536", "-1", "1.5"])
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Address().convert(text, None, None)


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_health.py").write_text(
        "from ddbstream import StreamRouter\nrouter = StreamRouter()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--checkpoints", "x.db", "--listen", str(port), "--region", "us-east-1"]
        result = CliRunner().invoke(cli, ["poll", "shop_health:router", "Product", *options])
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}: " in result.output
