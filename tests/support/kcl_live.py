"""The fleet for real: two MultiLangDaemons, killed again and again, over a stream that reshards.

    python -m tests.support.kcl_live --changes 20000 --kills 6

Writers put versions of items into a table of DynamoDB Local. What its stream says goes into a local
Kinesis of four shards, as DynamoDB's own destination would put it. Two ``ddbstream kcl run`` share
them; daemons and processors are killed with SIGKILL at random moments, a shard is split and two are
merged, and one item's handler fails for a while. In the end every change must have been handled,
each item's in order.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.dynamodb_local import DynamoDBLocal, Table, fetch
from tests.support.kinesis_local import KinesisLocal, change

ROOT = Path(__file__).parents[2]
STREAM = "changes"
APP = """
import json, os, pathlib, time
from ddbstream import StreamRouter

folder = pathlib.Path(__file__).parent
pause = float((folder / "pause").read_text())
file = os.open(folder / "handled.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
router = StreamRouter()

@router.on_change()
def handle(record):
    new = record.new
    if new["SK"] == "item-7" and (folder / "broken").exists():
        raise RuntimeError("it fails for a while")
    time.sleep(pause)  # so that a kill may come in the middle of a batch
    print(json.dumps({"action": "status", "responseFor": "processRecords"}))  # a handler may print
    os.write(file, f"{new['SK']} {new['n']}\\n".encode())
"""
# The KCL's own times are for fleets; these let a test see a fail-over in seconds.
PROPERTIES = {
    "failoverTimeMillis": 4000,
    "leaseAssignmentIntervalMillis": 1000,
    "shardSyncIntervalMillis": 2000,
    "idleTimeBetweenReadsInMillis": 200,
    "parentShardPollIntervalMillis": 500,
    "workerMetricsReporterFreqInMillis": 1000,
    "gracefulLeaseHandoffTimeoutMillis": 5000,
    "maxRecords": 500,
    "retrievalMode": "POLLING",
}


@dataclass
class Report:
    """What happened."""

    written: int = 0
    handled: int = 0
    calls: int = 0
    duplicates: int = 0
    kills: dict[str, int] = field(default_factory=lambda: {"daemon": 0, "processor": 0})
    restarts: int = 0
    shards: int = 0
    missing: list[tuple[str, int]] = field(default_factory=list)
    out_of_order: list[tuple[str, int]] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def check(self) -> None:
        """Raise unless nothing is lost and everything is in order."""
        assert not self.missing, f"{len(self.missing)} lost, such as {self.missing[:5]}"
        assert not self.out_of_order, f"out of order: {self.out_of_order[:5]}"
        assert not any(self.exit_codes), self.exit_codes


class Worker:
    """A ``ddbstream kcl run``, started again whenever it ends."""

    def __init__(self, name: str, folder: Path, arguments: list[str]) -> None:
        self.starts = 0
        self._name = name
        self._folder = folder
        self._arguments = arguments
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "PYTHONPATH": str(ROOT / "src"),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CBOR_ENABLED": "false",
            "DDBSTREAM_CACHE": str(ROOT / ".cache"),
            "JAVA_TOOL_OPTIONS": "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }
        with (self._folder / f"{self._name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ddbstream", "kcl", "run", *self._arguments],
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def keep_up(self) -> None:
        """Start it again if it has ended."""
        if self.process.poll() is not None:
            self.process = self._start()

    def daemon(self) -> int | None:
        """The process of its MultiLangDaemon."""
        return next(children(self.process.pid), None)

    def kill(self, what: str, chance: random.Random) -> bool:
        """SIGKILL its daemon, or one of the daemon's processors; False if there is none."""
        daemon = self.daemon()
        if daemon is None:
            return False
        processors = list(children(daemon))
        if not processors:
            return False
        if what == "processor":
            os.kill(chance.choice(processors), signal.SIGKILL)
            return True
        self.process.kill()  # as a machine that goes: the command, the daemon, the processors
        for process in (daemon, *processors):
            os.kill(process, signal.SIGKILL)
        self.process.wait()
        return True

    def stop(self) -> list[int]:
        """As a service manager would; the exit code, unless it had ended before."""
        if self.process.poll() is not None:
            return []
        self.process.terminate()
        return [self.process.wait(90)]

    def end(self) -> None:
        """Leave nothing behind."""
        for daemon in list(children(self.process.pid)):
            for process in (daemon, *children(daemon)):
                os.kill(process, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def children(parent: int) -> Iterator[int]:
    """The processes that a process has started (Linux)."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended meanwhile
            if int(status.rpartition(")")[2].split()[1]) == parent:
                yield int(folder.name)


class Live:
    """One run.

    Args:
        changes: How many are written.
        kills: How many times a daemon or a processor is killed.
        seed: Of the moments at which that happens.
        folder: Takes the app, its list of what is handled, and logs.
        items: How many items there are.
        broken: Seconds for which one item's handler fails, once the fleet handles.
        within: Seconds for all of it.
        pause: Seconds that the handler takes.
    """

    def __init__(
        self,
        *,
        changes: int,
        kills: int,
        seed: int,
        folder: Path,
        items: int = 200,
        broken: float = 8.0,
        within: float = 1500.0,
        pause: float = 0.0005,
    ) -> None:
        self.changes = changes
        self.kills = kills
        self.random = random.Random(seed)
        self.folder = folder
        self.items = items
        self.broken = broken
        self.within = within
        self.pause = pause
        self.report = Report()
        self._versions = [0] * items
        self._written = threading.Event()
        self._pumped = 0
        self._allowed = 0  # what may be pumped before the next trouble
        self._failed: list[BaseException] = []

    def run(self, server: DynamoDBLocal) -> Report:
        began = time.monotonic()
        (self.folder / "app.py").write_text(APP)
        (self.folder / "broken").touch()
        (self.folder / "pause").write_text(str(self.pause))
        with server.table() as table, KinesisLocal() as kinesis:
            kinesis.client.create_stream(StreamName=STREAM, ShardCount=4)
            threads = [
                threading.Thread(target=self._guard, args=(self._write, server, table)),
                threading.Thread(target=self._guard, args=(self._pump, server, table, kinesis)),
            ]
            for thread in threads:
                thread.start()
            workers = [self._worker(index, server, kinesis) for index in (1, 2)]
            try:
                self._trouble(workers, kinesis)
                self.report.exit_codes = [code for worker in workers for code in worker.stop()]
            finally:
                for worker in workers:
                    worker.end()
                self.changes = 0  # ends the threads
                for thread in threads:
                    thread.join()
            shards = kinesis.client.list_shards(StreamName=STREAM)["Shards"]
            self.report.shards = len(shards)
            self.report.restarts = sum(worker.starts - 1 for worker in workers)
        self._judge()
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    def _worker(self, index: int, server: DynamoDBLocal, kinesis: KinesisLocal) -> Worker:
        arguments = [
            "app:router",
            *("--stream", STREAM, "--application", f"fleet-{os.getpid()}"),
            *("--region", server.region, "--no-metrics", "--grace", "15"),
            *("--kinesis-endpoint", kinesis.kcl_endpoint_url),
            *("--dynamodb-endpoint", server.endpoint_url),
            *("--checkpoint-records", "50", "--checkpoint-seconds", "2"),
        ]
        for name, value in PROPERTIES.items():
            arguments += ["--set", f"{name}={value}"]
        return Worker(f"worker-{index}", self.folder, arguments)

    def _guard(self, work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self._failed.append(error)

    def _write(self, server: DynamoDBLocal, table: Table) -> None:
        client = server.client("dynamodb")
        keys = itertools.cycle(range(self.items))
        left = self.changes
        while left > 0 and self.changes:
            batch = [next(keys) for _ in range(min(25, left, self.items))]
            left -= len(batch)
            puts = []
            for key in batch:
                self._versions[key] += 1
                item = {"PK": {"S": "p"}, "SK": {"S": f"item-{key}"}}
                puts.append(
                    {"PutRequest": {"Item": {**item, "n": {"N": str(self._versions[key])}}}}
                )
            client.batch_write_item(RequestItems={table.name: puts})
            time.sleep(0.02)
        self._written.set()

    def _pump(self, server: DynamoDBLocal, table: Table, kinesis: KinesisLocal) -> None:
        """DynamoDB's Kinesis destination, which no emulator has: the stream's records, in order."""
        streams = server.client("dynamodbstreams")
        (shard,) = streams.describe_stream(StreamArn=table.stream_arn)["StreamDescription"][
            "Shards"
        ]
        iterator = streams.get_shard_iterator(
            StreamArn=table.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        created = int(time.time() * 1e6)
        while self._pumped < self.changes:
            if (room := min(500, self._allowed - self._pumped)) <= 0:
                time.sleep(0.05)
                continue
            page = streams.get_records(ShardIterator=iterator, Limit=room)
            iterator = page["NextShardIterator"]
            entries = []
            for record in page["Records"]:
                body = record["dynamodb"]
                created += 1
                data = change(
                    body["Keys"],
                    new=body.get("NewImage"),
                    old=body.get("OldImage"),
                    created=created,
                    table=table.name,
                    event_id=record["eventID"],
                )
                entries.append({"Data": data, "PartitionKey": body["Keys"]["SK"]["S"]})
            if entries:
                kinesis.client.put_records(StreamName=STREAM, Records=entries)
            self._pumped += len(entries)
            time.sleep(0.05)

    def _trouble(self, workers: list[Worker], kinesis: KinesisLocal) -> None:
        total, until = self.changes, time.monotonic() + self.within
        # Evenly over what is handled, so that each is in the middle of something. The fleet is not
        # given more than it is to handle until the next but one: no run is over before its trouble.
        steps = self.kills + 2
        due = [total * (step + 1) // (steps + 1) for step in range(steps)]
        actions = [self._kill] * self.kills
        for place, reshard in ((steps // 3, self._split), (2 * steps // 3, self._merge)):
            actions.insert(min(place, len(actions)), reshard)
        broken_until: float | None = None
        while (
            (handled := len(self._handled())) < total
            or actions
            or sum(worker.starts - 1 for worker in workers) < sum(self.report.kills.values())
        ):
            if self._failed:
                raise self._failed[0]
            if time.monotonic() > until:
                break  # the report says what is missing
            self._allowed = due[1] if len(due) > 1 else total
            if handled and broken_until is None:
                broken_until = time.monotonic() + self.broken
            if broken_until is not None and time.monotonic() > broken_until:
                (self.folder / "broken").unlink(missing_ok=True)
            for worker in workers:
                worker.keep_up()
            if actions and handled >= due[0] and actions[0](workers, kinesis):
                del actions[0], due[0]
            time.sleep(0.25)

    def _kill(self, workers: list[Worker], kinesis: KinesisLocal) -> bool:
        kills = self.report.kills
        what = "processor" if kills["processor"] <= kills["daemon"] else "daemon"
        killed = self.random.choice(workers).kill(what, self.random)
        kills[what] += killed
        return killed

    def _split(self, workers: list[Worker], kinesis: KinesisLocal) -> bool:
        shard = kinesis.client.list_shards(StreamName=STREAM)["Shards"][0]
        first, last = (int(end) for end in shard["HashKeyRange"].values())
        kinesis.client.split_shard(
            StreamName=STREAM,
            ShardToSplit=shard["ShardId"],
            NewStartingHashKey=str((first + last) // 2),
        )
        return True

    def _merge(self, workers: list[Worker], kinesis: KinesisLocal) -> bool:
        _, one, other, *_ = kinesis.client.list_shards(StreamName=STREAM)["Shards"]
        kinesis.client.merge_shards(
            StreamName=STREAM,
            ShardToMerge=one["ShardId"],
            AdjacentShardToMerge=other["ShardId"],
        )
        return True

    def _calls(self) -> list[tuple[str, int]]:
        path = self.folder / "handled.txt"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def _handled(self) -> set[tuple[str, int]]:
        return set(self._calls())

    def _judge(self) -> None:
        report, calls = self.report, self._calls()
        report.written, report.calls = sum(self._versions), len(calls)
        newest: dict[str, int] = {}
        known: set[tuple[str, int]] = set()
        for name, version in calls:
            if (name, version) in known:
                report.duplicates += 1
                continue
            known.add((name, version))
            if version < newest.get(name, 0):
                report.out_of_order.append((name, version))
            newest[name] = max(version, newest.get(name, 0))
        report.handled = len(known)
        report.missing = [
            (f"item-{key}", version)
            for key, last in enumerate(self._versions)
            for version in range(1, last + 1)
            if (f"item-{key}", version) not in known
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changes", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the app, its list and the logs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, DynamoDBLocal(fetch()) as server:
        live = Live(
            changes=arguments.changes,
            kills=arguments.kills,
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
