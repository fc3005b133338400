"""`RecordProcessor`: one shard's records through a router, and its checkpoints.

Rules

* A checkpoint stands only behind what is done: handled, skipped, or taken by the dead-letter sink.
  It names the last record before the first that is not done, and only ever moves forward.
* A record that fails is tried again here, inside `process_records`, for as long as the policy says.
  The KCL keeps the lease meanwhile. What was done before it is checkpointed at once.
* Returning from a method means that all it was asked for is done. There is no other answer: a
  processor that cannot go on raises SystemExit. amazon-kclpy swallows every `Exception`, and tells
  its daemon that the batch is done; SystemExit it lets through.
* After a lost lease nothing is handled and nothing is checkpointed.
* A shard's end is confirmed only by a checkpoint that was stored. The KCL reads the children from
  then on.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final, Literal, NoReturn, final

from ddbstream._router.awaiting import finish
from ddbstream._router.router import StreamRouter
from ddbstream._values.callables import check_function, check_methods
from ddbstream.exceptions import RouterArgumentError
from ddbstream.kcl._batch import Batch
from ddbstream.kcl._checkpoints import CannotGoOnError, Checkpoints, LeaseLostError
from ddbstream.poller import DeadLetter, FailurePolicy, block, skip, stop

if TYPE_CHECKING:
    from ddbstream._router.results import Failure
    from ddbstream.dead_letters import DeadLetterSink
    from ddbstream.kcl._protocol import Checkpointer, Delivery, Ending, Shard
    from ddbstream.kinesis import NewestStore

__all__ = ["Clock", "ProcessorContext", "RecordProcessor"]

logger = logging.getLogger("ddbstream.kcl")

# sysexits.h: EX_TEMPFAIL, another worker may do better; EX_SOFTWARE, it will not.
_HAND_OVER: Final = 75
_BROKEN: Final = 70

# Less than the time that `ddbstream kcl run` gives a whole worker to shut down: 20 s.
_LAST_CHECKPOINT_SECONDS: Final = 10.0

_POLICIES: Final[dict[str, Callable[[], FailurePolicy]]] = {
    "block": block,
    "skip": skip,
    "stop": stop,
}


class Clock:
    """Time that never jumps, and waiting that ends when the daemon is gone; tests fake it."""

    def __init__(self, gone: Event) -> None:
        self._gone = gone

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait; less if the daemon goes."""
        self._gone.wait(seconds)


@final
@dataclass(frozen=True, slots=True)
class ProcessorContext:
    """What a handler's second argument is when the KCL delivers.

    Attributes:
        shard_id: The Kinesis shard that the records come from.
        attempt: 1 for the first delivery of the batch's first record, counted up while it fails.
        millis_behind_latest: How far behind the stream's tip the batch was read.
    """

    shard_id: str
    attempt: int
    millis_behind_latest: int | None


@final
class RecordProcessor:
    """A router as a record processor of amazon-kclpy's version 3 interface.

    `ddbstream.kcl.run` makes one and speaks with the daemon. To give it to ``amazon_kclpy.kcl``'s
    own ``KCLProcess`` works as well, if handlers print nothing: standard output is the protocol's.

    Args:
        router: Handles the records.
        concurrency: How many items' records to handle at once; one item's keep their order.
        on_failure: What becomes of a record that fails: ``"block"`` its shard until it is handled,
            ``"skip"`` it, ``"stop"`` this process, or a policy made by ``ddbstream.poller``'s
            ``block``, ``retry``, ``skip`` or ``stop``. A policy's sink gets a
            ``ddbstream.poller.DeadLetter``.
        checkpoint_records: Checkpoint when so many records are done since the last one.
        checkpoint_seconds: ... or when the last one is so long ago.
        dead_letter: Takes what an ``on_error`` function of the router puts aside; by default the
            sink of ``on_failure``. See ``ddbstream.dead_letters``.
        newest: Drops what Kinesis repeats or delivers late: see ``ddbstream.kinesis``. None, the
            default, handles whatever comes, in the order in which it comes.
        stream_arn: The Kinesis stream's ARN, for records to say where they come from.
        clock: Of a test.

    Attributes:
        gone: To be set by who runs the processor when the daemon is gone: nothing more is started.

    Raises:
        TypeError: ``router`` is no `StreamRouter`.
        ValueError: Another argument is of the wrong kind.
    """

    version = 3
    """amazon-kclpy asks a processor for the version of its interface."""

    def __init__(  # noqa: PLR0913 - keyword-only: what a processor can be told
        self,
        router: StreamRouter,
        *,
        concurrency: int = 1,
        on_failure: Literal["block", "skip", "stop"] | FailurePolicy = "block",
        checkpoint_records: int = 1000,
        checkpoint_seconds: float = 10.0,
        dead_letter: DeadLetterSink | None = None,
        newest: NewestStore | None = None,
        stream_arn: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(router, StreamRouter):
            raise TypeError(f"RecordProcessor takes a StreamRouter, not a {type(router).__name__}")
        _check_number("concurrency", concurrency)
        _check_number("checkpoint_records", checkpoint_records)
        if not checkpoint_seconds >= 0:
            raise ValueError("checkpoint_seconds= takes seconds from 0 on")
        if not isinstance(on_failure, FailurePolicy) and on_failure not in _POLICIES:
            raise ValueError('on_failure= takes "block", "skip", "stop" or a policy')
        self._policy = (
            on_failure if isinstance(on_failure, FailurePolicy) else _POLICIES[on_failure]()
        )
        for about, sink in (("dead_letter=", dead_letter), ("on_failure=", self._policy.sink)):
            if sink is not None:
                check_function(sink, about, RouterArgumentError, arguments=1, awaited=True)
        check_methods(newest, "newest=", RouterArgumentError, "load", "save")
        check_methods(clock, "clock=", RouterArgumentError, "monotonic", "sleep")
        self._router = router
        self._concurrency = concurrency
        self._at_once = checkpoint_records
        self._checkpoints = Checkpoints(checkpoint_records, checkpoint_seconds)
        self._dead_letter = dead_letter or self._policy.sink
        self._newest = newest
        self._stream_arn = stream_arn
        self.gone = Event()
        self._clock = clock if clock is not None else Clock(self.gone)
        self._shard_id = ""
        self._over = False  # the lease is lost, or the process is about to end
        self._batch: Batch | None = None  # the one that is not done
        self._attempts = 0  # of the batch's first record that is not done

    # What the daemon asks for

    def initialize(self, initialize_input: Shard) -> None:
        """Take a shard over."""
        self._shard_id = initialize_input.shard_id
        self._checkpoints.begin(self._clock.monotonic())
        logger.info("shard %s is ours", self._shard_id)

    def process_records(self, process_records_input: Delivery) -> None:
        """Handle records; return when all are done.

        Raises:
            SystemExit: They cannot be done here.
        """
        with self._ending_on_errors():
            self._take(process_records_input)

    def lease_lost(self, lease_lost_input: object) -> None:
        """Another worker has the shard."""
        self._over = True
        logger.info("the lease of shard %s is lost", self._shard_id)

    def shard_ended(self, shard_ended_input: Ending) -> None:
        """Confirm the end of the shard; return when that is stored.

        Raises:
            SystemExit: Something is not done, or the confirmation cannot be stored.
        """
        with self._ending_on_errors():
            if self._over or self._batch is not None:
                raise CannotGoOnError("the shard has ended, and its records are not done")
            while not self._save(_of(shard_ended_input), at_end=True):
                self._wait_for_the_store()
            logger.info("shard %s is done", self._shard_id)

    def shutdown_requested(self, shutdown_requested_input: Ending) -> None:
        """Checkpoint what is done, before the lease is given back.

        Raises:
            SystemExit: The KCL is in no state to go on.
        """
        with self._ending_on_errors():
            try:
                self._save_last(_of(shutdown_requested_input))
            except LeaseLostError:
                self._over = True
                logger.info("the lease of shard %s is lost, unsaved", self._shard_id)

    # Delivering

    def _take(self, given: Delivery) -> None:
        checkpointer = _of(given)
        if self._over or self._batch is not None:
            raise CannotGoOnError("records came after the end")
        self._batch = batch = Batch(given.records, self._newest)
        self._checkpoints.advance(*batch.take_progress())  # stale records in front are done
        while not batch.finished:
            self._deliver(batch, checkpointer, given.millis_behind_latest)
            if self._is_due():
                self._save(checkpointer)
        self._batch = None
        if self._is_due():
            self._save(checkpointer)

    def _deliver(self, batch: Batch, checkpointer: Checkpointer, behind: int | None) -> None:
        if self.gone.is_set():
            raise CannotGoOnError("the MultiLangDaemon is gone")
        # A record that has failed comes back alone: when it is done, a checkpoint tells whether the
        # lease has gone meanwhile, before anything behind it is handled.
        records = batch.next_records(1 if self._attempts else self._at_once)
        result = self._router.dispatch(
            records,
            stream_arn=self._stream_arn,
            context=ProcessorContext(self._shard_id, self._attempts + 1, behind),
            concurrency=self._concurrency,
            stop_when=lambda: (
                self.gone.is_set() or self._checkpoints.seconds_are_up(self._clock.monotonic())
            ),
            dead_letter=self._dead_letter,
        )
        done = batch.count_done(result.checkpoint, len(records))
        if done:
            recovered = self._attempts > 0
            self._attempts = 0
            batch.advance(done)
            self._checkpoints.advance(*batch.take_progress())
            if recovered:
                self._save(checkpointer)
        failure = next((one for one in result.failures if batch.is_next(one.record)), None)
        if failure is not None:
            self._failed(batch, failure, checkpointer)

    def _failed(self, batch: Batch, failure: Failure, checkpointer: Checkpointer) -> None:
        self._attempts += 1
        policy = self._policy
        logger.warning(
            "record %s of shard %s failed, delivery %d",
            batch.number,
            self._shard_id,
            self._attempts,
            exc_info=failure.error,
        )
        self._save(checkpointer)
        if not policy.gives_up(self._attempts, self._age(failure)):
            self._wait(policy.backoff.after(self._attempts, random.random()))  # noqa: S311 - jitter
            return
        if policy.then == "stop":
            raise CannotGoOnError(f"record {batch.number} cannot be handled") from failure.error
        if policy.then == "dead_letter":
            self._put_aside(failure)
        logger.error(
            "record %s of shard %s is given up: %s", batch.number, self._shard_id, policy.then
        )
        self._attempts = 0
        batch.advance(1)
        self._checkpoints.advance(*batch.take_progress())

    def _put_aside(self, failure: Failure) -> None:
        """Have the policy's sink take a record, however often that has to be tried."""
        sink = self._policy.sink
        assert sink is not None
        letter = DeadLetter(
            self._stream_arn or failure.record.event_source_arn or "",
            self._shard_id,
            failure.record.raw,
            failure.error,
            self._attempts,
            failure.route,
        )
        attempt = 0
        while True:
            try:
                finish(sink(letter))
                return
            except Exception:
                attempt += 1
                logger.exception("the dead-letter sink failed, try %d", attempt)
            self._wait(self._policy.backoff.after(attempt, random.random()))  # noqa: S311 - jitter

    def _age(self, failure: Failure) -> float | None:
        try:
            created = failure.record.approximate_creation_ns
        except Exception:  # noqa: BLE001 - it may be what is wrong with the record
            return None
        return None if created is None else self._clock.time() - created / 1e9

    def _wait(self, seconds: float) -> None:
        if not self.gone.is_set():
            self._clock.sleep(seconds)
        if self.gone.is_set():
            raise CannotGoOnError("the MultiLangDaemon is gone")

    # Checkpoints

    def _is_due(self) -> bool:
        return self._checkpoints.is_due(self._clock.monotonic())

    def _save(self, checkpointer: Checkpointer, *, at_end: bool = False) -> bool:
        return self._checkpoints.save(checkpointer, self._clock.monotonic(), at_end=at_end)

    def _save_last(self, checkpointer: Checkpointer) -> None:
        until = self._clock.monotonic() + _LAST_CHECKPOINT_SECONDS
        while not self._over and not self._save(checkpointer):
            if self._checkpoints.not_before > until:
                logger.warning("shard %s is given back unsaved", self._shard_id)
                return
            self._wait_for_the_store()

    def _wait_for_the_store(self) -> None:
        self._wait(max(0.0, self._checkpoints.not_before - self._clock.monotonic()))

    @contextmanager
    def _ending_on_errors(self) -> Iterator[None]:
        """Whatever fails in here ends the process, and never counts as done."""
        try:
            yield
        except CannotGoOnError as reason:
            self._end(reason, _HAND_OVER)
        except Exception as error:
            logger.exception("the record processor failed")
            self._end(error, _BROKEN)

    def _end(self, reason: Exception, code: int) -> NoReturn:
        self._over = True
        logger.error(
            "shard %s is handed over, this process ends: %s",
            self._shard_id,
            reason,
            exc_info=reason.__cause__,
        )
        raise SystemExit(code) from None


def _of(question: Ending) -> Checkpointer:
    checkpointer = question.checkpointer
    assert checkpointer is not None  # who delivers a question has set it
    return checkpointer


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}= takes a whole number above 0")
