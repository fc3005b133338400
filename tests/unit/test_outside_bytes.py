"""Each reader of outside bytes on inputs that are not what they should be: `fuzz/`, in small.

What fuzzing has found is below, each as an input of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
from contextlib import closing
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest

from ddbstream import parse
from ddbstream.exceptions import CheckpointError, RecordError
from ddbstream.poller import After, FileCheckpoints, SQLiteCheckpoints
from ddbstream.poller._fast_records import take_records
from ddbstream.testing import insert, kinesis_event

pytest.importorskip("click")
pytest.importorskip("msgspec")

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))
import fuzz_outside_bytes as fuzz  # type: ignore[import-not-found]

from ddbstream.kcl._protocol import Conversation, ProtocolError

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/now"


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_nothing_but_our_own_errors_comes_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a finding is kept
    # Another seed with each change of the readers would make a test that fails now and then.
    options = argparse.Namespace(count=25, seconds=0, seed=1)
    assert fuzz.run(name, fuzz.TARGETS[name], tmp_path, options)


def test_a_finding_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that finds nothing shows nothing."""
    monkeypatch.chdir(tmp_path)
    options = argparse.Namespace(count=5, seconds=0, seed=1)
    raising = [ValueError("x"), CheckpointError("a\u202e").with_traceback(None)]
    raising[1].problem = "\x1b"  # type: ignore[attr-defined]
    for error in raising:

        def read(data: bytes, _: Path, findings: fuzz.Findings, error: Exception = error) -> None:
            if findings.data:
                findings.tried(lambda: (_ for _ in ()).throw(error))

        target = fuzz.Target(read, lambda _: [b"{}"])
        assert not fuzz.run("broken", target, tmp_path, options)
    with pytest.raises(RuntimeError, match="stored value"):
        fuzz.Findings().told(CheckpointError(fuzz.STORED))


def test_inputs_are_the_same_for_a_seed() -> None:
    one, other = (
        [fuzz.altered(b'{"a": 1}', draw, [b"xyz"]) for _ in range(50)]
        for draw in (random.Random(3), random.Random(3))
    )
    assert one == other
    assert len(set(one)) > 20


def _damaged(path: Path, statement: str) -> None:
    with closing(SQLiteCheckpoints(path)) as store:
        store.save(store.acquire(ARN, "one", ttl=60), "shard", After("1"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        # Text that is no text, an epoch beyond SQLite's integers, an infinite time, deep JSON.
        "UPDATE ddbstream_position SET position = CAST(x'7b226174223a20ff' AS TEXT)",
        "UPDATE ddbstream_position SET position = '" + "[" * 200_000 + "'",
        'UPDATE ddbstream_position SET position = \'{"at": "time", "time": 1' + "0" * 400 + "}'",
        "UPDATE ddbstream_stream SET epoch = 'x'",
        "UPDATE ddbstream_stream SET epoch = 9223372036854775807",
        "UPDATE ddbstream_stream SET stream_arn = x'00ff', expires = 'soon'",
        'UPDATE ddbstream_stream SET start = \'{"position": {"at": "time", "time": 1'
        + "0" * 400
        + "}}'",
        "ALTER TABLE ddbstream_stream RENAME COLUMN epoch TO era",
        "ALTER TABLE ddbstream_position RENAME COLUMN position TO place",
        "UPDATE ddbstream_format SET version = 'a\u202etext of a stranger'",
    ],
)
def test_a_damaged_database_is_named(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "positions.db"
    _damaged(path, statement)
    said = _read(path)
    if "stream_arn = x" in statement:  # the row is another's now
        assert said is None
    else:
        assert said is not None
        assert "positions.db" in said
        assert "stranger" not in said
        assert said.isprintable()


def _read(path: Path) -> str | None:
    """What reading a store says; None if it can be read."""
    try:
        with closing(SQLiteCheckpoints(path)) as store:
            store.streams_of(ARN.partition("/stream/")[0])
            store.load(store.acquire(ARN, "two", ttl=60))
    except CheckpointError as error:
        return str(error)
    return None


def test_a_truncated_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    _damaged(path, "PRAGMA user_version = 1")
    whole, refused = path.read_bytes(), 0
    for size in range(0, len(whole), 1024):
        path.write_bytes(whole[:size] + b"\xff" * 64)
        said = _read(path)
        assert said is None or "positions.db" in said  # SQLite mends some of them
        refused += said is not None
    assert refused > 3


@pytest.mark.parametrize("time", ["1" + "0" * 400, "[" * 200_000])
def test_a_time_that_no_float_holds_is_named(tmp_path: Path, time: str) -> None:
    path = tmp_path / "positions.json"
    store = FileCheckpoints(path)
    lease = store.acquire(ARN, "one", ttl=60)
    store.save(lease, "shard", After("1"))
    good = json.loads(path.read_text())
    for change in ("last_alive", "positions"):
        content = json.loads(json.dumps(good))
        kept = content["streams"][ARN]
        kept[change] = "TIME" if change == "last_alive" else {"s": {"at": "time", "time": "TIME"}}
        path.write_text(json.dumps(content).replace('"TIME"', time))
        with pytest.raises(CheckpointError, match=r"positions\.json"):
            store.load(lease)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"Records": ' + b"[" * 200_000, b"\xff", b""])
def test_an_answer_that_is_no_page_has_no_records(body: bytes) -> None:
    for headers in ({}, {"x-amz-crc32": "\u00b2"}, {"x-amz-crc32": "9" * 5000}):
        answer, taken = {"status_code": 200, "headers": headers, "body": body}, {}
        take_records(answer, taken)
        assert (answer["body"], taken) == (b"{}", {})


@pytest.mark.parametrize("data", ["AA\ud800==", "\ud800", "\u00e9", "AA\0=", "AAE", 1, None])
def test_base64_that_is_none_is_a_malformed_record(data: object) -> None:
    event = kinesis_event([insert({"PK": "a"}), insert({"PK": "b"})])
    event["Records"][0]["kinesis"]["data"] = data
    records = parse(json.dumps(event))
    with pytest.raises(RecordError, match=r"Records\[0\]\.kinesis"):
        next(records)
    assert next(records).new == {"PK": "b"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", [b"\xff\n", b"[" * 200_000 + b"\n", b'{"action": "\xff"}\n'])
def test_a_daemons_line_that_is_no_message_is_one_error(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="no message"):
        Conversation(BytesIO(line), BytesIO(), Event()).question()
