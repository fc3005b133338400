"""What a diff is asked for by path: what is there before and after the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._diff.edits import moved, moves, new_place
from ddbstream._diff.forms import within
from ddbstream._diff.values import ABSENT
from ddbstream._values.paths import Parts, Path, parse_path
from ddbstream.exceptions import DiffError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddbstream._diff.compare import Edit
    from ddbstream._diff.sides import Side
    from ddbstream._model import Codec

__all__ = ["Found", "NoPathError", "attribute_paths", "paths_asked_for", "values_at"]


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


class Found(NamedTuple):
    """The values at a path on both sides, in the form of the sides.

    Attributes:
        old: The value before.
        new: The value after.
        place: Where that is in the new item.
    """

    old: Any
    new: Any
    place: Parts


def values_at(parts: Parts, edits: Sequence[Edit], old: Side, new: Side) -> Found | None:
    """What changed at that path; ``None`` if nothing did.

    Raises:
        DiffError: The values differ inside, and the sides do not have the whole items.
    """
    # In this order, since a member that came into a list may seem to have the others' places in it.
    for edited, before, after in edits:
        if edited == parts:
            return Found(before, after, _place_of(edited, before, edits, new))
    depth = len(parts)
    if any(edited[:depth] == parts for edited, _, _ in edits):
        return _around(parts, moved(parts, moves(edits)), old, new)
    form = old.form
    for edited, before, after in edits:
        length = len(edited)
        if parts[:length] == edited:
            one, other = (
                ABSENT if value is ABSENT else within(form, value, parts[length:])
                for value in (before, after)
            )
            if one is not other and (
                one is ABSENT or other is ABSENT or not form.same(one, other, parts)
            ):
                place = _place_of(edited, before, edits, new)
                return Found(one, other, (*place, *parts[length:]))
    return None


def _place_of(parts: Parts, before: Any, edits: Sequence[Edit], new: Side) -> Parts:
    # only a model looks there
    return parts if new.codec is None else new_place(parts, before, moves(edits))


def _around(parts: Parts, place: Parts, old: Side, new: Side) -> Found:
    """The values at a path that changed inside."""
    if old.item is ABSENT:
        raise DiffError(
            "made from changes alone: it does not know the whole value", path=Path.of(parts)
        )
    form = old.form
    one = within(form, form.rebuilt(old.item), parts)
    return Found(one, within(form, form.rebuilt(new.item), place), place)
