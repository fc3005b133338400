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
blocks and never fails: what a command raised arrives as a `Fault`.

A stream goes through: list it once (the listing tells the service's clock), fix the start, then
read. A shard goes through WAITING (for its parent), READING, ENDING (no iterator follows; a listing
must agree and everything must be handled), ENDED (durable). Reading (`_reader`), delivering and
saving (`_delivery`) and the tree (`_lineage`) are parts of their own; they meet in the `Shard`. A
shard is looked at only when an answer for it came, its timer ran out, its parent ended or a listing
was completed, so ten thousand quiet shards cost nothing.

Time is an `Instant`: waits are counted on its monotonic side, ages on its wall side, put right by
what the service's answers tell of its clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ddbstream.exceptions import FencedError
from ddbstream.poller._core.commands import (
    Command,
    Deliver,
    Delivered,
    Describe,
    Discard,
    Fault,
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
from ddbstream.poller._core.context import Context
from ddbstream.poller._core.delivery import Delivery
from ddbstream.poller._core.discovery import Discovery
from ddbstream.poller._core.events import (
    CallFailed,
    Event,
    Exit,
    Gap,
    ShardStarted,
    StreamStarted,
)
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.policies import FailurePolicy, Settings
from ddbstream.poller._core.positions import AtStart, AtTime, Position, Start, rank
from ddbstream.poller._core.reader import Reader
from ddbstream.poller._core.shard import Shard, Stage
from ddbstream.poller._core.tenure import Tenure

__all__ = ["State", "StreamCore"]

_SAME_TIME = 2.0  # clocks that differ by less are the same: their reading is not more exact


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


class StreamCore:
    """Reads one stream: see the module's text.

    Args:
        stream_arn: Of the stream; only reported, never called.
        state: What the store holds.
        begin: Where to begin if it holds nothing: `AtStart()`, `AtTime(t)`, or None for now.
        at: The present moment.
        settings: Numbers.
        policy: For records that fail.
        chance: Numbers in [0, 1), for jitter.
        timestamps: Whether the client knows AT_TIMESTAMP.
    """

    def __init__(
        self,
        stream_arn: str,
        state: State,
        *,
        begin: AtStart | AtTime | None,
        at: Instant,
        settings: Settings,
        policy: FailurePolicy,
        chance: Callable[[], float],
        timestamps: bool = False,
    ) -> None:
        ctx = self._ctx = Context(stream_arn, settings, policy, chance, timestamps)
        self.lineage = Lineage(ctx)
        self._discovery = Discovery(ctx, self.lineage, at)
        self._tenure = Tenure(ctx, self.lineage, begin, at)
        self._reader = Reader(ctx, self.lineage, self._discovery.want)
        self._delivery = Delivery(ctx, self.lineage)
        self._sibling_at: float | None = None
        self._skew = 0.0  # seconds our wall clock is ahead of the service's
        if state.start is not None:
            self._resume(state, at)

    def _resume(self, state: State, at: Instant) -> None:
        ctx = self._ctx
        ctx.start, ctx.resumed = state.start, True
        alive = state.last_alive
        longest = ctx.settings.retention - ctx.settings.retention_slack
        if alive is not None and at.wall - alive > longest:
            if not ctx.gap(Gap(ctx.stream_arn, None, None, None, "stopped_too_long")):
                return
            # What is left to read is as old as that: read much later, some of it is gone too.
            alive = at.wall - longest + ctx.settings.retention_slack
        ctx.known_until = alive
        for shard_id, position in state.positions.items():
            shard = self.lineage.restore(shard_id, position)
            shard.fresh_at = at.wall if alive is None else alive
            ctx.agenda.touch(shard_id)
        ctx.report(StreamStarted(ctx.stream_arn, resumed=True))

    # What a driver calls

    @property
    def exit(self) -> Exit | None:
        """Why the core stopped; None while it runs."""
        return self._ctx.exit

    @property
    def listed_at(self) -> float | None:
        """When the last listing was complete, on the monotonic clock."""
        return self._discovery.listed_at

    @property
    def busy(self) -> int:
        """Deliveries and saves in flight."""
        return self._ctx.busy

    @property
    def lease_until(self) -> float:
        """Until when, on the monotonic clock, nobody else can own the store."""
        return self._ctx.lease_until

    def poll(self, at: Instant) -> list[Command]:
        """Everything to be done now that is not being done already."""
        out: list[Command] = []
        ctx = self._ctx
        if ctx.exit is not None:
            return out
        at = self._by_service(at)
        self._tenure.advance(at, out)
        if not ctx.draining:
            self._discovery.advance(at, out)
        while self._is_reading() and (ids := ctx.agenda.take(at.mono)):
            for shard_id in ids:
                shard = self.lineage.shards.get(shard_id)
                if shard is not None and not ctx.has_left():
                    self._advance_shard(shard, at, out)
        self._check_exit()
        return [] if ctx.has_left() else out

    def _is_reading(self) -> bool:
        return self._tenure.begun and not self._ctx.has_left()

    def wake_at(self) -> float | None:
        """When to `poll` again on the monotonic clock, even if no answer comes."""
        if self._ctx.exit is not None:
            return None
        times = [self._ctx.agenda.next_at(), self._tenure.wake_at()]
        if not self._ctx.draining:
            times.append(self._discovery.wake_at())
        return min((time for time in times if time is not None), default=None)

    def events(self) -> list[Event]:
        """Take what was reported since the last call."""
        events = self._ctx.events
        if events:
            self._ctx.events = []
        return events

    def stop(self) -> None:
        """Drain: fetch and deliver nothing more, save what is done, then exit."""
        if not self._ctx.draining:
            self._ctx.draining = True
            self._tenure.renew_once_more()
            for shard_id in self._ctx.unsaved:
                self._ctx.agenda.touch(shard_id)

    def auto_commit(self, *, enabled: bool) -> None:
        """Say whether what is delivered may be saved at once, or only after `commit`."""
        self._ctx.auto_commit = enabled

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
            self._ctx.agenda.touch(shard_id)

    def receive(self, command: Command, result: Result, at: Instant) -> None:
        """Take in what came of a command."""
        if self._ctx.exit is not None:
            return
        if isinstance(result, StreamPage) and result.service_time is not None:
            self._learn_skew(at.wall - result.service_time)
        at = self._by_service(at)
        if isinstance(result, Fault) and result.kind == "fenced":
            error = result.error or FencedError("another poller has taken the store over")
            self._ctx.leave(Exit("fenced", error))
            return
        if isinstance(command, Describe):
            assert isinstance(result, (StreamPage, Fault))
            self._on_described(result, at)
        elif isinstance(command, FixStart):
            self._tenure.on_start_fixed(self._fault(result), at)
            self._finish_listing(at)
        elif isinstance(command, Renew):
            self._tenure.on_renewed(self._fault(result), at)
        elif isinstance(command, Forget):
            if not isinstance(result, Fault):
                self.lineage.forget(command.shard_ids)
        else:
            self._receive_for_shard(command, result, at)

    def _on_described(self, result: StreamPage | Fault, at: Instant) -> None:
        self._discovery.on_described(result, at)
        if isinstance(result, StreamPage) and self._ctx.start is None:
            self._tenure.fix_start(at)
        self._finish_listing(at)

    def _finish_listing(self, at: Instant) -> None:
        if self._is_reading():
            self._discovery.finish(at)

    def _receive_for_shard(
        self,
        command: GetIterator | GetRecords | Deliver | Discard | Save,
        result: Result,
        at: Instant,
    ) -> None:
        shard = self.lineage.shards[command.shard_id]
        if isinstance(command, GetRecords):
            assert isinstance(result, (RecordsPage, Fault))
            self._reader.on_page(shard, result, at)
        elif isinstance(command, Deliver):
            assert isinstance(result, Delivered)
            self._delivery.on_delivered(shard, result, at)
        elif isinstance(command, GetIterator):
            assert isinstance(result, (str, Fault))
            self._reader.on_iterator(shard, command, result, at)
        elif isinstance(command, Save):
            self._delivery.on_saved(shard, command, self._fault(result), at)
            if shard.stage is Stage.ENDED:
                self._expect_sibling(shard, at)
        else:
            self._delivery.on_discarded(shard, self._fault(result), at)
        self._ctx.agenda.touch(shard.shard_id)

    def _learn_skew(self, ahead: float) -> None:
        # The service's header gives whole seconds: the middle of that second is the best guess.
        skew = ahead - 0.5
        self._skew = skew if abs(skew) > _SAME_TIME else 0.0

    def _by_service(self, at: Instant) -> Instant:
        """The moment by the service's clock, which dates records and shards."""
        return Instant(at.mono, at.wall - self._skew)

    @staticmethod
    def _fault(result: Result) -> Fault | None:
        return result if isinstance(result, Fault) else None

    # One shard

    def _advance_shard(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        if shard.stage is Stage.WAITING:
            if self._ctx.draining or not self.lineage.may_start(shard, at):
                return
            self._start_shard(shard, at)
        if shard.stage is Stage.ENDED or self._ctx.exit is not None:
            return
        self._reader.advance(shard, at, out)
        if shard.stage is Stage.ENDING and not shard.proven:
            self._prove_end(shard, at)
        self._delivery.advance(shard, at, out)

    def _start_shard(self, shard: Shard, at: Instant) -> None:
        ctx = self._ctx
        if self.lineage.nothing_wanted(shard):
            shard.virtual = True
            self.lineage.end(shard)
            return
        position = ctx.first_position()
        shard.stage = Stage.READING
        shard.drop_before = position.time if isinstance(position, AtTime) else None
        shard.fresh_at = ctx.owed_from(shard)
        ctx.report(ShardStarted(ctx.stream_arn, shard.shard_id, position))

    def _prove_end(self, shard: Shard, at: Instant) -> None:
        # A missing iterator alone proves nothing: a cut-off answer has none either.
        if shard.proof_after is None or self.lineage.completed <= shard.proof_after:
            return
        if self.lineage.end_is_proven(shard):
            shard.proven = True
            return
        shard.false_ends += 1
        wait = self._ctx.settings.late_child.after(shard.false_ends, self._ctx.chance())
        shard.stage = Stage.READING
        shard.proof_after = None
        shard.iterator = None
        shard.fetch_at = at.mono + wait
        self._ctx.agenda.later(shard.fetch_at, shard.shard_id)
        self._ctx.report(
            CallFailed(
                self._ctx.stream_arn, shard.shard_id, "GetRecords", "transient", "FalseEnd", wait
            )
        )

    def _expect_sibling(self, shard: Shard, at: Instant) -> None:
        # A split makes two children, and one may be listed before the other.
        births = [self.lineage.shards[child].birth for child in shard.children]
        young = any(b is None or at.wall - b < self._ctx.settings.discovery for b in births)
        if len(births) == 1 and young:
            self._sibling_at = at.mono + self._ctx.settings.late_child.cap
            self._discovery.want(self._sibling_at)

    # The end

    def _check_exit(self) -> None:
        ctx = self._ctx
        if ctx.exit is not None or ctx.busy:
            return
        if ctx.draining:
            renewed = self._tenure.renewed_once_more or ctx.last_words is not None
            if not ctx.unsaved and renewed:
                ctx.leave(ctx.last_words or Exit("stopped"))
            return
        ended = self.lineage.status in ("DISABLED", "GONE") and self.lineage.completed
        if ended and not self.lineage.going:
            ctx.leave(Exit("stream_ended"))

    def caught_up(self) -> bool:
        """Whether everything listed is read to its tip, done and saved.

        The service has no sign for "no more for now". An open shard counts as read to its tip after
        ``caught_up_pages`` empty pages in a row, each with an iterator that follows.
        """
        if not self.lineage.completed or self._ctx.busy or self._ctx.unsaved:
            return False
        if self.lineage.status == "ENABLED" and self.lineage.awaits_children():
            return False
        listed_from = self._discovery.listed_from
        if self._sibling_at is not None and (listed_from is None or listed_from < self._sibling_at):
            return False
        pages = self._ctx.settings.caught_up_pages
        return all(
            shard.stage is Stage.READING
            and shard.idle
            and shard.empties >= pages
            and rank(shard.committed) <= rank(shard.saved)
            and not shard.closed
            for shard in self.lineage.going.values()
        )
