"""What can be seen of a user's function without calling it.

Rules

* Whatever of the user's is called is either awaited or refused where it is declared. A generator is
  refused everywhere: nothing has run of it, and nothing would.
* A function that does not take as many arguments as it will get is refused there, too.
* What counts is what is called, and not what it wraps.
"""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Final

__all__ = [
    "ANY",
    "GENERATORS",
    "called",
    "check_function",
    "check_methods",
    "flags_of",
    "is_async",
    "name_of",
    "parameters_of",
    "plain_name_of",
    "positional_of",
]

# inspect's constants, without importing it
_COROUTINE: Final = 0x80
_VAR_POSITIONAL: Final = 0x04

#: Flags of a generator, and of an asynchronous one.
GENERATORS: Final = 0x20 | 0x200

#: Stands for ``*args`` among parameters.
ANY: Final = "*"


def check_function(
    function: object,
    about: str,
    error: type[Exception],
    *,
    arguments: int,
    awaited: bool = False,
) -> None:
    """Raise ``error`` for what is no function, or none that can be called as it will be.

    Args:
        function: What the user gave.
        about: The parameter's name, for the message: ``on_event=``.
        error: What to raise.
        arguments: How many it will get, all by position.
        awaited: Whether what it gives is awaited. If not, an async function is refused.
    """
    if not callable(function):
        raise error(f"{about} takes a function, not a {type(function).__name__}")
    if flags_of(function) & GENERATORS:
        raise error(f"{about} is a generator: it would never run")
    if not awaited and is_async(function):
        raise error(f"{about} takes a plain function, and this one is async: nobody awaits it")
    parameters = parameters_of(function, error)
    needed = sum(not optional for _, optional in parameters)
    if needed <= arguments and ((ANY, True) in parameters or arguments <= len(parameters)):
        return
    given = "without arguments" if not arguments else f"with {_counted(arguments)}"
    takes = f"needs {needed}" if needed > arguments else f"takes {len(parameters) or 'none'}"
    raise error(f"{about} is called {given}, and {name_of(function)} {takes}")


def _counted(arguments: int) -> str:
    return "1 argument" if arguments == 1 else f"{arguments} arguments"


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
    function = _under_partials(function)
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(_call_of(function), "__code__", None)
    return code.co_flags if isinstance(code, CodeType) else 0


def name_of(function: object) -> str:
    """A function's name for notes, logs and errors: ``module.qualname``."""
    target = _under_partials(function)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    module = getattr(target, "__module__", None) or type(target).__module__
    return f"{module}.{name}"


def plain_name_of(function: object) -> str:
    """A function's own name, as it was written: ``added``; of an object, its class's name."""
    target = _under_partials(function)
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) and name else type(target).__name__


def called(function: object) -> tuple[FunctionType | None, int]:
    """The Python function that a call runs, and how many of its parameters are bound."""
    target, bound = function, 0
    if isinstance(target, staticmethod):
        target = target.__func__
    if not isinstance(target, (FunctionType, MethodType, type)):
        call = _call_of(target)
        if isinstance(call, FunctionType):
            target, bound = call, 1
    if isinstance(target, MethodType):
        target, bound = target.__func__, 1
    return (target, bound) if isinstance(target, FunctionType) else (None, 0)


def parameters_of(function: object, error: type[Exception]) -> list[tuple[str, bool]]:
    """The positional parameters that are free, and whether each has a default.

    Raises:
        Exception: ``error``, for what no call without keywords can run.
    """
    found, bound = called(function)
    return positional_of(found, bound, error) if found is not None else _inspected(function, error)


def positional_of(
    function: FunctionType, bound: int, error: type[Exception]
) -> list[tuple[str, bool]]:
    """The same of a Python function, behind those parameters that are bound.

    ``*args`` counts as one, however many are bound: it takes them and any others.
    """
    code = function.__code__
    count = code.co_argcount
    defaults = len(function.__defaults__ or ())
    required_keywords = [
        name
        for name in code.co_varnames[count : count + code.co_kwonlyargcount]
        if name not in (function.__kwdefaults__ or {})
    ]
    if required_keywords:
        raise _needs_keyword(function, required_keywords[0], error)
    found = [(code.co_varnames[i], i >= count - defaults) for i in range(bound, count)]
    if code.co_flags & _VAR_POSITIONAL:
        found.append((ANY, True))
    return found


def _inspected(function: object, error: type[Exception]) -> list[tuple[str, bool]]:
    # What is no Python function is rare, and inspect is slow to load.
    from inspect import Parameter, signature

    try:
        found = signature(function, follow_wrapped=False).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # some builtins have none: they may take anything
        return [(ANY, True)]
    except RecursionError:
        raise error(f"{name_of(function)} is a partial of itself: it would never run") from None
    for one in found:
        if one.kind is Parameter.KEYWORD_ONLY and one.default is one.empty:
            raise _needs_keyword(function, one.name, error)
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [
        (ANY, True) if p.kind is Parameter.VAR_POSITIONAL else (p.name, p.default is not p.empty)
        for p in found
        if p.kind in (*positional, Parameter.VAR_POSITIONAL)
    ]


def _needs_keyword(function: object, name: str, error: type[Exception]) -> Exception:
    return error(f"{name_of(function)} needs the keyword {name}, which is never given")


def _under_partials(function: object) -> object:
    seen = set()
    while isinstance(function, (partial, staticmethod)) and id(function) not in seen:
        seen.add(id(function))
        function = function.func if isinstance(function, partial) else function.__func__
    return function


def _call_of(thing: object) -> object:
    """The ``__call__`` of an object's class; None if it has none."""
    return getattr(type(thing), "__call__", None)  # noqa: B004 - the method, not whether there is one
