"""Reading one shard: iterators, pages, and what each failure of theirs means.

Rules

* An iterator may be used again: the same page comes. A failed read is repeated with the iterator it
  had.
* An expired iterator is replaced by one that starts after the last record *read*, or at the
  persisted start. Never at ``LATEST``.
* An empty page means nothing while an iterator follows. A page without one may carry records; it
  ends the shard only when a listing agrees, one that said so before or one that was started
  afterwards, and when a new iterator then finds nothing more. The answer may have been damaged, or
  have come from a shard that was still open.
* "Trimmed" is a gap. So is a shard that grew older than the retention before anything of it was
  read: the service says nothing then, it just starts at what is left.
* "No such shard" is believed when it stays the answer, and later listings do not show the shard, or
  show it as closed. A shard that is listed as open is there, whatever is said of it. What else goes
  wrong meanwhile says nothing of it.
* At most one page is read ahead of the one that the handlers have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ddbstream.poller._core.commands import (
    Command,
    CommandFailed,
    GetIterator,
    GetRecords,
    Instant,
    RawRecord,
    RecordsPage,
)
from ddbstream.poller._core.events import BatchDelivered, CallFailed, Gap, PageRead
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.positions import After, AtStart, AtTime
from ddbstream.poller._core.shard import (
    PendingPage,
    Shard,
    Stage,
    is_older,
    record_at,
    record_time,
    sequence_number,
)
from ddbstream.poller._core.shared import Shared

__all__ = ["Reader"]

# "Trimmed" for the oldest record there is: nothing is left. DynamoDB Local says that of a shard
# whose records are all trimmed; more than once, because one may have been trimmed between two
# calls.
_TRIMMED_WHOLE = 3
_USUAL_SIZE = 1_024  # bytes of a record, where the size of its page is not known
_ROOM_LATER = 0.25  # seconds after which to see whether there is room for a page


class Reader:
    """Reads the shards: decides what to fetch, and what each answer means."""

    def __init__(
        self, shared: Shared, lineage: Lineage, want_listing: Callable[[float], int]
    ) -> None:
        self._shared = shared
        self._lineage = lineage
        self._want_listing = want_listing

    def advance(self, shard: Shard, at: Instant, out: list[Command]) -> None:
        """Ask for the shard's next page, if its turn has come."""
        if shard.stage is not Stage.READING or shard.fetching or self._shared.draining:
            return
        # Before the next call: it would be answered as the last one was, for ever.
        if shard.gone_since is not None and self._is_gone(shard, at):
            self._declare_gone(shard, at)
            return
        # One page ahead keeps the handlers busy while the next one comes. More would only fill the
        # memory, and grow old: an iterator lives for 15 minutes.
        if shard.page is not None and (
            shard.next_page is not None
            or shard.deliveries_fail_since is not None  # it may fail for hours
            or not self._shared.settings.prefetch
        ):
            return
        if shard.fetch_at > at.mono:
            self._shared.agenda.later(shard.fetch_at, shard.shard_id)
            return
        if shard.iterator is not None and not self._has_room(shard):
            self._shared.agenda.later(at.mono + _ROOM_LATER, shard.shard_id)
            return
        shard.fetching = True
        if shard.iterator is not None:
            shard.asked_size = self._size_of_next(shard)
            self._shared.budget.held += shard.asked_size
            out.append(GetRecords(shard.shard_id, shard.iterator))
        else:
            timestamp = self._shared.timestamps and isinstance(shard.read, AtTime)
            out.append(GetIterator(shard.shard_id, shard.read, timestamp))

    def _has_room(self, shard: Shard) -> bool:
        budget = self._shared.budget
        if shard.page is not None and budget.tight:
            return False
        return budget.has_room_for(self._size_of_next(shard))

    def _size_of_next(self, shard: Shard) -> int:
        # As large as the last; one of which nothing is known may have all that was ever written.
        full = self._shared.settings.full_size
        return full if shard.last_size is None else min(full, shard.last_size)

    def on_iterator(
        self, shard: Shard, command: GetIterator, result: str | CommandFailed, at: Instant
    ) -> None:
        """Take in the answer to `GetIterator`."""
        shard.fetching = False
        if isinstance(result, CommandFailed):
            if result.kind == "invalid" and command.timestamp:
                # The SDK knows AT_TIMESTAMP but the service does not, or our clock is ahead of it.
                self._shared.timestamps = False
            else:
                self._on_failed(shard, "GetShardIterator", result, at)
            return
        self._shared.ever_answered = True
        shard.refused_since = None
        shard.iterator = result

    def on_page(self, shard: Shard, result: RecordsPage | CommandFailed, at: Instant) -> None:
        """Take in the answer to `GetRecords`."""
        shard.fetching = False
        self._shared.budget.held -= shard.asked_size
        if isinstance(result, CommandFailed):
            self._on_failed(shard, "GetRecords", result, at)
            return
        shard.attempts = 0
        shard.calls_fail_since = None
        shard.read_at = at.mono
        # Whatever was said of the shard before, it is there and may be read.
        shard.refused_since = shard.gone_since = shard.gone_proof = None
        shard.gone_answers = shard.trimmed_answers = 0
        if not self._check_first_page(shard, at):
            return
        records = result.records
        shard.iterator = result.next_iterator
        shard.last_size = 0
        if records:
            shard.false_ends = 0
            self._shared.budget.busy((self._shared.stream_arn, shard.shard_id))
            self._take_records(shard, records, result.size or len(records) * _USUAL_SIZE)
        shard.empties = 0 if records else shard.empties + 1
        if result.next_iterator is None or shard.empties >= self._shared.settings.caught_up_pages:
            # No record is left to tell where reading went on.
            self._report_trim(shard, until=None)
        at_tip = not shard.closed and shard.empties >= self._shared.settings.caught_up_pages
        if at_tip and not isinstance(shard.read, After):
            shard.fresh_at = at.wall  # what is not read yet is not written yet
        self._shared.report(
            PageRead(
                self._shared.stream_arn,
                shard.shard_id,
                len(records),
                result.size,
                shard.last_record_time if records else None,
            )
        )
        if result.next_iterator is None:
            self._shared.budget.busy((self._shared.stream_arn, shard.shard_id))
            shard.empties = 0  # this is no tip to be caught up with
            if shard.closed:  # a listing has said so already
                self._ask_again(shard, at)
            else:
                # A listing that is under way may be older than this page: the next one has to tell.
                shard.stage = Stage.ENDING
                shard.proof_after = self._want_listing(at.mono)
        else:
            shard.fetch_at = at.mono + self._pause(shard, result, at)

    def _take_records(self, shard: Shard, records: Sequence[RawRecord], size: int) -> None:
        shared = self._shared
        shard.last_size = size
        # What is looked at here must not have a page of text read whole.
        places, at = range(len(records)), partial(record_at, records)
        first = next(filter(None, map(sequence_number, map(at, places))), None)
        self._report_trim(shard, until=first)
        # After a trim, reading starts over at the oldest record, but what is done stays done.
        before = shard.read if not isinstance(shard.read, AtStart) else shard.done
        last = next((one for one in map(at, reversed(places)) if sequence_number(one)), None)
        if last is not None:
            number = sequence_number(last)
            assert number is not None
            shard.last_record_time = record_time(last)
            read = After(number, shard.last_record_time)
            # Only what is new is more: a record without a number comes with each new iterator.
            shard.end_asked_again = shard.end_asked_again and shard.read == read
            shard.read = read
        wanted = records
        if shard.drop_before is not None:
            # Times are approximate: once a record is wanted, so are all that follow it.
            moment = shard.drop_before
            dropped = next((i for i in places if not is_older(at(i), moment)), None)
            if dropped != 0:
                count = len(records) if dropped is None else dropped
                shared.report(BatchDelivered(shared.stream_arn, shard.shard_id, count))
            if dropped is None:
                return
            wanted = records[dropped:]
            shard.drop_before = None
        page = PendingPage(wanted, before, size)
        shared.budget.held += size
        if shard.page is None:
            shard.page = page
        else:
            shard.next_page = page

    def _report_trim(self, shard: Shard, *, until: str | None) -> None:
        if shard.gap_after is not None:
            arn = self._shared.stream_arn
            self._shared.report(Gap(arn, shard.shard_id, shard.gap_after, until, "trimmed"))
            shard.gap_after = None

    def _check_first_page(self, shard: Shard, at: Instant) -> bool:
        # Only of a sequence number does the service say that it was trimmed. "The oldest record"
        # and a moment silently become the oldest record that is left.
        if isinstance(shard.read, After) or shard.gap_after is not None:
            return True
        settings = self._shared.settings
        # Rather a gap too many, within what clocks differ by, than a silent one.
        if at.wall - shard.fresh_at <= settings.surely_kept:
            return True
        return self._shared.gap(
            Gap(self._shared.stream_arn, shard.shard_id, None, None, "trimmed_before_first_read")
        )

    def _pause(self, shard: Shard, page: RecordsPage, at: Instant) -> float:
        settings = self._shared.settings
        if page.records:
            # A full page has more behind it. A backlog, and a shard whose children wait for it, is
            # read as fast as the handlers take it.
            full = len(page.records) >= settings.page_limit or page.size >= settings.full_size
            time = shard.last_record_time
            behind = time is not None and at.wall - time > settings.catching_up
            return 0.0 if full or behind or shard.closed else settings.idle
        if shard.closed and shard.empties < 100:
            # Not the tip: records, or the end, are still to come. But not for ever without a pause,
            # lest a service that never gives the end is called in a tight loop.
            return 0.0
        if shard.empties >= settings.quiet_pages and not shard.closed:
            place = (self._shared.stream_arn, shard.shard_id)
            pause = self._shared.budget.idle_pause(place, shard.empties - settings.quiet_pages)
            return pause * (0.9 + self._shared.chance() / 10)  # not all at the same moment
        return min(settings.idle_max, settings.idle * 2.0 ** min(shard.empties - 1, 10))

    def prove_end(self, shard: Shard, at: Instant) -> None:
        """Believe the end of a shard, or go back to reading it, once a listing has told."""
        # A missing iterator alone proves nothing: a cut-off answer has none either.
        if shard.proof_after is None or self._lineage.completed <= shard.proof_after:
            return
        if shard.closed:
            shard.stage, shard.proof_after = Stage.READING, None
            self._ask_again(shard, at)
            return
        if self._lineage.is_absent(shard):
            shard.proven = True
            return
        if not self._lineage.is_listed(shard):  # one listing may leave it out: what do others say?
            wait = self._lineage.wait_for_another_listing(shard)
            shard.proof_after = self._want_listing(at.mono + wait)
            return
        shard.false_ends += 1
        wait = self._shared.settings.late_child.after(shard.false_ends, self._shared.chance())
        shard.stage = Stage.READING
        shard.proof_after = None
        shard.iterator = None
        shard.fetch_at = at.mono + wait
        self._shared.agenda.later(shard.fetch_at, shard.shard_id)
        self._shared.report(
            CallFailed(
                self._shared.stream_arn, shard.shard_id, "GetRecords", "transient", "FalseEnd", wait
            )
        )

    def _ask_again(self, shard: Shard, at: Instant) -> None:
        """Believe the end of a closed shard if that is the second time; else look once more."""
        if shard.end_asked_again:
            shard.stage, shard.proven = Stage.ENDING, True
        else:
            shard.end_asked_again = True
            shard.fetch_at = at.mono
        shard.iterator = None
        self._shared.agenda.touch(shard.shard_id)

    # Failures

    def _on_failed(self, shard: Shard, operation: str, failed: CommandFailed, at: Instant) -> None:
        settings, shared = self._shared.settings, self._shared
        shard.attempts += 1
        if shard.calls_fail_since is None:
            shard.calls_fail_since = at.mono
        wait = settings.read_backoff.after(shard.attempts, shared.chance())
        if failed.kind == "expired":
            # A new iterator is all it takes. If that one has expired too, something else is wrong.
            shard.iterator = None
            wait = 0.0 if shard.attempts == 1 else wait
        elif failed.kind == "trimmed":
            wait = self._on_trimmed(shard, wait, at)
        elif failed.kind == "gone":
            # It may be a slip of the service: listings must confirm it, see `_is_gone`.
            shard.iterator = None
            shard.gone_answers += 1
            begun = self._want_listing(at.mono)
            if shard.gone_since is None:
                shard.gone_since, shard.gone_proof = at.mono, begun
        elif failed.kind == "transient":
            self._doubt_timestamps(shard)
        elif failed.kind in ("denied", "invalid"):
            if shard.refused_since is None:
                shard.refused_since = at.mono
            if shared.refuses_for_good(failed, at.mono - shard.refused_since):
                shared.fail_refused(operation, shard.shard_id, failed)
            wait = settings.denied_backoff.after(shard.attempts, shared.chance())
        shard.fetch_at = at.mono + wait
        shared.report(
            CallFailed(shared.stream_arn, shard.shard_id, operation, failed.kind, failed.code, wait)
        )

    def _doubt_timestamps(self, shard: Shard) -> None:
        # A stand-in for the service may take AT_TIMESTAMP and then not read from there.
        if isinstance(shard.read, AtTime) and shard.attempts > 1 and self._shared.timestamps:
            self._shared.timestamps = False
            shard.iterator = None

    def _on_trimmed(self, shard: Shard, wait: float, at: Instant) -> float:
        shard.iterator = None
        shard.trimmed_answers += 1
        if shard.end_asked_again:
            self._ask_again(shard, at)  # it is at its end, and now the last record is gone, too
        elif isinstance(shard.read, After):
            return 0.0 if self._trimmed(shard) else wait
        # Else the oldest record was asked for, and trimmed between two calls: ask again.
        elif shard.closed and shard.trimmed_answers >= _TRIMMED_WHOLE:
            self._declare_gone(shard, at)
        return wait

    def _trimmed(self, shard: Shard) -> bool:
        if self._shared.settings.on_gap == "fail":
            shared = self._shared
            return shared.gap(Gap(shared.stream_arn, shard.shard_id, shard.read, None, "trimmed"))
        # Reported with the first record that can be read again. A crash before that reports it
        # then.
        shard.gap_after = shard.read
        shard.read = AtStart()
        return True

    def _is_gone(self, shard: Shard, at: Instant) -> bool:
        assert shard.gone_since is not None
        assert shard.gone_proof is not None
        if shard.gone_answers < 2:
            return False  # once is no pattern
        settings = self._shared.settings
        oldest = at.wall - settings.retention - settings.retention_slack
        # It had closed when its children were made; its own age says nothing of its last records.
        births = [self._lineage.shards[child].birth for child in shard.children]
        if births and all(birth is not None and birth < oldest for birth in births):
            return True  # all of it has been trimmed; no listing is needed
        if self._lineage.completed <= shard.gone_proof:
            return False
        if shard.gone_answers <= _TRIMMED_WHOLE:
            return False
        if self._lineage.is_absent(shard):
            return True
        # Listed, and yet it cannot be read: shards that are past reading may stay listed for hours.
        # They are closed: one that is open gets records, and is asked for again and again.
        lasted = at.mono - shard.gone_since >= settings.gone_after
        return shard.closed and lasted

    def _declare_gone(self, shard: Shard, at: Instant) -> None:
        shared = self._shared
        if not shard.end_asked_again and self._owed(shard, at):
            after = shard.gap_after or (shard.read if isinstance(shard.read, After) else None)
            if not shared.gap(Gap(shared.stream_arn, shard.shard_id, after, None, "shard_gone")):
                return
        shard.gap_after = None
        shard.stage = Stage.ENDING
        shard.proven = True
        shared.agenda.touch(shard.shard_id)

    def _owed(self, shard: Shard, at: Instant) -> bool:
        # A shard that is listed but was past reading when the consumer began is owed to nobody.
        shared = self._shared
        assert shared.start is not None
        if isinstance(shard.read, After) or isinstance(shard.done, After) or shared.resumed:
            return True
        if at.wall - shared.start.fixed_at > shared.settings.retention_slack:
            return True
        # It had closed when its children were made: all of it was about to be trimmed, if that is
        # a day ago.
        births = [self._lineage.shards[child].birth for child in shard.children]
        oldest = shared.oldest_owed()
        return not births or any(birth is None or birth > oldest for birth in births)
