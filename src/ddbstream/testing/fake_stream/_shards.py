"""The shards of a fake stream: what they hold, and what is left of it as time passes.

Rules, as DynamoDB Local and AWS's documentation have them

* A record is kept for the retention (24 hours). A closed shard leaves when its last record has, and
  stays in the listing a while longer.
* An empty closed shard has an ending number that no record has.
* An iterator made from a sequence number fails once a record after it is trimmed. One made from the
  horizon does not: it silently starts at what is left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

__all__ = ["FakeShard", "StreamData"]


@dataclass
class FakeShard:
    """One shard, with everything ever written to it."""

    shard_id: str
    parent_id: str | None
    low: int
    high: int
    """The part of the key space that it takes: ``low <= hash of the key < high``."""
    created_at: float
    starting: int
    order: tuple[int, str] = (0, "")
    """Its place in listings."""
    ending: int | None = None
    closed_at: float | None = None
    listed_from: float = 0.0
    """When listings begin to show it."""
    ending_listed_from: float = 0.0
    """When listings begin to show its ending."""
    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, time: float, record: dict[str, Any]) -> None:
        """Append a record."""
        self.numbers.append(number)
        self.times.append(time)
        self.records.append(record)

    def first_kept(self, horizon: float) -> int:
        """Index of the oldest record that is not trimmed."""
        return bisect_left(self.times, horizon)

    def index_after(self, number: int) -> int:
        """Index of the first record with a higher number."""
        return bisect_right(self.numbers, number)

    def is_gone(self, horizon: float) -> bool:
        """Whether it can no longer be read."""
        return self.closed_at is not None and self.closed_at < horizon


@dataclass
class StreamData:
    """One stream of a table: a table that enabled its stream twice has two."""

    arn: str
    label: str
    status: str = "ENABLED"
    shards: dict[str, FakeShard] = field(default_factory=dict)
    ended_at: float | None = None

    def open_shards(self) -> list[FakeShard]:
        """Shards that take writes."""
        return [shard for shard in self.shards.values() if shard.ending is None]

    def shard_for(self, keys: Mapping[str, Any]) -> FakeShard:
        """The open shard that takes an item's changes."""
        text = "|".join(f"{name}={keys[name]!r}" for name in sorted(keys))
        place = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
        return next(s for s in self.open_shards() if s.low <= place < s.high)
