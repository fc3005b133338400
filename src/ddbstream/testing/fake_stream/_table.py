"""The table behind a fake stream: what writes do to its shards, and what closes and opens them."""

from __future__ import annotations

import json
import random
import threading
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal

from ddbstream.testing.clock import FakeClock
from ddbstream.testing.fake_stream._errors import Exceptions
from ddbstream.testing.fake_stream._faults import Answer, Faults, Troubles
from ddbstream.testing.fake_stream._shards import FakeShard, StreamData

__all__ = ["FakeTable", "ViewType"]

_SPACE = 1 << 32  # of the hash of an item's key

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]


class FakeTable:
    """The table's side of `FakeStream`, which explains the arguments."""

    def __init__(  # noqa: PLR0913 - what a stream in a test may be like
        self,
        table: str = "Table",
        *,
        keys: tuple[str, ...] = ("PK",),
        view_type: ViewType = "NEW_AND_OLD_IMAGES",
        clock: FakeClock | None = None,
        seed: int = 0,
        faults: Faults | None = None,
        shards: int = 1,
        page_shards: int = 100,
        page_records: int = 1000,
        shuffled: bool = False,
        retention: float = 86_400.0,
        first_sequence_number: int = 999_999_999_999_999_999_900,
        supports_at_timestamp: bool = True,
        supports_shard_filter: bool = True,
        region: str = "us-east-1",
    ) -> None:
        self.table = table
        self.clock = clock if clock is not None else FakeClock()
        self.exceptions = Exceptions()
        self.supports_at_timestamp = supports_at_timestamp
        self.supports_shard_filter = supports_shard_filter
        self.calls: dict[str, int] = {}
        """How often each operation was called."""
        self._keys = keys
        self._view_type = view_type
        self._page_shards = page_shards
        self._shuffled = shuffled
        self._page_records = page_records
        self._retention = retention
        self._region = region
        self._number = first_sequence_number
        self._ids = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._troubles = Troubles(seed, faults if faults is not None else Faults())
        self._lock = threading.RLock()
        self._items: dict[str, dict[str, Any]] = {}
        self._streams: list[StreamData] = []
        self._first_shards = shards
        self._events = 0
        self.iterators_valid_from = 0.0
        self.enable()

    # The table's side

    @property
    def arn(self) -> str:
        """The ARN of the table's newest stream (``LatestStreamArn``)."""
        return self._streams[-1].arn

    @property
    def faults(self) -> Faults:
        """How often what goes wrong; to be set at any time."""
        return self._troubles.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._troubles.faults = faults

    def put(self, item: Mapping[str, Any]) -> str | None:
        """Write an item (in wire form), as `PutItem` does.

        Returns:
            The record's sequence number; None if the item was there already, which makes no record.
        """
        with self._lock:
            keys = {name: item[name] for name in self._keys}
            old = self._items.get(json.dumps(keys, sort_keys=True, default=repr))
            if old == item:
                return None
            self._items[json.dumps(keys, sort_keys=True, default=repr)] = dict(item)
            return self._append("MODIFY" if old else "INSERT", keys, dict(item), old)

    def delete(self, item: Mapping[str, Any], *, by_ttl: bool = False) -> str | None:
        """Delete an item by its key attributes, as `DeleteItem` or Time to Live does.

        Returns:
            The record's sequence number; None if there was no such item.
        """
        with self._lock:
            keys = {name: item[name] for name in self._keys}
            old = self._items.pop(json.dumps(keys, sort_keys=True, default=repr), None)
            if old is None:
                return None
            identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
            return self._append("REMOVE", keys, None, old, identity if by_ttl else None)

    def _append(
        self,
        name: str,
        keys: dict[str, Any],
        new: dict[str, Any] | None,
        old: dict[str, Any] | None,
        identity: dict[str, str] | None = None,
    ) -> str:
        number, now = self._next_number(), self.clock.time()
        stream = self._streams[-1]
        if stream.status != "ENABLED":
            return str(number)
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": datetime.fromtimestamp(int(now), timezone.utc),
            "Keys": keys,
            "SequenceNumber": str(number),
            "SizeBytes": len(repr((keys, new, old))),
            "StreamViewType": self._view_type,
        }
        if new is not None and self._view_type in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            change["NewImage"] = new
        if old is not None and self._view_type in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            change["OldImage"] = old
        self._events += 1
        record = {
            "eventID": f"{self._events:032x}",
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": change,
        }
        if identity is not None:
            record["userIdentity"] = identity
        stream.shard_for(keys).add(number, now, record)
        return str(number)

    # The shards

    def roll_over(self) -> None:
        """Close every open shard and open a child of each, as happens about every four hours."""
        with self._lock:
            stream = self._streams[-1]
            for shard in stream.open_shards():
                self._close(shard)
                self._open(stream, shard.low, shard.high, shard.shard_id)

    def split(self, shard_id: str | None = None) -> None:
        """Close an open shard (the first, by default) and open two children of it, as load does."""
        with self._lock:
            stream = self._streams[-1]
            shard = stream.shards[shard_id] if shard_id else stream.open_shards()[0]
            middle = (shard.low + shard.high) // 2
            self._close(shard)
            self._open(stream, shard.low, middle, shard.shard_id)
            self._open(stream, middle, shard.high, shard.shard_id)

    def open_shards(self) -> list[str]:
        """Ids of the shards that take writes."""
        return [shard.shard_id for shard in self._streams[-1].open_shards()]

    def expire_iterators(self) -> None:
        """Expire every iterator handed out so far, as 15 minutes do."""
        self.clock.advance(0.001)
        self.iterators_valid_from = self.clock.time()

    def disable(self) -> None:
        """Disable the stream: its shards close; it can be read for 24 hours more."""
        with self._lock:
            stream = self._streams[-1]
            for shard in stream.open_shards():
                self._close(shard)
            stream.status, stream.ended_at = "DISABLED", self.clock.time()

    def enable(self) -> str:
        """Enable the stream (again): a new ARN, with new shards. Returns it."""
        with self._lock:
            if self._streams and self._streams[-1].status == "ENABLED":
                raise ValueError("the stream is enabled already")
            now = self.clock.time() + len(self._streams) / 1000  # labels differ, whatever the clock
            label = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
            arn = f"arn:aws:dynamodb:{self._region}:000000000000:table/{self.table}/stream/{label}"
            stream = StreamData(arn, label)
            self._streams.append(stream)
            step = _SPACE // self._first_shards
            for index in range(self._first_shards):
                high = _SPACE if index == self._first_shards - 1 else (index + 1) * step
                self._open(stream, index * step, high, None)
            return arn

    def fail(self, operation: str, answer: Answer, *, times: int = 1) -> None:
        """Have the next calls of an operation fail.

        Args:
            operation: ``DescribeStream``, ``GetShardIterator`` or ``GetRecords``.
            answer: An AWS error code, ``"reset"`` (the connection breaks), or ``"cut"`` (the body
                of a 200 is cut off; botocore makes ``{}`` of it).
            times: How many calls.
        """
        self._troubles.plan(operation, answer, times)

    def _next_number(self) -> int:
        self._number += self._ids.randint(1, 9)  # gaps are normal
        return self._number

    def _open(self, stream: StreamData, low: int, high: int, parent: str | None) -> None:
        now = self.clock.time()
        shard_id = f"shardId-{int(now * 1000):020d}-{self._ids.getrandbits(32):08x}"
        shard = FakeShard(shard_id, parent, low, high, now, self._next_number())
        shard.order = self._order(shard_id)
        shard.listed_from = now + (self._troubles.delay() if parent else 0.0)
        stream.shards[shard_id] = shard

    def _close(self, shard: FakeShard) -> None:
        shard.ending = self._next_number()
        shard.closed_at = self.clock.time()
        shard.ending_listed_from = shard.closed_at + self._troubles.delay()

    def _order(self, shard_id: str) -> tuple[int, str]:
        return (zlib.crc32(shard_id.encode()) if self._shuffled else 0, shard_id)
