"""What a handler's signature says: which changes, of which model, with the context or not.

Read once, where a route is declared, so that a handler that can never work fails there.

Rules:

* What counts is what is called. A decorator's function may inject arguments, or take some away: so
  what it wraps says nothing about how many there are.
* Where what is called takes any number, ``*args``, it gets the context if what it wraps names its
  second parameter so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple

from ddbstream._router.annotations import (
    EVERY_KIND,
    Kind,
    accepted,
    closure_of,
    evaluated,
    names_a_record,
)
from ddbstream._values.callables import (
    ANY,
    GENERATORS,
    called,
    check_function,
    flags_of,
    is_async,
    name_of,
    parameters_of,
    positional_of,
)
from ddbstream.exceptions import RouteDefinitionError

__all__ = [
    "Signature",
    "positional_count",
    "read_fold",
    "read_signature",
]

_CONTEXT: Final = frozenset({"context", "ctx", "lambda_context", "_context", "_ctx"})


class Signature(NamedTuple):
    """What a handler takes.

    Attributes:
        kinds: The records its annotation accepts; all of them without a telling annotation.
        model: The class its annotation names, or None.
        wants_context: Whether it takes the context as its second argument.
        is_async: Whether calling it gives something to await.
    """

    kinds: frozenset[Kind]
    model: Any
    wants_context: bool
    is_async: bool


def read_fold(function: object, names: Mapping[str, Any]) -> tuple[Any, Signature]:
    """What a fold ``(state, record)`` says of its state and of its records.

    Raises:
        RouteDefinitionError: It can never work as a fold.
    """
    if not callable(function) or isinstance(function, type):
        raise RouteDefinitionError("a fold is a function (state, record)")
    about = name_of(function)
    if flags_of(function) & GENERATORS or is_async(function):
        raise RouteDefinitionError(f"{about}: a fold only computes, so it cannot be async")
    check_function(function, "a fold (state, record)", RouteDefinitionError, arguments=2)
    inside, bound = _innermost(function)
    if inside is None:
        return None, Signature(EVERY_KIND, None, wants_context=False, is_async=False)
    parameters = _positional_names(inside)[bound:]
    scope = {**names, **closure_of(inside)}
    annotations = getattr(inside, "__annotations__", {})
    state = evaluated(annotations.get(parameters[0]), inside, scope) if parameters else None
    second = parameters[1] if len(parameters) > 1 else ""
    kinds, model = accepted(annotations.get(second), inside, scope)
    return state, Signature(kinds, model, wants_context=False, is_async=False)


def read_signature(handler: Callable[..., Any], names: Mapping[str, Any]) -> Signature:
    """Read a handler's signature.

    Args:
        handler: Any callable: a function, a bound method, a partial, an object with ``__call__``.
        names: What its annotation may name beside its globals: the locals of the decorating code.

    Raises:
        RouteDefinitionError: It can never work as a handler, or its annotation names nothing known.
    """
    if not callable(handler):
        raise RouteDefinitionError(f"a handler is a callable, not a {type(handler).__name__}")
    if flags_of(handler) & GENERATORS:
        raise RouteDefinitionError(f"{name_of(handler)} is a generator: it would never run")
    function, bound = called(handler)
    parameters = parameters_of(handler, RouteDefinitionError)
    if (
        function is not None
        and not bound
        and parameters[:1]
        and parameters[0][0] == "self"
        and "." in function.__qualname__
    ):
        raise RouteDefinitionError(
            f"{name_of(handler)} is a method without its object: register the bound method"
        )
    inside, skipped = _innermost(handler)
    if inside is None:
        wants_context = _wants_context(handler, parameters, None)
        return Signature(EVERY_KIND, None, wants_context, is_async(handler))
    written = getattr(inside, "__annotations__", {})
    scope = {**names, **closure_of(inside)}
    if inside is function:
        first = parameters[0][0] if parameters else ""
        wants_context = _wants_context(handler, parameters, None)
        kinds, model = accepted(written.get(first), inside, scope)
        return Signature(kinds, model, wants_context, is_async(handler))
    # Which of these the decorators fill in cannot be seen: the one that is annotated as a record
    # is the record's.
    named = _positional_names(inside)[skipped:]
    place = next(
        (i for i, name in enumerate(named) if names_a_record(written.get(name), inside, scope)),
        None,
    )
    kinds, model = EVERY_KIND, None
    if place is not None:
        kinds, model = accepted(written.get(named[place]), inside, scope)
    behind = named[(place or 0) + 1 :]
    wants_context = _wants_context(handler, parameters, behind[0] if behind else None)
    return Signature(kinds, model, wants_context, is_async(handler))


def positional_count(function: Callable[..., Any]) -> int:
    """How many arguments a function needs; raises RouteDefinitionError if it is none."""
    if not callable(function):
        raise RouteDefinitionError(f"a function is wanted, not a {type(function).__name__}")
    if flags_of(function) & GENERATORS:
        raise RouteDefinitionError(f"{name_of(function)} is a generator: it would never run")
    found = parameters_of(function, RouteDefinitionError)
    if [name for name, _ in found] == [ANY]:
        # It hands on what it gets: as many as what it wraps needs.
        inside, bound = _innermost(function)
        if inside is not None and inside is not called(function)[0]:
            found = positional_of(inside, bound, RouteDefinitionError)
    return sum(not optional for _, optional in found) or len(found)


def _innermost(handler: object) -> tuple[FunctionType | None, int]:
    """The Python function that somebody wrote, under decorators and partials; as `called`."""
    bound, seen = 0, set()
    while id(handler) not in seen:
        seen.add(id(handler))
        if isinstance(handler, partial):
            bound, handler = bound + len(handler.args), handler.func
        elif isinstance(handler, MethodType):
            bound, handler = bound + 1, handler.__func__
        elif getattr(handler, "__wrapped__", None) is not None:
            handler = getattr(handler, "__wrapped__", None)
        else:
            break
    found, own = called(handler)
    while isinstance(getattr(found, "__wrapped__", None), FunctionType) and id(found) not in seen:
        seen.add(id(found))  # a decorated `__call__`
        found = getattr(found, "__wrapped__", None)
    return found, bound + own


def _positional_names(function: FunctionType) -> list[str]:
    return list(function.__code__.co_varnames[: function.__code__.co_argcount])


def _wants_context(
    handler: object, parameters: list[tuple[str, bool]], wrapped: str | None
) -> bool:
    """Whether the context goes along; ``wrapped`` is what a wrapped function calls its second."""
    required = sum(not optional for _, optional in parameters)
    if not parameters or required > 2:
        raise RouteDefinitionError(
            f"{name_of(handler)} takes {required} arguments; a handler takes the record, "
            "and the context if it wants it"
        )
    if required == 2:
        return True
    if any(name == ANY for name, _ in parameters[:2]):
        return wrapped in _CONTEXT
    # A second parameter with a default is most often a value bound at definition, not a wish.
    return len(parameters) > 1 and parameters[1][0] in _CONTEXT
