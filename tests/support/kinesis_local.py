"""A Kinesis of this machine with shards that really split and merge: ``kinesis_local.js`` in Node.

And changes as DynamoDB puts them into such a stream, which no emulator of DynamoDB does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.missing import missing

PROGRAM = Path(__file__).with_name("kinesis_local.js")


class KinesisLocal:
    """A running server. ``stop()`` it, or use it as a context manager."""

    region = "us-east-1"

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            missing("the local Kinesis needs Node, and there is no node on the PATH")
        self._process = subprocess.Popen(
            [node, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("the local Kinesis did not start")
        ports = json.loads(line)
        self.endpoint_url = f"http://127.0.0.1:{ports['http1']}"
        # For the KCL, whose SDK asks over HTTP/2 without asking first.
        self.kcl_endpoint_url = f"http://127.0.0.1:{ports['http2']}"
        self.client: Any = boto3.client(
            "kinesis",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )

    def stop(self) -> None:
        """Stop the server; again is no error."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait(10)

    def __enter__(self) -> KinesisLocal:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def change(
    keys: Mapping[str, Any],
    *,
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    created: int,
    table: str = "Catalogue",
    event_id: str | None = None,
) -> bytes:
    """A change as DynamoDB puts it into a Kinesis stream, of wire items.

    Args:
        keys: The item's.
        new: Its new image; None removes it.
        old: Its old image; None inserts it.
        created: Microseconds since 1970.
        table: The table's name.
        event_id: Made up if not given.
    """
    name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    images = {
        image: value for image, value in (("NewImage", new), ("OldImage", old)) if value is not None
    }
    return json.dumps(
        {
            "awsRegion": "us-east-1",
            "eventID": event_id or str(uuid.uuid4()),
            "eventName": name,
            "userIdentity": None,
            "recordFormat": "application/json",
            "tableName": table,
            "dynamodb": {
                "ApproximateCreationDateTime": created,
                "ApproximateCreationDateTimePrecision": "MICROSECOND",
                "Keys": keys,
                **images,
                "SizeBytes": 100,
            },
            "eventSource": "aws:dynamodb",
        }
    ).encode()
