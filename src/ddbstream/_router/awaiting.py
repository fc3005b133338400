"""What a user's function gave: awaited if it can be, and never dropped.

Rules:

* Whatever can be awaited is awaited, and so is what that comes to.
* The future of a thread or a process pool is waited for: its work has a result, or an error.
* Where an answer is needed at once, by a classifier or a predicate, both are refused.
* What runs only when somebody asks for it is refused everywhere, as nobody does: a generator, a
  ``map``, what ``itertools`` gives, a list of coroutines, a context manager, and a function, which
  is what a decorator gives that lacks its parentheses.
"""

from __future__ import annotations

import sys
from functools import partial
from types import AsyncGeneratorType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final

from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["at_once", "close_unawaited", "finish", "finish_async", "on_event_loop", "the_loop"]

_GENERATORS: Final = (GeneratorType, AsyncGeneratorType)
_LAZY: Final = frozenset({map, filter, zip})
_FUNCTIONS: Final = frozenset({FunctionType, MethodType, partial})
_COLLECTIONS: Final = frozenset({list, tuple, set, frozenset})
_ITERABLE_COROUTINE: Final = 0x100  # inspect's constant, without importing it


def finish(result: object) -> object:
    """What a function of the user's returned; of an awaitable, what it comes to.

    Raises:
        RouteDefinitionError: It holds work that nobody does.
        RuntimeError: It has to be awaited, and this is the event loop, which would wait for ever.
        BaseException: What the awaitable raises.
    """
    while result is not None:
        if _can_be_awaited(result):
            if on_event_loop():
                close_unawaited(result)
                raise RuntimeError(
                    "a handler on ddbstream's event loop cannot wait for it: await instead"
                )
            result = the_loop().wait_for(result)
        elif _is_future(result):
            result = result.result()  # type: ignore[attr-defined]
        else:
            _refuse_unrun(result)
            break
    return result


async def finish_async(result: object) -> object:
    """The same on the event loop."""
    while result is not None:
        if _is_future(result):
            result = the_loop().outcome_of(result)
        if not _can_be_awaited(result):
            _refuse_unrun(result)
            break
        awaitable: Awaitable[object] = result  # type: ignore[assignment]
        result = await awaitable
    return result


def at_once(result: object, about: str) -> object:
    """What a function that has to answer at once gave.

    Args:
        result: What it returned.
        about: What the function is, for the error: ``where=``.

    Raises:
        RouteDefinitionError: It would have to be awaited, or holds work that nobody does.
    """
    if result is None or isinstance(result, (bool, str)):
        return result
    if _can_be_awaited(result) or _is_future(result):
        close_unawaited(result)
        raise RouteDefinitionError(
            f"{about} gave something to await: it has to be a plain function, which answers at once"
        )
    _refuse_unrun(result)
    return result


def close_unawaited(awaitable: object) -> None:
    """Close what nobody will await: a coroutine would warn of that."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()


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


def _is_future(result: object) -> bool:
    futures: Any = sys.modules.get("concurrent.futures")  # not loaded: nobody can have one
    return futures is not None and isinstance(result, futures.Future)


def _refuse_unrun(result: object) -> None:
    """Raise RouteDefinitionError for what holds work that nobody does."""
    kind = type(result)
    if isinstance(result, _GENERATORS):
        raise _never_runs()
    if kind in _LAZY or kind.__module__ == "itertools":
        raise _never_runs(f"a {kind.__name__}")
    if kind in _FUNCTIONS:
        raise _never_runs("a function (does a decorator lack its parentheses?)")
    if kind.__module__ == "contextlib" and isinstance(getattr(result, "gen", None), _GENERATORS):
        raise _never_runs("a context manager")
    if kind in _COLLECTIONS:
        members: Any = result
        waiting = [one for one in members if _can_be_awaited(one) or _is_future(one)]
        if waiting:
            for one in waiting:
                close_unawaited(one)
            raise _never_runs("a collection of things to await (see asyncio.gather)")


def _never_runs(what: str = "a generator") -> RouteDefinitionError:
    return RouteDefinitionError(f"the function gave {what}, and nothing in that ever runs")
