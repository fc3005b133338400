"""Replay and backfill against AWS's own engine: real shards, real numbers, real trimming; and
killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ddbstream import StreamRecord, StreamRouter
from ddbstream.export import SQLiteProgress, backfill
from ddbstream.replay import MemoryProgress, ReplayHandler, replay
from ddbstream.testing import on_failure_message, sqs_event
from tests.support.dynamodb_local import DynamoDBLocal, Table

pytestmark = pytest.mark.dynamodb_local


def fill(table: Table, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        table.put(
            {"PK": {"S": f"{number:04d}"}, "SK": {"S": "x"}, "raw": {"B": bytes([number % 256])}}
        )


def messages(
    server: DynamoDBLocal, table: Table, size: int, **changes: Any
) -> list[dict[str, Any]]:
    """An on-failure message about each ``size`` records of the stream, shard by shard."""
    made = []
    shards = server.streams.describe_stream(StreamArn=table.stream_arn)["StreamDescription"][
        "Shards"
    ]
    for shard in shards:
        iterator: str | None = server.streams.get_shard_iterator(
            StreamArn=table.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records: list[Any] = []
        while iterator:
            page = server.streams.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator") if page["Records"] else None
        for first in range(0, len(records), size):
            message = on_failure_message(
                records[first : first + size],
                stream_arn=table.stream_arn,
                shard_id=shard["ShardId"],
            )
            message["DDBStreamBatchInfo"].update(changes)
            made.append(message)
    return made


class Seen:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.router = StreamRouter()
        self.router.on_change()(self.take)

    def take(self, record: StreamRecord[Any]) -> None:
        assert record.new["raw"] == bytes([int(record.keys["PK"]) % 256])  # type: ignore[attr-defined]
        self.names.append(record.keys["PK"])


def names(count: int, start: int = 0) -> list[str]:
    return [f"{number:04d}" for number in range(start, start + count)]


def test_failed_batches_come_back_from_shards_open_and_closed(
    dynamodb_local: DynamoDBLocal, local_table: Table
) -> None:
    fill(local_table, 10)
    dynamodb_local.control.rollover()
    fill(local_table, 10, start=10)
    failed = messages(dynamodb_local, local_table, 4)
    seen, reports, store = Seen(), [], MemoryProgress()
    handler = ReplayHandler(
        seen.router, client=dynamodb_local.streams, progress=store, on_report=reports.append
    )
    assert handler(sqs_event(*reversed(failed)), None) == {"batchItemFailures": []}
    assert seen.names == names(20)
    assert handler(sqs_event(*failed), None) == {"batchItemFailures": []}
    assert seen.names == names(20)
    assert [(report.records, report.gaps) for report in reports] == [(20, []), (0, [])]


def test_what_is_trimmed_is_a_gap_and_the_rest_comes_back() -> None:
    # A server of its own: the clock of the shared one is not to be moved by a day.
    from tests.support.dynamodb_local import fetch

    with DynamoDBLocal(fetch()) as server, server.table() as table:
        fill(table, 5)
        server.control.dilate(2)
        fill(table, 5, start=5)
        old = datetime.now(timezone.utc) - timedelta(days=2)
        failed = messages(
            server, table, 10, approximateArrivalOfLastRecord=f"{old:%Y-%m-%dT%H:%M:%SZ}"
        )
        server.control.dilate(23)
        seen = Seen()
        report = replay(failed, seen.router, client=server.streams)
        assert seen.names == names(5, start=5)
        (gap,) = report.gaps
        assert (gap.missing, gap.reason) == (5, "trimmed")
        assert gap.start_sequence_number == failed[0]["DDBStreamBatchInfo"]["startSequenceNumber"]
        server.control.dilate(40)
        report = replay(failed, seen.router, client=server.streams)
        assert len(seen.names) == 5
        (gap,) = report.gaps
        assert (gap.missing, gap.reason in {"trimmed", "gone"}) == (10, True)


KILLED = """
import os, sys
from ddbstream import StreamRouter
from ddbstream.export import SQLiteProgress, backfill
from ddbstream.replay import replay
from pathlib import Path

what, endpoint, table, store, out, limit = sys.argv[1:]
router, handled = StreamRouter(), 0
log = open(out, "a", buffering=1)

@router.on_insert()
def take(record):
    global handled
    if handled == int(limit):
        os._exit(9)
    handled += 1
    log.write(record.keys["PK"] + "\\n")

progress, at = SQLiteProgress(store), {"endpoint_url": endpoint, "region_name": "us-east-1"}
if what == "replay":
    report = replay(Path(table), router, progress=progress, **at)
else:
    report = backfill(table, router, progress=progress, segments=1, page_size=7, **at)
log.close()
assert report.ok, report
"""


@pytest.mark.parametrize("what", ["replay", "backfill"])
def test_killed_again_and_again_nothing_is_lost(
    dynamodb_local: DynamoDBLocal, local_table: Table, tmp_path: Path, what: str
) -> None:
    fill(local_table, 40)
    script, source = tmp_path / "work.py", tmp_path / "failures.jsonl"
    script.write_text(KILLED)
    failed = messages(dynamodb_local, local_table, 6)
    source.write_text("".join(f"{json.dumps(message)}\n" for message in failed))
    named = str(source) if what == "replay" else local_table.name
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    codes = []
    for limit in ("3", "0", "17", "11", "1000"):
        arguments = [
            dynamodb_local.endpoint_url,
            named,
            str(tmp_path / "p.db"),
            str(tmp_path / "out"),
        ]
        run = subprocess.run(
            [sys.executable, str(script), what, *arguments, limit],
            check=False,
            capture_output=True,
            env=environment,
        )
        codes.append(run.returncode)
    assert codes == [9, 9, 9, 9, 0], run.stderr.decode()
    handled = (tmp_path / "out").read_text().split()
    assert sorted(set(handled)) == names(40)
    assert len(handled) <= 40 + 4 * 7


def test_a_backfill_reads_a_table_in_parallel(
    dynamodb_local: DynamoDBLocal, local_table: Table, tmp_path: Path
) -> None:
    fill(local_table, 50)
    seen = Seen()
    options: dict[str, Any] = {
        "segments": 4,
        "page_size": 5,
        "progress": SQLiteProgress(tmp_path / "p"),
    }
    report = backfill(local_table.name, seen.router, client=dynamodb_local.dynamodb, **options)
    assert sorted(seen.names) == names(50)
    assert (report.records, report.finished) == (50, 4)
    assert (
        backfill(local_table.name, seen.router, client=dynamodb_local.dynamodb, **options).records
        == 0
    )
