"""The four things that can happen at one place of an item, as values.

They are immutable, hashable and equal by value as `_values` says. ``match`` reads them:
``case Replaced(path, old, new)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Union

from ddbstream._diff._path import Path, parse_path
from ddbstream._diff._values import canonical, same

if TYPE_CHECKING:
    from ddbstream._diff._path import Parts

    from typing_extensions import Never

__all__ = ["Added", "Change", "Removed", "Replaced", "SetChanged"]


class _Change:
    """What the four have in common."""

    __slots__ = ("_shown", "path")

    path: Path
    _shown: tuple[str, ...] | None
    _values: ClassVar[tuple[str, ...]]

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, _Change)
        return self.path == other.path and all(
            same(getattr(self, name), getattr(other, name)) for name in self._values
        )

    def __hash__(self) -> int:
        return hash(
            (type(self).__name__, self.path, *(canonical(getattr(self, name)) for name in self._values))
        )

    def __repr__(self) -> str:
        """As it could be written; a redacted value is ``...``."""
        values = self._shown or tuple(repr(getattr(self, name)) for name in self._values)
        return f"{type(self).__name__}({', '.join((repr(self.path), *values))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path.parts, *(getattr(self, name) for name in self._values))


# The slots' own setters: what an immutable object is filled through.
_set_path: Final = _Change.__dict__["path"].__set__
_set_shown: Final = _Change.__dict__["_shown"].__set__


def _as_path(path: str | Parts) -> Path:
    return path if path.__class__ is Path else Path.of(parse_path(path))  # type: ignore[return-value]


class Added(_Change):
    """Something is where nothing was.

    Attributes:
        path: Where, as a document path.
        value: What is there now.
    """

    __slots__ = ("value",)
    __match_args__ = ("path", "value")
    _values = ("value",)

    value: Any

    def __init__(self, path: str | Parts, value: Any) -> None:
        _set_path(self, _as_path(path))
        _set_shown(self, None)
        _set_added_value(self, value)


class Removed(_Change):
    """Nothing is where something was.

    Attributes:
        path: Where, as a document path.
        value: What was there.
    """

    __slots__ = ("value",)
    __match_args__ = ("path", "value")
    _values = ("value",)

    value: Any

    def __init__(self, path: str | Parts, value: Any) -> None:
        _set_path(self, _as_path(path))
        _set_shown(self, None)
        _set_removed_value(self, value)


class Replaced(_Change):
    """Another value, perhaps of another type. ``None`` is DynamoDB's NULL.

    Attributes:
        path: Where, as a document path.
        old: What was there.
        new: What is there now.
    """

    __slots__ = ("new", "old")
    __match_args__ = ("path", "old", "new")
    _values = ("old", "new")

    old: Any
    new: Any

    def __init__(self, path: str | Parts, old: Any, new: Any) -> None:
        _set_path(self, _as_path(path))
        _set_shown(self, None)
        _set_old(self, old)
        _set_new(self, new)


class SetChanged(_Change):
    """A set that gained members, lost some, or both.

    Attributes:
        path: Where, as a document path.
        added: The members it gained.
        removed: The members it lost.
    """

    __slots__ = ("added", "removed")
    __match_args__ = ("path", "added", "removed")
    _values = ("added", "removed")

    added: frozenset[Any]
    removed: frozenset[Any]

    def __init__(self, path: str | Parts, added: Any, removed: Any) -> None:
        _set_path(self, _as_path(path))
        _set_shown(self, None)
        _set_added(self, frozenset(added))
        _set_removed(self, frozenset(removed))


_set_added_value: Final = Added.__dict__["value"].__set__
_set_removed_value: Final = Removed.__dict__["value"].__set__
_set_old: Final = Replaced.__dict__["old"].__set__
_set_new: Final = Replaced.__dict__["new"].__set__
_set_added: Final = SetChanged.__dict__["added"].__set__
_set_removed: Final = SetChanged.__dict__["removed"].__set__

Change = Union[Added, Removed, Replaced, SetChanged]
"""What iterating over a `Diff` gives."""
