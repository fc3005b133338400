"""Positions in memory: for tests, and for readers that always start over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ddbstream._values.callables import check_function
from ddbstream.exceptions import PollerArgumentError
from ddbstream.poller._core.positions import Position, Start, State, moves_back
from ddbstream.poller._stores.contract import (
    DEFAULT_CONSUMER,
    Lease,
    held_by_another,
    key_of,
    moved_back,
    streams_in,
    taken_over,
)

__all__ = ["MemoryCheckpoints"]


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
        check_function(clock, "clock=", PollerArgumentError, arguments=0)
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}

    def acquire(
        self,
        stream_arn: str,
        owner: str,
        *,
        ttl: float,
        takeover: bool = True,
        consumer: str = DEFAULT_CONSUMER,
    ) -> Lease:
        """See `CheckpointStore.acquire`."""
        key = key_of(stream_arn, consumer)
        with self._lock:
            stream = self._streams.setdefault(key, _Stream())
            now = self._clock()
            if stream.owner not in (None, owner) and stream.expires > now and not takeover:
                raise held_by_another()
            stream.epoch += 1
            stream.owner, stream.expires = owner, now + ttl
            return Lease(stream_arn, owner, stream.epoch, ttl, consumer)

    def streams_of(self, table_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> list[str]:
        """ARNs of the table's streams that the consumer has acquired, oldest first."""
        with self._lock:
            return streams_in(self._streams, table_arn, consumer)

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
                raise moved_back()
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

    def reset(self, stream_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> None:
        """Forget the consumer's start and positions: its next poller begins anew.

        Raises:
            FencedError: A poller has the lease; stop it first.
        """
        lease = self.acquire(stream_arn, "reset", ttl=0.0, takeover=False, consumer=consumer)
        with self._lock:
            stream = self._owned(lease)
            stream.start, stream.last_alive, stream.positions = None, None, {}
        self.release(lease)

    def release(self, lease: Lease) -> None:
        """See `CheckpointStore.release`."""
        with self._lock:
            stream = self._streams.get(lease.key)
            if stream is not None and stream.epoch == lease.epoch:
                stream.owner, stream.expires = None, 0.0

    def _owned(self, lease: Lease) -> _Stream:
        stream = self._streams.get(lease.key)
        if stream is None or stream.epoch != lease.epoch:
            raise taken_over()
        return stream
