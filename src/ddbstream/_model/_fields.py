"""What a class says about its fields: names, annotations, defaults, and how its constructor takes them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from ..exceptions import ModelDefinitionError
from ._objects import MISSING


@dataclass
class FieldSpec:
    """One field as its class declares it; the attributes are as in ``Field``."""

    name: str
    annotation: Any
    parameter: str | None = "positional"
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    stored: bool = True


def dataclass_fields(cls: type, hints: dict[str, Any]) -> list[FieldSpec]:
    """The fields of a standard-library dataclass, ``InitVar`` included, in the constructor's order."""
    specs = []
    all_fields: dict[str, Any] = cls.__dataclass_fields__  # type: ignore[attr-defined]
    for field in all_fields.values():
        kind = (
            field._field_type.name
        )  # the only mark that tells an InitVar and a ClassVar from a field
        if kind == "_FIELD_CLASSVAR":
            continue
        annotation = hints.get(field.name, field.type)
        if isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        factory = field.default_factory
        specs.append(
            FieldSpec(
                name=field.name,
                annotation=annotation,
                parameter=None if not field.init else "keyword" if field.kw_only else "positional",
                default=MISSING if field.default is dataclasses.MISSING else field.default,
                factory=None if factory is dataclasses.MISSING else factory,
                stored=kind != "_FIELD_INITVAR",
            )
        )
    return specs


def has_plain_constructor(cls: type) -> bool:
    """Whether a frozen dataclass's constructor only stores its arguments, so that it may be stepped around."""
    params = cls.__dataclass_params__  # type: ignore[attr-defined]
    init = cls.__dict__.get("__init__")
    return (
        params.frozen
        and params.init
        and init is not None
        and init.__code__.co_filename == "<string>"
        and not hasattr(cls, "__post_init__")
        and cls.__new__ is object.__new__
        and type(cls).__call__ is type.__call__
    )


def type_hints(cls: Any) -> dict[str, Any]:
    """The evaluated annotations of a class; names of enclosing functions are found in the callers' frames.

    Raises:
        ModelDefinitionError: A name in an annotation cannot be found.
    """
    local: dict[str, Any] = {
        base.__name__: base for base in reversed(getattr(cls, "__mro__", (cls,)))
    }
    frame = sys._getframe(1)
    missing = None
    seen = 0
    while True:
        try:
            return get_type_hints(cls, localns=dict(local), include_extras=True)
        except NameError as error:
            missing = error
        except Exception as error:
            raise ModelDefinitionError(
                f"cannot evaluate the annotations of {cls.__qualname__}: {error}", model=cls
            ) from error
        name = missing.name
        found = False
        while frame is not None and not found:
            if name in frame.f_locals:
                local[name] = frame.f_locals[name]
                found = True
            elif frame.f_back is None:
                break
            else:
                frame = frame.f_back
        seen += 1
        if not found or seen > 1000:
            raise ModelDefinitionError(
                f"{cls.__qualname__} is annotated with {name!r}, which cannot be found where it is used",
                model=cls,
            ) from None
        frame = sys._getframe(1)
