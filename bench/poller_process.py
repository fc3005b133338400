"""What one process does: records a second by shards, page size, handler time and concurrency.

    python3 dev.py bench poller_process

Reads small records of a `FakeStream`, so that the service costs little: what is measured is the
poller. Where the handler waits, records a second are bounded by the waiting; where it does not, by
the CPU, of which a record's share is printed beside. ``--output`` writes the table for the docs.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import platform
import time
from pathlib import Path

from ddbstream import StreamRouter
from ddbstream.poller import Settings, StreamPoller
from ddbstream.testing import FakeClock, FakeStream

SHARDS = (1, 8)
PAGES = (100, 1000)
HANDLERS = (0.0, 0.01)  # seconds
CONCURRENCY = (1, 16)
SECONDS = 1.0  # of handlers' work, about, for each line


def measure(shards: int, page: int, handler: float, concurrency: int) -> tuple[float, float]:
    """Records a second from the first one's handling to the last's; microseconds of CPU each."""
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
    began = time.process_time()
    poller.run_until_caught_up(300)
    cpu = time.process_time() - began
    return len(marks) / (max(marks) - min(marks)), cpu / len(marks) * 1e6


def main() -> None:
    """Print a line for each combination."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="a folder to write the table to, as Markdown")
    output = parser.parse_args().output
    logging.disable(logging.CRITICAL)
    titles = ("shards", "page", "handler", "concurrency", "records a second", "CPU a record")
    rows = []
    print("  ".join(titles))
    for values in itertools.product(SHARDS, PAGES, HANDLERS, CONCURRENCY):
        shards, page, handler, concurrency = values
        speed, cpu = measure(*values)
        waits = f"{handler * 1000:.0f} ms" if handler else "nothing"
        row = (shards, page, waits, concurrency, f"{_rounded(speed):,}", f"{cpu:.0f} µs")
        rows.append([str(cell) for cell in row])
        print(
            "  ".join(f"{cell:>{len(title)}}" for cell, title in zip(row, titles, strict=True)),
            flush=True,
        )
    if output is not None:
        load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
        machine = f"CPython {platform.python_version()}, {os.cpu_count()} cores, load {load}."
        lines = [titles, ["---:"] * len(titles), *rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        (output / "poller_process.md").write_text(f"{machine}\n\n{table}\n")


def _rounded(speed: float) -> int:
    """Two digits: the third is another one in each run."""
    return int(float(f"{speed:.1e}"))


if __name__ == "__main__":
    main()
