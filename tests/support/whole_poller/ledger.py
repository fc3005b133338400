"""What one consumer was promised, and what came of it: every rule is checked as things happen."""

from __future__ import annotations

import hashlib
from typing import Any

from ddbstream.poller._core.events import Gap
from ddbstream.poller._core.positions import After, AtTime, End, Start
from tests.support.whole_poller.service import Service

DAY = 86_400.0
SLACK = 900.0  # seconds within which nobody can say whether a record was still there
Key = tuple[str, str]  # a stream's ARN and a shard's id


class Violation(BaseException):
    """A promise of the poller is broken. No Exception: the poller would take it for a handler's."""


class Ledger:
    """The books of one consumer over all of its streams.

    Attributes:
        loose: Whether something has gone wrong after which records may come again.
        outages: Whether nothing was read for so long that something may be lost.
    """

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.name = name
        self.digest = hashlib.sha256(name.encode())
        self.loose = False
        self.outages = False
        self.starts: dict[str, Start] = {}  # by stream
        self.saved: dict[Key, Any] = {}
        self.done: dict[Key, set[int]] = {}
        self.fronts: dict[tuple[str, str], int] = {}  # table and item
        self.epochs: dict[str, int] = {}
        self.gaps: list[tuple[Gap, float]] = []
        self.delivered = self.duplicates = self.given_up = self.lost = self.silent = 0

    # As it goes

    def delivers(self, arn: str, shard_id: str, item: str, number: int, epoch: int) -> None:
        """A handler is through with a record."""
        self._note("handled", arn, shard_id, number, epoch)
        saved = self.saved.get((arn, shard_id))
        if _covers(saved, number):
            raise Violation("a record came again though its position was durable")
        if epoch < self.epochs.get(arn, 0):
            raise Violation("a handler was given an epoch that is over")
        self._check_parent(arn, shard_id)
        done = self.done.setdefault((arn, shard_id), set())
        if number in done:
            self.duplicates += 1
            if not self.loose:
                raise Violation("a record came twice, and nothing had gone wrong")
            return
        done.add(number)
        self.delivered += 1
        place = (self.service.table_of(arn).table, item)
        if number < self.fronts.get(place, 0):
            raise Violation("changes of one item came out of order")
        self.fronts[place] = number

    def gives_up(self, arn: str, shard_id: str, number: int) -> None:
        """A record is skipped, or in the sink."""
        self._note("given up", arn, shard_id, number)
        done = self.done.setdefault((arn, shard_id), set())
        self.given_up += number not in done
        done.add(number)

    def fixes(self, arn: str, start: Start, began: float) -> None:
        """A stream's start is durable."""
        if arn in self.starts:
            return
        first = not self._is_later(arn)
        self.starts[arn] = start
        at = start.position
        if isinstance(at, AtTime) and not first:
            raise Violation("a stream that came later is not read from its beginning")
        if isinstance(at, AtTime) and at.time > began + 1.001:
            raise Violation("LATEST begins later than the reader did")

    def saves(self, arn: str, epoch: int, shard_id: str, position: Any) -> None:
        """A position is durable."""
        self._note("saved", arn, shard_id, position, epoch)
        if epoch < self.epochs.get(arn, 0):
            raise Violation("an older epoch saved after a newer one")
        self.epochs[arn] = epoch
        self.saved[arn, shard_id] = position
        shard = self.service.stream_of(arn).shards[shard_id]
        if isinstance(position, End) and shard.ending is None:
            raise Violation("an open shard was marked as ended")
        done = self.done.get((arn, shard_id), set())
        for number in self._wanted(arn, shard):
            missed = _covers(position, number) and number not in done
            if missed and not self._may_be_lost(shard, number):
                raise Violation("a position was saved ahead of delivery")

    def reports(self, gap: Gap) -> None:
        """A gap is reported."""
        self.gaps.append((gap, self.service.clock.time()))
        if gap.shard_id is None:
            if not self.outages:
                raise Violation("a gap was reported without an outage")
            return
        shard = self.service.stream_of(gap.stream_arn).shards[gap.shard_id]
        if not shard.is_gone(self._horizon()) and shard.created_at > self._horizon() + SLACK:
            raise Violation(f"a gap was reported where nothing can be lost: {gap.reason}")

    def _note(self, *what: object) -> None:
        self.digest.update(repr((*what, self.service.clock.monotonic())).encode())

    # At the end

    def check_end(self) -> None:
        """Everything is handled, or given up, or reported as lost; and saved."""
        for table in self.service.tables.values():
            begun = [arn for arn in self.starts if self.service.table_of(arn) is table]
            for stream in table._streams:
                if begun and stream.arn >= min(begun):
                    for shard in stream.shards.values():
                        self._check_shard(stream.arn, shard)

    def _check_shard(self, arn: str, shard: Any) -> None:
        done = self.done.get((arn, shard.shard_id), set())
        for number in self._wanted(arn, shard):
            if number in done:
                continue
            self.lost += 1
            if not self._may_be_lost(shard, number):
                raise Violation("a record is lost that the service still has")
            if any(self._explains(gap, when, arn, shard, number) for gap, when in self.gaps):
                continue
            if not self._looked_finished(arn, shard):
                raise Violation("a record is lost without a gap")
            self.silent += 1
        if done and not shard.is_gone(self._horizon()):
            saved = self.saved.get((arn, shard.shard_id))
            if not _covers(saved, max(done)):
                raise Violation("what is delivered was never saved")

    def _looked_finished(self, arn: str, shard: Any) -> bool:
        """Whether nothing in the store tells that the stream had more than what was read of it.

        Known, and not mended: all that was begun of a stream is ended, the next shard was not
        begun, and during a stop of more than a day the stream was disabled and dropped.
        """
        known = [position for (of, _), position in self.saved.items() if of == arn]
        unknown = (arn, shard.shard_id) not in self.saved
        ends = all(isinstance(position, End) for position in known)
        return (
            self.outages and unknown and ends and self.service.stream_of(arn).ended_at is not None
        )

    def _explains(self, gap: Gap, when: float, arn: str, shard: Any, number: int) -> bool:
        time: float = shard.times[shard.numbers.index(number)]
        if gap.shard_id is None:
            return time < when - DAY + SLACK
        if gap.stream_arn != arn:
            return False
        if gap.reason == "parent_missing":
            return self._is_ancestor(arn, shard.shard_id, gap.shard_id)
        if gap.shard_id != shard.shard_id:
            return False
        after = int(gap.after.sequence_number) if isinstance(gap.after, After) else 0
        return number > after and (gap.until is None or number < int(gap.until))

    def _is_ancestor(self, arn: str, wanted: str, shard_id: str | None) -> bool:
        shards = self.service.stream_of(arn).shards
        while shard_id is not None:
            if shard_id == wanted:
                return True
            shard_id = shards[shard_id].parent_id
        return False

    def _check_parent(self, arn: str, shard_id: str) -> None:
        shards = self.service.stream_of(arn).shards
        parent = shards.get(shards[shard_id].parent_id)
        if parent is None or not self._wanted(arn, parent):
            return
        if isinstance(self.saved.get((arn, parent.shard_id)), End):
            return
        missing = any(
            gap.shard_id == parent.shard_id and gap.reason == "parent_missing"
            for gap, _ in self.gaps
        )
        if not missing and not parent.is_gone(self._horizon()):
            raise Violation("a child was delivered before its parent's end was durable")

    def _wanted(self, arn: str, shard: Any) -> list[int]:
        """What is owed of a shard: not what was trimmed, or too old, when the reader began."""
        start = self.starts.get(arn)
        if start is None:  # a stream that came later than the first is owed from its beginning
            return list(shard.numbers)
        since = start.fixed_at - DAY + SLACK
        if self._is_later(arn):
            since = 0.0
        if isinstance(start.position, AtTime):
            since = max(since, start.position.time)
        return [n for n, t in zip(shard.numbers, shard.times, strict=True) if t >= since]

    def _is_later(self, arn: str) -> bool:
        table = self.service.table_of(arn)
        return any(a < arn and self.service.table_of(a) is table for a in self.starts)

    def _may_be_lost(self, shard: Any, number: int) -> bool:
        """Whether the service has dropped it."""
        kept = shard.first_kept(self._horizon())
        return bool(
            (kept > 0 and number <= shard.numbers[kept - 1]) or shard.is_gone(self._horizon())
        )

    def _horizon(self) -> float:
        return self.service.clock.time() - DAY


def _covers(position: Any, number: int) -> bool:
    if isinstance(position, After):
        return number <= int(position.sequence_number)
    return isinstance(position, End)
