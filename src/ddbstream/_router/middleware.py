"""Middleware: functions around handling, ``(record, call_next)``.

Sync and async mix. A function that is not async runs in the thread that dispatches (or a lane's);
an ``async def`` runs on the event loop. Either can go around either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._router.awaiting import finish
from ddbstream._router.signatures import is_async, name_of
from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord

__all__ = ["Middleware", "make_middleware", "through", "through_async"]

CallNext = Callable[["StreamRecord[Any]"], None]
AsyncCallNext = Callable[["StreamRecord[Any]"], Awaitable[None]]


class Middleware(NamedTuple):
    """One function around handling."""

    function: Callable[..., Any]
    is_async: bool


def make_middleware(functions: Iterable[object]) -> tuple[Middleware, ...]:
    """Check functions that are to go around handling; raises RouteDefinitionError."""
    made = []
    for function in functions:
        if not callable(function) or isinstance(function, type):
            raise RouteDefinitionError(
                f"middleware is a function (record, call_next), not {name_of(function)}"
            )
        made.append(Middleware(function, is_async(function)))
    return tuple(made)


def through(
    middleware: tuple[Middleware, ...], record: StreamRecord[Any], inside: CallNext
) -> None:
    """Call middleware around ``inside``, the first outermost; not on the event loop."""
    if not middleware:
        inside(record)
        return
    first, rest = middleware[0], middleware[1:]
    if not first.is_async:
        finish(first.function(record, lambda given: through(rest, given, inside)))
        return
    # Only a router with something asynchronous pays for asyncio.
    from ddbstream._router.event_loop import in_thread

    finish(first.function(record, lambda given: in_thread(through, rest, given, inside)))


async def through_async(
    middleware: tuple[Middleware, ...], record: StreamRecord[Any], inside: AsyncCallNext
) -> None:
    """The same on the loop, where all of it is async."""
    if not middleware:
        await inside(record)
        return
    rest = middleware[1:]
    await middleware[0].function(record, lambda given: through_async(rest, given, inside))
