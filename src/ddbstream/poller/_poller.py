"""`StreamPoller`: a stream, a router and a checkpoint store, put together."""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Literal

from ddbstream.exceptions import PollerError
from ddbstream.poller._client import StreamsApi, knows_timestamps, make_client, resolve_stream
from ddbstream.poller._core import StreamCore
from ddbstream.poller._driver import Driver, Router, Stream
from ddbstream.poller._events import Event, Exit
from ddbstream.poller._log import log_event
from ddbstream.poller._policies import FailurePolicy, Settings, block, skip, stop
from ddbstream.poller._positions import AtStart, AtTime
from ddbstream.poller._stores import CheckpointStore, MemoryCheckpoints
from ddbstream.poller._workers import Clock, InlineWorkers, SystemClock, ThreadWorkers, instant
from ddbstream.typing import StreamsClient

__all__ = ["StreamPoller"]

logger = logging.getLogger("ddbstream.poller")

_POLICIES: dict[str, Callable[[], FailurePolicy]] = {"block": block, "skip": skip, "stop": stop}


class StreamPoller:
    """Reads a table's stream and hands its records to a router.

    At least once, in order within an item, parents before children, nothing skipped without a report.
    The position of a shard is saved only when everything before it is handled.

    Args:
        table_or_stream_arn: A table's name or ARN, a stream's ARN, or several of them.
        router: A `ddbstream.StreamRouter`, or anything with its ``dispatch``.
        checkpoints: Where positions are kept; by default they are gone with the process.
        start: Where to begin if the store knows nothing of the stream: ``"TRIM_HORIZON"`` (the oldest record,
            at most 24 hours), ``"LATEST"`` (now, kept in the store before the first read), or an aware datetime.
        client: A ``dynamodbstreams`` client, or one like it; by default boto3's, with limits that suit a poller.
        endpoint_url: For that client: DynamoDB Local and other stand-ins.
        region_name: For that client.
        on_failure: What happens to a record that fails: ``"block"`` (again and again, the default), ``"skip"``,
            ``"stop"``, or what `ddbstream.poller.retry` makes.
        on_gap: ``"fail"`` raises RecordsTrimmedError when records have left the stream unread; ``"continue"`` reports
            a `Gap` and reads on.
        on_event: Called with every event, in the poller's thread; must be quick.
        max_workers: Shards that are read, and handled, at once.
        grace: Seconds that handlers get to finish after `stop`.
        takeover: Take the store's lease from a poller that is alive, which then stops. If false, raise FencedError.
        settings: Every other number.
        clock: Both clocks; a `ddbstream.testing.FakeClock` makes everything run in one thread, without waiting.

    Raises:
        ValueError: ``start`` or ``on_failure`` is none of these.
    """

    def __init__(
        self,
        table_or_stream_arn: str | Sequence[str],
        router: Router,
        *,
        checkpoints: CheckpointStore | None = None,
        start: Literal["TRIM_HORIZON", "LATEST"] | datetime = "TRIM_HORIZON",
        client: StreamsClient | None = None,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        on_failure: Literal["block", "skip", "stop"] | FailurePolicy = "block",
        on_gap: Literal["fail", "continue"] | None = None,
        on_event: Callable[[Event], object] | None = None,
        max_workers: int = 32,
        grace: float = 30.0,
        takeover: bool = True,
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        names = (
            [table_or_stream_arn] if isinstance(table_or_stream_arn, str) else table_or_stream_arn
        )
        self._names = list(names)
        self._router = router
        self._store = checkpoints if checkpoints is not None else MemoryCheckpoints()
        self._begin = _begin(start)
        self._client = client
        self._endpoint_url = endpoint_url
        self._region_name = region_name
        self._policy = _policy(on_failure)
        self._settings = settings if settings is not None else Settings()
        if on_gap is not None:
            self._settings = replace(self._settings, on_gap=on_gap)
        self._listener = on_event
        self._max_workers = max_workers
        self._grace = grace
        self._takeover = takeover
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._driver: Driver | None = None
        self._stop_asked = False
        self.exit: Exit | None = None
        """Why the last run ended; None before, and while one is under way."""

    def run(self) -> Exit:
        """Read until `stop` is called or the stream ends (it was disabled or deleted, and all of it is read).

        Returns:
            Why it ended: ``stopped`` or ``stream_ended``.

        Raises:
            FencedError: Another poller has taken the store over.
            RecordsTrimmedError: Records left the stream unread, and ``on_gap`` is ``"fail"``.
            StreamNotFoundError: No such table or stream.
            PollerError: The service refuses the calls, or a record fails and the policy is to stop.
        """
        return self._run(until_caught_up=False, timeout=None)

    def run_until_caught_up(self, timeout: float | None = None) -> Exit:
        """Read until everything that the stream holds is handled and saved: for tests and for cron.

        Args:
            timeout: Seconds after which to stop anyway.

        Returns:
            Why it ended: ``caught_up``, ``deadline``, ``stopped`` or ``stream_ended``.

        Raises:
            PollerError: As `run`.
        """
        return self._run(until_caught_up=True, timeout=timeout)

    def stop(self) -> None:
        """Drain, save and return from `run`. From any thread, or a signal handler; again and again."""
        self._stop_asked = True
        if self._driver is not None:
            self._driver.stop()

    def healthy(self) -> bool:
        """Whether the poller runs and every stream is listed and read."""
        driver = self._driver
        if driver is None:
            return False
        return all(stream.core.exit is None for stream in driver.streams)

    def _run(self, *, until_caught_up: bool, timeout: float | None) -> Exit:
        if self._driver is not None:
            raise PollerError("the poller is running already")
        self.exit = None
        threads = isinstance(self._clock, SystemClock)
        size = self._max_workers
        workers = (
            ThreadWorkers({"read": size, "handle": size, "control": 2})
            if threads
            else InlineWorkers(self._clock)
        )
        driver = self._driver = Driver(workers, self._clock, self._on_event, self._grace)
        try:
            client = self._client or self._make_client("dynamodbstreams")
            for name in self._names:
                driver.streams.append(self._open(name, client))
            if self._stop_asked:
                driver.stop()
            self.exit = driver.run(until_caught_up=until_caught_up, timeout=timeout)
        finally:
            workers.close()
            for stream in driver.streams:
                stream.release()
            self._driver = None
            self._stop_asked = False
        if self.exit.error is not None:
            raise self.exit.error
        return self.exit

    def _open(self, name: str, client: Any) -> Stream:
        tables = None
        if self._client is None and not (name.startswith("arn:") and "/stream/" in name):
            tables = self._make_client("dynamodb")
        arn = resolve_stream(name, client, tables)
        settings = self._settings
        lease = self._store.acquire(arn, self._owner, ttl=settings.lease, takeover=self._takeover)
        core = StreamCore(
            arn,
            self._store.load(lease),
            begin=self._begin,
            at=instant(self._clock),
            settings=settings,
            policy=self._policy,
            chance=random.Random().random,
            timestamps=knows_timestamps(client),
        )
        api = StreamsApi(client, arn, page_limit=settings.page_limit)
        return Stream(core, api, self._store, lease, self._router, self._policy.sink)

    def _make_client(self, service: str) -> Any:
        return make_client(
            endpoint_url=self._endpoint_url,
            region_name=self._region_name,
            service=service,
            connections=self._max_workers + 4,
        )

    def _on_event(self, event: Event) -> None:
        log_event(logger, event)
        if self._listener is not None:
            try:
                self._listener(event)
            except Exception:
                logger.exception("on_event failed")


def _begin(start: Literal["TRIM_HORIZON", "LATEST"] | datetime) -> AtStart | AtTime | None:
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise ValueError("start needs a datetime with a time zone")
        return AtTime(start.astimezone(timezone.utc).timestamp())
    if start == "TRIM_HORIZON":
        return AtStart()
    if start == "LATEST":
        return None
    raise ValueError("start is 'TRIM_HORIZON', 'LATEST' or a datetime")


def _policy(on_failure: str | FailurePolicy) -> FailurePolicy:
    if isinstance(on_failure, FailurePolicy):
        return on_failure
    try:
        return _POLICIES[on_failure]()
    except KeyError:
        raise ValueError("on_failure is 'block', 'skip', 'stop' or a policy") from None
