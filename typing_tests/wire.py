"""What type checkers know of records, builders, replay and exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis.strategies import SearchStrategy
from typing_extensions import assert_type

from ddbstream import Change, Insert, Modify, Remove, StreamRecord, StreamRouter, parse, testing
from ddbstream.export import (
    Export,
    ExportFile,
    LoadProgress,
    LoadReport,
    Progress,
    SQLiteProgress,
    backfill,
    load,
    open_export,
    read_records,
)
from ddbstream.replay import (
    FailedBatch,
    ReplayHandler,
    ReplayReport,
    Unreadable,
    failed_batches,
    replay,
)
from ddbstream.testing.strategies import WireShard, batches, from_model, shard_trees
from ddbstream.typing import BatchResponse, WireRecord


@dataclass
class Book:
    id: str
    price: Decimal


def records(event: dict[str, Any]) -> None:
    for untyped in parse(event):
        assert_type(untyped, Change[dict[str, Any]])
    for record in parse(event, Book):
        assert_type(record, Change[Book])
        assert_type(record.approximate_creation_datetime, datetime | None)
        assert_type(record.approximate_creation_ns, int | None)
        assert_type(record.order_key, tuple[int, int, str])
        assert_type(record.envelope, Mapping[str, Any] | None)
        assert_type(record.is_replica, bool)
        assert_type(record.traits().unchanged == "certain", bool)
        match record:
            case Insert(new):
                assert_type(new, Book)
            case Modify(old, new):
                assert_type(old, Book)
                assert_type(new, Book)
            case Remove(old):
                assert_type(old, Book)
        if isinstance(record, Insert):
            record.old  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore[missing-attribute]


def builders(book: Book) -> None:
    assert_type(testing.insert(book), WireRecord)
    assert_type(testing.modify(book, book, keys=["id"], created=1.5), WireRecord)
    assert_type(testing.remove({"id": "a"}, ttl=True, view_type="KEYS_ONLY"), WireRecord)
    assert_type(testing.lambda_event([testing.insert(book)]), dict[str, Any])
    testing.insert(book, view_type="NO_IMAGE")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore[invalid-argument-type]
    testing.insert(book, colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def strategies() -> None:
    assert_type(from_model(Book), SearchStrategy[Book])
    assert_type(batches(from_model(Book)), SearchStrategy[list[WireRecord]])
    assert_type(shard_trees(), SearchStrategy[list[WireShard]])


def replays(router: StreamRouter, event: object, progress: Progress) -> None:
    assert_type(replay(event, router, progress=progress), ReplayReport)
    assert_type(ReplayHandler(router)(event), BatchResponse)
    for found in failed_batches(event):
        assert_type(found, FailedBatch | Unreadable)


def exports(router: StreamRouter) -> None:
    export = open_export("s3://bucket/AWSDynamoDB/1")
    assert_type(export, Export)
    assert_type(export.files, tuple[ExportFile, ...])
    for record in read_records(export.files[0]):
        assert_type(record, StreamRecord[Any])

    def told(progress: LoadProgress) -> None:
        assert_type(progress.total, int | None)

    store: Progress = SQLiteProgress("p.db")
    assert_type(load(export, router, progress=store, on_progress=told), LoadReport)
    assert_type(backfill("Book", router), LoadReport)
