"""What a router compiles its routes into: the routes to try, by class and entity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ddbstream._batch import Failure, annotate
from ddbstream._records import MalformedRecord
from ddbstream._signatures import EVERY_KIND
from ddbstream.exceptions import UnmatchedRecordError

if TYPE_CHECKING:
    from ddbstream._classify import Classifier
    from ddbstream._model import Codec
    from ddbstream._records import StreamRecord
    from ddbstream._routes import Kind, Route

__all__ = ["Plan", "Plans"]

Resolved = tuple["Route", "Classifier", "str | None"]


class Plan:
    """The routes that a class of record and its entity lead to.

    Attributes:
        routes: In order of registration.
        codec: The one that all of them read with; None if they differ.
        guarded: Whether some route asks for more than class and entity.
    """

    __slots__ = ("codec", "guarded", "routes")

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        codecs = {id(route.codec): route.codec for route in routes}
        self.codec: Codec[Any] | None = routes[0].codec if len(codecs) == 1 else None
        self.guarded = any(route.guards for route in routes)


class Plans:
    """A router's table. Made once, never changed but for plans remembered; safe for threads."""

    def __init__(self, routes: Sequence[Resolved], *, raise_unmatched: bool) -> None:
        self._routes = routes
        self._raise_unmatched = raise_unmatched
        self._classifiers: list[Classifier] = []
        for _, classify, _ in routes:
            if classify not in self._classifiers:
                self._classifiers.append(classify)
        # Entities no route names lead to the same plan: a table of names from the data would never
        # end.
        self._named = [
            frozenset(e for _, c, e in routes if c is classify and e is not None)
            for classify in self._classifiers
        ]
        self._made: dict[tuple[Any, ...], Plan] = {}
        self._table: dict[Kind, dict[str | None, Plan]] = {}
        self._rest: dict[Kind, Plan] = {}
        if len(self._classifiers) <= 1:
            for kind in EVERY_KIND:
                names = self._named[0] if self._named else ()
                self._table[kind] = {name: self._make(kind, (name,)) for name in names}
                self._rest[kind] = self._make(kind, (None,))

    def _make(self, kind: Kind, entities: tuple[str | None, ...]) -> Plan:
        at = {
            id(classify): entity
            for classify, entity in zip(self._classifiers, entities, strict=True)
        }
        return Plan(
            [
                route
                for route, classify, entity in self._routes
                if kind in route.kinds and (entity is None or entity == at[id(classify)])
            ]
        )

    def plan_for(self, record: StreamRecord[Any]) -> Plan:
        """The routes to try. Raises what a classifier raises, and a malformed record's error."""
        kind = type(record)
        if isinstance(record, MalformedRecord):
            raise record.error
        if len(self._classifiers) == 1:
            return self._table[kind].get(self._classifiers[0](record)) or self._rest[kind]
        entities = tuple(
            entity if (entity := classify(record)) in named else None
            for classify, named in zip(self._classifiers, self._named, strict=True)
        )
        plan = self._made.get((kind, entities))
        if plan is None:
            plan = self._made[kind, entities] = self._make(kind, entities)
        return plan

    def handle(self, record: StreamRecord[Any], context: object) -> Failure | None:
        """Run every handler that wants the record; the failure, if one failed."""
        route: Route | None = None
        typed = record
        try:
            plan = self.plan_for(record)
            codec = plan.codec
            if codec is not None:
                if record._codec is not codec:
                    typed = record._with_codec(codec)
                if plan.guarded:
                    return self._handle_guarded(plan, {codec: typed}, record, context)
                for route in plan.routes:
                    result = (
                        route.handler(typed, context)
                        if route.wants_context
                        else route.handler(typed)
                    )
                    if result is not None:
                        _finish(result)
                return None
            if plan.routes:
                return self._handle_guarded(plan, {record._codec: record}, record, context)
            if self._raise_unmatched:
                raise _unmatched(record)  # noqa: TRY301 - a failure like any other
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            return _failed(typed, error, route)
        return None

    def _handle_guarded(
        self,
        plan: Plan,
        views: dict[Codec[Any], StreamRecord[Any]],
        record: StreamRecord[Any],
        context: object,
    ) -> Failure | None:
        route: Route | None = None
        typed = record
        try:
            chosen: list[tuple[Route, StreamRecord[Any]]] = []
            for route in plan.routes:
                typed = views.get(route.codec) or views.setdefault(
                    route.codec, record._with_codec(route.codec)
                )
                if route.wants(typed):
                    chosen.append((route, typed))
            for route, typed in chosen:
                result = (
                    route.handler(typed, context) if route.wants_context else route.handler(typed)
                )
                if result is not None:
                    _finish(result)
            route = None
            if not chosen and self._raise_unmatched:
                raise _unmatched(record)  # noqa: TRY301 - a failure like any other
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            return _failed(typed, error, route)
        return None


def _failed(record: StreamRecord[Any], error: Exception, route: Route | None) -> Failure:
    name = route.name if route is not None else None
    annotate(error, record, name)
    return Failure(record, error, name)


def _unmatched(record: StreamRecord[Any]) -> UnmatchedRecordError:
    return UnmatchedRecordError(
        f"no route wants this {record.event_name}",
        event_id=record.event_id,
        sequence_number=record.sequence_number,
    )


def _finish(result: object) -> None:
    """A handler's return value means nothing, but an awaitable is work that is not done yet."""
    if hasattr(result, "__await__"):
        from ddbstream._async import wait_for

        wait_for(result)
