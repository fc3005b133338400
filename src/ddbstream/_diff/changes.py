"""The four things that can happen at one place of an item, as values.

They are immutable, hashable, and equal when their values are the same DynamoDB values. ``match``
reads them: ``case Replaced(path, old, new)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ddbstream._diff.values import canonical, same
from ddbstream._values.paths import Path, parse_path
from ddbstream.exceptions import DiffError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ddbstream._values.paths import Parts

__all__ = ["Added", "DiffChange", "Removed", "Replaced", "SetChanged", "hide", "shown_values"]


class _DiffChange:
    """What the four have in common."""

    # `_shown` is set on a redacted change only.
    __slots__ = ("_path", "_shown")

    _path: Path
    _shown: tuple[Any, ...]
    __match_args__: ClassVar[tuple[str, ...]]

    @property
    def path(self) -> Path:
        """Where, as a document path; ``path.parts`` has its parts."""
        return self._path

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        pairs = [(getattr(self, name), getattr(other, name)) for name in self.__match_args__]
        try:
            return all(same(one, another) for one, another in pairs)
        except RecursionError:
            raise _too_deep(self._path) from None

    def __hash__(self) -> int:
        values = [getattr(self, name) for name in self.__match_args__]
        try:
            return hash((type(self).__name__, *map(canonical, values)))
        except RecursionError:
            raise _too_deep(self._path) from None

    def __repr__(self) -> str:
        """As it could be written; a redacted value is ``<redacted>``."""
        try:
            shown = ", ".join(map(repr, (self._path, *shown_values(self))))
            return f"{type(self).__name__}({shown})"
        except RecursionError:
            raise _too_deep(self._path) from None

    def __reduce__(self) -> tuple[Any, ...]:
        values = tuple([getattr(self, name) for name in self.__match_args__])
        return _restored, (type(self), values, getattr(self, "_shown", None))


def _restored(kind: Any, values: tuple[Any, ...], shown: tuple[Any, ...] | None) -> Any:
    """A copy of a change: what is hidden stays hidden."""
    made = kind(*values)
    if shown is not None:
        hide(made, shown)
    return made


def _too_deep(path: Path) -> DiffError:
    return DiffError("nested too deeply", path=path)


def _as_path(path: str | Parts) -> Path:
    return path if isinstance(path, Path) else Path.of(parse_path(path))


class Added(_DiffChange):
    """Something is where nothing was.

    Args:
        path: Where, as a document path.
        value: What is there now.
    """

    __slots__ = ("_value",)
    __match_args__ = ("path", "value")

    _value: Any

    def __init__(self, path: str | Parts, value: Any) -> None:
        self._path = path if isinstance(path, Path) else _as_path(path)
        self._value = value

    @property
    def value(self) -> Any:
        """What is there now."""
        return self._value


class Removed(_DiffChange):
    """Nothing is where something was.

    Args:
        path: Where, as a document path.
        value: What was there.
    """

    __slots__ = ("_value",)
    __match_args__ = ("path", "value")

    _value: Any

    def __init__(self, path: str | Parts, value: Any) -> None:
        self._path = path if isinstance(path, Path) else _as_path(path)
        self._value = value

    @property
    def value(self) -> Any:
        """What was there."""
        return self._value


class Replaced(_DiffChange):
    """Another value, perhaps of another type. ``None`` is DynamoDB's NULL.

    Args:
        path: Where, as a document path.
        old: What was there.
        new: What is there now.
    """

    __slots__ = ("_new", "_old")
    __match_args__ = ("path", "old", "new")

    _old: Any
    _new: Any

    def __init__(self, path: str | Parts, old: Any, new: Any) -> None:
        self._path = path if isinstance(path, Path) else _as_path(path)
        self._old = old
        self._new = new

    @property
    def old(self) -> Any:
        """What was there."""
        return self._old

    @property
    def new(self) -> Any:
        """What is there now."""
        return self._new


class SetChanged(_DiffChange):
    """A set that gained members, lost some, or both.

    Args:
        path: Where, as a document path.
        added: The members it gained.
        removed: The members it lost.
    """

    __slots__ = ("_added", "_removed")
    __match_args__ = ("path", "added", "removed")

    _added: frozenset[Any]
    _removed: frozenset[Any]

    def __init__(self, path: str | Parts, added: Iterable[Any], removed: Iterable[Any]) -> None:
        self._path = _as_path(path)
        self._added = frozenset(added)
        self._removed = frozenset(removed)

    @property
    def added(self) -> frozenset[Any]:
        """The members it gained."""
        return self._added

    @property
    def removed(self) -> frozenset[Any]:
        """The members it lost."""
        return self._removed


DiffChange = Added | Removed | Replaced | SetChanged
"""What iterating over a `Diff` gives."""


def shown_values(change: _DiffChange) -> tuple[Any, ...]:
    """The values of a change as they may be shown, in the order of its arguments."""
    shown = getattr(change, "_shown", None)
    if shown is not None:
        return tuple(shown)
    return tuple([getattr(change, name) for name in change.__match_args__[1:]])


def hide(change: _DiffChange, shown: tuple[Any, ...]) -> None:
    """Let a change show these values in place of its own."""
    change._shown = shown
