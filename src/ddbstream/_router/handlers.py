"""Running one record's handlers, with what goes around them.

All conditions are asked first; then the handlers run. Both are the same in a thread and on the
event loop, but for the waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ddbstream._model import Codec, codec_for
from ddbstream._records import StreamRecord
from ddbstream._router.awaiting import finish, finish_async
from ddbstream._router.matching import Group, RouteTable
from ddbstream._router.middleware import through, through_async
from ddbstream._router.results import Failure, annotate
from ddbstream.exceptions import RouteDefinitionError, UnmatchedRecordError

if TYPE_CHECKING:
    from ddbstream._router.matching import Candidates, Node
    from ddbstream._router.observers import Observers
    from ddbstream._router.routes import Route

__all__ = ["Handlers", "failed", "read_with"]

Views = dict["Codec[Any]", "StreamRecord[Any]"]


class Handlers:
    """Runs a router's handlers for one record at a time. Holds nothing of a batch.

    Attributes:
        table: Which routes a record leads to.
        codec: What to read records with before they are routed: without a model.

    Args:
        table: Which routes a record leads to.
        raise_unmatched: Whether a record that no route wants is a failure.
        observers: Get an event for every handler that ran; None in a router without them.
    """

    def __init__(
        self, table: RouteTable, *, raise_unmatched: bool, observers: Observers | None
    ) -> None:
        self.table = table
        # A record that this router has made can be given a route's codec in place; one that the
        # caller holds must be copied. A codec of the router's own marks the former. Where no route
        # has a model, every record keeps the codec that it has, and no mark is needed.
        untyped = codec_for(None)
        typed = any(one.route.codec is not untyped for one in table.placed)
        self.codec: Codec[Any] = Codec() if typed else untyped
        self._raise_unmatched = raise_unmatched
        self._observers = observers

    def telling(self, observers: Observers) -> Handlers:
        """The same handlers, with other observers."""
        table = RouteTable(self.table.placed, observed=True, unmatched=self._raise_unmatched)
        return Handlers(table, raise_unmatched=self._raise_unmatched, observers=observers)

    def handle(
        self, record: StreamRecord[Any], context: object, candidates: Candidates | None = None
    ) -> Failure | None:
        """Run every handler that wants the record, here; the failure, if one failed."""
        if candidates is not None and candidates.plain:
            return self._run_plain(record, candidates)
        run = _Run(record, context, self._observers)
        try:
            if candidates is None:
                candidates = self.table.candidates_for(record)
            chosen = run.match(candidates)
            if not chosen:
                self._refuse_unmatched(record)
            elif candidates.wrapped:
                run.nodes(candidates.nodes, run.view(candidates.codec), chosen)
            else:
                for route in chosen:
                    run.route = route
                    run.call(route, run.view(route.codec))
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            return failed(run.record, error, run.route)
        return None

    def _run_plain(self, record: StreamRecord[Any], candidates: Candidates) -> Failure | None:
        """As `handle`, where nothing is around the handlers of routes that read one model."""
        codec, route = candidates.codec, None
        if codec is not None and record._codec is not codec:
            record = read_with(record, codec, self.codec)
        try:
            # Each is asked before the first is called.
            wanted = []
            for route in candidates.routes:
                if not route.guards or route.wants(record):
                    wanted.append(route)  # noqa: PERF401 - a failure is of the route that is asked
            for route in wanted:
                result = route.handler(record)
                if result is not None:
                    finish(result)
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            return failed(record, error, route)
        return None

    async def handle_async(
        self, record: StreamRecord[Any], context: object, candidates: Candidates
    ) -> Failure | None:
        """The same on the event loop, for candidates all of which can be awaited."""
        run = _Run(record, context, self._observers)
        try:
            chosen = run.match(candidates)
            if chosen:
                await run.nodes_async(candidates.nodes, run.view(candidates.codec), chosen)
            else:
                self._refuse_unmatched(record)
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            return failed(run.record, error, run.route)
        return None

    def _refuse_unmatched(self, record: StreamRecord[Any]) -> None:
        """Raise UnmatchedRecordError if that is how the router was made."""
        if self._raise_unmatched:
            raise UnmatchedRecordError(
                f"no route wants this {record.event_name} of "
                + self.table.entities(self.table.entity_of(record)),
                event_id=record.event_id,
                sequence_number=record.sequence_number,
            )


class _Run:
    """One record on its way through its handlers.

    Attributes:
        record: As the route that is at work got it.
        route: The route that is at work.
    """

    __slots__ = ("_base", "_context", "_observers", "_views", "record", "route")

    def __init__(
        self, record: StreamRecord[Any], context: object, observers: Observers | None
    ) -> None:
        self.record = self._base = record
        self.route: Route | None = None
        self._context = context
        self._observers = observers
        self._views: Views = {record._codec: record}

    def view(self, codec: Codec[Any] | None, base: StreamRecord[Any] | None = None) -> Any:
        """The record read with a codec; one for all who read with it.

        A record of another making, which middleware may pass on, is read as the route needs it.
        """
        if base is not None and base is not self._base and base not in self._views.values():
            if not isinstance(base, StreamRecord):
                raise RouteDefinitionError(
                    f"call_next takes the record, or another one, not a {type(base).__name__}"
                )
            if codec is None or base._codec is codec:
                return base
            return base._with_codec(codec)
        if codec is None:
            return self._base
        found = self._views.get(codec)
        if found is None:
            found = self._views[codec] = self._base._with_codec(codec)
        return found

    def match(self, candidates: Candidates) -> Sequence[Route]:
        """The routes that want the record. Raises what a predicate raises."""
        if not candidates.guarded:
            return candidates.routes
        chosen = []
        for self.route in candidates.routes:
            if self.route.guards:
                self.record = self.view(self.route.codec)
                if not self.route.wants(self.record):
                    continue
            chosen.append(self.route)
        self.route = None
        return chosen

    def nodes(
        self, nodes: Sequence[Node], record: StreamRecord[Any], chosen: Sequence[Route]
    ) -> None:
        """Run the chosen routes among the nodes, with the middleware around them."""
        for node in nodes:
            if isinstance(node, Group):
                if _any_of(node.nodes, chosen):
                    inside = partial(self.nodes, node.nodes, chosen=chosen)
                    through(node.middleware, record, inside)
            elif node in chosen:
                self.route = node
                self.record = self.view(node.codec, record)
                through(node.middleware, self.record, partial(self.call, node))

    async def nodes_async(
        self, nodes: Sequence[Node], record: StreamRecord[Any], chosen: Sequence[Route]
    ) -> None:
        """As `nodes`, on the loop."""
        for node in nodes:
            if isinstance(node, Group):
                if _any_of(node.nodes, chosen):
                    inside_async = partial(self.nodes_async, node.nodes, chosen=chosen)
                    await through_async(node.middleware, record, inside_async)
            elif node in chosen:
                self.route = node
                self.record = self.view(node.codec, record)
                await through_async(node.middleware, self.record, partial(self.call_async, node))

    def call(self, route: Route, record: StreamRecord[Any]) -> None:
        """Call one handler, and wait for it if it gives something to await."""
        self.record = record
        if self._observers is None:
            result = (
                route.handler(record, self._context)
                if route.wants_context
                else route.handler(record)
            )
            if result is not None:
                finish(result)
            return
        started = perf_counter()
        try:
            finish(
                route.handler(record, self._context)
                if route.wants_context
                else route.handler(record)
            )
        except Exception as error:
            self._observers.handled(record, route.name, perf_counter() - started, error)
            raise
        self._observers.handled(record, route.name, perf_counter() - started, None)

    async def call_async(self, route: Route, record: StreamRecord[Any]) -> None:
        """Call one handler on the loop."""
        self.record = record
        started = perf_counter()
        try:
            await finish_async(
                route.handler(record, self._context)
                if route.wants_context
                else route.handler(record)
            )
        except Exception as error:
            if self._observers is not None:
                seconds = perf_counter() - started
                await self._observers.handled_async(record, route.name, seconds, error)
            raise
        if self._observers is not None:
            seconds = perf_counter() - started
            await self._observers.handled_async(record, route.name, seconds, None)


def read_with(record: StreamRecord[Any], codec: Codec[Any], own: Codec[Any]) -> StreamRecord[Any]:
    """The record read with another codec; the same object if it is this router's own."""
    if record._codec is own and record._new is None and record._old is record._diff is None:
        record._codec = codec
        return record
    return record._with_codec(codec)


def failed(record: StreamRecord[Any], error: Exception, route: Route | None) -> Failure:
    """The failure of a record, its exception noted."""
    name = route.name if route is not None else None
    annotate(error, record, name)
    return Failure(record, error, name, route)


def _any_of(nodes: Sequence[Node], chosen: Sequence[Route]) -> bool:
    return any(
        _any_of(node.nodes, chosen) if isinstance(node, Group) else node in chosen for node in nodes
    )
