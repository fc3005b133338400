"""What a diff is asked for by path: what is there before and after the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._diff.forms import within
from ddbstream._diff.values import ABSENT
from ddbstream._values.paths import Parts, Path, parse_path
from ddbstream.exceptions import DiffError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddbstream._diff.compare import Edit
    from ddbstream._diff.sides import Side
    from ddbstream._model import Codec

__all__ = ["NoPathError", "attribute_paths", "paths_asked_for", "values_at"]


class NoPathError(DiffError, KeyError):
    """What a diff is asked for is no document path, so nothing changed there."""


def paths_asked_for(path: str | Parts, codec: Codec[Any] | None) -> list[Parts]:
    """The paths that a diff is asked for, in attribute names: the likeliest first.

    Raises:
        NoPathError: It is no document path.
    """
    try:
        parts = parse_path(path)
    except DiffError as error:
        raise NoPathError(error.problem, expected=error.expected, found=error.found) from None
    return attribute_paths(parts, codec)


def attribute_paths(parts: Parts, codec: Codec[Any] | None, *, every: bool = False) -> list[Parts]:
    """The paths in attribute names that a path in names of a model's fields means.

    Args:
        parts: The path; what no field is named by is an attribute's name.
        codec: The model's; without a model there are only attributes.
        every: Also what attribute names mean where fields of the same names win.
    """
    if codec is None or codec.model is None:
        return [parts]
    return list(dict.fromkeys(found for found, _, _ in codec.places(parts, every=every)))


def values_at(parts: Parts, edits: Sequence[Edit], old: Side, new: Side) -> tuple[Any, Any] | None:
    """The values at that path on both sides, in the form of the sides; ``None`` if they are equal.

    Raises:
        DiffError: They differ inside, and the sides do not have the whole items.
    """
    form = old.form
    depth = len(parts)
    for edited, before, after in edits:
        if edited == parts:
            return before, after
        if edited[:depth] == parts:
            if old.item is ABSENT:
                raise DiffError(
                    "made from changes alone: it does not know the whole value",
                    path=Path.of(parts),
                )
            whole = [within(form, form.rebuilt(side.item), parts) for side in (old, new)]
            return whole[0], whole[1]
        length = len(edited)
        if parts[:length] == edited:
            one, other = (
                ABSENT if value is ABSENT else within(form, value, parts[length:])
                for value in (before, after)
            )
            if one is other:
                return None
            if one is ABSENT or other is ABSENT or not form.same(one, other, parts):
                return one, other
            return None
    return None
