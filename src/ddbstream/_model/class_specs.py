"""What a class says about itself: its fields, defaults, and how its constructor takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ddbstream._model.hints import own_annotations


class _Missing:
    """The default of a field that has none: one object, also after pickling."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


#: The field that stands for the items of a typed dict that no other field has: PEP 728.
EXTRA_ITEMS = "__extra_items__"


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
        stored: Whether instances carry it; they carry no ``InitVar``.
        omitted: Whether the constructor itself supplies the value of an absent attribute.
        stored_name: The attribute's name, if the class itself renames it.
        owner: The class that declares it, for its type variables.
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


@dataclass(frozen=True)
class Library:
    """What the library of a class knows about the annotations of its fields.

    Attributes:
        kind: The node of a class that only the library knows; None if it knows none.
        check_mark: Raises ModelDefinitionError for a part of ``Annotated`` that cannot work.
        enum_values: Whether instances keep the values of enums in place of their members.
    """

    kind: Callable[[Any], Any] = lambda _: None
    check_mark: Callable[[Any], None] = lambda _: None
    enum_values: bool = False


#: The library of classes that need none.
NO_LIBRARY = Library()


@dataclass
class ClassSpec:
    """A class as the planner sees it.

    Attributes:
        fields: In the constructor's order.
        build: Makes an instance from a dict of arguments; None: the class is called.
        direct: Whether the constructor only stores its arguments, and slowly: frozen dataclasses.
        mapping: Whether instances are dicts.
        forbid: Whether the class itself forbids unknown attributes.
        constants: Attributes with the same value in every instance: a msgspec tag.
        collect: The field that takes the attributes of no other field; or None.
        reserved: Names that a collected attribute cannot have.
        library: What is known about its fields' annotations besides.
        refused: Notes what a constructor raised, without values, and returns whether it knew the
            exception; or None.
    """

    fields: list[FieldSpec]
    build: Callable[[dict[str, Any]], Any] | None = None
    direct: bool = False
    mapping: bool = False
    forbid: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    collect: str | None = None
    reserved: frozenset[str] = frozenset()
    library: Library = NO_LIBRARY
    refused: Callable[..., bool] | None = None


def owner_of(cls: type, name: str) -> type:
    """The class that declares a field."""
    for base in cls.__mro__:
        if name in own_annotations(base):
            return base
    return cls
