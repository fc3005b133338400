"""``ddbstream demo`` shows every change of its story, on any machine, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto")
pytest.importorskip("click")

from tests.cli.conftest import lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.dynamodb_local import DynamoDBLocal

    Run = Callable[..., subprocess.CompletedProcess[str]]


def assert_the_story(changes: list[dict[str, Any]]) -> None:
    assert [change["event"] for change in changes] == ["INSERT"] * 3 + ["MODIFY", "REMOVE"]
    assert {change["entity"] for change in changes} == {"Product"}
    assert [change["new"]["name"] for change in changes[:3]] == [
        "Walnut desk",
        "Brass lamp",
        "Wool rug",
    ]
    desk, lamp = changes[0], changes[1]
    modify, remove = changes[3], changes[4]
    assert modify["old"] == desk["new"]
    assert modify["diff"] == [{"path": "price", "old": "1299.99", "new": "1149.95"}]
    assert remove["old"] == lamp["new"]
    assert "new" not in remove
    assert all(change["keys"]["PK"].startswith("Product#") for change in changes)
    assert len({change["event_id"] for change in changes}) == 5


def test_in_a_pipe_it_writes_one_line_of_json_for_each_change_and_nothing_else(run: Run) -> None:
    result = run("demo")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert_the_story(lines(result.stdout))


def test_no_setting_for_aws_on_this_machine_reaches_it_or_is_needed(
    run: Run, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:1\nregion = xx-nowhere-1\n")
    hostile = {
        "AWS_PROFILE": "missing",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_REGION": "xx-nowhere-1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    result = run("demo", env=hostile)
    assert result.returncode == 0, result.stderr
    assert_the_story(lines(result.stdout))


@pytest.mark.dynamodb_local
def test_with_an_endpoint_it_uses_that_dynamodb_and_leaves_no_table_behind(
    run: Run, dynamodb_local: DynamoDBLocal
) -> None:
    before = dynamodb_local.dynamodb.list_tables()["TableNames"]
    result = run("demo", "--endpoint-url", dynamodb_local.endpoint_url)
    assert result.returncode == 0, result.stderr
    assert_the_story(lines(result.stdout))
    assert dynamodb_local.dynamodb.list_tables()["TableNames"] == before


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")
def test_on_a_terminal_it_is_coloured_typed_and_shows_the_diff(
    on_a_terminal: Callable[..., str],
) -> None:
    text = on_a_terminal("demo")
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "price=Decimal('1299.99')" in plain
    assert "~ price  Decimal('1299.99') → Decimal('1149.95')" in plain
    assert [word for word in plain.split() if word in {"INSERT", "MODIFY", "REMOVE"}] == [
        *["INSERT"] * 3,
        "MODIFY",
        "REMOVE",
    ]


class Serving:
    """``demo --serve`` in a process, its output read line by line."""

    def __init__(self, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ddbstream", "demo", "--serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            text=True,
        )
        assert self.process.stdout is not None
        self.story = [self.process.stdout.readline() for _ in range(5)]
        self.url = self._url()

    def _url(self) -> str:
        assert self.process.stderr is not None
        while line := self.process.stderr.readline():
            if match := re.search(r"curl -X DELETE (\S+)/product/ID", line):
                return match[1]
        raise AssertionError("it never said how to reach it")

    def request(self, method: str, path: str, body: str = "") -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        with closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def change(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        (change,) = lines(self.process.stdout.readline())
        return change

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_served_it_answers_shows_what_is_done_to_it_and_ends_cleanly(
    tmp_path: Path, number: int
) -> None:
    demo = Serving(tmp_path)
    try:
        assert_the_story(lines("".join(demo.story)))
        status, answer = demo.request(
            "POST", "/product", '{"name": "Oak chair", "price": 0.30, "category": "furniture"}'
        )
        assert status == 201
        path = f"/product/{answer['id']}"
        assert demo.change()["new"]["price"] == "0.30"
        assert demo.request("PATCH", path, '{"price": 0.1, "name": "Chair"}')[0] == 200
        assert [change["path"] for change in demo.change()["diff"]] == ["name", "price"]
        assert demo.request("PATCH", path, '{"price": 0.1}') == (
            200,
            {"message": "nothing to change"},
        )
        assert demo.request("DELETE", path)[0] == 200
        assert demo.change()["event"] == "REMOVE"
        for method, wrong, body, expected in (
            ("POST", "/product", "{", 400),
            ("PATCH", path, '{"price": 1}', 404),
            ("DELETE", path, "", 404),
            ("DELETE", "/product/7", "", 404),
            ("GET", path, "", 405),
            ("GET", "/", "", 404),
        ):
            assert demo.request(method, wrong, body)[0] == expected, (method, wrong)
        assert demo.end(number) == 0
    finally:
        demo.process.kill()
        demo.process.communicate()


def test_a_port_in_use_is_one_line_that_says_what_to_do(run: Run) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("demo", "--port", str(port))
    assert result.returncode == 1
    assert re.fullmatch(rf"Error: port {port}: .*; try --port\n", result.stderr)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense"])
def test_an_endpoint_that_is_none_is_one_line(run: Run, url: str) -> None:
    result = run("demo", "--endpoint-url", url)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert url in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="a broken pipe is POSIX")
def test_whoever_reads_its_first_line_and_goes_ends_it_quietly(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ddbstream", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert lines(process.stdout.readline())[0]["event"] == "INSERT"
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""
