"""Running ``async def`` handlers from code that is not: one event loop, in a thread of its own.

One loop for the whole process, started by the first awaitable and kept: a client that a handler
holds between batches stays usable, and it makes no difference whether the caller runs a loop of its
own. Imported only when a handler has given something to await.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["in_thread", "is_current", "loop", "start", "wait_for"]

_lock = threading.Lock()
_running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
_executor: ThreadPoolExecutor | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop; started if need be."""
    global _running  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _running is None:
            made = asyncio.new_event_loop()
            thread = threading.Thread(target=made.run_forever, name="ddbstream-async", daemon=True)
            thread.start()
            _running = (made, thread)
        return _running[0]


def is_current() -> bool:
    """Whether this is the loop's own thread."""
    return _running is not None and threading.current_thread() is _running[1]


def start(
    awaitable: Awaitable[Any], ended: Callable[[Any, BaseException | None], None]
) -> Future[None]:
    """Run it on the loop with the caller's context variables, and hand on its result or error."""

    async def run() -> None:
        # A task that ends with KeyboardInterrupt or SystemExit would take the loop's thread down.
        try:
            result = await awaitable
        except BaseException as error:  # noqa: BLE001 - handed on to who waits
            ended(None, error)
        else:
            ended(result, None)

    return asyncio.run_coroutine_threadsafe(run(), loop())


def wait_for(awaitable: Any) -> Any:
    """Run it on the loop and wait; its result, or what it raises.

    Raises:
        RuntimeError: Called on the loop itself, which would wait for ever.
    """
    loop()
    if is_current():
        close = getattr(awaitable, "close", None)
        if close is not None:  # a coroutine that is never awaited warns
            close()
        raise RuntimeError("a handler on ddbstream's event loop cannot wait for it: await instead")
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
    running = asyncio.get_running_loop().run_in_executor(_executor, call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # A thread cannot be stopped, and nothing of a record may go on once it has been reported.
        await asyncio.wait([running])
        raise


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
