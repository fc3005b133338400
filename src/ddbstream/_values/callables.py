"""What can be seen of a user's function without calling it.

Rules

* Whatever of the user's is called is either awaited or refused where it is declared. A generator is
  refused everywhere: nothing has run of it, and nothing would.
* What counts is what is called, and not what it wraps.
"""

from __future__ import annotations

from functools import partial
from types import CodeType
from typing import Final

__all__ = ["GENERATORS", "call_of", "check_function", "check_methods", "flags_of", "is_async"]

# inspect's constants, without importing it
_COROUTINE: Final = 0x80

#: Flags of a generator, and of an asynchronous one.
GENERATORS: Final = 0x20 | 0x200


def check_function(
    function: object, about: str, error: type[Exception], *, awaited: bool = False
) -> None:
    """Raise ``error`` for what is no function, or one of which nothing would run.

    Args:
        function: What the user gave.
        about: The parameter's name, for the message: ``on_event=``.
        error: What to raise.
        awaited: Whether what it gives is awaited. If not, an async function is refused.
    """
    if not callable(function):
        raise error(f"{about} takes a function, not a {type(function).__name__}")
    if flags_of(function) & GENERATORS:
        raise error(f"{about} is a generator: it would never run")
    if not awaited and is_async(function):
        raise error(f"{about} takes a plain function, and this one is async: nobody awaits it")


def check_methods(thing: object, about: str, error: type[Exception], *names: str) -> None:
    """Raise ``error`` if of one of an object's methods nothing would run.

    Args:
        thing: A store, a client or a clock of the user's, or None.
        about: The parameter's name, for the message: ``checkpoints=``.
        error: What to raise.
        names: The methods that are called.
    """
    for name in names:
        method = getattr(thing, name, None)
        if is_async(method):
            raise error(f"{about} has {name}() as a coroutine function, and nobody awaits it")
        if flags_of(method) & GENERATORS:
            raise error(f"{about} has {name}() as a generator: it would never run")


def is_async(function: object) -> bool:
    """Whether calling it makes a coroutine, as far as can be seen without calling it."""
    return bool(flags_of(function) & _COROUTINE)


def flags_of(function: object) -> int:
    """What the code of what is called says of itself; 0 for what has none."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(call_of(function), "__code__", None)
    return code.co_flags if isinstance(code, CodeType) else 0


def call_of(thing: object) -> object:
    """The ``__call__`` of an object's class; None if it has none."""
    return getattr(type(thing), "__call__", None)  # noqa: B004 - the method, not whether there is one
