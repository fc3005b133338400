"""What a class says about itself: its fields, defaults, and how its constructor takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ddbstream._model.hints import own_annotations


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
class ClassSpec:
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


def owner_of(cls: type, name: str) -> type:
    """The class that declares a field."""
    for base in cls.__mro__:
        if name in own_annotations(base):
            return base
    return cls
