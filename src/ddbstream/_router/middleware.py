"""Middleware: functions around handling, ``(record, call_next)``.

Sync and async mix. A function that is not async runs in the thread that dispatches (or a lane's);
an ``async def`` runs on the event loop. Either can go around either.

A record is neither done nor failed before what ``call_next`` has begun has ended, be it on the loop
or in a thread of the middleware's own. A middleware that does not wait for it has failed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from threading import Event, get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._router.awaiting import finish, finish_async, on_event_loop, the_loop
from ddbstream._values.callables import check_function, is_async, name_of
from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord

__all__ = ["Middleware", "make_middleware", "through", "through_async"]

# Not `log`: it knows failures, which know routes, which know middleware.
_logger = logging.getLogger("ddbstream")

CallNext = Callable[["StreamRecord[Any]"], None]
AsyncCallNext = Callable[["StreamRecord[Any]"], Awaitable[None]]


class Middleware(NamedTuple):
    """One function around handling."""

    function: Callable[..., Any]
    is_async: bool


def make_middleware(functions: Iterable[object]) -> tuple[Middleware, ...]:
    """Check functions that are to go around handling; raises RouteDefinitionError."""
    if isinstance(functions, str) or not isinstance(functions, Iterable):
        raise RouteDefinitionError("middleware= takes functions (record, call_next), in a list")
    made = []
    for function in functions:
        if not callable(function) or isinstance(function, type):
            raise RouteDefinitionError(
                f"middleware is a function (record, call_next), not {name_of(function)}"
            )
        about = "middleware (record, call_next)"
        check_function(function, about, RouteDefinitionError, arguments=2, awaited=True)
        made.append(Middleware(function, is_async(function)))
    return tuple(made)


def through(
    middleware: tuple[Middleware, ...], record: StreamRecord[Any], inside: CallNext
) -> None:
    """Call middleware around ``inside``, the first outermost; not on the event loop."""
    if not middleware:
        inside(record)
        return
    function, rest = middleware[0].function, middleware[1:]
    if middleware[0].is_async:
        finish(_around(function, record, _in_thread(rest, inside)))
        return
    ours, here = on_event_loop(), get_ident()
    calls = _Calls(_in_thread(rest, inside))

    def call_next(given: StreamRecord[Any]) -> object:
        if get_ident() == here:
            through(rest, given, inside)
        elif on_event_loop() and not ours:
            # A plain function may give a coroutine, which calls this on the loop, and awaits it.
            return calls.begin(given)
        else:
            calls.run_elsewhere(partial(through, rest, given, inside), function)
        return None

    try:
        result = function(record, call_next)
        if result is not None:
            finish(result)
    finally:
        unfinished = calls.settle_elsewhere()
        if calls.begun:
            unfinished = bool(finish(calls.settle())) or unfinished
    if unfinished:
        raise _not_awaited(function)


async def through_async(
    middleware: tuple[Middleware, ...], record: StreamRecord[Any], inside: AsyncCallNext
) -> None:
    """The same on the loop, where all of it is async."""
    if not middleware:
        await inside(record)
        return
    rest = middleware[1:]
    await _around(middleware[0].function, record, lambda given: through_async(rest, given, inside))


def _in_thread(rest: tuple[Middleware, ...], inside: CallNext) -> AsyncCallNext:
    def call(given: StreamRecord[Any]) -> Awaitable[None]:
        called: Awaitable[None] = the_loop().in_thread(through, rest, given, inside)
        return called

    return call


async def _around(
    function: Callable[..., Any], record: StreamRecord[Any], go: AsyncCallNext
) -> None:
    """Call one function that is to be awaited, and see all that it began to its end."""
    calls = _Calls(go)
    try:
        await finish_async(function(record, calls.begin))
    finally:
        # Also where it failed: nothing may go on after its record has been reported.
        unfinished = await calls.settle()
    if unfinished:
        raise _not_awaited(function)


class _Calls:
    """What one middleware began with ``call_next`` on the loop, or in a thread of its own.

    Attributes:
        begun: The coroutines, each with how far it has come.
    """

    def __init__(self, go: AsyncCallNext) -> None:
        self._go = go
        self.begun: list[tuple[Any, _Progress]] = []
        self._elsewhere: list[Event] = []
        self._over = False

    def run_elsewhere(self, call: Callable[[], None], function: Callable[..., Any]) -> None:
        """Run what is inside, in a thread that is not the record's.

        Raises:
            RouteDefinitionError: The middleware has returned, and its record has been reported.
        """
        ended = Event()
        self._elsewhere.append(ended)
        if self._over:
            error = _not_awaited(function)
            _logger.error(
                "call_next was called too late: its record is done or failed", exc_info=error
            )
            raise error
        try:
            call()
        finally:
            ended.set()

    def settle_elsewhere(self) -> bool:
        """Wait for what still runs in such threads; whether there was any."""
        self._over = True
        running = [ended for ended in self._elsewhere if not ended.is_set()]
        for ended in running:
            ended.wait()
        return bool(running)

    def begin(self, record: StreamRecord[Any]) -> Awaitable[None]:
        """A coroutine that runs what is inside."""
        progress = _Progress()
        made = self._run(record, progress)
        self.begun.append((made, progress))
        return made

    async def _run(self, record: StreamRecord[Any], progress: _Progress) -> None:
        progress.started = True
        try:
            await self._go(record)
        finally:
            progress.ended = True
            for wake in progress.waiting:
                wake()

    async def settle(self) -> bool:
        """Wait for what still runs, and close what never began; whether there was any such."""
        open_calls = [one for one in self.begun if not one[1].ended]
        if not open_calls:
            return False
        asyncio = the_loop().asyncio
        await asyncio.sleep(0)  # a task that has just been made begins now
        for made, progress in open_calls:
            if not progress.started:
                made.close()
            elif not progress.ended:
                done = asyncio.Event()
                progress.waiting.append(done.set)
                await done.wait()
        return True


class _Progress:
    """How far one call has come."""

    __slots__ = ("ended", "started", "waiting")

    def __init__(self) -> None:
        self.started = False
        self.ended = False
        self.waiting: list[Callable[[], None]] = []


def _not_awaited(function: object) -> RouteDefinitionError:
    return RouteDefinitionError(
        f"the middleware {name_of(function)} returned without having awaited call_next(record)"
    )
