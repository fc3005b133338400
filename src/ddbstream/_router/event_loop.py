"""Running ``async def`` handlers from code that is not: one event loop, in a thread of its own.

One loop for the whole process, started by the first awaitable and kept: a client that a handler
holds between batches stays usable, and it makes no difference whether the caller runs a loop of its
own. Imported only when a handler has given something to await.

Rules:

* Whatever ends on the loop or in a thread, its outcome gets to who waits for it. asyncio alone does
  not see to that: a StopIteration is lost between a thread and the loop before Python 3.12, and a
  task that ends with SystemExit or KeyboardInterrupt takes the loop down with it.
* A future that was cancelled elsewhere is an error of who made it, and cancels nothing here.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["in_thread", "is_current", "loop", "outcome_of", "start", "wait_for"]

T = TypeVar("T")

_lock = threading.Lock()
_running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
_executor: ThreadPoolExecutor | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop; started if need be."""
    global _running  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _running is None:
            made = asyncio.new_event_loop()
            thread = threading.Thread(
                target=_serve, args=(made,), name="ddbstream-async", daemon=True
            )
            thread.start()
            _running = (made, thread)
        return _running[0]


def _serve(served: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, whatever the tasks on it end with."""
    while True:
        try:
            served.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue  # a task's own, which who awaits that task gets
        return


def is_current() -> bool:
    """Whether this is the loop's own thread."""
    return _running is not None and threading.current_thread() is _running[1]


def start(
    awaitable: Awaitable[Any], ended: Callable[[Any, BaseException | None], None]
) -> Future[None]:
    """Run it on the loop with the caller's context variables, and hand on its result or error."""

    async def run() -> None:
        try:
            result = await awaitable
        except BaseException as error:  # noqa: BLE001 - handed on to who waits
            ended(None, error)
        else:
            ended(result, None)

    return asyncio.run_coroutine_threadsafe(run(), loop())


def wait_for(awaitable: Any) -> Any:
    """Run it on the loop and wait, in another thread than the loop's; what comes of it."""
    outcome: list[tuple[Any, BaseException | None]] = []
    future = start(awaitable, lambda result, error: outcome.append((result, error)))
    try:
        future.result()
    except BaseException:  # the caller was interrupted while it waited
        future.cancel()
        raise
    ((result, error),) = outcome
    if error is not None:
        raise error
    return result


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function off the loop, with the context variables of who awaits it."""
    global _executor  # noqa: PLW0603 - its threads are kept for the next one
    if _executor is None:
        # Every batch bounds how much it runs at once; this must never be what holds it up.
        _executor = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="ddbstream")
    call = partial(contextvars.copy_context().run, function, *arguments)
    return await outcome_of(_executor.submit(call))


async def outcome_of(future: Future[T]) -> T:
    """What comes of a thread pool's future; who is cancelled meanwhile waits for its end as well.

    A thread cannot be stopped, and nothing of a record may go on once it has been reported.
    """
    ended, here = asyncio.Event(), asyncio.get_running_loop()
    future.add_done_callback(lambda _: here.call_soon_threadsafe(ended.set))
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await ended.wait()
        except asyncio.CancelledError as error:  # noqa: PERF203 - once a cancelling
            cancelled = error
            future.cancel()  # unless it has begun
    if cancelled is not None:
        raise cancelled
    return future.result()


@atexit.register
def _close() -> None:
    global _running  # noqa: PLW0603
    if _running is not None:
        target, thread = _running
        _running = None
        target.call_soon_threadsafe(target.stop)
        thread.join(timeout=1)
        if not thread.is_alive():
            target.close()


def _forget() -> None:  # pragma: no cover - a child of tests/unit/router runs it
    """A fork takes no threads along: what they ran has to be made anew."""
    global _lock, _running, _executor
    _lock, _running, _executor = threading.Lock(), None, None


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has none
    os.register_at_fork(after_in_child=_forget)
