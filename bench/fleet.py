"""What one process handles in a second of CPU: a poller, and a shard's process of a fleet.

    python bench/fleet.py

Records are changes of 20 attributes with both images, in pages of 1,000; the handler reads the new
image. A page server gives the poller its pages; a stand-in for the MultiLangDaemon gives a shard's
process the same changes as Kinesis records. Times are CPU seconds of the whole process, its start
taken off: on a busy machine only they hold, and each number is the median of the rounds. In real
time a handler that waits for something (a call takes milliseconds) decides, and ``concurrency=``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")  # noqa: S106 - none

from poller import PageServer, page

from tests.support import kclpy
from tests.support.kinesis_local import change
from tests.support.standin_daemon import StandInDaemon, record

APP = """
import sys
from ddbstream import StreamRouter
from ddbstream.kcl import RecordProcessor
router = StreamRouter()

@router.on_change()
def handle(record):
    record.new
"""
POLLER = """
import sys
from app import router
from ddbstream.poller import StreamPoller
endpoint, records = sys.argv[1], int(sys.argv[2])
done = 0

class Counting:
    def dispatch(self, payload, /, **options):
        global done
        result = router.dispatch(payload, **options)
        done += result.processed
        if done >= records:
            poller.stop()
        return result

arn = "arn:aws:dynamodb:us-east-1:0:table/T/stream/S"
poller = StreamPoller(arn, Counting(), endpoint_url=endpoint, region_name="us-east-1")
poller.run()
"""
UNDER_KCLPY = """
from amazon_kclpy import kcl
from app import RecordProcessor, router
kcl.KCLProcess(RecordProcessor(router)).run()
"""


def cpu_of(run: Callable[[], None]) -> float:
    """CPU seconds of the processes that ``run`` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=20)
    arguments = parser.parse_args()
    root = Path(__file__).parents[1]
    paths = [str(root / "src"), str(kclpy.fetch()), str(root)]
    body = page(1000)
    kinesis = []
    for number, one in enumerate(json.loads(body)["Records"]):
        inside = one["dynamodb"]
        images = {"new": inside["NewImage"], "old": inside["OldImage"]}
        data = change(inside["Keys"], **images, created=1_795_000_000_000_000 + number)
        kinesis.append(record(number + 1, data=data))
    with tempfile.TemporaryDirectory() as scratch, PageServer(body) as server:
        folder = Path(scratch)
        (folder / "app.py").write_text(APP)
        (folder / "poll.py").write_text(POLLER)
        (folder / "under_kclpy.py").write_text(UNDER_KCLPY)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, scratch])}

        def poll(pages: int) -> None:
            command = [sys.executable, "poll.py", server.endpoint_url, str(pages * 1000)]
            subprocess.run(command, cwd=folder, env=environment, check=True)

        def fleet(*command: str) -> Callable[[int], None]:
            def deliver(pages: int) -> None:
                daemon = StandInDaemon([sys.executable, *command], folder, environment)
                daemon.initialize()
                for _ in range(pages):
                    daemon.deliver(*kinesis)
                daemon.ask("leaseLost")
                daemon.close()

            return deliver

        candidates = {
            "a poller": poll,
            "a shard's process": fleet("-m", "ddbstream.kcl", "app:router"),
            "the same under amazon-kclpy": fleet("under_kclpy.py"),
        }
        print("the garbage collector is on")
        for name, run in candidates.items():
            measured = []
            for _ in range(arguments.rounds):
                start = cpu_of(lambda run=run: run(1))
                measured.append(cpu_of(lambda run=run: run(1 + arguments.pages)) - start)
            rate = arguments.pages * 1000 / statistics.median(measured)
            print(f"{name:30} {rate:9,.0f} records in a second of CPU", flush=True)


if __name__ == "__main__":
    main()
