"""Diffs for reading: text of one line a change, and values that must not be read."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ddbstream._diff.changes import Added, DiffChange, Removed, SetChanged, hide, shown_values
from ddbstream._diff.lookup import attribute_paths
from ddbstream._diff.values import dynamodb_type
from ddbstream._values.paths import Parts, parse_path
from ddbstream.exceptions import printable

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["REDACTED", "Hidden", "described", "masked", "parse_hidden", "redact"]

Hidden = tuple[str | int | None, ...]
"""A path whose values are hidden; ``None`` is any position."""


class _Redacted:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<redacted>"

    def __reduce__(self) -> str:
        return "REDACTED"


REDACTED: Final = _Redacted()
"""Stands where a value is hidden."""


def parse_hidden(path: str | Parts, codec: Codec[Any] | None) -> list[Hidden]:
    """The paths that one for `Diff.redact` hides: every attribute that its names can mean.

    Each position of a list counts as any, for what is in a list moves.

    Raises:
        DiffError: It is no document path.
    """
    text = path.replace("[*]", "[0]") if isinstance(path, str) else path
    return [
        tuple([None if isinstance(part, int) else part for part in parts])
        for parts in attribute_paths(parse_path(text), codec, every=True)
    ]


def masked(parts: Parts, value: Any, hidden: Iterable[Hidden], *, typed: bool = False) -> Any:
    """The Python value at ``parts`` as it may be shown.

    Args:
        parts: Where the value is, in attribute names.
        value: The value.
        hidden: The paths that must not be shown.
        typed: Whether it is a model's value, in which attributes may have any name.
    """
    below = []
    for path in hidden:
        shared = min(len(path), len(parts))
        if all(_meets(a, b) for a, b in zip(path[:shared], parts[:shared], strict=True)):
            if len(path) <= len(parts):
                return REDACTED
            below.append(path)
    if not below:
        return value
    kind = dynamodb_type(value)
    if kind in ("M", "L") and typed:
        return REDACTED
    if kind == "M":
        return {name: masked((*parts, name), inner, below) for name, inner in value.items()}
    if kind == "L":
        return [masked((*parts, at), inner, below) for at, inner in enumerate(value)]
    # Text, a number or a set has nothing inside; another object may have anything.
    return value if kind else REDACTED


def _meets(hidden: str | int | None, part: str | int) -> bool:
    return isinstance(part, int) if hidden is None else hidden == part


def redact(changes: Iterable[DiffChange], hidden: Iterable[Hidden], *, typed: bool) -> None:
    """Note on new changes what of their values may be shown."""
    for change in changes:
        values = shown_values(change)
        shown = tuple([masked(change.path.parts, value, hidden, typed=typed) for value in values])
        if any(one is not other for one, other in zip(values, shown, strict=True)):
            hide(change, shown)


# --- text ---------------------------------------------------------------------------------------


def described(changes: Iterable[DiffChange], *, values: bool = True) -> str:
    """The changes, one a line."""
    return "\n".join(printable(_line(change, values=values)) for change in changes)


def _line(change: DiffChange, *, values: bool) -> str:
    path = str(change.path)
    shown = shown_values(change)
    if isinstance(change, SetChanged):
        if values and REDACTED not in shown:
            return f"{path}: {' '.join((*_members('+', shown[0]), *_members('-', shown[1])))}"
        return f"{path}: +{len(change.added)} -{len(change.removed)} members"
    if isinstance(change, Added):
        return f"{path}: added" + (f" {_shown(shown[0])}" if values else "")
    if isinstance(change, Removed):
        return f"{path}: removed" + (f" {_shown(shown[0])}" if values else "")
    return f"{path}: {_shown(shown[0])} -> {_shown(shown[1])}" if values else f"{path}: replaced"


def _members(sign: str, members: Iterable[Any]) -> list[str]:
    return sorted(f"{sign}{_shown(member)}" for member in members)


def _shown(value: Any) -> str:
    """A value on one line: as ``repr`` has it, but numbers as numbers are written."""
    if isinstance(value, Decimal):
        return str(value)
    if value.__class__ is dict:
        inner = ", ".join(f"{_shown(name)}: {_shown(each)}" for name, each in value.items())
        return f"{{{inner}}}"
    if value.__class__ is list:
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_shown, value)))}}}" if value else "set()"
    text = repr(value)
    return " ".join(text.split()) if "\n" in text else text
