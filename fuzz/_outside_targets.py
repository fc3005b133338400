"""What `fuzz_outside_bytes` runs: each reader of outside bytes, with good inputs to start from.

Nothing but ``DDBStreamError`` may come out of a target, and `Findings` judges each of them: it is
printable, and it does not quote the value that the good inputs have everywhere.
"""

from __future__ import annotations

import ast
import base64
import gzip
import io
import json
import logging
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, NamedTuple

from _roads import compare_pages, compare_payload

from ddbstream import DDBStreamError, Disposition, StreamRouter, from_item, parse
from ddbstream._infer.grouping import Grouping
from ddbstream._infer.inference import Inference
from ddbstream.cli._documents import documents, items_of
from ddbstream.cli._http import Response, _Handler
from ddbstream.dead_letters import JSONLinesSink
from ddbstream.export import ExportFile, load, open_export, read_records
from ddbstream.export._ion import read_ion_line
from ddbstream.kcl._protocol import Conversation, ProtocolError
from ddbstream.poller import FileCheckpoints, SQLiteCheckpoints
from ddbstream.poller._core.positions import After
from ddbstream.poller._fast_records import take_records
from ddbstream.progress import SQLiteProgress
from ddbstream.replay import failed_batches, replay
from ddbstream.testing import (
    eventbridge_event,
    full_export_line,
    get_records_page,
    incremental_export_line,
    insert,
    kinesis_data,
    kinesis_event,
    kinesis_page,
    lambda_event,
    modify,
    on_failure_message,
    pipes_batch,
    pipes_failure_message,
    remove,
    sns_event,
    sns_notification,
    sqs_event,
    sqs_page,
)

__all__ = ["TARGETS", "Findings", "Target"]

#: A stored value. Where it stands as anything else than a value, an error may name it.
STORED = "5tored-va1ue"
_AS_VALUE = re.compile(rb"S\W{1,12}" + STORED.encode())
_ANYWHERE = re.compile(STORED.encode())

ITEM = {
    "PK": {"S": STORED},
    "t": {"S": STORED},
    "n": {"N": "1.5"},
    "tags": {"SS": ["a"]},
    "m": {"M": {"b": {"B": "AAE="}, "l": {"L": [{"NULL": True}, {"BOOL": False}]}}},
}
CHANGED = ITEM | {"n": {"N": "2"}, "m": {"M": {}}}
RECORDS = [insert(ITEM), modify(ITEM, CHANGED), remove(ITEM)]


@dataclass
class Sub:
    b: bytes = b""
    l: list[bool | None] | None = None  # noqa: E741 - the attribute's name


@dataclass
class Model:
    PK: str
    t: str
    n: float
    tags: set[str]
    m: Sub


def _is_more_than_a_value(data: bytes) -> bool:
    """Whether the value stands in the place of a name, or of anything else that may be told."""
    if len(_ANYWHERE.findall(data)) != len(_AS_VALUE.findall(data)):
        return True
    names: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        for name, value in pairs:
            names.append(name)
            if isinstance(value, str) and value[:1] in ("{", "["):
                read(value.encode("utf-8", "replace"))
            elif isinstance(value, str) and value != STORED:
                names.append(value)  # an id, say, with half of a message in it

    def read(text: bytes) -> None:
        with suppress(ValueError, RecursionError):
            json.loads(text, object_pairs_hook=look)

    for part in (data, *data.split(b"\n")):
        read(part)
    return any(STORED in name for name in names)


class Findings:
    """Judges what comes out of a target.

    Attributes:
        refused: How many errors there were.
        data: The input that is being read.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.data = b""

    def told(self, error: DDBStreamError) -> None:
        """Judge an error; raises RuntimeError if nobody may print it."""
        self.refused += 1
        text = f"{error} {error!r} {error.problem} {error.args}"
        if not text.isprintable():
            raise RuntimeError("an error that must not be printed") from error
        if STORED in text and not _is_more_than_a_value(self.data):
            raise RuntimeError("an error with a stored value") from error

    def tried(self, action: Callable[[], object]) -> Any:
        """What an action gives; None if it raises a DDBStreamError."""
        try:
            return action()
        except DDBStreamError as error:
            self.told(error)
        return None

    def each(self, found: Iterator[Any]) -> Iterator[Any]:
        """All that can be read: an error stands for one, and the next comes behind it."""
        while True:
            try:
                one = next(found)
            except StopIteration:
                return
            except DDBStreamError as error:
                self.told(error)
                continue
            yield one


Read = Callable[[bytes, Path, Findings], None]


class Target(NamedTuple):
    """A reader.

    Attributes:
        read: Reads one input.
        good: Makes inputs that are right; gets a folder to work in.
    """

    read: Read
    good: Callable[[Path], list[bytes]]


def text(value: object) -> bytes:
    return json.dumps(value, default=_base64).encode()


def _base64(value: Any) -> Any:
    """Binary as the wire has it; a time, which boto3 gives, as its number."""
    return value.timestamp() if hasattr(value, "timestamp") else base64.b64encode(value).decode()


_ROUTER = StreamRouter(classify=lambda _: "x")
_ROUTER.on_change()(lambda _: None)
_READ = ("new", "old", "diff", "keys", "approximate_creation_datetime", "table_name", "raw")


def read_payload(data: bytes, _: Path, findings: Findings) -> None:
    for model in (None, Model):
        records = findings.tried(lambda model=model: parse(data, model))
        for record in findings.each(records or iter(())):
            for name in _READ:
                if hasattr(type(record), name):
                    findings.tried(lambda name=name, record=record: getattr(record, name))
            if not repr(record).isprintable():
                raise RuntimeError("a record that must not be printed")
    for failure in findings.tried(lambda: _ROUTER.dispatch(data).failures) or ():
        if isinstance(failure.error, DDBStreamError):
            findings.told(failure.error)
        else:
            raise failure.error


def read_kinesis(data: bytes, folder: Path, findings: Findings) -> None:
    event = kinesis_event([insert(ITEM)])
    event["Records"][0]["kinesis"]["data"] = _base64(data)
    read_payload(text(event), folder, findings)


def read_sqs_body(data: bytes, folder: Path, findings: Findings) -> None:
    event = text(sqs_event(data.decode("utf-8", "replace")))
    read_payload(event, folder, findings)
    read_failures(event, folder, findings)


def read_failures(data: bytes, _: Path, findings: Findings) -> None:
    for one in failed_batches(data, fetch=lambda *_: data):
        if isinstance(one, tuple):
            findings.told(one.error)
    report = replay(data, _ROUTER, client=NoStream(), clock=NoTime())
    _judge(report, findings)


def read_dead_letters(data: bytes, folder: Path, findings: Findings) -> None:
    path = folder / "letters.jsonl"
    path.write_bytes(data)
    _judge(replay(path, _ROUTER, client=NoStream(), clock=NoTime()), findings)


def _judge(report: Any, findings: Findings) -> None:
    if not str(report).isprintable():
        raise RuntimeError("a report that must not be printed")
    for failure in report.failures:
        if not isinstance(failure.error, DDBStreamError):
            raise failure.error
        findings.told(failure.error)


class NoStream:
    def get_shard_iterator(self, **_: object) -> dict[str, str]:
        return {"ShardIterator": "i"}

    def get_records(self, **_: object) -> dict[str, list[object]]:
        return {"Records": []}


class NoTime:
    def time(self) -> float:
        return 0.0

    def sleep(self, seconds: float, /) -> None: ...


SUMMARY = {
    "exportArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/export/1",
    "tableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T",
    "exportTime": "2026-01-01T00:00:00Z",
    "itemCount": 2,
    "outputFormat": "DYNAMODB_JSON",
}
KEY = "AWSDynamoDB/1/data/a.gz"
FILE = {"itemCount": 2, "md5Checksum": "A" * 22 + "==", "dataFileS3Key": KEY}
SPLIT = b"\0SPLIT\0"
LINES = text(full_export_line(ITEM)) + b"\n" + text(incremental_export_line(RECORDS[1])) + b"\n"
ION = (
    b'$ion_1_0 {Item:{PK:"a\\u00e9",n:6d2,h:0xF_F,t:$dynamodb_SS::["a"],b:{{AAE=}},l:[null,true]}}'
)


def read_manifests(data: bytes, folder: Path, findings: Findings) -> None:
    first, _, second = data.partition(SPLIT)
    (folder / "manifest-summary.json").write_bytes(first)
    (folder / "manifest-files.json").write_bytes(second)
    export = findings.tried(lambda: open_export(folder))
    for file in export.files if export else ():
        findings.tried(lambda file=file: list(read_records(file)))


def read_export_file(form: str) -> Read:
    files: dict[Path, ExportFile] = {}

    def file_in(folder: Path) -> ExportFile:
        if folder not in files:
            manifests = folder / "AWSDynamoDB" / "1"
            (manifests / "data").mkdir(parents=True, exist_ok=True)
            summary = SUMMARY | {"outputFormat": form}
            (manifests / "manifest-summary.json").write_bytes(text(summary))
            (manifests / "manifest-files.json").write_bytes(text(FILE))
            (folder / KEY).touch()
            (files[folder],) = open_export(manifests).files
        return files[folder]

    def read(data: bytes, folder: Path, findings: Findings) -> None:
        file = file_in(folder)
        (folder / KEY).write_bytes(data)
        for record in findings.each(read_records(file, verify=False, max_file_bytes=1 << 22)):
            if hasattr(type(record), "new"):
                findings.tried(lambda record=record: record.new)
        findings.tried(lambda: load(file, _ROUTER, max_line_bytes=1 << 16))

    return read


def read_ion(data: bytes, _: Path, findings: Findings) -> None:
    findings.tried(lambda: read_ion_line(data.decode("utf-8", "replace")))


def read_documents(data: bytes, _: Path, findings: Findings) -> None:
    """As the commands do that read documents: decode, explain, diff, check, infer."""
    for document in documents(io.BytesIO(data)):
        if document.error is not None:
            findings.told(document.error)
            continue
        for item in items_of(document.value) or ():
            findings.tried(lambda item=item: from_item(item, Model))
            findings.tried(lambda item=item: from_item(item))
        records = findings.tried(lambda document=document: parse(document.value))
        for record in findings.each(records or iter(())):
            if hasattr(type(record), "diff"):
                findings.tried(lambda record=record: record.diff)


def read_items(data: bytes, _: Path, findings: Findings) -> None:
    """Classes of items, whose source is run: nothing of the items is code in it."""
    inference = Inference(Grouping(keys=("PK",)))
    for document in documents(io.BytesIO(data)):
        for item in items_of(document.value) or ():
            findings.tried(lambda item=item: inference.add(item))
    if not inference.count:
        return
    source = inference.module("fuzz", router=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in {"__import__", "exec", "open"}:
            raise RuntimeError("data in the place of code")
    inference.reader(source).close()


def _checkpoint_file(path: Path) -> None:
    _use(FileCheckpoints(path))


def _use(store: FileCheckpoints | SQLiteCheckpoints) -> None:
    lease = store.acquire("arn:aws:dynamodb:eu-west-1:1:table/T/stream/2026", "me", ttl=60.0)
    store.load(lease)
    store.save(lease, "shard-1", After("100"))
    store.renew(lease, 1.0)
    store.streams_of("arn:aws:dynamodb:eu-west-1:1:table/T")
    store.release(lease)


def read_checkpoint_file(data: bytes, folder: Path, findings: Findings) -> None:
    path = folder / "positions.json"
    path.write_bytes(data)
    findings.tried(lambda: _checkpoint_file(path))


def _database(path: Path, data: bytes) -> None:
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(data)


def _checkpoint_database(path: Path) -> None:
    with closing(SQLiteCheckpoints(path)) as store:
        _use(store)


def read_checkpoint_database(data: bytes, folder: Path, findings: Findings) -> None:
    path = folder / "positions.db"
    _database(path, data)
    findings.tried(lambda: _checkpoint_database(path))


def read_progress_database(data: bytes, folder: Path, findings: Findings) -> None:
    path = folder / "progress.db"
    _database(path, data)
    letters = text(on_failure_message(RECORDS))
    try:
        report = replay(
            letters, _ROUTER, client=NoStream(), clock=NoTime(), progress=SQLiteProgress(path)
        )
    except sqlite3.Error:  # what every store of a user's own may raise
        findings.refused += 1
    else:
        _judge(report, findings)


def read_page(data: bytes, _: Path, findings: Findings) -> None:
    """An answer of GetRecords, before botocore parses it."""
    taken: dict[str, Any] = {}
    answer = {"status_code": 200, "headers": {"x-amz-crc32": str(zlib.crc32(data))}, "body": data}
    take_records(answer, taken)
    if answer["body"] == b"{}" and "Records" not in taken:
        findings.refused += 1
        return
    records = findings.tried(lambda: parse(taken["Records"], Model))
    for record in findings.each(records or iter(())):
        for name in _READ:
            if hasattr(type(record), name):
                findings.tried(lambda name=name, record=record: getattr(record, name))


def read_roads(data: bytes, _: Path, findings: Findings) -> None:
    """A payload as text and as dicts; so of a page, and of what a Kinesis record carries."""
    compare_payload(data)
    compare_payload(data, Model)
    compare_payload(kinesis_event([]) | {"Records": [_kinesis_record(data), _kinesis_record(b"")]})

    def taken() -> dict[str, Any]:
        found: dict[str, Any] = {}
        answer = {"status_code": 200, "headers": {}, "body": data}
        take_records(answer, found)
        return found

    compare_pages(taken, Model)
    findings.tried(lambda: parse(data))  # only to count what is refused


def _kinesis_record(data: bytes) -> dict[str, Any]:
    return {"kinesis": {"data": _base64(data), "sequenceNumber": "1"}}


def read_daemon(data: bytes, _: Path, findings: Findings) -> None:
    """A line of the MultiLangDaemon's, and what its records hold."""
    conversation = Conversation(io.BytesIO(data), io.BytesIO(), Event())
    try:
        question = conversation.question()
    except ProtocolError as error:
        if not str(error).isprintable():
            raise RuntimeError("an error that must not be printed") from error
        findings.refused += 1
        return
    for record in getattr(question, "records", ()):
        findings.tried(lambda record=record: list(parse(record.binary_data)))


def read_requests(data: bytes, _: Path, __: Findings) -> None:
    """What a client sends to a server on this machine, over one connection."""
    told = io.StringIO()
    with redirect_stderr(told):
        _Handler(_Client(data), ("127.0.0.1", 1), _SERVER)  # type: ignore[arg-type]
    if told.getvalue():
        raise RuntimeError(f"the server printed {told.getvalue()}")


def _echo(request: Any) -> Response:
    if request.body:
        json.loads(request.body)
    return Response(200, request.body)


_SERVER = SimpleNamespace(
    is_local=True, longest_body=1000, respond=_echo, give_time=lambda *_: None
)


class _Client:
    """As much of a socket as a handler uses."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)

    def settimeout(self, _: object) -> None: ...

    def shutdown(self, _: int) -> None: ...

    def recv(self, _: int) -> bytes:
        return b""

    def sendall(self, data: bytes) -> None: ...


# --- good inputs --------------------------------------------------------------------------------

FAILURES = [
    on_failure_message(RECORDS),
    on_failure_message(RECORDS, payload="object"),
    on_failure_message(RECORDS, payload="text"),
    pipes_failure_message(RECORDS),
]
S3_NOTIFICATION = {
    "Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "a+b", "size": 1}}}]
}
PAYLOADS = [
    lambda_event(RECORDS),
    pipes_batch(RECORDS),
    get_records_page(RECORDS),
    kinesis_event(RECORDS),
    kinesis_page(RECORDS),
    FAILURES[2],
]
ENVELOPES = [
    sqs_event(FAILURES[0], FAILURES[1]),
    sqs_page(sns_notification(FAILURES[1])),
    sns_event(FAILURES[0]),
    sqs_event(sns_notification(eventbridge_event(FAILURES[1]))),
    eventbridge_event(lambda_event(RECORDS)),
    S3_NOTIFICATION,
]
REQUEST = (
    b"POST /product?a=b HTTP/1.1\r\nHost: localhost:8000\r\nContent-Type: application/json\r\n"
    b'Content-Length: 15\r\n\r\n{"price": 12.5}GET /healthy HTTP/1.1\r\nHost: [::1]\r\n\r\n'
)
DAEMON = [
    {"action": "initialize", "shardId": "s", "sequenceNumber": "1", "subSequenceNumber": 0},
    {
        "action": "processRecords",
        "millisBehindLatest": 1,
        "records": [
            {
                "action": "record",
                "data": _base64(kinesis_data(RECORDS[1])),
                "partitionKey": "k",
                "sequenceNumber": "1",
                "subSequenceNumber": 0,
                "approximateArrivalTimestamp": 1,
            }
        ],
    },
    {"action": "checkpoint", "error": None},
    {"action": "shardEnded"},
]


def _given(*inputs: bytes) -> Callable[[Path], list[bytes]]:
    return lambda _: list(inputs)


def _letters(folder: Path) -> list[bytes]:
    path = folder / "seed.jsonl"
    router = StreamRouter(classify=lambda _: "x")

    @router.on_change()
    def fails(_: object) -> None:
        raise ValueError(STORED)

    router.on_error(ValueError)(lambda _: Disposition.DEAD_LETTER)
    event = lambda_event(RECORDS)
    logging.disable()  # of each letter there is a line
    try:
        router.dispatch(event, dead_letter=JSONLinesSink(path))
        router.dispatch(kinesis_event(RECORDS), dead_letter=JSONLinesSink(path))
    finally:
        logging.disable(logging.NOTSET)
    return [path.read_bytes(), b"\n".join(map(text, FAILURES))]


def _seed(name: str, make: Callable[[Path], object]) -> Callable[[Path], list[bytes]]:
    def good(folder: Path) -> list[bytes]:
        path = folder / name
        made = make(path)
        if isinstance(made, SQLiteProgress):
            made.save("a", "1")
        del made
        return [path.read_bytes()]

    return good


TARGETS = {
    "parse": Target(read_payload, _given(*map(text, PAYLOADS), LINES)),
    "kinesis": Target(read_kinesis, _given(*map(kinesis_data, RECORDS))),
    "envelopes": Target(read_failures, _given(*map(text, ENVELOPES))),
    "enveloped": Target(read_payload, _given(*map(text, ENVELOPES))),
    "sqs-body": Target(read_sqs_body, _given(*map(text, [*FAILURES, *PAYLOADS]))),
    "failures": Target(read_failures, _given(*map(text, FAILURES))),
    "dead-letters": Target(read_dead_letters, _letters),
    "manifests": Target(read_manifests, _given(text(SUMMARY) + SPLIT + text(FILE))),
    "export": Target(read_export_file("DYNAMODB_JSON"), _given(gzip.compress(LINES), LINES)),
    "export-ion": Target(read_export_file("ION"), _given(gzip.compress(ION), ION)),
    "ion": Target(read_ion, _given(ION)),
    "decode": Target(
        read_documents,
        _given(
            *map(text, PAYLOADS),
            LINES,
            gzip.compress(LINES),
            LINES.decode().encode("utf-16"),
            text({"Items": [ITEM, CHANGED], "Count": 2}),
        ),
    ),
    "infer": Target(read_items, _given(LINES, text({"Items": [ITEM, CHANGED], "Count": 2}))),
    "checkpoint-file": Target(read_checkpoint_file, _seed("seed.json", _checkpoint_file)),
    "checkpoint-database": Target(read_checkpoint_database, _seed("seed.db", _checkpoint_database)),
    "progress-database": Target(read_progress_database, _seed("seed-progress.db", SQLiteProgress)),
    "page": Target(read_page, _given(text(get_records_page(RECORDS)))),
    "roads": Target(
        read_roads,
        _given(
            *map(text, [*PAYLOADS, *ENVELOPES, get_records_page(RECORDS)]),
            *map(kinesis_data, RECORDS),
            LINES,
        ),
    ),
    "daemon": Target(read_daemon, _given(*map(text, DAEMON))),
    "requests": Target(read_requests, _given(REQUEST)),
}
