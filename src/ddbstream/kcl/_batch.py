"""One delivery of the KCL on its way through the router: what is done of it, by place.

Rules

* The place of a record is that in the shard. A checkpoint stands behind the longest run of records
  from the first on that are all done.
* With a store of the newest changes, records are handled in the order of their creation, so a later
  place may be done before an earlier one. That moves no checkpoint until the earlier one is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ddbstream.kinesis import arrange

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream.kcl._checkpoints import Place
    from ddbstream.kcl._protocol import KinesisRecord
    from ddbstream.kinesis import NewestStore

__all__ = ["Batch"]


class Batch:
    """Records in the order in which they are to be handled, and which of them are done.

    Args:
        records: As the KCL delivers them, in the shard's order.
        newest: Says what is stale; None if nobody does.
    """

    def __init__(self, records: Sequence[KinesisRecord], newest: NewestStore | None) -> None:
        self._given = records
        entries = [_entry(record) for record in records]
        self._arranged = arrange(entries, newest) if newest is not None else None
        self._records: Sequence[Any] = entries if self._arranged is None else self._arranged.records
        self._index = 0  # the first of them that is not done
        self._counted = 0  # of the given ones, those that `take_progress` has told of

    @property
    def finished(self) -> bool:
        """Whether everything is done."""
        return self._index == len(self._records)

    @property
    def number(self) -> str:
        """The sequence number of the first record that is not done."""
        return _number(self._records[self._index])

    def next_records(self, limit: int) -> list[Any]:
        """What to hand to the router now."""
        return list(self._records[self._index : self._index + limit])

    def count_done(self, checkpoint: str | None, asked: int) -> int:
        """How many of the records last asked for are done, from the first on."""
        if checkpoint is None:
            return asked
        for count in range(asked):
            if _number(self._records[self._index + count]) == checkpoint:
                return count
        return 0

    def is_next(self, record: StreamRecord[Any]) -> bool:
        """Whether a record is the first that is not done."""
        return not self.finished and record.item_identifier == self.number

    def advance(self, count: int) -> None:
        """So many more are done."""
        if self._arranged is not None:
            self._arranged.handled(self._index, self._index + count)
        self._index += count

    def take_progress(self) -> tuple[Place | None, int]:
        """The place behind which everything is done, and how many more records that are."""
        if self._arranged is None:
            done = self._index
        else:
            first = self._arranged.first_not_done(self._index)
            done = len(self._given) if first is None else first
        count, self._counted = done - self._counted, done
        if not count:
            return None, 0
        last = self._given[done - 1]
        return (last.sequence_number, last.sub_sequence_number), count


def _entry(record: KinesisRecord) -> dict[str, Any]:
    """A record as boto3's GetRecords has it, a form that `ddbstream.parse` reads."""
    millis = record.timestamp_millis
    return {
        "SequenceNumber": record.sequence_number,
        "ApproximateArrivalTimestamp": None if millis is None else millis / 1000,
        "Data": record.binary_data,
        "PartitionKey": record.partition_key,
    }


def _number(entry: Any) -> str:
    """The Kinesis sequence number of an entry, or of the record made of it."""
    return entry["SequenceNumber"] if type(entry) is dict else str(entry.item_identifier)
