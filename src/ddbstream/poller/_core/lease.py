"""The lease: this poller's right to deliver and to save, renewed while it runs.

Rules

* The lease is renewed three times as often as it has to be. It counts from before the call that
  renews it, and ends a little early: this poller stops delivering before another may begin.
* Each renewal says up to when everything was in reach. A later start tells from that what may have
  been trimmed meanwhile without a word from the service.
"""

from __future__ import annotations

from ddbstream.poller._core.commands import Command, CommandFailed, Instant, Renew
from ddbstream.poller._core.events import CallFailed
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.positions import After
from ddbstream.poller._core.shard import Shard
from ddbstream.poller._core.shared import Shared

__all__ = ["LeaseRenewal"]

_MARGIN = 0.9  # of the lease


class LeaseRenewal:
    """Renews the lease, with the last sign of life.

    Args:
        shared: Of the core.
        lineage: Of the core.
        at: When the core was made, with a fresh lease.
    """

    def __init__(self, shared: Shared, lineage: Lineage, at: Instant) -> None:
        self._shared = shared
        self._lineage = lineage
        self._renewing = False
        self._renew_at = at.mono
        self._asked_at = at.mono
        self._attempts = 0
        self.alive_at: float | None = None  # the last sign of life that was to be kept
        self._answers = 0  # to renewals, well or not
        self._answers_before_last = 0  # how many there were when the last renewal was asked for
        shared.lease_until = at.mono + shared.settings.lease * _MARGIN

    def wake_at(self) -> float | None:
        """When `advance` has something to do, even if no answer comes."""
        return None if self._renewing else self._renew_at

    def advance(self, at: Instant, out: list[Command]) -> None:
        """Renew the lease, if that is due."""
        if self._renewing or at.mono < self._renew_at:
            return
        self._renewing = True
        self._asked_at = at.mono
        self.alive_at = self._alive_at(at)
        out.append(Renew(self.alive_at))

    def was_renewed(self, asked_at: float) -> None:
        """Note a renewal that was made while the core could not be polled."""
        settings, shared = self._shared.settings, self._shared
        shared.lease_until = max(shared.lease_until, asked_at + settings.lease * _MARGIN)
        self._renew_at = max(self._renew_at, asked_at + settings.lease / 3)

    def renew_once_more(self) -> None:
        """Renew at once: what is in reach now is the last sign of life."""
        self._renew_at = float("-inf")
        self._answers_before_last = self._answers

    @property
    def renewed_once_more(self) -> bool:
        """Whether that was answered."""
        return self._answers > self._answers_before_last

    def on_renewed(self, result: CommandFailed | None, at: Instant) -> None:
        """Take in the answer to `Renew`."""
        shared = self._shared
        self._renewing = False
        self._answers += 1
        if result is not None:
            self._attempts += 1
            wait = shared.settings.save_backoff.after(self._attempts, shared.chance())
            wait = min(wait, shared.settings.lease / 6)  # at least one more try before it ends
            self._renew_at = at.mono + wait
            shared.report(CallFailed(shared.stream_arn, None, "Renew", "failed", result.code, wait))
            return
        lapsed = not shared.lease_valid(at)
        self._attempts = 0
        self._renew_at = self._asked_at + shared.settings.lease / 3
        shared.lease_until = self._asked_at + shared.settings.lease * _MARGIN
        if lapsed:  # everything has stood still meanwhile
            for shard_id in self._lineage.going:
                shared.agenda.touch(shard_id)

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
        oldest = self._shared.oldest_owed()
        if births and all(birth is not None and birth <= oldest for birth in births):
            return None  # it was closed, and about to go, when the consumer began
        return self._shared.owed_from(shard)
