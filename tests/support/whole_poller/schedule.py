"""The world's time: what is to happen when, and workers and an event loop that go by it.

Everything runs in one thread. What takes long in the world begins and ends at two moments of the
schedule, and anything may happen between them.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import selectors
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from ddbstream.poller._core.commands import HANDLING
from ddbstream.poller._ongoing import Ongoing
from ddbstream.poller._workers import lane_sizes
from ddbstream.testing import FakeClock

_A_TURN = 1e-6  # seconds: nothing takes no time at all


class Schedule:
    """What is to happen, in the order of time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self.steps = 0

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.clock.monotonic() + seconds, next(self._count), what))

    def advance(self, until: float | None) -> bool:
        """Have the next thing happen; False if there is none until then, and it is then."""
        if self._heap and (until is None or self._heap[0][0] <= until):
            when, _, what = heapq.heappop(self._heap)
            self.clock.advance(max(0.0, when - self.clock.monotonic()))
            self.steps += 1
            what()
            return True
        if until is None:
            raise AssertionError("nothing is left to happen")
        self.clock.advance(max(0.0, until - self.clock.monotonic()))
        return False

    def pass_time(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while self.advance(until):
            pass


class ReadersClock:
    """The clocks of the machine that the poller runs on: somebody sets the wall clock."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.ahead = 0.0

    def monotonic(self) -> float:
        return self._schedule.clock.monotonic()

    def time(self) -> float:
        return self._schedule.clock.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self._schedule.pass_time(seconds)


class Lane:
    """As the poller's: so many pieces of work at once, the others wait.

    Args:
        life: Of the poller: says how long work takes, and whether it still lives.
        size: At most so many at once.
        name: Ends with the pool's.
        put: Takes what the work gives.
    """

    def __init__(self, life: Any, size: int, name: str, put: Callable[[Any], object]) -> None:
        self._life = life
        self._size = size
        self._pool = name.rpartition("-")[2]
        self._put = put
        self._queue: deque[Callable[[], Any]] = deque()
        self._running = 0
        self._closed = False

    def submit(self, work: Callable[[], Any]) -> None:
        self._queue.append(work)
        self._begin()

    def close(self) -> None:
        self._closed = True
        self._queue.clear()

    def _begin(self) -> None:
        while self._queue and self._running < self._size:
            work = self._queue.popleft()
            self._running += 1
            doing = self._note(work)
            doing.__enter__()
            seconds = self._life.takes(self._pool)
            self._life.schedule.after(seconds, partial(self._finish, work, doing))

    def _note(self, work: Any) -> AbstractContextManager[None]:
        # While it takes its time it is under way, as it would be in a thread.
        ongoing = next((one for one in getattr(work, "args", ()) if isinstance(one, Ongoing)), None)
        if ongoing is None:
            return nullcontext()
        command = work.args[-1]
        shard_id = getattr(command, "shard_id", None)
        return ongoing.doing(HANDLING[type(command)].who, shard_id)

    def _finish(self, work: Callable[[], Any], doing: AbstractContextManager[None]) -> None:
        doing.__exit__(None, None, None)
        if not self._life.alive:
            return
        result = work()
        self._running -= 1
        # A crash or a stop may come between the effect and the answer.
        self._life.schedule.after(self._life.answers_in(), partial(self._answer, result))
        self._begin()

    def _answer(self, result: Any) -> None:
        if self._life.alive and not self._closed:
            self._put(result)


class Workers:
    """As `ThreadWorkers`, in the world's time."""

    def __init__(self, life: Any, size: int) -> None:
        self._life = life
        self._results: list[Any] = []
        self._woken = False
        self._lanes = {
            pool: Lane(life, number, f"sim-{pool}", self._results.append)
            for pool, number in lane_sizes(size).items()
        }

    def submit(self, pool: Any, work: Callable[[], Any]) -> None:
        self._lanes[pool].submit(work)

    def wait(self, seconds: float | None) -> list[Any]:
        schedule = self._life.schedule
        self._life.step()
        until = None if seconds is None else schedule.clock.monotonic() + max(_A_TURN, seconds)
        while not self._results and not self._woken and schedule.advance(until):
            self._life.step()
        self._woken = False
        found = self._results[:]
        self._results.clear()
        return found

    def wake(self) -> None:
        self._woken = True

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()


class Handlers:
    """As the threads and the queue of a router with ``concurrency=``, in an order by chance.

    Threads would take their turns as the machine is busy, and no seed would decide it.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._begun: list[Callable[[], Any]] = []
        self._ended: deque[Any] = deque()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._begun.append(partial(function, *arguments))

    def put(self, outcome: Any) -> None:
        self._ended.append(outcome)

    def get(self) -> Any:
        while not self._ended:
            self._begun.pop(self._rng.randrange(len(self._begun)))()
        return self._ended.popleft()


class _Selector(selectors.SelectSelector):
    """Instead of waiting for sockets it has the world go on."""

    loop: Loop

    def __init__(self, life: Any) -> None:
        super().__init__()
        self._life = life

    def select(self, timeout: float | None = None) -> list[Any]:
        self._life.step()
        schedule = self._life.schedule
        if timeout is not None and timeout <= 0:
            schedule.pass_time(_A_TURN)
        else:
            until = None if timeout is None else schedule.clock.monotonic() + timeout
            while not self.loop._ready and schedule.advance(until):
                self._life.step()
        return []


class Loop(asyncio.SelectorEventLoop):
    """An event loop in the world's time."""

    _ready: Any

    def __init__(self, life: Any) -> None:
        selector = _Selector(life)
        selector.loop = self
        self._life = life
        super().__init__(selector)

    def time(self) -> float:
        now: float = self._life.schedule.clock.monotonic()
        return now

    def _write_to_self(self) -> None:
        """It never waits for its pipe."""


async def at_once(work: Callable[[], object]) -> None:
    """As `_own_loop.in_thread`, in no time."""
    work()
