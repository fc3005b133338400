"""The simulated mapping: it reads a stream, invokes the function, and judges what that returns.

It does what AWS does, as far as that is documented or recorded: which records come together, which
come again after a failure and how often, which are given up and where they go. The test moves the
clock, so a day takes milliseconds. AWS's rules stand where they are kept: on reading in
``_source``, on batches, retries and windows in ``_partition``, on responses in ``_response``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, final
from zlib import crc32

from ddbstream._filters import Pattern
from ddbstream._records import StreamRecord
from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function
from ddbstream._wire.on_failure import on_failure_document
from ddbstream.testing._lambda_context import LambdaContext, function_arn
from ddbstream.testing._record_forms import json_record
from ddbstream.testing.clock import FakeClock
from ddbstream.testing.fake_stream import FakeStream
from ddbstream.testing.mapping._agenda import Agenda
from ddbstream.testing.mapping._partition import (
    Arrived,
    OpenWindow,
    Parameters,
    Partition,
    PendingBatch,
    arrived,
    pause,
)
from ddbstream.testing.mapping._response import Verdict, judge
from ddbstream.testing.mapping._source import RecordSource, StreamSource
from ddbstream.testing.payloads import lambda_event, tumbling_window_event

if TYPE_CHECKING:
    from ddbstream._filters.criteria import FilterCriteria

__all__ = ["EventSourceMapping", "Invocation"]

# "polls shards at a base rate of 4 times per second": Lambda's guide to DynamoDB streams. What a
# function writes while it runs is read at the next poll, so that time passes where it feeds itself.
POLL: Final = 0.25

# Of records that came while the function ran, in one run: more feed themselves for ever.
MAX_FED: Final = 10_000

SHARD: Final = "shardId-00000001700000000000-00000000"
_STREAM_ARN: Final = (
    "arn:aws:dynamodb:eu-west-1:123456789012:table/Table/stream/2026-01-01T00:00:00.000"
)


class Invocation(NamedTuple):
    """One call of the function.

    Attributes:
        at: When it was, in epoch seconds of the clock.
        shard_id: The shard that its records came from.
        event: What the function received.
        answer: What the function returned; None if it failed.
        error: What the function raised, or None.
        done: How many of its records are done, counted from the first.
        reason: Why the rest comes again, in words; None if nothing comes again.
    """

    at: float
    shard_id: str
    event: dict[str, Any]
    answer: Any
    error: BaseException | None
    done: int
    reason: str | None

    @property
    def sequence_numbers(self) -> list[str]:
        """The sequence numbers of its records."""
        return [record["dynamodb"]["SequenceNumber"] for record in self.event["Records"]]


@final
class EventSourceMapping:
    """A mapping from a stream to a function.

    ```python
    mapping = EventSourceMapping(handler, [insert(product)], maximum_retry_attempts=3)
    mapping.run()
    assert mapping.given_up == []
    ```

    Args:
        handler: The function: ``(event, context)``. Lambda's Python runtime awaits none.
        records: What is in the stream when the mapping is made; more is `put` there. Or a
            `FakeStream`, whose newest stream is read, shard by shard, whenever the mapping runs.
            ``ddbstream dev`` gives a `RecordSource`, which reads a table's stream.
        batch_size: 1 to 10,000.
        maximum_batching_window_in_seconds: 0 to 300.
        parallelization_factor: 1 to 10.
        starting_position: ``"TRIM_HORIZON"``, or ``"LATEST"`` to leave ``records`` out.
        maximum_retry_attempts: -1 to 10,000; -1 goes on until the stream has lost the record.
        maximum_record_age_in_seconds: -1 to 604,800; -1 gives nothing up for its age.
        bisect_batch_on_function_error: Whether a batch that fails is split in two.
        tumbling_window_in_seconds: 0 to 900; 0 for no window.
        function_response_types: ``["ReportBatchItemFailures"]`` or nothing. A `LambdaHandler` with
            ``report_batch_item_failures=True`` needs it; one without must not have it.
        filter_criteria: What `StreamRouter.filter_criteria` gives.
        on_failure: Takes a document about each batch that is given up, as a queue or topic does. It
            may be async.
        on_failure_payload: Whether the documents have ``payload``, as a bucket gets them.
        timeout: The function's timeout in seconds. A handler takes time by moving the clock.
        clock: The clock to use; not with a `FakeStream`, which has a clock already.
        stream_arn: The ARN for records that name no stream; not for a `FakeStream`'s.
        function_name: The function's, for its context and for the on-failure documents.

    Attributes:
        clock: Tells the mapping's time.
        invocations: Every call of the function, in order.
        given_up: Records that were discarded, after their retries or for their age.
        lost: Records that the stream lost after 24 hours, before they were done.
        filtered_out: Records that no filter wanted.
        documents: What went to the on-failure destination.

    Raises:
        TypeError: ``handler`` is no function, or an async one.
        ValueError: A parameter is out of AWS's range, or ``clock`` is not the `FakeStream`'s.
    """

    _enabled = True
    _running = False
    _fed = 0  # records that came while the function ran

    def __init__(  # noqa: PLR0913 - AWS's parameters
        self,
        handler: Callable[[Any, Any], Any],
        records: Iterable[Any] | FakeStream | RecordSource = (),
        *,
        batch_size: int = 100,
        maximum_batching_window_in_seconds: float = 0,
        parallelization_factor: int = 1,
        starting_position: Literal["TRIM_HORIZON", "LATEST"] = "TRIM_HORIZON",
        maximum_retry_attempts: int = -1,
        maximum_record_age_in_seconds: int = -1,
        bisect_batch_on_function_error: bool = False,
        tumbling_window_in_seconds: int = 0,
        function_response_types: Iterable[str] = (),
        filter_criteria: FilterCriteria | Mapping[str, Any] | None = None,
        on_failure: Callable[[dict[str, Any]], object] | None = None,
        on_failure_payload: bool = False,
        timeout: float = 900,
        clock: FakeClock | None = None,
        stream_arn: str = _STREAM_ARN,
        function_name: str = "simulated",
    ) -> None:
        if starting_position not in ("TRIM_HORIZON", "LATEST"):
            raise ValueError('starting_position is "TRIM_HORIZON" or "LATEST"')
        _check_partitions(parallelization_factor, tumbling_window_in_seconds)
        _check_functions(handler, on_failure)
        self._handler = handler
        self._parameters = _parameters(
            batch_size=batch_size,
            batching_window=maximum_batching_window_in_seconds,
            max_attempts=maximum_retry_attempts,
            max_age=maximum_record_age_in_seconds,
            bisect=bisect_batch_on_function_error,
            window=tumbling_window_in_seconds,
            response_types=set(function_response_types),
        )
        self._partitions_per_shard = parallelization_factor
        self._filters = _patterns(filter_criteria)
        self._on_failure = on_failure
        self._on_failure_payload = on_failure_payload
        self._timeout = timeout
        self._stream_arn = stream_arn
        self._function_name = function_name
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._source = records if isinstance(records, RecordSource) else None
        self._agenda = Agenda(self._parent_of)
        if isinstance(records, FakeStream):
            if clock not in (None, records.clock):
                raise ValueError("the stream has a clock already")
            from_latest = starting_position == "LATEST"
            self._source = StreamSource(records, from_latest=from_latest)
            self._stream_arn, clock, records = records.arn, records.clock, ()
        self.clock = clock or FakeClock()
        self.invocations: list[Invocation] = []
        self.given_up: list[dict[str, Any]] = []
        self.lost: list[dict[str, Any]] = []
        self.filtered_out: list[dict[str, Any]] = []
        self.documents: list[dict[str, Any]] = []
        if self._source is None and starting_position == "TRIM_HORIZON":
            self.put(records)

    def put(self, records: Any, *, shard_id: str = SHARD) -> None:
        """Put records into the stream, where they arrive now.

        Args:
            records: Wire records in any spelling, an event or page of them, or a single one.
            shard_id: The shard to put them in. Shards are worked on independently.
        """
        if isinstance(records, Mapping):
            records = records.get("Records", [records])
        for record in records:
            self._arrive(record, shard_id, self.clock.time())

    def _arrive(self, record: Any, shard_id: str, at: float) -> None:
        made = json_record(record.raw if isinstance(record, StreamRecord) else record)
        made.setdefault("eventSourceARN", self._stream_arn)
        if self._filters and not any(one.matches(made) for one in self._filters):
            self.filtered_out.append(made)
            return
        number = 0
        if self._partitions_per_shard > 1:
            keys = made.get("dynamodb", {}).get("Keys")
            number = crc32(json.dumps(keys, sort_keys=True).encode()) % self._partitions_per_shard
        partition = self._partitions.get((shard_id, number))
        if partition is None:
            partition = Partition(shard_id, self._parameters)
            self._partitions[shard_id, number] = partition
        read = at
        if self._running:
            read, self._fed = self.clock.time() + POLL, self._fed + 1
        partition.arrive(arrived(made, at, read=read))
        self._agenda.touch(partition)

    def run(self, *, seconds: float | None = None) -> list[Invocation]:
        """Invoke the function until nothing is left to do, or for some time; the clock moves on.

        A batch that fails for ever ends when the stream loses it, after a simulated day. What the
        function itself puts into the stream is read a quarter of a second later. A mapping that is
        disabled does nothing.

        Args:
            seconds: How long to go on, by the clock; until nothing is left, if not given.

        Returns:
            The invocations that were made.

        Raises:
            RuntimeError: Without ``seconds``, and the function feeds itself without end.
        """
        if seconds is not None and not seconds >= 0:
            raise ValueError("seconds= is from 0 on")
        ends = None if seconds is None else self.clock.time() + seconds
        before, self._fed = len(self.invocations), 0
        self._read_source()  # what is in the stream before the function runs
        self._running = True
        try:
            self._run_until(ends)
        finally:
            self._running = False
        if ends is not None:
            self.clock.advance(max(0.0, ends - self.clock.time()))
        return self.invocations[before:]

    def disable(self) -> None:
        """Stop reading, as ``update_event_source_mapping(Enabled=False)`` does; records wait."""
        self._enabled = False

    def enable(self) -> None:
        """Go on where reading stopped; what the stream has lost by then is gone."""
        self._enabled = True

    def _run_until(self, ends: float | None) -> None:
        while self._enabled:
            if ends is None and self._fed > MAX_FED:
                raise RuntimeError(
                    f"while it ran the function has put {self._fed:,} records into its own stream: "
                    "run(seconds=...) ends such a loop, and so should the function"
                )
            self._read_source()
            now = self.clock.time()
            following = self._agenda.next(now, ends)
            if following is None:
                break
            at, partition = following
            partition.steps += 1
            self.clock.advance(max(0.0, at - now))
            self._step(partition)
            self._agenda.touch(partition)

    def _read_source(self) -> None:
        if self._source is not None:
            for shard_id, record, at in self._source.arrivals():
                self._arrive(record, shard_id, at)

    def _parent_of(self, shard_id: str) -> str | None:
        return None if self._source is None else self._source.parent_of(shard_id)

    def _step(self, partition: Partition) -> None:
        now = self.clock.time()
        self.lost += [one.record for one in partition.trim(now)]
        old = partition.too_old(now)
        if old is not None:
            self._give_up(partition, old, "RecordAgeExceeded")
            return
        batch = partition.head(now)
        if batch is not None:
            partition.open_window(batch)
            self._invoke(partition, batch)
        elif partition.window is not None:
            due = partition.due_at()
            if due is not None and due <= now:
                self._end_window(partition, partition.window)

    def _invoke(self, partition: Partition, batch: PendingBatch) -> None:
        numbers = [one.sequence_number for one in batch.records]
        verdict = self._call(partition, batch.records, numbers)
        window = partition.window
        if window is not None and verdict.state is not None:
            window.state = verdict.state
            window.ends_early = verdict.state_too_large
        given_up = partition.ended(batch, verdict.done, self.clock.time(), verdict.function_error)
        if given_up is not None:
            self._give_up(partition, given_up, "RetryAttemptsExhausted")

    def _end_window(self, partition: Partition, window: OpenWindow) -> None:
        verdict = self._call(partition, [], [], window, is_final=True)
        if verdict.reason is None:
            partition.window = None
            return
        window.attempts += 1
        window.due = self.clock.time() + pause(window.attempts)

    def _call(
        self,
        partition: Partition,
        records: list[Arrived],
        numbers: list[str],
        window: OpenWindow | None = None,
        *,
        is_final: bool = False,
    ) -> Verdict:
        carried = [one.record for one in records]
        window = window or partition.window
        if window is None:
            event = lambda_event(carried)
        else:
            event = tumbling_window_event(
                carried,
                state=window.state,
                window=(_iso(window.start), _iso(window.end)),
                final=is_final,
                terminated_early=window.ends_early,
                shard_id=partition.shard_id,
                stream_arn=self._stream_arn,
            )
        event = json.loads(json.dumps(event))
        given = json.loads(json.dumps(event))  # a handler may change its event; the log keeps it
        started = self.clock.time()
        context = LambdaContext(self._function_name, self._timeout, self.clock.time)
        answer, error = None, None
        try:
            answer = self._handler(given, context)
        except KeyboardInterrupt:
            raise
        except BaseException as caught:  # noqa: BLE001 - whatever ends a function has failed it
            error = caught
        if self.clock.time() - started > self._timeout:
            error = error or TimeoutError(f"Task timed out after {self._timeout:.2f} seconds")
        if error is not None:
            verdict = Verdict(0, "Unhandled", f"the function failed: {type(error).__name__}")
        else:
            verdict = judge(
                answer,
                numbers,
                reports_failures=self._parameters.reports_failures,
                in_window=window is not None,
            )
        self.invocations.append(
            Invocation(
                started, partition.shard_id, event, answer, error, verdict.done, verdict.reason
            )
        )
        return verdict

    def _give_up(self, partition: Partition, batch: PendingBatch, condition: str) -> None:
        self.given_up += [one.record for one in batch.records]
        document = on_failure_document(
            [one.record for one in batch.records],
            shard_id=partition.shard_id,
            condition=condition,
            invocations=batch.invocations,
            request_id=str(uuid.uuid4()),
            function_arn=function_arn(self._function_name),
            function_version="$LATEST",
            function_error=batch.function_error,
            written_at=_moment(self.clock.time()),
            arrivals=(_moment(batch.records[0].at), _moment(batch.records[-1].at)),
            payload=self._on_failure_payload,
        )
        self.documents.append(document)
        if self._on_failure is not None:
            finish(self._on_failure(json.loads(json.dumps(document))))


def _parameters(*, response_types: set[str], **parameters: Any) -> Parameters:
    """The mapping's parameters; raises ValueError where AWS would refuse one."""
    _check("batch_size", parameters["batch_size"], 1, 10_000)
    _check("maximum_batching_window_in_seconds", parameters["batching_window"], 0, 300)
    _check("maximum_retry_attempts", parameters["max_attempts"], -1, 10_000)
    _check("maximum_record_age_in_seconds", parameters["max_age"], -1, 604_800)
    _check("tumbling_window_in_seconds", parameters["window"], 0, 900)
    if not response_types <= {"ReportBatchItemFailures"}:
        raise ValueError('function_response_types has "ReportBatchItemFailures" or nothing')
    return Parameters(reports_failures=bool(response_types), **parameters)


def _patterns(criteria: FilterCriteria | Mapping[str, Any] | None) -> list[Pattern]:
    return [Pattern(one["Pattern"]) for one in (criteria or {}).get("Filters", ())]


def _check_functions(handler: object, on_failure: object) -> None:
    check_function(handler, "the handler", TypeError, arguments=2)
    if on_failure is not None:
        check_function(on_failure, "on_failure=", TypeError, arguments=1, awaited=True)


def _check_partitions(per_shard: int, window: float) -> None:
    _check("parallelization_factor", per_shard, 1, 10)
    if window and per_shard > 1:
        raise ValueError("a window's state is the shard's: no parallelization factor with it")


def _iso(seconds: float) -> str:
    return _moment(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is from {lowest} to {highest:,}")
