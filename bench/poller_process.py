"""What one process does: records a second by shards, page size, handler time and concurrency.

    python -m bench.poller_process

Reads a `FakeStream`, so that the service costs next to nothing: what is measured is the poller.
"""

from __future__ import annotations

import itertools
import logging
import time

from ddbstream import StreamRouter
from ddbstream.poller import Settings, StreamPoller
from ddbstream.testing import FakeClock, FakeStream

SHARDS = (1, 8)
PAGES = (100, 1000)
HANDLERS = (0.0, 0.01)  # seconds
CONCURRENCY = (1, 16)
SECONDS = 1.0  # of handlers' work, about, for each line


def measure(shards: int, page: int, handler: float, concurrency: int) -> float:
    """Records a second from the first record's handling to the last's."""
    at_once = max(1, min(32, shards) * concurrency)
    count = min(10_000, int(SECONDS / handler * at_once)) if handler else 10_000
    stream = FakeStream("T", clock=FakeClock(time.time()), shards=shards, page_records=page)
    for number in range(count):
        stream.put({"PK": {"S": f"k{number % 997}"}, "n": {"N": str(number)}})
    router, marks = StreamRouter(), []

    @router.on_change()
    def handle(_record: object) -> None:
        if handler:
            time.sleep(handler)
        marks.append(time.perf_counter())

    settings = Settings(page_limit=page)
    poller = StreamPoller("T", router, client=stream, concurrency=concurrency, settings=settings)
    poller.run_until_caught_up(300)
    return len(marks) / (max(marks) - min(marks))


def main() -> None:
    """Print a line for each combination."""
    logging.disable(logging.CRITICAL)
    print(f"{'shards':>6} {'page':>5} {'handler':>8} {'at once':>8} {'records/s':>10}")
    for values in itertools.product(SHARDS, PAGES, HANDLERS, CONCURRENCY):
        shards, page, handler, concurrency = values
        speed = measure(*values)
        print(f"{shards:6} {page:5} {handler * 1000:6.0f}ms {concurrency:8} {speed:10,.0f}")


if __name__ == "__main__":
    main()
