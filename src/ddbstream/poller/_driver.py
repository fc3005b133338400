"""The loop that drives the cores of one or several streams.

Rules

* The cores belong to the thread that calls the driver. Workers hand results over a queue.
* A handler's Exception is a failed delivery. Anything else (KeyboardInterrupt, SystemExit) ends the
  poller and is raised out of it; nothing of that batch is saved.
* When one stream's core fails, or is about to, the others are drained. Whatever hangs meanwhile
  gets ``grace`` seconds, and the reason stays.
* A stream is opened in a worker, and driven as soon as it is open: a first call that hangs, or a
  lease that another poller has, keeps no stop waiting, and no other stream from being read.
* A stream that is opened when the run is over, or was opened and is not driven yet, is given back:
  the next run need not wait until its lease has run out.
* Each stream is followed by itself, whatever the others do: its table's next one is begun once all
  of it is read, so that an item's changes go on in order. None between is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ddbstream.exceptions import DDBStreamError, StreamNotFoundError
from ddbstream.poller._client import GarbledAnswerError, failure_of
from ddbstream.poller._core.commands import HANDLING, Command, CommandFailed, Instant
from ddbstream.poller._core.events import CallFailed, Event, Exit
from ddbstream.poller._dispatching import failure_in
from ddbstream.poller._metrics import Metrics
from ddbstream.poller._ongoing import Ongoing
from ddbstream.poller._stream import Stream
from ddbstream.poller._workers import Clock, Workers, instant

__all__ = ["Driver", "Interrupt", "Takers", "failed_or_interrupt"]

_TRY_AGAIN = 5.0  # seconds, after a successor could not be opened
_SIGN_OF_LIFE = 10.0  # seconds between turns while nothing but an opening is waited for

Takers = Mapping[type[Any], Callable[[Stream, Any], None]]
"""Who runs a command in the workers' place, by its class; its result goes where theirs would."""


class Driver:
    """Runs cores until they exit.

    Args:
        workers: Where commands run.
        clock: Both clocks.
        metrics: Is told of everything.
        on_event: Called with every event, in the driver's thread.
        grace: Seconds that handlers get to finish once the poller is told to stop.
        follow: Opens the stream that follows an ended one; gives None if there is none yet. It runs
            in a worker.
        ongoing: Is told of each call.
        follow_on: Whether to wait for streams that are not there yet.
        follow_every: Seconds between its calls.
        takers: Who runs some commands in the workers' place.

    Attributes:
        streams: Those that are driven.
        opening: How many of those that the run begins with are not open yet.
        turned_at: When it last had its turn, on the monotonic clock.
    """

    def __init__(  # noqa: PLR0913 - keyword-only from the fifth on
        self,
        workers: Workers,
        clock: Clock,
        metrics: Metrics,
        on_event: Callable[[Event], object],
        *,
        grace: float,
        follow: Callable[[Stream], Stream | None],
        ongoing: Ongoing,
        follow_on: bool = False,
        follow_every: float = 60.0,
        takers: Takers | None = None,
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._metrics = metrics
        self._on_event = on_event
        self._grace = grace
        self._follow = follow
        self._follow_on = follow_on
        self._ongoing = ongoing
        self.turned_at = clock.monotonic()
        self._follow_every = follow_every
        self._takers = takers or {}
        self._stopping = False
        self._interrupted: BaseException | None = None
        self._goal: Exit | None = None
        self._give_up_at: float | None = None
        # Ended stream -> when to look for its successor again; None while somebody looks.
        self._looking: dict[str, float | None] = {}
        self._names: tuple[str, ...] = ()  # of the streams that a run begins with
        self.opening = 0  # of them
        self._opened: list[Stream] = []  # and not driven yet
        self._closed = False
        self._lock = threading.Lock()  # for these two
        self._last: set[str] = set()  # ended streams that had no successor when last looked
        self.streams: list[Stream] = []

    def stop(self) -> None:
        """Drain and finish. Callable from any thread and from a signal handler."""
        self._stopping = True
        self._workers.wake()

    def interrupt(self, error: BaseException) -> None:
        """End at once: have ``error`` raised out of `run`. Callable from any thread."""
        self._interrupted = error
        self._workers.wake()

    def open(self, names: Sequence[str], open_one: Callable[[str], Stream | Exit | None]) -> None:
        """Have streams opened, each by itself, and driven.

        Args:
            names: Of them.
            open_one: Gives a stream, None if there is none of that name, or why the run has to end.
        """
        self._names = tuple(names)
        for name in names:
            self.opening += 1
            self._workers.submit("open", partial(_open, partial(self._kept, open_one, name)))

    def close(self) -> None:
        """Give back what has been opened and is not driven yet, now and later."""
        with self._lock:
            self._closed = True
        for stream in self._opened:
            stream.release()

    @property
    def draining(self) -> bool:
        """Whether nothing more is delivered."""
        return self._goal is not None

    def is_stopping(self) -> bool:
        """Whether handlers are to start nothing more. Safe in any thread."""
        return self._stopping or self._goal is not None

    def run(self, *, until_caught_up: bool = False, timeout: float | None = None) -> Exit:
        """Drive the streams until all have exited, or all are caught up."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            exit_ = self.turn(until_caught_up=until_caught_up, deadline=deadline)
            if exit_ is not None:
                return exit_
            self.wait(deadline)

    def turn(self, *, until_caught_up: bool = False, deadline: float | None = None) -> Exit | None:
        """Begin everything that is due; return why to stop, if there is a reason."""
        if self._interrupted is not None:
            raise self._interrupted
        at = instant(self._clock)
        self.turned_at = at.mono
        self._goal = self._goal or self._find_goal(at, deadline, until_caught_up=until_caught_up)
        if self._goal is not None:
            self._drain(at.mono)
        for stream in self.streams:
            for command in stream.core.poll(at):
                self._submit(stream, command)
        running = self._running()
        self._metrics.look(
            [(stream.arn, stream.core) for stream in self.streams], at, force=not running
        )
        self._publish()
        given_up = self._give_up_at is not None and at.mono >= self._give_up_at
        if self._goal is None:
            waiting = self._look_for_successors(at.mono)
            return None if running or waiting or self.opening else Exit("stream_ended")
        if running and not given_up:
            return None
        return self._first_failure() or self._goal

    def wait(self, deadline: float | None = None) -> None:
        """Wait for results, or until something is due, and hand the results to the cores."""
        self.take(self._workers.wait(self.seconds_left(deadline)))

    def seconds_left(self, deadline: float | None = None) -> float | None:
        """Until something is due, even if no result comes; None if nothing will be."""
        times = [stream.core.wake_at() for stream in self._running()]
        if self._goal is None:
            times += [deadline, *self._looking.values()]
        times.append(self._give_up_at)
        if self.opening:
            times.append(self._clock.monotonic() + _SIGN_OF_LIFE)
        wake = min((time for time in times if time is not None), default=None)
        return None if wake is None else wake - self._clock.monotonic()

    def take(self, results: Sequence[Any]) -> None:
        """Hand results to the cores."""
        for stream, command, result in results:
            if isinstance(result, Interrupt):
                raise result.error
            if stream is None:
                self._on_opened(result)
            elif isinstance(result, Stream):
                self._replace(stream, result)
            elif command is None:
                self._on_no_successor(stream, result)
            else:
                stream.core.receive(command, result, instant(self._clock))

    def _find_goal(
        self, at: Instant, deadline: float | None, *, until_caught_up: bool
    ) -> Exit | None:
        if self._stopping:
            return Exit("stopped")
        if until_caught_up and self._caught_up():
            return Exit("caught_up")
        if deadline is not None and at.mono >= deadline:
            return Exit("deadline")
        return self._first_failure()

    def _drain(self, now: float) -> None:
        if self._give_up_at is None:
            self._give_up_at = now + self._grace
        for stream in self.streams:  # also one that has been opened since
            stream.core.stop()

    def _running(self) -> list[Stream]:
        return [stream for stream in self.streams if stream.core.exit is None]

    def _caught_up(self) -> bool:
        going = bool(self._running()) or self._follow_on
        return (
            going
            and not self.opening
            and all(self._is_caught_up(stream) for stream in self.streams)
        )

    def _is_caught_up(self, stream: Stream) -> bool:
        core = stream.core
        if stream.pending:
            return False
        if not self._follow_on:
            return core.exit is not None or core.caught_up()
        if core.exit is not None:
            return stream.arn in self._last
        return core.lineage.status == "ENABLED" and core.caught_up()

    def _first_failure(self) -> Exit | None:
        exits = (stream.core.leaving for stream in self.streams)
        return next((e for e in exits if e is not None and e.error is not None), None)

    def _submit(self, stream: Stream, command: Command) -> None:
        taker = self._takers.get(type(command))
        if taker is not None:
            taker(stream, command)
        else:
            work = partial(_run, self._ongoing, stream, command)
            self._workers.submit(HANDLING[type(command)].pool, work)

    def _publish(self) -> None:
        for stream in self.streams:
            for event in stream.core.events():
                self._report(event)

    def _report(self, event: Event) -> None:
        self._metrics.count(event)
        self._on_event(event)

    # The streams that a run begins with

    def _kept(self, open_one: Callable[..., Any], *arguments: object) -> Any:
        """What is opened, to be driven; or to be given back at once, if the run is over."""
        opened = open_one(*arguments)
        if not isinstance(opened, Stream):
            return opened
        with self._lock:
            if not self._closed:
                self._opened.append(opened)
                return opened
        opened.release()
        return None

    def _on_opened(self, result: Stream | Exit | None) -> None:
        self.opening -= 1
        if isinstance(result, Exit):
            self._goal = self._goal or (Exit("stopped") if self._stopping else result)
        elif result is not None:
            with self._lock:
                self._opened.remove(result)
            self.streams.append(result)
        elif not self.opening and not self.streams:
            names = ", ".join(self._names)
            error = StreamNotFoundError(f"there is no stream of {names}")
            self._goal = self._goal or Exit("failed", error)

    # Following a table from stream to stream

    def _look_for_successors(self, now: float) -> int:
        """Have the streams that follow ended ones looked for; how many are waited for."""
        waiting = 0
        for stream in self.streams:
            exit_ = stream.core.exit
            if exit_ is None or exit_.reason != "stream_ended":
                continue
            if not self._follow_on and not stream.pending:
                continue
            waiting += 1
            when = self._looking.get(stream.arn, 0.0)
            if when is not None and now >= when:
                self._looking[stream.arn] = None  # two that look would both open what they find
                self._workers.submit(
                    "control", partial(_find, stream, partial(self._kept, self._follow))
                )
        return waiting

    def _on_no_successor(self, stream: Stream, failed: CommandFailed | None) -> None:
        wait = self._follow_every if failed is None else min(self._follow_every, _TRY_AGAIN)
        self._looking[stream.arn] = self._clock.monotonic() + wait
        if failed is None:
            self._last.add(stream.arn)
            return
        self._report(CallFailed(stream.arn, None, "Follow", failed.kind, failed.code, wait))

    def _replace(self, old: Stream, new: Stream) -> None:
        self._looking.pop(old.arn, None)
        with self._lock:
            self._opened.remove(new)
        self.streams[self.streams.index(old)] = new
        old.release()


class Interrupt:
    """What a worker ran into that is no Exception: it ends the poller."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _run(ongoing: Ongoing, stream: Stream, command: Command) -> tuple[Stream, Command, Any]:
    try:
        with ongoing.doing(HANDLING[type(command)].who, getattr(command, "shard_id", None)):
            return stream, command, stream.run(command)
    except BaseException as error:  # noqa: BLE001 - raised again in the driver's thread
        return stream, command, failed_or_interrupt(command, error)


def failed_or_interrupt(command: Command, error: BaseException) -> CommandFailed | Interrupt:
    """What to make of an error that no command may raise: a cancelling from below may pass."""
    if not isinstance(error, Exception):
        failure = failure_in(error, HANDLING[type(command)].who)
        if failure is not None:
            return CommandFailed("transient", type(error).__name__, failure)
    return Interrupt(error)


def _find(stream: Stream, follow: Callable[[Stream], Stream | None]) -> tuple[Stream, None, Any]:
    try:
        return stream, None, follow(stream)
    except Exception as error:  # noqa: BLE001 - sorted by what it is
        if isinstance(error, DDBStreamError) and not isinstance(error, GarbledAnswerError):
            return stream, None, Interrupt(error)
        return stream, None, failure_of(error)  # the service or the store: it may pass
    except BaseException as error:  # noqa: BLE001 - raised again in the driver's thread
        failure = failure_in(error, "the service or the checkpoint store")
        return stream, None, Interrupt(error) if failure is None else failure_of(failure)


def _open(open_one: Callable[[], Stream | Exit | None]) -> tuple[None, None, Any]:
    try:
        return None, None, open_one()
    except BaseException as error:  # noqa: BLE001 - raised again in the driver's thread
        failure = failure_in(error, "the service or the checkpoint store")
        return None, None, Interrupt(error) if failure is None else Exit("failed", failure)
