"""Running ``async def`` handlers from code that is not: one event loop, in a thread of its own.

One loop for the whole process, started by the first awaitable and kept: a client that a handler
holds between batches stays usable, and it makes no difference whether the caller runs a loop of its
own. Imported only when a handler has given something to await.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable
from typing import Any

__all__ = ["loop", "wait_for"]

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop, threading.Thread] | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop; started if need be, also after a fork, which takes no threads along."""
    global _running  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _running is None or _running[0] != os.getpid():
            made = asyncio.new_event_loop()
            thread = threading.Thread(target=made.run_forever, name="ddbstream-async", daemon=True)
            thread.start()
            _running = (os.getpid(), made, thread)
        return _running[1]


def wait_for(awaitable: Awaitable[Any]) -> None:
    """Run it on the loop, with the caller's context variables, and wait; raises what it raises.

    Raises:
        RuntimeError: Called on the loop itself, which would wait for ever.
    """
    raised: list[BaseException] = []

    async def run() -> None:
        # A task that ends with KeyboardInterrupt or SystemExit would take the loop's thread down
        # with it.
        try:
            await awaitable
        except BaseException as error:  # noqa: BLE001 - handed on below, in the caller's thread
            raised.append(error)

    target = loop()
    if threading.current_thread() is (_running or (0, 0, None))[2]:
        raise RuntimeError(
            "a handler on ddbstream's event loop waits for another: await it instead"
        )
    future = asyncio.run_coroutine_threadsafe(run(), target)
    try:
        future.result()
    except BaseException:  # the caller was interrupted while it waited
        future.cancel()
        raise
    if raised:
        raise raised[0]


@atexit.register
def _close() -> None:
    global _running  # noqa: PLW0603
    if _running is not None and _running[0] == os.getpid():
        _, target, thread = _running
        _running = None
        target.call_soon_threadsafe(target.stop)
        thread.join(timeout=1)
        if not thread.is_alive():
            target.close()
