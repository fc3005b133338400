"""What an idle poller costs: its CPU, with boto3, by shards and by how long they have been empty.

    python3 dev.py bench poller_idle

A server in a process of its own gives empty pages. Counted is all CPU of the poller's process, as a
share of one core. Shards that have been empty for a minute share twenty calls a second, and four in
the end (`Settings.idle_calls`): what an hour of silence leads to is set up at once here.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")  # noqa: S106 - none

from end_to_end import ARN, REGION, PageServer
from poller import page

from ddbstream import StreamRouter
from ddbstream.poller import Settings, StreamPoller

SHARDS = (1, 50, 500)
GOALS = {1: 1.0, 50: 1.0, 500: 5.0}  # per cent of a core, in the end


def _seen(record: object) -> None:
    """Do nothing: there are no records."""


def measure(shards: int, settings: Settings, seconds: float) -> tuple[float, float]:
    """Calls a second, and per cent of a core."""
    router = StreamRouter()
    router.on_change()(_seen)
    with PageServer(page(1), pages=0, shards=shards) as server:
        poller = StreamPoller(
            ARN, router, endpoint_url=server.endpoint_url, region_name=REGION, settings=settings
        )
        thread = threading.Thread(target=poller.run)
        thread.start()
        most = max(settings.idle_max, shards / (5 * settings.idle_calls))
        time.sleep(5 + shards / 50)  # until each has been found to be empty
        began, calls, cpu = time.monotonic(), _calls(poller), time.process_time()
        time.sleep(math.ceil(seconds / most) * most)  # all are asked equally often
        passed = time.monotonic() - began
        found = (_calls(poller) - calls) / passed, (time.process_time() - cpu) / passed * 100
        poller.stop()
        thread.join()
    return found


def _calls(poller: StreamPoller) -> int:
    return poller.metrics.counters["empty_pages", ""]


def main() -> None:
    """Print a line for each number of shards and each length of silence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=int, nargs="*", default=SHARDS)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    calls = Settings().idle_calls
    print(f"{'shards':>6} {'empty for':>10} {'calls/s':>8} {'of a core':>9} {'goal':>6}")
    for shards in given.shards:
        first = Settings(quiet_pages=2)
        later = Settings(quiet_pages=2, idle_max=max(1.0, shards / calls))
        for name, settings in (("a minute", first), ("an hour", later)):
            per_second, cpu = measure(shards, settings, given.seconds)
            goal = f"< {GOALS[shards]:.0f} %" if shards in GOALS and settings is later else ""
            print(f"{shards:6} {name:>10} {per_second:8.1f} {cpu:7.2f} % {goal:>6}", flush=True)


if __name__ == "__main__":
    main()
