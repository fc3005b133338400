"""Input and files that are not what they should be: one sentence, and an exit code."""

from __future__ import annotations

import gzip
import json
import os
import re
import sqlite3
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ddbstream.testing import insert, lambda_event, on_failure_message

pytest.importorskip("click")
from click.testing import CliRunner, Result

from ddbstream.cli import _documents
from ddbstream.cli._app import cli
from ddbstream.cli._http import JSON, LOOPBACK, Response, serving
from ddbstream.poller import SQLiteCheckpoints

APP = """
from dataclasses import dataclass
from ddbstream import StreamRouter, by_key_prefix

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_change("Product")
def seen(record):
    pass

@dataclass
class Product:
    PK: str

def handler(event, context):
    return event
"""

SECRET = "5tored-va1ue"
ITEM = {"PK": {"S": "Product#1"}, "secret": {"S": SECRET}}
EVENT = lambda_event([insert(ITEM)])
MESSAGE = on_failure_message([insert(ITEM)], payload="object")
GOOD = {"event": EVENT, "item": ITEM, "message": MESSAGE}

#: A command, how it is called, and what it reads.
READERS = {
    "decode": (["decode", "FILE"], "item"),
    "decode-stdin": (["decode"], "item"),
    "decode-model": (["decode", "--model", "hostile_app:Product", "FILE"], "item"),
    "explain": (["explain", "hostile_app:router", "FILE"], "event"),
    "explain-stdin": (["explain", "hostile_app:router"], "event"),
    "invoke": (["invoke", "hostile_app:handler", "FILE"], "event"),
    "invoke-stdin": (["invoke", "hostile_app:handler"], "event"),
    "diff-old": (["diff", "FILE", "good.json"], "item"),
    "diff-new": (["diff", "good.json", "-"], "item"),
    "infer": (["infer", "FILE"], "item"),
    "infer-stdin": (["infer"], "item"),
    "check": (["check", "hostile_app:Product", "FILE"], "item"),
    "check-stdin": (["check", "hostile_app:router"], "item"),
    "replay": (["replay", "hostile_app:router", "FILE"], "message"),
    "replay-stdin": (["replay", "--dry-run", "hostile_app:router"], "message"),
}


def damaged(good: bytes) -> dict[str, bytes]:
    """Inputs that no command can read as a whole, by what is wrong with them."""
    packed = gzip.compress(good)
    flipped = bytearray(packed)
    flipped[len(flipped) // 2] ^= 0xFF
    return {
        "not UTF-8": good[: len(good) // 2] + b"\xff" + good[len(good) // 2 :],
        "Latin-1": '{"PK": {"S": "é"}}'.encode("latin-1"),
        "bytes": bytes(range(256)),
        "surrogates as bytes": b'{"PK": {"S": "\xed\xa0\x80"}}',
        "gzip cut off": packed[: len(packed) // 2],
        "gzip damaged": bytes(flipped),
        "gzip of nothing readable": gzip.compress(b"\xff\xfe\xfd" * 1000),
        "gzip's first bytes": b"\x1f\x8b",
        "zip": b"PK\x03\x04" + b"\0" * 60,
        "deep lists": b"[" * 100_000,
        "deep lists, closed": b"[" * 100_000 + b"]" * 100_000,
        "deep maps": b'{"M":' * 100_000,
        "a deep item": b'{"PK": ' + b'{"M": {"a": ' * 5000 + b'{"S": "x"}' + b"}}" * 5000 + b"}",
        "a deep list of an item": b'{"l": ' + b'{"L": [' * 5000 + b"]}" * 5000 + b"}",
        "NUL": b"\0" * 100,
        "NUL in JSON": good.replace(b"{", b"{\0", 1),
        "UTF-16 cut off": good.decode().encode("utf-16")[:-1],
        "half": good[: len(good) // 2],
        "nothing": b"",
        "blanks": b" \n\n",
        "BOM alone": b"\xef\xbb\xbf",
        "text": b"hello\n",
        "a number of 5,000 digits": b"9" * 5000,
        "null": b"null",
        "a text": json.dumps(SECRET).encode(),
        "a list of numbers": b"[1, 2]",
        "an item with a hostile name": json.dumps({"\x1b]0;x\x07\r\n\u202e": {"N": "x"}}).encode(),
        "NaN": b'{"PK": {"N": NaN}}',
        "a surrogate in a number": b'{"PK": {"N": "\\ud800"}}',
    }


def odd(good: bytes) -> dict[str, bytes]:
    """Inputs that some commands can read."""
    return {
        "gzip": gzip.compress(good),
        "BOM": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "a surrogate": good.replace(b"Product", b"\\ud800Product"),
        "NUL escaped": good.replace(b"Product#1", b"Product#\\u0000"),
        "an integer of 5,000 digits": good.replace(b"{", b'{"n": ' + b"9" * 5000 + b", ", 1),
        "an exponent": good.replace(b"{", b'{"n": 1e999999999, ', 1),
        "the same again": good + b"\n" + good,
        "a name twice": good.replace(b"{", b'{"PK": 1, ', 1),
        "an empty object": b"{}",
        "an empty list": b"[]",
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hostile_app.py").write_text(APP)
    (tmp_path / "good.json").write_text(json.dumps(ITEM))
    monkeypatch.delitem(sys.modules, "hostile_app", raising=False)
    return tmp_path


def called(here: Path, reader: str, data: bytes) -> Result:
    arguments, _ = READERS[reader]
    (here / "input").write_bytes(data)
    command = ["input" if one == "FILE" else one for one in arguments]
    return CliRunner().invoke(cli, command, input=None if "input" in command else data)


def is_a_sentence(result: Result) -> None:
    """Nothing but our own words came out, and whoever wrote them can show them."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    assert all(map(str.isprintable, result.stderr.split("\n")))
    assert max(map(len, result.stderr.split("\n"))) < 1000


@pytest.mark.parametrize("reader", READERS)
def test_what_cannot_be_read_is_told_in_a_sentence(here: Path, reader: str) -> None:
    good = json.dumps(GOOD[READERS[reader][1]]).encode()
    assert called(here, reader, good).exit_code == 0
    # Standard input is read as a file is: a sample of the inputs shows it.
    inputs = list(damaged(good).items())[:: 4 if reader.endswith("stdin") else 1]
    for name, data in inputs:
        result = called(here, reader, data)
        if name in ("nothing", "blanks", "BOM alone") and reader.startswith(
            ("decode", "explain", "check")
        ):
            assert result.exit_code == 0  # no document, and none is shown
            assert not result.stderr
            continue
        echoed = reader.startswith("invoke") and result.exit_code == 0  # any JSON is an event
        assert echoed or result.exit_code in (1, 2), (name, result.output)
        reported = '"unreadable"' in result.stdout  # in the report of `check`
        assert echoed or reported or result.stderr.strip(), name
        is_a_sentence(result)
        if reader not in ("decode", "decode-stdin") and not echoed:
            assert SECRET not in result.stderr, name


@pytest.mark.parametrize("reader", READERS)
def test_what_is_odd_is_read_or_told(here: Path, reader: str) -> None:
    good = json.dumps(GOOD[READERS[reader][1]]).encode()
    for data in odd(good).values():
        result = called(here, reader, data)
        assert result.exit_code in (0, 1, 2)
        is_a_sentence(result)
    assert called(here, reader, odd(good)["BOM"]).exit_code == 0
    assert called(here, reader, odd(good)["gzip"]).exit_code == 0


FILES = {name: arguments for name, (arguments, _) in READERS.items() if "FILE" in arguments} | {
    "export": ["export", "load", "hostile_app:router", "FILE"],
    "progress": ["replay", "hostile_app:router", "good.json", "--progress", "FILE"],
    "positions": ["poll", "hostile_app:router", "T", "--checkpoints", "FILE"],
    "output": ["infer", "good.json", "--output", "FILE"],
}


@pytest.mark.parametrize("reader", FILES)
def test_a_file_that_is_none_is_wrong_usage(
    here: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # a name may be that of a table
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (here / "folder").mkdir()
    (here / "loop").symlink_to("loop")
    (here / "locked").write_bytes(b"{}")
    (here / "locked").chmod(0)
    makeable = ["missing", "a\x1bb\u202e"]
    names = ["folder", "loop", "x" * 300, *([] if os.geteuid() == 0 else ["locked"])]
    # A poller with new positions would ask AWS.
    for name in names + (makeable if reader != "positions" else []):
        arguments = [name if one == "FILE" else one for one in FILES[reader]]
        result = CliRunner().invoke(cli, arguments)
        made = name in makeable and reader == "output"
        assert result.exit_code in ((0,) if made else (1, 2)), name
        assert result.stderr.strip()
        is_a_sentence(result)


# --- what goes on behind what cannot be read ------------------------------------------------------


@pytest.mark.parametrize("bad", [b"\xff\xfe{", b"[" * 100_000, b'{"half": ', b"9" * 5000, b"{\0}"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_among_messages_is_named_and_hides_no_other(
    here: Path, bad: bytes, packed: bool
) -> None:
    one, other = (
        json.dumps(on_failure_message([insert({"PK": f"Product#{n}"})], payload="object")).encode()
        for n in (1, 2)
    )
    data = b"\n".join([one, bad, other, b""])
    result = called(here, "replay", gzip.compress(data) if packed else data)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("2 records of 2 batches replayed")
    if bad.isdigit():  # which is JSON, and no message
        assert "no on-failure message here: a float" in result.stderr
    else:
        assert "document 2: " in result.stderr
        assert "line 2" in result.stderr
    is_a_sentence(result)


# --- files of positions and of progress, and exports ----------------------------------------------

DATABASES = {
    "text": b"hello, this is no database, and longer than the header of one is" * 20,
    "nothing but a header": b"SQLite format 3\0" + b"\xff" * 4080,
    "NUL": b"\0" * 4096,
}


@pytest.mark.parametrize("content", DATABASES.values(), ids=DATABASES)
@pytest.mark.parametrize(
    "command",
    [
        ["replay", "hostile_app:router", "--progress", "kept.db", "good.json"],
        ["export", "load", "hostile_app:router", "export", "--progress", "kept.db"],
        ["poll", "hostile_app:router", "T", "--checkpoints", "kept.db", "--region", "us-east-1"],
    ],
    ids=lambda command: command[0],
)
def test_a_file_of_progress_that_is_none_is_named(
    here: Path, command: list[str], content: bytes
) -> None:
    (here / "good.json").write_text(json.dumps(MESSAGE))
    export(here)
    (here / "kept.db").write_bytes(content)
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1, result.output
    assert "kept.db" in result.stderr
    is_a_sentence(result)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE progress RENAME COLUMN value TO other",
        "UPDATE progress SET value = CAST(x'ff' AS TEXT)",
        "UPDATE progress SET value = 'many'",
        "UPDATE progress SET value = '" + "9" * 5000 + "'",
    ],
)
@pytest.mark.parametrize("command", ["replay", "export"])
def test_progress_that_is_damaged_is_named(here: Path, statement: str, command: str) -> None:
    export(here)
    (here / "good.json").write_text(json.dumps(MESSAGE))
    arguments = {
        "replay": ["replay", "hostile_app:router", "--progress", "kept.db", "good.json"],
        "export": ["export", "load", "hostile_app:router", "export", "--progress", "kept.db"],
    }[command]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    with closing(sqlite3.connect(here / "kept.db")) as database, database:
        database.execute(statement)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.strip()
    is_a_sentence(result)


def test_positions_of_another_version_are_named(here: Path) -> None:
    SQLiteCheckpoints(here / "kept.db").close()
    with closing(sqlite3.connect(here / "kept.db")) as database, database:
        database.execute("UPDATE ddbstream_format SET version = 99")
    command = ["poll", "hostile_app:router", "T", "--checkpoints", "kept.db"]
    result = CliRunner().invoke(cli, [*command, "--region", "us-east-1"])
    assert result.exit_code == 1
    assert "kept.db has checkpoint format 99" in result.stderr
    is_a_sentence(result)


SUMMARY = {
    "exportArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/export/1",
    "tableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T",
    "exportTime": "2026-01-01T00:00:00Z",
    "itemCount": 1,
    "outputFormat": "DYNAMODB_JSON",
}


def export(here: Path, **changed: Any) -> Path:
    folder = here / "export"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(json.dumps({"Item": ITEM}).encode() + b"\n")
    (folder / "data" / "a.json.gz").write_bytes(packed)
    file = {"itemCount": 1, "dataFileS3Key": "AWSDynamoDB/1/data/a.json.gz"}
    (folder / "manifest-summary.json").write_text(json.dumps(SUMMARY | changed))
    (folder / "manifest-files.json").write_text(json.dumps(file) + "\n")
    return folder


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (["--max-line-bytes", "20"], "a.json.gz, line 1: the line has over 20 bytes"),
        (["--max-file-bytes", "30"], "a.json.gz, line 1: the file unpacks to over 30 bytes"),
    ],
    ids=["line", "file"],
)
def test_limits_of_an_export_can_be_set(here: Path, limit: list[str], words: str) -> None:
    export(here)
    command = ["export", "load", "hostile_app:router", "export"]
    result = CliRunner().invoke(cli, [*command, *limit])
    assert result.exit_code == 1
    assert words in result.stderr
    is_a_sentence(result)
    assert CliRunner().invoke(cli, [*command, limit[0], "1000"]).exit_code == 0


def test_a_line_that_unpacks_to_much_more_is_not_unpacked(here: Path) -> None:
    folder = export(here)
    with gzip.open(folder / "data" / "a.json.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"a" * (1 << 20))
    tracemalloc.start()
    try:
        result = CliRunner().invoke(cli, ["export", "load", "hostile_app:router", "export"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.exit_code == 1
    assert "line 1: the line has over 16777216 bytes" in result.stderr
    assert most < 45 << 20


def test_counts_of_a_manifest_that_no_table_has_are_told(here: Path) -> None:
    folder = export(here, itemCount=int("9" * 4300))
    result = CliRunner().invoke(cli, ["export", "load", "hostile_app:router", "export"])
    assert "manifest-summary.json: itemCount is no number of items" in result.stderr
    is_a_sentence(result)
    export(here)
    file = {"itemCount": int("9" * 4300), "dataFileS3Key": "AWSDynamoDB/1/data/a.json.gz"}
    (folder / "manifest-files.json").write_text(f"{json.dumps(file)}\n" * 11)
    result = CliRunner().invoke(cli, ["export", "load", "hostile_app:router", "export"])
    assert "manifest-files.json, line 1: itemCount is no number of items" in result.stderr
    is_a_sentence(result)


@pytest.mark.parametrize(
    "command",
    [["export", "load", "hostile_app:router", "export"], ["check", "hostile_app:router", "export"]],
    ids=["load", "check"],
)
@pytest.mark.parametrize("file", ["manifest-summary.json", "manifest-files.json", "data/a.json.gz"])
def test_an_export_that_is_damaged_is_told_in_a_sentence(
    here: Path, command: list[str], file: str
) -> None:
    folder = export(here)
    assert CliRunner().invoke(cli, command).exit_code == 0
    good = (folder / file).read_bytes()
    plain = gzip.decompress(good) if file.endswith("gz") else good
    inputs = damaged(plain)
    if file.endswith("gz"):
        inputs = {name: gzip.compress(data) for name, data in inputs.items()} | inputs
        inputs["a long line"] = gzip.compress(b'{"Item": {"a": {"S": "' + b"a" * 3_000_000)
    for name, data in inputs.items():
        (folder / file).write_bytes(data)
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 1, (name, result.output)
        assert SECRET not in result.stderr
        is_a_sentence(result)


# --- text without an end --------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["decode", "explain-stdin", "diff-old", "infer", "replay"])
def test_a_document_that_unpacks_without_an_end_is_told_and_passed_over(
    here: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_documents, "_LONGEST_DOCUMENT", 200_000)
    good = json.dumps(GOOD[READERS[reader][1]]).encode()
    packed = gzip.compress(b'{"PK": {"S": "' + b"a" * 10_000_000 + b"\n" + good + b"\n", 1)
    tracemalloc.start()
    try:
        result = called(here, reader, packed)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.exit_code == 1
    assert "not JSON: it is longer than a document may be, line 1, column 1" in result.stderr
    is_a_sentence(result)
    assert most < 8_000_000
    if reader in ("decode", "explain-stdin"):
        assert json.loads(result.stdout)  # what is behind it


def test_an_event_that_unpacks_without_an_end_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_documents, "_LONGEST_DOCUMENT", 200_000)
    result = called(here, "invoke", gzip.compress(b'"' + b"a" * 5_000_000))
    assert result.exit_code == 1
    assert "it is longer than a document may be" in result.stderr
    is_a_sentence(result)


@pytest.mark.parametrize(
    "command",
    [
        ["streams", "list", "Table"],
        ["streams", "describe", "Table"],
        ["doctor", "Table"],
        ["infer", "Table"],
        ["export", "backfill", "hostile_app:router", "Table"],
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_an_answer_that_is_cut_off_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    torn = Response(200, b'{"Table', JSON)
    with serving(lambda _: torn, (LOOPBACK, 0), longest_body=10_000) as url:
        place = ["--endpoint-url", url, "--region", "eu-west-1"]
        result = CliRunner().invoke(cli, [*command, *place])
    assert result.exit_code == 1
    is_a_sentence(result)
    told = result.stdout if command[0] == "doctor" else result.stderr
    assert re.search("Connection ?Closed|Connection was closed|cut off", told)
