"""Items folded by entity.

The first pass cannot know what tells entities apart, so it sorts items finely, by all that might.
Groups that turn out to be too many are merged, as folds can be: words that are data make many
groups of one item each. When all items have been seen, each group is given a name, and groups of
one name are one entity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ddbstream._infer.grouping import Grouping, Signature
from ddbstream._infer.key_texts import KeySeen, is_part_of_a_thing
from ddbstream._infer.names import class_name
from ddbstream._infer.seen import MapSeen, Seen

__all__ = ["Entity", "Group", "Groups"]

_MOST_IN_FAMILY: Final = 12
_MOST_GROUPS: Final = 100
_MOST_KINDS: Final = 40
_MOST_KINDS_TOLD: Final = 1000

#: Attributes that one entity may have; what comes behind them is collected in one field.
MOST_ATTRIBUTES: Final = 1000


class Group:
    """Items of one signature, folded.

    Attributes:
        map: Their attributes.
        keys: Their keys that are text.
        equal: Pairs of key parts (attribute, place) that have been equal in every item.
    """

    __slots__ = ("equal", "keys", "map")

    def __init__(self) -> None:
        self.map = ItemsSeen()
        self.keys: dict[str, KeySeen] = {}
        self.equal: set[tuple[tuple[str, int], tuple[str, int]]] | None = None

    def add(self, item: Mapping[str, Any], texts: Mapping[str, list[str]], separator: str) -> None:
        """Fold one item."""
        self.map.add(item)
        for name, parts in texts.items():
            seen = self.keys.get(name)
            if seen is None:
                seen = self.keys[name] = KeySeen(separator)
            seen.add(parts)
        if self.equal is None:
            self.equal = _equal_parts(texts)
        elif self.equal:
            self.equal = {
                (one, other)
                for one, other in self.equal
                if _part(texts, one) == _part(texts, other) is not None
            }

    def merge(self, other: Group) -> None:
        """Fold all that ``other`` has folded; ``other`` is not to be used any more."""
        self.map.merge(other.map)
        for name, seen in other.keys.items():
            if name in self.keys:
                self.keys[name].merge(seen)
            else:
                self.keys[name] = seen
        if self.equal is None or other.equal is None:
            self.equal = self.equal or other.equal
        else:
            self.equal &= other.equal


def _equal_parts(texts: Mapping[str, list[str]]) -> set[tuple[tuple[str, int], tuple[str, int]]]:
    places = [(name, index) for name, parts in texts.items() for index in range(len(parts))]
    return {
        (one, other)
        for number, one in enumerate(places)
        for other in places[number + 1 :]
        if one[0] != other[0] and _part(texts, one) == _part(texts, other)
    }


def _part(texts: Mapping[str, list[str]], place: tuple[str, int]) -> str | None:
    parts = texts.get(place[0], [])
    return parts[place[1]] if place[1] < len(parts) else None


class ItemsSeen(MapSeen):
    """Whole items; names beyond a number that no model has are counted together.

    Attributes:
        others: Whether there were more attributes than are kept.
    """

    __slots__ = ("others",)

    def __init__(self) -> None:
        super().__init__(0)
        self.others = False

    def _place(self, name: str) -> Seen:
        assert self.members is not None
        seen = self.members.get(name)
        if seen is None:
            if len(self.members) >= MOST_ATTRIBUTES:
                self.others = True
                return Seen()
            seen = self.members[name] = Seen()
        return seen

    def merge(self, other: MapSeen) -> None:
        """See `MapSeen.merge`."""
        super().merge(other)
        assert isinstance(other, ItemsSeen)
        self.others = self.others or other.others


class Entity(NamedTuple):
    """Items that one class reads.

    Attributes:
        name: The class's name.
        kind: What they say that they are, or the given classifier; None if nothing does.
        attribute: Where each of them says it; None if not all say it, and in one place.
        group: Their fold.
    """

    name: str
    kind: str | None
    attribute: str | None
    group: Group


class Groups:
    """All items of a source, folded.

    Args:
        grouping: How they are sorted.
        name: The name of the only entity, where nothing tells items apart.
    """

    def __init__(self, grouping: Grouping, name: str = "Item") -> None:
        self.grouping = grouping
        self.name = name
        self.count = 0
        self._groups: dict[Signature, Group] = {}
        self._families: dict[Signature, set[Signature]] = {}
        self._coarse: set[Signature] = set()
        self._level = 0
        self._kinds: set[str] = set()
        self._kinds_are_data = False
        self._names: dict[Signature, str] = {}

    def add(self, item: Mapping[str, Any]) -> None:
        """Fold one item, which `from_item` can read; raises what a given classifier raises."""
        texts = self.grouping.key_texts(item)
        signature = self._resolved(self.grouping.signature(item, texts))
        group = self._groups.get(signature)
        if group is None:
            group = self._groups[signature] = Group()
            self._watch(signature)
            signature = self._resolved(signature)
            group = self._groups[signature]
        self.count += 1
        group.add(item, texts, self.grouping.separator)

    def _resolved(self, signature: Signature) -> Signature:
        if self._kinds_are_data:
            signature = Signature(None, signature.keys)
        if self._level == 0:
            family = _family(signature)
            return family if family in self._coarse else signature
        return _coarser(signature, self._level)

    def _watch(self, signature: Signature) -> None:
        """Merge groups where kinds or words of keys have turned out to be data."""
        if self.grouping.classify is not None:
            return
        if signature.kind is not None:
            self._kinds.add(signature.kind)
            if len(self._kinds) > (_MOST_KINDS_TOLD if self.grouping.told else _MOST_KINDS):
                self._drop_kinds()
        if self._level == 0:
            family = _family(signature)
            members = self._families.setdefault(family, set())
            members.add(signature)
            if len(members) > _MOST_IN_FAMILY:
                self._coarse.add(family)
                self._regroup()
        while len(self._groups) > _MOST_GROUPS and self._level < 3:
            self._level += 1
            self._regroup()

    def _drop_kinds(self) -> None:
        self._kinds_are_data = True
        self._kinds.clear()
        self._regroup()

    def _regroup(self) -> None:
        groups, self._groups = self._groups, {}
        for signature, group in groups.items():
            resolved = self._resolved(signature)
            if resolved in self._groups:
                self._groups[resolved].merge(group)
            else:
                self._groups[resolved] = group

    def entities(self) -> list[Entity]:
        """The entities, by name; to be called when all items have been folded."""
        self._drop_small()
        named = _names(self._groups, self.name)
        if self.grouping.classify is not None:
            # What the classifier has no name for is of no entity.
            named.update({one: "" for one in self._groups if one.kind is None})
        self._names = named
        merged: dict[str, Entity] = {}
        for signature, group in sorted(self._groups.items(), key=lambda pair: repr(pair[0])):
            name = named[signature]
            if not name:
                continue
            before = merged.get(name)
            if before is None:
                merged[name] = Entity(name, signature.kind, signature.attribute, group)
                continue
            before.group.merge(group)
            if signature.attribute != before.attribute:
                merged[name] = before._replace(attribute=None)
        return [merged[name] for name in sorted(merged)]

    def _drop_small(self) -> None:
        """Many groups of an item or two each are no entities: their words are data."""
        while len(self._groups) > 8 and self.count < 3 * len(self._groups):
            if self.grouping.classify is not None or self.grouping.told:
                return
            if self._level == 3:
                self._drop_kinds()
                return
            self._level += 1
            self._regroup()

    def entity_of(self, item: Mapping[str, Any]) -> str:
        """The name of an item's entity, once `entities` has named them; empty if it has none."""
        texts = self.grouping.key_texts(item)
        return self._names[self._resolved(self.grouping.signature(item, texts))]


def _family(signature: Signature) -> Signature:
    """A signature by the first words of its keys and the number of their parts."""
    keys = tuple((name, (words[0], *("*" * (len(words) - 1)))) for name, words in signature.keys)
    return signature._replace(keys=keys)


def _coarser(signature: Signature, level: int) -> Signature:
    """A signature by less: 1 the first words alone, 2 that of the first key, 3 the kind alone."""
    if level == 3:
        return signature._replace(keys=())
    keys = tuple((name, (words[0], "...")) for name, words in signature.keys)
    return signature._replace(keys=keys if level == 1 else keys[:1])


def _names(groups: Mapping[Signature, Group], single: str) -> dict[Signature, str]:
    """A class name for each group; groups of one kind, or of the same words, share it.

    So do items that say what they are and those of the same words that do not: older ones, often.
    """
    named: dict[Signature, str] = {}
    by_words: dict[tuple[tuple[str, ...], ...], str] = {}
    kinds: dict[str, str] = {}
    taken: set[str] = set()
    order = sorted(groups, key=lambda signature: (signature.kind is None, repr(signature)))
    short = Counter(_short(signature, groups[signature]) for signature in groups)
    said = {(_literal_words(one), one.kind) for one in groups if one.kind is not None}
    kinds_of = Counter(words for words, _ in said)
    for signature in order:
        words = _literal_words(signature)
        if signature.kind is not None:
            if signature.kind not in kinds:
                kinds[signature.kind] = _free(class_name(signature.kind), taken)
            named[signature] = kinds[signature.kind]
            if any(words) and kinds_of[words] == 1:
                by_words[words] = named[signature]
            continue
        if words in by_words:
            named[signature] = by_words[words]
            continue
        own = _short(signature, groups[signature])
        whole = "_".join(word for ws in words for word in ws)
        alone = short[own] == 1 or not whole or own == whole
        name = class_name((own if alone else whole) or single)
        named[signature] = by_words[words] = _free(name, taken)
    return named


def _literal_words(signature: Signature) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(w for w in ws if w not in ("*", "...")) for _, ws in signature.keys)


def _short(signature: Signature, group: Group) -> str:
    """The word that names a group best: the last of the last key that differs between its items."""
    found = ""
    for name, words in signature.keys:
        last = next((w for w in reversed(words) if w not in ("*", "...")), "")
        seen = group.keys.get(name)
        constant = seen is not None and seen.is_constant and seen.count > 1
        if found and is_part_of_a_thing(last):
            continue
        if last and (not found or not (constant or len(words) == 1)):
            found = last
    return found


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}{number}"
    taken.add(free)
    return free
