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

from collections.abc import Iterator
from threading import Lock
from typing import Any, Literal

from ddbstream._batch import BatchResult, run_in_order
from ddbstream._classify import Classifier, by_table_name
from ddbstream._decorators import Decorators
from ddbstream._plans import Plans
from ddbstream._routes import Route, entity_of
from ddbstream._wire import read
from ddbstream.exceptions import RouteDefinitionError, RouterFrozenError

__all__ = ["StreamRouter", "default_router", "on_change", "on_insert", "on_modify", "on_remove"]

Unmatched = Literal["ignore", "raise"]


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
        self._plans: Plans | None = None
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
    ) -> BatchResult:
        """Hand records to their handlers, in order, and stop at the first failure.

        Args:
            payload: A Lambda event, a ``GetRecords`` page, or an iterable of records, wire or made.
            stream_arn: Where the records come from, if they do not say it themselves.
            context: What handlers with a second parameter get there.
            concurrency: How many items' records to handle at once.

        Returns:
            What is done, what failed, and where the host has to go on.

        Raises:
            PayloadError: Nothing in the payload looks like stream records. Nothing has been
                handled.
            BaseException: Whatever is no `Exception`, such as KeyboardInterrupt, passes through.
        """
        if concurrency != 1:
            raise NotImplementedError
        plans = self._plans or self._freeze()
        return run_in_order(read(payload, stream_arn=stream_arn), plans.handle, context)

    def _add(self, route: Route) -> None:
        with self._lock:
            self._check_open()
            self._entries.append(route)

    def _check_open(self) -> None:
        if self._frozen:
            raise RouterFrozenError("a router that has dispatched cannot change any more")

    def _freeze(self) -> Plans:
        with self._lock:
            if self._plans is None:
                for router in self._tree():
                    router._frozen = True
                self._plans = Plans(
                    list(self._resolved(self._classify or by_table_name(), {})),
                    raise_unmatched=self._unmatched == "raise",
                )
            return self._plans

    def _tree(self) -> Iterator[StreamRouter]:
        yield self
        for entry in self._entries:
            if isinstance(entry, StreamRouter):
                yield from entry._tree()

    def _resolved(
        self, classify: Classifier, outer: dict[Any, str]
    ) -> Iterator[tuple[Route, Classifier, str | None]]:
        """Every route in order, with the classifier and the entity that hold for it."""
        classify = self._classify or classify
        entities = {**outer, **self._entities}
        for entry in self._entries:
            if isinstance(entry, StreamRouter):
                yield from entry._resolved(classify, entities)
            elif entry.model is None:
                yield entry, classify, entry.entity
            else:
                yield entry, classify, entities.get(entry.model) or entity_of(entry.model)

    def __repr__(self) -> str:
        return f"<StreamRouter of {len(self._entries)} routes and routers>"


default_router = StreamRouter()
"""The router behind the module-level decorators and ``lambda_handler``."""

on_insert = default_router.on_insert
on_modify = default_router.on_modify
on_remove = default_router.on_remove
on_change = default_router.on_change
