"""The router: from a record to the handlers that want it.

Rules:

* Every route that wants a record runs, in the order of registration.
* Matching comes first and is pure: all predicates have been asked before the first handler runs, so
  no handler changes what another one is chosen by.
* Routes that read the same model share one record, and so each image is decoded once.
* A router never changes once it has dispatched. It holds no state of a batch, so any number of
  threads may dispatch at once.

Theory of operation: the first dispatch compiles the routes into a table from record class and
entity to the routes to try, in order. The number of routes therefore costs nothing per record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from time import perf_counter
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    final,
    get_origin,
    overload,
)

from ddbstream._model import Registry, codec_for
from ddbstream._records import Insert, Modify, Remove
from ddbstream._router.annotations import callers_names
from ddbstream._router.batch import BatchOptions, run_in_order
from ddbstream._router.classify import (
    Classifier,
    by_table_name,
    check_classifier,
    why_never,
    with_bindings,
)
from ddbstream._router.failures import DeadLetterSink, Decisions, ErrorRoute, make_error_route
from ddbstream._router.handlers import Handlers
from ddbstream._router.matching import PlacedRoute, RouteTable, Scope
from ddbstream._router.middleware import Middleware, make_middleware
from ddbstream._router.routes import Route, build_route, entity_of, kinds_of
from ddbstream._router.signatures import positional_count, read_fold
from ddbstream._values.callables import check_function, name_of
from ddbstream._wire import read_with
from ddbstream.exceptions import (
    BatchError,
    PayloadError,
    RouteDefinitionError,
    RouterArgumentError,
    RouterFrozenError,
)

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    from ddbstream._diff.changed import Changed
    from ddbstream._filters.criteria import FilterCriteria
    from ddbstream._records import Change
    from ddbstream._router.descriptions import Explanation, RouteDescription
    from ddbstream._router.observers import Observer, Observers
    from ddbstream._router.results import BatchResult
    from ddbstream._router.routes import Kind
    from ddbstream._router.windows import Folds, FoldState, WindowBatch, WindowEnd

    RecordT = TypeVar("RecordT")
    WideT = TypeVar("WideT")
    ContextT = TypeVar("ContextT")
    ResultT = TypeVar("ResultT")
    ModelT = TypeVar("ModelT")

    class Options(TypedDict, Generic[RecordT], total=False):
        """What narrows a route; see `StreamRouter.on_insert`."""

        changed: Changed | None
        where: Callable[[RecordT], object] | None
        pattern: Any
        ttl: bool | None
        replica: bool | None
        unchanged: bool | None
        middleware: Iterable[Callable[..., Any]]

    class Decorator(Generic[RecordT, WideT]):
        """Takes functions of ``RecordT``; one of ``WideT`` can have more decorators on it."""

        @overload
        def __call__(
            self, handler: Callable[[WideT], ResultT], /
        ) -> Callable[[WideT], ResultT]: ...
        @overload
        def __call__(
            self, handler: Callable[[WideT, ContextT], ResultT], /
        ) -> Callable[[WideT, ContextT], ResultT]: ...
        @overload
        def __call__(
            self, handler: Callable[[RecordT], ResultT], /
        ) -> Callable[[RecordT], ResultT]: ...
        @overload
        def __call__(
            self, handler: Callable[[RecordT, ContextT], ResultT], /
        ) -> Callable[[RecordT, ContextT], ResultT]: ...
        def __call__(self, handler: Any, /) -> Any:
            """Register it."""


__all__ = ["StreamRouter", "default_router", "on_change", "on_insert", "on_modify", "on_remove"]

EventName = Literal["INSERT", "MODIFY", "REMOVE"]
F = TypeVar("F", bound=Callable[..., Any])
Unmatched = Literal["ignore", "raise"]


class Compiled(NamedTuple):
    """What the first dispatch makes of a router."""

    handlers: Handlers
    decisions: Decisions | None
    observers: Observers | None
    folds: Folds | None


@final
class StreamRouter:
    """Sends stream records to the handlers that want them.

    Args:
        classify: Names a record's entity; ``by_table_name()`` if not given. In an included router,
            not giving one means the including router's.
        unmatched: What to do with a record that no route wants: ``"ignore"`` it, or ``"raise"``
            `UnmatchedRecordError` as that record's failure.
        registry: A `ddbstream.models.Registry` that every route's model is read with, and every
            fold's state. In an included router, not giving one means the including router's.

    Raises:
        RouteDefinitionError: ``unmatched`` is neither, or another argument is of the wrong kind.
    """

    def __init__(
        self,
        *,
        classify: Classifier | None = None,
        unmatched: Unmatched = "ignore",
        registry: Registry | None = None,
    ) -> None:
        if unmatched not in ("ignore", "raise"):
            raise RouteDefinitionError('unmatched= takes "ignore" or "raise"')
        if classify is not None:
            check_classifier(classify)
        if registry is not None and not isinstance(registry, Registry):
            raise RouteDefinitionError("registry= takes a ddbstream.models.Registry")
        self._registry = registry
        self._classify = classify
        self._unmatched = unmatched
        self._entities: dict[Any, str] = {}  # class to the name that `bind` gave it
        self._entries: list[Any] = []  # routes and routers, in order
        self._middleware: list[Middleware] = []
        self._error_routes: list[ErrorRoute] = []
        self._observers: list[Observer] = []
        self._folds: list[tuple[Route, FoldState]] = []
        self._window_ends: list[WindowEnd] = []
        self._lock = Lock()
        self._frozen = False  # this router, or one that includes it, has dispatched
        self._compiled: Compiled | None = None

    # Routes: which records a handler gets.

    @overload
    def on_insert(
        self, entity_or_model: str | None = None, **options: Unpack[Options[Insert[Any]]]
    ) -> Decorator[Insert[Any], Change[Any]]: ...
    @overload
    def on_insert(  # type: ignore[overload-overlap] # a class is callable, too, and is a model
        self, entity_or_model: type[ModelT], **options: Unpack[Options[Insert[ModelT]]]
    ) -> Decorator[Insert[ModelT], Change[ModelT]]: ...
    @overload
    def on_insert(
        self, entity_or_model: Callable[[Insert[Any]], ResultT]
    ) -> Callable[[Insert[Any]], ResultT]: ...
    @overload
    def on_insert(
        self, entity_or_model: Callable[[Insert[Any], ContextT], ResultT]
    ) -> Callable[[Insert[Any], ContextT], ResultT]: ...
    def on_insert(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        pattern: Any = None,
        ttl: bool | None = None,
        replica: bool | None = None,
        unchanged: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of new items: ``@router.on_insert(Product)``.

        The handler takes the record, and as a second argument the context if it wants that. It may
        be ``async def``. What it returns means nothing. Without parentheses the decorator is for
        every entity.

        Args:
            entity_or_model: An entity's name; or a model class, whose name is the entity, and as
                which the images are read. None is every entity. Without a class the handler's
                annotation says how to read the images, ``Insert[Product]``; else they are dicts.
            changed: A document path, or several, one of which has to differ between the images:
                ``"price"``, ``"dims.w"``, ``"tags[0]"``. The first name is a field of the model, or
                an attribute. In an insert or a removal an attribute that is there counts as
                changed. On a stream that does not capture the images that this needs, the record
                fails.
            where: A predicate over the typed record. What it raises is the record's failure.
            pattern: A filter pattern in EventBridge syntax, over the wire record.
            ttl: True for deletions by Time to Live alone, False for everything but them.
            replica: True for records that global tables of version 2017.11.29 made for certain,
                False for everything but them.
            unchanged: True for a MODIFY whose images hold the same item for certain, False for
                everything but them.
            middleware: Functions ``(record, call_next)`` around this handler, the first outermost.

        Raises:
            RouteDefinitionError: It can never work: the handler, its annotation or an option.
            ModelDefinitionError: The class cannot be a model.
            RouterFrozenError: The router has dispatched.
        """
        options = _options(changed, where, pattern, (ttl, replica, unchanged), middleware)
        return self._decorator(frozenset({Insert}), entity_or_model, options)

    @overload
    def on_modify(
        self, entity_or_model: str | None = None, **options: Unpack[Options[Modify[Any]]]
    ) -> Decorator[Modify[Any], Change[Any]]: ...
    @overload
    def on_modify(  # type: ignore[overload-overlap] # a class is callable, too, and is a model
        self, entity_or_model: type[ModelT], **options: Unpack[Options[Modify[ModelT]]]
    ) -> Decorator[Modify[ModelT], Change[ModelT]]: ...
    @overload
    def on_modify(
        self, entity_or_model: Callable[[Modify[Any]], ResultT]
    ) -> Callable[[Modify[Any]], ResultT]: ...
    @overload
    def on_modify(
        self, entity_or_model: Callable[[Modify[Any], ContextT], ResultT]
    ) -> Callable[[Modify[Any], ContextT], ResultT]: ...
    def on_modify(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        pattern: Any = None,
        ttl: bool | None = None,
        replica: bool | None = None,
        unchanged: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of changed items; all else as for `on_insert`."""
        options = _options(changed, where, pattern, (ttl, replica, unchanged), middleware)
        return self._decorator(frozenset({Modify}), entity_or_model, options)

    @overload
    def on_remove(
        self, entity_or_model: str | None = None, **options: Unpack[Options[Remove[Any]]]
    ) -> Decorator[Remove[Any], Change[Any]]: ...
    @overload
    def on_remove(  # type: ignore[overload-overlap] # a class is callable, too, and is a model
        self, entity_or_model: type[ModelT], **options: Unpack[Options[Remove[ModelT]]]
    ) -> Decorator[Remove[ModelT], Change[ModelT]]: ...
    @overload
    def on_remove(
        self, entity_or_model: Callable[[Remove[Any]], ResultT]
    ) -> Callable[[Remove[Any]], ResultT]: ...
    @overload
    def on_remove(
        self, entity_or_model: Callable[[Remove[Any], ContextT], ResultT]
    ) -> Callable[[Remove[Any], ContextT], ResultT]: ...
    def on_remove(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        pattern: Any = None,
        ttl: bool | None = None,
        replica: bool | None = None,
        unchanged: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of deleted items; all else as for `on_insert`."""
        options = _options(changed, where, pattern, (ttl, replica, unchanged), middleware)
        return self._decorator(frozenset({Remove}), entity_or_model, options)

    @overload
    def on_change(
        self, entity_or_model: str | None = None, **options: Unpack[Options[Change[Any]]]
    ) -> Decorator[Change[Any], Change[Any]]: ...
    @overload
    def on_change(  # type: ignore[overload-overlap] # a class is callable, too, and is a model
        self, entity_or_model: type[ModelT], **options: Unpack[Options[Change[ModelT]]]
    ) -> Decorator[Change[ModelT], Change[ModelT]]: ...
    @overload
    def on_change(
        self,
        entity_or_model: str | type[Any] | None = None,
        *,
        events: Collection[EventName],
        **options: Unpack[Options[Any]],
    ) -> Decorator[Any, Any]: ...
    @overload
    def on_change(
        self, entity_or_model: Callable[[Change[Any]], ResultT]
    ) -> Callable[[Change[Any]], ResultT]: ...
    @overload
    def on_change(
        self, entity_or_model: Callable[[Change[Any], ContextT], ResultT]
    ) -> Callable[[Change[Any], ContextT], ResultT]: ...
    def on_change(  # noqa: PLR0913 - one for each option
        self,
        entity_or_model: Any = None,
        *,
        events: Collection[EventName] | None = None,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        pattern: Any = None,
        ttl: bool | None = None,
        replica: bool | None = None,
        unchanged: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of all three, or of some; all else as for `on_insert`.

        Args:
            entity_or_model: As for `on_insert`, and so are the others.
            events: Those it takes: ``{"INSERT", "MODIFY"}``. None takes what the handler's
                annotation says, ``Insert[Product] | Modify[Product]``, or else all three.
            changed: As for `on_insert`.
            where: As for `on_insert`.
            pattern: As for `on_insert`.
            ttl: As for `on_insert`.
            replica: As for `on_insert`.
            unchanged: As for `on_insert`.
            middleware: As for `on_insert`.

        Raises:
            RouteDefinitionError: It can never work.
        """
        options = _options(changed, where, pattern, (ttl, replica, unchanged), middleware)
        return self._decorator(kinds_of(events), entity_or_model, options)

    def _decorator(self, kinds: frozenset[Kind], target: Any, options: dict[str, Any]) -> Any:
        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            names = callers_names(1)
            self._add(build_route(handler, names, kinds=kinds, target=target, **options))
            return handler

        options["registry"] = self._registry
        if not _is_handler(target):
            return register
        self._add(build_route(target, callers_names(2), kinds=kinds, **options))
        return target

    # Around handlers: middleware, decisions about failures, observers.

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

    def observe(self, function: F) -> F:
        """Tell a function of each handler that ran and each batch that ended, for metrics.

        It takes a `HandlerEvent` or a `BatchEvent` of ``ddbstream.metrics``. It is called in the
        thread that did the work, and awaited if it is async; what it raises is logged and changes
        nothing.

        Raises:
            RouteDefinitionError: It is no function of one argument.
            RouterFrozenError: The router has dispatched.
        """
        check_function(function, "observe()", RouteDefinitionError, arguments=1, awaited=True)
        with self._lock:
            self._check_open()
            self._observers.append(function)
        return function

    # Tumbling windows.

    def fold(
        self,
        entity_or_model: Any = None,
        *,
        name: str | None = None,
        initial: Callable[[], Any] | None = None,
        where: Callable[[Any], object] | None = None,
    ) -> Callable[[F], F]:
        """Fold records into a tumbling window's state: ``(state, record) -> state``.

        A record is folded once all its handlers have returned. The state's type is the annotation
        of the first parameter: any type that a model's field can have. The function only computes:
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
            # Only a router with folds pays for the module.
            from ddbstream._router.windows import make_fold_state

            annotation, signature = read_fold(function, names)
            route = build_route(
                function,
                names,
                kinds=signature.kinds,
                target=entity_or_model,
                where=where,
                signature=signature,
                registry=self._registry,
            )
            state = make_fold_state(
                name or function.__name__, annotation, initial, registry=self._registry
            )
            with self._lock:
                self._check_open()
                if any(state.name == other.name for _, other in self._folds):
                    raise RouteDefinitionError(f"there is a fold named {state.name} already")
                self._check_can_match(route)
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
                self._window_ends.append(found[0].ending(function, wants_window=count == 2))
            return function

        return register if function is None else register(function)

    def _add(self, route: Route) -> None:
        with self._lock:
            self._check_open()
            self._check_can_match(route)
            self._entries.append(route)

    def _check_can_match(self, route: Route) -> None:
        """Raise RouteDefinitionError if this router's own classifier can never name its entity."""
        if self._classify is not None:
            _check_entity(route, self._entity_of(route, self._entities), self.classify)

    def _check_all_can_match(self) -> None:
        for folds in (False, True):
            for one in self._placed(folds=folds):
                _check_entity(one.route, one.entity, one.classify)

    @staticmethod
    def _entity_of(route: Route, entities: Mapping[Any, str]) -> str | None:
        if route.model is None:
            return route.entity
        return entities.get(route.model) or entity_of(route.model)

    def _check_open(self) -> None:
        if self._frozen:
            raise RouterFrozenError("a router that has dispatched cannot change any more")

    # Names and composition.

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
            before = self._entities.setdefault(model, entity)
            if before != entity:
                raise RouteDefinitionError(
                    f"{entity_of(model)} is bound to {before} already", model=model
                )
            try:
                self._check_all_can_match()
            except RouteDefinitionError:
                del self._entities[model]
                raise

    def include(self, router: StreamRouter) -> None:
        """Take another router's routes in, at this point of the order.

        Included routes keep their own router's classifier, registry and bindings where it has them,
        and use this router's where it has none. What becomes of unmatched records is for this
        router alone to say. The other router cannot change any more once this one has dispatched.

        Raises:
            RouteDefinitionError: It is this router, contains it, or is included already.
            ModelDefinitionError: With this router's registry, a class cannot be a model.
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
            router._check_models(self._registry)
            self._entries.append(router)
            try:
                self._check_all_can_match()
            except RouteDefinitionError:
                self._entries.pop()
                raise

    # Records.

    def dispatch(
        self,
        payload_or_records: object,
        *,
        stream_arn: str | None = None,
        context: object = None,
        concurrency: int = 1,
        stop_when: Callable[[], object] | None = None,
        dead_letter: DeadLetterSink | None = None,
        on_handled: Observer | None = None,
    ) -> BatchResult:
        """Hand records to their handlers, in order, and stop at the first failure.

        Args:
            payload_or_records: A Lambda event, a ``GetRecords`` page, or an iterable of records,
                wire or made.
            stream_arn: Where the records come from, if they do not say it themselves.
            context: What handlers with a second parameter get there.
            concurrency: How many items' records to handle at once; one item's keep their order.
            stop_when: Asked before each record but the first. When it says True nothing more is
                started: the result's checkpoint is the first record that is not done.
            dead_letter: Takes what an ``on_error`` function puts aside.
            on_handled: Told of each handler that ran in this call, as the router's observers are.

        Returns:
            What is done, what failed, and where the host has to go on.

        Raises:
            PayloadError: Nothing in the payload looks like stream records; none was handled.
            BatchError: The router has no route: were the modules imported that register them? Or it
                has folds.
            RouteDefinitionError: A route can never match.
            RouterArgumentError: An argument is of the wrong kind.
            BaseException: What is no `Exception`, such as KeyboardInterrupt, passes through.
        """
        check_concurrency(concurrency)
        check_options(stream_arn, stop_when, dead_letter)
        compiled = self._compiled
        if compiled is None or not compiled.handlers.table.placed:
            self._check_routes(payload_or_records)
            compiled = self._freeze()
        if compiled.folds is not None:
            raise BatchError("folds need a tumbling window, which LambdaHandler alone has")
        options = BatchOptions(context, stop_when, None, dead_letter)
        return self._run(payload_or_records, stream_arn, concurrency, options, on_handled)

    def _run(
        self,
        payload: object,
        stream_arn: str | None,
        concurrency: int,
        options: BatchOptions,
        on_handled: Observer | None = None,
    ) -> BatchResult:
        compiled = self._compiled or self._freeze()
        if compiled.decisions is not None:
            options = options._replace(decisions=compiled.decisions)
        handlers = compiled.handlers
        if on_handled is not None:
            check_function(
                on_handled, "on_handled=", RouterArgumentError, arguments=1, awaited=True
            )
            others = () if compiled.observers is None else compiled.observers.functions
            handlers = handlers.telling(_observers((*others, on_handled)))
        records = read_with(payload, stream_arn, handlers.codec)
        started = perf_counter() if compiled.observers is not None else 0.0
        if concurrency == 1:
            result = run_in_order(records, handlers, options)
        else:
            # Threads are loaded by those who want them.
            from ddbstream._router.concurrent_batch import run_concurrently

            result = run_concurrently(records, handlers, options, concurrency)
        if compiled.observers is not None:
            compiled.observers.batch(result, perf_counter() - started)
        return result

    def dispatch_window(
        self,
        event: Mapping[str, Any],
        *,
        context: object = None,
        concurrency: int = 1,
        stop_when: Callable[[], object] | None = None,
        dead_letter: DeadLetterSink | None = None,
    ) -> WindowBatch:
        """As `dispatch`, for an invocation of a tumbling window: each record done is folded, too.

        Args:
            event: The Lambda event, with its ``window`` and ``state``.
            context: As for `dispatch`, and so are the others.
            concurrency: Handlers run at once; folds run in order.
            stop_when: As for `dispatch`.
            dead_letter: As for `dispatch`.

        Returns:
            The batch's result, and the state to answer with.

        Raises:
            BatchError: The event's window or state cannot be read; or the router has no folds.
            PayloadError: The event holds no stream records.
        """
        check_concurrency(concurrency)
        check_options(None, stop_when, dead_letter)
        folds = (self._compiled or self._freeze()).folds
        if folds is None:
            raise BatchError("the router has no folds")
        batch = folds.begin(event, context)
        options = BatchOptions(context, stop_when, None, dead_letter, batch.folding)
        batch.result = self._run(batch.event, None, concurrency, options)
        return batch

    # What others ask about a router.

    @property
    def classify(self) -> Classifier:
        """Names a record's entity as this router does, with the names that `bind` gave."""
        return with_bindings(self._classify or by_table_name(), self._entities)

    @property
    def has_folds(self) -> bool:
        """Whether this router, or one that it includes, has folds: records then need a window."""
        if self._compiled is not None:
            return self._compiled.folds is not None
        return any(router._folds for router in self._tree())

    def routes(self) -> tuple[RouteDescription, ...]:
        """Every route in the order in which handlers run, those of included routers as well.

        A description has ``name``, ``events`` (``"INSERT"``, ``"MODIFY"``, ``"REMOVE"``),
        ``entity``, ``model``, ``handler``, and what narrows the route. Asking does not close the
        router. See `folds` for folds.
        """
        return self._described(folds=False)

    def folds(self) -> tuple[RouteDescription, ...]:
        """Every fold, described as `routes` describes a route."""
        return self._described(folds=True)

    def _described(self, *, folds: bool) -> tuple[RouteDescription, ...]:
        # Tools ask, functions do not.
        from ddbstream._router.descriptions import describe

        return tuple(map(describe, self._placed(folds=folds)))

    def explain(self, record: object, *, stream_arn: str | None = None) -> Explanation:
        """Say which routes want a record, and why each of the others does not: ``print`` it.

        No handler and no middleware runs. An exception in a classifier or a predicate is a reason,
        and is not raised. Asking does not close the router.

        Args:
            record: A record, wire or made; or a payload of one record.
            stream_arn: Where the record comes from, if it does not say it itself.

        Returns:
            ``entity``, ``chosen`` (descriptions, as `routes` gives them), ``rejected`` (pairs of a
            description and a reason), and ``problem``, if the record would fail before any handler.

        Raises:
            PayloadError: It is no stream record, or more than one.
        """
        from ddbstream._router.descriptions import explain  # as in `_described`

        records = list(read_with(record, stream_arn, codec_for(None)))
        if len(records) != 1:
            raise PayloadError(f"explain() takes one record, and here are {len(records)}")
        return explain(records[0], self._placed(), self.classify)

    def filter_criteria(
        self, *, keys: Collection[str] | None = None, max_filters: int = 5
    ) -> FilterCriteria | None:
        """The ``FilterCriteria`` of an event source mapping that sends this router what it wants.

        Every record passes that some route wants, or whose handling would fail. Others pass as well
        where a filter cannot say it: ``where=``, ``changed=``, a classifier of your own. Derive
        them anew with every deployment: what the filters leave out is gone for this function.

        Args:
            keys: The names of the table's key attributes. Knowing them makes the filters simpler.
            max_filters: How many the mapping may have: 5, or more by quota.

        Returns:
            For ``create_event_source_mapping(FilterCriteria=...)``, or None if nothing can be left
            out.

        Raises:
            RouterArgumentError: An argument is of the wrong kind.
        """
        from ddbstream._router.descriptions import filter_criteria  # as in `_described`

        _check_whole("max_filters", max_filters)
        if isinstance(keys, str):
            raise RouterArgumentError("keys= takes the names of key attributes, in a list or set")
        if self._unmatched == "raise":
            return None
        placed = [*self._placed(), *self._placed(folds=True)]
        names = None if keys is None else frozenset(keys)
        return filter_criteria(placed, keys=names, max_filters=max_filters)

    # The first dispatch compiles what the decorators have written.

    def _freeze(self) -> Compiled:
        with self._lock:
            if self._compiled is None:
                tree = list(self._tree())
                self._check_all_can_match()
                for router in tree:
                    router._frozen = True
                self._compiled = self._compile(tree)
            return self._compiled

    def _check_routes(self, payload: object) -> None:
        """Raise BatchError if there are records, and neither a route nor a fold."""
        if self.has_folds or self._placed():
            return
        for _ in read_with(payload, None, codec_for(None)):
            raise BatchError(
                "the router has no route, so that every record would count as done and be gone: "
                "import the modules whose decorators register the handlers"
            )

    def _compile(self, tree: list[StreamRouter]) -> Compiled:
        placed = self._placed()
        functions = [one for router in tree for one in router._observers]
        observers: Observers | None = None
        if functions:
            observers = _observers(functions)
        decisions: Decisions | None = None
        if any(router._error_routes for router in tree):
            # Innermost router first.
            by_route = {
                one.route: [decide for s in reversed(one.scopes) for decide in s.error_routes]
                for one in placed
            }
            decisions = Decisions(by_route, tuple(self._error_routes))
        unmatched = self._unmatched == "raise"
        table = RouteTable(placed, observed=bool(functions), unmatched=unmatched)
        handlers = Handlers(table, raise_unmatched=unmatched, observers=observers)
        return Compiled(handlers, decisions, observers, self._compile_folds(tree))

    def _compile_folds(self, tree: list[StreamRouter]) -> Folds | None:
        states = {route: state for router in tree for route, state in router._folds}
        names = [state.name for state in states.values()]
        if len(set(names)) < len(names):
            raise RouteDefinitionError("included routers have folds of one name: give them name=")
        if not states:
            return None
        placed = self._placed(folds=True)
        # Both are in the order of the tree.
        states = {
            one.route: state.read_with(one.registry)
            for one, state in zip(placed, states.values(), strict=True)
        }
        ends = tuple(end for router in tree for end in router._window_ends)
        from ddbstream._router.windows import Folds  # as in `fold`

        return Folds(RouteTable(placed), states, ends)

    def _tree(self) -> Iterator[StreamRouter]:
        yield self
        for entry in self._entries:
            if isinstance(entry, StreamRouter):
                yield from entry._tree()

    def _placed(self, *, folds: bool = False) -> list[PlacedRoute]:
        """Every route in order, or every fold, with what holds for it."""
        return list(self._walk(self._classify or by_table_name(), {}, (), folds=folds))

    def _walk(
        self,
        classify: Classifier,
        outer: dict[Any, str],
        scopes: tuple[Scope, ...],
        registry: Registry | None = None,
        *,
        folds: bool = False,
    ) -> Iterator[PlacedRoute]:
        registry = self._registry or registry
        entities = {**outer, **self._entities}
        classify = with_bindings(self._classify or classify, entities)
        scopes = (*scopes, Scope(tuple(self._middleware), tuple(self._error_routes)))
        own = [route for route, _ in self._folds] if folds else []
        for entry in (*own, *self._entries):
            if isinstance(entry, StreamRouter):
                yield from entry._walk(classify, entities, scopes, registry, folds=folds)
                continue
            if folds and entry not in own:
                continue
            entity = self._entity_of(entry, entities)
            yield PlacedRoute(entry.read_with(registry), classify, entity, scopes, registry)

    def _check_models(self, registry: Registry | None) -> None:
        """Raise ModelDefinitionError unless all can be read with an including router's registry."""
        registry = self._registry or registry
        for entry in self._entries:
            if isinstance(entry, StreamRouter):
                entry._check_models(registry)
            else:
                entry.read_with(registry)
        for route, state in self._folds:
            route.read_with(registry)
            state.read_with(registry)

    def __repr__(self) -> str:
        return f"<StreamRouter of {len(self._entries)} routes and routers>"


def _options(
    changed: object, where: object, pattern: object, traits: tuple[object, ...], middleware: object
) -> dict[str, Any]:
    return {
        "changed": changed,
        "where": where,
        "pattern": pattern,
        **dict(zip(("ttl", "replica", "unchanged"), traits, strict=True)),
        "middleware": middleware,
    }


def _observers(functions: Sequence[Observer]) -> Observers:
    # Only a router that is observed pays for the module.
    from ddbstream._router.observers import Observers

    return Observers(functions)


def _is_handler(target: Any) -> bool:
    """Whether the decorator stands without parentheses; a class or alias is a model."""
    return callable(target) and not isinstance(target, type) and get_origin(target) is None


def _check_entity(route: Route, entity: str | None, classify: Classifier) -> None:
    """Raise RouteDefinitionError if no record can have the entity."""
    # A name that somebody gave, here or to `bind`, may be that of records which the class cannot
    # read: that is an error when it does. A class's own name is only a guess.
    guessed = route.model is not None and entity == entity_of(route.model)
    model = route.model if guessed else None
    reason = None if entity is None else why_never(classify, entity, model)
    if reason is not None:
        raise RouteDefinitionError(f"{route!r} can never match: {reason}", model=route.codec.model)


def check_concurrency(value: object) -> None:
    """Raise RouterArgumentError unless it is a whole number above 0."""
    _check_whole("concurrency", value)


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RouterArgumentError(f"{name}= takes a whole number above 0")


def check_options(stream_arn: object, stop_when: object, dead_letter: object) -> None:
    """Raise RouterArgumentError unless each is what `StreamRouter.dispatch` takes, or None."""
    if stream_arn is not None and (not isinstance(stream_arn, str) or not stream_arn):
        raise RouterArgumentError("stream_arn= takes a stream's ARN, as text")
    if stop_when is not None:
        check_function(stop_when, "stop_when=", RouterArgumentError, arguments=0, awaited=True)
    if dead_letter is not None:
        about = "dead_letter= (such as a sink of ddbstream.dead_letters)"
        check_function(dead_letter, about, RouterArgumentError, arguments=1, awaited=True)


default_router = StreamRouter()
"""The router behind the module-level decorators and ``lambda_handler``."""

on_insert = default_router.on_insert
on_modify = default_router.on_modify
on_remove = default_router.on_remove
on_change = default_router.on_change
