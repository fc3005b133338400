"""How items are sorted: what of an item may tell which entity it is of.

A type attribute tells it, or the words in the item's keys, or a classifier that was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ddbstream._infer.key_texts import parts_of, words_of

__all__ = ["TYPE_ATTRIBUTES", "Grouping", "Signature"]

#: Where items say what they are: the presets of `by_attribute`, and names that people choose.
TYPE_ATTRIBUTES: Final = (
    "_type",
    "_et",
    "entity",
    "__edb_e__",
    "cls",
    "__en",
    "__typename",
    "_entity",
    "entityType",
    "entity_type",
    "EntityType",
    "itemType",
    "item_type",
    "recordType",
    "record_type",
)
_TYPE: Final = re.compile(r"[A-Za-z][\w.:/ -]{0,47}", re.ASCII)

#: What the key attributes of single tables are called, where nobody says which they are.
_KEY_NAME: Final = re.compile(
    r"(?:(?:gsi|gs|lsi)_?\d*_?)?(?:pk|sk)\d*|(?:hash|range|partition|sort)_?key", re.IGNORECASE
)

#: Names of attributes are looked at once; where they are data, not all are remembered.
_MOST_REMEMBERED: Final = 1000


class Signature(NamedTuple):
    """All that may tell an item's entity.

    Attributes:
        kind: What its type attribute, or the given classifier, says; None if nothing.
        keys: Its key attributes with the words in them.
        attribute: Where it says its kind; None if it does not say it itself.
    """

    kind: str | None
    keys: tuple[tuple[str, tuple[str, ...]], ...]
    attribute: str | None = None


class Grouping:
    """How items are sorted.

    Args:
        keys: The table's key attributes, partition key first. Without them, those with the names
            that keys usually have.
        separator: What stands between the parts of a composite key.
        type_attribute: The attribute that says what an item is; None to look for one.
        classify: Says what an item is, in place of all the rest.
        single: Whether all items are of one entity.
    """

    def __init__(
        self,
        *,
        keys: Sequence[str] = (),
        separator: str = "#",
        type_attribute: str | None = None,
        classify: Callable[[Mapping[str, Any]], str | None] | None = None,
        single: bool = False,
    ) -> None:
        self.keys = tuple(keys)
        self.separator = separator
        self.type_attributes = TYPE_ATTRIBUTES if type_attribute is None else (type_attribute,)
        self.told = type_attribute is not None
        self.classify = classify
        self.single = single
        self._found: dict[str, bool] = {}

    def key_texts(self, item: Mapping[str, Any]) -> dict[str, list[str]]:
        """The parts of an item's keys that are text, by attribute, in order."""
        names: Iterable[str] = self.keys or sorted(filter(self._is_key, item), key=_key_order)
        found = {}
        for name in names:
            text = item.get(name, {}).get("S")
            if isinstance(text, str):
                found[name] = parts_of(text, self.separator)
        return found

    def _is_key(self, name: str) -> bool:
        known = self._found.get(name)
        if known is None:
            known = bool(_KEY_NAME.fullmatch(name))
            if len(self._found) < _MOST_REMEMBERED:
                self._found[name] = known
        return known

    def signature(self, item: Mapping[str, Any], texts: Mapping[str, list[str]]) -> Signature:
        """What may tell an item's entity; raises what the given classifier raises."""
        if self.single:
            return Signature(None, ())
        if self.classify is not None:
            return Signature(self.classify(item), ())
        attribute, kind = self._kind(item)
        words = tuple(
            (name, words_of(parts, self.separator, first_key=not number))
            for number, (name, parts) in enumerate(texts.items())
            if number < 2  # an index's keys repeat what the table's say
        )
        return Signature(kind, words, attribute)

    def _kind(self, item: Mapping[str, Any]) -> tuple[str | None, str | None]:
        for name in self.type_attributes:
            text = item.get(name, {}).get("S")
            if isinstance(text, str) and (self.told or _TYPE.fullmatch(text)):
                return name, text
        return None, None


def _key_order(name: str) -> tuple[bool, str, bool, str]:
    """The table's own keys before those of indexes, a partition key before its sort key."""
    lower = name.lower()
    index = lower.startswith(("gsi", "gs", "lsi"))
    is_sort = lower.rstrip("0123456789").endswith(
        ("sk", "sortkey", "sort_key", "rangekey", "range_key")
    )
    stem = re.sub(r"(pk|sk|key)\d*$", "", lower) if index else ""
    return index, stem, is_sort, name
