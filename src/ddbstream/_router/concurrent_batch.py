"""Different items at once: which record may start, and the threads and tasks that run them.

Theory of operation: `ItemOrder` is pure. It queues the records of each item, and offers the lowest
record that heads its queue and has no failure before it. One thread, the caller's, starts what it
offers and waits for what ends; so nothing in here needs a lock. A record runs as a task on
the event loop if everything it reaches is async, else in a thread.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from heapq import heapify, heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ddbstream._router.awaiting import finish
from ddbstream._router.handlers import failed
from ddbstream._router.results import BatchResult, Failure, identifier
from ddbstream._values.item_keys import item_with

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.batch import BatchOptions
    from ddbstream._router.handlers import Handlers
    from ddbstream._router.matching import Candidates

__all__ = ["ItemOrder", "item_of", "run_concurrently"]

Outcome = tuple[int, "Failure | None", "BaseException | None"]


def item_of(record: StreamRecord[Any]) -> object:
    """What two records have in common if and only if they are of one item.

    Records without readable keys share one queue: they may be of one item.
    """
    item = item_with(record._change.get("Keys"))
    if item is None:
        return None
    raw = record._entry
    return repr(raw.get("eventSourceARN") or raw.get("tableName")), item


class ItemOrder:
    """Which record of a batch may start next.

    Args:
        items: For each record, in the batch's order, what identifies its item.
    """

    def __init__(self, items: Iterable[object]) -> None:
        queues: dict[object, deque[int]] = {}
        self._queue_of: list[deque[int]] = []
        for index, item in enumerate(items):
            queue = queues.setdefault(item, deque())
            queue.append(index)
            self._queue_of.append(queue)
        self._free = [queue[0] for queue in queues.values()]
        heapify(self._free)
        self._limit = len(self._queue_of)
        self._done = [False] * self._limit

    def take(self) -> int | None:
        """The lowest record that may start, which is then taken; None if there is none now."""
        if self._free and self._free[0] < self._limit:
            return heappop(self._free)
        return None

    def done(self, index: int) -> None:
        """A taken record is done: the next one of its item may start."""
        self._done[index] = True
        queue = self._queue_of[index]
        queue.popleft()
        if queue:
            heappush(self._free, queue[0])

    def failed(self, index: int) -> None:
        """A taken record failed: no later record starts any more."""
        self._limit = min(self._limit, index)

    @property
    def first_not_done(self) -> int | None:
        """The checkpoint; None if all is done."""
        return next((i for i, done in enumerate(self._done) if not done), None)

    @property
    def count_done(self) -> int:
        """How many are done."""
        return sum(self._done)


def run_concurrently(
    records: Iterable[StreamRecord[Any]],
    handlers: Handlers,
    options: BatchOptions,
    concurrency: int,
) -> BatchResult:
    """Handle a batch, at most ``concurrency`` records at once.

    Args:
        records: All are taken before the first is handled.
        handlers: Runs a record's handlers.
        options: What holds for this batch.
        concurrency: At least 1.
    """
    batch = list(records)
    order = ItemOrder(map(item_of, batch))
    failures: dict[int, Failure] = {}
    with ThreadPoolExecutor(concurrency, thread_name_prefix="ddbstream-batch") as threads:
        runner = _Runner(batch, handlers, options, threads)
        try:
            while runner.start_all(order, concurrency):
                index, failure, fatal = runner.ended.get()
                if fatal is not None:
                    runner.running -= 1
                    raise fatal  # noqa: TRY301 - to wait for the others, as for an interrupt here
                if failure is not None and runner.settle(index, failure):
                    continue  # it still runs: `on_error` is deciding about it
                runner.running -= 1
                if failure is None:
                    order.done(index)
                else:
                    failures[index] = failure
                    order.failed(index)
        except BaseException:
            for _ in range(runner.running):
                runner.ended.get()
            raise
    processed, checkpoint = order.count_done, order.first_not_done
    if options.folding is not None:
        # State has to be of records in order, without a gap: what is behind the checkpoint comes
        # again.
        for index in range(len(batch) if checkpoint is None else checkpoint):
            failure = None if index in runner.settling else options.folding.fold(batch[index])
            if failure is not None:
                failure = options.settle(failure)
                if failure is not None:
                    processed, checkpoint, failures = index, index, {index: failure}
                    break
    return BatchResult(
        processed,
        tuple(failures[index] for index in sorted(failures)),
        None if checkpoint is None else identifier(batch[checkpoint]),
    )


class _Runner:
    """Starts records, and collects those that ended."""

    def __init__(
        self,
        batch: list[StreamRecord[Any]],
        handlers: Handlers,
        options: BatchOptions,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._batch = batch
        self._handlers = handlers
        self._options = options
        self._threads = threads
        self.settling: set[int] = set()
        self._started = False
        self.running = 0
        self.ended: SimpleQueue[Outcome] = SimpleQueue()

    def start_all(self, order: ItemOrder, concurrency: int) -> int:
        """Start what may start, and count what runs."""
        stop_when = self._options.stop_when
        while self.running < concurrency:
            if self._started and stop_when is not None and finish(stop_when()):
                break
            index = order.take()
            if index is None:
                break
            self._started = True
            self.running += 1
            self._start(index)
        return self.running

    def _start(self, index: int) -> None:
        record = self._batch[index]
        try:
            candidates = self._handlers.table.candidates_for(record)
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            self.ended.put((index, failed(record, error, None), None))
            return
        if candidates.is_async:
            self._start_task(index, record, candidates)
        else:
            self._submit(index, self._handlers.handle, record, self._options.context, candidates)

    def settle(self, index: int, failure: Failure) -> bool:
        """Have a failure decided about, unless it has been; that may take its time."""
        if index in self.settling:
            return False
        self.settling.add(index)
        self._submit(index, self._options.settle, failure)
        return True

    def _submit(self, index: int, function: Any, *arguments: Any) -> None:
        def run() -> None:
            try:
                self.ended.put((index, function(*arguments), None))
            except BaseException as error:  # noqa: BLE001 - raised again by the batch's thread
                self.ended.put((index, None, error))

        self._threads.submit(contextvars.copy_context().run, run)

    def _start_task(self, index: int, record: StreamRecord[Any], candidates: Candidates) -> None:
        # Only a router with something asynchronous pays for asyncio.
        from ddbstream._router.event_loop import start

        start(
            self._handlers.handle_async(record, self._options.context, candidates),
            partial(self._task_ended, index),
        )

    def _task_ended(
        self, index: int, failure: Failure | None, raised: BaseException | None
    ) -> None:
        self.ended.put((index, failure, raised))
