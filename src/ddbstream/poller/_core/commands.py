"""What the core asks of a driver, and what a driver answers: plain values.

A driver runs each command once, and hands the core the command with its result, or with a `Fault`.
One command a shard is in flight for each of fetching, delivering and saving; nothing else relies on
order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ddbstream.poller._core.positions import AtStart, AtTime, Position, Start

Record = Mapping[str, Any]

FaultKind = Literal[
    "expired",  # the iterator is older than 15 minutes
    "trimmed",  # the position is older than 24 hours
    "gone",  # no such shard, or no such stream
    "throttled",  # slow down
    "transient",  # 5xx, reset, timeout, an answer that makes no sense
    "denied",  # credentials or permissions
    "invalid",  # the request is refused for its own sake
    "fenced",  # another poller owns the store
    "failed",  # the store, or a sink, failed
]


class Instant(NamedTuple):
    """One moment on both clocks, in seconds.

    Waiting uses ``mono`` only, so a clock that jumps delays nothing; ``wall`` dates records and
    shards.
    """

    mono: float
    wall: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that failed.

    Attributes:
        kind: What the core does about it.
        code: AWS's error code, or the exception's class name. Never a message: it may quote data.
        error: The exception itself, for whoever ends up raising it.
    """

    kind: FaultKind
    code: str
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class ListedShard:
    """A shard as `DescribeStream` shows it."""

    shard_id: str
    parent_id: str | None
    ending: str | None
    """EndingSequenceNumber: None while the shard is open."""


@dataclass(frozen=True, slots=True)
class StreamPage:
    """One page of `DescribeStream`.

    Attributes:
        status: ``ENABLING``, ``ENABLED``, ``DISABLING`` or ``DISABLED``.
        shards: The shards of this page.
        cursor: ``LastEvaluatedShardId``: there may be more.
        service_time: The service's own clock in epoch seconds, where the client can see it.
    """

    status: str
    shards: Sequence[ListedShard]
    cursor: str | None = None
    service_time: float | None = None


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """One page of `GetRecords`: wire records, and the iterator that follows."""

    records: Sequence[Record]
    next_iterator: str | None
    size: int = 0
    """Bytes of the answer, 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery went.

    Attributes:
        done: How many records, from the first, are done.
        error: What stopped it, or None if all are done.
        located: Whether the record after those done is known to be the culprit. If not, any may be.
    """

    done: int
    error: Exception | None = None
    located: bool = True


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask for a page of the listing. Answer: `StreamPage`."""

    cursor: str | None


@dataclass(frozen=True, slots=True)
class GetIterator:
    """Ask for an iterator. Answer: ``str``.

    ``timestamp`` is True if an `AtTime` may be asked of the service; else it means the oldest
    record.
    """

    shard_id: str
    position: Position
    timestamp: bool = False


@dataclass(frozen=True, slots=True)
class GetRecords:
    """Ask for a page. Answer: `RecordsPage`."""

    shard_id: str
    iterator: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand records to the user. Answer: `Delivered`."""

    shard_id: str
    records: Sequence[Record]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Discard:
    """Hand a record that is given up to the sink. Answer: None, once the sink has it for good."""

    shard_id: str
    record: Record
    error: Exception
    attempts: int


@dataclass(frozen=True, slots=True)
class Save:
    """Make a position durable. Answer: None."""

    shard_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class FixStart:
    """Make the consumer's start durable, unless there is one. Answer: None."""

    start: Start


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the lease; everything the stream had at ``alive_at`` is read. Answer: None."""

    alive_at: float


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop positions that nothing needs any more. Answer: None."""

    shard_ids: tuple[str, ...]


Command = Describe | GetIterator | GetRecords | Deliver | Discard | Save | FixStart | Renew | Forget
Result = StreamPage | str | RecordsPage | Delivered | Fault | None

__all__ = [
    "AtStart",
    "AtTime",
    "Command",
    "Deliver",
    "Delivered",
    "Describe",
    "Discard",
    "Fault",
    "FaultKind",
    "FixStart",
    "Forget",
    "GetIterator",
    "GetRecords",
    "Instant",
    "ListedShard",
    "Record",
    "RecordsPage",
    "Renew",
    "Result",
    "Save",
    "StreamPage",
]
