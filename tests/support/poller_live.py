"""The poller for real.

AWS's engine, a proxy that breaks calls, and a process that is killed again and again.

    python -m tests.support.poller_live --writes 20000 --readers threads

Writers put versions of items into two tables. Meanwhile, in an order that the seed tells, the
reader is killed with SIGKILL, stopped with SIGTERM and started again, made to run again in its own
process, and a table's stream is disabled and enabled again: while the reader runs, and once or
twice while it is down. Shards roll over, and all iterators expire. The reader has ``concurrency=8``
and ``follow=True``; several kinds of readers take turns, one at each start. Positions are in a
SQLite file, or with ``--store dynamodb`` in a table behind the same proxy. In the end every write
must have been delivered, each item's in order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ddbstream.poller import DynamoDBCheckpoints
from tests.support.dynamodb_local import DynamoDBLocal, fetch
from tests.support.fault_proxy import FaultProxy

ROOT = Path(__file__).parents[2]
READERS = ("threads", "async", "coroutine", "threads-plain", "async-plain", "coroutine-plain")
READER = """
import signal, sys

kind, endpoint, tables, positions, out, log = sys.argv[1:]
again = over = False
poller = None

def run_again(*_):
    global again
    again = True
    stop()

def finish(*_):
    global over
    over = True
    stop()

signal.signal(signal.SIGUSR1, run_again)
signal.signal(signal.SIGTERM, finish)  # between runs: a run has a handler of its own
if kind.endswith("-plain"):
    sys.modules["msgspec"] = None

import asyncio, logging, os, time
from botocore.exceptions import BotoCoreError, ClientError
from ddbstream import StreamRouter, parse
from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller import (
    AsyncStreamPoller, DynamoDBCheckpoints, Settings, SQLiteCheckpoints, StreamPoller
)

logging.basicConfig(filename=log, level="INFO", format="%(asctime)s %(process)d %(message)s")
logging.getLogger("botocore").setLevel("WARNING")
logging.info("reader %s, msgspec %s", kind, "hidden" if kind.endswith("-plain") else "there")
file = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
router = StreamRouter()

def note(record, context):
    new = record.new
    line = f"{new['SK']} {new['n']} {record.sequence_number} {context.shard_id} {os.getpid()}\\n"
    os.write(file, line.encode())

@router.on_change()
def handle(record, context):
    time.sleep(0.002)  # so that a kill may come in the middle of a batch
    note(record, context)

async def handle_all(records, context):
    for record in parse(records):
        await asyncio.sleep(0.002)
        note(record, context)

where = dict(endpoint_url=endpoint, region_name="us-east-1")
if positions.endswith(".db"):
    store = SQLiteCheckpoints(positions)
else:
    store = DynamoDBCheckpoints(positions, **where)
options = dict(
    checkpoints=store,
    **where,
    settings=Settings(idle=0.05, idle_max=0.2, discovery=2.0),
    concurrency=8,
    follow=True,
    takeover=True,  # the one that was killed is not waited for
)
if kind.startswith("threads"):
    poller = StreamPoller(tables.split(","), router, **options)
else:
    handler = router if kind.startswith("async") else handle_all
    poller = AsyncStreamPoller(tables.split(","), handler, **options)

stop, poller.stop = poller.stop, finish

while not over:
    again = False
    try:
        ended = poller.run(install_signals=True)
        ended = asyncio.run(ended) if asyncio.iscoroutine(ended) else ended
    except FencedError:
        raise
    except (BotoCoreError, ClientError, CheckpointError) as error:  # at the start: try again
        logging.warning("start failed: %s", error)
    else:
        logging.info("run over: %s", ended.reason)
        if not again:
            break
"""


@dataclass
class Report:
    """What a run came to; `check` raises if a promise is broken."""

    readers: str = ""
    written: int = 0
    streamed: int = 0
    streamed_out_of_order: int = 0  # DynamoDB Local's own doing
    lines: int = 0
    delivered: int = 0
    repeated: int = 0
    kills: int = 0
    stops: int = 0
    restarts: int = 0
    enabled_again: int = 0
    enabled_again_while_down: int = 0
    rollovers: int = 0
    expiries: int = 0
    streams: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    missing: list[tuple[str, int]] = field(default_factory=list)
    out_of_order: list[tuple[str, int]] = field(default_factory=list)
    failed_starts: int = 0
    exit_codes: list[int] = field(default_factory=list)

    def check(self) -> None:
        assert self.streamed == self.written, "the streams do not have all that was written"
        assert self.missing == [], f"{len(self.missing)} writes were not delivered"
        assert self.out_of_order == [], f"{len(self.out_of_order)} changes came out of order"
        assert set(self.exit_codes) == {0}, f"a reader did not end well: {self.exit_codes}"


@dataclass(frozen=True)
class Troubles:
    """How often each comes. Of the kills and stops, each third has streams enabled meanwhile."""

    kills: int = 15
    stops: int = 10
    restarts: int = 10
    enabled_again: int = 15

    def plan(self, chance: random.Random) -> list[str]:
        names = {
            "kill": self.kills,
            "stop": self.stops,
            "restart": self.restarts,
            "enable_again": self.enabled_again,
        }
        plan = [name for name, count in names.items() for _ in range(count)]
        chance.shuffle(plan)
        return plan


class Live:
    """One run."""

    def __init__(
        self,
        *,
        writes: int,
        troubles: Troubles,
        chance: float,
        seed: int,
        folder: Path,
        readers: Sequence[str] = READERS,
        items: int = 200,
        store: Literal["sqlite", "dynamodb"] = "sqlite",
    ) -> None:
        self.store = store
        self.writes, self.chance, self.items = writes, chance, items
        self.random = random.Random(seed)
        self.plan = troubles.plan(self.random)
        self.seed = seed
        self.folder = folder
        self.report = Report(readers=",".join(readers))
        self.readers = itertools.cycle(readers)
        self.process: subprocess.Popen[bytes] | None = None
        self._versions = [0] * items
        self._allowed, self._let_write = 0.0, threading.Condition()
        self._downs = 0
        self._hours = 0
        self._next_age = time.monotonic()

    def run(self, server: DynamoDBLocal) -> Report:
        began = time.monotonic()
        self.server = server
        with (
            ExitStack() as stack,
            FaultProxy(server.port, chance=self.chance, seed=self.seed) as self.proxy,
        ):
            self.tables = [stack.enter_context(server.table()) for _ in range(2)]
            self.enabled = [threading.Lock() for _ in self.tables]
            self.positions = str(self.folder / "positions.db")
            if self.store == "dynamodb":
                self.positions = f"positions-{self.tables[0].name}"
                DynamoDBCheckpoints(self.positions, client=server.dynamodb).create_table()
            writers = [threading.Thread(target=self._write, args=(part,)) for part in range(4)]
            try:
                self._start()
                self._wait_until_said("stream ", 2)  # a consumer is owed nothing from before
                for writer in writers:
                    writer.start()
                self._trouble()
                self._allow(self.writes)
                for writer in writers:
                    writer.join()
                self._wait_for_faults()
                self.proxy.chance = 0.02  # never quite well again
                self._wait_for_all()
                self._stop()
            finally:
                self._allow(self.writes)
                if self.process is not None and self.process.poll() is None:
                    self.process.kill()
                    self.process.wait()
            self.report.faults = dict(self.proxy.counts)
            self._judge(self._streamed())
        log = (self.folder / "reader.log").read_text()
        self.report.failed_starts = log.count(" start failed: ")
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    # The reader

    def _start(self) -> None:
        files = [self.folder / name for name in ("delivered.txt", "reader.log")]
        tables = ",".join(table.name for table in self.tables)
        places = [self.proxy.endpoint_url, tables, self.positions, *map(str, files)]
        arguments = [next(self.readers), *places]
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "PYTHONPATH": str(ROOT / "src"),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = subprocess.Popen([sys.executable, "-c", READER, *arguments], env=environment)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the reader ended by itself: {self.process.returncode}")
        return self.process

    def _wait_until_said(self, what: str, times: int = 1) -> None:
        """Wait for a line of the running reader's log."""
        until = time.monotonic() + 60
        while self._said(what) < times:
            self._running()
            assert time.monotonic() < until, f"the reader does not say {what!r}"
            time.sleep(0.05)

    def _said(self, what: str) -> int:
        assert self.process is not None
        log = self.folder / "reader.log"
        text = log.read_text() if log.exists() else ""
        return text.count(f" {self.process.pid} {what}")

    def _kill(self) -> None:
        process = self._running()
        process.kill()
        process.wait()

    def _stop(self) -> None:
        self._wait_until_said("stream ")
        process = self._running()
        process.send_signal(signal.SIGTERM)
        self.report.exit_codes.append(process.wait(60))

    # The writers

    def _allow(self, count: float) -> None:
        with self._let_write:
            self._allowed += count
            self._let_write.notify_all()

    def _write(self, part: int) -> None:
        client = self.server.client("dynamodb")
        index = part % len(self.tables)  # an item is of one table, and of one writer
        mine = range(part, self.items, 4)
        keys, done, left = itertools.cycle(mine), 0, self.writes // 4
        while left > 0:
            with self._let_write:
                self._let_write.wait_for(lambda: self._allowed / 4 > done)  # noqa: B023 - now
            batch = [next(keys) for _ in range(min(25, left, len(mine)))]
            left, done = left - len(batch), done + len(batch)
            puts = []
            for key in batch:
                self._versions[key] += 1
                item = {"PK": "p", "SK": f"item-{key}"}
                wire: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
                wire["n"] = {"N": str(self._versions[key])}
                puts.append({"PutRequest": {"Item": wire}})
            with self.enabled[index]:  # what is written while a stream is disabled is in none
                answer = client.batch_write_item(RequestItems={self.tables[index].name: puts})
            assert not answer["UnprocessedItems"]

    # The trouble

    def _trouble(self) -> None:
        share = self.writes / (len(self.plan) + 1)
        for name in self.plan:
            if name in ("stop", "restart"):
                self._wait_until_said("stream ")
            self._meanwhile(self.random.uniform(0.3, 2.5), share * 0.8)
            if name != "enable_again" and self.random.random() < 0.7:
                self._wait_for_work(share * 0.2)
            self._running()
            getattr(self, f"_do_{name}")()

    def _wait_for_work(self, share: float) -> None:
        """Until the reader is in the middle of what is written at once."""
        path, until = self.folder / "delivered.txt", time.monotonic() + 10
        before = path.stat().st_size if path.exists() else 0
        self._allow(share)
        while time.monotonic() < until and not (path.exists() and path.stat().st_size > before):
            self._running()
            time.sleep(0.002)
        time.sleep(self.random.uniform(0, 0.03))

    def _do_kill(self) -> None:
        self._kill()
        self.report.kills += 1
        self._be_down()
        self._start()

    def _do_stop(self) -> None:
        self._stop()
        self.report.stops += 1
        self._be_down()
        self._start()

    def _do_restart(self) -> None:
        times = self._said("stream ")
        self._running().send_signal(signal.SIGUSR1)
        self._wait_until_said("stream ", times + 1)
        self.report.restarts += 1

    def _do_enable_again(self) -> None:
        self._enable_again(self.random.randrange(2))

    def _be_down(self) -> None:
        """Each third time, have one stream enabled again meanwhile, and then the next one twice."""
        self._downs += 1
        if self._downs % 3:
            return
        for _ in range(1 + self._downs // 3 % 2):
            self._enable_again(self._downs // 3 % 2)
            self.report.enabled_again_while_down += 1
            self._meanwhile(0.2, 100)

    def _enable_again(self, index: int) -> None:
        update = self.server.dynamodb.update_table
        name = self.tables[index].name
        view: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        with self.enabled[index]:
            update(TableName=name, StreamSpecification={"StreamEnabled": False})
            time.sleep(self.random.uniform(0, 0.2))
            update(TableName=name, StreamSpecification=view)
        self.report.enabled_again += 1

    def _meanwhile(self, seconds: float, share: float) -> None:
        """Let time pass: shards roll over, iterators expire, and a share is written bit by bit."""
        began = last = time.monotonic()
        while last - began < seconds:
            time.sleep(0.02)
            now = time.monotonic()
            self._allow(share * (min(now, began + seconds) - last) / seconds)
            last = now
            if now >= self._next_age:
                self._next_age = now + self.random.uniform(0.8, 2.5)
                self._age()

    def _age(self) -> None:
        # Four hours of age in all would roll over, 24 would trim: 14 are enough to expire.
        if self._hours < 14 and self.random.random() < 0.3:
            self._hours += 1
            self.server.control.dilate(1)
            self.report.expiries += 1
        else:
            self.server.control.rollover()
            self.report.rollovers += 1

    # The end

    def _wait_for_faults(self) -> None:
        """On a slow machine the writers are done before a reader has begun."""
        until = time.monotonic() + 60
        while self.chance and sum(self.proxy.counts.values()) < 10 and time.monotonic() < until:
            time.sleep(0.1)

    def _wait_for_all(self) -> None:
        """Give up when nothing has come for two minutes."""
        last, until = -1, 0.0
        while (count := self._count()) < sum(self._versions):
            self._running()
            now = time.monotonic()
            if count != last:
                last, until = count, now + 120
            if now > until:
                break
            time.sleep(0.5)

    def _deliveries(self) -> list[tuple[str, int]]:
        path = self.folder / "delivered.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def _count(self) -> int:
        return len(set(self._deliveries()))

    def _streamed(self) -> list[tuple[str, int]]:
        """What the streams themselves have, in their order."""
        found = []
        for table in self.tables:
            listed = self.server.streams.list_streams(TableName=table.name)["Streams"]
            self.report.streams += len(listed)
            for arn in sorted(stream["StreamArn"] for stream in listed):
                for record in self.server.read_all(arn):
                    image = record["dynamodb"]["NewImage"]
                    found.append((str(image["SK"]["S"]), int(image["n"]["N"])))
        return found

    def _judge(self, streamed: list[tuple[str, int]]) -> None:
        report = self.report
        deliveries = self._deliveries()
        report.written, report.streamed = sum(self._versions), len(set(streamed))
        place: dict[tuple[str, int], int] = {}
        last: dict[str, int] = {}
        for index, (name, version) in enumerate(streamed):
            place[name, version] = index
            report.streamed_out_of_order += version < last.get(name, 0)
            last[name] = version
        last.clear()
        known: set[tuple[str, int]] = set()
        for change in deliveries:
            name, _ = change
            if change in known:
                report.repeated += 1
                continue
            known.add(change)
            if place[change] < last.get(name, 0):
                report.out_of_order.append(change)
            last[name] = max(place[change], last.get(name, 0))
        report.lines, report.delivered = len(deliveries), len(known)
        report.missing = sorted(set(place) - known)


def main() -> None:
    usual = Troubles()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--stops", type=int, default=usual.stops)
    parser.add_argument("--restarts", type=int, default=usual.restarts)
    parser.add_argument("--enabled-again", type=int, default=usual.enabled_again)
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--store", choices=("sqlite", "dynamodb"), default="sqlite")
    parser.add_argument("--chance", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the reader's log and deliveries")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, DynamoDBLocal(fetch()) as server:
        live = Live(
            writes=given.writes,
            troubles=Troubles(given.kills, given.stops, given.restarts, given.enabled_again),
            chance=given.chance,
            seed=given.seed,
            folder=given.keep or Path(scratch),
            readers=given.readers,
            store=given.store,
        )
        report = live.run(server)
    shown = {**vars(report), "missing": len(report.missing)}
    text = json.dumps({**shown, "out_of_order": len(report.out_of_order)}, indent=1)
    sys.stdout.write(text + "\n")
    report.check()


if __name__ == "__main__":
    main()
