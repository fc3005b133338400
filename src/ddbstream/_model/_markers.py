"""What a user writes on and in a model class: ``Attribute``, ``Epoch``, ``keys``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

C = TypeVar("C", bound=type)

KEYS = "__ddbstream_keys__"


class _Marker:
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        said = [repr(getattr(self, n)) for n in self.__slots__ if getattr(self, n) is not None]
        return f"{type(self).__name__}({', '.join(said)})"


class Attribute(_Marker):
    """Says how one field is stored: ``Annotated[str, Attribute("PK")]``.

    Args:
        name: The DynamoDB attribute's name, if it is not the field's.
        structure: Makes the field's value of what the attribute holds (as read without a model).
        unstructure: Makes a value that DynamoDB has a type for of the field's.
    """

    __slots__ = ("name", "structure", "unstructure")

    def __init__(
        self,
        name: str | None = None,
        *,
        structure: Callable[[Any], Any] | None = None,
        unstructure: Callable[[Any], Any] | None = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError("an attribute's name is text")
        self.name = name
        self.structure = structure
        self.unstructure = unstructure


class Epoch(_Marker):
    """Stores a datetime as a number since 1970-01-01T00:00Z: ``Annotated[datetime, Epoch("s")]``.

    Args:
        unit: ``"s"``, ``"ms"`` or ``"us"``. What a unit cannot say in whole numbers is written as a fraction.
    """

    __slots__ = ("unit",)

    def __init__(self, unit: Literal["s", "ms", "us"]) -> None:
        if unit not in ("s", "ms", "us"):
            raise ValueError('Epoch takes "s", "ms" or "us"')
        self.unit = unit


def keys(**templates: str) -> Callable[[C], C]:
    """Read a class's fields out of composite keys, and write them back.

    ``@keys(PK="Product#{id}", SK="User#Product")`` reads the field ``id`` from the attribute ``PK`` and requires
    ``SK`` to be that text. ``{{`` and ``}}`` stand for braces.

    Args:
        templates: Attribute name to template.

    Raises:
        ModelDefinitionError: A template cannot be read back: unbalanced braces, or fields with nothing between them.
    """
    from ._keys import KeyTemplate

    parsed = {name: KeyTemplate(name, template) for name, template in templates.items()}

    def mark(cls: C) -> C:
        inherited: dict[str, Any] = getattr(cls, KEYS, {})
        setattr(cls, KEYS, {**inherited, **parsed})
        return cls

    return mark
