"""The shards of a fake stream: what they hold, and what is left of it as time passes.

Rules, as DynamoDB Local and AWS's documentation have them

* A record is kept for the retention (24 hours). A closed shard leaves when its last record has, and
  stays in the listing a while longer.
* An empty closed shard has an ending number that no record has.
* An iterator made from a sequence number fails once a record after it is trimmed. One made from the
  horizon does not: it silently starts at what is left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import attrgetter
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
    latest: list[float] = field(default_factory=list)
    """The latest of the times so far, at each record: a clock may be set back."""
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, time: float, record: dict[str, Any]) -> None:
        """Append a record."""
        self.numbers.append(number)
        self.latest.append(max(time, self.latest[-1]) if self.latest else time)
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
    """One stream of a table: a table that enabled its stream twice has two.

    Whatever is asked for is found by a search, or in time that grows with the answer, so that a
    stream of thousands of shards is no slower a shard than one of ten.

    Attributes:
        created_at: In epoch seconds.
        shards: By their ids, in order of creation.
        log: Shard and place of every record ever written, in order.
    """

    arn: str
    label: str
    created_at: float
    status: str = "ENABLED"
    shards: dict[str, FakeShard] = field(default_factory=dict)
    ended_at: float | None = None
    log: list[tuple[FakeShard, int]] = field(default_factory=list)
    _open: dict[str, FakeShard] = field(default_factory=dict)
    _lows: list[int] = field(default_factory=list)  # of the open shards, ascending
    _at_low: dict[int, FakeShard] = field(default_factory=dict)
    _listing: list[FakeShard] = field(default_factory=list)  # by their order in listings
    _children: dict[str, list[FakeShard]] = field(default_factory=dict)

    def open(self, shard: FakeShard) -> None:
        """Take in a shard that takes writes."""
        self.shards[shard.shard_id] = self._open[shard.shard_id] = shard
        insort(self._lows, shard.low)
        self._at_low[shard.low] = shard
        insort(self._listing, shard, key=_order)
        if shard.parent_id is not None:
            insort(self._children.setdefault(shard.parent_id, []), shard, key=_order)

    def close(self, shard: FakeShard, *, ending: int, at: float) -> None:
        """Have a shard take no more writes."""
        shard.ending, shard.closed_at = ending, at
        del self._open[shard.shard_id], self._at_low[shard.low]
        del self._lows[bisect_left(self._lows, shard.low)]

    def add(self, number: int, time: float, record: dict[str, Any]) -> None:
        """Append a record to the open shard that takes its item's changes."""
        shard = self.shard_for(record["dynamodb"]["Keys"])
        self.log.append((shard, len(shard.records)))
        shard.add(number, time, record)

    def open_shards(self) -> list[FakeShard]:
        """Shards that take writes, in order of creation."""
        return list(self._open.values())

    def shard_for(self, keys: Mapping[str, Any]) -> FakeShard:
        """The open shard that takes an item's changes."""
        text = "|".join(f"{name}={keys[name]!r}" for name in sorted(keys))
        place = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
        return self._at_low[self._lows[bisect_right(self._lows, place) - 1]]

    def listed(
        self, after: tuple[int, str], count: int, *, gone: float, parent: str | None = None
    ) -> tuple[list[FakeShard], bool]:
        """Shards of a listing behind a place in it, and whether there are more.

        Args:
            after: The place.
            count: At most so many.
            gone: Shards that were gone by then are left out.
            parent: Only children of this shard.
        """
        shards = self._listing if parent is None else self._children.get(parent, [])
        found: list[FakeShard] = []
        for index in range(bisect_right(shards, after, key=_order), len(shards)):
            if shards[index].is_gone(gone):
                continue
            if len(found) == count:
                return found, True
            found.append(shards[index])
        return found, False

    def is_left(self, horizon: float) -> bool:
        """Whether it can still be read."""
        return self.ended_at is None or self.ended_at >= horizon


_order = attrgetter("order")
