"""How a simulated mapping reads a fake stream, shard by shard.

Rules, from the DynamoDB developer guide, `Reading and processing a stream`_:

* A parent shard is worked through before its children, so that an item's changes keep their order.
* A record's age counts from when it was written, not from when it is read.

.. _Reading and processing a stream:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbstream.testing.fake_stream import FakeStream

__all__ = ["StreamSource"]


class StreamSource:
    """Reads the newest stream of a fake table.

    It reads the stored shards and not through the client, whose faults are for a poller to bear.

    Args:
        stream: The fake table.
        from_latest: Whether to leave out what the stream holds already.
    """

    def __init__(self, stream: FakeStream, *, from_latest: bool) -> None:
        self._shards = stream.stored_shards()
        self._read: dict[str, int] = {}
        if from_latest:
            self._read = {name: len(shard.records) for name, shard in self._shards.items()}

    def arrivals(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """What was written since the last call: shard id, record, and epoch seconds."""
        for name, shard in list(self._shards.items()):
            first = self._read.get(name, 0)
            self._read[name] = len(shard.records)
            for record, at in zip(shard.records[first:], shard.times[first:], strict=True):
                yield name, record, at

    def descendants(self, shard_ids: set[str]) -> set[str]:
        """The children of some shards, their children, and so on."""
        children: dict[str, list[str]] = {}
        for name, shard in self._shards.items():
            if shard.parent_id is not None:
                children.setdefault(shard.parent_id, []).append(name)
        found: set[str] = set()
        open_ids = list(shard_ids)
        while open_ids:
            for child in children.get(open_ids.pop(), ()):
                if child not in found:
                    found.add(child)
                    open_ids.append(child)
        return found
