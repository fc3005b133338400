"""What the parts of the core share: settings, the agenda, the events, and the reason to stop."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from ddbstream.exceptions import PollerError, RecordsTrimmedError
from ddbstream.poller._core.budget import Budget
from ddbstream.poller._core.commands import CommandFailed, Instant
from ddbstream.poller._core.events import Event, Exit, Gap
from ddbstream.poller._core.policies import FailurePolicy, Settings
from ddbstream.poller._core.positions import After, AtTime, Position, Start
from ddbstream.poller._core.shard import Shard

__all__ = ["Agenda", "Shared"]

_HEALING = ("ExpiredToken", "ExpiredTokenException")  # when the credentials are refreshed
_SURELY_TRIMMED = 3600.0  # beyond the retention: no clock is wrong by more


class Agenda:
    """Which shards to look at now, and which later. Never more often than something changed."""

    def __init__(self) -> None:
        self._now: dict[str, None] = {}
        self._later: list[tuple[float, str]] = []

    def touch(self, shard_id: str) -> None:
        """Look at the shard in this round."""
        self._now[shard_id] = None

    def later(self, when: float, shard_id: str = "") -> None:
        """Look at the shard (or, without one, at the stream) at a moment of the monotonic clock."""
        heapq.heappush(self._later, (when, shard_id))

    def take(self, now: float) -> list[str]:
        """The shards to look at; empty when there are none left for now."""
        while self._later and self._later[0][0] <= now:
            shard_id = heapq.heappop(self._later)[1]
            if shard_id:
                self._now[shard_id] = None
        taken = list(self._now)
        self._now.clear()
        return taken

    def next_at(self) -> float | None:
        """When there is something to look at again; None if only an answer can bring something."""
        if self._now:
            return float("-inf")
        return self._later[0][0] if self._later else None


@dataclass
class Shared:
    """Shared state of one stream's core."""

    stream_arn: str
    settings: Settings
    policy: FailurePolicy
    chance: Callable[[], float]
    timestamps: bool = False
    auto_commit: bool = True
    shared_budget: Budget | None = None  # with the other streams of the poller
    over_since: float | None = None  # wall clock; None if the stream may have been enabled just now

    def __post_init__(self) -> None:
        self.agenda = Agenda()
        self.budget = self.shared_budget or Budget(self.settings)
        self.events: list[Event] = []
        self.exit: Exit | None = None
        self.start: Start | None = None
        self.resumed = False
        # Shards that existed by then (wall clock) were listed, as far as a listing shows all.
        self.known_until: float | None = None
        self.draining = False
        self.exit_when_drained: Exit | None = None  # the exit once everything is drained
        self.lease_until = float("inf")
        self.ever_answered = False  # a call has succeeded: credentials and names were right once
        self.unsaved: dict[str, None] = {}
        self.busy = 0  # deliveries, discards and saves in flight

    def report(self, event: Event) -> None:
        """Keep an event for the driver to take."""
        self.events.append(event)

    def fail(self, error: BaseException) -> None:
        """Stop for good, because of an error."""
        self.leave(Exit("failed", error))

    def has_left(self) -> bool:
        """Whether there is a reason to stop already."""
        return self.exit is not None

    def fail_refused(self, operation: str, shard_id: str | None, failed: CommandFailed) -> None:
        """Stop because the service refuses a call, and will go on refusing."""
        where = f" for shard {shard_id}" if shard_id else ""
        error = PollerError(f"{operation}{where} is refused: {failed.code}")
        error.__cause__ = failed.error
        self.fail(error)

    def fail_after_saving(self, error: BaseException) -> None:
        """Stop because of an error, once what is done is saved."""
        self.draining = True
        if self.exit_when_drained is None:
            self.exit_when_drained = Exit("failed", error)
            for shard_id in self.unsaved:
                self.agenda.touch(shard_id)

    def leave(self, exit_: Exit) -> None:
        """Stop for good; the first reason stands."""
        if self.exit is None:
            self.exit = exit_
            self.report(exit_)

    def refuses_for_good(self, failed: CommandFailed, since: float) -> bool:
        """Whether a refusal that has lasted ``since`` seconds is final.

        Before any call has succeeded it is a mistake of configuration. Later it may heal, as
        expired credentials do at any time.
        """
        if not self.ever_answered and failed.code not in _HEALING:
            return True
        return since > self.settings.fatal_after

    def gap(self, gap: Gap) -> bool:
        """Report a gap, and say whether to go on."""
        self.report(gap)
        if self.settings.on_gap == "continue":
            return True
        where = f"shard {gap.shard_id}" if gap.shard_id else "the stream"
        number = gap.after.sequence_number if isinstance(gap.after, After) else None
        self.fail(
            RecordsTrimmedError(
                f"records of {where} may be lost ({gap.reason}); on_gap='continue' reads on",
                sequence_number=number,
            )
        )
        return False

    def first_position(self) -> Position:
        """Where a shard begins that has no stored position."""
        assert self.start is not None
        return self.start.position

    def wanted_from(self) -> float:
        """Nothing older than this moment is wanted.

        It precedes the start, or was trimmed before it.
        """
        assert self.start is not None
        if isinstance(self.start.position, AtTime):
            return self.start.position.time
        return self.start.fixed_at - self.settings.retention - _SURELY_TRIMMED

    def owed_from(self, shard: Shard) -> float:
        """The moment from which on the consumer is owed a shard's records, if it has read none.

        That is the shard's birth, or what was about to be trimmed when the consumer began.
        """
        assert self.start is not None
        if isinstance(self.start.position, AtTime):
            return max(shard.birth or 0.0, self.start.position.time)
        if shard.birth is not None:
            return max(shard.birth, self.oldest_owed())
        listed = shard.born_after
        fixed = self.start.fixed_at
        return fixed if listed is None else max(fixed, listed - self.settings.missing_parent)

    def oldest_owed(self) -> float:
        """What is older was trimmed, or about to be, when the consumer began."""
        assert self.start is not None
        settings = self.settings
        return self.start.fixed_at - settings.retention + 2 * settings.retention_slack

    def lease_valid(self, at: Instant) -> bool:
        """Whether nobody else can own the store yet."""
        return at.mono < self.lease_until
