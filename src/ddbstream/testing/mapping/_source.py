"""What a simulated mapping reads: records as Lambda has them, and the shards of a fake stream.

Rules, from the DynamoDB developer guide, `Reading and processing a stream`_:

* A parent shard is worked off before its children, so that an item's changes keep their order.
* A record is in the stream from when it was written, not from when it is read.

.. _Reading and processing a stream:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ddbstream._records import StreamRecord
from ddbstream._wire.on_failure import as_lambda_json

if TYPE_CHECKING:
    from ddbstream.testing.fake_stream import FakeStream

__all__ = ["StreamSource", "as_lambda_has_it"]


class StreamSource:
    """Reads the newest stream of a fake table.

    It reads what the stream holds, and not through its client: the faults of that are a poller's
    affair.

    Args:
        stream: The fake table.
        from_latest: Whether to leave out what is in the stream already.
    """

    def __init__(self, stream: FakeStream, *, from_latest: bool) -> None:
        self._shards = stream._streams[-1].shards
        self._read: dict[str, int] = {}
        if from_latest:
            self._read = {name: len(shard.records) for name, shard in self._shards.items()}

    def arrivals(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """What was written since the last time: shard, record, and when."""
        for name, shard in list(self._shards.items()):
            first = self._read.get(name, 0)
            self._read[name] = len(shard.records)
            for record, at in zip(shard.records[first:], shard.times[first:], strict=True):
                yield name, record, at

    def ancestors(self, shard_id: str) -> Iterator[str]:
        """The shards that come before one."""
        shard = self._shards.get(shard_id)
        while shard is not None and shard.parent_id is not None:
            yield shard.parent_id
            shard = self._shards.get(shard.parent_id)


def as_lambda_has_it(record: Any, stream_arn: str) -> dict[str, Any]:
    """A wire record in Lambda's JSON, whatever is wrong with it."""
    made: dict[str, Any] = as_lambda_json(
        record.raw if isinstance(record, StreamRecord) else record
    )
    identity = made.get("userIdentity")
    if isinstance(identity, dict):
        made["userIdentity"] = {name[:1].lower() + name[1:]: identity[name] for name in identity}
    made.setdefault("eventSourceARN", stream_arn)
    return made
