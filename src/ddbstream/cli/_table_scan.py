"""A table read by several threads, no faster than asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

__all__ = ["TableScan"]

#: Segments of a sampled scan: a page of each is a sample from all over the table.
_SAMPLED_SEGMENTS: Final = 32
_SAMPLED_PAGE: Final = 100
_THREADS: Final = 4
_PAGES_AHEAD: Final = 8


class TableScan:
    """A parallel scan: threads take segments in turn and read one page of each.

    Args:
        client: boto3's ``dynamodb`` client.
        table: The table's name.
        rate: Read capacity units a second that it may take.
        sampled: Whether its first items are to be from all over the table.
    """

    def __init__(self, client: Any, table: str, rate: float, *, sampled: bool) -> None:
        self._client = client
        self._segments = _SAMPLED_SEGMENTS if sampled else _THREADS
        self._options = {"TableName": table, "ReturnConsumedCapacity": "TOTAL"}
        self._limit = {"Limit": _SAMPLED_PAGE} if sampled else {}
        self._rate = rate
        self._turns: Queue[tuple[int, Any] | None] = Queue()
        self._pages: Queue[list[Mapping[str, Any]] | BaseException | None] = Queue(_PAGES_AHEAD)
        self._stop = Event()

    @contextmanager
    def pages(self) -> Iterator[Iterator[list[Mapping[str, Any]]]]:
        """Give the pages while this is open; the threads end when it closes."""
        for segment in range(self._segments):
            self._turns.put((segment, None))
        threads = [Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield self._received()
        finally:
            self._stop.set()
            for _ in threads:
                self._turns.put(None)
            for thread in threads:
                while thread.is_alive():
                    while not self._pages.empty():  # it may be waiting for room
                        self._pages.get()
                    thread.join(0.05)

    def _received(self) -> Iterator[list[Mapping[str, Any]]]:
        left = self._segments
        while left:
            page = self._pages.get()
            if isinstance(page, BaseException):
                raise page
            if page is None:
                left -= 1
            else:
                yield page

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                turn = self._turns.get()
                if turn is None:
                    return
                self._page(*turn)
        except BaseException as error:  # noqa: BLE001 - raised again in the command's own thread
            self._pages.put(error)

    def _page(self, segment: int, start: Any) -> None:
        more = {"ExclusiveStartKey": start} if start else {}
        begun = monotonic()
        page = self._client.scan(
            Segment=segment, TotalSegments=self._segments, **self._options, **self._limit, **more
        )
        self._pages.put(page["Items"])
        units = page.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        if page.get("LastEvaluatedKey"):
            # Each thread takes its share of the rate; the last page of a segment costs no wait.
            self._stop.wait(max(0.0, units * _THREADS / self._rate - (monotonic() - begun)))
            self._turns.put((segment, page["LastEvaluatedKey"]))
        else:
            self._pages.put(None)
