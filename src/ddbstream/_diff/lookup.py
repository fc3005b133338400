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

__all__ = ["NoPathError", "attribute_path", "path_asked_for", "values_at"]


class NoPathError(DiffError, KeyError):
    """What a diff is asked for is no document path, so nothing changed there."""


def path_asked_for(path: str | Parts, codec: Codec[Any] | None) -> Parts:
    """The path that a diff is asked for, in attribute names.

    Raises:
        NoPathError: It is no document path.
    """
    try:
        parts = parse_path(path)
    except DiffError as error:
        raise NoPathError(error.problem, expected=error.expected, found=error.found) from None
    return attribute_path(parts, codec)


def attribute_path(parts: Parts, codec: Codec[Any] | None) -> Parts:
    """A path in attribute names, made from one that may start with the name of a model's field."""
    if codec is None:
        return parts
    attribute = codec.attributes.get(parts[0])  # type: ignore[arg-type]
    return parts if attribute is None else (attribute, *parts[1:])


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
