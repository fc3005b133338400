"""Running a driver's blocking work: in threads, or on the spot when time is a fake.

The threads are daemons: a handler that never returns must not keep a process alive that was told to
end.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ddbstream.poller._core.commands import Instant, Pool

__all__ = [
    "Clock",
    "InlineWorkers",
    "Lane",
    "SystemClock",
    "ThreadWorkers",
    "Workers",
    "instant",
    "lane_sizes",
]


class Clock(Protocol):
    """Both clocks."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


def instant(clock: Clock) -> Instant:
    """The present moment."""
    return Instant(clock.monotonic(), clock.time())


class Workers(Protocol):
    """Runs work, and hands back what came of it."""

    def submit(self, pool: Pool, work: Callable[[], Any]) -> None:
        """Have ``work`` run; what it returns comes out of `wait`."""
        ...

    def wait(self, seconds: float | None) -> list[Any]:
        """Results, at least one unless the time ran out first or `wake` was called."""
        ...

    def wake(self) -> None:
        """End a `wait`. Safe in a signal handler."""
        ...

    def close(self) -> None:
        """Take no more work. Does not wait for what runs."""
        ...


class ThreadWorkers:
    """Threads, started as they are needed.

    Args:
        sizes: Threads at most for each pool.
        name: In front of the threads' names.
    """

    def __init__(self, sizes: dict[Pool, int], *, name: str = "ddbstream-poller") -> None:
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pools = {
            pool: Lane(size, f"{name}-{pool}", self._results.put) for pool, size in sizes.items()
        }

    def submit(self, pool: Pool, work: Callable[[], Any]) -> None:
        """See `Workers.submit`."""
        self._pools[pool].submit(work)

    def wait(self, seconds: float | None) -> list[Any]:
        """See `Workers.wait`."""
        found: list[Any] = []
        try:
            if seconds is None or seconds > 0:
                found.append(self._results.get(timeout=seconds))
            while True:
                found.append(self._results.get_nowait())
        except queue.Empty:
            pass
        return [result for result in found if result is not None]

    def wake(self) -> None:
        """See `Workers.wake`."""
        self._results.put(None)

    def close(self) -> None:
        """See `Workers.close`."""
        for pool in self._pools.values():
            pool.close()


def lane_sizes(workers: int) -> dict[Pool, int]:
    """How many threads each lane may have, for a poller with so many workers."""
    return {
        "read": workers,
        "handle": workers,
        "save": workers,
        "lease": 4,
        "control": 2,
        "open": 32,
    }


class Lane:
    """Threads that are started as they are needed, and a queue before them.

    Args:
        size: Threads at most.
        name: In front of the threads' names.
        put: Takes what the work gives.
    """

    def __init__(self, size: int, name: str, put: Callable[[Any], object]) -> None:
        self._size = size
        self._name = name
        self._put = put
        self._queue: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._pending = 0

    def submit(self, work: Callable[[], Any]) -> None:
        """Have ``work`` run."""
        with self._lock:
            self._pending += 1
            if self._pending > len(self._threads) and len(self._threads) < self._size:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(work)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            result = work()
            del work  # an idle thread must not hold on to a page of records
            # Before the result is out: it may bring the next piece, which needs no other thread.
            with self._lock:
                self._pending -= 1
            self._put(result)
            del result

    def close(self) -> None:
        """Take no more work, and do none that waits."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        for _ in self._threads:
            self._queue.put(None)


class InlineWorkers:
    """No threads: work runs when it is waited for, and waiting moves the clock.

    Args:
        clock: A clock whose ``sleep`` may be a fake.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._work: deque[Callable[[], Any]] = deque()

    def submit(self, pool: Pool, work: Callable[[], Any]) -> None:
        """See `Workers.submit`."""
        self._work.append(work)

    def wait(self, seconds: float | None) -> list[Any]:
        """See `Workers.wait`."""
        if self._work:
            return [self._work.popleft()()]
        if seconds is not None and seconds > 0:
            self._clock.sleep(seconds)
        return []

    def wake(self) -> None:
        """See `Workers.wake`."""

    def close(self) -> None:
        """See `Workers.close`."""
        self._work.clear()
