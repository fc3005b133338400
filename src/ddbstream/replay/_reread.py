"""A failed batch's records, read again from its shard.

Rules, from the Streams API:

* ``AT_SEQUENCE_NUMBER`` starts with the batch's first record. The batch ends with the record of its
  last number: a later one is not of this batch.
* Between the two there may be records that the batch did not have: those of another batch, if the
  mapping runs several at once on a shard, and those that the mapping's filter left out.
* What is older than 24 hours is trimmed. The rest of the batch may still be there, at the horizon.
* An answer without ``Records`` is a failed call (botocore makes one of a cut body), an empty
  page is not the end, and a page without a next iterator may have records.

Source: `GetShardIterator`_.

.. _GetShardIterator: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from ddbstream._wire.pages import Page
from ddbstream.exceptions import PollerError
from ddbstream.poller._client import failure_of
from ddbstream.poller._core.commands import CommandFailed

if TYPE_CHECKING:
    from ddbstream.replay._messages import FailedBatch
    from ddbstream.typing import StreamsClient

__all__ = ["Clock", "Gap", "Reread"]

# With 0.2 s doubled up to 10 s, about a minute: longer than a throttled moment, shorter than a
# function.
_ATTEMPTS: Final = 10
_FIRST_DELAY: Final = 0.2
_LONGEST_DELAY: Final = 10.0

_RETENTION: Final = 24 * 3600.0

# Empty pages in a row before the rest counts as gone. A page covers some minutes of an idle shard,
# and a shard takes records for about four hours.
_EMPTY_PAGES: Final = 300


class Clock(Protocol):
    """Tells the time and waits, both in seconds."""

    def time(self) -> float:
        """Since 1970."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...


class Gap(NamedTuple):
    """Records of a failed batch that can no longer be read.

    Attributes:
        stream_arn: The stream.
        shard_id: The shard.
        start_sequence_number: Where the gap begins: the batch's first record, or the last one read.
        end_sequence_number: The first record behind the gap that was read; else the batch's last.
        missing: How many records at least, as far as the batch's size tells; ``None`` if it does
            not.
        reason: ``trimmed``: older than 24 hours; ``gone``: the shard or stream is no more;
            ``short``: the shard ended before the batch did, or has fewer records there; or the
            message carries fewer than it says.
    """

    stream_arn: str
    shard_id: str
    start_sequence_number: str
    end_sequence_number: str
    missing: int | None
    reason: Literal["trimmed", "gone", "short"]


class Reread:
    """Reads one batch again: iterate for its pages of wire records, then look at `gaps`.

    Args:
        batch: The batch.
        client: boto3's ``dynamodbstreams`` client, or anything like it.
        after: A sequence number of the batch, to go on behind it.
        clock: Tells the time and waits; the ``time`` module, or a `FakeClock`.

    Attributes:
        count: Records read so far.
        gaps: What could not be read, known once the iteration has ended.
    """

    def __init__(
        self,
        batch: FailedBatch,
        client: StreamsClient,
        *,
        after: str | None = None,
        clock: Clock = time,
    ) -> None:
        self._batch = batch
        self._client = client
        self._last = after
        self._resumed = after is not None
        self._clock = clock
        self._iterator: str | None = None
        # Since a trimmed answer, until the next record: the place to read from, and an open gap.
        self._at_horizon = False
        self.count = 0
        self.gaps: list[Gap] = []

    def __iter__(self) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Pages of records, none of them empty.

        Raises:
            PollerError: The stream cannot be read: no permission, or no answer in several attempts.
        """
        empty = 0
        while True:
            answer = self._page()
            if isinstance(answer, CommandFailed):
                self._iterator = None
                if answer.kind == "trimmed" and not self._at_horizon:
                    # The beginning is gone; what is left of the batch is at the horizon.
                    self._note("trimmed")
                    self._at_horizon = True
                    continue
                if not self._at_horizon:
                    self._check_age()
                    self._note("gone")
                return
            records, done = self._of_batch(answer["Records"])
            if records:
                self._take(records)
                yield records
            empty = 0 if answer["Records"] else empty + 1
            self._iterator = answer.get("NextShardIterator") or None
            if done or self._iterator is None or empty > _EMPTY_PAGES:
                break
        ended = self._at_horizon or (self._last is not None and int(self._last) >= self._end)
        if not ended or (self._missing() and not self.gaps):
            self._note("short")

    @property
    def _end(self) -> int:
        return int(self._batch.end_sequence_number)

    def _check_age(self) -> None:
        """Refuse to believe that what must still be there is gone.

        Raises:
            PollerError: The batch is younger than the stream's retention.
        """
        made = self._batch.last_arrival
        if made is not None and self._clock.time() - made.timestamp() < _RETENTION:
            raise PollerError(
                "no such stream or shard, though its records are younger than 24 hours: "
                "another account, region or endpoint?",
                sequence_number=self._batch.start_sequence_number,
            )

    def _page(self) -> Mapping[str, Any] | CommandFailed:
        """The next page, or a failure that does not pass by itself: trimmed, or gone."""
        delay = _FIRST_DELAY
        failed = CommandFailed("transient", "NoAnswer")
        for _ in range(_ATTEMPTS):
            answer = self._call()
            if not isinstance(answer, CommandFailed) or answer.kind in {"trimmed", "gone"}:
                return answer
            failed = answer
            if failed.kind == "expired":
                self._iterator = None
                continue
            # Expired credentials are renewed by whoever holds them; other refusals stay.
            if failed.kind not in {"throttled", "transient"} and "ExpiredToken" not in failed.code:
                break
            self._clock.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
        raise PollerError(
            f"the shard cannot be read again: {failed.code}",
            sequence_number=self._batch.start_sequence_number,
        ) from failed.error

    def _call(self) -> Mapping[str, Any] | CommandFailed:
        try:
            if self._iterator is None:
                made = self._client.get_shard_iterator(
                    StreamArn=self._batch.stream_arn, ShardId=self._batch.shard_id, **self._place()
                )
                self._iterator = made.get("ShardIterator")
                if self._iterator is None:
                    return CommandFailed("transient", "GarbledAnswer")
            answer = self._client.get_records(ShardIterator=self._iterator)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is named, not passed over
            return failure_of(error)
        whole = isinstance(answer.get("Records"), (list, Page))
        return answer if whole else CommandFailed("transient", "GarbledAnswer")

    def _place(self) -> dict[str, str]:
        if self._at_horizon:
            return {"ShardIteratorType": "TRIM_HORIZON"}
        if self._last is not None:
            return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last}
        start = self._batch.start_sequence_number
        return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": start}

    def _of_batch(
        self, records: Sequence[Mapping[str, Any]]
    ) -> tuple[Sequence[Mapping[str, Any]], bool]:
        """Those of the batch that are still to come, and whether it ends with them."""
        first = int(self._batch.start_sequence_number)
        if self._last is not None:
            first = int(self._last) + 1
        numbers = [int(number) for number in _sequence_numbers(records)]
        wanted = [first <= number <= self._end for number in numbers]
        if all(wanted):
            return records, any(number >= self._end for number in numbers)
        inside = [record for record, is_wanted in zip(records, wanted, strict=True) if is_wanted]
        return inside, any(number >= self._end for number in numbers)

    def _take(self, records: Sequence[Mapping[str, Any]]) -> None:
        if self._at_horizon:
            first = records[0]["dynamodb"]["SequenceNumber"]
            self.gaps[-1] = self.gaps[-1]._replace(end_sequence_number=first)
            self._at_horizon = False
        self.count += len(records)
        self._last = records[-1]["dynamodb"]["SequenceNumber"]
        if self.gaps:
            self.gaps[-1] = self.gaps[-1]._replace(missing=self._missing())

    def _missing(self) -> int | None:
        """How many of the batch's records were not read, if all that were are counted."""
        size = self._batch.size
        return None if size is None or self._resumed else max(size - self.count, 0)

    def _note(self, reason: Literal["trimmed", "gone", "short"]) -> None:
        batch = self._batch
        start, end = self._last or batch.start_sequence_number, batch.end_sequence_number
        self.gaps.append(Gap(batch.stream_arn, batch.shard_id, start, end, self._missing(), reason))


def _sequence_numbers(records: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
    if isinstance(records, Page):
        return records.sequence_numbers()
    return [record["dynamodb"]["SequenceNumber"] for record in records]
