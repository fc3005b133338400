"""What a checkpoint store promises, and what the stores of this folder share.

Rules for every store

* What a method did is durable when it returns.
* `acquire` gives a higher epoch than any before it. From then on every call with an older lease
  raises FencedError and changes nothing.
* A position only moves forward: `save` refuses an older one. Saving the same again is no error,
  because a caller that lost the answer has to try again.
* The start of a stream is fixed once: a second `fix_start` changes nothing.
* Streams do not see each other: everything is kept by ARN, for shard ids are not unique. Nor do the
  consumers of one stream: each has a start, positions and a lease of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller._core.positions import Position, Start, State

__all__ = [
    "DEFAULT_CONSUMER",
    "FORMAT",
    "CheckpointStore",
    "Lease",
    "check_format",
    "held_by_another",
    "key_of",
    "moved_back",
    "named",
    "number_or_none",
    "streams_in",
    "taken_over",
]


DEFAULT_CONSUMER = "default"
"""The consumer of those who name none, and of what was kept before consumers had names."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to save positions of one consumer of one stream.

    Attributes:
        stream_arn: Of the stream.
        owner: Who holds it: any text that is unique to a running poller.
        epoch: Grows with each `acquire` by that consumer.
        ttl: Seconds it lasts from each renewal.
        consumer: Whose positions they are.
    """

    stream_arn: str
    owner: str
    epoch: int
    ttl: float
    consumer: str = DEFAULT_CONSUMER

    @property
    def key(self) -> str:
        """What a store may keep everything under: see `key_of`."""
        return key_of(self.stream_arn, self.consumer)


_LONGEST_NAME = 256  # a partition key has 2,048 bytes; an ARN takes 400 of them at most


def key_of(stream_arn: str, consumer: object = DEFAULT_CONSUMER) -> str:
    """One text for a consumer of a stream; the default consumer's is the ARN itself.

    Raises:
        CheckpointError: The consumer has no name, or one that is too long for a key.
    """
    if not _is_name(consumer):
        raise CheckpointError(
            f"a consumer is named by a text of 1 to {_LONGEST_NAME} bytes, such as 'billing'"
        )
    # An ARN has no "#", so no two pairs give the same text.
    return stream_arn if consumer == DEFAULT_CONSUMER else f"{stream_arn}#{consumer}"


def _is_name(consumer: object) -> bool:
    try:
        return isinstance(consumer, str) and 0 < len(consumer.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # half a character, which no store can keep
        return False


def streams_in(keys: Iterable[object], table_arn: str, consumer: str) -> list[str]:
    """The ARNs, of those that `key_of` made a store's keys of, of a table and a consumer."""
    found = []
    for key in keys:
        if not isinstance(key, str):
            continue  # a damaged file may hold anything, and none of it is an ARN
        arn, _, name = key.partition("#")
        if arn.startswith(f"{table_arn}/stream/") and (name or DEFAULT_CONSUMER) == consumer:
            found.append(arn)
    return sorted(found)


class CheckpointStore(Protocol):
    """Keeps positions.

    See the module's rules; `ddbstream.testing.CheckpointStoreConformance` checks them.

    A poller calls a store from several threads.

    One method is optional: ``streams_of(table_arn, *, consumer="default")`` gives the ARNs of the
    table's streams that the consumer has acquired. Without it, streams that the service no longer
    lists are not known. Another is ``reset(stream_arn, *, consumer="default")``: it forgets the
    consumer's start and positions, and raises FencedError while a poller has the lease.
    """

    def acquire(
        self,
        stream_arn: str,
        owner: str,
        *,
        ttl: float,
        takeover: bool = True,
        consumer: str = DEFAULT_CONSUMER,
    ) -> Lease:
        """Become the consumer's only writer.

        Args:
            stream_arn: Of the stream.
            owner: Who asks.
            ttl: Seconds until the lease counts as abandoned unless it is renewed.
            takeover: Take the lease from an owner that is alive. If false, FencedError is raised
                while another owner's lease lasts.
            consumer: Whose positions to write: those of different consumers are kept apart.
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


# What every store of ddbstream's own has in common.

FORMAT = 1
"""Of what they keep. It grows when an older ddbstream would misread what a newer one has kept."""


def check_format(found: object, where: str) -> None:
    """Refuse what another version of ddbstream has kept, before anything of it is read.

    Args:
        found: The format that the store finds.
        where: The file, or the table, by name.

    Raises:
        CheckpointError: It is another one than `FORMAT`.
    """
    if found != FORMAT:
        shown = found if isinstance(found, int) and abs(found) < 10**9 else type(found).__name__
        raise CheckpointError(
            f"{where} has checkpoint format {shown}, and this ddbstream reads format {FORMAT}: "
            "was it written by a newer version?"
        )


@contextmanager
def named(where: str) -> Iterator[None]:
    """Say in a CheckpointError that comes out of the block which file or table it is about."""
    try:
        yield
    except FencedError:
        raise
    except CheckpointError as error:
        if where in str(error):
            raise
        raise CheckpointError(f"{where}: {error}") from error


def number_or_none(value: object, what: str) -> float | None:
    """A stored number, or None if there is none.

    Raises:
        CheckpointError: It is something else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CheckpointError(f"the stored {what} is no number but {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise CheckpointError(f"the stored {what} is larger than any time") from None


def held_by_another() -> FencedError:
    """For an `acquire` that may not take the lease over."""
    return FencedError("another poller holds the lease of this stream")


def taken_over() -> FencedError:
    """For a call with an older lease."""
    return FencedError("another poller has taken over this checkpoint store")


def moved_back() -> CheckpointError:
    """For a `save` of an older position."""
    return CheckpointError("a position may not move back")
