"""The values in a diff as the model has them: fields, and what is inside of them.

The paths of a diff consist of attribute names. A model has fields, whose names may be others, and
whose values may be other models: here an attribute path is followed through the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbstream._diff.compare import Edit, decoded
from ddbstream._diff.edits import moved, moves
from ddbstream._diff.values import ABSENT
from ddbstream._model import codec_for
from ddbstream._model.markers import KEYS
from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from ddbstream._diff.sides import Side
    from ddbstream._model import Codec, Registry
    from ddbstream._values.paths import Parts

__all__ = ["typed_at", "typed_values"]


def typed_values(edit: Edit, edits: Sequence[Edit], old: Side, new: Side) -> tuple[Any, Any]:
    """The two wire values of an edit, as the models of the two sides have them.

    Args:
        edit: An edit that leads from ``old`` to ``new``, or the part of one.
        edits: All of the edits between the two: they say what moved in lists.
        old: The side before.
        new: The side after.

    Raises:
        DecodeError: An item does not fit its model, or a value is malformed.
    """
    parts, before, after = edit
    value = before if before is ABSENT else _typed(old, parts, before)
    if after is ABSENT:
        return value, after
    moving = moves(edits)
    if before is ABSENT:
        # What comes into a list is at its position in the new one.
        place = (*moved(parts[:-1], moving), parts[-1])
    else:
        place = moved(parts, moving)
    return value, _typed(new, place, after)


def _typed(side: Side, parts: Parts, value: Any) -> Any:
    """The value at ``parts`` as the side's model has it.

    Where there is no model, or the model has no such place, it is the wire ``value`` read without
    a model.
    """
    found: Any = ABSENT
    if side.codec is not None:
        found = typed_at(side.codec, side.instance(side.codec), parts)
    return decoded(value, parts) if found is ABSENT else found


def typed_at(codec: Codec[Any], instance: Any, parts: Parts) -> Any:
    """What ``instance``, an item read by ``codec``, has at that path, or `ABSENT`."""
    found = instance
    for depth, part in enumerate(parts):
        if isinstance(part, int):
            if not isinstance(found, (list, tuple)) or part >= len(found):
                return ABSENT
            found = found[part]
        elif isinstance(found, Mapping):
            found = found.get(part, ABSENT)
        else:
            found = _field(None if depth else codec, found, part, codec.registry)
        if found is ABSENT:
            return ABSENT
    return found


def _field(
    codec: Codec[Any] | None, instance: Any, attribute: str, registry: Registry | None
) -> Any:
    if codec is None or codec.model is None:
        try:
            codec = codec_for(type(instance), registry)
        except DDBStreamError:
            return ABSENT
    if codec.model is not None and attribute in _key_attributes(codec):
        # A composite key is text assembled from fields, and no field's value.
        return ABSENT
    for field, stored in codec.attributes.items():
        if stored == attribute:
            return getattr(instance, field, ABSENT)
    return ABSENT


def _key_attributes(codec: Codec[Any]) -> Mapping[str, Any]:
    said = codec.registry.options(codec.model) if codec.registry is not None else None
    found: Mapping[str, Any] = (said and said.keys) or getattr(codec.model, KEYS, {})
    return found
