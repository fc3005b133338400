"""One stream's core with what it needs of the world, and the loop that drives several of them.

Rules

* The cores belong to the thread that calls `Driver.run`. Workers hand results over a queue.
* A handler's Exception is a failed delivery. Anything else (KeyboardInterrupt, SystemExit) ends the poller and is
  raised out of `run`; nothing of that batch is saved.
* When one stream's core fails, the others are drained.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ddbstream.exceptions import FencedError
from ddbstream.poller._client import StreamsApi
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
    Record,
    Renew,
    Result,
    Save,
)
from ddbstream.poller._core import StreamCore
from ddbstream.poller._events import Event, Exit
from ddbstream.poller._shard import sequence_number
from ddbstream.poller._stores import CheckpointStore, Lease
from ddbstream.poller._workers import Clock, Lane, Workers, instant

__all__ = ["DeadLetter", "Driver", "PollContext", "Router", "Stream"]

logger = logging.getLogger("ddbstream.poller")


class Router(Protocol):
    """What the poller asks of a router: `ddbstream.StreamRouter` has it."""

    def dispatch(
        self, payload: Any, /, *, stream_arn: str | None = None, context: Any = None
    ) -> Any:
        """Handle records; return an object with ``failures`` and ``checkpoint``."""
        ...


@dataclass(frozen=True, slots=True)
class PollContext:
    """What a handler's second argument is when a poller calls it.

    Attributes:
        stream_arn: Of the stream that the records come from.
        shard_id: Of their shard.
        attempt: 1 for the first delivery of the batch's first record, counted up while it fails.
    """

    stream_arn: str
    shard_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is given up, as a dead-letter sink gets it.

    Attributes:
        stream_arn: Of its stream.
        shard_id: Of its shard.
        record: The wire record.
        error: What its handler raised, or why it cannot be decoded.
        attempts: How often it was delivered.
    """

    stream_arn: str
    shard_id: str
    record: Record
    error: Exception
    attempts: int


class Stream:
    """A core, and the client, store and router that its commands go to."""

    def __init__(
        self,
        core: StreamCore,
        api: StreamsApi,
        store: CheckpointStore,
        lease: Lease,
        router: Router | None,
        sink: Callable[[DeadLetter], object] | None,
    ) -> None:
        self.core = core
        self._api = api
        self._store = store
        self.lease = lease
        self._router = router
        self._sink = sink

    def run(self, command: Command) -> Result:
        """Do what the core asks for. Blocks; called in a worker."""
        if isinstance(command, GetRecords):
            return self._api.records(command)
        if isinstance(command, GetIterator):
            return self._api.iterator(command)
        if isinstance(command, Describe):
            return self._api.describe(command)
        if isinstance(command, Deliver):
            return self._deliver(command)
        try:
            self._write(command)
        except FencedError as error:
            return Fault("fenced", "FencedError", error)
        except Exception as error:
            logger.debug("%s failed", type(command).__name__, exc_info=True)
            return Fault("failed", type(error).__name__, error)
        return None

    def _write(self, command: Save | FixStart | Renew | Forget | Discard) -> None:
        if isinstance(command, Save):
            self._store.save(self.lease, command.shard_id, command.position)
        elif isinstance(command, FixStart):
            self._store.fix_start(self.lease, command.start)
        elif isinstance(command, Renew):
            self._store.renew(self.lease, command.alive_at)
        elif isinstance(command, Forget):
            self._store.forget(self.lease, command.shard_ids)
        elif self._sink is not None:
            arn = self.lease.stream_arn
            self._sink(
                DeadLetter(arn, command.shard_id, command.record, command.error, command.attempts)
            )

    def _deliver(self, command: Deliver) -> Delivered:
        assert self._router is not None
        arn, records = self.lease.stream_arn, list(command.records)
        context = PollContext(arn, command.shard_id, command.attempt)
        try:
            result = self._router.dispatch(records, stream_arn=arn, context=context)
        except Exception as error:
            return Delivered(0, error, located=len(records) == 1)
        return outcome(result, records)

    def release(self) -> None:
        """Give the lease back."""
        try:
            self._store.release(self.lease)
        except Exception:
            logger.warning("the lease of %s could not be released", self.lease.stream_arn)


def outcome(result: Any, records: Sequence[Record]) -> Delivered:
    """What a `BatchResult` means for the records it was made of."""
    if result.checkpoint is None and not result.failures:
        return Delivered(len(records))
    error: Exception = (
        result.failures[0].error if result.failures else RuntimeError("the batch was cut short")
    )
    for index, record in enumerate(records):
        if result.checkpoint is not None and sequence_number(record) == result.checkpoint:
            return Delivered(index, error)
    return Delivered(0, error, located=len(records) == 1)


_LANES: dict[type, Lane] = {
    Deliver: "handle",
    Discard: "handle",
    Describe: "control",
    Renew: "control",
    FixStart: "control",
    Forget: "control",
}


class Driver:
    """Runs cores until they exit.

    Args:
        workers: Where commands run.
        clock: Both clocks.
        on_event: Called with every event, in the driver's thread.
        grace: Seconds that handlers get to finish once the poller is told to stop.
    """

    def __init__(
        self, workers: Workers, clock: Clock, on_event: Callable[[Event], object], grace: float
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._on_event = on_event
        self._grace = grace
        self._stopping = False
        self._give_up_at: float | None = None
        self.streams: list[Stream] = []

    def stop(self) -> None:
        """Drain and return from `run`. Callable from any thread and from a signal handler."""
        self._stopping = True
        self._workers.wake()

    def run(self, *, until_caught_up: bool = False, timeout: float | None = None) -> Exit:
        """Drive the streams until all have exited, or all are caught up."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        goal: Exit | None = None
        while True:
            at = instant(self._clock)
            if goal is None and self._stopping:
                goal = Exit("stopped")
            elif goal is None and until_caught_up and self._caught_up():
                goal = Exit("caught_up")
            elif goal is None and deadline is not None and at.mono >= deadline:
                goal = Exit("deadline")
            elif goal is None:
                goal = self._first_failure()
            if goal is not None:
                self._drain(at.mono)
            for stream in self.streams:
                for command in stream.core.poll(at):
                    self._submit(stream, command)
            self._publish()
            running = [stream for stream in self.streams if stream.core.exit is None]
            if not running or (self._give_up_at is not None and at.mono >= self._give_up_at):
                return self._first_failure() or goal or Exit("stream_ended")
            self._wait(running, at.mono, deadline if goal is None else None)

    def _drain(self, now: float) -> None:
        if self._give_up_at is None:
            self._give_up_at = now + self._grace
            for stream in self.streams:
                stream.core.stop()

    def _caught_up(self) -> bool:
        return all(s.core.exit is not None or s.core.caught_up() for s in self.streams)

    def _first_failure(self) -> Exit | None:
        exits = (stream.core.exit for stream in self.streams)
        return next((e for e in exits if e is not None and e.error is not None), None)

    def _submit(self, stream: Stream, command: Command) -> None:
        lane = _LANES.get(type(command), "read")
        self._workers.submit(lane, partial(_run, stream, command))

    def _wait(self, running: list[Stream], now: float, deadline: float | None) -> None:
        times = [stream.core.wake_at() for stream in running]
        times += [deadline, self._give_up_at]
        wake = min((time for time in times if time is not None), default=None)
        for stream, command, result in self._workers.wait(None if wake is None else wake - now):
            if isinstance(result, _Interrupt):
                raise result.error
            stream.core.receive(command, result, instant(self._clock))

    def _publish(self) -> None:
        for stream in self.streams:
            for event in stream.core.events():
                self._on_event(event)


class _Interrupt:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _run(stream: Stream, command: Command) -> tuple[Stream, Command, Any]:
    try:
        return stream, command, stream.run(command)
    except BaseException as error:  # raised again in the driver's thread
        return stream, command, _Interrupt(error)
