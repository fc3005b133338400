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
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

from ddbstream._router.around_decorators import AroundDecorators
from ddbstream._router.batch import Terms, run_in_order
from ddbstream._router.classify import Classifier, by_table_name, with_bindings
from ddbstream._router.decorators import Decorators
from ddbstream._router.handling import Handling
from ddbstream._router.plans import Plans, Resolved, Scope
from ddbstream._router.routes import Route, entity_of
from ddbstream._router.window_decorators import WindowDecorators
from ddbstream._wire import _read as read
from ddbstream.exceptions import BatchError, RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._filters.criteria import FilterCriteria
    from ddbstream._model import Registry
    from ddbstream._router.failures import DeadLetterSink, Decisions
    from ddbstream._router.observers import Observers
    from ddbstream._router.results import BatchResult
    from ddbstream._router.windows import FoldState, WindowEnd

__all__ = ["StreamRouter", "default_router", "on_change", "on_insert", "on_modify", "on_remove"]

Unmatched = Literal["ignore", "raise"]


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


@final
class StreamRouter(Decorators, AroundDecorators, WindowDecorators):
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
        if classify is not None and not callable(classify):
            raise RouteDefinitionError("classify= takes a function of the record")
        if registry is not None:
            from ddbstream._model import Registry

            if not isinstance(registry, Registry):
                raise RouteDefinitionError("registry= takes a ddbstream.models.Registry")
        super().__init__(registry)
        self._classify = classify
        self._unmatched = unmatched
        self._entities: dict[Any, str] = {}
        self._compiled: Compiled | None = None

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

        Included routes keep their own router's classifier, registry and bindings where it has them,
        and use this router's where it has none. Unmatched records are this router's affair alone.
        The other router cannot change any more once this one has dispatched.

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

    def dispatch(
        self,
        payload_or_records: object,
        *,
        stream_arn: str | None = None,
        context: object = None,
        concurrency: int = 1,
        stop_when: Callable[[], object] | None = None,
        dead_letter: DeadLetterSink | None = None,
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
        terms = Terms(context, stop_when, None, dead_letter)
        return self._run(payload_or_records, stream_arn, concurrency, terms)

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
            from ddbstream._router.lanes import run_in_lanes

            result = run_in_lanes(records, compiled.handling, terms, concurrency)
        if compiled.observers is not None:
            compiled.observers.batch(result, perf_counter() - started)
        return result

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
        from ddbstream._filters.criteria import derive

        if max_filters < 1:
            raise ValueError("max_filters= takes a whole number above 0")
        if self._unmatched == "raise":
            return None
        classify = self._classify or by_table_name()
        resolved = list(self._resolved(classify, {}, ()))
        resolved += self._resolved(classify, {}, (), folds=True)
        names = None if keys is None else frozenset(keys)
        return derive(resolved, keys=names, max_filters=max_filters)

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
            from ddbstream._router.observers import Observers

            observers = Observers(functions)
        decisions: Decisions | None = None
        if any(router._error_routes for router in tree):
            from ddbstream._router.failures import Decisions

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
        # Both are in the order of the tree.
        states = {
            one.route: state.read_with(one.registry)
            for one, state in zip(resolved, states.values(), strict=True)
        }
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
        registry: Registry | None = None,
        *,
        folds: bool = False,
    ) -> Iterator[Resolved]:
        """Every route in order, or every fold, with what holds for it."""
        registry = self._registry or registry
        entities = {**outer, **self._entities}
        classify = with_bindings(self._classify or classify, entities)
        scopes = (*scopes, Scope(tuple(self._middleware), tuple(self._error_routes)))
        own = [route for route, _ in self._folds] if folds else []
        for entry in (*own, *self._entries):
            if isinstance(entry, StreamRouter):
                yield from entry._resolved(classify, entities, scopes, registry, folds=folds)
                continue
            if folds and entry not in own:
                continue
            entity = entry.entity
            if entry.model is not None:
                entity = entities.get(entry.model) or entity_of(entry.model)
            yield Resolved(entry.read_with(registry), classify, entity, scopes, registry)

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
