"""Different items at once: which record may start, and the threads and tasks that run them.

Theory of operation: `Lanes` is pure. It puts the records of one item in one lane, and offers the
lowest record whose lane is free and that no failure stands before. One thread, the caller's, starts
what it offers and waits for what ends; so nothing in here needs a lock. A record runs as a task on
the event loop if everything it reaches is async, else in a thread.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from heapq import heapify, heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ddbstream._router.handling import failed
from ddbstream._router.results import BatchResult, Failure, identifier

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.batch import Terms
    from ddbstream._router.handling import Handling
    from ddbstream._router.plans import Plan

__all__ = ["Lanes", "item_of", "run_in_lanes"]

Outcome = tuple[int, "Failure | None", "BaseException | None"]


def item_of(record: StreamRecord[Any]) -> object:
    """What two records have in common if and only if they are of one item.

    Records without readable keys share one lane: they may be of one item.
    """
    raw, keys = record.raw, record._change.get("Keys")
    if not isinstance(keys, Mapping):
        return None
    source = raw.get("eventSourceARN") or raw.get("tableName")
    # A key is one of S, N and B, and DynamoDB spells a number in one way: the text tells.
    return repr((source, sorted((name, repr(value)) for name, value in keys.items())))


class Lanes:
    """Which record of a batch may start next.

    Args:
        items: For each record, in the batch's order, what tells its item.
    """

    def __init__(self, items: Iterable[object]) -> None:
        lanes: dict[object, deque[int]] = {}
        self._lane_of: list[deque[int]] = []
        for index, item in enumerate(items):
            lane = lanes.setdefault(item, deque())
            lane.append(index)
            self._lane_of.append(lane)
        self._free = [lane[0] for lane in lanes.values()]
        heapify(self._free)
        self._limit = len(self._lane_of)
        self._done = [False] * self._limit

    def take(self) -> int | None:
        """The lowest record that may start, which is then taken; None if there is none now."""
        if self._free and self._free[0] < self._limit:
            return heappop(self._free)
        return None

    def done(self, index: int) -> None:
        """A taken record is done: the next one of its item may start."""
        self._done[index] = True
        lane = self._lane_of[index]
        lane.popleft()
        if lane:
            heappush(self._free, lane[0])

    def failed(self, index: int) -> None:
        """A taken record failed: nothing behind it starts any more, nor does its lane."""
        self._limit = min(self._limit, index)

    @property
    def first_not_done(self) -> int | None:
        """The checkpoint; None if all is done."""
        return next((i for i, done in enumerate(self._done) if not done), None)

    @property
    def count_done(self) -> int:
        """How many are done."""
        return sum(self._done)


def run_in_lanes(
    records: Iterable[StreamRecord[Any]], handling: Handling, terms: Terms, concurrency: int
) -> BatchResult:
    """Handle a batch, at most ``concurrency`` records at once.

    Args:
        records: All are taken before the first is handled.
        handling: Runs a record's handlers.
        terms: What holds for this batch.
        concurrency: At least 1.
    """
    batch = list(records)
    lanes = Lanes(map(item_of, batch))
    failures: dict[int, Failure] = {}
    with ThreadPoolExecutor(concurrency, thread_name_prefix="ddbstream-lane") as threads:
        runner = _Runner(batch, handling, terms, threads)
        try:
            while runner.start_all(lanes, concurrency):
                index, failure, fatal = runner.ended.get()
                if fatal is not None:
                    runner.running -= 1
                    raise fatal  # noqa: TRY301 - to wait for the others, as for an interrupt here
                if failure is not None and runner.settle(index, failure):
                    continue  # it still runs: somebody is deciding about it
                runner.running -= 1
                if failure is None:
                    lanes.done(index)
                else:
                    failures[index] = failure
                    lanes.failed(index)
        except BaseException:
            for _ in range(runner.running):
                runner.ended.get()
            raise
    processed, checkpoint = lanes.count_done, lanes.first_not_done
    if terms.folding is not None:
        # State has to be of records in order, without a gap: what is behind the checkpoint comes
        # again.
        for index in range(len(batch) if checkpoint is None else checkpoint):
            failure = None if index in runner.settling else terms.folding.fold(batch[index])
            if failure is not None:
                failure = terms.settle(failure)
                if failure is not None:
                    processed, checkpoint, failures = index, index, {index: failure}
                    break
    return BatchResult(
        processed,
        tuple(failures[index] for index in sorted(failures)),
        None if checkpoint is None else identifier(batch[checkpoint]),
    )


class _Runner:
    """Starts records, and is told of each that ended."""

    def __init__(
        self,
        batch: list[StreamRecord[Any]],
        handling: Handling,
        terms: Terms,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._batch = batch
        self._handling = handling
        self._terms = terms
        self._threads = threads
        self.settling: set[int] = set()
        self._started = False
        self.running = 0
        self.ended: SimpleQueue[Outcome] = SimpleQueue()

    def start_all(self, lanes: Lanes, concurrency: int) -> int:
        """Start what may start, and count what runs."""
        stop_when = self._terms.stop_when
        while self.running < concurrency:
            if self._started and stop_when is not None and stop_when():
                break
            index = lanes.take()
            if index is None:
                break
            self._started = True
            self.running += 1
            self._start(index)
        return self.running

    def _start(self, index: int) -> None:
        record = self._batch[index]
        try:
            plan = self._handling.plans.plan_for(record)
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            self.ended.put((index, failed(record, error, None), None))
            return
        if plan.is_async:
            self._start_task(index, record, plan)
        else:
            self._submit(index, self._handling.handle, record, self._terms.context, plan)

    def settle(self, index: int, failure: Failure) -> bool:
        """Have a failure decided about, unless it has been; that may take its time."""
        if index in self.settling:
            return False
        self.settling.add(index)
        self._submit(index, self._terms.settle, failure)
        return True

    def _submit(self, index: int, function: Any, *arguments: Any) -> None:
        def run() -> None:
            try:
                self.ended.put((index, function(*arguments), None))
            except BaseException as error:  # noqa: BLE001 - raised again by the batch's thread
                self.ended.put((index, None, error))

        self._threads.submit(contextvars.copy_context().run, run)

    def _start_task(self, index: int, record: StreamRecord[Any], plan: Plan) -> None:
        from ddbstream._router.event_loop import start

        start(
            self._handling.handle_async(record, self._terms.context, plan),
            partial(self._task_ended, index),
        )

    def _task_ended(
        self, index: int, failure: Failure | None, raised: BaseException | None
    ) -> None:
        self.ended.put((index, failure, raised))
