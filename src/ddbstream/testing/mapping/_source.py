"""How a simulated mapping reads a fake stream, shard by shard.

Rules, from the DynamoDB developer guide, `Reading and processing a stream`_:

* A parent shard is worked through before its children, so that an item's changes keep their order.
* A record's age counts from when it was written, not from when it is read.

.. _Reading and processing a stream:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ddbstream.testing.fake_stream import FakeStream

__all__ = ["RecordSource", "StreamSource"]


@runtime_checkable
class RecordSource(Protocol):
    """What a mapping reads: a fake stream, or a real one that somebody else reads for it."""

    def arrivals(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """What was written since the last call: shard id, record, and epoch seconds."""
        ...

    def parent_of(self, shard_id: str) -> str | None:
        """The shard that a shard came from; None if it has none that is known."""
        ...


class StreamSource:
    """Reads the newest stream of a fake table.

    It reads the stored shards and not through the client, whose faults are for a poller to bear.

    Args:
        stream: The fake table.
        from_latest: Whether to leave out what the stream holds already.
    """

    def __init__(self, stream: FakeStream, *, from_latest: bool) -> None:
        self._shards = stream.stored_shards()
        self._log = stream.stored_log()
        self._read = len(self._log) if from_latest else 0

    def arrivals(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """What was written since the last call: shard id, record, and epoch seconds."""
        while self._read < len(self._log):
            shard, place = self._log[self._read]
            self._read += 1
            yield shard.shard_id, shard.records[place], shard.times[place]

    def parent_of(self, shard_id: str) -> str | None:
        """The shard that a shard came from; None if it has none, or is none of the stream's."""
        shard = self._shards.get(shard_id)
        return None if shard is None else shard.parent_id
