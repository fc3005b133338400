"""What a checkpoint store promises, and the one that keeps nothing.

Rules for every store

* What a method did is durable when it returns.
* `acquire` gives a higher epoch than any before it. From then on every call with an older lease
  raises FencedError and changes nothing.
* A position only moves forward: `save` refuses an older one. Saving the same again is no error,
  because a caller that lost the answer has to try again.
* The start of a stream is fixed once: a second `fix_start` changes nothing.
* Streams do not see each other: everything is kept by ARN, for shard ids are not unique.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller._core.positions import Position, Start, State, moves_back

__all__ = ["CheckpointStore", "Lease", "MemoryCheckpoints"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to save positions of one stream.

    Attributes:
        stream_arn: Of the stream.
        owner: Who holds it: any text that is unique to a running poller.
        epoch: Grows with each `acquire` of the stream.
        ttl: Seconds it lasts from each renewal.
    """

    stream_arn: str
    owner: str
    epoch: int
    ttl: float


class CheckpointStore(Protocol):
    """Keeps positions.

    See the module's rules; `ddbstream.testing.CheckpointStoreConformance` checks them.

    A poller calls a store from several threads.
    """

    def acquire(self, stream_arn: str, owner: str, *, ttl: float, takeover: bool = True) -> Lease:
        """Become the stream's only writer.

        Args:
            stream_arn: Of the stream.
            owner: Who asks.
            ttl: Seconds until the lease counts as abandoned unless it is renewed.
            takeover: Take the lease from an owner that is alive. If false, FencedError is raised
                while another owner's lease lasts.
        """
        ...

    def load(self, lease: Lease) -> State:
        """Everything that is kept of the lease's stream."""
        ...

    def fix_start(self, lease: Lease, start: Start) -> None:
        """Keep where the consumer began, unless that is known already."""
        ...

    def save(self, lease: Lease, shard_id: str, position: Position) -> None:
        """Keep a position; CheckpointError if it would move back."""
        ...

    def renew(self, lease: Lease, alive_at: float) -> None:
        """Extend the lease, and keep ``alive_at`` (epoch seconds) as the last sign of life."""
        ...

    def forget(self, lease: Lease, shard_ids: Sequence[str]) -> None:
        """Drop positions."""
        ...

    def release(self, lease: Lease) -> None:
        """End the lease; no error if it is not held any more."""
        ...


class _Stream:
    def __init__(self) -> None:
        self.epoch = 0
        self.owner: str | None = None
        self.expires = 0.0
        self.start: Start | None = None
        self.positions: dict[str, Position] = {}
        self.last_alive: float | None = None


class MemoryCheckpoints:
    """Keeps positions as long as the process lives.

    For tests, and for readers that always start over.

    Args:
        clock: Epoch seconds, for the lease's end.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}

    def acquire(self, stream_arn: str, owner: str, *, ttl: float, takeover: bool = True) -> Lease:
        """See `CheckpointStore.acquire`."""
        with self._lock:
            stream = self._streams.setdefault(stream_arn, _Stream())
            now = self._clock()
            if stream.owner not in (None, owner) and stream.expires > now and not takeover:
                raise FencedError("another poller holds the lease of this stream")
            stream.epoch += 1
            stream.owner, stream.expires = owner, now + ttl
            return Lease(stream_arn, owner, stream.epoch, ttl)

    def load(self, lease: Lease) -> State:
        """See `CheckpointStore.load`."""
        with self._lock:
            stream = self._owned(lease)
            return State(stream.start, dict(stream.positions), stream.last_alive)

    def fix_start(self, lease: Lease, start: Start) -> None:
        """See `CheckpointStore.fix_start`."""
        with self._lock:
            stream = self._owned(lease)
            stream.start = stream.start or start

    def save(self, lease: Lease, shard_id: str, position: Position) -> None:
        """See `CheckpointStore.save`."""
        with self._lock:
            stream = self._owned(lease)
            if moves_back(stream.positions.get(shard_id), position):
                raise CheckpointError("a position may not move back")
            stream.positions[shard_id] = position

    def renew(self, lease: Lease, alive_at: float) -> None:
        """See `CheckpointStore.renew`."""
        with self._lock:
            stream = self._owned(lease)
            stream.expires = self._clock() + lease.ttl
            stream.last_alive = alive_at

    def forget(self, lease: Lease, shard_ids: Sequence[str]) -> None:
        """See `CheckpointStore.forget`."""
        with self._lock:
            stream = self._owned(lease)
            for shard_id in shard_ids:
                stream.positions.pop(shard_id, None)

    def release(self, lease: Lease) -> None:
        """See `CheckpointStore.release`."""
        with self._lock:
            stream = self._streams.get(lease.stream_arn)
            if stream is not None and stream.epoch == lease.epoch:
                stream.owner, stream.expires = None, 0.0

    def _owned(self, lease: Lease) -> _Stream:
        stream = self._streams.get(lease.stream_arn)
        if stream is None or stream.epoch != lease.epoch:
            raise FencedError("another poller has taken over this checkpoint store")
        return stream
