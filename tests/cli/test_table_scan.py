"""Scanning a table with several threads: all of it or a sample, at a rate, and to a clean end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ddbstream.cli import _table_scan
from ddbstream.cli._table_scan import TableScan


class Table:
    """A table of pages: what a client's ``scan`` answers, and what was asked."""

    def __init__(self, pages: int = 3, *, fails: bool = False) -> None:
        self.pages = pages
        self.fails = fails
        self.asked: list[dict[str, Any]] = []

    def scan(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.fails:
            raise RuntimeError("AWS has gone")
        page = request.get("ExclusiveStartKey", {"page": 0})["page"]
        items = [{"segment": request["Segment"], "page": page, "n": n} for n in range(5)]
        answer: dict[str, Any] = {"Items": items, "ConsumedCapacity": {"CapacityUnits": 50}}
        if page + 1 < self.pages:
            answer["LastEvaluatedKey"] = {"page": page + 1}
        return answer


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the scan's threads were told to wait, which they do not."""
    seconds: list[float] = []

    class NoWait(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            seconds.append(timeout or 0.0)
            return self.is_set()

    monkeypatch.setattr(_table_scan, "Event", NoWait)
    return seconds


def test_every_page_of_every_segment_is_read_once() -> None:
    table = Table()
    with TableScan(table, "T", 100, sampled=False).pages() as pages:
        items = [item for page in pages for item in page]
    assert len(items) == 4 * 3 * 5
    assert len({tuple(item.items()) for item in items}) == 60
    assert all("Limit" not in request for request in table.asked)


def test_a_sample_takes_a_short_page_of_each_segment_before_a_second_of_any() -> None:
    table = Table()
    with TableScan(table, "T", 100, sampled=True).pages() as pages:
        for page in pages:
            if page[0]["page"] == 1:
                break
    first = {request["Segment"] for request in table.asked if "ExclusiveStartKey" not in request}
    assert first == set(range(32))
    assert {request["Limit"] for request in table.asked} == {100}


def test_threads_together_take_no_more_than_the_rate(waited: list[float]) -> None:
    with TableScan(Table(), "T", 100, sampled=False).pages() as pages:
        assert len(list(pages)) == 12
    # 50 units at 100 a second are half a second, and there are four threads.
    assert len(waited) == 8
    assert all(1.9 < seconds <= 2.0 for seconds in waited)


def test_what_a_thread_meets_is_raised_where_the_pages_are_read() -> None:
    scan = TableScan(Table(fails=True), "T", 100, sampled=False)
    with pytest.raises(RuntimeError, match="gone"), scan.pages() as pages:
        next(pages)


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()
    with TableScan(Table(pages=10_000), "T", 100, sampled=False).pages() as pages:
        next(pages)
    assert threading.active_count() == before
