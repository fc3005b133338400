"""The consumer's place in the store: where it began, and its lease.

Rules

* The start is durable before the first read. "Now" is a moment of the service's clock.
* The lease is renewed three times as often as it has to be. It counts from before the call that
  renews it, and ends a little early: this poller stops delivering before another may begin.
* Each renewal says up to when everything was in reach; a later start tells from that what may have
  been trimmed meanwhile without a word from the service.
"""

from __future__ import annotations

from ddbstream.poller._core.commands import Command, Fault, FixStart, Instant, Renew
from ddbstream.poller._core.context import Context
from ddbstream.poller._core.events import CallFailed, StreamStarted
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.positions import After, AtStart, AtTime, Start
from ddbstream.poller._core.shard import Shard

__all__ = ["Tenure"]

_MARGIN = 0.9  # of the lease


class Tenure:
    """The start and the lease.

    Args:
        context: Shared.
        lineage: Shared.
        begin: Where to begin if the store holds nothing; None for now.
        at: When the core was made.
    """

    def __init__(
        self, context: Context, lineage: Lineage, begin: AtStart | AtTime | None, at: Instant
    ) -> None:
        self._ctx = context
        self._lineage = lineage
        self._begin = begin
        self._created = at.mono
        self._fix_running = False
        self._fix_attempts = 0
        self._fix_at = at.mono
        self._renewing = False
        self._renew_at = at.mono
        self._issued = at.mono
        self._attempts = 0
        self._answered = 0  # renewals, well or not
        self._last = 0  # ... when the last one was asked for
        self.fixing = False
        context.lease_until = at.mono + context.settings.lease * _MARGIN

    @property
    def begun(self) -> bool:
        """Whether the start is durable."""
        return self._ctx.start is not None and not self.fixing

    def wake_at(self) -> float | None:
        """When `advance` has something to do, even if no answer comes."""
        if self.fixing:
            return None if self._fix_running else self._fix_at
        return self._renew_at if self.begun and not self._renewing else None

    def advance(self, at: Instant, out: list[Command]) -> None:
        """Fix the start, or renew the lease, if it is due."""
        if self.fixing:
            if not self._fix_running and at.mono >= self._fix_at:
                assert self._ctx.start is not None
                self._fix_running = True
                out.append(FixStart(self._ctx.start))
        elif self.begun and not self._renewing and at.mono >= self._renew_at:
            self._renewing = True
            self._issued = at.mono
            out.append(Renew(self._alive_at(at)))

    # The start

    def fix_start(self, at: Instant) -> None:
        """Decide where to begin, once a first answer has told the service's clock."""
        now = at.wall - (at.mono - self._created)
        # A second earlier: that clock is not known better, and a record twice is no loss.
        begin = AtTime(now - 1.0) if self._begin is None else self._begin
        self._ctx.start = Start(begin, now)
        self.fixing = True

    def on_start_fixed(self, result: Fault | None, at: Instant) -> None:
        """Take in the answer to `FixStart`."""
        ctx = self._ctx
        self._fix_running = False
        if result is not None:
            self._fix_attempts += 1
            wait = ctx.settings.save_backoff.after(self._fix_attempts, ctx.chance())
            self._fix_at = at.mono + wait
            ctx.report(CallFailed(ctx.stream_arn, None, "FixStart", "failed", result.code, wait))
            return
        self.fixing = False
        ctx.report(StreamStarted(ctx.stream_arn, resumed=False))

    # The lease

    def renew_once_more(self) -> None:
        """Renew at once: what is in reach now is the last sign of life."""
        self._renew_at = float("-inf")
        self._last = self._answered

    @property
    def renewed_once_more(self) -> bool:
        """Whether that was answered, or is not needed."""
        return self._answered > self._last or not self.begun

    def _alive_at(self, at: Instant) -> float:
        """Up to when nothing unread can have been trimmed without a word from the service."""
        waiting = (self._unread_from(shard) for shard in self._lineage.going.values())
        return min((since for since in waiting if since is not None), default=at.wall)

    def _unread_from(self, shard: Shard) -> float | None:
        """From when on a shard may have records that the store does not know of, if it may matter.

        A record that is with the handlers counts as unread: a crash forgets that it was read.
        """
        if isinstance(shard.saved, After):
            return None  # the service itself tells what is trimmed after that
        if shard.saved is not None:
            return shard.fresh_at
        births = [self._lineage.shards[child].birth for child in shard.children]
        oldest = self._ctx.oldest_owed()
        if births and all(birth is not None and birth <= oldest for birth in births):
            return None  # it was closed, and about to go, when the consumer began
        return self._ctx.owed_from(shard)

    def on_renewed(self, result: Fault | None, at: Instant) -> None:
        """Take in the answer to `Renew`."""
        ctx = self._ctx
        self._renewing = False
        self._answered += 1
        if result is not None:
            self._attempts += 1
            wait = ctx.settings.save_backoff.after(self._attempts, ctx.chance())
            wait = min(wait, ctx.settings.lease / 6)
            self._renew_at = at.mono + wait
            ctx.report(CallFailed(ctx.stream_arn, None, "Renew", "failed", result.code, wait))
            return
        lapsed = not ctx.lease_valid(at)
        self._attempts = 0
        self._renew_at = self._issued + ctx.settings.lease / 3
        ctx.lease_until = self._issued + ctx.settings.lease * _MARGIN
        if lapsed:
            for shard_id in self._lineage.going:
                ctx.agenda.touch(shard_id)
