"""What a router puts around handlers: middleware, decisions about failures, observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ddbstream._router.registrations import Registrations

__all__ = ["AroundDecorators"]

F = TypeVar("F", bound=Callable[..., Any])


class AroundDecorators(Registrations):
    """``middleware``, ``on_error`` and ``observe``: part of `StreamRouter`."""

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
        from ddbstream._router.middleware import make_middleware

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
        from ddbstream._router.failures import make_error_route

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

        It takes a `HandlerEvent` or a `BatchEvent` of ``ddbstream.metrics``. It is told in the
        thread that did the work; what it raises is logged and changes nothing.

        Raises:
            RouterFrozenError: The router has dispatched.
        """
        with self._lock:
            self._check_open()
            self._observers.append(function)
        return function
