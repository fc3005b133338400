"""What both pollers have in common: their arguments, health, and the beginning and end of a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from datetime import datetime
from typing import Any, Literal

from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function, check_methods
from ddbstream.exceptions import PollerArgumentError, PollerError
from ddbstream.poller import _fences as fences
from ddbstream.poller._batches import BODY, BatchLoop
from ddbstream.poller._core.commands import HANDLER, STORE
from ddbstream.poller._core.events import Event, Exit
from ddbstream.poller._core.policies import FailurePolicy, Settings, check_number
from ddbstream.poller._dispatching import (
    Dispatcher,
    check_concurrency,
    check_router,
    check_routes,
)
from ddbstream.poller._driver import Driver, Takers
from ddbstream.poller._handlers import Router
from ddbstream.poller._keeper import LeaseKeeper
from ddbstream.poller._listening import Listening
from ddbstream.poller._log import log_event
from ddbstream.poller._metrics import Metrics
from ddbstream.poller._ongoing import Ongoing
from ddbstream.poller._setup import Setup
from ddbstream.poller._signals import stop_on_signals
from ddbstream.poller._stores.contract import DEFAULT_CONSUMER, CheckpointStore
from ddbstream.poller._workers import (
    Clock,
    SystemClock,
    Workers,
)
from ddbstream.typing import StreamsClient

__all__ = ["PollerBase"]

logger = logging.getLogger("ddbstream.poller")

_CLIENT_METHODS = ("describe_stream", "get_shard_iterator", "get_records", "list_streams")
_STANDS_STILL = 120.0  # seconds: the lease alone has it turn every ten
_LAST_WORDS = 10.0  # seconds for the store and the listener when a run is over


class PollerBase:
    """What both pollers have in common; `StreamPoller` explains the arguments."""

    _is_async = False
    _listening: Listening | None = None
    _driver: Driver | None = None

    def __init__(  # noqa: PLR0913 - keyword-only: what a poller can be told
        self,
        table_or_stream_arn: str | Sequence[str],
        router: Router | None = None,
        *,
        checkpoints: CheckpointStore | None = None,
        start: Literal["TRIM_HORIZON", "LATEST"] | datetime = "TRIM_HORIZON",
        client: StreamsClient | None = None,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        on_failure: Literal["block", "skip", "stop"] | FailurePolicy = "block",
        on_gap: Literal["fail", "continue"] | None = None,
        on_event: Callable[[Event], object] | None = None,
        follow: bool = False,
        takeover: bool | None = None,
        max_lag: float | None = 21_600.0,
        max_workers: int = 32,
        grace: float = 30.0,
        settings: Settings | None = None,
        clock: Clock | None = None,
        consumer: str = DEFAULT_CONSUMER,
        concurrency: int = 1,
        dead_letter: Callable[[Mapping[str, Any]], object] | None = None,
        on_missing: Literal["fail", "skip"] = "fail",
    ) -> None:
        self._names = _names(table_or_stream_arn)
        self._router = router
        self._consumer = consumer
        self._concurrency = check_concurrency(concurrency)
        _check_callables(router, dead_letter, on_event, concurrency)
        _check_objects(None if self._is_async else client, clock)
        _check_numbers(max_workers, grace, max_lag)
        self._dead_letter = dead_letter
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._setup = Setup(
            own=self._own,
            commits_itself=router is not None,
            consumer=consumer,
            checkpoints=checkpoints,
            start=start,
            client=client,
            endpoint_url=endpoint_url,
            region_name=region_name,
            on_failure=on_failure,
            on_gap=on_gap,
            takeover=takeover,
            on_missing=on_missing,
            connections=max_workers + 4,
            settings=settings,
            clock=self._clock,
        )
        self._listener = on_event
        self._follow = follow
        self._max_lag = max_lag
        self._max_workers = max_workers
        self._grace = grace
        self._ongoing = Ongoing(self._clock.monotonic)
        self._stop_asked = False
        self.metrics = Metrics()
        self.exit: Exit | None = None

    def stop(self) -> None:
        """Hand nothing more out, save what is done, and return from `run`.

        From any thread, or a signal handler; more than once does no harm.
        """
        self._stop_asked = True
        if self._driver is not None:
            self._driver.stop()

    def rewind(self) -> None:
        """Forget the consumer's start and positions: the next run begins at ``start``.

        Raises:
            FencedError: A poller has the lease; stop it first.
            PollerError: The checkpoint store has no ``reset()``.
        """
        for name in self._names:
            self._setup.rewind(name)

    def healthy(self) -> bool:
        """Whether the poller runs, and reads what there is: see `problem`."""
        return self.problem() is None

    def problem(self) -> str | None:
        """What is wrong, in a few words; None if nothing is.

        A stream must have been listed lately, an enabled one must have a shard that is read, no
        shard, and no saving of its position, may fail for more than five minutes, the lease must
        last, and no lag may be larger than ``max_lag``. A handler, a sink, the store or
        ``on_event`` that takes longer than ``Settings.slow_after`` is named.
        """
        driver = self._driver
        if driver is None:
            return "not running"
        hung = self._ongoing.hung(self._setup.settings.slow_after)
        if hung is not None:
            return hung
        still = self._clock.monotonic() - driver.turned_at
        if still > _STANDS_STILL and not self._ongoing.calls(BODY):
            return f"the poller's own thread has stood still for {still:.0f} seconds"
        statuses = self.metrics.streams
        stands_by = len(self._setup.waits)  # where another one reads
        if driver.opening > stands_by or not (stands_by or statuses):
            return "not started yet"
        discovery = self._setup.settings.discovery
        problems = (s.problem(discovery=discovery, max_lag=self._max_lag) for s in statuses)
        return next((problem for problem in problems if problem is not None), None)

    def _loop(self, *, until_caught_up: bool, timeout: float | None) -> BatchLoop:
        keeper = None
        if isinstance(self._clock, SystemClock):
            keeper = LeaseKeeper(self._clock, self._setup.settings.lease / 3)
        return BatchLoop(
            self._clock,
            self._ongoing,
            keeper,
            at_once=self._setup.settings.save_records <= 1,
            until_caught_up=until_caught_up,
            timeout=timeout,
        )

    def _ended(self) -> Exit:
        assert self.exit is not None
        if self.exit.error is not None:
            raise self.exit.error
        return self.exit

    def _begin(self, workers: Workers, takers: Takers | None = None) -> Driver:
        if self._driver is not None:
            raise PollerError("the poller is running already")
        if self._router is not None:
            check_routes(self._router)
        self._wait_for_leftovers()
        self.exit = None
        self.metrics = Metrics()
        # What a cancelled run still has in a thread goes by that run's own, and sees its end.
        self._setup = copy(self._setup)
        self._driver = Driver(
            workers,
            self._clock,
            self.metrics,
            self._on_event,
            grace=self._grace,
            follow=self._setup.open_successor,
            follow_on=self._follow,
            ongoing=self._ongoing,
            follow_every=self._setup.settings.discovery,
            takers=takers,
        )
        if self._listener is not None:
            threaded = self._is_async or isinstance(self._clock, SystemClock)
            listener = self._own(self._listener)
            self._listening = Listening(
                listener, self._ongoing, self._driver.interrupt, threaded=threaded
            )
        self._setup.begin_run(self._make_dispatcher(self._driver), self._driver.is_stopping)
        return self._driver

    def _wait_for_leftovers(self) -> None:
        # A handler that outlasted the last run's grace must not meet its records again in this one.
        until = self._clock.monotonic() + self._grace
        while left := self._ongoing.calls(HANDLER):
            now = self._clock.monotonic()
            if now >= until:
                raise PollerError(f"the last run is not over: {left[0].described(now)}")
            self._clock.sleep(0.05)

    def _make_dispatcher(self, driver: Driver) -> Dispatcher | None:
        if self._router is None:
            return None
        return Dispatcher(
            self._router,
            concurrency=self._concurrency,
            stop_when=driver.is_stopping,
            dead_letter=self._own(self._dead_letter) if self._dead_letter else self._setup.sink,
        )

    def _own(self, function: Callable[..., object]) -> Callable[..., object]:
        """A function of the user's as the poller calls it: what it gives is awaited."""
        return lambda *arguments: finish(function(*arguments))

    def _signals(self, *, install_signals: bool) -> AbstractContextManager[None]:
        return stop_on_signals(self.stop) if install_signals else nullcontext()

    def _open(self, driver: Driver, timeout: float | None) -> None:
        """Have the streams opened, for at most so many seconds."""
        if self._stop_asked:
            driver.stop()
        self._setup.wait_until = None if timeout is None else self._clock.monotonic() + timeout
        driver.open(self._names, self._setup.open)

    def _close(self, driver: Driver) -> None:
        """Give the leases back, and tell the listener the rest."""
        if not isinstance(self._clock, SystemClock):
            self._hang_up(driver)
            return
        # The store and the listener are the user's: one that hangs must not keep `run` from ending.
        last = threading.Thread(target=self._hang_up, args=(driver,), daemon=True)
        last.start()
        last.join(_LAST_WORDS)

    def _hang_up(self, driver: Driver) -> None:
        with self._ongoing.doing(STORE):
            driver.close()
        for stream in driver.streams:
            exit_ = stream.core.exit
            if exit_ is not None and exit_.reason == "fenced":
                fences.fenced(f"{stream.arn}#{self._consumer}", self._clock.monotonic())
            with self._ongoing.doing(STORE):
                stream.release()
        if self._listening is not None:
            self._listening.close(_LAST_WORDS / 2)

    @contextmanager
    def _finishing(self) -> Iterator[None]:
        """While a run ends: whatever interrupts that, the poller can be run again."""
        try:
            yield
        finally:
            if self._driver is not None:
                self._driver.stop()
            self._driver = None
            self._stop_asked = False

    def _on_event(self, event: Event) -> None:
        log_event(logger, event)
        if self._listening is not None:
            self._listening.put(event)


def _check_callables(
    router: object, dead_letter: object, on_event: object, concurrency: int
) -> None:
    if router is not None:
        check_router(router, concurrency=concurrency)
    if dead_letter is not None and not callable(dead_letter):
        raise PollerArgumentError("dead_letter is a sink: a function of one document")
    for about, function in (("dead_letter=", dead_letter), ("on_event=", on_event)):
        if function is not None:
            check_function(function, about, PollerArgumentError, arguments=1, awaited=True)


def _check_objects(client: object, clock: object) -> None:
    check_methods(client, "client=", PollerArgumentError, *_CLIENT_METHODS)
    check_methods(clock, "clock=", PollerArgumentError, "monotonic", "time", "sleep")


def _check_numbers(max_workers: object, grace: object, max_lag: object) -> None:
    if not isinstance(max_workers, int) or isinstance(max_workers, bool) or max_workers < 1:
        raise PollerArgumentError("max_workers is a whole number above 0: without one nothing runs")
    check_number("grace", grace)
    if max_lag is not None:
        check_number("max_lag", max_lag)


def _names(given: object) -> list[str]:
    """The tables and streams to read, or an error that says what is wrong with them."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or isinstance(names, bytes):
        raise PollerArgumentError(
            "a poller reads a table by its name, a stream by its ARN, or several"
        )
    if not names:
        raise PollerArgumentError("a poller needs a table or a stream to read, and was given none")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise PollerArgumentError(
                "a table's name, or a stream's ARN, is a text that is not empty"
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PollerArgumentError(f"{twice} is given twice: a poller reads each stream once")
    return list(names)
