"""From what was seen at a place to the narrowest annotation that holds all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ddbstream._infer.layout import quoted
from ddbstream._infer.names import class_name, field_name, singular
from ddbstream._infer.scalars import NumberKind, NumberSeen, TextKind, TextSeen
from ddbstream._infer.seen import MapSeen, Seen
from ddbstream._values.tags import SET_TAGS

__all__ = ["Alias", "Annotation", "Annotations", "Nested"]

#: An annotation that is longer is given a name, so that a field's line can be read.
_LONGEST: Final = 40

#: Of so many texts each of a few choices was seen often enough to believe that these are all.
_FEWEST_FOR_CHOICE: Final = 20
_EACH_CHOICE: Final = 5

#: Maps of so many names, each of which few maps have, are dictionaries.
_MANY_NAMES: Final = 12
_SELDOM: Final = 4

#: Words in the names of attributes whose numbers, of the right size, are moments.
_MOMENT_WORDS: Final = frozenset(
    {
        *("at", "created", "date", "deleted", "epoch", "expiration", "expire", "expires", "expiry"),
        *("login", "modified", "on", "seen", "since", "time", "timestamp", "ts", "ttl", "until"),
        *("updated", "when"),
    }
)

_HOMES: Final = {
    "Annotated": "typing",
    "Any": "typing",
    "Literal": "typing",
    "Decimal": "decimal",
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "UUID": "uuid",
    "Attribute": "ddbstream",
    "Epoch": "ddbstream",
    "keys": "ddbstream",
    "model": "ddbstream.models",
}


@dataclass
class Annotation:
    """An annotation's text.

    Attributes:
        text: Without ``Annotated`` and its marks, and without None.
        epoch: The unit of an ``Epoch``, or None.
        is_set: Whether it is one kind of set, whose absence is the empty set.
    """

    text: str
    epoch: str | None = None
    is_set: bool = False


@dataclass
class Alias:
    """A name for a long annotation.

    Attributes:
        name: The name.
        opening: ``Literal[`` or ``dict[``; empty for a union.
        parts: What stands between commas, or between bars.
    """

    name: str
    opening: str
    parts: list[str]


@dataclass
class Nested:
    """A class for maps inside of items.

    Attributes:
        name: Its name.
        map: What was seen of the maps.
    """

    name: str
    map: MapSeen


@dataclass
class Annotations:
    """Makes the annotations of one module.

    Attributes:
        names: What is taken in the module: classes and aliases.
        used: What annotations name beside those: imports and built-in types.
        parts: Nested classes and aliases, each before what uses it.
        choices: Whether to write ``Literal``.
    """

    names: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    parts: list[Alias | Nested] = field(default_factory=list)
    choices: bool = True

    def imports(self) -> dict[str, set[str]]:
        """What to import, by module."""
        found: dict[str, set[str]] = {}
        for name in self.used:
            if name in _HOMES:
                found.setdefault(_HOMES[name], set()).add(name)
        return found

    def use(self, name: str) -> str:
        """Note that the module uses a name; returns it."""
        self.used.add(name)
        return name

    def free_class(self, text: str) -> str:
        """A class name that nothing has yet."""
        name = free = class_name(text)
        number = 1
        while free in self.names:
            number += 1
            free = f"{name}{number}"
        self.names.add(free)
        return free

    def of(self, seen: Seen, attribute: str, owner: str, *, is_ttl: bool = False) -> Annotation:
        """The annotation of an attribute.

        Args:
            seen: What was seen of it.
            attribute: Its name.
            owner: The class that has it.
            is_ttl: Whether it is the table's time to live.
        """
        tags = set(seen.tags) - {"NULL"}
        if tags == {"N"}:
            assert seen.numbers is not None
            unit = _epoch(seen.numbers, attribute, is_ttl=is_ttl)
            if unit is not None:
                return Annotation(self.use("datetime"), epoch=self._marked(unit))
        is_set = len(tags) == 1 and tags <= SET_TAGS
        return Annotation(self._union(seen, attribute, owner), is_set=is_set)

    def _marked(self, unit: str) -> str:
        self.use("Annotated")
        self.use("Epoch")
        return unit

    def _union(self, seen: Seen, attribute: str, owner: str) -> str:
        parts = self._parts(seen, attribute, owner)
        if not parts:
            return self.use("Any")
        text = " | ".join(parts)
        if len(parts) == 1 or len(text) <= _LONGEST:
            return text
        return self._alias(attribute, owner, "", parts)

    def _alias(self, attribute: str, owner: str, opening: str, parts: list[str]) -> str:
        name = self.free_class(f"{owner}_{attribute}")
        self.parts.append(Alias(name, opening, parts))
        return name

    def _fitting(self, text: str, attribute: str, owner: str, opening: str, *parts: str) -> str:
        return text if len(text) <= _LONGEST else self._alias(attribute, owner, opening, [*parts])

    def _parts(self, seen: Seen, attribute: str, owner: str) -> list[str]:
        """An annotation for each wire tag, in an order of their own."""
        parts = [
            self.use(name) for tag, name in (("BOOL", "bool"), ("B", "bytes")) if tag in seen.tags
        ]
        parts += self._numbers_and_texts(seen, attribute, owner)
        if seen.map is not None:
            parts.append(self._map(seen.map, attribute, owner))
        if "L" in seen.tags:
            assert seen.members is not None
            inner = self._member(seen.members, singular(attribute), owner)
            self.use("list")
            parts.append(self._fitting(f"list[{inner}]", attribute, owner, "list[", inner))
        for tag, inner in self._set_members(seen, attribute, owner):
            if tag in seen.tags:
                self.use("set")
                parts.append(self._fitting(f"set[{inner}]", attribute, owner, "set[", inner))
        return parts

    def _numbers_and_texts(self, seen: Seen, attribute: str, owner: str) -> list[str]:
        numbers, text = seen.numbers, seen.text
        if text is None or numbers is None:
            return [
                *([] if numbers is None else [self._number(numbers)]),
                *([] if text is None else [self._text(text, attribute, owner)]),
            ]
        moments = NumberKind.SECONDS | NumberKind.MILLISECONDS | NumberKind.MICROSECONDS
        if text.kinds & TextKind.AWARE and numbers.kinds & moments:
            # Reading a datetime takes text and numbers, and knows a number's unit by its size.
            return [self.use("datetime")]
        # A datetime beside another kind of number would leave nothing to tell them apart.
        return [self._number(numbers), self._text(text, attribute, owner, moments=False)]

    def _number(self, numbers: NumberSeen) -> str:
        return self.use("int" if numbers.kinds & NumberKind.INT else "Decimal")

    def _text(
        self,
        text: TextSeen,
        attribute: str,
        owner: str,
        *,
        moments: bool = True,
        sets: bool = False,
    ) -> str:
        kinds = text.kinds
        if not text.count:
            return self.use("str")
        if kinds & TextKind.UUID:
            return self.use("UUID")
        if kinds & (TextKind.AWARE | TextKind.NAIVE) and moments:
            return self.use("datetime")
        if kinds & TextKind.DATE:
            return self.use("date")
        if kinds & TextKind.TIME and not sets:
            return self.use("time")
        if self._is_choice(text):
            self.use("Literal")
            choices = [quoted(choice) for choice in sorted(text.choices)]
            return self._fitting(
                f"Literal[{', '.join(choices)}]", attribute, owner, "Literal[", *choices
            )
        return self.use("str")

    def _is_choice(self, text: TextSeen) -> bool:
        return (
            self.choices
            and bool(text.kinds & TextKind.CHOICE)
            and len(text.choices) > 1
            # What is numbered, such as "dev-1", goes on to be.
            and not all(any(map(str.isdigit, choice)) for choice in text.choices)
            and text.count >= max(_FEWEST_FOR_CHOICE, _EACH_CHOICE * len(text.choices))
        )

    def _set_members(self, seen: Seen, attribute: str, owner: str) -> list[tuple[str, str]]:
        found = []
        if seen.texts is not None:
            member = self._text(seen.texts, singular(attribute), owner, moments=False, sets=True)
            found.append(("SS", member))
        if seen.number_members is not None:
            found.append(("NS", self._number(seen.number_members)))
        if "BS" in seen.tags:
            found.append(("BS", self.use("bytes")))
        return found

    def _member(self, seen: Seen, attribute: str, owner: str) -> str:
        """The annotation of a list's or a dictionary's member, which may be None."""
        text = self._union(seen, attribute, owner)
        if not seen.nulls or text == "Any":
            return text
        return self._fitting(f"{text} | None", f"optional_{attribute}", owner, "", text, "None")

    def _map(self, seen: MapSeen, attribute: str, owner: str) -> str:
        key = self._data_key(seen)
        if key is None:
            name = self.free_class(f"{owner}_{attribute}")
            self.parts.append(Nested(name, seen))
            return name
        inner = self._member(seen.as_data(), singular(attribute), owner)
        self.use("dict")
        key = self.use(key)
        return self._fitting(f"dict[{key}, {inner}]", attribute, owner, "dict[", key, inner)

    def _data_key(self, seen: MapSeen) -> str | None:
        """What the names in the maps are, if they are data; None if they are fields."""
        if not seen.keys.count:
            return "str"
        for kind, name in ((TextKind.UUID, "UUID"), (TextKind.DATE, "date"), (TextKind.INT, "int")):
            if seen.keys.kinds & kind:
                return name
        if seen.members is None or "" in seen.members:
            return "str"
        many = len(seen.members) >= _MANY_NAMES
        seldom = seen.keys.count * _SELDOM < len(seen.members) * seen.count
        return "str" if many and seldom else None


def _epoch(numbers: NumberSeen, attribute: str, *, is_ttl: bool) -> str | None:
    """The unit of ``Epoch`` for numbers that are moments; None if they are not."""
    kinds = numbers.kinds
    if is_ttl and kinds & NumberKind.ANY_SECONDS:
        return "s"
    if not _MOMENT_WORDS.intersection(field_name(attribute).split("_")):
        return None
    for kind, unit in (
        (NumberKind.SECONDS, "s"),
        (NumberKind.MILLISECONDS, "ms"),
        (NumberKind.MICROSECONDS, "us"),
    ):
        if kinds & kind:
            return unit
    return None
