"""What a handler's signature says: which changes, of which model, with the context or not.

Read once, where a route is declared, so that a handler that can never work fails there.

Rules:

* What counts is what is called. A decorator's function may inject arguments, or take some away: so
  what it wraps says nothing about how many there are.
* Where what is called takes any number, ``*args``, it gets the context if what it wraps names its
  second parameter so.
* Only the annotation of the record's parameter is looked at: others may name what is imported for
  type checkers alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from ddbstream._records import EVENTS, StreamRecord
from ddbstream.exceptions import RouteDefinitionError

__all__ = [
    "EVERY_KIND",
    "Signature",
    "callers_names",
    "check_takes",
    "is_async",
    "name_of",
    "plain_name_of",
    "positional_count",
    "read_fold",
    "read_signature",
]

Kind = type[StreamRecord[Any]]

EVERY_KIND: Final[frozenset[Kind]] = frozenset(EVENTS.values())

# inspect's constants, without importing it
_OPTIMIZED: Final = 0x01
_VAR_POSITIONAL: Final = 0x04
_GENERATOR: Final = 0x20
_COROUTINE: Final = 0x80
_ASYNC_GENERATOR: Final = 0x200

_ANY: Final = "*"  # stands for `*args` among parameters
_CONTEXT: Final = frozenset({"context", "ctx", "lambda_context", "_context", "_ctx"})
_RECORD_WORDS: Final = ("Insert", "Modify", "Remove", "Change", "StreamRecord")

_QUOTES: Final = 4  # text in text in text; more is a mistake


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
    if _flags(function) & (_GENERATOR | _ASYNC_GENERATOR | _COROUTINE):
        raise RouteDefinitionError(f"{about}: a fold only computes, so it cannot be async")
    check_takes(function, 2, "a fold takes the state and the record")
    inside, bound = _innermost(function)
    if inside is None:
        return None, Signature(EVERY_KIND, None, wants_context=False, is_async=False)
    parameters = _positional_names(inside)[bound:]
    scope = {**names, **_closure(inside)}
    annotations = getattr(inside, "__annotations__", {})
    state = _evaluated(annotations.get(parameters[0]), inside, scope) if parameters else None
    second = parameters[1] if len(parameters) > 1 else ""
    kinds, model = _accepted(annotations.get(second), inside, scope)
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
    if _flags(handler) & (_GENERATOR | _ASYNC_GENERATOR):
        raise RouteDefinitionError(f"{name_of(handler)} is a generator: it would never run")
    called, bound = _called(handler)
    parameters = _takes(handler)
    if (
        called is not None
        and not bound
        and parameters[:1]
        and parameters[0][0] == "self"
        and "." in called.__qualname__
    ):
        raise RouteDefinitionError(
            f"{name_of(handler)} is a method without its object: register the bound method"
        )
    inside, skipped = _innermost(handler)
    if inside is None:
        wants_context = _wants_context(handler, parameters, None)
        return Signature(EVERY_KIND, None, wants_context, is_async(handler))
    written = getattr(inside, "__annotations__", {})
    scope = {**names, **_closure(inside)}
    if inside is called:
        first = parameters[0][0] if parameters else ""
        wants_context = _wants_context(handler, parameters, None)
        kinds, model = _accepted(written.get(first), inside, scope)
        return Signature(kinds, model, wants_context, is_async(handler))
    # Which of these the decorators fill in cannot be seen: the one that is annotated as a record
    # is the record's.
    named = _positional_names(inside)[skipped:]
    place = next(
        (i for i, name in enumerate(named) if _is_record(written.get(name), inside, scope)), None
    )
    kinds, model = EVERY_KIND, None
    if place is not None:
        kinds, model = _accepted(written.get(named[place]), inside, scope)
    behind = named[(place or 0) + 1 :]
    wants_context = _wants_context(handler, parameters, behind[0] if behind else None)
    return Signature(kinds, model, wants_context, is_async(handler))


def positional_count(function: Callable[..., Any]) -> int:
    """How many arguments a function needs; raises RouteDefinitionError if it is none."""
    if not callable(function):
        raise RouteDefinitionError(f"a function is wanted, not a {type(function).__name__}")
    if _flags(function) & (_GENERATOR | _ASYNC_GENERATOR):
        raise RouteDefinitionError(f"{name_of(function)} is a generator: it would never run")
    found = _takes(function)
    if [name for name, _ in found] == [_ANY]:
        # It hands on what it gets: as many as what it wraps needs.
        inside, bound = _innermost(function)
        if inside is not None and inside is not _called(function)[0]:
            found = _parameters(inside)[bound:]
    return sum(not optional for _, optional in found) or len(found)


def check_takes(function: Callable[..., Any], count: int, rule: str) -> None:
    """Raise RouteDefinitionError unless a function can be called with so many arguments.

    Args:
        function: Any callable.
        count: How many positional arguments it will get.
        rule: What such a function takes, for the message.
    """
    if _flags(function) & (_GENERATOR | _ASYNC_GENERATOR):
        raise RouteDefinitionError(f"{name_of(function)} is a generator: it would never run")
    parameters = _takes(function)
    needed = sum(not optional for _, optional in parameters)
    at_most = None if (_ANY, True) in parameters else len(parameters)
    if needed > count or (at_most is not None and at_most < count):
        raise RouteDefinitionError(f"{name_of(function)} takes {needed} arguments: {rule}")


def name_of(handler: object) -> str:
    """A handler's name for notes, logs and errors: ``module.qualname``."""
    target = handler.func if isinstance(handler, partial) else handler
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    module = getattr(target, "__module__", None) or type(target).__module__
    return f"{module}.{name}"


def plain_name_of(handler: object) -> str:
    """A handler's own name, as it was written: ``added``; of an object, its class's name."""
    target = handler
    while isinstance(target, partial):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) and name else type(target).__name__


def is_async(handler: object) -> bool:
    """Whether calling it makes a coroutine, as far as can be seen without calling it."""
    return bool(_flags(handler) & _COROUTINE)


def _flags(handler: object) -> int:
    """What the code of what is called says of itself; 0 for what has none."""
    while isinstance(handler, partial):
        handler = handler.func
    code = getattr(handler, "__code__", None)
    if code is None and not isinstance(handler, type):
        code = getattr(_call_of(handler), "__code__", None)
    return code.co_flags if isinstance(code, CodeType) else 0


def _call_of(thing: object) -> object:
    return getattr(type(thing), "__call__", None)  # noqa: B004 - the method, not whether there is one


def callers_names(depth: int) -> dict[str, Any]:
    """The local names where a decorator is applied: annotations as text may name local classes.

    Args:
        depth: How many frames up that is, as for ``sys._getframe``, seen from the caller.
    """
    frame: FrameType | None = sys._getframe(depth + 1)
    names: dict[str, Any] = {}
    # A class body sees the function around it; a function's own frame, or a module's, ends the
    # search.
    while frame is not None and frame.f_locals is not frame.f_globals:
        names = {**frame.f_locals, **names}
        if frame.f_code.co_flags & _OPTIMIZED:
            break
        frame = frame.f_back
    return names


def _called(handler: object) -> tuple[FunctionType | None, int]:
    """The Python function that a call runs, and how many of its parameters are bound."""
    target, bound = handler, 0
    if not isinstance(target, (FunctionType, MethodType, type)):
        call = _call_of(target)
        if isinstance(call, FunctionType):
            target, bound = call, 1
    if isinstance(target, MethodType):
        target, bound = target.__func__, 1
    return (target, bound) if isinstance(target, FunctionType) else (None, 0)


def _innermost(handler: object) -> tuple[FunctionType | None, int]:
    """The Python function that somebody wrote, under decorators and partials; as `_called`."""
    bound, seen = 0, set()
    while id(handler) not in seen:
        seen.add(id(handler))
        if isinstance(handler, partial):
            bound, handler = len(handler.args), handler.func
        elif isinstance(handler, MethodType):
            bound, handler = 1, handler.__func__
        elif getattr(handler, "__wrapped__", None) is not None:
            handler = getattr(handler, "__wrapped__", None)
        else:
            break
    found, own = _called(handler)
    while isinstance(getattr(found, "__wrapped__", None), FunctionType) and id(found) not in seen:
        seen.add(id(found))  # a decorated `__call__`
        found = getattr(found, "__wrapped__", None)
    return found, bound or own


def _takes(handler: Callable[..., Any]) -> list[tuple[str, bool]]:
    """The positional parameters that are free, and whether each has a default."""
    function, bound = _called(handler)
    return _parameters(function)[bound:] if function is not None else _inspected(handler)


def _positional_names(function: FunctionType) -> list[str]:
    return list(function.__code__.co_varnames[: function.__code__.co_argcount])


def _parameters(function: FunctionType) -> list[tuple[str, bool]]:
    """The positional parameters, and whether each has a default; ``*args`` counts as one."""
    code = function.__code__
    count = code.co_argcount
    defaults = len(function.__defaults__ or ())
    required_keywords = [
        name
        for name in code.co_varnames[count : count + code.co_kwonlyargcount]
        if name not in (function.__kwdefaults__ or {})
    ]
    if required_keywords:
        raise RouteDefinitionError(
            f"{name_of(function)} needs the keyword {required_keywords[0]}, which is never given"
        )
    found = [(name, i >= count - defaults) for i, name in enumerate(code.co_varnames[:count])]
    if code.co_flags & _VAR_POSITIONAL:
        found.append((_ANY, True))
    return found


def _inspected(handler: Callable[..., Any]) -> list[tuple[str, bool]]:
    # What is no Python function is rare, and inspect is slow to load.
    from inspect import Parameter, signature

    try:
        found = signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # some builtins have none: they may take anything
        return [(_ANY, True)]
    for one in found:
        if one.kind is Parameter.KEYWORD_ONLY and one.default is one.empty:
            raise RouteDefinitionError(
                f"{name_of(handler)} needs the keyword {one.name}, which is never given"
            )
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [
        (_ANY, True) if p.kind is Parameter.VAR_POSITIONAL else (p.name, p.default is not p.empty)
        for p in found
        if p.kind in (*positional, Parameter.VAR_POSITIONAL)
    ]


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
    if any(name == _ANY for name, _ in parameters[:2]):
        return wrapped in _CONTEXT
    # A second parameter with a default is most often a value bound at definition, not a wish.
    return len(parameters) > 1 and parameters[1][0] in _CONTEXT


def _closure(function: FunctionType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # noqa: PERF203 - not assigned yet
            continue
    return found


def _evaluated(annotation: Any, function: FunctionType, scope: Mapping[str, Any]) -> Any:
    # Where all annotations of a module are text, quotes make text of text.
    for _ in range(_QUOTES):
        if isinstance(annotation, ForwardRef):
            annotation = annotation.__forward_arg__
        if not isinstance(annotation, str):
            return annotation
        try:
            # The handler's own annotation, as typing.get_type_hints evaluates it.
            annotation = eval(annotation, function.__globals__, dict(scope))  # noqa: S307
        except Exception as error:
            raise RouteDefinitionError(
                f"cannot resolve the annotation {annotation!r} of {name_of(function)} ({error}): "
                "give the class to the decorator, or define it first",
            ) from error
    raise RouteDefinitionError(f"the annotation of {name_of(function)} is nothing but text")


def _is_record(written: Any, function: FunctionType, scope: Mapping[str, Any]) -> bool:
    """Whether an annotation names a record; one that cannot be resolved does if it reads so."""
    try:
        members = list(_members(written, function, scope))
    except RouteDefinitionError:
        return isinstance(written, str) and any(word in written for word in _RECORD_WORDS)
    return any((get_origin(m) or m) in {StreamRecord, *EVERY_KIND} for m in members)


def _accepted(
    written: Any, function: FunctionType, scope: Mapping[str, Any]
) -> tuple[frozenset[Kind], Any]:
    """The record kinds and the model that an annotation names."""
    kinds: set[Kind] = set()
    models: list[Any] = []
    for member in _members(written, function, scope):
        origin = get_origin(member) or member
        if origin is StreamRecord:
            kinds |= EVERY_KIND
        elif origin in EVERY_KIND:
            kinds.add(origin)
        else:  # no annotation, Any, a protocol, a type variable: not ours to judge
            _refuse_other_class(origin, function)
            kinds |= EVERY_KIND
            continue
        for argument in get_args(member):
            model = _model(_evaluated(argument, function, scope))
            if model is not None and model not in models:
                models.append(model)
    if len(models) > 1:
        raise RouteDefinitionError(f"{name_of(function)} is annotated with more than one model")
    return frozenset(kinds), models[0] if models else None


def _refuse_other_class(annotation: Any, function: FunctionType) -> None:
    if (
        isinstance(annotation, type)
        and annotation not in (Any, type(None))  # Any is a class since Python 3.11
        and not getattr(annotation, "_is_protocol", False)
        and not issubclass(StreamRecord, annotation)
    ):
        name = annotation.__qualname__
        raise RouteDefinitionError(
            f"{name_of(function)} takes a record and is annotated with {name}: "
            f"write Insert[{name}], or another record"
        )


def _members(annotation: Any, function: FunctionType, scope: Mapping[str, Any]) -> Iterator[Any]:
    """What an annotation allows, one by one: the members of unions, what aliases stand for."""
    annotation = _evaluated(annotation, function, scope)
    origin = get_origin(annotation)
    if type(annotation).__name__ == "TypeAliasType":  # Python 3.12's, or its backport
        yield from _members(annotation.__value__, function, scope)
    elif origin is Annotated:
        yield from _members(get_args(annotation)[0], function, scope)
    elif origin is Union or origin is UnionType:
        for member in get_args(annotation):
            yield from _members(member, function, scope)
    else:
        yield annotation


def _model(argument: Any) -> Any:
    """A model, or dict for items without one, or None where the annotation leaves it open."""
    if argument is Any or argument is object or isinstance(argument, TypeVar):
        return None
    return dict if (get_origin(argument) or argument) in (dict, Mapping) else argument
