"""What an annotation says: which changes a function takes, and of which model.

Only the annotation of the record's parameter is looked at: others may name what is imported for
type checkers alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import FrameType, FunctionType, UnionType
from typing import Annotated, Any, Final, ForwardRef, TypeVar, Union, get_args, get_origin

from ddbstream._records import EVENTS, StreamRecord
from ddbstream._values.callables import name_of
from ddbstream.exceptions import RouteDefinitionError

__all__ = [
    "EVERY_KIND",
    "Kind",
    "accepted",
    "callers_names",
    "closure_of",
    "evaluated",
    "names_a_record",
]

Kind = type[StreamRecord[Any]]

EVERY_KIND: Final[frozenset[Kind]] = frozenset(EVENTS.values())

_OPTIMIZED: Final = 0x01  # inspect's constant, without importing it
_RECORD_WORDS: Final = ("Insert", "Modify", "Remove", "Change", "StreamRecord")
_QUOTES: Final = 4  # text in text in text; more is a mistake


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


def closure_of(function: FunctionType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # noqa: PERF203 - not assigned yet
            continue
    return found


def evaluated(annotation: Any, function: FunctionType, scope: Mapping[str, Any]) -> Any:
    # Where all annotations of a module are text, quotes make text of text.
    for _ in range(_QUOTES):
        if isinstance(annotation, ForwardRef):
            annotation = annotation.__forward_arg__
        if not isinstance(annotation, str):
            return annotation
        try:
            # As typing.get_type_hints evaluates it.
            names = function.__globals__
            annotation = eval(annotation, names, dict(scope))  # noqa: S307 - the handler's own code
        except Exception as error:
            raise RouteDefinitionError(
                f"cannot resolve the annotation {annotation!r} of {name_of(function)} ({error}): "
                "give the class to the decorator, or define it first",
            ) from error
    raise RouteDefinitionError(f"the annotation of {name_of(function)} is nothing but text")


def names_a_record(written: Any, function: FunctionType, scope: Mapping[str, Any]) -> bool:
    """Whether an annotation names a record; one that cannot be resolved does if it reads so."""
    try:
        members = list(_members(written, function, scope))
    except RouteDefinitionError:
        return isinstance(written, str) and any(word in written for word in _RECORD_WORDS)
    return any((get_origin(m) or m) in {StreamRecord, *EVERY_KIND} for m in members)


def accepted(
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
            model = _model(evaluated(argument, function, scope))
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
    annotation = evaluated(annotation, function, scope)
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
