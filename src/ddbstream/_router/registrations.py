"""What a router has been told, before its first dispatch closes it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from ddbstream.exceptions import RouterFrozenError

if TYPE_CHECKING:
    from ddbstream._model import Registry
    from ddbstream._router.failures import ErrorRoute
    from ddbstream._router.middleware import Middleware
    from ddbstream._router.observers import Observer
    from ddbstream._router.routes import Route
    from ddbstream._router.windows import FoldState, WindowEnd

__all__ = ["Registrations"]


class Registrations:
    """What the decorators write and the first dispatch compiles; the base of `StreamRouter`.

    Args:
        registry: What the models are read with, if the router has one of its own.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._entries: list[Any] = []  # routes and routers, in order
        self._middleware: list[Middleware] = []
        self._error_routes: list[ErrorRoute] = []
        self._observers: list[Observer] = []
        self._folds: list[tuple[Route, FoldState]] = []
        self._window_ends: list[WindowEnd] = []
        self._frozen = False
        self._lock = Lock()

    def _add(self, route: Route) -> None:
        with self._lock:
            self._check_open()
            self._entries.append(route)

    def _check_open(self) -> None:
        if self._frozen:
            raise RouterFrozenError("a router that has dispatched cannot change any more")
