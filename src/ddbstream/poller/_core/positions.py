"""Where a reader stands in a shard, as values.

A position only ever moves forward: ``AtStart < AtTime < After(1) < After(2) < End``. ``End`` is a
value and not a deletion: an ended shard stays listed for a day, and would be read again if nothing
said that it is done.

Sequence numbers are compared as integers. As text they sort wrongly as soon as their lengths
differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddbstream.exceptions import CheckpointError

__all__ = [
    "After",
    "AtStart",
    "AtTime",
    "End",
    "Position",
    "Start",
    "State",
    "dump_position",
    "load_position",
    "load_start",
    "moves_back",
    "parse_stored",
    "rank",
]


@dataclass(frozen=True, slots=True)
class AtStart:
    """The oldest record that the shard still has (``TRIM_HORIZON``)."""


@dataclass(frozen=True, slots=True)
class AtTime:
    """The first record at or after a moment.

    Attributes:
        time: Seconds since the epoch, UTC.
    """

    time: float


@dataclass(frozen=True, slots=True)
class After:
    """Everything up to and including one record is done.

    Attributes:
        sequence_number: ``SequenceNumber`` of that record.
        time: Its approximate creation time in epoch seconds, for people who look; never used for
            order.
    """

    sequence_number: str
    time: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The shard is closed, and all of it is done."""


Position = AtStart | AtTime | After | End


@dataclass(frozen=True, slots=True)
class Start:
    """Where the consumer of a stream began: fixed once, saved before the first read.

    Attributes:
        position: ``AtStart()``, or the moment before which nothing is wanted.
        fixed_at: When that was decided, in epoch seconds.
    """

    position: AtStart | AtTime
    fixed_at: float

    def dump(self) -> dict[str, Any]:
        """The JSON form that stores keep."""
        return {"position": dump_position(self.position), "fixed_at": self.fixed_at}


@dataclass(frozen=True, slots=True)
class State:
    """What a checkpoint store holds of a stream.

    Attributes:
        start: Where the consumer began; None if it never has.
        positions: By shard id.
        last_alive: Everything that the stream had at this moment (epoch seconds) was in reach.
    """

    start: Start | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)
    last_alive: float | None = None

    @property
    def alive_until(self) -> float | None:
        """Until when all that the stream had was in reach: before the first renewal, its start."""
        if self.last_alive is None and self.start is not None:
            return self.start.fixed_at
        return self.last_alive


def rank(position: Position | None) -> tuple[int, int | float]:
    """A key that sorts positions of one shard by how far they are; none at all is before every one.

    Raises:
        CheckpointError: The sequence number is no number.
    """
    if isinstance(position, After):
        try:
            return (2, int(position.sequence_number))
        except ValueError:
            raise CheckpointError("a sequence number in a position is not a number") from None
    if isinstance(position, AtTime):
        return (1, position.time)
    if position is None:
        return (-1, 0)
    return (0, 0) if isinstance(position, AtStart) else (3, 0)


def moves_back(old: Position | None, new: Position) -> bool:
    """Whether saving ``new`` over ``old`` would give up progress."""
    return old is not None and rank(new) < rank(old)


def dump_position(position: Position) -> dict[str, Any]:
    """The JSON form that stores keep: ``{"at": "start" | "time" | "after" | "end", …}``."""
    if isinstance(position, After):
        return {"at": "after", "sequence_number": position.sequence_number, "time": position.time}
    if isinstance(position, AtTime):
        return {"at": "time", "time": position.time}
    return {"at": "start" if isinstance(position, AtStart) else "end"}


def load_position(value: Mapping[str, Any]) -> Position:
    """Read what `dump_position` wrote.

    Raises:
        CheckpointError: It is something else, perhaps from a newer version.
    """
    try:
        at = value.get("at")
        if at == "after":
            time = value.get("time")
            number = _text(value["sequence_number"])
            int(number)
            return After(number, None if time is None else float(time))
        if at == "time":
            return AtTime(float(value["time"]))
        if at == "start":
            return AtStart()
        if at == "end":
            return End()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise CheckpointError("a stored position is unreadable") from None
    raise CheckpointError(
        "a stored position has an unknown form: was it written by a newer ddbstream?"
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("no text")


def parse_stored(text: object) -> Any:
    """Read the JSON text of a stored position or start.

    Raises:
        CheckpointError: It is no JSON.
    """
    try:
        return json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError):
        raise CheckpointError("a stored position is unreadable") from None


def load_start(value: Mapping[str, Any]) -> Start:
    """Read what `Start.dump` wrote.

    Raises:
        CheckpointError: It is something else.
    """
    try:
        position = load_position(value["position"])
        fixed_at = float(value["fixed_at"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise CheckpointError("the stored start of the stream is unreadable") from None
    if isinstance(position, (AtStart, AtTime)):
        return Start(position, fixed_at)
    raise CheckpointError("a stream cannot start at a position within a shard")
