"""Evaluating annotations: strings, forward references, local names, and Python 3.14's deferral."""

from __future__ import annotations

import dataclasses
import re
import sys
from types import FrameType, GenericAlias, UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ddbstream.exceptions import ModelDefinitionError

_INIT_VAR = re.compile(r"\s*(?:\w+\.)*InitVar\s*\[(.*)\]\s*", re.DOTALL)


def own_annotations(cls: Any) -> dict[str, Any]:
    """The annotations in a class's body; what cannot be evaluated yet is a forward reference."""
    if sys.version_info >= (3, 14):  # pragma: no cover - .ci/newest_pythons runs it
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    # what inspect.get_annotations does, without importing inspect
    found: dict[str, Any] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    return found


def annotation_of(owner: type, name: str, raw: Any, open_classes: tuple[Any, ...]) -> Any:
    """Evaluate the annotation of one field.

    Args:
        owner: The class that declares it: its module is where names are looked up first.
        name: The field.
        raw: The annotation as stored: an object, a string, or an object with strings inside.
        open_classes: The classes being planned around it, which its annotation may name.

    Raises:
        ModelDefinitionError: It names something that cannot be found, or is no type.
    """
    if isinstance(raw, dataclasses.InitVar):
        raw = raw.type
    elif isinstance(raw, str) and (match := _INIT_VAR.fullmatch(raw)):
        raw = match[1]  # get_type_hints refuses InitVar on 3.10
    if isinstance(raw, type) and not get_args(raw):
        return raw
    local: dict[str, Any] = {}
    # a class for this field alone: names in other fields' annotations may not be defined yet
    holder = type("holder", (), {"__annotations__": {name: raw}, "__module__": owner.__module__})
    while True:
        try:
            hint = get_type_hints(holder, None, dict(local), include_extras=True)[name]
            if sys.version_info < (3, 11):  # pragma: no cover - the tests on 3.10 run it
                inside = _with_references(hint)
                if inside is not hint:
                    holder.__annotations__[name] = inside
                    continue
            return hint
        except NameError as error:
            missing = error.name or ""
        except Exception as error:
            raise ModelDefinitionError(
                f"its annotation cannot be evaluated: {type(error).__name__}: {error}", path=name
            ) from error
        found = _find(missing, owner, open_classes) if missing not in local else _NOT_FOUND
        if found is _NOT_FOUND:
            raise ModelDefinitionError(
                f"its annotation names {missing!r}, which cannot be found; bind it where that "
                "is defined",
                path=name,
                model=owner,
            )
        local[missing] = found


def _with_references(hint: Any) -> Any:  # pragma: no cover - the tests on 3.10 run it
    """Make references of the strings in ``list["Node"]``, which 3.10's own functions leave.

    Returns:
        The same object where there are none.
    """
    origin, args = get_origin(hint), get_args(hint)
    if not args or origin is Literal:
        return hint
    if origin is Annotated:
        inner = _with_references(args[0])
        return hint if inner is args[0] else hint.copy_with((inner,))
    made = tuple(ForwardRef(arg) if isinstance(arg, str) else _with_references(arg) for arg in args)
    if all(new is old for new, old in zip(made, args, strict=True)):
        return hint
    if isinstance(hint, UnionType):
        return Union[made]  # noqa: UP007 - of references, which have no |
    if isinstance(hint, GenericAlias):
        return GenericAlias(origin, made)
    return hint.copy_with(made)


def is_alias(annotation: Any) -> bool:
    """Whether it is a type alias of PEP 695, or a ``TypeAliasType``."""
    try:
        return hasattr(annotation, "__type_params__") and hasattr(annotation, "__value__")
    except NameError:  # it has a value, which names something that is not there
        return True


def alias_value(alias: Any, open_classes: tuple[Any, ...]) -> Any:
    """What a type alias stands for; in one that was made by a call, names may be text.

    Args:
        alias: An alias of PEP 695, or a ``TypeAliasType``.
        open_classes: The classes being planned around it, which it may name.

    Raises:
        ModelDefinitionError: It names something that cannot be found, or is no type.
    """
    name = str.__str__(alias.__name__)
    try:
        return annotation_of(alias, name, alias.__value__, open_classes)
    except NameError as error:
        problem = f"it names {error.name!r}, which cannot be found"
    except ModelDefinitionError as error:
        problem = error.problem
    raise ModelDefinitionError(f"type alias {name}: {problem}")


_NOT_FOUND: Any = object()


def _find(name: str, owner: type, open_classes: tuple[Any, ...]) -> Any:
    """Find what a name means inside a function: an enclosing class, or a local variable."""
    for parameter in getattr(owner, "__type_params__", ()):
        if parameter.__name__ == name:
            return parameter
    for cls in (owner, *reversed(open_classes)):
        if getattr(cls, "__name__", None) == name:
            return cls
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        # skip the package's own frames, whose variables have common names
        ours = frame.f_globals.get("__name__", "").startswith("ddbstream.")
        if not ours and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return _NOT_FOUND


def type_arguments(alias_args: tuple[Any, ...], parameters: tuple[Any, ...]) -> dict[Any, Any]:
    """Type parameters to the arguments given for them."""
    return dict(zip(parameters, alias_args, strict=False))


def base_arguments(cls: Any, arguments: dict[Any, Any]) -> dict[type, dict[Any, Any]]:
    """For a class and each generic base, what its own type parameters stand for.

    Args:
        cls: The class.
        arguments: What its own type parameters stand for.
    """
    known: dict[type, dict[Any, Any]] = {cls: arguments}
    for base in getattr(cls, "__orig_bases__", ()):
        origin = getattr(base, "__origin__", None)
        if not isinstance(origin, type) or not hasattr(origin, "__parameters__"):
            continue
        given = tuple(substitute(arg, arguments) for arg in get_args(base))
        for owner, mapping in base_arguments(
            origin, type_arguments(given, origin.__parameters__)
        ).items():
            known.setdefault(owner, mapping)
    for base in getattr(cls, "__bases__", ()):
        for owner, mapping in base_arguments(base, {}).items() if base is not object else ():
            known.setdefault(owner, mapping)
    return known


def substitute(annotation: Any, arguments: dict[Any, Any]) -> Any:
    """Replace type parameters in an annotation by what they stand for."""
    if isinstance(annotation, TypeVar):
        return arguments.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    # a generic class itself has parameters too, and no arguments
    if not get_args(annotation) or not isinstance(parameters, tuple):
        return annotation
    if not any(parameter in arguments for parameter in parameters):
        return annotation
    return annotation[tuple(arguments.get(parameter, parameter) for parameter in parameters)]
