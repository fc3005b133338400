"""How items in wire form (``{"price": {"N": "1"}}``) are distinguished from Python items.

Both are plain mappings, so this is a guess: a Python item whose every attribute happens to be a map
of one type tag and a payload of that type is taken for a wire item. Sets in a payload do not
exclude the wire form, since people write ``{"SS": {"a", "b"}}`` by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from ddbstream._values.binaries import is_binary
from ddbstream._values.tags import SET_TAGS

__all__ = ["is_wire_item", "is_wire_value"]


def is_wire_item(item: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether every attribute of an item is in wire form; an item without attributes is."""
    return isinstance(item, Mapping) and all(map(is_wire_value, item.values()))


def is_wire_value(value: object) -> bool:
    """Whether a value is a map of one type tag and a payload of that type.

    What is inside a list or a map is not looked at.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((tag, payload),) = value.items()
    if tag in ("S", "N"):
        return isinstance(payload, str)
    if tag == "M":
        return isinstance(payload, Mapping)
    if tag in ("BOOL", "NULL"):
        return isinstance(payload, bool)
    if tag == "B":
        return isinstance(payload, str) or is_binary(payload)
    return (tag == "L" or tag in SET_TAGS) and isinstance(payload, (list, tuple, set, frozenset))
