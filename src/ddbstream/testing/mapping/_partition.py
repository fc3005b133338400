"""What a mapping works through one batch at a time: a shard, or a partition of one.

Rules, from AWS Lambda's `DynamoDB parameters`_, `errors`_ and `windows`_, and recordings of a
mapping:

* With a parallelization factor a shard has that many partitions; one item's records are all in one.
* A partition works on one batch. The batch is retried, with growing pauses, until it is done, its
  retries are used up, or it is too old. What is given up goes to the on-failure destination, and
  the partition goes on.
* ``MaximumRetryAttempts`` 3 means 4 invocations. Progress by a partial response, and a split, start
  a fresh count.
* Bisecting halves a batch whose function failed. A partial response cuts it where it says.
* A batch belongs to one tumbling window. When the window is over, the function is invoked once
  more, without records, until it succeeds.
* A record older than 24 hours is gone from the stream, whether it waits or is being retried.

.. _DynamoDB parameters: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
.. _errors: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
.. _windows: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["Arrived", "OpenWindow", "Parameters", "Partition", "PendingBatch", "arrived", "pause"]

RETENTION: Final = 24 * 3600.0

# The payload of a synchronous invocation: Lambda's quotas, 6 MB.
PAYLOAD_LIMIT: Final = 6_000_000

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True)
class Parameters:
    """A mapping's parameters, in AWS's words and units."""

    batch_size: int
    batching_window: float
    max_attempts: int
    max_age: float
    bisect: bool
    window: float
    reports_failures: bool


@dataclass(frozen=True)
class Arrived:
    """A record in the stream, in Lambda's JSON.

    Attributes:
        at: When it arrived, in epoch seconds.
        size: Of its JSON, in bytes.
        read: When the mapping reads it, in epoch seconds.
    """

    record: dict[str, Any]
    at: float
    size: int
    read: float

    @property
    def sequence_number(self) -> str:
        """As its text."""
        return str(self.record.get("dynamodb", {}).get("SequenceNumber"))


@dataclass
class PendingBatch:
    """Records that are handed to the function together.

    Attributes:
        records: In order.
        due: When the next invocation may be, in epoch seconds.
        invocations: How many there were since the last progress.
        function_error: The last invocation's.
    """

    records: list[Arrived]
    due: float
    invocations: int = 0
    function_error: str | None = None


@dataclass
class OpenWindow:
    """A tumbling window that has begun and is not over.

    Attributes:
        start: In epoch seconds, a multiple of the window's length.
        state: What the last invocation returned.
        ends_early: Whether the state grew over its limit.
        due: When the final invocation may be tried, in epoch seconds.
        attempts: How often the final invocation was tried.
    """

    start: float
    end: float
    state: dict[str, Any] = field(default_factory=dict)
    ends_early: bool = False
    due: float = 0.0
    attempts: int = 0


class Partition:
    """The records of one shard, or the share of them that the parallelization factor gives."""

    def __init__(self, shard_id: str, parameters: Parameters) -> None:
        self.shard_id = shard_id
        self.waiting: deque[Arrived] = deque()
        self.work: deque[PendingBatch] = deque()
        self.window: OpenWindow | None = None
        self.steps = 0
        self._waiting_size = 0
        self._parameters = parameters

    def due_at(self) -> float | None:
        """When there is something to do next, or was; None if nothing is left."""
        if self.work:
            return self.work[0].due
        if self.window is not None and self._window_is_over():
            return self.window.due
        if self.waiting:
            ready = self.waiting[0].at + self._parameters.batching_window
            read = self.waiting[0].read
            return read if self._is_full() else max(ready, read)
        if self.window is not None:
            return max(self.window.end, self.window.due)
        return None

    def arrive(self, arrived: Arrived) -> None:
        """Take in a record that has reached the stream."""
        self.waiting.append(arrived)
        self._waiting_size += arrived.size

    def trim(self, now: float) -> list[Arrived]:
        """Take out what the stream does not keep any longer."""
        gone = []
        for batch in list(self.work):
            kept = [one for one in batch.records if now - one.at <= RETENTION]
            gone += [one for one in batch.records if now - one.at > RETENTION]
            batch.records = kept
            if not kept:
                self.work.remove(batch)
        while self.waiting and now - self.waiting[0].at > RETENTION:
            gone.append(self._next_waiting())
        return gone

    def too_old(self, now: float) -> PendingBatch | None:
        """Take out the records that ``MaximumRecordAgeInSeconds`` gives up."""
        batch = self.head(now)
        if self._parameters.max_age < 0 or batch is None:
            return None
        old: list[Arrived] = []
        kept: list[Arrived] = []
        for one in batch.records:
            (old if now - one.at > self._parameters.max_age else kept).append(one)
        if not old:
            return None
        batch.records = kept
        if not batch.records:
            self.work.popleft()
        return PendingBatch(old, now, batch.invocations, batch.function_error)

    def head(self, now: float) -> PendingBatch | None:
        """The batch to invoke with; made of what waits if there is none. None for a final call."""
        if not self.work and not (self.window is not None and self._window_is_over()):
            records = self._take(now)
            if records:
                self.work.append(PendingBatch(records, now))
        return self.work[0] if self.work else None

    def ended(
        self, batch: PendingBatch, done: int, now: float, error: str | None
    ) -> PendingBatch | None:
        """An invocation with the batch ended: see what comes next; gives back what is given up."""
        self.work.popleft()
        rest = batch.records[done:]
        if not rest:
            return None
        if done:
            self.work.appendleft(PendingBatch(rest, now))
            return None
        invocations = batch.invocations + 1
        if error is not None and self._parameters.bisect and len(rest) > 1:
            middle = len(rest) // 2
            self.work.appendleft(PendingBatch(rest[middle:], now))
            self.work.appendleft(PendingBatch(rest[:middle], now))
            return None
        again = PendingBatch(rest, now + pause(invocations), invocations, error)
        if 0 <= self._parameters.max_attempts < invocations:
            return again
        self.work.appendleft(again)
        return None

    def window_of(self, arrived: Arrived) -> float:
        """When the window of a record begins."""
        return arrived.at - arrived.at % self._parameters.window

    def open_window(self, batch: PendingBatch) -> None:
        """See that the window that a batch belongs to is open."""
        if self._parameters.window and self.window is None:
            start = self.window_of(batch.records[0])
            self.window = OpenWindow(start, start + self._parameters.window)

    def _window_is_over(self) -> bool:
        """Whether the final invocation comes next: no records of the window are left."""
        window = self.window
        if window is None or self.work:
            return False
        if window.ends_early:
            return True
        return bool(self.waiting) and self.window_of(self.waiting[0]) > window.start

    def _is_full(self) -> bool:
        return (
            len(self.waiting) >= self._parameters.batch_size or self._waiting_size > PAYLOAD_LIMIT
        )

    def _next_waiting(self) -> Arrived:
        following = self.waiting.popleft()
        self._waiting_size -= following.size
        return following

    def _take(self, now: float) -> list[Arrived]:
        records: list[Arrived] = []
        size = 0
        while self.waiting and len(records) < self._parameters.batch_size:
            following = self.waiting[0]
            if following.read > now or (
                records
                and (
                    size + following.size > PAYLOAD_LIMIT
                    or (
                        self._parameters.window
                        and self.window_of(following) != self.window_of(records[0])
                    )
                )
            ):
                break
            records.append(self._next_waiting())
            size += following.size
        return records


def pause(failures: int) -> float:
    """Seconds to wait after so many failures; AWS does not say how long it waits."""
    return min(2.0 ** min(failures, 6), 60.0)


def arrived(record: dict[str, Any], at: float, *, read: float) -> Arrived:
    """A record that reaches the stream, and when the mapping reads it."""
    return Arrived(record, at, len(json.dumps(record)), read)
