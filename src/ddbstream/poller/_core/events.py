"""What a poller reports while it runs.

Values, handed to ``on_event``. None holds a stored value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ddbstream.poller._core.positions import Position

__all__ = [
    "BatchDelivered",
    "BatchFailed",
    "CallFailed",
    "Event",
    "Exit",
    "Gap",
    "GapReason",
    "PageRead",
    "PositionSaved",
    "RecordGivenUp",
    "SaveFailed",
    "ShardEnded",
    "ShardStarted",
    "StreamListed",
    "StreamStarted",
]

GapReason = Literal[
    "trimmed",
    "shard_gone",
    "stopped_too_long",
    "trimmed_before_first_read",
    "parent_missing",
]


@dataclass(frozen=True, slots=True)
class Exit:
    """Why a poller stopped.

    Attributes:
        reason: ``stopped`` (asked to), ``stream_ended`` (disabled or deleted, and all of it read),
            ``caught_up``, ``deadline``, ``fenced`` (another poller took the store over),
            ``failed``.
        error: For ``fenced`` and ``failed``.
    """

    reason: Literal["stopped", "stream_ended", "caught_up", "deadline", "fenced", "failed"]
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Records may have left the stream before they were read.

    Attributes:
        stream_arn: Of which stream.
        shard_id: Of which shard, or None for the whole stream.
        after: The last position that was done, or None if nothing of the shard was read.
        until: Sequence number of the first record that could be read again, or None if unknown.
        reason: ``trimmed`` (the service said so), ``shard_gone`` (an unfinished shard has left the
            stream), ``stopped_too_long`` (before this run, nothing, or nothing of some shard, was
            read for longer than the stream keeps records), ``trimmed_before_first_read`` (a shard,
            or a stream that follows another of its table, grew older than that before its turn
            came), ``parent_missing`` (a shard's parent was never listed; it, and what came before
            it, was not read).
    """

    stream_arn: str
    shard_id: str | None
    after: Position | None
    until: str | None
    reason: GapReason


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The start is durable, and reading begins."""

    stream_arn: str
    resumed: bool


@dataclass(frozen=True, slots=True)
class StreamListed:
    """A complete listing has been read."""

    stream_arn: str
    status: str
    shards: int


@dataclass(frozen=True, slots=True)
class ShardStarted:
    """Reading of a shard begins."""

    stream_arn: str
    shard_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class ShardEnded:
    """A shard is read to its end, and that is durable."""

    stream_arn: str
    shard_id: str


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page of `GetRecords` arrived."""

    stream_arn: str
    shard_id: str
    records: int
    size: int
    last_record_time: float | None


@dataclass(frozen=True, slots=True)
class BatchDelivered:
    """Records are done: handled, dropped as older than the start, or given up."""

    stream_arn: str
    shard_id: str
    records: int


@dataclass(frozen=True, slots=True)
class BatchFailed:
    """A handler raised. The record comes again after ``retry_in`` seconds, if that is not None.

    ``again`` is how many of the records that the handler was given will be given to it once more.
    """

    stream_arn: str
    shard_id: str
    sequence_number: str | None
    attempt: int
    retry_in: float | None
    error: Exception = field(repr=False)
    again: int = 0


@dataclass(frozen=True, slots=True)
class RecordGivenUp:
    """A record was skipped, or taken by the dead-letter sink."""

    stream_arn: str
    shard_id: str
    sequence_number: str | None
    how: Literal["skip", "dead_letter"]


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call to the service failed, and is made again after ``retry_in`` seconds."""

    stream_arn: str
    shard_id: str | None
    operation: str
    kind: str
    code: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class PositionSaved:
    """A position is durable."""

    stream_arn: str
    shard_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The store failed; the same position is saved again after ``retry_in`` seconds.

    ``code`` is AWS's error code, or the class of what the store raised; ``reason`` is its text.
    """

    stream_arn: str
    shard_id: str
    code: str
    retry_in: float
    reason: str = ""


Event = (
    StreamStarted
    | StreamListed
    | ShardStarted
    | ShardEnded
    | PageRead
    | BatchDelivered
    | BatchFailed
    | RecordGivenUp
    | CallFailed
    | PositionSaved
    | SaveFailed
    | Gap
    | Exit
)
