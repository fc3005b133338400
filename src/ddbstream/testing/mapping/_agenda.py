"""Which partition is worked on next.

Rules

* What is due first comes first. What is due at once takes turns, as the partitions of a shard would
  run side by side.
* A partition whose shard descends from one that is not done waits for it.

Theory of operation

A partition is in one place: due later (a heap by time), due now (a heap by turns), or behind the
nearest ancestor that is not done. It is moved when something happens to it, and what was noted of
it before is void then: an entry of a heap is good as long as its number is the partition's latest.
A shard that is found to have no ancestor left to wait for is *clear* for good, as its ancestors are
closed: a line of a thousand shards is walked once, and not once a shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import TypeVar

from ddbstream.testing.mapping._partition import Partition

__all__ = ["Agenda"]

_Key = TypeVar("_Key", float, int)
_Heap = list[tuple[_Key, int, int, Partition]]


class Agenda:
    """The partitions that have something to do.

    Args:
        parent_of: The shard that a shard came from, if any.
    """

    def __init__(self, parent_of: Callable[[str], str | None]) -> None:
        self._parent_of = parent_of
        self._order: dict[Partition, int] = {}  # of their first appearance
        self._latest: dict[Partition, int] = {}
        self._busy: dict[str, set[Partition]] = {}
        self._clear: set[str] = set()
        self._later: _Heap[float] = []
        self._now: _Heap[int] = []
        self._behind: dict[str, list[Partition]] = {}
        self._count = 0

    def touch(self, partition: Partition) -> None:
        """Something happened to a partition: records came, or it was worked on."""
        shard_id = partition.shard_id
        busy = self._busy.setdefault(shard_id, set())
        if partition.waiting or partition.work:
            busy.add(partition)
            self._clear.discard(shard_id)
        else:
            busy.discard(partition)
        self._place(partition)
        if not busy:
            self._place_all(self._behind.pop(shard_id, ()))

    def next(self, now: float, ends: float | None) -> tuple[float, Partition] | None:
        """The partition to work on, and when; None if nothing is left to do until it ends.

        What is due only after that stays where it is: the next run begins before its time.
        """
        self._ripen(now)
        if not self._now and self._later:
            now = self._later[0][0]
            if ends is not None and now > ends:
                return None
            self._ripen(now)
        return (now, self._now[0][-1]) if self._now else None

    def _place_all(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._place(partition)

    def _place(self, partition: Partition) -> None:
        self._count += 1
        self._latest[partition] = self._count
        order = self._order.setdefault(partition, len(self._order))
        due = partition.due_at()
        if due is None:
            return
        ancestor = self._unfinished_ancestor(partition.shard_id)
        if ancestor is not None:
            self._behind.setdefault(ancestor, []).append(partition)
            return
        heappush(self._later, (due, order, self._count, partition))

    def _unfinished_ancestor(self, shard_id: str) -> str | None:
        passed = []
        parent = self._parent_of(shard_id)
        while parent is not None and parent not in self._clear:
            if self._busy.get(parent):
                return parent
            passed.append(parent)
            parent = self._parent_of(parent)
        self._clear.update(passed)
        return None

    def _ripen(self, now: float) -> None:
        while self._later and (self._is_void(self._later[0]) or self._later[0][0] <= now):
            entry = heappop(self._later)
            if not self._is_void(entry):
                _, order, number, partition = entry
                heappush(self._now, (partition.steps, order, number, partition))
        while self._now and self._is_void(self._now[0]):
            heappop(self._now)

    def _is_void(self, entry: tuple[object, int, int, Partition]) -> bool:
        return self._latest[entry[-1]] != entry[2]
