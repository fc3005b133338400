"""The router: from a record to the handlers that want it.

Rules:

* Every route that wants a record runs, in the order of registration.
* Matching comes first and is pure: all predicates have been asked before the first handler runs, so
  no handler changes what another one is chosen by.
* Routes that read the same model share one record, and so each image is decoded once.
* A router never changes once it has dispatched. It holds no state of a batch, so any number of
  threads may dispatch at once.

Theory of operation: the first dispatch compiles the routes into a table from record class and
entity to a plan, the routes in order. The number of routes therefore costs nothing per record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

from ddbstream._classify import Classifier, by_table_name
from ddbstream._decorators import Decorators
from ddbstream._engine import Terms, run_in_order
from ddbstream._handling import Handling
from ddbstream._plans import Plans, Resolved, Scope
from ddbstream._routes import Route, build_route, entity_of
from ddbstream._signatures import (
    callers_names,
    name_of,
    positional_count,
    read_fold,
)
from ddbstream._wire import _read as read
from ddbstream.exceptions import BatchError, RouteDefinitionError, RouterFrozenError

if TYPE_CHECKING:
    from ddbstream._batch import BatchResult
    from ddbstream._error_routes import DeadLetterSink, Decisions, ErrorRoute
    from ddbstream._filter_criteria import FilterCriteria
    from ddbstream._metrics import Observer, Observers
    from ddbstream._middleware import Middleware
    from ddbstream._windows import FoldState, WindowEnd

__all__ = ["StreamRouter", "default_router", "on_change", "on_insert", "on_modify", "on_remove"]

Unmatched = Literal["ignore", "raise"]
F = TypeVar("F", bound=Callable[..., Any])


class Compiled(NamedTuple):
    """What the first dispatch makes of a router."""

    handling: Handling
    decisions: Decisions | None
    observers: Observers | None
    folds: Folds | None


class Folds(NamedTuple):
    """What a router does with tumbling windows."""

    plans: Plans
    states: dict[Route, FoldState]
    ends: tuple[WindowEnd, ...]


class StreamRouter(Decorators):
    """Sends stream records to the handlers that want them.

    Args:
        classify: Names a record's entity; ``by_table_name()`` if not given. In an included router,
            not giving one means the including router's.
        unmatched: What to do with a record that no route wants: ``"ignore"`` it, or ``"raise"``
            `UnmatchedRecordError` as that record's failure.

    Raises:
        RouteDefinitionError: ``unmatched`` is neither.
    """

    def __init__(
        self, *, classify: Classifier | None = None, unmatched: Unmatched = "ignore"
    ) -> None:
        if unmatched not in ("ignore", "raise"):
            raise RouteDefinitionError('unmatched= takes "ignore" or "raise"')
        if classify is not None and not callable(classify):
            raise RouteDefinitionError("classify= takes a function of the record")
        self._classify = classify
        self._unmatched = unmatched
        self._entries: list[Route | StreamRouter] = []
        self._entities: dict[Any, str] = {}
        self._middleware: list[Middleware] = []
        self._error_routes: list[ErrorRoute] = []
        self._observers: list[Observer] = []
        self._folds: list[tuple[Route, FoldState]] = []
        self._window_ends: list[WindowEnd] = []
        self._compiled: Compiled | None = None
        self._frozen = False
        self._lock = Lock()

    def bind(self, entity: str, model: Any) -> None:
        """Give a class another entity name than its own: ``router.bind("Product", ProductV2)``.

        Holds for this router's routes by class, those before and those after, and for those of
        included routers that do not bind the class themselves.

        Raises:
            RouteDefinitionError: The class has another entity name already.
            RouterFrozenError: The router has dispatched.
        """
        if not entity or not isinstance(entity, str):
            raise RouteDefinitionError("bind() takes an entity's name and a model class")
        with self._lock:
            self._check_open()
            if self._entities.setdefault(model, entity) != entity:
                raise RouteDefinitionError(
                    f"{entity_of(model)} is bound to {self._entities[model]} already", model=model
                )

    def include(self, router: StreamRouter) -> None:
        """Take another router's routes in, at this point of the order.

        Included routes keep their own router's classifier and bindings where it has them, and use
        this router's where it has none. Unmatched records are this router's affair alone. The other
        router cannot change any more once this one has dispatched.

        Raises:
            RouteDefinitionError: It is this router, contains it, or is included already.
            RouterFrozenError: This router has dispatched.
        """
        if not isinstance(router, StreamRouter):
            raise RouteDefinitionError(f"include() takes a router, not a {type(router).__name__}")
        inner = list(router._tree())
        if self in inner:
            raise RouteDefinitionError("a router cannot include itself")
        with self._lock:
            self._check_open()
            present = list(self._tree())
            if any(one in present for one in inner):
                raise RouteDefinitionError("that router is included already")
            self._entries.append(router)

    def dispatch(
        self,
        payload: object,
        *,
        stream_arn: str | None = None,
        context: object = None,
        concurrency: int = 1,
        stop_when: Callable[[], object] | None = None,
        dead_letter: DeadLetterSink | None = None,
    ) -> BatchResult:
        """Hand records to their handlers, in order, and stop at the first failure.

        Args:
            payload: A Lambda event, a ``GetRecords`` page, or an iterable of records, wire or made.
            stream_arn: Where the records come from, if they do not say it themselves.
            context: What handlers with a second parameter get there.
            concurrency: How many items' records to handle at once; one item's keep their order.
            stop_when: Asked before each record but the first. When it says True nothing more is
                started: the result's checkpoint is the first record that is not done.
            dead_letter: Takes what an ``on_error`` function puts aside.

        Returns:
            What is done, what failed, and where the host has to go on.

        Raises:
            PayloadError: Nothing in the payload looks like stream records; none was handled.
            BatchError: The router has folds.
            ValueError: ``concurrency`` is no whole number above 0.
            BaseException: What is no `Exception`, such as KeyboardInterrupt, passes through.
        """
        if (self._compiled or self._freeze()).folds is not None:
            raise BatchError("folds need a tumbling window, which LambdaHandler alone has")
        return self._run(
            payload, stream_arn, concurrency, Terms(context, stop_when, None, dead_letter)
        )

    def _run(
        self, payload: object, stream_arn: str | None, concurrency: int, terms: Terms
    ) -> BatchResult:
        check_concurrency(concurrency)
        compiled = self._compiled or self._freeze()
        if compiled.decisions is not None:
            terms = terms._replace(decisions=compiled.decisions)
        records = read(payload, stream_arn, compiled.handling.codec)
        started = perf_counter() if compiled.observers is not None else 0.0
        if concurrency == 1:
            result = run_in_order(records, compiled.handling, terms)
        else:
            from ddbstream._lanes import run_in_lanes

            result = run_in_lanes(records, compiled.handling, terms, concurrency)
        if compiled.observers is not None:
            compiled.observers.batch(result, perf_counter() - started)
        return result

    def middleware(self, function: F) -> F:
        """Put a function around handling: ``@router.middleware``, ``(record, call_next)``.

        It runs once for each record that some route of this router wants, an included router's for
        that router's routes, the first registered outermost. It gets the record as the routes read
        it, or with dicts if they differ. ``call_next(record)`` runs what is inside and raises what
        that raises; a middleware that does not call it, or swallows what it raises, has handled the
        record itself. An ``async def`` awaits ``call_next(record)``.

        Raises:
            RouteDefinitionError: It is no function.
            RouterFrozenError: The router has dispatched.
        """
        from ddbstream._middleware import make_middleware

        with self._lock:
            self._check_open()
            self._middleware.extend(make_middleware((function,)))
        return function

    @overload
    def on_error(self, *types: type[Exception], route: Any = None) -> Callable[[F], F]: ...
    @overload
    def on_error(self, decide: F, /) -> F: ...
    def on_error(self, *types: Any, route: Any = None) -> Any:
        """Decide what becomes of failures: ``@router.on_error(ValueError)``.

        The function takes the `Failure`, or the record and the exception, and returns a
        `Disposition`; a None leaves it to the next. Those of the router that has the route are
        asked first, then those of the routers that include it, each in the order of registration.
        Without a decision it is ``Disposition.RETRY``.

        Args:
            types: Classes of exception; none means all.
            route: A handler, or a tuple of them, whose failures it decides about; None means all,
                also failures before any handler: a malformed record, one that no route wants.

        Raises:
            RouteDefinitionError: The function or a condition can never work.
            RouterFrozenError: The router has dispatched.
        """
        from ddbstream._error_routes import make_error_route

        def register(decide: F) -> F:
            made = make_error_route(decide, types, route)
            with self._lock:
                self._check_open()
                self._error_routes.append(made)
            return decide

        if len(types) == 1 and callable(types[0]) and not isinstance(types[0], type):
            decide, types = types[0], ()
            return register(decide)
        return register

    def fold(
        self,
        entity_or_model: Any = None,
        *,
        name: str | None = None,
        initial: Callable[[], Any] | None = None,
        where: Callable[[Any], object] | None = None,
    ) -> Callable[[F], F]:
        """Fold records into a tumbling window's state: ``(state, record) -> state``.

        A record is folded once all its handlers have returned. The state's type is the first
        parameter's
        annotation: any type that a model's field can have. The function computes, and does nothing
            else:
        it may be called again for the same record. Only `LambdaHandler` has windows.

        Args:
            entity_or_model: As for ``on_insert``. The second parameter's annotation says which
                changes it takes: ``Insert[Product]``, ``Change[Product]``; without one, all.
            name: What the state is stored under; the function's name if not given.
            initial: Makes a window's first state; its type without arguments if not given.
            where: A predicate over the typed record.

        Raises:
            RouteDefinitionError: It can never work, or another fold has the name.
            RouterFrozenError: The router has dispatched.
        """
        names = callers_names(1)

        def register(function: F) -> F:
            from ddbstream._windows import make_fold_state

            annotation, signature = read_fold(function, names)
            route = build_route(
                function,
                names,
                kinds=signature.kinds,
                target=entity_or_model,
                where=where,
                signature=signature,
            )
            state = make_fold_state(name or function.__name__, annotation, initial)
            with self._lock:
                self._check_open()
                if any(state.name == other.name for _, other in self._folds):
                    raise RouteDefinitionError(f"there is a fold named {state.name} already")
                self._folds.append((route, state))
            return function

        return register

    @overload
    def on_window_end(self, *, fold: Callable[..., Any] | None = None) -> Callable[[F], F]: ...
    @overload
    def on_window_end(self, function: F) -> F: ...
    def on_window_end(self, function: Any = None, *, fold: Any = None) -> Any:
        """Call a function with a window's final state: ``(state)``, or ``(state, window)``.

        If it raises, the invocation fails, and the shard waits until it succeeds.

        Args:
            function: The function, where the decorator is written without parentheses.
            fold: The fold whose state it wants, where there are several.

        Raises:
            RouteDefinitionError: There is no such fold, or more than one and none is named.
            RouterFrozenError: The router has dispatched.
        """

        def register(function: F) -> F:
            from ddbstream._windows import WindowEnd

            count = positional_count(function)
            if count not in (1, 2):
                raise RouteDefinitionError(f"{name_of(function)} takes a state, and the window")
            with self._lock:
                self._check_open()
                found = [s for route, s in self._folds if fold is None or route.handler is fold]
                if len(found) != 1:
                    raise RouteDefinitionError(
                        f"{name_of(function)}: "
                        + ("say which fold's state it wants" if found else "there is no such fold")
                    )
                self._window_ends.append(WindowEnd(function, found[0].name, count == 2))
            return function

        return register if function is None else register(function)

    def observe(self, function: F) -> F:
        """Tell a function of each handler that ran and each batch that ended, for metrics.

        It takes a `HandlerEvent` or a `BatchEvent` of ``ddbstream.metrics``. It is told in the
        thread that did the work; what it raises is logged and changes nothing.

        Raises:
            RouterFrozenError: The router has dispatched.
        """
        with self._lock:
            self._check_open()
            self._observers.append(function)
        return function

    def filter_criteria(
        self, *, keys: Collection[str] | None = None, max_filters: int = 5
    ) -> FilterCriteria | None:
        """The ``FilterCriteria`` of an event source mapping that sends this router what it wants.

        Every record passes that some route wants, or whose handling would fail. Others pass as well
        where a filter cannot tell: ``where=``, ``changed=``, a classifier of your own. Derive them
        anew with every deployment: a record that the filters leave out is gone for this function.

        Args:
            keys: The names of the table's key attributes. Knowing them makes the filters simpler.
            max_filters: How many the mapping may have: 5, or more by quota.

        Returns:
            For ``create_event_source_mapping(FilterCriteria=...)``, or None if nothing can be left
            out.

        Raises:
            ValueError: ``max_filters`` is below 1.
        """
        from ddbstream._filter_criteria import derive

        if max_filters < 1:
            raise ValueError("max_filters= takes a whole number above 0")
        if self._unmatched == "raise":
            return None
        classify = self._classify or by_table_name()
        resolved = list(self._resolved(classify, {}, ()))
        resolved += self._resolved(classify, {}, (), folds=True)
        names = None if keys is None else frozenset(keys)
        return derive(resolved, keys=names, max_filters=max_filters)

    def _add(self, route: Route) -> None:
        with self._lock:
            self._check_open()
            self._entries.append(route)

    def _check_open(self) -> None:
        if self._frozen:
            raise RouterFrozenError("a router that has dispatched cannot change any more")

    def _freeze(self) -> Compiled:
        with self._lock:
            if self._compiled is None:
                tree = list(self._tree())
                for router in tree:
                    router._frozen = True
                self._compiled = self._compile(tree)
            return self._compiled

    def _compile(self, tree: list[StreamRouter]) -> Compiled:
        resolved = list(self._resolved(self._classify or by_table_name(), {}, ()))
        functions = [one for router in tree for one in router._observers]
        observers: Observers | None = None
        if functions:
            from ddbstream._metrics import Observers

            observers = Observers(functions)
        decisions: Decisions | None = None
        if any(router._error_routes for router in tree):
            from ddbstream._error_routes import Decisions

            decisions = Decisions(resolved, tuple(self._error_routes))
        unmatched = self._unmatched == "raise"
        plans = Plans(resolved, observed=bool(functions), unmatched=unmatched)
        handling = Handling(plans, raise_unmatched=unmatched, observers=observers)
        return Compiled(handling, decisions, observers, self._compile_folds(tree))

    def _compile_folds(self, tree: list[StreamRouter]) -> Folds | None:
        states = {route: state for router in tree for route, state in router._folds}
        names = [state.name for state in states.values()]
        if len(set(names)) < len(names):
            raise RouteDefinitionError("included routers have folds of one name: give them name=")
        if not states:
            return None
        resolved = list(self._resolved(self._classify or by_table_name(), {}, (), folds=True))
        ends = tuple(end for router in tree for end in router._window_ends)
        return Folds(Plans(resolved), states, ends)

    def _tree(self) -> Iterator[StreamRouter]:
        yield self
        for entry in self._entries:
            if isinstance(entry, StreamRouter):
                yield from entry._tree()

    def _resolved(
        self,
        classify: Classifier,
        outer: dict[Any, str],
        scopes: tuple[Scope, ...],
        *,
        folds: bool = False,
    ) -> Iterator[Resolved]:
        """Every route in order, or every fold, with what holds for it."""
        classify = self._classify or classify
        entities = {**outer, **self._entities}
        scopes = (*scopes, Scope(tuple(self._middleware), tuple(self._error_routes)))
        own = [route for route, _ in self._folds] if folds else []
        for entry in (*own, *self._entries):
            if isinstance(entry, StreamRouter):
                yield from entry._resolved(classify, entities, scopes, folds=folds)
                continue
            if folds and entry not in own:
                continue
            entity = entry.entity
            if entry.model is not None:
                entity = entities.get(entry.model) or entity_of(entry.model)
            yield Resolved(entry, classify, entity, scopes)

    def __repr__(self) -> str:
        return f"<StreamRouter of {len(self._entries)} routes and routers>"


def check_concurrency(value: object) -> None:
    """Raise ValueError unless it is a whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("concurrency= takes a whole number above 0")


default_router = StreamRouter()
"""The router behind the module-level decorators and ``lambda_handler``."""

on_insert = default_router.on_insert
on_modify = default_router.on_modify
on_remove = default_router.on_remove
on_change = default_router.on_change
