"""The poller for real.

AWS's engine, a proxy that breaks calls, and a process that is killed again and again.

    python -m tests.support.poller_live --writes 20000 --kills 15

Writers put versions of items, shards roll over, all iterators expire, and the reader is killed with
SIGKILL at random moments and started again. In the end every write must have been delivered, each
item's in order.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.dynamodb_local import DynamoDBLocal, Table, fetch
from tests.support.fault_proxy import FaultProxy

ROOT = Path(__file__).parents[2]
READER = """
import logging, os, sys, time
from ddbstream import StreamRouter
from ddbstream.poller import Settings, SQLiteCheckpoints, StreamPoller

endpoint, arn, database, out, log = sys.argv[1:]
logging.basicConfig(filename=log, level="INFO", format="%(asctime)s %(process)d %(message)s")
logging.getLogger("botocore").setLevel("WARNING")
file = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
router = StreamRouter()

@router.on_change()
def handle(record):
    new = record.new
    time.sleep(0.0005)  # so that a kill may come in the middle of a batch
    os.write(file, f"{new['SK']} {new['n']} {record.sequence_number}\\n".encode())

StreamPoller(
    arn,
    router,
    checkpoints=SQLiteCheckpoints(database),
    endpoint_url=endpoint,
    region_name="us-east-1",
    settings=Settings(idle=0.05, idle_max=0.2, discovery=5.0),
    concurrency=8,
    takeover=True,  # the one that was killed is not waited for
).run(install_signals=True)
"""


@dataclass
class Report:
    """What a run came to; `check` raises if a promise is broken."""

    written: int = 0
    lines: int = 0
    delivered: int = 0
    duplicates: int = 0
    kills: int = 0
    rollovers: int = 0
    expiries: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    missing: list[tuple[str, int]] = field(default_factory=list)
    out_of_order: list[tuple[str, int]] = field(default_factory=list)
    exit_code: int | None = None

    def check(self) -> None:
        assert self.missing == [], f"{len(self.missing)} writes were not delivered"
        assert self.out_of_order == [], f"{len(self.out_of_order)} changes came out of order"
        assert self.exit_code == 0, "the reader did not end well"


class Live:
    """One run."""

    def __init__(
        self, *, writes: int, kills: int, chance: float, seed: int, folder: Path, items: int = 200
    ) -> None:
        self.writes, self.kills, self.chance, self.items = writes, kills, chance, items
        self.random = random.Random(seed)
        self.seed = seed
        self.folder = folder
        self.report = Report()
        self.process: subprocess.Popen[bytes] | None = None
        self._versions = [0] * items

    def run(self, server: DynamoDBLocal) -> Report:
        began = time.monotonic()
        with (
            server.table() as table,
            FaultProxy(server.port, chance=self.chance, seed=self.seed) as proxy,
        ):
            self._start(proxy, table)
            writers = [
                threading.Thread(target=self._write, args=(server, table, index))
                for index in range(4)
            ]
            for writer in writers:
                writer.start()
            try:
                self._trouble(server, proxy, table, writers)
                self._wait_for_faults(proxy)
                proxy.chance = 0.02  # never quite well again
                self._wait_for_all()
                self._stop()
            finally:
                if self.process is not None and self.process.poll() is None:
                    self.process.kill()
                    self.process.wait()
            self.report.faults = dict(proxy.counts)
        self._judge()
        self.report.seconds = time.monotonic() - began
        return self.report

    def _start(self, proxy: FaultProxy, table: Table) -> None:
        files = [self.folder / name for name in ("positions.db", "delivered.txt", "reader.log")]
        arguments = [proxy.endpoint_url, table.stream_arn, *map(str, files)]
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "PYTHONPATH": str(ROOT / "src"),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = subprocess.Popen([sys.executable, "-c", READER, *arguments], env=environment)

    def _write(self, server: DynamoDBLocal, table: Table, index: int) -> None:
        client = server.client("dynamodb")
        mine = range(index, self.items, 4)
        left = self.writes // 4
        keys = itertools.cycle(mine)
        while left > 0:
            batch = [next(keys) for _ in range(min(25, left, len(mine)))]
            left -= len(batch)
            puts = []
            for key in batch:
                self._versions[key] += 1
                item = {"PK": "p", "SK": f"item-{key}"}
                wire: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
                wire["n"] = {"N": str(self._versions[key])}
                puts.append({"PutRequest": {"Item": wire}})
            client.batch_write_item(RequestItems={table.name: puts})
            time.sleep(0.01)

    def _trouble(
        self,
        server: DynamoDBLocal,
        proxy: FaultProxy,
        table: Table,
        writers: list[threading.Thread],
    ) -> None:
        next_kill = time.monotonic() + self.random.uniform(2, 4)
        next_change = time.monotonic() + 1.0
        hours = 0
        while self.report.kills < self.kills or any(writer.is_alive() for writer in writers):
            time.sleep(0.05)
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the reader ended by itself: {self.process.returncode}")
            now = time.monotonic()
            if now >= next_kill and self.report.kills < self.kills:
                os.kill(self.process.pid, signal.SIGKILL)
                self.process.wait()
                self.report.kills += 1
                next_kill = now + self.random.uniform(1.5, 5.0)
                self._start(proxy, table)
            if now >= next_change:
                next_change = now + self.random.uniform(0.8, 2.5)
                # Four hours of age in all would roll over, 24 would trim: 14 are enough to expire.
                if hours < 14 and self.random.random() < 0.3:
                    hours += 1
                    server.control.dilate(1)
                    self.report.expiries += 1
                else:
                    server.control.rollover()
                    self.report.rollovers += 1

    def _wait_for_faults(self, proxy: FaultProxy) -> None:
        """On a slow machine the writers are done before a reader has begun."""
        until = time.monotonic() + 60
        while self.chance and sum(proxy.counts.values()) < 10 and time.monotonic() < until:
            time.sleep(0.1)

    def _wait_for_all(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and self._count() < sum(self._versions):
            time.sleep(0.5)

    def _deliveries(self) -> list[tuple[str, int]]:
        path = self.folder / "delivered.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def _count(self) -> int:
        return len(set(self._deliveries()))

    def _stop(self) -> None:
        assert self.process is not None
        log, until = self.folder / "reader.log", time.monotonic() + 60
        while f" {self.process.pid} stream " not in log.read_text():  # it is not up yet
            assert time.monotonic() < until, "the reader does not start"
            time.sleep(0.1)
        self.process.terminate()
        self.report.exit_code = self.process.wait(60)

    def _judge(self) -> None:
        report = self.report
        deliveries = self._deliveries()
        report.written, report.lines = sum(self._versions), len(deliveries)
        seen: dict[str, int] = {}
        known: set[tuple[str, int]] = set()
        for name, version in deliveries:
            if (name, version) in known:
                report.duplicates += 1
                continue
            known.add((name, version))
            if version < seen.get(name, 0):
                report.out_of_order.append((name, version))
            seen[name] = max(version, seen.get(name, 0))
        report.delivered = len(known)
        report.missing = [
            (f"item-{key}", version)
            for key, last in enumerate(self._versions)
            for version in range(1, last + 1)
            if (f"item-{key}", version) not in known
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--chance", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the reader's log and deliveries")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, DynamoDBLocal(fetch()) as server:
        live = Live(
            writes=arguments.writes,
            kills=arguments.kills,
            chance=arguments.chance,
            seed=arguments.seed,
            folder=arguments.keep or Path(scratch),
        )
        report = live.run(server)
    shown = {**vars(report), "missing": len(report.missing)}
    text = json.dumps({**shown, "out_of_order": len(report.out_of_order)}, indent=1)
    sys.stdout.write(text + "\n")
    report.check()


if __name__ == "__main__":
    main()
