"""Whatever text a table has in it, what a command shows acts on no terminal and forges no line."""

from __future__ import annotations

import gzip
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ddbstream import StreamRouter
from ddbstream._router.log import PrintableFormatter
from ddbstream.testing import insert, lambda_event, modify, on_failure_message

pytest.importorskip("click")
import click.testing
from click.testing import CliRunner, Result

from ddbstream.cli._app import cli
from ddbstream.cli._http import Request
from ddbstream.cli._standard_streams import LogFormatter
from ddbstream.cli.poll import health_of
from ddbstream.poller import StreamPoller
from ddbstream.testing import FakeStream

# Every control character, those that turn the direction, of no width, of lines, of half a pair.
ACTING = "".join(
    map(
        chr,
        [
            *range(0x20),
            *range(0x7F, 0xA0),
            *(0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2060, 0xFEFF),
            *range(0x202A, 0x202F),
            *range(0x2066, 0x206A),
            *(0xE0001, 0xE0041, 0xFFF9, 0xFFFE, 0xF8FF),
        ],
    )
)
MARKUP = "[bold red]loud[/bold red] [link=http://x]y[/link] :bug: [/]"
NAMES = {
    "acting": f"PWNED{ACTING}",
    "title": "PWNED\x1b]0;x\x07\x1b[2J\x1b[1;31m\r\nforged: line",
    "half": "PWNED\ud800",
    "markup": f"PWNED {MARKUP}",
}

APP = """
from dataclasses import dataclass
from ddbstream import StreamRouter, by_attribute

router = StreamRouter(classify=by_attribute("kind"))

@router.on_change("Product")
def seen(record):
    pass

failing = StreamRouter(classify=by_attribute("kind"))

@failing.on_change(failing.classify and "Other")
def other(record):
    pass

@failing.on_change(where=lambda record: True)
def fails(record):
    raise ValueError(str(record.new))

@dataclass
class Product:
    PK: int
    m: dict[str, int]

def handler(event, context):
    raise ValueError(str(event["Records"][0]["dynamodb"]["NewImage"]))
"""

COMMANDS = {
    "decode": ["decode", "event.json"],
    "decode items": ["decode", "item.json"],
    "decode as a class": ["decode", "item.json", "--model", "escaping_app:Product"],
    "explain": ["explain", "escaping_app:router", "event.json"],
    "diff": ["diff", "item.json", "changed.json"],
    "diff as a patch": ["diff", "item.json", "changed.json", "--as", "patch"],
    "check": ["check", "escaping_app:Product", "item.json", "--key", "PK"],
    "check with a router": ["check", "escaping_app:router", "item.json", "--key", "PK"],
    "check an export": ["check", "escaping_app:router", "export", "--key", "PK"],
    "infer": ["infer", "item.json"],
    "infer with a router": ["infer", "item.json", "--router", "--key", "PK"],
    "infer by type": ["infer", "item.json", "--type-attribute", "kind", "--router"],
    "invoke": ["invoke", "escaping_app:handler", "event.json"],
    "replay": ["replay", "escaping_app:failing", "message.json"],
    "replay, dry": ["replay", "escaping_app:failing", "message.json", "--dry-run"],
    "replay what is none": ["replay", "escaping_app:failing", "event.json"],
    "export": ["export", "load", "escaping_app:failing", "export"],
    "no such file": ["decode", "NAME"],
    "no such table": ["infer", "NAME", "--endpoint-url", "http://127.0.0.1:9"],
    "no such app": ["filters", "NAME:router"],
    "no such command": ["NAME"],
    "no such option": ["decode", "--NAME"],
    "a bad time": ["tail", "T", "--start", "NAME"],
    "a bad address": ["poll", "escaping_app:router", "T", "--checkpoints", "x", "--listen", "NAME"],
}


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    wrapper = click.testing._NamedTextIOWrapper
    monkeypatch.setattr(wrapper, "isatty", lambda self: request.param and "out" in self.name)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "250")
    return bool(request.param)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "escaping_app", raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "escaping_app.py").write_text(APP)
    return tmp_path


def prepare(here: Path, text: str) -> None:
    name = "PLACE"  # builders take no half of a character
    item: dict[str, Any] = {
        "PK": {"S": name},
        "kind": {"S": name},
        name: {"SS": [name, "b"]},
        "m": {"M": {name: {"N": "1"}, "l": {"L": [{"S": name}]}}},
    }
    changed = item | {name: {"SS": ["c"]}, "m": {"M": {name: {"S": name}}}, "n": {"S": name}}
    record = modify(item, changed, event_id=name)
    files: dict[str, Any] = {
        "item.json": item,
        "changed.json": changed,
        "event.json": lambda_event([insert(item, event_id=name), record]),
        "message.json": on_failure_message([record], payload="object", shard_id=name),
        "export/manifest-summary.json": {
            "exportArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/export/1",
            "tableArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}",
            "exportTime": "2026-01-01T00:00:00Z",
            "itemCount": 1,
            "outputFormat": "DYNAMODB_JSON",
        },
        "export/manifest-files.json": {
            "itemCount": 1,
            "dataFileS3Key": "AWSDynamoDB/1/data/a.json.gz",
        },
    }
    (here / "export" / "data").mkdir(parents=True)
    for path, content in files.items():
        (here / path).write_text(json.dumps(content).replace(name, json.dumps(text)[1:-1]))
    line = json.dumps({"Item": item}).replace(name, json.dumps(text)[1:-1])
    packed = gzip.compress(line.encode() + b"\n")
    (here / "export" / "data" / "a.json.gz").write_bytes(packed)


COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def harmless(text: str) -> bool:
    """Whether nothing but our own colours and line ends acts on who shows it."""
    lines = COLOURS.sub("", text).split("\n")
    return all(map(str.isprintable, lines)) and not any(one.startswith("forged") for one in lines)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_all_that_a_command_says_is_harmless(
    here: Path, command: list[str], name: str, terminal: bool
) -> None:
    if any("NAME" in one for one in command):  # what an argument can have
        name = name.replace("\0", "").replace("\ud800", "\udc80")
    prepare(here, name)
    result = CliRunner().invoke(cli, [one.replace("NAME", name) for one in command])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.output
    assert harmless(result.stderr)
    assert harmless(result.stdout)
    if terminal and name.endswith("[/]"):
        is_verbatim(result)


def is_verbatim(result: Result) -> None:
    """No markup was followed, and nothing taken for a picture."""
    shown = COLOURS.sub("", result.output)
    assert "\U0001f41b" not in shown
    if "loud" in shown:
        assert "[bold red]loud[/bold red]" in shown.replace("\\\\", "")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_what_a_server_says_of_a_poller_is_harmless(name: str) -> None:
    stream = FakeStream("T")
    poller = StreamPoller(stream.arn, StreamRouter(), client=stream)
    poller.problem = lambda: f"a shard keeps failing: {name}"  # type: ignore[method-assign]
    answer = health_of(poller)(Request("GET", "/healthy", None, b""))  # type: ignore[arg-type]
    assert answer.status == 503
    assert harmless(answer.body.decode())
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_log_line_is_one_line_with_its_traceback_indented(name: str) -> None:
    fault = (ValueError, ValueError(name), None)
    record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "%s", (name,), fault)
    for formatter in (LogFormatter(), PrintableFormatter("%(levelname)s %(message)s")):
        first, *rest = formatter.format(record).split("\n")
        assert harmless(first)
        assert "PWNED" in first
        assert all(line.startswith("  ") and line.isprintable() for line in rest)


def test_a_process_of_the_kcl_logs_so(here: Path) -> None:
    (here / "escaping_app.py").write_text(
        "import logging\nlogging.getLogger('x').warning('a\\nforged\\x1b')\nrouter = 7\n"
    )
    command = [sys.executable, "-m", "ddbstream.kcl", "escaping_app:router"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(rb"WARNING x a\u000aforged\u001b")
