"""`StreamPoller`: streams, a router and a checkpoint store, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ddbstream.exceptions import PollerError
from ddbstream.poller._base import PollerBase
from ddbstream.poller._batches import Batch
from ddbstream.poller._core.commands import Deliver
from ddbstream.poller._core.events import Exit
from ddbstream.poller._driver import Driver, Takers
from ddbstream.poller._workers import InlineWorkers, SystemClock, ThreadWorkers, Workers, lane_sizes

__all__ = ["StreamPoller"]


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
        takeover: While another poller has the store's lease and is alive: None waits for it and
            stands by; True takes the lease over, and the other one stops; False raises FencedError.
            One that was itself fenced waits longer each time before it takes over.
        on_missing: If one of several tables or streams is not there at the start: ``"fail"`` raises
            StreamNotFoundError, ``"skip"`` logs it and reads the others.
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
        with self._signals(install_signals=install_signals), self._driving() as driver:
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
        with (
            self._signals(install_signals=install_signals),
            self._driving(timeout=timeout) as driver,
        ):
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
            with self._driving({Deliver: loop.take}, timeout) as loop.driver:
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
    def _driving(
        self, takers: Takers | None = None, timeout: float | None = None
    ) -> Iterator[Driver]:
        workers = self._make_workers()
        driver = self._begin(workers, takers)
        try:
            self._open(driver, timeout)
            yield driver
        finally:
            with self._finishing():
                workers.close()
                self._close(driver)

    def _make_workers(self) -> Workers:
        if not isinstance(self._clock, SystemClock):
            return InlineWorkers(self._clock)
        return ThreadWorkers(lane_sizes(self._max_workers))
