"""Which changes `tail` shows, as what classes, and how much of them.

Conditions are asked of the items as they are stored, so that they mean the same with a class and
without one. What is redacted is shown without a class, whose own text would have all its values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any, Final, NamedTuple

import click

from ddbstream import Change, LambdaHandler, Remove, StreamRouter, by_keys, by_table_name, parse
from ddbstream._values.paths import parse_path
from ddbstream.cli._parameters import Loaded
from ddbstream.exceptions import DDBStreamError, MissingImageError, RouteDefinitionError

__all__ = ["Condition", "Kinds", "Seen", "View", "redacted"]

_OPERATORS: Final = re.compile(r"(.+?)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_HIDDEN: Final = "***"


class Condition(click.ParamType):  # type: ignore[type-arg] # older versions take no parameter
    """``PATH=VALUE`` and the like, or ``module:function``; a function of a change."""

    name = "CONDITION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[[Change[Any]], Any]:
        """Read the argument."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        found = _OPERATORS.fullmatch(value)
        if found is None:
            loaded: Any = Loaded("function").convert(value, param, ctx)
            return loaded  # type: ignore[no-any-return]
        path, operator, text = found[1].strip(), found[2], found[3].strip()
        if path == "event":
            return lambda record: _holds(record.event_name, operator, text)
        try:
            parts = parse_path(path)
        except (DDBStreamError, ValueError):
            self.fail(f"{path!r} is no document path", param, ctx)
        return lambda record: _holds(_at(_item(record), parts), operator, text)


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
    """

    record: Change[Any]
    entity: str | None
    note: str | None = None


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

    def see(self, record: Change[Any]) -> Seen:
        """A change with its class."""
        entity, model, registry = self._kind(record)
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

    def _kind(self, record: Change[Any]) -> tuple[str | None, Any, Any]:
        for route in self._routes:
            name = (route.classify or self._classify)(record)
            if name is not None and route.entity in (None, name):
                return name, route.model, route.registry
        name = self._classify(record)
        model = self._every or (self._named.get(name) if name is not None else None)
        return name, model, None


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
    where: Sequence[Callable[[Change[Any]], Any]] = ()
    changed: Sequence[str] = ()
    hidden: Sequence[tuple[str | int, ...]] = field(default_factory=list)

    def see(self, record: Change[Any]) -> Seen | None:
        """A change as it is shown; None if it is not."""
        if not all(condition(record) for condition in self.where):
            return None
        if self.changed:
            try:
                changes = record.diff
            except MissingImageError:
                return None
            if not any(path in changes for path in self.changed):
                return None
        seen = self.kinds.see(record)
        return seen._replace(record=record) if self.hidden else seen


def redacted(value: Any, hidden: Iterable[Sequence[str | int]]) -> Any:
    """A value without what is at some paths; a name that meets a list is one of every member."""
    inside: dict[str | int, list[Sequence[str | int]]] = {}
    for parts in hidden:
        if not parts:
            return _HIDDEN
        inside.setdefault(parts[0], []).append(parts[1:])
    if isinstance(value, Mapping):
        return {
            name: redacted(one, inside[name]) if name in inside else one
            for name, one in value.items()
        }
    if isinstance(value, list):
        everywhere = [(name, *rest) for name, rests in inside.items() for rest in rests]
        names = [parts for parts in everywhere if isinstance(parts[0], str)]
        return [
            redacted(one, [*names, *inside.get(index, ())]) if names or index in inside else one
            for index, one in enumerate(value)
        ]
    return value
