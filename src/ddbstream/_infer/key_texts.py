"""Keys taken apart at their separator, and the ``@keys`` templates that read all of them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ddbstream._infer.scalars import TextKind, TextSeen

__all__ = ["KeySeen", "Part", "is_part_of_a_thing", "parts_of", "words_of"]

#: Behind so many separators a key is one text.
_MOST_PARTS: Final = 8

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{0,39}", re.ASCII)
_PREFIX: Final = re.compile(r"[$A-Za-z_][\w.$:-]{0,39}", re.ASCII)
_PART_OF_A_THING: Final = "metadata|meta|profile|info|details|settings|config|root"
_WHOLE: Final = re.compile(f"[A-Z][A-Z_-]{{1,39}}|{_PART_OF_A_THING}")
_NO_ENTITY: Final = re.compile(_PART_OF_A_THING, re.IGNORECASE)

#: Keys of one entity need as many samples until what never changes is taken for a part of its
#: template; of fewer, words are, and what stands behind a word is not.
_FEW: Final = 5


def parts_of(text: str, separator: str) -> list[str]:
    """A key's parts; an empty first part, as in ``#META``, stays with the next."""
    lead = separator if text.startswith(separator) else ""
    parts = text[len(lead) :].split(separator, _MOST_PARTS - 1)
    parts[0] = lead + parts[0]
    return parts


def words_of(parts: list[str], separator: str, *, first_key: bool) -> tuple[str, ...]:
    """Of a key's parts those that look like the names of things, and ``*`` for the others.

    ``Order#17#Line#2`` gives ``("Order", "*", "Line", "*")``. A name is followed by what it names,
    so that names stand at every second place; they are spelled in one manner.
    """
    first = parts[0].removeprefix(separator)
    if len(parts) == 1:
        alone = not first_key and (_WHOLE.fullmatch(first) or parts[0] != first)
        return (parts[0],) if alone else ("*",)
    if not _PREFIX.fullmatch(first):
        return ("*",) * len(parts)
    words = [parts[0]]
    for number, part in enumerate(parts[1:], 1):
        named = number % 2 == 0 and _WORD.fullmatch(part) and _manner(part) == _manner(first)
        words.append(part if named else "*")
    return tuple(words)


def is_part_of_a_thing(word: str) -> bool:
    """Whether a word is said of parts of anything, such as ``#METADATA``, and names no entity."""
    return bool(_NO_ENTITY.fullmatch(word.strip("#|:/")))


def _manner(word: str) -> str:
    return "lower" if word.islower() else "upper" if word.isupper() else "title"


class Part(NamedTuple):
    """One part of a template: literal text, or a field.

    Attributes:
        literal: The text; None for a field.
        name: For a field, the literal before it.
        seen: For a field, its texts; None where it takes whatever stands behind.
        place: Which part of the key it is.
    """

    literal: str | None
    name: str = ""
    seen: TextSeen | None = None
    place: int = 0


class KeySeen:
    """The texts of one key attribute of one entity.

    Attributes:
        count: How many.
        parts: A fold for each part.
        lengths: How many parts the keys have.
    """

    __slots__ = ("constants", "count", "lengths", "parts", "separator")

    def __init__(self, separator: str) -> None:
        self.separator = separator
        self.count = 0
        self.parts: list[TextSeen] = []
        self.constants: list[str | None] = []
        self.lengths: set[int] = set()

    def add(self, parts: list[str]) -> None:
        """Fold one key."""
        self.count += 1
        self.lengths.add(len(parts))
        for index, part in enumerate(parts):
            if index == len(self.parts):
                self.parts.append(TextSeen())
                self.constants.append(part)
            elif self.constants[index] != part:
                self.constants[index] = None
            self.parts[index].add(part)

    def merge(self, other: KeySeen) -> None:
        """Fold all that ``other`` has folded; ``other`` is not to be used any more."""
        self.count += other.count
        self.lengths |= other.lengths
        for index, (seen, constant) in enumerate(zip(other.parts, other.constants, strict=True)):
            if index == len(self.parts):
                self.parts.append(seen)
                self.constants.append(constant)
                continue
            self.parts[index].merge(seen)
            if self.constants[index] != constant:
                self.constants[index] = None

    @property
    def is_constant(self) -> bool:
        """Whether all keys are one text."""
        return len(self.lengths) == 1 and None not in self.constants

    def template(self) -> list[Part] | None:
        """The parts of a template that every key matches; None where no text is common to all."""
        shortest = min(self.lengths, default=0)
        whole = len(self.lengths) == 1
        made: list[Part] = []
        name = ""
        for index in range(shortest):
            last_of_many = not whole and index == shortest - 1
            literal = None if last_of_many else self._literal(index)
            if literal is None and not whole:
                # The number of parts differs: what comes behind the common beginning is one text.
                made.append(Part(None, name, None, index))
                break
            if literal is None:
                made.append(Part(None, name, self.parts[index], index))
            else:
                name = literal
                made.append(Part(literal))
        return made if any(part.literal for part in made) else None

    def _literal(self, index: int) -> str | None:
        """The text of a part that never changes; of few keys, where it looks like a name."""
        constant = self.constants[index]
        if not constant:
            return None
        seen = self.parts[index]
        if seen.kinds & (TextKind.UUID | TextKind.INT | TextKind.DATE | TextKind.AWARE):
            return None  # of one item, or of one customer: these are values wherever they stand
        if self.count >= _FEW or (index % 2 == 0 and len(self.parts) > 1):
            return constant
        alone = constant.removeprefix(self.separator)
        return constant if index == 0 and (alone != constant or _WHOLE.fullmatch(alone)) else None
