"""The poller's core.

A state machine of one stream, without clock, client, thread or chance of its own.

Rules

* At least once, in order within a shard, a parent's records before its children's, nothing skipped:
  whatever is not delivered is reported as a gap.
* The start is durable before the first read, a parent's end before its child's first delivery.
* Every failure either moves on, or waits and tries again, or is reported and stops the poller. No
  state is final but ``exit``.
* One shard's trouble stays with that shard.

Theory of operation

A driver owns the clocks and everything that blocks. It calls `poll(at)`, runs the commands that
come back, and hands each to `receive(command, result, at)`; between the two it may do what it
likes, in any order, in any number of threads, as long as it calls the core from one at a time.
`wake_at()` tells when `poll` has something to say again even if no answer comes. The core never
blocks and never fails: what a command raised arrives as a `CommandFailed`.

A stream goes through: list it once (the listing tells the service's clock), fix the start, then
read. A shard goes through WAITING (for its parent), READING, ENDING (no iterator follows: a listing
must agree, a second look find nothing, and everything be handled), ENDED (durable). Reading
(`reading`), delivering and saving (`delivery`) and the tree (`lineage`) are parts of their own;
they meet in the `Shard`. A shard is looked at only when an answer for it came, its timer ran out,
its parent ended or a listing was completed, so ten thousand quiet shards cost nothing.

Time is an `Instant`: waits are counted on its monotonic side, ages on its wall side, put right by
what the service's answers tell of its clock.
"""

from __future__ import annotations

from collections.abc import Callable

from ddbstream.exceptions import FencedError
from ddbstream.poller._core.budget import Budget
from ddbstream.poller._core.commands import (
    HANDLING,
    Command,
    CommandFailed,
    Deliver,
    Delivered,
    Describe,
    Discard,
    FixStart,
    Forget,
    GetIterator,
    GetRecords,
    Instant,
    RecordsPage,
    Renew,
    Result,
    Save,
    StreamPage,
)
from ddbstream.poller._core.delivery import Delivery
from ddbstream.poller._core.discovery import Discovery
from ddbstream.poller._core.events import Event, Exit, Gap, ShardStarted, StreamStarted
from ddbstream.poller._core.lease import LeaseRenewal
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.policies import FailurePolicy, Settings
from ddbstream.poller._core.positions import AtTime, Position, State, rank
from ddbstream.poller._core.reading import Reader
from ddbstream.poller._core.shard import Shard, Stage
from ddbstream.poller._core.shared import Shared
from ddbstream.poller._core.start import Begin, Starting

__all__ = ["StreamCore"]

_SAME_TIME = 2.0  # clocks that differ by less are the same: their reading is not more exact


class StreamCore:
    """Reads one stream: see the module's text.

    Args:
        stream_arn: Of the stream; only reported, never called.
        state: What the store holds.
        begin: Where to begin if it holds nothing: see `Begin`.
        at: The present moment.
        settings: Numbers.
        policy: For records that fail.
        chance: Numbers in [0, 1), for jitter.
        timestamps: Whether the client knows AT_TIMESTAMP.
        over_since: If it is known that the stream is over, when its table's next one was enabled.
        budget: Of the poller's streams together.
    """

    def __init__(  # noqa: PLR0913 - keyword-only from the third on
        self,
        stream_arn: str,
        state: State,
        *,
        begin: Begin,
        at: Instant,
        settings: Settings,
        policy: FailurePolicy,
        chance: Callable[[], float],
        timestamps: bool = False,
        over_since: float | None = None,
        budget: Budget | None = None,
    ) -> None:
        shared = self._shared = Shared(
            stream_arn, settings, policy, chance, timestamps, shared_budget=budget
        )
        shared.over_since = over_since
        self.lineage = Lineage(shared)
        self._discovery = Discovery(shared, self.lineage, at)
        self._starting = Starting(shared, begin, at)
        self._lease = LeaseRenewal(shared, self.lineage, at)
        self._reader = Reader(shared, self.lineage, self._discovery.want)
        self._delivery = Delivery(shared, self.lineage)
        self._wall = at.wall  # when it was last polled
        self._skew = 0.0  # seconds our wall clock is ahead of the service's
        self._unresumed = state if state.start is not None else None
        # What may have been too long is judged by the service's clock: ours may be days off.
        if state.alive_until is None or at.wall - state.alive_until <= settings.surely_kept:
            self._resume(at)

    def _resume(self, at: Instant) -> None:
        state, self._unresumed = self._unresumed, None
        if state is None:
            return
        shared = self._shared
        shared.start, shared.resumed = state.start, True
        alive, longest = state.alive_until, shared.settings.surely_kept
        if alive is not None and at.wall - alive > longest:
            if not shared.gap(Gap(shared.stream_arn, None, None, None, "stopped_too_long")):
                return
            # What is left to read is as old as that: read much later, some of it is gone too.
            alive = at.wall - longest + shared.settings.retention_slack
        shared.known_until = alive
        for shard_id, position in state.positions.items():
            shard = self.lineage.restore(shard_id, position)
            shard.fresh_at = at.wall if alive is None else shard.born_by(at.wall, at_least=alive)
            shared.agenda.touch(shard_id)
        shared.report(StreamStarted(shared.stream_arn, resumed=True))

    # What a driver calls

    @property
    def exit(self) -> Exit | None:
        """Why the core stopped; None while it runs."""
        return self._shared.exit

    @property
    def leaving(self) -> Exit | None:
        """Why the core stops, as soon as that is decided; what is done may be unsaved yet."""
        return self._shared.exit or self._shared.exit_when_drained

    @property
    def listed_at(self) -> float | None:
        """When the last listing was complete, on the monotonic clock."""
        return self._discovery.listed_at

    @property
    def alive_at(self) -> float | None:
        """The last sign of life that the store was to keep; it may be kept again in any thread."""
        return self._lease.alive_at

    def lease_was_renewed(self, asked_at: float, result: CommandFailed | None, at: Instant) -> None:
        """Take in a renewal that a driver made by itself, while it could not poll."""
        if result is None:
            self._lease.was_renewed(asked_at)
        else:
            self._check_fenced(result)

    @property
    def busy(self) -> int:
        """Deliveries and saves in flight."""
        return self._shared.busy

    @property
    def lease_until(self) -> float:
        """Until when, on the monotonic clock, nobody else can own the store."""
        return self._shared.lease_until

    def poll(self, at: Instant) -> list[Command]:
        """Everything to be done now that is not being done already."""
        out: list[Command] = []
        shared = self._shared
        if shared.exit is not None:
            return out
        at = self._by_service(at)
        self._wall = at.wall
        self._starting.advance(at, out)
        if self._starting.done:
            self._lease.advance(at, out)
        if not shared.draining:
            self._discovery.advance(at, out)
        while self._is_reading() and (ids := shared.agenda.take(at.mono)):
            for shard_id in ids:
                shard = self.lineage.shards.get(shard_id)
                if shard is not None and not shared.has_left():
                    self._advance_shard(shard, at, out)
        self._check_exit(at)
        return [] if shared.has_left() else out

    def _is_reading(self) -> bool:
        return self._starting.done and not self._shared.has_left()

    def wake_at(self) -> float | None:
        """When to `poll` again on the monotonic clock, even if no answer comes."""
        if self._shared.exit is not None:
            return None
        times = [self._shared.agenda.next_at(), self._starting.wake_at()]
        if self._starting.done:
            times.append(self._lease.wake_at())
        if not self._shared.draining:
            times.append(self._discovery.wake_at())
        return min((time for time in times if time is not None), default=None)

    def events(self) -> list[Event]:
        """Take what was reported since the last call."""
        events = self._shared.events
        if events:
            self._shared.events = []
        return events

    def stop(self) -> None:
        """Drain: fetch and deliver nothing more, save what is done, then exit."""
        if not self._shared.draining:
            self._shared.draining = True
            self._lease.renew_once_more()
            for shard_id in self._shared.unsaved:
                self._shared.agenda.touch(shard_id)

    def auto_commit(self, *, enabled: bool) -> None:
        """Say whether what is delivered is saved at once, or only after `commit`."""
        self._shared.auto_commit = enabled

    def awaits_commit(self) -> str | None:
        """A shard that has nothing left but a `commit` to come.

        For drivers without ``auto_commit``.
        """
        for shard in self.lineage.going.values():
            over = shard.stage is Stage.ENDING and shard.proven and shard.idle
            if over and rank(shard.committed) < rank(shard.done):
                return shard.shard_id
        return None

    def commit(self, shard_id: str, position: Position, count: int) -> None:
        """Let what is done up to a position be saved; for drivers without ``auto_commit``."""
        shard = self.lineage.shards.get(shard_id)
        if shard is not None:
            self._delivery.commit(shard, position, count)
            self._shared.agenda.touch(shard_id)

    def receive(self, command: Command, result: Result, at: Instant) -> None:
        """Take in what came of a command: `HANDLING` says which of the methods below does it."""
        if self._shared.exit is not None:
            return
        if isinstance(result, StreamPage) and result.service_time is not None:
            self._learn_skew(at.wall - result.service_time)
        if isinstance(result, CommandFailed) and self._check_fenced(result):
            return
        getattr(self, HANDLING[type(command)].receive)(command, result, self._by_service(at))

    def _check_fenced(self, failed: CommandFailed) -> bool:
        if failed.kind == "fenced":
            error = failed.error or FencedError("another poller has taken the store over")
            self._shared.leave(Exit("fenced", error))
        return failed.kind == "fenced"

    # Results, each taken in by the part that it is about

    def on_described(
        self, _command: Describe, result: StreamPage | CommandFailed, at: Instant
    ) -> None:
        """A page of the listing."""
        if isinstance(result, StreamPage) or result.kind == "gone":
            self._resume(at)
        self._discovery.on_described(result, at)
        if isinstance(result, StreamPage) and self._shared.start is None:
            self._starting.decide(at)
        self._finish_listing(at)

    def on_start_fixed(self, _command: FixStart, result: CommandFailed | None, at: Instant) -> None:
        """The start is durable, or is not."""
        self._starting.on_fixed(result, at)
        self._finish_listing(at)

    def _finish_listing(self, at: Instant) -> None:
        # A listing makes shards, and those need the start: one that is complete earlier waits.
        if self._is_reading():
            self._discovery.finish(at)

    def on_renewed(self, _command: Renew, result: CommandFailed | None, at: Instant) -> None:
        """The lease is renewed, or is not."""
        self._lease.on_renewed(result, at)

    def on_forgotten(self, command: Forget, result: CommandFailed | None, _at: Instant) -> None:
        """Positions are dropped; what is not will be asked for again after the next listing."""
        if result is None:
            self.lineage.forget(command.shard_ids)

    def on_iterator(self, command: GetIterator, result: str | CommandFailed, at: Instant) -> None:
        """An iterator."""
        self._reader.on_iterator(self._answered(command.shard_id), command, result, at)

    def on_page(
        self, command: GetRecords, result: RecordsPage | CommandFailed, at: Instant
    ) -> None:
        """A page of records."""
        self._reader.on_page(self._answered(command.shard_id), result, at)

    def on_delivered(self, command: Deliver, result: Delivered, at: Instant) -> None:
        """The handlers are through with a delivery."""
        self._delivery.on_delivered(self._answered(command.shard_id), result, at)

    def on_discarded(self, command: Discard, result: CommandFailed | None, at: Instant) -> None:
        """The sink has a record, or failed."""
        self._delivery.on_discarded(self._answered(command.shard_id), result, at)

    def on_saved(self, command: Save, result: CommandFailed | None, at: Instant) -> None:
        """A position is durable, or may not be."""
        shard = self._answered(command.shard_id)
        self._delivery.on_saved(shard, command, result, at)
        if shard.stage is Stage.ENDED:
            self._discovery.expect_sibling(shard, at)

    def _answered(self, shard_id: str) -> Shard:
        """The shard that an answer came for; it is looked at in this round."""
        self._shared.agenda.touch(shard_id)
        return self.lineage.shards[shard_id]

    def _learn_skew(self, ahead: float) -> None:
        # The service's header gives whole seconds: the middle of that second is the best guess.
        skew = ahead - 0.5
        self._skew = skew if abs(skew) > _SAME_TIME else 0.0

    def _by_service(self, at: Instant) -> Instant:
        """The moment by the service's clock, which dates records and shards."""
        return Instant(at.mono, at.wall - self._skew)

    # One shard

    def _advance_shard(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        if shard.stage is Stage.WAITING:
            if self._shared.draining or not self.lineage.may_start(shard, at):
                return
            self._start_shard(shard, at)
        if shard.stage is Stage.ENDED or self._shared.exit is not None:
            return
        self._reader.advance(shard, at, out)
        if shard.stage is Stage.ENDING and not shard.proven:
            self._reader.prove_end(shard, at)
        self._delivery.advance(shard, at, out)

    def _start_shard(self, shard: Shard, at: Instant) -> None:
        shared = self._shared
        if self.lineage.nothing_wanted(shard):
            # Without a word to the store: a restart comes to the same conclusion.
            self.lineage.end(shard)
            return
        position = shared.first_position()
        shard.stage = Stage.READING
        shard.drop_before = position.time if isinstance(position, AtTime) else None
        shard.fresh_at = shared.owed_from(shard)
        shared.report(ShardStarted(shared.stream_arn, shard.shard_id, position))

    # The end

    def _check_exit(self, at: Instant) -> None:
        shared = self._shared
        if shared.exit is not None or shared.busy:
            return
        if shared.draining:
            # With an error to tell there is no time for a last sign of life: the next start rather
            # reports a gap too many.
            renewed = self._lease.renewed_once_more or not self._starting.done
            renewed = renewed or shared.exit_when_drained is not None
            if not shared.unsaved and renewed:
                shared.leave(shared.exit_when_drained or Exit("stopped"))
            return
        if self.lineage.is_over() and not self.lineage.going and self._discovery.proves_end(at):
            shared.leave(Exit("stream_ended"))

    def caught_up(self) -> bool:
        """Whether everything listed is read to its tip, done and saved.

        The service has no sign for "no more for now". An open shard counts as read to its tip after
        ``caught_up_pages`` empty pages in a row, each with an iterator that follows.
        """
        if not self.lineage.completed or self._shared.busy or self._shared.unsaved:
            return False
        if self._discovery.expects_more(self._wall):
            return False
        pages = self._shared.settings.caught_up_pages
        return all(
            shard.stage is Stage.READING
            and shard.idle
            and shard.empties >= pages
            and rank(shard.committed) <= rank(shard.saved)
            and not shard.closed
            for shard in self.lineage.going.values()
        )
