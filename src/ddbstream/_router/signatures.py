"""What a handler's signature says: which changes, of which model, with the context or not.

Read once, where a route is declared, so that a handler that can never work fails there. Only the
first parameter's annotation is looked at: the others may name what is imported for type checkers
alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
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
    "is_async",
    "name_of",
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
    behind, bound = _function_of(function) if callable(function) else (None, 0)
    if behind is None or isinstance(function, type):
        raise RouteDefinitionError("a fold is a function (state, record)")
    about = name_of(function)
    if behind.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR | _COROUTINE):
        raise RouteDefinitionError(f"{about}: a fold only computes, so it cannot be async")
    parameters = _parameters(behind)[bound:]
    if len(parameters) < 2 or sum(not optional for _, optional in parameters) > 2:
        raise RouteDefinitionError(f"{about}: a fold takes the state and the record")
    scope = {**names, **_closure(behind)}
    annotations = getattr(behind, "__annotations__", {})
    state = _evaluated(annotations.get(parameters[0][0]), behind, scope)
    kinds, model = _accepted(annotations.get(parameters[1][0]), behind, scope)
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
    function, bound = _function_of(handler)
    if function is None:
        parameters = _inspected(handler)
        return Signature(EVERY_KIND, None, _wants_context(handler, parameters), is_async(handler))
    if function.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
        raise RouteDefinitionError(f"{name_of(handler)} is a generator: it would never run")
    parameters = _parameters(function)[bound:]
    first = parameters[0][0] if parameters else ""
    if not bound and first == "self" and "." in function.__qualname__:
        raise RouteDefinitionError(
            f"{name_of(handler)} is a method without its object: register the bound method"
        )
    wants_context = _wants_context(handler, parameters)
    scope = {**names, **_closure(function)}
    written = getattr(function, "__annotations__", {}).get(first)
    kinds, model = _accepted(written, function, scope)
    return Signature(kinds, model, wants_context, is_async(handler))


def positional_count(function: Callable[..., Any]) -> int:
    """How many arguments a function needs; raises RouteDefinitionError if it is none."""
    if not callable(function):
        raise RouteDefinitionError(f"a function is wanted, not a {type(function).__name__}")
    behind, bound = _function_of(function)
    found = _parameters(behind)[bound:] if behind is not None else _inspected(function)
    return sum(not optional for _, optional in found) or len(found)


def name_of(handler: object) -> str:
    """A handler's name for notes, logs and errors: ``module.qualname``."""
    target = getattr(handler, "func", handler)  # a partial's function
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    module = getattr(target, "__module__", None) or type(target).__module__
    return f"{module}.{name}"


def is_async(handler: object) -> bool:
    """Whether calling it makes a coroutine, as far as can be seen without calling it."""
    while isinstance(getattr(handler, "func", None), Callable):  # type: ignore[arg-type]
        handler = handler.func  # type: ignore[attr-defined]
    code = getattr(handler, "__code__", None)
    if code is None and not isinstance(handler, type):
        code = getattr(_call_of(handler), "__code__", None)
    return isinstance(code, CodeType) and bool(code.co_flags & _COROUTINE)


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


def _function_of(handler: Callable[..., Any]) -> tuple[FunctionType | None, int]:
    """The Python function behind a callable, and how many of its parameters are bound."""
    bound = 0
    target: Any = handler
    if not isinstance(target, (FunctionType, MethodType)) and not isinstance(target, type):
        call = _call_of(target)
        if isinstance(call, FunctionType):
            target, bound = call, 1
    if isinstance(target, MethodType):
        target, bound = target.__func__, 1
    # What a wrapper takes is what it wraps, as inspect.signature sees it too.
    while hasattr(target, "__wrapped__"):
        target = getattr(target, "__wrapped__", None)
        if isinstance(target, MethodType):
            target, bound = target.__func__, 1
    return (target, bound) if isinstance(target, FunctionType) else (None, 0)


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
        found.append(("*", True))
    return found


def _inspected(handler: Callable[..., Any]) -> list[tuple[str, bool]]:
    # What is no Python function is rare, and inspect is slow to load.
    from inspect import Parameter, signature

    try:
        found = signature(handler).parameters.values()
    except (TypeError, ValueError):  # some builtins have none: take it that they take a record
        return [("*", True)]
    positional = (
        Parameter.POSITIONAL_ONLY,
        Parameter.POSITIONAL_OR_KEYWORD,
        Parameter.VAR_POSITIONAL,
    )
    return [(p.name, p.default is not p.empty) for p in found if p.kind in positional]


def _wants_context(handler: object, parameters: list[tuple[str, bool]]) -> bool:
    required = sum(not optional for _, optional in parameters)
    if not parameters or required > 2:
        raise RouteDefinitionError(
            f"{name_of(handler)} takes {required} arguments; a handler takes the record, "
            "and the context if it wants it"
        )
    # A second parameter with a default is most often a value bound at definition, not a wish.
    return required == 2 or (
        len(parameters) > 1 and parameters[1][0] in ("context", "ctx", "lambda_context")
    )


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
