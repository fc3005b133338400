"""What of many items does not fit the models that would get it, counted by path; never a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ddbstream import (
    Added,
    Removed,
    Replaced,
    StreamRecord,
    StreamRouter,
    by_keys,
    diff,
    from_item,
    parse,
    to_item,
)
from ddbstream._model.model_plan import ModelPlan
from ddbstream._model.objects import ObjectNode
from ddbstream._model.open_paths import open_path, unknown_attributes
from ddbstream._values.paths import parse_path
from ddbstream.exceptions import DDBStreamError, RouteDefinitionError
from ddbstream.models import Registry

__all__ = ["Group", "ItemReport", "Reader", "readers_of"]

Kind = Literal["unreadable", "fault", "changed", "unknown", "unwanted"]

_EXAMPLES: Final = 3

#: A model has some places, and data can make no more of them; names of entities are data.
_MOST_GROUPS: Final = 1000


@dataclass(frozen=True)
class Reader:
    """A model, and which items it would get.

    Attributes:
        model: The class.
        registry: What it is read with, if anything.
        wants: Whether a record of an item gets to it.
        plan: Its plan.
    """

    model: Any
    registry: Registry | None
    wants: Callable[[StreamRecord[Any]], bool]
    plan: ModelPlan


def readers_of(target: Any) -> tuple[list[Reader], Callable[[StreamRecord[Any]], str | None]]:
    """The models of a router's routes and folds, or a class; and what names an item's entity.

    Raises:
        ModelDefinitionError: The target is neither.
    """
    if not isinstance(target, StreamRouter):
        try:
            classify = by_keys(target)
        except (RouteDefinitionError, AttributeError):  # any item may be of a class without keys
            return [_reader(target, None, lambda _: True)], lambda _: None
        return [_reader(target, None, lambda record: classify(record) is not None)], classify
    readers: list[Reader] = []
    for route in (*target.routes(), *target.folds()):
        found = _reader(route.model or dict, route.registry, _wanted(route.classify, route.entity))
        readers.append(found)
    return readers, target.classify


def _wanted(classify: Any, entity: str | None) -> Callable[[StreamRecord[Any]], bool]:
    if entity is None:
        return lambda _: True
    return lambda record: classify(record) == entity


def _reader(
    model: Any, registry: Registry | None, wants: Callable[[StreamRecord[Any]], bool]
) -> Reader:
    registered = registry.options if registry is not None else None
    return Reader(model, registry, wants, ModelPlan(model, registered, _no_other))


def _no_other(value: Any, json: bool, depth: int) -> dict[str, Any]:
    raise NotImplementedError  # a plan that is looked at writes nothing


@dataclass
class Group:
    """Items with one and the same thing to say about them.

    Attributes:
        kind: What sort of thing it is.
        model: The model's name; empty where there is none.
        path: Where in the item; empty for the whole.
        words: What it is.
        count: How many items.
        examples: Keys of the first of them, or where they were.
    """

    kind: Kind
    model: str
    path: str
    words: str
    count: int = 0
    examples: list[Any] = field(default_factory=list)


class ItemReport:
    """Reads items as their models would, and keeps count.

    Args:
        target: A router, or a class.
        keys: The table's key attributes, as far as they are known.
        table: The table's name, for routers that call entities by it.
        round_trip: Whether each item is also written again and compared.

    Attributes:
        items: How many items there were.
        fitting: How many of them fit every model that gets them, and get to one.
    """

    def __init__(
        self,
        target: Any,
        keys: Sequence[str] = (),
        *,
        table: str = "table",
        round_trip: bool = False,
    ) -> None:
        self.items = 0
        self.fitting = 0
        self._readers, self._classify = readers_of(target)
        self._keys = tuple(keys)
        self._arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/check"
        self._round_trip = round_trip
        self._groups: dict[tuple[Kind, str, str, str], Group] = {}

    def groups(self, *kinds: Kind) -> list[Group]:
        """What was found, of these kinds or of all, the most frequent of each model first."""
        found = [one for one in self._groups.values() if not kinds or one.kind in kinds]
        return sorted(found, key=lambda one: (one.model, one.kind, -one.count, one.path, one.words))

    def unreadable(self, error: DDBStreamError, where: str) -> None:
        """Count what is no item."""
        self.items += 1
        self._note("unreadable", "", "", str(error), where)

    def add(self, item: Mapping[str, Any], where: str) -> None:
        """Read one item with every model that would get it."""
        try:
            from_item(item)
        except DDBStreamError as error:
            self.unreadable(error, where)
            return
        self.items += 1
        example = self._keys_of(item) or where
        sound = True
        try:
            record = self._record(item)
            readers = self._distinct([one for one in self._readers if one.wants(record)])
            entity = self._classify(record) if not readers else None
        except Exception as error:  # noqa: BLE001 - a classifier is the user's own
            name = type(error).__name__
            words = f"{name}: {error}" if isinstance(error, DDBStreamError) else name
            self._note("fault", "", "", f"the classifier raised {words}", example)
            return
        if not readers:
            words = "no entity" if entity is None else f"the entity {_printable(entity)}"
            self._note("unwanted", "", "", words, example)
            return
        for reader in readers:
            sound = self._read(reader, item, example) and sound
        self.fitting += sound

    def _record(self, item: Mapping[str, Any]) -> StreamRecord[Any]:
        present = {name: item[name] for name in self._keys if name in item}
        change = {"Keys": present, "NewImage": item, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        entry = {"eventName": "INSERT", "eventSourceARN": self._arn, "dynamodb": change}
        (record,) = parse([entry])
        return record

    def _distinct(self, readers: list[Reader]) -> list[Reader]:
        """Two routes of one model read an item once."""
        return list({(id(one.model), id(one.registry)): one for one in readers}.values())

    def _read(self, reader: Reader, item: Mapping[str, Any], example: Any) -> bool:
        name = reader.plan.name
        try:
            made = from_item(item, reader.model, registry=reader.registry)
        except DDBStreamError as error:
            faults = {
                (self._path(reader, one.path), _words(one)) for one in error.errors or (error,)
            }
            for path, words in faults:
                self._note("fault", name, path, words, example)
            return False
        if reader.model is dict:
            return True
        for path in unknown_attributes(reader.plan.root, item):
            self._note("unknown", name, path, "an attribute that the model does not know", example)
        return not self._round_trip or self._written_back(reader, item, made, example)

    def _written_back(
        self, reader: Reader, item: Mapping[str, Any], made: Any, example: Any
    ) -> bool:
        name = reader.plan.name
        try:
            written = to_item(made, model=reader.model, registry=reader.registry)
        except DDBStreamError as error:
            self._note("changed", name, self._path(reader, error.path), _words(error), example)
            return False
        root = reader.plan.root
        stored = root.upgraded(item) if isinstance(root, ObjectNode) else item
        changes = diff(from_item(stored), from_item(written))
        if not changes:
            return True
        alike = from_item(written, reader.model, registry=reader.registry) == made
        found = {
            (self._path(reader, change.path), _change_words(change, alike=alike))
            for change in changes
        }
        for path, words in found:
            self._note("changed", name, path, words, example)
        return False

    def _path(self, reader: Reader, path: str | None) -> str:
        return open_path(reader.plan.root, parse_path(path)) if path else ""

    def _note(self, kind: Kind, model: str, path: str, words: str, example: Any) -> None:
        key = (kind, model, path, words)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= _MOST_GROUPS:
                key = (kind, model, "", "more, of which each is rare")
            group = self._groups.setdefault(key, Group(*key))
        group.count += 1
        if len(group.examples) < _EXAMPLES and example:
            group.examples.append(example)

    def _keys_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The item's own keys, as plain values."""
        return from_item({name: item[name] for name in self._keys[:2] if name in item})


def _words(error: DDBStreamError) -> str:
    if error.expected is not None:
        return f"expected {error.expected}, got {error.found}"
    return error.problem


def _change_words(change: object, *, alike: bool) -> str:
    if isinstance(change, Removed):
        return "stored, and not written back"
    if isinstance(change, Added):
        return "not stored, and written"
    if isinstance(change, Replaced):
        return f"written back otherwise{', and read as the same' if alike else ''}"
    return "written back with other members"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:100]
