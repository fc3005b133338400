"""What a user's function gave: awaited if it can be, and never dropped.

Rules:

* Whatever can be awaited is awaited, and so is what that comes to.
* Where an answer is needed at once, by a classifier or a predicate, what can be awaited is refused.
* A generator is refused everywhere: nothing has run of it, and nothing would.
"""

from __future__ import annotations

import sys
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["at_once", "finish", "finish_async", "on_event_loop", "the_loop"]

_GENERATORS: Final = (GeneratorType, AsyncGeneratorType)
_ITERABLE_COROUTINE: Final = 0x100  # inspect's constant, without importing it


def finish(result: object) -> object:
    """What a function of the user's returned; of an awaitable, what it comes to.

    Raises:
        RouteDefinitionError: It is a generator.
        BaseException: What the awaitable raises.
    """
    while _can_be_awaited(result):
        result = the_loop().wait_for(result)
    if isinstance(result, _GENERATORS):
        raise _never_runs()
    return result


async def finish_async(result: object) -> object:
    """The same on the event loop."""
    while _can_be_awaited(result):
        awaitable: Awaitable[object] = result  # type: ignore[assignment]
        result = await awaitable
    if isinstance(result, _GENERATORS):
        raise _never_runs()
    return result


def at_once(result: object, about: str) -> object:
    """What a function that has to answer at once gave.

    Args:
        result: What it returned.
        about: What the function is, for the error: ``where=``.

    Raises:
        RouteDefinitionError: It would have to be awaited, or is a generator.
    """
    if result is None or isinstance(result, (bool, str)):
        return result
    if _can_be_awaited(result):
        close = getattr(result, "close", None)
        if close is not None:  # a coroutine that is never awaited warns
            close()
        raise RouteDefinitionError(
            f"{about} gave something to await: it has to be a plain function, which answers at once"
        )
    if isinstance(result, _GENERATORS):
        raise _never_runs()
    return result


def the_loop() -> Any:
    """The module of ddbstream's event loop."""
    # Only a router with something asynchronous pays for asyncio.
    from ddbstream._router import event_loop

    return event_loop


def on_event_loop() -> bool:
    """Whether this is the thread of ddbstream's event loop."""
    event_loop: Any = sys.modules.get("ddbstream._router.event_loop")
    return event_loop is not None and bool(event_loop.is_current())


def _can_be_awaited(result: object) -> bool:
    if hasattr(result, "__await__"):
        return True
    # What `types.coroutine` decorates.
    return isinstance(result, GeneratorType) and bool(result.gi_code.co_flags & _ITERABLE_COROUTINE)


def _never_runs() -> RouteDefinitionError:
    return RouteDefinitionError("the function gave a generator, and nothing in that ever runs")
