"""Data that wants to act on a terminal, and outputs that cannot be written."""

from __future__ import annotations

import ast
import gzip
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import insert, lambda_event, modify

pytest.importorskip("click")
from click.testing import CliRunner
from rich.console import Console

from ddbstream.cli import _render
from ddbstream.cli._app import cli
from ddbstream.cli._aws import boto3_client
from ddbstream.cli._local_dynamodb import dynamodb, serving_dynamodb
from ddbstream.cli._standard_streams import LogFormatter
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = Path(_render.__file__).parent

# The title of a terminal, a cleared screen, a forged line, text turned around, eight bits.
HOSTILE = "\x1b]0;PWNED\x07\x1b[2J\r\nforged\u202e\u2028\x9b31m"
ITEM = {"PK": {"S": HOSTILE}, HOSTILE: {"SS": [HOSTILE, "b"]}, "m": {"M": {HOSTILE: {"N": "1"}}}}
CHANGED = ITEM | {HOSTILE: {"SS": ["c"]}, "m": {"M": {}}, "n": {"S": HOSTILE}}
EVENT = json.dumps(lambda_event([insert(ITEM), modify(ITEM, CHANGED)]))

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this machine")


def harmless(text: str) -> bool:
    """Whether nothing but our own colours and newlines acts on a terminal."""
    lines = COLOURS.sub("", text).replace("\r\n", "\n").split("\n")
    return all(map(str.isprintable, lines)) and "forged" not in lines


def test_changes_on_a_terminal_do_nothing_but_colour(
    tmp_path: Path, on_a_terminal: Callable[..., str]
) -> None:
    (tmp_path / "event.json").write_text(EVENT)
    (tmp_path / "item.json").write_text(json.dumps(ITEM))
    for file in ("event.json", "item.json"):
        shown = on_a_terminal("decode", file)
        assert "PWNED" in shown
        assert harmless(shown)


def test_a_pipe_gets_the_values_themselves() -> None:
    result = CliRunner().invoke(cli, ["decode"], input=json.dumps(ITEM))
    assert json.loads(result.stdout)["PK"] == HOSTILE
    assert result.stdout.isascii()


def test_streams_and_shards_are_shown_harmless() -> None:
    shard = {"shard_id": HOSTILE, "parent": None, "from": "1", "to": None}
    stream = dict.fromkeys(("table", "stream_arn", "status", "view_type"), HOSTILE)
    tree = _render._stream_lines(stream | {"open_shards": 1, "shards": [shard]})
    console = Console(force_terminal=True, width=300)
    with console.capture() as shown:
        console.print(tree)
    assert shown.get().count("\n") == 3
    assert harmless(shown.get())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({HOSTILE: 1}),
        EVENT.replace('"SS"', '"X"', 1),
        json.dumps({"Items": [{HOSTILE: {"N": "x"}}]}),
    ],
)
def test_what_is_told_of_bad_input_forges_no_line(text: str) -> None:
    result = CliRunner().invoke(cli, ["decode"], input=text)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert harmless(result.stderr)


def test_wrong_usage_is_told_harmlessly() -> None:
    result = CliRunner().invoke(cli, ["filters", f"json:{HOSTILE}"])
    assert result.exit_code == 2
    assert harmless(result.stderr)


def test_a_handlers_traceback_is_shown_harmlessly(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def handler(event, context):\n    raise ValueError(event['x'])\n"
    )
    result = run("invoke", "app:handler", stdin=json.dumps({"x": HOSTILE}))
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert harmless(result.stderr)


BESIDE = {
    "an error that ends the process": "fail()",
    "an error in a thread": "t = threading.Thread(target=fail); t.start(); t.join()",
    "a log line without a handler": "logging.getLogger('x').error(TEXT)",
    "a traceback in it": "logging.getLogger('x').error('it', exc_info=ValueError(TEXT))",
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_no_command_shows_itself_is_harmless_too(run: Run, tmp_path: Path, what: str) -> None:
    (tmp_path / "app.py").write_text(
        f"import logging, threading\nTEXT = {HOSTILE!r}\n"
        "class Fault(BaseException): pass\n"
        "def fail(): raise Fault(TEXT)\n"
        f"def handler(event, context): {BESIDE[what]}\n"
    )
    result = run("invoke", "app:handler", stdin=EVENT)
    assert "PWNED" in result.stderr
    assert harmless(result.stderr)


def test_a_pollers_log_is_harmless() -> None:
    fault = (ValueError, ValueError(HOSTILE), None)
    record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "%s", (HOSTILE,), fault)
    assert harmless(LogFormatter().format(record))


def test_every_command_writes_through_one_place() -> None:
    others = []
    for path in sorted(COMMANDS.glob("*.py")):
        if path.name in {"_standard_streams.py", "__init__.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {
                "echo",
                "secho",
                "print_exc",
                "assemble",
            }:
                others.append((path.name, node.attr))
            if isinstance(node, ast.Name) and node.id == "print":
                others.append((path.name, "print"))
    assert others == [("_render.py", "assemble")]


# --- outputs that cannot be written -------------------------------------------------------------

APP = """
from ddbstream import StreamRouter, by_key_prefix
router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_change("Product")
def seen(record):
    pass

def handler(event, context):
    return event
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "event.json").write_text(json.dumps(lambda_event([insert({"PK": {"S": "P#1"}})])))
    return tmp_path


EVERY_WRITER = [
    ["decode", "event.json"],
    ["invoke", "app:handler", "event.json"],
    ["filters", "app:router"],
    ["infer", "items.json"],
    ["check", "app:router", "items.json"],
    ["replay", "app:router", "failed.json", "--dry-run"],
    ["explain", "app:router", "event.json"],
    ["diff", "old.json", "new.json"],
    ["export", "load", "app:router", "export"],
    ["demo"],
    ["doctor"],
    ["--help"],
    ["--version"],
    ["decode", "--help"],
]

# Each with the place of an emulator behind it.
EVERY_READER_OF_TABLES = [
    ["streams", "Table"],
    ["tail", "Table", "--once"],
    ["dev", "app:router", "--once", "--table", "Table", "--start", "TRIM_HORIZON"],
    ["export", "backfill", "app:router", "Table"],
    ["infer", "Table"],
    ["check", "app:router", "Table"],
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[list[str]]:
    """A DynamoDB with a table that a stream and an item are in: the options that name it."""
    pytest.importorskip("moto")
    item = {"PK": {"S": "Product#1"}}
    with dynamodb(None):
        client = boto3_client("dynamodb")
        make_table(client, "Table", ["PK"])
        client.put_item(TableName="Table", Item=item)
        with serving_dynamodb(0) as url:
            yield ["--endpoint-url", url, "--region", "us-east-1"]


def asked(arguments: list[str], emulator: list[str]) -> list[str]:
    return [*arguments, *emulator[: 2 if arguments[0] == "dev" else 4]]


def outside() -> dict[str, str]:
    """The environment of a command: what keeps this process's boto3 inside would keep it there."""
    kept = {k: v for k, v in os.environ.items() if k != "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    return {**kept, "AWS_DEFAULT_REGION": "us-east-1"}


def command(app: Path, arguments: list[str], stdout: Any) -> subprocess.CompletedProcess[str]:
    items = [{"PK": {"S": f"Product#{n}"}, "n": {"N": str(n)}} for n in range(3)]
    (app / "items.json").write_text("\n".join(map(json.dumps, items)))
    info = {
        "streamArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026",
        "shardId": "shard",
        "startSequenceNumber": "1",
        "endSequenceNumber": "2",
    }
    event = lambda_event([insert(items[0], sequence_number="1")])
    (app / "old.json").write_text(json.dumps(items[0]))
    (app / "new.json").write_text(json.dumps(items[1]))
    write_export(app / "export", items[0])
    (app / "failed.json").write_text(json.dumps({"DDBStreamBatchInfo": info, "payload": event}))
    return subprocess.run(
        [sys.executable, "-m", "ddbstream", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=outside(),
        cwd=app,
        text=True,
        check=False,
        timeout=120,
    )


def write_export(folder: Path, item: Any) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "a.gz").write_bytes(gzip.compress(json.dumps({"Item": item}).encode()))
    summary = {"tableArn": "arn:aws:dynamodb:eu-west-1:1:table/T", "itemCount": 1}
    summary |= {"outputFormat": "DYNAMODB_JSON", "exportTime": "2026-01-01T00:00:00Z"}
    (folder / "manifest-summary.json").write_text(json.dumps(summary))
    file = {"itemCount": 1, "dataFileS3Key": "AWSDynamoDB/1/data/a.gz"}
    (folder / "manifest-files.json").write_text(json.dumps(file))


@needs_full
@pytest.mark.parametrize("arguments", EVERY_READER_OF_TABLES, ids=lambda each: each[0])
def test_so_does_what_shows_a_table(app: Path, emulator: list[str], arguments: list[str]) -> None:
    with FULL.open("w") as full:
        result = command(app, asked(arguments, emulator), full)
    assert result.returncode == 1, result.stderr
    assert "Error: standard output cannot be written: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    if arguments[0] not in ("streams", "tail"):  # the others end as those of `EVERY_WRITER` do
        return
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        result = command(app, asked(arguments, emulator), pipe)
    assert "Error" not in result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


@needs_full
def test_a_poller_whose_log_cannot_be_written_goes_on(app: Path, emulator: list[str]) -> None:
    with FULL.open("w") as full:
        result = subprocess.run(
            [
                *(sys.executable, "-m", "ddbstream", "poll", "app:router", "Table", "--once"),
                *("--checkpoints", "kept.db", *emulator),
            ],
            stdout=full,
            stderr=full,
            env=outside(),
            cwd=app,
            check=False,
            timeout=60,
        )
    assert result.returncode == 0


@needs_full
@pytest.mark.parametrize("arguments", EVERY_WRITER, ids=lambda each: each[0])
def test_output_that_cannot_be_written_ends_the_command_with_an_error(
    app: Path, arguments: list[str]
) -> None:
    with FULL.open("w") as full:
        result = command(app, arguments, full)
    assert result.returncode == 1
    assert result.stderr.endswith(
        "Error: standard output cannot be written: No space left on device\n"
    )
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", EVERY_WRITER, ids=lambda each: each[0])
def test_a_pipe_that_nobody_reads_ends_the_command_in_silence(
    app: Path, arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        result = command(app, arguments, pipe)
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr
    assert "Exception ignored" not in result.stderr


@needs_full
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nosuch"], 2),
        (["--nosuch"], 2),
        (["decode", "--nosuch"], 2),
        (["decode", "nosuch"], 2),
        (["infer", "empty.json"], 1),
    ],
)
def test_what_was_wrong_has_its_exit_code_where_it_cannot_be_said(
    app: Path, arguments: list[str], code: int
) -> None:
    (app / "empty.json").write_text("")
    with FULL.open("w") as full:
        wrong = subprocess.run(
            [sys.executable, "-m", "ddbstream", *arguments],
            stdin=subprocess.DEVNULL,
            stderr=full,
            cwd=app,
            check=False,
            timeout=60,
        )
    assert wrong.returncode == code


@needs_full
def test_standard_error_that_cannot_be_written_changes_no_exit_code(app: Path) -> None:
    (app / "bad.json").write_text('{"a": 1}\n{"Item": {"n": {"N": "1"}}}\n')
    with FULL.open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "ddbstream", "decode", "bad.json"],
            stdout=subprocess.PIPE,
            stderr=full,
            cwd=app,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert json.loads(result.stdout) == {"n": 1}
