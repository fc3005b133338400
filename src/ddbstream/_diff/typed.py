"""The values in a diff as the model has them: fields, and what is inside of them.

The paths of a diff are made of attribute names. A model has fields, whose names may be others, and
whose values may be other models; here the one is followed through the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddbstream._diff.compare import decoded
from ddbstream._diff.patch import moved, moves
from ddbstream._diff.values import ABSENT
from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from ddbstream._diff.edits import Diff
    from ddbstream._model import Codec, Registry
    from ddbstream._values.paths import Parts

__all__ = ["resolved", "typed_at", "typed_values"]


def resolved(parts: Parts, codec: Codec[Any] | None) -> Parts:
    """The path in attribute names of one that may start with a field's name."""
    if codec is None:
        return parts
    attribute = codec.attributes.get(parts[0])  # type: ignore[arg-type]
    return parts if attribute is None else (attribute, *parts[1:])


def typed_values(diff: Diff, parts: Parts, old: Any, new: Any) -> tuple[Any, Any]:
    """The two wire values of an edit at ``parts``, as the models of the diff have them.

    Raises:
        DecodeError: An image does not fit its model, or a value is malformed.
    """
    if old is not ABSENT:
        diff._old_obj, value = _typed(diff._old_codec, diff._old, diff._old_obj, parts, old)
    else:
        value = ABSENT
    if new is ABSENT:
        return value, new
    moving = moves(diff._edits)
    if old is ABSENT:
        # What comes into a list is at its position of the new one.
        place = (*moved(parts[:-1], moving), parts[-1])
    else:
        place = moved(parts, moving)
    diff._new_obj, after = _typed(diff._new_codec, diff._new, diff._new_obj, place, new)
    return value, after


def _typed(
    codec: Codec[Any] | None, image: Any, obj: Any, parts: Parts, value: Any
) -> tuple[Any, Any]:
    """The image as the model reads it, and the value at ``parts`` in it.

    An image that has been read is given as ``obj`` again. Where the model has no such place, the
    value is the wire ``value`` read without a model.

    Raises:
        DecodeError: The image does not fit the model, or the value is malformed.
    """
    assert codec is not None
    if obj is None:
        obj = codec.decode(image)
    found = typed_at(codec, obj, parts)
    return obj, decoded(value, parts) if found is ABSENT else found


def typed_at(codec: Codec[Any], obj: Any, parts: Parts) -> Any:
    """What ``obj``, an item read by ``codec``, has at that path, or `ABSENT`."""
    for part in parts:
        if isinstance(part, int):
            if not isinstance(obj, (list, tuple)) or part >= len(obj):
                return ABSENT
            obj = obj[part]
        elif isinstance(obj, Mapping):
            obj = _under(obj, part)
        else:
            obj = _field(codec if parts[0] is part else None, obj, part, codec.registry)
        if obj is ABSENT:
            return ABSENT
    return obj


def _under(mapping: Mapping[Any, Any], name: str) -> Any:
    return mapping.get(name, ABSENT)


def _field(codec: Codec[Any] | None, obj: Any, attribute: str, registry: Registry | None) -> Any:
    from ddbstream._model import codec_for

    if codec is None or codec.model is None:
        try:
            codec = codec_for(type(obj), registry)
        except DDBStreamError:
            return ABSENT
    if codec.model is not None and attribute in _key_attributes(codec):
        # A composite key is text made of fields, and no field's value.
        return ABSENT
    for field, stored in codec.attributes.items():
        if stored == attribute:
            return getattr(obj, field, ABSENT)
    return ABSENT


def _key_attributes(codec: Codec[Any]) -> Mapping[str, Any]:
    from ddbstream._model.markers import KEYS

    said = codec.registry.options(codec.model) if codec.registry is not None else None
    found: Mapping[str, Any] = (said and said.keys) or getattr(codec.model, KEYS, {})
    return found
