"""Diffs for reading: text, one line a change."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ddbstream._diff._changes import Added, Removed, SetChanged

if TYPE_CHECKING:
    from ddbstream._diff._diff import Diff

__all__ = ["described"]


def described(diff: Diff) -> str:
    """The diff's changes, one a line."""
    return "\n".join(map(_line, diff))


def _line(change: Any) -> str:
    if isinstance(change, Added):
        return f"{change.path}: added {_shown(change.value)}"
    if isinstance(change, Removed):
        return f"{change.path}: removed {_shown(change.value)}"
    if isinstance(change, SetChanged):
        deltas = [
            f"{sign}{_shown(member)}"
            for sign, members in (("+", change.added), ("-", change.removed))
            for member in sorted(members, key=lambda m: (type(m).__name__, m))
        ]
        return f"{change.path}: {' '.join(deltas)}"
    return f"{change.path}: {_shown(change.old)} -> {_shown(change.new)}"


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return repr(value)
