"""The poller's core: a state machine of one stream, without clock, client, thread or chance of its own.

Rules

* At least once, in order within a shard, a parent's records before its children's, nothing skipped: whatever is not
  delivered is reported as a gap.
* The start is durable before the first read, a parent's end before its child's first delivery.
* Every failure either moves on, or waits and tries again, or is reported and stops the poller. No state is final but
  ``exit``.
* One shard's trouble stays with that shard.

Theory of operation

A driver owns the clocks and everything that blocks. It calls `poll(at)`, runs the commands that come back, and
hands each to `receive(command, result, at)`; between the two it may do what it likes, in any order, in any number
of threads, as long as it calls the core from one at a time. `wake_at()` tells when `poll` has something to say
again even if no answer comes. The core never blocks and never fails: what a command raised arrives as a `Fault`.

A stream goes through: list it once (the listing tells the service's clock), fix the start, then read. A shard goes
through WAITING (for its parent), READING, ENDING (no iterator follows; a listing must agree and everything must be
handled), ENDED (durable). Reading (`_reader`), delivering and saving (`_delivery`) and the tree (`_lineage`) are parts
of their own; they meet in the `Shard`. A shard is looked at only when an answer for it came, its timer ran out,
its parent ended or a listing was completed, so ten thousand quiet shards cost nothing.

Time is an `Instant`: waits are counted on its monotonic side, ages on its wall side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ddbstream.exceptions import FencedError, StreamNotFoundError
from ddbstream.poller._commands import (
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
from ddbstream.poller._context import Context
from ddbstream.poller._delivery import Delivery
from ddbstream.poller._events import (
    CallFailed,
    Event,
    Exit,
    Gap,
    ShardStarted,
    StreamListed,
    StreamStarted,
)
from ddbstream.poller._lineage import Lineage
from ddbstream.poller._listing import Listing
from ddbstream.poller._policies import FailurePolicy, Settings
from ddbstream.poller._positions import After, AtStart, AtTime, Position, Start, rank
from ddbstream.poller._reader import Reader, refusal
from ddbstream.poller._shard import Shard, Stage

__all__ = ["State", "StreamCore"]


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
        self._reader = Reader(ctx, self.lineage, self._want_listing)
        self._delivery = Delivery(ctx, self.lineage)
        self._begin = begin
        self._created = at
        self._fixing = False
        self._fix_running = False
        self._fix_attempts = 0
        self._fix_at = at.mono
        self._to_forget: tuple[str, ...] = ()
        self._listing: Listing | None = None
        self._listings = 0  # started so far
        self._describing = False
        self._describe_at = at.mono
        self._describe_attempts = 0
        self._listing_at: float = at.mono  # when the next listing is due
        self._refused_since: float | None = None
        self.listed_at: float | None = None  # when the last listing was complete
        self._renewing = False
        self._renew_at = at.mono
        self._renew_issued = at.mono
        self._renew_attempts = 0
        self._renewed = 0  # renewals answered, well or not
        self._last_renewal = 0
        ctx.lease_until = at.mono + settings.lease
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
            alive = at.wall
        for shard_id, position in state.positions.items():
            shard = self.lineage.restore(shard_id, position)
            shard.first_seen = at.wall
            shard.fresh_at = at.wall if alive is None else alive
            ctx.agenda.touch(shard_id)
        ctx.report(StreamStarted(ctx.stream_arn, True))

    # What a driver calls

    @property
    def exit(self) -> Exit | None:
        """Why the core stopped; None while it runs."""
        return self._ctx.exit

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
        if self._ctx.exit is not None:
            return out
        self._advance_stream(at, out)
        while self._is_reading() and (ids := self._ctx.agenda.take(at.mono)):
            for shard_id in ids:
                shard = self.lineage.shards.get(shard_id)
                if shard is not None and not self._has_left():
                    self._advance_shard(shard, at, out)
        self._check_exit()
        return [] if self._has_left() else out

    def _is_reading(self) -> bool:
        return self._ctx.start is not None and not self._fixing and self._ctx.exit is None

    def _has_left(self) -> bool:
        return self._ctx.exit is not None

    def wake_at(self) -> float | None:
        """When to `poll` again on the monotonic clock, even if no answer comes."""
        if self._ctx.exit is not None:
            return None
        times = [self._ctx.agenda.next_at()]
        if self._fixing:
            times.append(None if self._fix_running else self._fix_at)
        elif not self._ctx.draining and not self._describing:
            times.append(max(self._describe_at, self._listing_at if self._listing is None else 0.0))
        if self._ctx.start is not None and not self._fixing and not self._renewing:
            times.append(self._renew_at)
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
            self._renew_at = float(
                "-inf"
            )  # once more: what was in reach until now is the last sign of life
            self._last_renewal = self._renewed
            for shard_id in self._ctx.unsaved:
                self._ctx.agenda.touch(shard_id)

    def auto_commit(self, *, enabled: bool) -> None:
        """Say whether what is delivered may be saved at once (as it is at first), or only after `commit`."""
        self._ctx.auto_commit = enabled

    def awaits_commit(self) -> str | None:
        """A shard that has nothing left but a `commit` to come; for drivers without ``auto_commit``."""
        for shard in self.lineage.going.values():
            if shard.stage is Stage.ENDING and shard.proven and shard.idle:
                if rank(shard.committed) < rank(shard.done):
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
        if isinstance(result, Fault) and result.kind == "fenced":
            error = result.error or FencedError("another poller has taken the store over")
            self._ctx.leave(Exit("fenced", error))
            return
        if isinstance(command, Describe):
            assert isinstance(result, (StreamPage, Fault))
            self._on_described(result, at)
        elif isinstance(command, FixStart):
            self._on_start_fixed(command, result, at)
        elif isinstance(command, Renew):
            self._on_renewed(result, at)
        elif isinstance(command, Forget):
            if not isinstance(result, Fault):
                self.lineage.forget(command.shard_ids)
        else:
            self._receive_for_shard(command, result, at)

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
        else:
            self._delivery.on_discarded(shard, self._fault(result), at)
        self._ctx.agenda.touch(shard.shard_id)

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

    # The stream

    def _want_listing(self, at: Instant, when: float) -> int:
        """Have a new listing started by then; a listing that proves anything has a higher number."""
        self._listing_at = min(self._listing_at, when)
        return self._listings

    def _advance_stream(self, at: Instant, out: list[Command]) -> None:
        ctx = self._ctx
        if self._fixing:
            if not self._fix_running and at.mono >= self._fix_at:
                assert ctx.start is not None
                self._fix_running = True
                out.append(FixStart(ctx.start))
        elif ctx.start is not None:
            if not self._renewing and at.mono >= self._renew_at:
                self._renewing = True
                self._renew_issued = at.mono
                out.append(Renew(self._alive_at(at)))
            if self._to_forget:
                out.append(Forget(self._to_forget))
                self._to_forget = ()
        if ctx.draining or self._describing or at.mono < self._describe_at:
            return
        if self._listing is None:
            if at.mono < self._listing_at:
                return
            self._listings += 1
            self._listing = Listing(self._listings)
            self._listing_at = at.mono + ctx.settings.discovery * (0.9 + ctx.chance() / 5)
        elif self._listing.complete:
            return  # only until the start is fixed
        self._describing = True
        self._describe_at = at.mono + ctx.settings.describe_gap
        out.append(Describe(self._listing.cursor))

    def _on_described(self, result: StreamPage | Fault, at: Instant) -> None:
        self._describing = False
        listing = self._listing
        assert listing is not None
        if isinstance(result, Fault):
            self._on_describe_fault(result, at)
            return
        self._ctx.ever_answered = True
        self._refused_since = None
        if not listing.add(result):
            self._listing = Listing(listing.number)
            self._describe_attempts += 1
            self._describe_at = at.mono + self._describe_wait()
            return
        self._describe_attempts = 0
        if self._ctx.start is None and not self._fixing:
            self._fix_start(result, at)
        if listing.complete and self._ctx.start is not None and not self._fixing:
            self._complete_listing(at)

    def _complete_listing(self, at: Instant) -> None:
        listing, ctx = self._listing, self._ctx
        assert listing is not None
        self._listing = None
        self.lineage.apply(listing, at)
        self.listed_at = at.mono
        ctx.report(StreamListed(ctx.stream_arn, listing.status, len(listing.shards)))
        self._look_for_children(at)
        self._to_forget = tuple(self.lineage.forgettable(at))

    def _look_for_children(self, at: Instant) -> None:
        # An open stream always has an open shard: a shard that ended without a child has one coming.
        if self.lineage.status not in ("ENABLED", "ENABLING"):
            return
        settings = self._ctx.settings
        for shard in self.lineage.awaits_children():
            if shard.tries_for_child < settings.late_child_tries:
                shard.tries_for_child += 1
                wait = settings.late_child.after(shard.tries_for_child, self._ctx.chance())
                self._want_listing(at, at.mono + wait)

    def _on_describe_fault(self, fault: Fault, at: Instant) -> None:
        ctx = self._ctx
        if fault.kind == "gone":
            self._on_stream_gone(fault, at)
            return
        self._describe_attempts += 1
        wait = self._describe_wait()
        if fault.kind in ("denied", "invalid"):
            if self._refused_since is None:
                self._refused_since = at.mono
            if ctx.refuses_for_good(fault, at.mono - self._refused_since):
                ctx.fail(refusal("DescribeStream", None, fault))
                return
            wait = ctx.settings.denied_backoff.after(self._describe_attempts, ctx.chance())
        assert self._listing is not None
        if fault.kind == "invalid":  # the cursor's shard may have left the stream
            self._listing = Listing(self._listing.number)
        self._describe_at = at.mono + wait
        ctx.report(CallFailed(ctx.stream_arn, None, "DescribeStream", fault.kind, fault.code, wait))

    def _describe_wait(self) -> float:
        return self._ctx.settings.read_backoff.after(self._describe_attempts, self._ctx.chance())

    def _on_stream_gone(self, fault: Fault, at: Instant) -> None:
        if self._ctx.start is None:
            error = StreamNotFoundError("there is no such stream")
            error.__cause__ = fault.error
            self._ctx.fail(error)
            return
        assert self._listing is not None
        self._listing = Listing(self._listing.number)
        self._listing.status = "GONE"
        self._complete_listing(at)

    def _fix_start(self, page: StreamPage, at: Instant) -> None:
        # "Now" by the service's clock if that is behind ours (its header gives whole seconds).
        behind = 0.0
        if page.service_time is not None:
            behind = max(0.0, at.wall - (page.service_time + 1.0))
        now = self._created.wall - behind
        begin = AtTime(now) if self._begin is None else self._begin
        self._ctx.start = Start(begin, now)
        self._fixing = True

    def _on_start_fixed(self, command: FixStart, result: Result, at: Instant) -> None:
        ctx = self._ctx
        self._fix_running = False
        if isinstance(result, Fault):
            self._fix_attempts += 1
            wait = ctx.settings.save_backoff.after(self._fix_attempts, ctx.chance())
            self._fix_at = at.mono + wait
            ctx.report(CallFailed(ctx.stream_arn, None, "FixStart", "failed", result.code, wait))
            return
        self._fixing = False
        ctx.report(StreamStarted(ctx.stream_arn, False))
        if self._listing is not None and self._listing.complete:
            self._complete_listing(at)

    # The lease

    def _alive_at(self, at: Instant) -> float:
        """Up to when nothing unread can have been trimmed without a word from the service."""
        waiting = [
            shard.fresh_at if shard.stage is Stage.READING else shard.first_seen
            for shard in self.lineage.going.values()
            if (shard.stage is Stage.READING and not isinstance(shard.read, After))
            or (shard.stage is Stage.WAITING and shard.birth is None)
        ]
        return min([at.wall, *waiting])

    def _on_renewed(self, result: Result, at: Instant) -> None:
        ctx = self._ctx
        self._renewing = False
        self._renewed += 1
        if isinstance(result, Fault):
            self._renew_attempts += 1
            wait = ctx.settings.save_backoff.after(self._renew_attempts, ctx.chance())
            self._renew_at = at.mono + min(wait, ctx.settings.lease / 6)
            ctx.report(CallFailed(ctx.stream_arn, None, "Renew", "failed", result.code, wait))
            return
        lapsed = not ctx.lease_valid(at)
        self._renew_attempts = 0
        self._renew_at = self._renew_issued + ctx.settings.lease / 3
        # Counted from before the call, and with a margin: stop before anybody else may begin.
        ctx.lease_until = self._renew_issued + ctx.settings.lease * 0.9
        if lapsed:
            for shard_id in self.lineage.shards:
                ctx.agenda.touch(shard_id)

    # The end

    def _check_exit(self) -> None:
        ctx = self._ctx
        if ctx.exit is not None or ctx.busy:
            return
        if ctx.draining:
            renewed = self._renewed > self._last_renewal or not self._is_reading()
            if not ctx.unsaved and (renewed or ctx.last_words is not None):
                ctx.leave(ctx.last_words or Exit("stopped"))
            return
        if self.lineage.status in ("DISABLED", "GONE") and self.lineage.completed:
            if not self.lineage.going:
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
        pages = self._ctx.settings.caught_up_pages
        return all(
            shard.stage is Stage.READING
            and shard.idle
            and shard.empties >= pages
            and rank(shard.committed) <= rank(shard.saved)
            and not shard.closed
            for shard in self.lineage.going.values()
        )
