"""What was seen at one place of the items: a fold of attribute values, of whatever shape they are.

A place has a count for each wire tag and the folds of what is inside. Maps keep a fold for each
name while there are few names, and else one fold for all: such names are data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ddbstream._infer.scalars import NumberSeen, TextSeen

__all__ = ["MapSeen", "Seen"]

#: Names that a map may have before they are taken for data, by the depth of the map. Nested maps
#: multiply, so that deep ones get few.
_MOST_NAMES: Final = (64, 64, 32, 16, 8)


class Seen:
    """The attribute values that were seen at one place.

    Attributes:
        count: How many, of any tag.
        tags: How many of each wire tag.
        text: The payloads of ``S``.
        numbers: Those of ``N``.
        texts: The members of ``SS``.
        number_members: The members of ``NS``.
        members: The members of lists.
        map: The maps.
        depth: How many containers are around it.
    """

    __slots__ = (
        "count",
        "depth",
        "map",
        "members",
        "number_members",
        "numbers",
        "tags",
        "text",
        "texts",
    )

    def __init__(self, depth: int = 0) -> None:
        self.count = 0
        self.depth = depth
        self.tags: dict[str, int] = {}
        self.text: TextSeen | None = None
        self.numbers: NumberSeen | None = None
        self.texts: TextSeen | None = None
        self.number_members: NumberSeen | None = None
        self.members: Seen | None = None
        self.map: MapSeen | None = None

    def add(self, value: Mapping[str, Any]) -> None:
        """Fold one attribute value, which `from_attribute_value` can read."""
        self.count += 1
        ((tag, payload),) = value.items()
        self.tags[tag] = self.tags.get(tag, 0) + 1
        if tag == "S":
            if self.text is None:
                self.text = TextSeen()
            self.text.add(payload)
        elif tag == "N":
            if self.numbers is None:
                self.numbers = NumberSeen()
            self.numbers.add(payload)
        elif tag in ("M", "L", "SS", "NS"):
            self._add_inside(tag, payload)

    def _add_inside(self, tag: str, payload: Any) -> None:
        if tag == "M":
            if self.map is None:
                self.map = MapSeen(self.depth + 1)
            self.map.add(payload)
        elif tag == "L":
            if self.members is None:
                self.members = Seen(self.depth + 1)
            for member in payload:
                self.members.add(member)
        elif tag == "SS":
            if self.texts is None:
                self.texts = TextSeen()
            for text in payload:
                self.texts.add(text)
        else:
            if self.number_members is None:
                self.number_members = NumberSeen()
            for number in payload:
                self.number_members.add(number)

    def merge(self, other: Seen) -> None:
        """Fold all that ``other`` has folded; ``other`` is not to be used any more."""
        self.count += other.count
        for tag, count in other.tags.items():
            self.tags[tag] = self.tags.get(tag, 0) + count
        for name in ("text", "numbers", "texts", "number_members", "members", "map"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is None:
                setattr(self, name, theirs)
            elif theirs is not None:
                mine.merge(theirs)

    @property
    def nulls(self) -> int:
        """How many were ``NULL``."""
        return self.tags.get("NULL", 0)


class MapSeen:
    """The maps that were seen at one place.

    Attributes:
        count: How many.
        keys: Their names, as texts.
        members: A fold for each name; None where the names are data.
        values: One fold for all members, where the names are data.
        depth: How many containers are around the members.
    """

    __slots__ = ("count", "depth", "keys", "members", "values")

    def __init__(self, depth: int) -> None:
        self.count = 0
        self.depth = depth
        self.keys = TextSeen()
        self.members: dict[str, Seen] | None = {}
        self.values: Seen | None = None

    def add(self, payload: Mapping[str, Any]) -> None:
        """Fold one map."""
        self.count += 1
        for name, value in payload.items():
            self.keys.add(name)
            self._place(name).add(value)

    def _place(self, name: str) -> Seen:
        if self.members is None:
            assert self.values is not None
            return self.values
        seen = self.members.get(name)
        if seen is None:
            if len(self.members) >= _MOST_NAMES[min(self.depth, len(_MOST_NAMES) - 1)]:
                return self.as_data()
            seen = self.members[name] = Seen(self.depth)
        return seen

    def as_data(self) -> Seen:
        """Take the names for data from now on; the fold of all members."""
        if self.values is None:
            self.values = Seen(self.depth)
            for seen in (self.members or {}).values():
                self.values.merge(seen)
            self.members = None
        return self.values

    def merge(self, other: MapSeen) -> None:
        """Fold all that ``other`` has folded; ``other`` is not to be used any more."""
        self.count += other.count
        self.keys.merge(other.keys)
        if other.members is None:
            assert other.values is not None
            self.as_data().merge(other.values)
            return
        for name, seen in other.members.items():
            self._place(name).merge(seen)
