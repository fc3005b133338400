"""Which changes `tail` shows, as what classes, and how much of them.

Paths are in the names of the item's class, or of its attributes where it has none; they are looked
up in the items as they are stored. What is redacted is shown without a class, whose own text would
have all its values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any, Final, NamedTuple

import click

from ddbstream import Change, LambdaHandler, Remove, StreamRouter, by_keys, by_table_name, parse
from ddbstream._diff.lookup import attribute_paths
from ddbstream._model import Codec, codec_for
from ddbstream._values.paths import Parts, parse_path
from ddbstream.cli._parameters import Loaded
from ddbstream.exceptions import DDBStreamError, MissingImageError, RouteDefinitionError

__all__ = ["Condition", "Kinds", "Seen", "View", "without"]

_OPERATORS: Final = re.compile(r"(.+?)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_HIDDEN: Final = "***"
_DEEPEST: Final = 32  # levels of an item in DynamoDB


class Condition(click.ParamType):  # type: ignore[type-arg] # older versions take no parameter
    """``PATH=VALUE`` and the like, or ``module:function``; a function of a change and its kind."""

    name = "CONDITION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Wanted:
        """Read the argument."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        found = _OPERATORS.fullmatch(value)
        if found is None:
            loaded: Any = Loaded("function").convert(value, param, ctx)
            return lambda record, _: loaded(record)
        path, operator, text = found[1].strip(), found[2], found[3].strip()
        if path == "event":
            return lambda record, _: _holds(record.event_name, operator, text)
        try:
            parts = parse_path(path)
        except (DDBStreamError, ValueError):
            self.fail(f"{path!r} is no document path", param, ctx)
        return lambda record, kind: _holds(_first_at(record, parts, kind), operator, text)


def _first_at(record: Change[Any], parts: Parts, kind: Kind) -> Any:
    """What the item has at a path, which may mean several places; None if it has nothing."""
    item = _item(record)
    found = (_at(item, meant) for meant in kind.meant(parts))
    return next((value for value in found if value is not None), None)


def _item(record: Change[Any]) -> Any:
    """The item as it is after the change, or was before it was removed; else its keys."""
    try:
        return record.old if isinstance(record, Remove) else record.new
    except MissingImageError:
        return record.keys


def _at(value: Any, parts: Iterable[str | int]) -> Any:
    try:
        return reduce(lambda inside, part: inside[part], parts, value)
    except (LookupError, TypeError):
        return None


def _holds(value: Any, operator: str, text: str) -> bool:
    """Compare with what was written: numbers as numbers, everything else as text."""
    if value is None:
        return operator == "!="
    if isinstance(value, bool):
        value, other = str(value).lower(), text.lower()
    elif isinstance(value, Decimal | int | float):
        try:
            value, other = Decimal(value), Decimal(text)  # type: ignore[assignment]
        except InvalidOperation:
            return operator == "!="
    elif isinstance(value, set | frozenset | list):
        return (operator == "!=") != (text in {str(member) for member in value})
    else:
        value, other = str(value), text
    if operator in ("=", "!="):
        return bool((value == other) == (operator == "="))
    if operator.startswith("<"):
        return bool(value < other or (operator == "<=" and value == other))
    return bool(value > other or (operator == ">=" and value == other))


class Seen(NamedTuple):
    """A change as it is shown.

    Attributes:
        record: With images of the entity's class, if it has one that fits.
        entity: What it is.
        note: Why it has no class, if it should have one.
        hidden: What of the item is not shown, in attribute names.
    """

    record: Change[Any]
    entity: str | None
    note: str | None = None
    hidden: Sequence[Parts] = ()


class Kind(NamedTuple):
    """What an item is, and what it is read as.

    Attributes:
        entity: Its name.
        model: The class; None if none is known.
        registry: What says more of the class.
    """

    entity: str | None
    model: Any
    registry: Any

    def meant(self, parts: Parts) -> list[Parts]:
        """The paths in attribute names that a path means; DDBStreamError if the class is unusable.

        A name at a list is one of every member.
        """
        if self.model is None:
            return [parts]
        return _meant(parts, codec_for(self.model, self.registry))


Wanted = Callable[[Change[Any], Kind], Any]
"""Whether a change is to be shown."""


class Kinds:
    """The classes that items are read as.

    Args:
        app: A router, or its handler: its classifier, and the classes of its routes. Or None.
        models: Classes: of every item if there is one and no ``key``; else by their ``@keys``
            templates, or with ``classify`` by their names.
        classify: Names entities; None where nothing was said of that.

    Raises:
        click.UsageError: These do not go together.
    """

    def __init__(
        self,
        app: object,
        models: Sequence[type[Any]],
        classify: Callable[[Change[Any]], str | None] | None,
    ) -> None:
        self._every = models[0] if len(models) == 1 and classify is None and app is None else None
        self._named = {model.__name__: model for model in models}
        self._routes: Sequence[Any] = ()
        if isinstance(app, LambdaHandler):
            app = app.router
        if isinstance(app, StreamRouter):
            self._routes = [route for route in app.routes() if route.model is not None]
            classify = classify or app.classify
        elif app is not None:
            raise click.UsageError(f"--app is a {type(app).__name__}, and no StreamRouter")
        if classify is None and len(models) > 1:
            try:
                classify = by_keys(*models)
            except RouteDefinitionError as error:
                raise click.UsageError(f"several --model need @keys, or --key: {error}") from None
        self._classify = classify or by_table_name()
        self._expects = app is not None or len(models) > 1

    def see(self, record: Change[Any], kind: Kind) -> Seen:
        """A change of a kind with its class."""
        entity, model, registry = kind
        if model is None:
            named = f"no class is known of {entity}" if entity else "no class fits its keys"
            return Seen(record, entity, named if self._expects else None)
        try:
            raw = {**record.raw, "eventSourceARN": record.event_source_arn}
            (typed,) = parse([raw], model, registry=registry)
            for image in ("old", "new"):
                with suppress(MissingImageError):  # which the stream does not carry
                    getattr(typed, image, None)
        except DDBStreamError as error:
            return Seen(record, entity, str(error))
        return Seen(typed, entity)

    def kind_of(self, record: Change[Any]) -> Kind:
        """What a change is."""
        for route in self._routes:
            name = (route.classify or self._classify)(record)
            if name is not None and route.entity in (None, name):
                return Kind(name, route.model, route.registry)
        name = self._classify(record)
        model = self._every or (self._named.get(name) if name is not None else None)
        return Kind(name, model, None)


@dataclass
class View:
    """What is shown.

    Attributes:
        kinds: The classes.
        where: Conditions; all have to hold.
        changed: Paths; one of them has to have changed.
        hidden: Paths whose values are not shown.
    """

    kinds: Kinds
    where: Sequence[Wanted] = ()
    changed: Sequence[Parts] = ()
    hidden: Sequence[Parts] = ()

    def see(self, record: Change[Any]) -> Seen | None:
        """A change as it is shown; None if it is not."""
        kind = self.kinds.kind_of(record)
        if not all(condition(record, kind) for condition in self.where):
            return None
        if self.changed and not self._changed(record, kind):
            return None
        seen = self.kinds.see(record, kind)
        if not self.hidden:
            return seen
        hidden = [meant for parts in self.hidden for meant in kind.meant(parts)]
        return seen._replace(record=record, hidden=hidden)

    def _changed(self, record: Change[Any], kind: Kind) -> bool:
        try:
            changes = record.diff
        except MissingImageError:
            return False
        return any(meant in changes for parts in self.changed for meant in kind.meant(parts))


def _meant(parts: Parts, codec: Codec[Any]) -> list[Parts]:
    made: Parts = ()
    members: list[int] = []
    for part in parts:
        depth = _depth_of_lists(made, part, codec) if made and isinstance(part, str) else 0
        members += range(len(made), len(made) + depth)
        made = (*made, *[0] * depth, part)
    return [
        tuple(part for at, part in enumerate(found) if at not in members)
        for found in attribute_paths(made, codec, every=True)
    ]


def _depth_of_lists(parts: Parts, name: str, codec: Codec[Any]) -> int:
    """How many lists, one in the other, lie between a place and the members that have the name."""
    for depth in range(_DEEPEST):
        member = (*parts, *[0] * depth)
        if codec.places((*member, name), strict=True):
            return depth
        if not codec.places((*member, 0), strict=True):
            break
    return 0


def _redacted(value: Any, hidden: Iterable[Sequence[str | int]]) -> Any:
    """A value without what is at some paths; a name that meets a list is one of every member."""
    inside: dict[str | int, list[Sequence[str | int]]] = {}
    for parts in hidden:
        if not parts:
            return _HIDDEN
        inside.setdefault(parts[0], []).append(parts[1:])
    if isinstance(value, Mapping):
        return {
            name: _redacted(one, inside[name]) if name in inside else one
            for name, one in value.items()
        }
    if isinstance(value, list):
        everywhere = [(name, *rest) for name, rests in inside.items() for rest in rests]
        names = [parts for parts in everywhere if isinstance(parts[0], str)]
        return [
            _redacted(one, [*names, *inside.get(index, ())]) if names or index in inside else one
            for index, one in enumerate(value)
        ]
    return value


def without(line: dict[str, Any], hidden: Sequence[Parts]) -> dict[str, Any]:
    """A line whose keys, images and diff do not have the values of some paths."""
    made = dict(line)
    for part in ("keys", "old", "new"):
        if part in made:
            made[part] = _redacted(made[part], hidden)
    if "diff" in made:
        made["diff"] = [_change_without(change, hidden) for change in made["diff"]]
    return made


def _change_without(change: dict[str, Any], hidden: Sequence[Parts]) -> dict[str, Any]:
    at = tuple(parse_path(change["path"]))
    inside = []
    for parts in hidden:
        rest = _behind(at, parts)
        if rest is not None:
            inside.append(rest)
    values = {name: value for name, value in change.items() if name != "path"}
    return {"path": change["path"], **{n: _redacted(v, inside) for n, v in values.items()}}


def _behind(at: Parts, parts: Parts) -> Parts | None:
    """What of a hidden path lies within a place; ``()`` if the place lies within it."""
    left = list(parts)
    for step in at:
        if not left:
            return ()
        if step == left[0]:
            left.pop(0)
        elif not isinstance(step, int):  # a name that meets a list is one of every member
            return None
    return tuple(left)
