"""What the core asks of a driver, and what a driver answers: plain values, and the table of both.

A driver runs each command once, and hands the core the command with its result, or with a
`CommandFailed`. One command of a shard is in flight for each of fetching, delivering and saving;
nothing else relies on order.

`HANDLING` says for every command which pool of workers runs it, which method of a stream does it,
and which method of the core takes in what came of it. A new command is a class here, a row there,
and those two methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ddbstream.poller._core.positions import Position, Start

RawRecord = Mapping[str, Any]
"""A record in the form of the wire. Nothing is taken for granted: it may be damaged."""

FailedKind = Literal[
    "expired",  # the iterator is older than 15 minutes
    "trimmed",  # the position is older than 24 hours
    "gone",  # no such shard, or no such stream
    "throttled",  # slow down
    "transient",  # 5xx, reset, timeout, an answer that makes no sense: it may pass
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
class CommandFailed:
    """What came of a command that failed.

    Attributes:
        kind: Decides what the core does about it.
        code: AWS's error code, or the exception's class name. Never a message: it may quote data.
        error: The exception itself, for whoever ends up raising it.
    """

    kind: FailedKind
    code: str
    error: Exception | None = None

    @property
    def reason(self) -> str:
        """What the exception says; nothing if it cannot even do that: its class is the user's."""
        try:
            return "" if self.error is None else str(self.error)
        except Exception:  # noqa: BLE001 - see above
            return ""


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

    records: Sequence[RawRecord]
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
        route: The name of the handler that failed, if it is known.
        fatal: Whether the poller itself is set up so that it can never work.
    """

    done: int
    error: Exception | None = None
    located: bool = True
    route: str | None = None
    fatal: bool = False


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
    records: Sequence[RawRecord]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Discard:
    """Hand a record that is given up to the sink. Answer: None, once the sink has it for good."""

    shard_id: str
    record: RawRecord
    error: Exception
    attempts: int
    route: str | None


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
Result = StreamPage | str | RecordsPage | Delivered | CommandFailed | None

Pool = Literal["read", "handle", "save", "lease", "control", "open"]
"""Workers that may wait for each other; those of one pool never wait for those of another.

``read`` waits for the service and ``handle`` for the user, both for as long as it takes. ``save``
stands apart, so that what is done becomes durable while pages are slow to come. ``lease`` keeps the
lease, and ``control`` the listings, going whatever else is slow: the store is the user's, and may
hang. ``open`` waits for what comes before a stream's commands, perhaps for another poller's lease.
"""


class Handling(NamedTuple):
    """How a command is handled.

    Attributes:
        pool: Where it runs.
        run: The method of `Stream` that does it. It blocks, and gives the result.
        receive: The method of `StreamCore` that takes in the command, its result and the moment.
        who: Who is called, in words: so that what hangs has a name.
    """

    pool: Pool
    run: str
    receive: str
    who: str = "the service"


HANDLER = "a handler"
STORE = "the checkpoint store"

HANDLING: dict[type[Any], Handling] = {
    Describe: Handling("control", "describe", "on_described"),
    GetIterator: Handling("read", "get_iterator", "on_iterator"),
    GetRecords: Handling("read", "get_records", "on_page"),
    Deliver: Handling("handle", "deliver", "on_delivered", HANDLER),
    Discard: Handling("handle", "discard", "on_discarded", "the dead-letter sink"),
    Save: Handling("save", "save", "on_saved", STORE),
    FixStart: Handling("lease", "fix_start", "on_start_fixed", STORE),
    Renew: Handling("lease", "renew", "on_renewed", STORE),
    Forget: Handling("lease", "forget", "on_forgotten", STORE),
}

__all__ = [
    "HANDLER",
    "HANDLING",
    "STORE",
    "Command",
    "CommandFailed",
    "Deliver",
    "Delivered",
    "Describe",
    "Discard",
    "FailedKind",
    "FixStart",
    "Forget",
    "GetIterator",
    "GetRecords",
    "Handling",
    "Instant",
    "ListedShard",
    "Pool",
    "RawRecord",
    "RecordsPage",
    "Renew",
    "Result",
    "Save",
    "StreamPage",
]
