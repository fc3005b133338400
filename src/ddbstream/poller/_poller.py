"""`StreamPoller`: streams, a router and a checkpoint store, put together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any, Literal

from ddbstream.exceptions import PollerArgumentError, PollerError
from ddbstream.poller._batches import BODY, Batch, BatchLoop
from ddbstream.poller._core.commands import HANDLER, STORE, Deliver
from ddbstream.poller._core.events import Event, Exit
from ddbstream.poller._core.policies import FailurePolicy, Settings
from ddbstream.poller._dispatching import (
    Dispatcher,
    check_concurrency,
    check_folds,
    check_router,
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
    InlineWorkers,
    SystemClock,
    ThreadWorkers,
    Workers,
    lane_sizes,
)
from ddbstream.typing import StreamsClient

__all__ = ["PollerBase", "StreamPoller"]

logger = logging.getLogger("ddbstream.poller")

_STANDS_STILL = 120.0  # seconds: the lease alone has it turn every ten
_LAST_WORDS = 10.0  # seconds for the store and the listener when a run is over


class PollerBase:
    """What both pollers have in common; `StreamPoller` explains the arguments."""

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
        takeover: bool = True,
        max_lag: float | None = 21_600.0,
        max_workers: int = 32,
        grace: float = 30.0,
        settings: Settings | None = None,
        clock: Clock | None = None,
        consumer: str = DEFAULT_CONSUMER,
        concurrency: int = 1,
        dead_letter: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> None:
        self._names = _names(table_or_stream_arn)
        self._router = router
        self._concurrency = check_concurrency(concurrency)
        if router is not None:
            check_router(router, concurrency=concurrency)
        if dead_letter is not None and not callable(dead_letter):
            raise PollerArgumentError("dead_letter is a sink: a function of one document")
        self._dead_letter = dead_letter
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._setup = Setup(
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
        self._listening: Listening | None = None
        self._driver: Driver | None = None
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
        if not statuses:
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
        self._wait_for_leftovers()
        self.exit = None
        self.metrics = Metrics()
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
            threaded = isinstance(self._clock, SystemClock)
            self._listening = Listening(self._listener, self._ongoing, threaded=threaded)
        self._setup.dispatcher = self._make_dispatcher(self._driver)
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
        check_folds(self._router)  # once more: a fold may have been added since
        return Dispatcher(
            self._router,
            concurrency=self._concurrency,
            stop_when=driver.is_stopping,
            dead_letter=self._dead_letter or self._setup.sink,
        )

    def _signals(self, *, install_signals: bool) -> AbstractContextManager[None]:
        return stop_on_signals(self.stop) if install_signals else nullcontext()

    def _stop_if_asked(self, driver: Driver) -> None:
        if self._stop_asked:
            driver.stop()

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
        for stream in driver.streams:
            with self._ongoing.doing(STORE):
                stream.release()
        if self._listening is not None:
            self._listening.close(_LAST_WORDS / 2)

    def _finish(self) -> None:
        if self._driver is not None:
            self._driver.stop()
        self._driver = None
        self._stop_asked = False

    def _on_event(self, event: Event) -> None:
        log_event(logger, event)
        if self._listening is not None:
            self._listening.put(event)


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


class StreamPoller(PollerBase):
    """Reads a table's stream and hands its records to a router.

    At least once, in order within an item, parents before children, nothing skipped without a
    report. The position of a shard is saved only when everything before it is handled.

    ```python
    StreamPoller("Product", router, checkpoints=SQLiteCheckpoints("product.db")).run()
    ```

    Without a router it is an iterator, all in one thread:

    ```python
    for batch in StreamPoller("Product", checkpoints=SQLiteCheckpoints("product.db")):
        router.dispatch(batch.records, stream_arn=batch.stream_arn)
        batch.commit()
    ```

    Args:
        table_or_stream_arn: A table's name or ARN, a stream's ARN, or several of them.
        router: A `ddbstream.StreamRouter`, or anything with its ``dispatch``.
        checkpoints: Where positions are kept; by default they are gone with the process.
        start: Where to begin if the store knows nothing of the stream: ``"TRIM_HORIZON"`` (the
            oldest record, at most 24 hours), ``"LATEST"`` (now; kept in the store before the first
            read, so that a crash loses nothing), or an aware datetime.
        client: A ``dynamodbstreams`` client, or one like it; by default boto3's, with limits that
            suit a poller.
        endpoint_url: For that client: DynamoDB Local and other stand-ins.
        region_name: For that client.
        on_failure: What happens to a record that fails: ``"block"`` (it comes again and again, its
            shard waits), ``"skip"``, ``"stop"``, or what `ddbstream.poller.retry` makes.
        on_gap: ``"fail"`` raises RecordsTrimmedError when records have left the stream unread;
            ``"continue"`` reports a `Gap` and reads on.
        on_event: Called with every event, in order, in a thread of its own.
        follow: Go on with the table's next stream when this one was disabled and all of it is read.
        takeover: Take the store's lease from a poller that is alive, which then stops. If false,
            raise FencedError while there is one.
        max_lag: Seconds of lag beyond which `healthy` is false. The default is a quarter of the
            time that records live.
        max_workers: Shards that are read, and handled, at once.
        grace: Seconds that handlers get to finish after `stop`.
        settings: Every other number.
        clock: Both clocks; with a `ddbstream.testing.FakeClock` everything runs in one thread and
            never waits.
        consumer: Whose positions to keep. Two services with different names share one store, and
            each sees every record.
        concurrency: How many different items' records of a shard to handle at once. One item's keep
            their order, and the position is the first record that is not done.
        dead_letter: Takes what the router's own ``on_error`` puts aside; by default the sink of
            ``on_failure``. See ``ddbstream.dead_letters``.

    Attributes:
        exit: Why the last run ended; None before, and while one is under way.
        metrics: Counts and the state of every shard.

    Raises:
        PollerArgumentError: Something that was given cannot work; it says what to give instead.
    """

    def run(self, *, install_signals: bool = False) -> Exit:
        """Read until `stop` is called, or the stream was disabled or deleted and all of it is read.

        Args:
            install_signals: Have SIGTERM and SIGINT call `stop`; a second one ends the process at
                once. Only in the main thread.

        Returns:
            Why it ended, ``stopped`` or ``stream_ended``.

        Raises:
            FencedError: Another poller has taken the store over.
            RecordsTrimmedError: Records left the stream unread, and ``on_gap`` is ``"fail"``.
            StreamNotFoundError: No such table or stream.
            PollerError: The service refuses the calls, or a record fails and the policy is to stop.
        """
        self._need_router()
        with self._driving() as driver, self._signals(install_signals=install_signals):
            self.exit = driver.run()
        return self._ended()

    def run_until_caught_up(
        self, timeout: float | None = None, *, install_signals: bool = False
    ) -> Exit:
        """Read until everything that the stream holds is handled and saved: for tests and for cron.

        Args:
            timeout: Seconds after which to stop anyway.
            install_signals: As `run`.

        Returns:
            Why it ended, ``caught_up``, ``deadline``, ``stopped`` or ``stream_ended``.

        Raises:
            PollerError: As `run`.
        """
        self._need_router()
        with self._driving() as driver, self._signals(install_signals=install_signals):
            self.exit = driver.run(until_caught_up=True, timeout=timeout)
        return self._ended()

    def batches(
        self, *, until_caught_up: bool = False, timeout: float | None = None
    ) -> Iterator[Batch]:
        """Batches to handle in a loop of one's own; see `Batch.commit`.

        Args:
            until_caught_up: End when everything that the stream holds has been given.
            timeout: Seconds after which to end anyway.

        Raises:
            PollerError: As `run`; or a shard's last batch is not committed and nothing else is left
                to give.
        """
        loop = self._loop(until_caught_up=until_caught_up, timeout=timeout)
        try:
            with self._driving({Deliver: loop.take}) as loop.driver:
                yield from loop.batches()
                self.exit = loop.exit
        finally:
            loop.close()
        self._ended()

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def _need_router(self) -> None:
        if self._router is None:
            raise PollerError("a poller without a router is iterated: for batch in poller: …")

    @contextmanager
    def _driving(self, takers: Takers | None = None) -> Iterator[Driver]:
        workers = self._make_workers()
        driver = self._begin(workers, takers)
        try:
            for name in self._names:
                driver.add(self._setup.open(name))
            self._stop_if_asked(driver)
            yield driver
        finally:
            workers.close()
            self._close(driver)
            self._finish()

    def _make_workers(self) -> Workers:
        if not isinstance(self._clock, SystemClock):
            return InlineWorkers(self._clock)
        return ThreadWorkers(lane_sizes(self._max_workers))
