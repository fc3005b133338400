"""DynamoDB Local with its test control on: AWS's own engine, its shards and clock at our command.

The emulator is fetched as `ddbstream.testing` does it, into ``.cache/`` (ignored by git).

One server serves one pytest worker, because the test control acts on every table of its server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from ddbstream.testing._dynamodb_local import Unavailable, fetched, free_port, is_up, java_flags
from ddbstream.testing._stream_table import make_table
from tests.support.missing import missing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import RecordTypeDef

CACHE = Path(__file__).parents[2] / ".cache" / "dynamodb-local" / "1.25.1"
LAUNCHER = Path(__file__).with_name("DynamoDBLocalLauncher.java")

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]


def fetch() -> Path:
    """The folder with the emulator's jars, fetched the first time; else as `missing` says."""
    try:
        return fetched(CACHE)
    except Unavailable as error:
        missing(str(error))


@dataclass(frozen=True)
class Control:
    """The emulator's test control; both commands act on every table of the server."""

    _client: DynamoDBClient

    def rollover(self) -> None:
        """Close every open shard and open a child of each, as AWS does about every four hours."""
        self._say(ACTION={"S": "ROLLOVER"})

    def dilate(self, hours: int) -> None:
        """Age the world by ``hours`` (at least 1).

        Every iterator handed out before is then expired; from 4 hours on shards roll over; from 24
        on records and shards are trimmed.
        """
        self._say(ACTION={"S": "DILATE_TIME"}, HOURS={"S": str(hours)})

    def _say(self, **item: Any) -> None:
        self._client.put_item(TableName="[TEST_CONTROL]", Item=item)


@dataclass(frozen=True)
class Table:
    """A table with a stream: ``PK`` and ``SK``, both text, as in the single-table examples."""

    name: str
    stream_arn: str
    _client: DynamoDBClient = field(repr=False)

    def put(self, item: dict[str, Any]) -> None:
        self._client.put_item(TableName=self.name, Item=item)

    def delete(self, pk: str, sk: str) -> None:
        self._client.delete_item(TableName=self.name, Key={"PK": {"S": pk}, "SK": {"S": sk}})


class DynamoDBLocal:
    """A running server. ``stop()`` it, or use it as a context manager."""

    region = "us-east-1"

    def __init__(self, jars: Path) -> None:
        java = shutil.which("java")
        if java is None:
            missing("DynamoDB Local needs Java 17 or newer, and there is no java on the PATH")
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self.port = free_port()
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [
                java,
                *java_flags(jars),
                "-cp",
                os.pathsep.join(
                    [str(jars / "DynamoDBLocal.jar"), str(jars / "DynamoDBLocal_lib/*")]
                ),
                str(LAUNCHER),
                str(self.port),
            ],
            stdin=subprocess.PIPE,  # the launcher ends when this closes: even if pytest is killed
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_up()
            self.dynamodb: DynamoDBClient = self.client("dynamodb")
            self.streams: DynamoDBStreamsClient = self.client("dynamodbstreams")
        except BaseException:
            self.stop()
            raise
        self.control = Control(self.dynamodb)

    def client(self, service: Literal["dynamodb", "dynamodbstreams"], **config: Any) -> Any:
        """A boto3 client of this server: false credentials, one attempt, so that errors show."""
        settings: dict[str, Any] = {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": 5,
            "read_timeout": 20,
            **config,
        }
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(**settings),
        )

    @contextlib.contextmanager
    def table(
        self, view_type: ViewType = "NEW_AND_OLD_IMAGES", *, ttl: str | None = None, name: str = ""
    ) -> Iterator[Table]:
        """A new table with a stream, deleted at the end. ``ttl``: an attribute of epoch seconds."""
        name = name or f"table-{uuid.uuid4().hex[:12]}"
        made = make_table(self.dynamodb, name, ("PK", "SK"), view_type)
        if ttl is not None:
            self.dynamodb.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl},
            )
        try:
            yield Table(name, made["LatestStreamArn"], self.dynamodb)
        finally:
            self.dynamodb.delete_table(TableName=name)

    def read_all(self, stream_arn: str) -> list[RecordTypeDef]:
        """Every record now in the stream, parents before children.

        Reads a closed shard to its end, an open one to its first empty page, which on this emulator
        (and not on AWS) means that nothing more is there.
        """
        records: list[RecordTypeDef] = []
        shards = self.streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]
        # One shard at a time and no split, so the order of creation is the order of lineage.
        for shard in sorted(shards, key=lambda shard: shard["ShardId"]):
            iterator: str | None = self.streams.get_shard_iterator(
                StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = self.streams.get_records(ShardIterator=iterator)
                records += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return records

    def stop(self) -> None:
        """Stop the server; again is no error."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> DynamoDBLocal:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wait_until_up(self) -> None:
        if is_up(self._process, self.port):
            return
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-2000:]
        raise RuntimeError(f"DynamoDB Local did not start (it needs Java 17 or newer):\n{said}")


def eventually(
    check: Callable[[], Sequence[Any]], count: int, *, seconds: float = 15.0
) -> Sequence[Any]:
    """Call ``check`` until it gives ``count`` things; for what the server does by itself."""
    until = time.monotonic() + seconds
    while len(found := check()) < count:
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds} s for {count}, got {len(found)}")
        time.sleep(0.1)
    return found
