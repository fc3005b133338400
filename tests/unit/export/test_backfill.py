"""A live table through a router, by a parallel scan."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Insert, StreamRouter
from ddbstream.exceptions import ExportError
from ddbstream.export import LoadProgress, MemoryProgress, Progress, SQLiteProgress, backfill

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Shelf"


class Table:
    """As much of a dynamodb client as a scan needs: each segment has its items, in small pages."""

    def __init__(self, count: int, page: int = 3, binary: bool = False) -> None:
        self.count = count
        self.page = page
        self.binary = binary
        self.calls: list[dict[str, Any]] = []
        self.break_at: int | None = None
        self._lock = threading.Lock()

    def describe_table(self, TableName: str) -> dict[str, Any]:  # noqa: N803
        schema = [{"AttributeName": "PK", "KeyType": "HASH"}]
        return {
            "Table": {"TableName": TableName, "TableArn": ARN, "KeySchema": schema, "ItemCount": 9}
        }

    def key(self, number: int) -> dict[str, Any]:
        return {"PK": {"B": number.to_bytes(2, "big")} if self.binary else {"S": f"{number:03d}"}}

    def scan(self, **asked: Any) -> dict[str, Any]:
        with self._lock:
            self.calls.append(asked)
            if self.break_at == len(self.calls):
                raise ConnectionError("down")
        mine = [n for n in range(self.count) if n % asked["TotalSegments"] == asked["Segment"]]
        if start := asked.get("ExclusiveStartKey"):
            mine = [n for n in mine if self._after(n, start)]
        page = mine[: self.page]
        answer: dict[str, Any] = {
            "Items": [{**self.key(n), "n": {"N": str(n)}} for n in page],
            "Count": len(page),
        }
        if len(page) == self.page:
            answer["LastEvaluatedKey"] = self.key(page[-1])
        return answer

    def _after(self, number: int, start: dict[str, Any]) -> bool:
        return next(iter(self.key(number)["PK"].values())) > next(iter(start["PK"].values()))


class Seen:
    def __init__(self, fail_on: int | None = None) -> None:
        self.numbers: list[int] = []
        self.records: list[Insert[dict[str, Any]]] = []
        self.fail_on = fail_on
        self.router = StreamRouter()
        self.router.on_insert()(self.take)

    def take(self, record: Insert[dict[str, Any]]) -> None:
        number = int(record.new["n"])
        if number == self.fail_on:
            raise RuntimeError("no")
        self.numbers.append(number)
        self.records.append(record)


@pytest.fixture(params=["memory", "sqlite"])
def progress(request: pytest.FixtureRequest, tmp_path: Path) -> Progress:
    return MemoryProgress() if request.param == "memory" else SQLiteProgress(tmp_path / "p.db")


@pytest.mark.parametrize("segments", [1, 2, 4, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 30])
def test_every_item_is_an_insert(segments: int, count: int) -> None:
    seen = Seen()
    report = backfill("Shelf", seen.router, client=Table(count), segments=segments)
    assert sorted(seen.numbers) == list(range(count))
    assert (report.records, report.finished, report.total) == (count, segments, segments)
    assert report.ok


def test_records_are_like_a_streams() -> None:
    seen = Seen()
    backfill("Shelf", seen.router, client=Table(1), segments=1)
    (record,) = seen.records
    assert (record.table_name, record.aws_region, record.event_source_arn) == (
        "Shelf",
        "eu-west-1",
        ARN,
    )
    assert record.keys == {"PK": "000"}
    assert record.stream_view_type == "NEW_IMAGE"
    assert record.approximate_creation_datetime is not None


def test_options_reach_the_scan() -> None:
    table = Table(1)
    backfill("Shelf", Seen().router, client=table, segments=1, page_size=7, consistent=True)
    assert table.calls == [
        {"TableName": "Shelf", "Segment": 0, "TotalSegments": 1, "Limit": 7, "ConsistentRead": True}
    ]
    plain = Table(1)
    backfill("Shelf", Seen().router, client=plain, segments=1)
    assert plain.calls == [{"TableName": "Shelf", "Segment": 0, "TotalSegments": 1}]


@pytest.mark.parametrize("binary", [False, True])
def test_a_second_run_does_nothing(progress: Progress, binary: bool) -> None:
    table, seen = Table(20, binary=binary), Seen()
    backfill("Shelf", seen.router, client=table, segments=2, progress=progress)
    calls = len(table.calls)
    again = backfill("Shelf", seen.router, client=table, segments=2, progress=progress)
    assert sorted(seen.numbers) == list(range(20))
    assert (again.records, again.finished) == (0, 2)
    assert len(table.calls) == calls


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("break_at", [1, 2, 5])
def test_a_broken_scan_goes_on_with_the_page_that_broke(
    progress: Progress, break_at: int, binary: bool
) -> None:
    table, seen = Table(20, binary=binary), Seen()
    table.break_at = break_at
    with pytest.raises(ConnectionError):
        backfill("Shelf", seen.router, client=table, segments=2, progress=progress)
    assert len(seen.numbers) < 20
    assert backfill("Shelf", seen.router, client=table, segments=2, progress=progress).ok
    assert sorted(seen.numbers) == list(range(20))


class Torn(Table):
    """A dynamodb client of botocore whose answers are cut off, a number of times."""

    def __init__(self, count: int, torn: dict[int, int]) -> None:
        super().__init__(count)
        self.torn = torn

    def scan(self, **asked: Any) -> dict[str, Any]:
        answer = super().scan(**asked)
        number = int(answer["Items"][0]["n"]["N"]) if answer["Items"] else -1
        if self.torn.get(number):
            self.torn[number] -= 1
            return {"ResponseMetadata": {"HTTPStatusCode": 200}}
        return answer


def test_a_page_that_was_cut_off_is_asked_for_again(progress: Progress) -> None:
    table, seen = Torn(20, {0: 1, 6: 2, 18: 2}), Seen()
    assert backfill("Shelf", seen.router, client=table, segments=1, progress=progress).ok
    assert sorted(seen.numbers) == list(range(20))


def test_a_page_that_is_cut_off_every_time_ends_no_segment(progress: Progress) -> None:
    table, seen = Torn(20, {6: 3}), Seen()
    with pytest.raises(ExportError, match="no Items: they are cut off, 3 times"):
        backfill("Shelf", seen.router, client=table, segments=1, progress=progress)
    assert sorted(seen.numbers) == list(range(6))
    assert backfill("Shelf", seen.router, client=table, segments=1, progress=progress).ok
    assert sorted(seen.numbers) == list(range(20))


def test_a_failure_stops_every_segment_and_repeats_its_page(progress: Progress) -> None:
    table, seen = Table(40), Seen(fail_on=8)
    report = backfill("Shelf", seen.router, client=table, segments=2, progress=progress)
    assert not report.ok
    assert [str(failure.error) for failure in report.failures] == ["no"]
    seen.fail_on = None
    assert backfill("Shelf", seen.router, client=table, segments=2, progress=progress).ok
    assert sorted(set(seen.numbers)) == list(range(40))
    assert len(seen.numbers) - 40 < table.page


def test_a_failure_of_one_segment_ends_the_others() -> None:
    table, router, failed, handled = Table(400, page=1), StreamRouter(), threading.Event(), []

    @router.on_insert()
    def take(record: Insert[dict[str, Any]]) -> None:
        if record.new["n"] == 0:
            failed.set()
            raise RuntimeError("no")
        failed.wait(10)
        handled.append(record)

    report = backfill("Shelf", router, client=table, segments=2)
    assert len(report.failures) == 1
    assert len(handled) < 200


def test_another_number_of_segments_is_another_scan(progress: Progress) -> None:
    seen = Seen()
    for segments in (2, 3):
        backfill("Shelf", seen.router, client=Table(9), segments=segments, progress=progress)
    assert sorted(seen.numbers) == sorted([*range(9)] * 2)


def test_progress_is_told_page_by_page() -> None:
    told: list[LoadProgress] = []
    backfill("Shelf", Seen().router, client=Table(8), segments=1, on_progress=told.append)
    assert told == [
        LoadProgress(3, 9, "segment 0"),
        LoadProgress(6, 9, "segment 0"),
        LoadProgress(8, 9, "segment 0"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_an_interrupt_stops_the_threads_after_their_pages() -> None:
    table, store = Table(40, page=1), MemoryProgress()
    begun, heard, go_on = threading.Barrier(3), threading.Event(), threading.Event()
    router, numbers = StreamRouter(), []

    @router.on_insert()
    def take(record: Insert[dict[str, Any]]) -> None:
        if not go_on.is_set():
            begun.wait(10)
            go_on.wait(10)
            if record.new["n"] == 0:  # of the thread that was waited for when the signal came
                time.sleep(0.3)
        numbers.append(int(record.new["n"]))

    def interrupt() -> None:
        begun.wait(10)
        # Some kernels hand a process's signal to any thread: this one, and the main one sleeps on.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        heard.wait(10)
        time.sleep(0.2)  # the pages take longer than the main thread to act on it
        go_on.set()

    def hear(_number: int, _frame: object) -> None:
        heard.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hear)
    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            backfill("Shelf", router, client=table, segments=2, progress=store)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [t for t in threading.enumerate() if t.name.startswith("ddbstream-backfill")]
    helper.join()
    assert len(numbers) == 2
    assert backfill("Shelf", router, client=table, segments=2, progress=store).ok
    assert sorted(numbers) == list(range(40))


def test_a_real_client_scans_a_real_table() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="Shelf",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(25):
            client.put_item(
                TableName="Shelf", Item={"PK": {"S": str(number)}, "n": {"N": str(number)}}
            )
        seen = Seen()
        report = backfill("Shelf", seen.router, region_name="eu-west-1", segments=3, page_size=2)
        assert sorted(seen.numbers) == list(range(25))
        assert report.ok
        with pytest.raises(ExportError, match="no table Nowhere"):
            backfill("Nowhere", seen.router, client=client)


def test_another_error_of_the_service_is_the_services() -> None:
    class Broken(Table):
        def describe_table(self, TableName: str) -> dict[str, Any]:  # noqa: N803
            raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        backfill("Shelf", Seen().router, client=Broken(1))
