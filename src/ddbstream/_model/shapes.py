"""What a class says about itself: its fields, defaults, and how its constructor takes them.

``shape_of`` knows dataclasses, typed dicts and named tuples here, and pydantic, attrs and msgspec
in ``_adapters``; all are recognised by their attributes, and none is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, get_args, get_origin

from ddbstream._model import FIELD_MARKS
from ddbstream._model.hints import annotation_of, own_annotations


class _Missing:
    """What stands for a default that a field does not have: one object, also after pickling."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


@dataclass
class FieldSpec:
    """One field as its class declares it.

    Attributes:
        name: Its name in the class.
        annotation: Its annotation, evaluated.
        argument: The constructor's name for it; None: the constructor does not take it.
        positional: Whether it may be given by position.
        default: Its value where the attribute is absent, or MISSING.
        factory: Makes that value, or None.
        stored: Whether instances carry it; an ``InitVar`` they do not.
        omitted: Whether the constructor is left to find the value of an absent attribute itself.
        stored_name: The attribute's name, if the class itself renames it.
        owner: The class that declares it, for its type variables.
        fallback: Stands in for a kind that has no place in DynamoDB: writes an instance's field.
    """

    name: str
    annotation: Any
    argument: str | None = None
    positional: bool = False
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    stored: bool = True
    omitted: bool = False
    stored_name: str | None = None
    owner: Any = None
    fallback: Callable[[Any], Any] | None = None


@dataclass
class Shape:
    """A class as the planner sees it.

    Attributes:
        fields: In the constructor's order.
        build: Makes an instance of a dict of arguments; None: the class is called.
        direct: Whether the constructor only stores its arguments, at a price: frozen dataclasses.
        mapping: Whether instances are dicts.
        forbid: Whether the class itself forbids unknown attributes.
        constants: Attributes that are the class's and not an instance's: a msgspec tag.
        collect: The field that takes attributes which no other field stores; or None.
        refused: Notes what a constructor raised, without values, and says whether it could; or
            None.
    """

    fields: list[FieldSpec]
    build: Callable[[dict[str, Any]], Any] | None = None
    direct: bool = False
    mapping: bool = False
    forbid: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    collect: str | None = None
    refused: Callable[..., bool] | None = None


def shape_of(cls: Any, open_classes: tuple[Any, ...]) -> Shape | None:
    """The shape of a class, or None if it is no class with fields; raises ModelDefinitionError."""
    if is_typed_dict(cls):
        return _typed_dict(cls, open_classes)
    if not isinstance(cls, type):
        return None
    if hasattr(cls, "__dataclass_fields__") and not hasattr(cls, "__pydantic_fields__"):
        return _dataclass(cls, open_classes)
    if issubclass(cls, tuple) and hasattr(cls, "_field_defaults"):
        return _named_tuple(cls, open_classes)
    from ddbstream._model.adapters import foreign_shape

    return foreign_shape(cls, open_classes)


def is_typed_dict(cls: Any) -> bool:
    """Whether it is a ``TypedDict`` class, of ``typing`` or ``typing_extensions``."""
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__total__")


def has_fields(cls: Any) -> bool:
    """Whether it is a class that is planned by its fields, and no enum of such values."""
    if not isinstance(cls, type) or get_origin(cls) is not None or issubclass(cls, Enum):
        return False
    return is_typed_dict(cls) or any(hasattr(cls, mark) for mark in FIELD_MARKS)


def owner_of(cls: type, name: str) -> type:
    """The class that declares a field."""
    for base in cls.__mro__:
        if name in own_annotations(base):
            return base
    return cls


def _dataclass(cls: type, open_classes: tuple[Any, ...]) -> Shape:
    specs = []
    for declared in cls.__dataclass_fields__.values():  # type: ignore[attr-defined]
        # the only mark by which dataclasses itself tells an InitVar or ClassVar from a field
        kind = declared._field_type.name
        if kind == "_FIELD_CLASSVAR":
            continue
        owner = owner_of(cls, declared.name)
        factory = declared.default_factory
        specs.append(
            FieldSpec(
                name=declared.name,
                annotation=annotation_of(owner, declared.name, declared.type, open_classes),
                argument=declared.name if declared.init else None,
                positional=not declared.kw_only,
                default=MISSING if declared.default is dataclasses.MISSING else declared.default,
                factory=None if factory is dataclasses.MISSING else factory,
                stored=kind != "_FIELD_INITVAR",
                owner=owner,
            )
        )
    plain = all(spec.stored and spec.argument for spec in specs)
    return Shape(specs, direct=plain and _only_stores(cls))


def _only_stores(cls: type) -> bool:
    """Whether a frozen dataclass's constructor is the generated one, and does nothing else."""
    init = cls.__dict__.get("__init__")
    params = cls.__dict__.get("__dataclass_params__")
    new: object = cls.__new__
    return bool(
        params is not None
        and params.frozen
        and params.init
        # dataclasses compiles its methods from text, under this name
        and getattr(getattr(init, "__code__", None), "co_filename", "") == "<string>"
        and not hasattr(cls, "__post_init__")
        and new is object.__new__
        and type(cls).__call__ is type.__call__
    )


def _named_tuple(cls: Any, open_classes: tuple[Any, ...]) -> Shape:
    specs = []
    for name in cls._fields:
        owner = owner_of(cls, name)
        raw = own_annotations(owner).get(name, Any)
        specs.append(
            FieldSpec(
                name=name,
                annotation=annotation_of(owner, name, raw, open_classes),
                argument=name,
                positional=True,
                default=cls._field_defaults.get(name, MISSING),
                owner=owner,
            )
        )
    return Shape(specs)


def _typed_dict(cls: Any, open_classes: tuple[Any, ...]) -> Shape:
    specs = []
    for name, raw in own_annotations(cls).items():
        annotation = annotation_of(cls, name, raw, open_classes)
        required = name in cls.__required_keys__
        # Required[NotRequired[...]] is no type; ReadOnly may stand on either side of them
        while (wrapper := _special_form(annotation)) is not None:
            required = {"Required": True, "NotRequired": False}.get(wrapper, required)
            annotation = get_args(annotation)[0]
        specs.append(
            FieldSpec(
                name=name, annotation=annotation, argument=name, omitted=not required, owner=cls
            )
        )
    return Shape(specs, build=dict, mapping=True, forbid=getattr(cls, "__closed__", None) is True)


def _special_form(annotation: Any) -> str | None:
    # typing's and typing_extensions' forms are different objects of the same names
    name = getattr(get_origin(annotation), "_name", None)
    return name if name in ("Required", "NotRequired", "ReadOnly") else None
