"""Delivering and saving, for one shard.

Rules

* One page of a shard is with the handlers at a time, in order.
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
    CommandFailed,
    Deliver,
    Delivered,
    Discard,
    Instant,
    Save,
)
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
from ddbstream.poller._core.shard import Shard, Stage, record_at, record_time, sequence_number
from ddbstream.poller._core.shared import Shared

__all__ = ["Delivery"]

_KEPT = 10  # records that a failing shard holds on to when memory is short


class Delivery:
    """Hands records over, and has saved what is done."""

    def __init__(self, shared: Shared, lineage: Lineage) -> None:
        self._shared = shared
        self._lineage = lineage
        # By shard, what the sink is told of the record that is given up: error, attempts, route.
        self._given_up: dict[str, tuple[Exception, int, str | None]] = {}

    def advance(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        """Deliver and save what is due."""
        self._advance_delivery(shard, at, out)
        self._advance_saving(shard, at, out)

    # Delivering

    def _advance_delivery(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        shared = self._shared
        if shard.page is None or shard.delivering or shared.draining:
            return
        # Both would be delivered again by whoever comes next, so no more is begun.
        if not shared.lease_valid(at) or self._store_is_behind(shard):
            return
        if shard.deliver_at > at.mono:
            shared.agenda.later(shard.deliver_at, shard.shard_id)
            return
        shard.delivering = True
        shared.busy += 1
        given_up = self._given_up.get(shard.shard_id)
        if given_up is not None:
            record = shard.page.records[shard.page.index]
            out.append(Discard(shard.shard_id, record, *given_up))
        else:
            records = shard.page.next_records()
            out.append(Deliver(shard.shard_id, records, shard.delivery_attempts + 1))

    def _store_is_behind(self, shard: Shard) -> bool:
        # Only if the store is slow or fails: that much may be unsaved because the settings say so.
        if not (shard.saving or shard.save_attempts):
            return False
        waiting = shard.saving_batches + shard.unsaved_batches
        return waiting >= self._shared.settings.max_unsaved

    def on_delivered(self, shard: Shard, result: Delivered, at: Instant) -> None:
        """Take in how a delivery went."""
        page = shard.page
        assert page is not None
        shard.delivering = False
        self._shared.busy -= 1
        # What was handed over and is not done will be handed over once more: known duplicates.
        again = min(page.limit, len(page.records) - page.index) - result.done
        if result.done:
            shard.delivery_attempts = 0
            self._done(shard, result.done, at)
        if result.error is None:
            return
        if result.fatal:
            self._shared.fail_after_saving(result.error)
            return
        if shard.deliveries_fail_since is None:
            shard.deliveries_fail_since = at.mono
        asked = min(page.limit, len(page.records) - page.index)
        if not result.located and asked > 1:
            # Half as many next time: in a few steps the culprit is alone, and what came before it
            # is done and saved.
            page.limit = (asked + 1) // 2
        shard.delivery_attempts += 1
        record = record_at(page.records, page.index)
        time = record_time(record)
        age = at.wall - time if time is not None else None
        # Only a record that is known to be the culprit is given up: any other may be innocent.
        alone = result.located or asked == 1
        if alone and self._shared.policy.gives_up(shard.delivery_attempts, age):
            self._give_up(shard, result.error, result.route, again, at)
            return
        wait = self._shared.policy.backoff.after(shard.delivery_attempts, self._shared.chance())
        shard.deliver_at = at.mono + wait
        self._report_failure(shard, result.error, wait, again)
        self._make_room(shard)

    def _make_room(self, shard: Shard) -> None:
        # A shard that fails may wait for hours. What it holds is read again when its turn comes.
        page, budget = shard.page, self._shared.budget
        assert page is not None
        if not budget.tight or shard.fetching or shard.stage is not Stage.READING:
            return
        end = page.index + _KEPT
        last = sequence_number(record_at(page.records, min(end, len(page.records)) - 1))
        if last is None or (len(page.records) <= end and shard.next_page is None):
            return
        for dropped in (shard.next_page, page):
            budget.held -= dropped.size if dropped is not None else 0
        shard.next_page = None
        size = page.size * min(end, len(page.records)) // len(page.records)
        page.records, page.size = page.records[:end], size
        page.limit = min(page.limit, len(page.records))
        budget.held += size
        shard.read, shard.iterator, shard.end_asked_again = After(last, None), None, False

    def _give_up(
        self, shard: Shard, error: Exception, route: str | None, again: int, at: Instant
    ) -> None:
        page, policy = shard.page, self._shared.policy
        assert page is not None
        self._report_failure(shard, error, None, again if policy.then == "stop" else again - 1)
        number = sequence_number(record_at(page.records, page.index))
        if policy.then == "stop":
            # What came before it is saved first, so that the next run begins with this record.
            failure = PollerError("a record cannot be handled", sequence_number=number)
            failure.__cause__ = error
            self._shared.fail_after_saving(failure)
        elif policy.then == "skip":
            self._past(shard, "skip", at)
        else:
            # The sink may block and fail as a handler may: its call is a command like any other.
            self._given_up[shard.shard_id] = (error, shard.delivery_attempts, route)
            shard.delivery_attempts = 0

    def on_discarded(self, shard: Shard, result: CommandFailed | None, at: Instant) -> None:
        """Take in the dead-letter sink's answer."""
        shard.delivering = False
        self._shared.busy -= 1
        if isinstance(result, CommandFailed):
            shard.delivery_attempts += 1
            wait = self._shared.policy.backoff.after(shard.delivery_attempts, self._shared.chance())
            shard.deliver_at = at.mono + wait
            error = result.error or PollerError("the dead-letter sink failed")
            self._report_failure(shard, error, wait)
            return
        del self._given_up[shard.shard_id]
        self._past(shard, "dead_letter", at)

    def _past(self, shard: Shard, how: Literal["skip", "dead_letter"], at: Instant) -> None:
        assert shard.page is not None
        number = sequence_number(record_at(shard.page.records, shard.page.index))
        self._shared.report(RecordGivenUp(self._shared.stream_arn, shard.shard_id, number, how))
        shard.delivery_attempts = 0
        self._done(shard, 1, at)

    def _report_failure(
        self, shard: Shard, error: Exception, wait: float | None, again: int = 0
    ) -> None:
        assert shard.page is not None
        self._shared.report(
            BatchFailed(
                self._shared.stream_arn,
                shard.shard_id,
                sequence_number(record_at(shard.page.records, shard.page.index)),
                shard.delivery_attempts,
                wait,
                error,
                again,
            )
        )

    def _done(self, shard: Shard, count: int, at: Instant) -> None:
        page = shard.page
        assert page is not None
        page.advance(count)
        shard.deliveries_fail_since = None
        shard.done = page.position
        self._shared.report(BatchDelivered(self._shared.stream_arn, shard.shard_id, count))
        if page.finished:
            self._shared.budget.held -= page.size
            shard.page, shard.next_page = shard.next_page, None
        if self._shared.auto_commit:
            self.commit(shard, shard.done, count)

    def commit(self, shard: Shard, position: Position, count: int) -> None:
        """Let a position be saved: everything up to it is done, and the user agrees."""
        if rank(position) <= rank(shard.committed):
            return  # committed already, with a later batch
        shard.committed = position
        shard.unsaved_batches += 1
        shard.unsaved_records += count
        self._shared.unsaved[shard.shard_id] = None

    # Saving

    def _advance_saving(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        shared = self._shared
        # One save at a time: two could arrive in the wrong order.
        if shard.saving or shard.stage is Stage.ENDED or not shared.lease_valid(at):
            return
        position = self._to_save(shard, at)
        if position is None:
            return
        if shard.save_at > at.mono:
            shared.agenda.later(shard.save_at, shard.shard_id)
            return
        shard.saving = True
        shard.saving_batches = shard.unsaved_batches  # counted again if the save fails
        shard.unsaved_batches = shard.unsaved_records = 0
        shared.busy += 1
        out.append(Save(shard.shard_id, position))

    def _to_save(self, shard: Shard, at: Instant) -> Position | None:
        settings = self._shared.settings
        all_done = shard.idle and rank(shard.committed) >= rank(shard.done)
        if shard.stage is Stage.ENDING and shard.proven and all_done:
            return End()
        at_tip = shard.empties >= settings.caught_up_pages and not shard.closed
        if shard.saved is None and at_tip and not isinstance(shard.committed, After):
            # Nothing is done, yet it is worth keeping: a restart then knows that the shard was
            # empty up to the last sign of life, and that nothing of it was trimmed unread.
            return shard.committed
        if shard.unsaved_records == 0 and not shard.save_attempts and not self._shared.draining:
            return None
        if rank(shard.committed) <= rank(shard.saved):
            return None
        if shard.unsaved_records >= settings.save_records or self._shared.draining:
            return shard.committed
        # A save that failed is not put off by the settings; its own wait is in `save_at`.
        due = shard.saved_at + settings.save_seconds
        if shard.save_attempts or at.mono >= due:
            return shard.committed
        self._shared.agenda.later(due, shard.shard_id)
        return None

    def on_saved(
        self, shard: Shard, command: Save, result: CommandFailed | None, at: Instant
    ) -> None:
        """Take in the store's answer.

        A failure may have been a success: the same value is saved again.
        """
        shared = self._shared
        shard.saving = False
        shared.busy -= 1
        if isinstance(result, CommandFailed):
            shard.save_attempts += 1
            if shard.saves_fail_since is None:
                shard.saves_fail_since = at.mono
            shard.unsaved_batches += shard.saving_batches
            shard.saving_batches = 0
            wait = shared.settings.save_backoff.after(shard.save_attempts, shared.chance())
            shard.save_at = at.mono + wait
            shared.report(
                SaveFailed(shared.stream_arn, shard.shard_id, result.code, wait, result.reason)
            )
            return
        shard.save_attempts = shard.saving_batches = 0
        shard.saves_fail_since = None
        shard.saved = command.position
        shard.saved_at = at.mono
        shared.report(PositionSaved(shared.stream_arn, shard.shard_id, command.position))
        if rank(shard.committed) <= rank(shard.saved):
            shared.unsaved.pop(shard.shard_id, None)
        if isinstance(command.position, End):
            shared.report(ShardEnded(shared.stream_arn, shard.shard_id))
            self._lineage.end(shard)
