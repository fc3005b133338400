"""Where ``infer`` and ``check`` take items from: a table, its stream, an export, a file, a pipe.

A source hands over one item at a time and keeps none. What it cannot read as an item it hands over
as an error, and goes on.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ddbstream import Change, StreamRecord, StreamRouter, parse
from ddbstream.cli._aws import boto3_client, reported
from ddbstream.cli._documents import Document, documents, items_of
from ddbstream.cli._parameters import aws_options
from ddbstream.cli._remedies import enabling, in_words
from ddbstream.cli._standard_streams import console
from ddbstream.cli._table_scan import TableScan
from ddbstream.exceptions import DDBStreamError, MissingImageError, printable
from ddbstream.export import open_export, read_records
from ddbstream.poller import StreamPoller

_FILE: Final = re.compile(r"^(?!arn:).*([/\\]|\.(json|ndjson|jsonl|gz)$)")
"""A name that is a path's. A table of such a name goes by its ARN."""

__all__ = ["Found", "Source", "in_one_line", "open_source", "reading", "source_options"]


@dataclass
class Found:
    """One item of a source.

    Attributes:
        item: The wire item; None where there is none to be read.
        where: Which it is, where its keys do not say it: ``document 17``.
        error: Why it cannot be read; None if it can.
    """

    item: Mapping[str, Any] | None
    where: str
    error: DDBStreamError | None = None


Take = Callable[[Found], None]


class Source(Protocol):
    """Where items come from.

    Attributes:
        name: What it is, in words.
        stem: Its own name, for the class of its items.
        keys: The table's key attributes, and those of its indexes, if it says them.
        ttl: The table's time-to-live attribute, if it says it.
        total: How many items there are, more or less; None if nobody knows.
        is_live: Whether it is a live table, whose reading costs money and takes from its capacity.
    """

    name: str
    stem: str
    keys: Sequence[str]
    ttl: str | None
    total: int | None
    is_live: bool

    def read(self, take: Take, sample: int | None) -> None:
        """Hand over each item, or as many as asked for."""
        ...


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that takes a SOURCE."""
    for option in reversed(
        [
            click.option(
                "--sample",
                type=click.IntRange(min=1),
                metavar="N",
                help="Read N items: from all over a table or export, the first of a file.",
            ),
            click.option("--stream", is_flag=True, help="Read the table's stream: the last 24 h."),
            click.option(
                "--rate",
                type=click.FloatRange(min=1),
                default=100,
                show_default=True,
                help="Read capacity units a second that a scan may take.",
            ),
            click.option(
                "--key",
                "keys",
                metavar="ATTRIBUTE",
                multiple=True,
                help="A key attribute, partition key first; a live table says its own.",
            ),
        ]
    ):
        command = option(command)
    return aws_options(command)


def open_source(source: str, options: Mapping[str, Any]) -> Source:
    """The source that an argument names; ``-`` is standard input.

    Raises:
        click.ClickException: It cannot be read.
    """
    where = {name: options[name] for name in ("endpoint_url", "region_name")}
    keys: Sequence[str] = options["keys"]
    if source == "-":
        return _File("standard input", "item", lambda: sys.stdin.buffer, keys)
    path = Path(source)
    manifest = "manifest-summary.json"
    if (
        source.startswith("s3://")
        or path.name.endswith(manifest)
        or _kind(path / manifest) == "file"
    ):
        return _Export(source, where, keys)
    if _kind(path) == "file":
        return _File(path.name, path.name.partition(".")[0], lambda: path.open("rb"), keys)
    if _kind(path) == "folder":
        raise click.UsageError(f"{source} has no {manifest}: it is no export")
    if _FILE.search(source):
        raise click.UsageError(f"there is no file or folder {source}")
    if options["stream"] or "/stream/" in source:
        return _Stream(source, where, keys)
    return _Table(source, where, keys, options["rate"])


def _kind(path: Path) -> str:
    """What a path names: a file, a folder, or nothing."""
    try:
        return "file" if path.is_file() else "folder" if path.is_dir() else ""
    except OSError:  # a name that no file can have; it may be that of a table
        return ""


@contextmanager
def in_one_line(source: str) -> Iterator[None]:
    """What stops a command that reads a source, in one line instead of a traceback."""
    # Of a file, boto3 is not asked, and so need not be there.
    asking = nullcontext() if source == "-" or _kind(Path(source)) else reported()
    try:
        with asking:
            yield
    except DDBStreamError as error:
        raise click.ClickException(in_words(error)) from None


@contextmanager
def reading(source: Source, what: str, sample: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal's standard error; gives what to call for each item."""
    total = source.total if sample is None else min(sample, source.total or sample)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task(printable(f"{what} {source.name}"), total=total or None)
        yield lambda: progress.advance(task)


# --- files --------------------------------------------------------------------------------------


class _File:
    ttl: str | None = None
    total: int | None = None
    is_live = False

    def __init__(
        self, name: str, stem: str, opened: Callable[[], IO[bytes]], keys: Sequence[str]
    ) -> None:
        self.name, self.stem, self.keys = name, stem, keys
        self._open = opened

    def read(self, take: Take, sample: int | None) -> None:
        """Hand over the items of its documents."""
        count = 0
        try:
            with self._open() as file:
                for document in documents(file):
                    where = f"document {document.number}"
                    for found in _of_document(document, where):
                        take(found)
                        count += 1
                        if count == sample:
                            return
        except OSError as error:
            raise click.ClickException(f"{self.name} cannot be read: {_why(error)}") from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _of_document(document: Document, where: str) -> Iterator[Found]:
    if document.error is not None:
        yield Found(None, where, document.error)
        return
    items = items_of(document.value)
    if items is not None:
        for item in items:
            yield Found(item, where)
        return
    try:
        records = parse(document.value)
        for record in records:
            yield from _of_record(record, where)
    except DDBStreamError as error:
        yield Found(None, where, error)


def _of_record(record: StreamRecord[Any], where: str) -> Iterator[Found]:
    """The images of a record, as they are stored."""
    change = record.raw.get("dynamodb") or {}
    images = [change[name] for name in ("NewImage", "OldImage") if name in change]
    for image in images:
        yield Found(image, where)
    if not images:
        view = record.stream_view_type or "nobody says which"
        error = MissingImageError(f"the record has no image; the stream's view type is {view}")
        yield Found(None, where, error)


# --- exports ------------------------------------------------------------------------------------


class _Export:
    ttl: str | None = None
    is_live = False

    def __init__(self, location: str, where: Mapping[str, Any], keys: Sequence[str]) -> None:
        self._client = boto3_client("s3", **where) if location.startswith("s3://") else None
        self._export = open_export(location, s3_client=self._client)
        self.stem = self._export.table_name or "item"
        self.name = f"the export of {self.stem}"
        self.keys = keys
        self.total: int | None = self._export.item_count

    def read(self, take: Take, sample: int | None) -> None:
        """Hand over the items of its files; of a sample, as many of each file."""
        files = self._export.files
        left = sample
        for number, file in enumerate(files):
            share = None if left is None else -(-left // (len(files) - number))
            taken = 0
            records = read_records(file, s3_client=self._client, keys=self.keys, verify=not sample)
            for record in records:
                if share is not None and taken >= share:
                    break
                where = record.item_identifier or file.location
                error = getattr(record, "error", None)
                found = [Found(None, where, error)] if error else _of_record(record, where)
                for one in found:
                    take(one)
                    taken += 1
            left = None if left is None else left - taken


# --- tables -------------------------------------------------------------------------------------


class _Table:
    is_live = True

    def __init__(
        self, table: str, where: Mapping[str, Any], keys: Sequence[str], rate: float
    ) -> None:
        self._client = boto3_client("dynamodb", **where)
        described = self._client.describe_table(TableName=table)["Table"]
        self.stem = described["TableName"]
        self.name = f"the table {self.stem}"
        self.keys = keys or _key_names(described)
        self.total: int | None = described.get("ItemCount")  # as of some hours ago
        self.ttl = self._time_to_live()
        self._rate = rate

    def _time_to_live(self) -> str | None:
        try:
            answer = self._client.describe_time_to_live(TableName=self.stem)
        except Exception as error:
            if not hasattr(error, "response"):
                raise
            return None  # AWS has refused: who may scan may not always ask this
        name: str | None = answer["TimeToLiveDescription"].get("AttributeName")
        return name

    def read(self, take: Take, sample: int | None) -> None:
        """Scan segments at once, in turn, no faster than the rate; a sample is from all of them."""
        scan = TableScan(self._client, self.stem, self._rate, sampled=sample is not None)
        count = 0
        with scan.pages() as pages:
            for items in pages:
                for item in items:
                    take(Found(item, ""))
                    count += 1
                    if count == sample:
                        return


def _key_names(table: Mapping[str, Any]) -> list[str]:
    """The key attributes of a table and of its indexes, each once."""
    schemas = [table["KeySchema"]]
    for indexes in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        schemas += [index["KeySchema"] for index in table.get(indexes, ())]
    names = [part["AttributeName"] for schema in schemas for part in schema]
    return list(dict.fromkeys(names))


class _Stream:
    ttl: str | None = None
    total: int | None = None
    is_live = False

    def __init__(self, table: str, where: Mapping[str, Any], keys: Sequence[str]) -> None:
        self._table = table
        self._where = where
        self.stem = table.partition(":table/")[2].partition("/")[0] or table
        self.name = f"the stream of {self.stem}"
        self.keys = keys or self._key_names()

    def _key_names(self) -> list[str]:
        streams = boto3_client("dynamodbstreams", **self._where)
        arn = self._table
        if "/stream/" not in arn:
            found = streams.list_streams(TableName=self.stem)["Streams"]
            if not found:
                raise click.ClickException(
                    f"{self.stem} has no stream: turn it on: {enabling(self.stem)}"
                )
            arn = found[-1]["StreamArn"]
        schema = streams.describe_stream(StreamArn=arn)["StreamDescription"]["KeySchema"]
        return [part["AttributeName"] for part in schema]

    def read(self, take: Take, sample: int | None) -> None:
        """Hand over the images of what the stream holds."""
        router = StreamRouter(classify=lambda _: None)
        count = 0
        failed: list[BaseException] = []

        @router.on_change()
        def show(record: Change[Any]) -> None:
            nonlocal count
            try:
                for found in _of_record(record, ""):
                    if sample is None or count < sample:
                        take(found)
                        count += 1
            except BaseException as error:  # noqa: BLE001 - raised again below, as it was
                failed.append(error)
            if failed or count == sample:
                poller.stop()

        poller = StreamPoller(
            self._table, router, start="TRIM_HORIZON", on_gap="continue", **self._where
        )
        logging.getLogger("ddbstream").addHandler(logging.NullHandler())
        poller.run_until_caught_up()
        if failed:
            raise failed[0]
