"""Matching: from a record's class and entity to the routes that may want it. Pure.

A router and the routers it includes are scopes, one in another. A scope has its own classifier, its
own middleware and its own ``on_error`` functions; a route keeps the scopes it came through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union

from ddbstream._records import MalformedRecord
from ddbstream._router.annotations import EVERY_KIND
from ddbstream._router.classify import entity_named
from ddbstream._router.log import log
from ddbstream.exceptions import RouteDefinitionError, printable

if TYPE_CHECKING:
    from ddbstream._model import Codec, Registry
    from ddbstream._records import StreamRecord
    from ddbstream._router.classify import Classifier
    from ddbstream._router.failures import ErrorRoute
    from ddbstream._router.middleware import Middleware
    from ddbstream._router.routes import Kind, Route

__all__ = ["Candidates", "Group", "PlacedRoute", "RouteTable", "Scope", "because_of_name"]


# Names come from data, and have no end.
_TOLD: Final = 1000


class Scope:
    """What a router puts around its routes."""

    __slots__ = ("error_routes", "middleware")

    def __init__(
        self, middleware: tuple[Middleware, ...], error_routes: tuple[ErrorRoute, ...]
    ) -> None:
        self.middleware = middleware
        self.error_routes = error_routes


class PlacedRoute(NamedTuple):
    """A route with what holds for it where it stands.

    Attributes:
        route: The route.
        classify: Names a record's entity.
        entity: The entity it takes; None for every one.
        scopes: The routers it came through, outermost first.
        registry: What it reads its model with.
    """

    route: Route
    classify: Classifier
    entity: str | None
    scopes: tuple[Scope, ...]
    registry: Registry | None = None


class Group(NamedTuple):
    """Routes with middleware around them all."""

    middleware: tuple[Middleware, ...]
    nodes: tuple[Node, ...]


Node = Union["Route", Group]


class Candidates:
    """The routes that records of one class and entity lead to: all but their conditions hold.

    Attributes:
        routes: In order of registration.
        nodes: The same, with the groups that middleware goes around.
        handlers: Their functions, where there is nothing to do but call them; else None.
        codec: The one that all of them read with; None if they differ, or there are none.
        guarded: Whether some route asks for more than class and entity.
        plain: Whether there is nothing to do but ask that, and call the functions.
        wrapped: Whether there is middleware anywhere.
        is_async: Whether there is something to run, and all of it can be awaited.
    """

    __slots__ = ("codec", "guarded", "handlers", "is_async", "nodes", "plain", "routes", "wrapped")

    def __init__(self, placed: Sequence[PlacedRoute], *, observed: bool, unmatched: bool) -> None:
        self.routes = routes = tuple(one.route for one in placed)
        self.nodes = tuple(_nested(placed, 0))
        codecs = {id(route.codec): route.codec for route in routes}
        self.codec: Codec[Any] | None = routes[0].codec if len(codecs) == 1 else None
        self.guarded = any(route.guards for route in routes)
        around = [m for one in placed for scope in one.scopes for m in scope.middleware]
        around += [m for route in routes for m in route.middleware]
        self.wrapped = bool(around)
        self.is_async = (
            bool(routes)
            and all(route.is_async for route in routes)
            and all(one.is_async for one in around)
        )
        special = self.wrapped or observed or len(codecs) > 1
        special = special or any(route.wants_context for route in routes)
        self.plain = not (special or (unmatched and (self.guarded or not routes)))
        self.handlers: tuple[Callable[[Any], object], ...] | None = None
        if self.plain and not self.guarded:
            self.handlers = tuple(route.handler for route in routes)

    def route_of(self, handler: object) -> Route:
        """The first route that has this handler."""
        return next(route for route in self.routes if route.handler is handler)


def _nested(placed: Sequence[PlacedRoute], depth: int) -> list[Node]:
    """Routes as nodes; an included router's routes stand together, and so do their scopes."""
    nodes: list[Node] = []
    for scope, members in groupby(
        placed, key=lambda one: one.scopes[depth] if depth < len(one.scopes) else None
    ):
        inside = list(members)
        if scope is None:
            nodes.extend(one.route for one in inside)
        elif scope.middleware:
            nodes.append(Group(scope.middleware, tuple(_nested(inside, depth + 1))))
        else:
            nodes.extend(_nested(inside, depth + 1))
    return nodes


class RouteTable:
    """From class and entity to candidates. Safe for threads: it only remembers what it has found.

    Attributes:
        lookup: Where there is one classifier, per class of record: the classifier, the candidates
            by entity, and those of every other entity. A class of record for which no route names
            an entity is not classified.
    """

    def __init__(
        self, placed: Sequence[PlacedRoute], *, observed: bool = False, unmatched: bool = False
    ) -> None:
        self.placed = placed
        self._options = {"observed": observed, "unmatched": unmatched}
        self._classifiers: list[Classifier] = []
        for one in placed:
            if one.classify not in self._classifiers:
                self._classifiers.append(one.classify)
        # Entities that no route names share their candidates: names from data have no end.
        self._named = {
            kind: [
                {o.entity for o in placed if o.classify is classify and kind in o.route.kinds}
                - {None}
                for classify in self._classifiers
            ]
            for kind in EVERY_KIND
        }
        self._told: set[str] = set()  # entities without a route that the log has told of
        self._made: dict[tuple[Any, ...], Candidates] = {}
        self.lookup: dict[Kind, tuple[Classifier, dict[str | None, Candidates], Candidates]] = {}
        if len(self._classifiers) <= 1:
            for kind in EVERY_KIND:
                names = {one.entity for one in placed if kind in one.route.kinds} - {None}
                classify = self._classifiers[0] if names else _no_entity
                by_entity = {name: self._make(kind, (name,)) for name in {*names, None}}
                self.lookup[kind] = (classify, by_entity, by_entity[None])

    def _make(self, kind: Kind, entities: tuple[str | None, ...]) -> Candidates:
        at = dict(zip(map(id, self._classifiers), entities, strict=False))
        return Candidates(
            [
                one
                for one in self.placed
                if kind in one.route.kinds
                and (one.entity is None or one.entity == at[id(one.classify)])
            ],
            **self._options,
        )

    def candidates_for(self, record: StreamRecord[Any]) -> Candidates:
        """The routes to try. Raises what a classifier raises, and a malformed record's error."""
        if isinstance(record, MalformedRecord):
            raise record.error
        kind = type(record)
        if self.lookup:
            classify, by_entity, rest = self.lookup[kind]
            entity = classify(record)
            if type(entity) is not str:
                entity_named(entity)  # before it is looked up, which not all can be
            return by_entity.get(entity) or self.unnamed(entity, rest)
        names = [
            entity_named(classify(record)) if named else None
            for classify, named in zip(self._classifiers, self._named[kind], strict=True)
        ]
        entities = tuple(
            name if name in named else None
            for name, named in zip(names, self._named[kind], strict=True)
        )
        found = self._made.get((kind, entities))
        if found is None:
            found = self._made[kind, entities] = self._make(kind, entities)
        if not found.routes:
            for name in names:
                self.unnamed(name, found)
        return found

    def unnamed(self, entity: object, rest: Candidates) -> Candidates:
        """The routes for an entity that no route names; raises what is wrong with that name."""
        name = entity_named(entity)
        if name is not None and not rest.routes and name not in self._told:
            if len(self._told) < _TOLD:
                self._told.add(name)
            log("debug", f"no route is for {self.entities(name)}", entity=printable(name))
        return rest

    def entities(self, name: str | None) -> str:
        """An entity that no route wants, and those that routes are for, in words."""
        known = sorted({one.entity for one in self.placed if one.entity is not None})
        what = "a record without an entity" if name is None else f"the entity {name[:100]!r}"
        return printable(f"{what}: there are routes for {', '.join(known) or 'none'}")

    def entity_of(self, record: StreamRecord[Any]) -> str | None:
        """What the first classifier that knows the record calls it."""
        for classify in self._classifiers:
            try:
                name = entity_named(classify(record))
            except Exception:  # noqa: BLE001, S112 - where no route asks it, it fails nothing
                continue
            if name is not None:
                return name
        return None


def _no_entity(record: StreamRecord[Any]) -> str | None:  # noqa: ARG001 - a classifier's form
    return None


def because_of_name(error: Exception, answer: object) -> Exception:
    """Why a record failed whose classifier gave an answer: of a list, that it is no name.

    Python says of it that it cannot be looked up.
    """
    try:
        entity_named(answer)
    except RouteDefinitionError as wrong:
        return wrong
    return error
