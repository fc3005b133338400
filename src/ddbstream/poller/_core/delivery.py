"""Delivering and saving, for one shard.

Rules

* One batch of a shard is with the handlers at a time, in order.
* A position is saved only for records that are done, and only forward.
* What failed comes again, from the first record that is not done. The policy decides when it is
  given up; it is past only when the sink has it.
* A failure that names no record is narrowed down: half as many records come again, down to one.
* Delivery waits for the store when too much is done and not saved, and for the lease when it has
  run out.
* A shard's `End` is saved when all of it is done and a listing has proven its end.
"""

from __future__ import annotations

from typing import Literal

from ddbstream.exceptions import PollerError
from ddbstream.poller._core.commands import (
    Command,
    Deliver,
    Delivered,
    Discard,
    Fault,
    Instant,
    Save,
)
from ddbstream.poller._core.context import Context
from ddbstream.poller._core.events import (
    BatchDelivered,
    BatchFailed,
    PositionSaved,
    RecordGivenUp,
    SaveFailed,
    ShardEnded,
)
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.positions import After, End, Position, rank
from ddbstream.poller._core.shard import Shard, Stage, record_time, sequence_number

__all__ = ["Delivery"]


class Delivery:
    """The handing-over half of the core."""

    def __init__(self, context: Context, lineage: Lineage) -> None:
        self._ctx = context
        self._lineage = lineage
        # shard -> error and attempts of the record that is for the sink
        self._given_up: dict[str, tuple[Exception, int]] = {}

    def advance(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        """Deliver and save what is due."""
        self._advance_delivery(shard, at, out)
        self._advance_saving(shard, at, out)

    # Delivering

    def _advance_delivery(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        ctx = self._ctx
        if shard.batch is None or shard.delivering or ctx.draining:
            return
        if not ctx.lease_valid(at) or self._store_is_behind(shard):
            return
        if shard.deliver_at > at.mono:
            ctx.agenda.later(shard.deliver_at, shard.shard_id)
            return
        shard.delivering = True
        ctx.busy += 1
        given_up = self._given_up.get(shard.shard_id)
        if given_up is not None:
            record = shard.batch.records[shard.batch.index]
            out.append(Discard(shard.shard_id, record, *given_up))
        else:
            records = shard.batch.next_records()
            out.append(Deliver(shard.shard_id, records, shard.delivery_attempts + 1))

    def _store_is_behind(self, shard: Shard) -> bool:
        if not (shard.saving or shard.save_attempts):
            return False
        waiting = shard.saving_batches + shard.unsaved_batches
        return waiting >= self._ctx.settings.max_unsaved

    def on_delivered(self, shard: Shard, result: Delivered, at: Instant) -> None:
        """Take in how a delivery went."""
        batch = shard.batch
        assert batch is not None
        shard.delivering = False
        self._ctx.busy -= 1
        again = min(batch.limit, len(batch.records) - batch.index) - result.done
        if result.done:
            shard.delivery_attempts = 0
            self._done(shard, result.done, at)
        if result.error is None:
            return
        if shard.deliveries_fail_since is None:
            shard.deliveries_fail_since = at.mono
        asked = min(batch.limit, len(batch.records) - batch.index)
        if not result.located and asked > 1:
            batch.limit = (asked + 1) // 2
        shard.delivery_attempts += 1
        record = batch.records[batch.index]
        time = record_time(record)
        age = at.wall - time if time is not None else None
        alone = result.located or asked == 1
        if alone and self._ctx.policy.gives_up(shard.delivery_attempts, age):
            self._give_up(shard, result.error, again, at)
            return
        wait = self._ctx.policy.backoff.after(shard.delivery_attempts, self._ctx.chance())
        shard.deliver_at = at.mono + wait
        self._report_failure(shard, result.error, wait, again)

    def _give_up(self, shard: Shard, error: Exception, again: int, at: Instant) -> None:
        batch, policy = shard.batch, self._ctx.policy
        assert batch is not None
        self._report_failure(shard, error, None, again if policy.then == "stop" else again - 1)
        number = sequence_number(batch.records[batch.index])
        if policy.then == "stop":
            failure = PollerError("a record cannot be handled", sequence_number=number)
            failure.__cause__ = error
            self._ctx.fail_after_saving(failure)
        elif policy.then == "skip":
            self._past(shard, "skip", at)
        else:
            self._given_up[shard.shard_id] = (error, shard.delivery_attempts)
            shard.delivery_attempts = 0

    def on_discarded(self, shard: Shard, result: Fault | None, at: Instant) -> None:
        """Take in the dead-letter sink's answer."""
        shard.delivering = False
        self._ctx.busy -= 1
        if isinstance(result, Fault):
            shard.delivery_attempts += 1
            wait = self._ctx.policy.backoff.after(shard.delivery_attempts, self._ctx.chance())
            shard.deliver_at = at.mono + wait
            error = result.error or PollerError("the dead-letter sink failed")
            self._report_failure(shard, error, wait)
            return
        del self._given_up[shard.shard_id]
        self._past(shard, "dead_letter", at)

    def _past(self, shard: Shard, how: Literal["skip", "dead_letter"], at: Instant) -> None:
        assert shard.batch is not None
        number = sequence_number(shard.batch.records[shard.batch.index])
        self._ctx.report(RecordGivenUp(self._ctx.stream_arn, shard.shard_id, number, how))
        shard.delivery_attempts = 0
        self._done(shard, 1, at)

    def _report_failure(
        self, shard: Shard, error: Exception, wait: float | None, again: int = 0
    ) -> None:
        assert shard.batch is not None
        self._ctx.report(
            BatchFailed(
                self._ctx.stream_arn,
                shard.shard_id,
                sequence_number(shard.batch.records[shard.batch.index]),
                shard.delivery_attempts,
                wait,
                error,
                again,
            )
        )

    def _done(self, shard: Shard, count: int, at: Instant) -> None:
        batch = shard.batch
        assert batch is not None
        batch.advance(count)
        shard.deliveries_fail_since = None
        shard.done = batch.position
        self._ctx.report(BatchDelivered(self._ctx.stream_arn, shard.shard_id, count))
        if batch.finished:
            shard.batch, shard.next_batch = shard.next_batch, None
        if self._ctx.auto_commit:
            self.commit(shard, shard.done, count)

    def commit(self, shard: Shard, position: Position, count: int) -> None:
        """Let a position be saved: everything up to it is done, and the user agrees."""
        if rank(position) <= rank(shard.committed):
            return
        shard.committed = position
        shard.unsaved_batches += 1
        shard.unsaved_records += count
        self._ctx.unsaved[shard.shard_id] = None

    # Saving

    def _advance_saving(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        ctx = self._ctx
        if shard.saving or shard.stage is Stage.ENDED or not ctx.lease_valid(at):
            return
        position = self._to_save(shard, at)
        if position is None:
            return
        if shard.save_at > at.mono:
            ctx.agenda.later(shard.save_at, shard.shard_id)
            return
        shard.saving = True
        shard.saving_batches = shard.unsaved_batches
        shard.unsaved_batches = shard.unsaved_records = 0
        ctx.busy += 1
        out.append(Save(shard.shard_id, position))

    def _to_save(self, shard: Shard, at: Instant) -> Position | None:
        settings = self._ctx.settings
        all_done = shard.idle and rank(shard.committed) >= rank(shard.done)
        if shard.stage is Stage.ENDING and shard.proven and all_done:
            return End()
        at_tip = shard.empties >= settings.caught_up_pages and not shard.closed
        if shard.saved is None and at_tip and not isinstance(shard.committed, After):
            # For a restart: all that the shard had was in reach, and that was nothing.
            return shard.committed
        if shard.unsaved_records == 0 and not shard.save_attempts and not self._ctx.draining:
            return None
        if rank(shard.committed) <= rank(shard.saved):
            return None
        if shard.unsaved_records >= settings.save_records or self._ctx.draining:
            return shard.committed
        due = shard.saved_at + settings.save_seconds
        if shard.save_attempts or at.mono >= due:
            return shard.committed
        self._ctx.agenda.later(due, shard.shard_id)
        return None

    def on_saved(self, shard: Shard, command: Save, result: Fault | None, at: Instant) -> None:
        """Take in the store's answer.

        A failure may have been a success: the same value is saved again.
        """
        ctx = self._ctx
        shard.saving = False
        ctx.busy -= 1
        if isinstance(result, Fault):
            shard.save_attempts += 1
            shard.unsaved_batches += shard.saving_batches
            shard.saving_batches = 0
            wait = ctx.settings.save_backoff.after(shard.save_attempts, ctx.chance())
            shard.save_at = at.mono + wait
            ctx.report(SaveFailed(ctx.stream_arn, shard.shard_id, result.code, wait))
            return
        shard.save_attempts = shard.saving_batches = 0
        shard.saved = command.position
        shard.saved_at = at.mono
        ctx.report(PositionSaved(ctx.stream_arn, shard.shard_id, command.position))
        if rank(shard.committed) <= rank(shard.saved):
            ctx.unsaved.pop(shard.shard_id, None)
        if isinstance(command.position, End):
            ctx.report(ShardEnded(ctx.stream_arn, shard.shard_id))
            self._lineage.end(shard)
