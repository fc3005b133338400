"""The poller in an event loop: ``async for batch in poller: …; await batch.commit()``.

Rules

* The cores run in the loop's thread. What blocks (boto3, a store, a router) runs in threads; a
  client whose methods are coroutine functions, as aiobotocore's are, is awaited.
* A shard's batches are handled one after the other, different shards' at once.
* Cancelling the task that runs the poller gives the lease back and saves nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from ddbstream._router.awaiting import finish_async
from ddbstream._values.callables import check_function, is_async
from ddbstream.exceptions import PollerArgumentError, PollerError
from ddbstream.poller._base import PollerBase
from ddbstream.poller._batches import BatchLoop, HandedOut
from ddbstream.poller._client import checked, failure_of
from ddbstream.poller._core.commands import (
    HANDLER,
    HANDLING,
    Command,
    Deliver,
    Delivered,
    Describe,
    GetIterator,
    GetRecords,
    Pool,
    RawRecord,
)
from ddbstream.poller._core.events import Exit
from ddbstream.poller._dispatching import failure_in
from ddbstream.poller._driver import Driver, Interrupt, Takers, failed_or_interrupt
from ddbstream.poller._handlers import PollContext, Router
from ddbstream.poller._lanes import joined, split_by_item
from ddbstream.poller._own_loop import in_thread, wait_in_loop
from ddbstream.poller._stream import Stream
from ddbstream.poller._workers import Lane, lane_sizes

__all__ = ["AsyncBatch", "AsyncStreamPoller"]

Handler = Callable[[Sequence[RawRecord], PollContext], Awaitable[object]]


class AsyncBatch:
    """Records of one shard, in order.

    Attributes:
        records: Wire records.
        stream_arn: Of their stream.
        shard_id: Of their shard.
    """

    def __init__(self, loop: BatchLoop, workers: LoopWorkers, handed_out: HandedOut) -> None:
        self.records: Sequence[RawRecord] = handed_out.command.records
        self.stream_arn = handed_out.stream.arn
        self.shard_id = handed_out.command.shard_id
        self._loop = loop
        self._workers = workers
        self._handed_out = handed_out

    async def commit(self) -> None:
        """Let the records count as done.

        Returns when their position is saved, or raises: see `Batch.commit`.
        """
        loop = self._loop
        loop.begin_commit(self._handed_out)
        while loop.has_to_wait(self._handed_out):
            await _wait(self._workers, loop.driver, loop.deadline)
            loop.turn()


class LoopWorkers:
    """Workers whose results are awaited."""

    def __init__(self, size: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._results: list[Any] = []
        self._waiting: asyncio.Future[None] | None = None
        # Lanes of their own, as `ThreadWorkers` has: what is slow in one keeps no other waiting.
        self._lanes = {
            pool: Lane(number, f"ddbstream-poller-{pool}", self._hand_over)
            for pool, number in lane_sizes(size).items()
        }
        self.handlers = asyncio.Semaphore(size)
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order of their start
        self.closed = False

    def submit(self, pool: Pool, work: Callable[[], Any]) -> None:
        self._lanes[pool].submit(work)

    def start(self, work: Awaitable[Any]) -> None:
        """Run a coroutine whose result is a worker's."""

        async def run() -> None:
            self._take(await work)

        task = self._loop.create_task(run())
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def wait(self, seconds: float | None) -> list[Any]:
        raise NotImplementedError  # an event loop never blocks

    async def wait_soon(self, seconds: float | None) -> list[Any]:
        # Not `asyncio.wait_for`: before Python 3.12 it forgets a cancelling that comes together
        # with a result, and the poller would run on.
        if self._results or (seconds is not None and seconds <= 0):
            await asyncio.sleep(0)
        else:
            self._waiting = self._loop.create_future()
            timer = None if seconds is None else self._loop.call_later(seconds, self._rouse)
            try:
                await self._waiting
            finally:
                self._waiting = None
                if timer is not None:
                    timer.cancel()
        found, self._results = self._results, []
        return [result for result in found if result is not None]

    def wake(self) -> None:
        self._hand_over(None)

    def close(self) -> None:
        self.closed = True
        for task in self._tasks:
            task.cancel()
        for lane in self._lanes.values():
            lane.close()

    async def gone(self, seconds: float) -> None:
        """Wait for what was cancelled; a task that goes on all the same is left alone."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _hand_over(self, result: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(self._take, result)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _take(self, result: Any) -> None:
        self._results.append(result)
        self._rouse()

    def _rouse(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class AsyncStreamPoller(PollerBase):
    """`StreamPoller` for an event loop.

    ```python
    poller = AsyncStreamPoller("Product", handle)       # async def handle(records, context)
    await poller.run()

    async for batch in AsyncStreamPoller("Product"):    # or in a loop of one's own
        ...
        await batch.commit()
    ```

    Args:
        table_or_stream_arn: As `StreamPoller`'s.
        handler: ``async def handler(records, context)``, called with wire records of one shard and
            a `PollContext`; all of them come again if it raises. Or a router, whose ``dispatch``
            runs in a thread.
        options: As `StreamPoller`'s, except ``clock``. The methods of ``client`` may be coroutine
            functions. ``on_event``, ``dead_letter`` and a policy's sink are called in a thread, and
            what they give is awaited in the loop that the poller runs in.
    """

    _is_async = True
    _event_loop: asyncio.AbstractEventLoop | None = None

    def __init__(
        self,
        table_or_stream_arn: str | Sequence[str],
        handler: Router | Handler | None = None,
        **options: Any,
    ) -> None:
        router: Any = None if _is_coroutine_handler(handler) else handler
        self._handler: Any = None if router is not None else handler
        if self._handler is not None:
            about = "the handler (records, context)"
            check_function(self._handler, about, PollerArgumentError, arguments=2, awaited=True)
        super().__init__(table_or_stream_arn, router, **options)
        client = options.get("client")
        method = getattr(client, "get_records", None)
        self._awaits_client = is_async(method)
        self._setup.commits_itself = handler is not None

    async def run(self, *, install_signals: bool = False) -> Exit:
        """Read until `stop` is called or the stream ends: as `StreamPoller.run`."""
        with self._signals(install_signals=install_signals):
            return await self._run(until_caught_up=False, timeout=None)

    async def run_until_caught_up(
        self, timeout: float | None = None, *, install_signals: bool = False
    ) -> Exit:
        """Read until everything that the stream holds is handled and saved.

        As `StreamPoller.run_until_caught_up`.
        """
        with self._signals(install_signals=install_signals):
            return await self._run(until_caught_up=True, timeout=timeout)

    def __aiter__(self) -> AsyncIterator[AsyncBatch]:
        return self.batches()

    async def batches(
        self,
        *,
        until_caught_up: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[AsyncBatch]:
        """Batches to handle in a loop of one's own: as `StreamPoller.batches`."""
        loop = self._loop(until_caught_up=until_caught_up, timeout=timeout)
        workers = LoopWorkers(self._max_workers)
        takers = {**self._takers(workers), Deliver: loop.take}
        try:
            async with self._driving(workers, takers, timeout) as loop.driver:
                while True:
                    handed_out = loop.next()
                    if loop.exit is not None:
                        break
                    if handed_out is None:
                        await _wait(workers, loop.driver, loop.deadline)
                    else:
                        with loop.body():
                            yield AsyncBatch(loop, workers, handed_out)
                self.exit = loop.exit
        finally:
            loop.close()
        self._ended()

    async def _run(self, *, until_caught_up: bool, timeout: float | None) -> Exit:
        if self._router is None and self._handler is None:
            raise PollerError(
                "a poller without a handler is iterated: async for batch in poller: …"
            )
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        workers = LoopWorkers(self._max_workers)
        async with self._driving(workers, self._takers(workers), timeout) as driver:
            while self.exit is None:
                self.exit = driver.turn(until_caught_up=until_caught_up, deadline=deadline)
                if self.exit is None:
                    await _wait(workers, driver, deadline)
        return self._ended()

    @asynccontextmanager
    async def _driving(
        self, workers: LoopWorkers, takers: Takers, timeout: float | None = None
    ) -> AsyncIterator[Driver]:
        self._event_loop = asyncio.get_running_loop()
        driver = self._begin(workers, takers)
        try:
            self._open(driver, timeout)
            yield driver
        finally:
            with self._finishing():
                workers.close()
                await workers.gone(min(self._grace, 5.0))
                await in_thread(partial(self._close, driver))

    def _own(self, function: Callable[..., object]) -> Callable[..., object]:
        return lambda *arguments: wait_in_loop(function(*arguments), self._event_loop)

    def _takers(self, workers: LoopWorkers) -> Takers:
        """The commands that are awaited, and not run in a thread."""
        takers: dict[type[Any], Callable[[Stream, Any], None]] = {}
        if self._handler is not None:
            takers[Deliver] = lambda stream, command: workers.start(
                self._deliver(workers, stream, command)
            )
        if self._awaits_client:
            for call in (Describe, GetIterator, GetRecords):
                takers[call] = lambda stream, command: workers.start(
                    _call(workers, stream, command)
                )
        return takers

    async def _deliver(
        self, workers: LoopWorkers, stream: Stream, command: Deliver
    ) -> tuple[Stream, Command, Any]:
        context = stream.context(command)
        try:
            async with workers.handlers:
                with self._ongoing.doing(HANDLER, command.shard_id):
                    done = await self._handle(workers, command.records, context)
            return stream, command, done
        except BaseException as error:  # noqa: BLE001 - raised again by the driver
            return stream, command, Interrupt(error)

    async def _handle(
        self, workers: LoopWorkers, records: Sequence[RawRecord], context: PollContext
    ) -> Delivered:
        async def handled(records: Sequence[RawRecord]) -> Delivered:
            if self._setup.stop_asked():  # it has waited for its turn meanwhile
                return Delivered(0)
            return await _handled(self._handler, workers, context, records)

        if self._concurrency == 1:
            return await handled(records)
        if context.attempt > 1:  # alone: see `_dispatching`
            records = records[:1]
        lanes = split_by_item(records, self._concurrency)
        done = await asyncio.gather(
            *(handled([records[index] for index in lane]) for lane in lanes)
        )
        return joined(lanes, done)


def _is_coroutine_handler(handler: object) -> bool:
    """Whether it is called with records and awaited, and is no router nor a mistake for one."""
    if handler is None or hasattr(handler, "dispatch") or not callable(handler):
        return False
    # Only a call can tell whether it gives something to await: see `_handled`.
    return not hasattr(handler, "router")


async def _handled(
    handler: Handler, workers: LoopWorkers, context: PollContext, records: Sequence[RawRecord]
) -> Delivered:
    try:
        given = handler(list(records), context)
        if not hasattr(given, "__await__"):
            error = PollerArgumentError(
                "the handler gave nothing to await: AsyncStreamPoller takes an async def handler"
            )
            return Delivered(0, error, fatal=True)
        await finish_async(given)
    except BaseException as error:
        failure = None if workers.closed else failure_in(error)
        if failure is None:
            raise
        return Delivered(0, failure, located=len(records) == 1)
    return Delivered(len(records))


async def _call(
    workers: LoopWorkers, stream: Stream, command: Describe | GetIterator | GetRecords
) -> tuple[Stream, Command, Any]:
    request = getattr(stream.api, HANDLING[type(command)].run)(command)
    try:
        answer = await getattr(stream.api.client, request.method)(**request.arguments)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed call
        return stream, command, failure_of(error)
    except BaseException as error:
        if workers.closed:
            raise
        return stream, command, failed_or_interrupt(command, error)
    return stream, command, checked(request, answer)


async def _wait(workers: LoopWorkers, driver: Driver, deadline: float | None) -> None:
    """As `Driver.wait`, without blocking."""
    driver.take(await workers.wait_soon(driver.seconds_left(deadline)))
