"""Between the threads of an async poller and the event loop that it runs in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from ddbstream._router.awaiting import close_unawaited, finish, finish_async
from ddbstream.exceptions import PollerError

__all__ = ["in_thread", "wait_in_loop"]


async def in_thread(work: Callable[[], object]) -> None:
    """As `asyncio.to_thread`, in a daemon: a store that hangs must not keep the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 - raised again where it is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=run, name="ddbstream-poller-store", daemon=True).start()
    await done


def wait_in_loop(result: object, loop: asyncio.AbstractEventLoop | None) -> object:
    """What a function of the user's gave, in a thread that is not the loop's; awaited in the loop.

    A coroutine that uses what belongs to the user's loop, a session or a pool, works there alone.

    Raises:
        PollerError: The loop is closed.
    """
    if loop is None or not hasattr(result, "__await__"):
        return finish(result)
    waiting: Any = finish_async(result)
    try:
        done = asyncio.run_coroutine_threadsafe(waiting, loop)
    except RuntimeError:
        for coroutine in (waiting, result):
            close_unawaited(coroutine)
        raise PollerError("the event loop is closed, and this has to be awaited in it") from None
    return done.result()
