"""Where the consumer of a stream begins: decided once, and durable before the first read.

Rules

* "Now" is a moment of the service's clock, so the start is decided when a first answer has told it.
* Nothing is read before the store has the start. A poller that crashes before its first record then
  begins again at the same place, and not at a later "now".
* A stream that follows another is owed from the moment when it was enabled. First begun a day
  later, it may have lost records by then, and whole shards: that is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from ddbstream.exceptions import PollerArgumentError
from ddbstream.poller._core.commands import Command, CommandFailed, FixStart, Instant
from ddbstream.poller._core.events import CallFailed, Gap, StreamStarted
from ddbstream.poller._core.positions import AtStart, AtTime, Start
from ddbstream.poller._core.shared import Shared

__all__ = ["Begin", "Following", "Now", "Starting", "begin_at"]


@dataclass(frozen=True, slots=True)
class Following:
    """The beginning of a stream that came after another one of its table.

    Attributes:
        enabled_at: When, in epoch seconds.
    """

    enabled_at: float


@dataclass(frozen=True, slots=True)
class Now:
    """The beginning with what is written from a moment on that was "now" a while ago.

    Attributes:
        asked_at: That moment, on the monotonic clock.
    """

    asked_at: float


Begin = AtStart | AtTime | Following | Now | None
"""Where to begin if the store holds nothing; None for when the core is made."""


def begin_at(start: Literal["TRIM_HORIZON", "LATEST"] | datetime) -> AtStart | AtTime | None:
    """Where ``start=`` begins; None for now.

    Raises:
        PollerArgumentError: It is something else.
    """
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise PollerArgumentError("start needs a datetime with a time zone")
        return AtTime(start.astimezone(timezone.utc).timestamp())
    if start == "TRIM_HORIZON":
        return AtStart()
    if start == "LATEST":
        return None
    raise PollerArgumentError("start is 'TRIM_HORIZON', 'LATEST' or a datetime")


class Starting:
    """The start, on its way to the store.

    Args:
        shared: Of the core.
        begin: See above.
        at: When the core was made.
    """

    def __init__(self, shared: Shared, begin: Begin, at: Instant) -> None:
        self._shared = shared
        self._begin = begin
        self._asked_at = begin.asked_at if isinstance(begin, Now) else at.mono
        self._durable = True  # whatever start there is
        self._running = False
        self._attempts = 0
        self._try_at = at.mono

    @property
    def done(self) -> bool:
        """Whether there is a start, and it is durable."""
        return self._shared.start is not None and self._durable

    def decide(self, at: Instant) -> None:
        """Decide where to begin, once a first answer has told the service's clock."""
        now = at.wall - (at.mono - self._asked_at)
        begin = self._begin
        if begin is None or isinstance(begin, Now):
            # A second earlier: that clock is not known better, and a record twice is no loss.
            begin = AtTime(now - 1.0)
        elif isinstance(begin, Following):
            if not self._is_all_there(begin, at):
                return
            begin = AtStart()
        self._shared.start = Start(begin, now)
        self._durable = False

    def _is_all_there(self, begin: Following, at: Instant) -> bool:
        """Whether nothing of the stream can be lost, or whether to go on all the same."""
        shared = self._shared
        if at.wall - begin.enabled_at <= shared.settings.surely_kept:
            return True
        return shared.gap(Gap(shared.stream_arn, None, None, None, "trimmed_before_first_read"))

    def wake_at(self) -> float | None:
        """When `advance` has something to do, even if no answer comes."""
        return None if self._durable or self._running else self._try_at

    def advance(self, at: Instant, out: list[Command]) -> None:
        """Have the start kept, if that is due."""
        if self._durable or self._running or at.mono < self._try_at:
            return
        assert self._shared.start is not None
        self._running = True
        out.append(FixStart(self._shared.start))

    def on_fixed(self, result: CommandFailed | None, at: Instant) -> None:
        """Take in the answer to `FixStart`."""
        shared = self._shared
        self._running = False
        if result is not None:
            self._attempts += 1
            wait = shared.settings.save_backoff.after(self._attempts, shared.chance())
            self._try_at = at.mono + wait
            shared.report(
                CallFailed(shared.stream_arn, None, "FixStart", "failed", result.code, wait)
            )
            return
        self._durable = True
        shared.report(StreamStarted(shared.stream_arn, resumed=False))
