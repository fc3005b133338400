"""Failed batches through a router, each once.

Rules:

* A batch that is done is not done again. Progress belongs to the batch that a message names and not
  to the message, so a second message about the batch changes nothing.
* Progress is saved after each page of records, for what the router has handled. So each record is
  handled at least once.
* The batches of a shard go in the order of the stream. One that fails holds back those behind it in
  its shard, which may change the same items; other shards go on.
* What can no longer be read is a `Gap` in the report, and its batch counts as done: waiting would
  not bring it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ddbstream._records import MalformedRecord, StreamRecord
from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function, check_methods
from ddbstream._wire import read
from ddbstream.exceptions import DDBStreamError, PollerArgumentError, PollerError
from ddbstream.poller._dispatching import check_router
from ddbstream.progress import MemoryProgress, Progress
from ddbstream.replay._clients import Clients, fetcher
from ddbstream.replay._messages import FailedBatch, Unreadable, failed_batches, sequence_order
from ddbstream.replay._reread import Clock, Gap, Reread

if TYPE_CHECKING:
    from ddbstream._router.router import StreamRouter
    from ddbstream.typing import StreamsClient

__all__ = ["BatchFailure", "ReplayReport", "check_arguments", "replay"]

_DONE: Final = "done"


class BatchFailure(NamedTuple):
    """A batch that is not done.

    Attributes:
        batch: The batch.
        error: What a handler raised, what is wrong with a malformed record, or `PollerError` if the
            stream cannot be read.
        record: The record that failed, if one did.
    """

    batch: FailedBatch
    error: Exception
    record: StreamRecord[Any] | None = None


@dataclass
class ReplayReport:
    """What became of the messages.

    Attributes:
        batches: How many batches the messages name.
        done: How many of the batches are done, in this run or before.
        already_done: How many of the batches were done before.
        records: How many records were handled; in a dry run, how many would be.
        gaps: What could no longer be read.
        failures: Batches that are not done.
        deferred: Batches held back behind a failure in their shard.
        unreadable: What came in place of on-failure messages.
        dry_run: Whether no handler was run.
    """

    batches: int = 0
    done: int = 0
    already_done: int = 0
    records: int = 0
    gaps: list[Gap] = field(default_factory=list)
    failures: list[BatchFailure] = field(default_factory=list)
    deferred: list[FailedBatch] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every message was read and every batch is done; gaps do not count against it."""
        return not (self.failures or self.deferred or self.unreadable)

    @property
    def unfinished_identifiers(self) -> list[str | None]:
        """What a batch response has to name, so that these messages come again."""
        unfinished = [
            *(failure.batch.identifier for failure in self.failures),
            *(batch.identifier for batch in self.deferred),
            *(message.identifier for message in self.unreadable),
        ]
        return list(dict.fromkeys(unfinished))

    def __str__(self) -> str:
        verb = "would be replayed" if self.dry_run else "replayed"
        parts = [f"{self.records} records of {self.batches} batches {verb}"]
        for count, words in (
            (self.already_done, "batches done before"),
            (len(self.gaps), "gaps"),
            (len(self.failures), "batches failed"),
            (len(self.deferred), "batches held back"),
            (len(self.unreadable), "messages unreadable"),
        ):
            if count:
                parts.append(f"{count} {words}")
        return ", ".join(parts)


def replay(  # noqa: PLR0913 - each is a choice of its own
    source: object,
    router: StreamRouter,
    *,
    client: StreamsClient | None = None,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    s3_client: Any = None,
    progress: Progress | None = None,
    dry_run: bool = False,
    context: object = None,
    on_record: Callable[[StreamRecord[Any]], object] | None = None,
    clock: Clock = time,
) -> ReplayReport:
    """Hand the records of failed batches to a router once more.

    Args:
        source: On-failure messages, as `failed_batches` takes them.
        router: Where the records go.
        client: boto3's ``dynamodbstreams`` client, for messages without their records. If not
            given, one is made for each region that a stream is in.
        endpoint_url: For a client that is made.
        region_name: For a client that is made, in place of the stream's own region.
        s3_client: boto3's ``s3`` client, for S3 notifications; made if needed and not given.
        progress: Remembers what is done, so that a second run does nothing twice and one that was
            killed goes on where it was. Without one, only repeated messages of this run are
            recognised.
        dry_run: Read everything, and run no handler.
        context: What handlers with a second parameter get there.
        on_record: Told of each record that was read, before its handlers run. It may be async.
        clock: Tells the time and waits: the ``time`` module, or a test's `FakeClock`.

    Raises:
        OSError: The source is a path, and the file cannot be read.
        PollerArgumentError: ``router`` is none, or a client, ``progress`` or ``clock`` has
            coroutine functions.
    """
    check_arguments(router, client=client, s3_client=s3_client, progress=progress, clock=clock)
    if on_record is not None:
        check_function(on_record, "on_record=", PollerArgumentError, arguments=1, awaited=True)
    clients = Clients(client, endpoint_url, region_name)
    run = _Run(router, progress or MemoryProgress(), clients, clock, dry_run=dry_run)
    run.context, run.on_record = context, on_record
    messages = failed_batches(source, fetch=fetcher(s3_client, endpoint_url, region_name))
    for message in _in_order(messages):
        if isinstance(message, Unreadable):
            run.report.unreadable.append(message)
        else:
            run.take(message)
    return run.report


def check_arguments(
    router: object, *, client: object, s3_client: object, progress: object, clock: object
) -> None:
    """Raise PollerArgumentError for no router, or for what would have to be awaited."""
    check_router(router)
    check_methods(client, "client=", PollerArgumentError, "get_shard_iterator", "get_records")
    check_methods(s3_client, "s3_client=", PollerArgumentError, "get_object")
    check_methods(progress, "progress=", PollerArgumentError, "load", "save")
    check_methods(clock, "clock=", PollerArgumentError, "time", "sleep")


def _in_order(
    messages: Iterator[FailedBatch | Unreadable],
) -> list[FailedBatch | Unreadable]:
    """By stream, shard and place in it; queues keep no order. Shard ids begin with their time."""

    def place(message: FailedBatch | Unreadable) -> tuple[str, str, int, str]:
        if isinstance(message, Unreadable):
            return ("", "", 0, "")
        start = message.start_sequence_number
        return (message.stream_arn, message.shard_id, sequence_order(start) or 0, start)

    return sorted(messages, key=place)


class _Run:
    """One call of `replay`."""

    context: object = None
    on_record: Callable[[StreamRecord[Any]], object] | None = None

    def __init__(
        self,
        router: StreamRouter,
        progress: Progress,
        clients: Clients,
        clock: Clock,
        *,
        dry_run: bool,
    ) -> None:
        self._router = router
        self._progress = progress
        self._clients = clients
        self._clock = clock
        self._dry_run = dry_run
        self._blocked: set[tuple[str, str]] = set()
        # A dry run saves nothing, but still recognises a message that is repeated.
        self._seen: set[str] = set()
        self.report = ReplayReport(dry_run=dry_run)

    def take(self, batch: FailedBatch) -> None:
        """Do one batch, as far as it goes."""
        self.report.batches += 1
        shard = (batch.stream_arn, batch.shard_id)
        state = self._progress.load(batch.key)
        if state == _DONE or batch.key in self._seen:
            self.report.done += 1
            self.report.already_done += 1
            return
        if shard in self._blocked:
            self.report.deferred.append(batch)
            return
        try:
            if batch.payload is not None:
                failure = self._inline(batch, _done_before(state))
            else:
                failure = self._reread(batch, state)
        except DDBStreamError as error:
            failure = BatchFailure(batch, error)
        if failure is not None:
            self._blocked.add(shard)
            self.report.failures.append(failure)
            return
        self.report.done += 1
        self._seen.add(batch.key)
        self._save(batch, _DONE)

    def _inline(self, batch: FailedBatch, skip: int) -> BatchFailure | None:
        carried = list(read(batch.payload, stream_arn=batch.stream_arn or None))
        done, failure = self._dispatch(batch, carried[skip:])
        if failure is not None and done:
            self._save(batch, str(skip + done))
        if failure is None and batch.size is not None and len(carried) < batch.size:
            start, end = batch.start_sequence_number, batch.end_sequence_number
            missing = batch.size - len(carried)
            gap = Gap(batch.stream_arn, batch.shard_id, start, end, missing, "short")
            self.report.gaps.append(gap)
        return failure

    def _reread(self, batch: FailedBatch, after: str | None) -> BatchFailure | None:
        client = self._clients.of(batch)
        if after is not None and sequence_order(after) is None:
            raise PollerError("what is saved of the batch's progress is no sequence number")
        pages = Reread(batch, client, after=after, clock=self._clock)
        failure = None
        for page in pages:
            records = list(read(page, stream_arn=batch.stream_arn or None))
            done, failure = self._dispatch(batch, records)
            if done:
                self._save(batch, page[done - 1]["dynamodb"]["SequenceNumber"])
            if failure is not None:
                break
        self.report.gaps += pages.gaps
        return failure

    def _dispatch(
        self, batch: FailedBatch, records: list[StreamRecord[Any]]
    ) -> tuple[int, BatchFailure | None]:
        """How many of the records are done, and what stopped them."""
        if self.on_record is not None:
            for record in records:
                finish(self.on_record(record))
        if self._dry_run:
            self.report.records += len(records)
            broken = next((one for one in records if isinstance(one, MalformedRecord)), None)
            if broken is not None:
                return 0, BatchFailure(batch, broken.error, broken)
            return 0, None
        result = self._router.dispatch(
            records, stream_arn=batch.stream_arn or None, context=self.context
        )
        self.report.records += result.processed
        if result.failures:
            record, error = result.failures[0][:2]
            return result.processed, BatchFailure(batch, error, record)
        return result.processed, None

    def _save(self, batch: FailedBatch, value: str) -> None:
        if not self._dry_run:
            self._progress.save(batch.key, value)


def _done_before(state: str | None) -> int:
    if state is None:
        return 0
    number = sequence_order(state)
    if number is None:
        raise PollerError("what is saved of the batch's progress is no number of records")
    return number
