"""JSON: checks of its values, which may be of any type, and mappings that are still its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    _Mapping = Mapping[str, Any]
else:
    _Mapping = object

__all__ = ["Unread", "has_part", "is_map", "text_of"]


class Unread(_Mapping):
    """A mapping that is still JSON text: members are read when they are asked for.

    Those that inherit it are Mappings too. At run time it is none itself, since a check for a class
    with abstract methods costs as much as reading an attribute.
    """

    __slots__ = ()

    def parsed(self) -> dict[str, Any]:
        """All of it as a dict, the same one each time."""
        raise NotImplementedError

    def unread(self, name: str) -> Any:
        """The JSON text of a member, as bytes of any kind; None if there is no such text."""
        return None

    def view(self, name: str) -> Any:
        """A member as `get` gives it; if it is a map, one of which single members are read."""
        return self.get(name)

    def text(self, attribute: str) -> str | None:
        """The ``S`` of an attribute in a record's keys, else in its new image or its old one.

        None if there is none, or something is unusual: who reads the maps sees which.
        """
        return None

    def differing(self, other: Unread, name: str, absent: Any) -> tuple[Any, Any] | None:
        """A member here and in another map, as the values that `get` gives.

        None if they are the same text, of which nothing is read then.
        """
        return self.get(name, absent), other.get(name, absent)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parsed())

    def __len__(self) -> int:
        return len(self.parsed())

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (self.parsed(),))


def is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping, whose keys the wire promises to be text."""
    return isinstance(value, Mapping)


def text_of(value: object) -> str | None:
    """An identifier that an error may print; None if it is not text."""
    return value if isinstance(value, str) else None


def has_part(answer: object, name: str, kind: type) -> TypeGuard[Mapping[str, Any]]:
    """Whether an answer of AWS has what it must have.

    botocore gives ``{}`` for one that was cut off, of which nothing is known: it is not empty.
    """
    return is_map(answer) and isinstance(answer.get(name), kind)
