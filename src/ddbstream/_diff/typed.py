"""The values in a diff as the model has them: fields, and what is inside of them.

The paths of a diff consist of attribute names. A model has fields, whose names may be others, and
whose values may be other models: here an attribute path is followed through the fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._diff.compare import Edit, decoded
from ddbstream._diff.values import ABSENT

if TYPE_CHECKING:
    from ddbstream._diff.sides import Side
    from ddbstream._values.paths import Parts

__all__ = ["typed_values"]


def typed_values(edit: Edit, place: Parts, old: Side, new: Side) -> tuple[Any, Any]:
    """The two wire values of an edit, as the models of the two sides have them.

    Args:
        edit: An edit that leads from ``old`` to ``new``, or the part of one.
        place: Where its new value is in the new item.
        old: The side before.
        new: The side after.

    Raises:
        DecodeError: An item does not fit its model, or a value is malformed.
    """
    parts, before, after = edit
    value = before if before is ABSENT else _typed(old, parts, before)
    if after is ABSENT:
        return value, after
    return value, _typed(new, place, after)


def _typed(side: Side, parts: Parts, value: Any) -> Any:
    """The value at ``parts`` as the side's model has it.

    Where there is no model, or the model has no such place, it is the wire ``value`` read without
    a model.
    """
    found: Any = ABSENT
    if side.codec is not None and side.codec.model is not None:
        found = side.codec.value_at(side.instance(side.codec), parts, ABSENT)
    return decoded(value, parts) if found is ABSENT else found
