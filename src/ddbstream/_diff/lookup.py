"""What a diff is asked for by path: what is there before and after the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._diff.forms import PYTHON, WIRE, within
from ddbstream._diff.typed import resolved
from ddbstream._diff.values import ABSENT
from ddbstream._values.paths import Parts, Path, parse_path
from ddbstream.exceptions import DiffError

if TYPE_CHECKING:
    from ddbstream._diff.edits import Diff

__all__ = ["NoPathError", "between", "place"]


class NoPathError(DiffError, KeyError):
    """What a diff is asked for is no document path, so nothing changed there."""


def place(diff: Diff, path: Any) -> Parts:
    """The path that a diff is asked for, in attribute names.

    Raises:
        NoPathError: It is no document path.
    """
    try:
        parts = parse_path(path)
    except DiffError as error:
        raise NoPathError(error.problem, expected=error.expected, found=error.found) from None
    return resolved(parts, diff._new_codec or diff._old_codec)


def between(diff: Diff, parts: Parts) -> tuple[Any, Any] | None:
    """The old and new value at that path, in the diff's form; ``None`` if they do not differ.

    Raises:
        DiffError: They differ inside, and the diff does not know the whole of them.
    """
    form = WIRE if diff._form == "wire" else PYTHON
    depth = len(parts)
    for edited, old, new in diff._edits:
        if edited == parts:
            return old, new
        if edited[:depth] == parts:
            if diff._old is ABSENT:
                raise DiffError(
                    "made of changes alone: it does not know the whole value", path=Path.of(parts)
                )
            old, new = (  # noqa: PLW2901
                within(form, form.rebuilt(item), parts) for item in (diff._old, diff._new)
            )
            return old, new
        length = len(edited)
        if parts[:length] == edited:
            before, after = (
                ABSENT if value is ABSENT else within(form, value, parts[length:])
                for value in (old, new)
            )
            if before is after:
                return None
            if before is ABSENT or after is ABSENT or not form.same(before, after, parts):
                return before, after
            return None
    return None
