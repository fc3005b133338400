"""The router's decorators, and what a type checker knows of them.

A decorator returns the function unchanged. Given a class, it takes only functions of that class's
records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, get_origin

from ddbstream._records import Insert, Modify, Remove
from ddbstream._routes import Route, build_route
from ddbstream._signatures import EVERY_KIND, callers_names

if TYPE_CHECKING:
    from ddbstream._routes import Changed, Kind

__all__ = ["Decorators"]


class Decorators:
    """``on_insert``, ``on_modify``, ``on_remove`` and ``on_change``: part of `StreamRouter`."""

    def _add(self, route: Route) -> None:
        raise NotImplementedError

    def on_insert(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        ttl: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of inserts."""
        return self._decorator(
            frozenset({Insert}),
            entity_or_model,
            changed=changed,
            where=where,
            ttl=ttl,
            middleware=middleware,
        )

    def on_modify(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        ttl: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of modifications."""
        return self._decorator(
            frozenset({Modify}),
            entity_or_model,
            changed=changed,
            where=where,
            ttl=ttl,
            middleware=middleware,
        )

    def on_remove(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        ttl: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of removals."""
        return self._decorator(
            frozenset({Remove}),
            entity_or_model,
            changed=changed,
            where=where,
            ttl=ttl,
            middleware=middleware,
        )

    def on_change(
        self,
        entity_or_model: Any = None,
        *,
        changed: Changed | None = None,
        where: Callable[[Any], object] | None = None,
        ttl: bool | None = None,
        middleware: Iterable[Callable[..., Any]] = (),
    ) -> Any:
        """Register a handler of every change."""
        return self._decorator(
            EVERY_KIND,
            entity_or_model,
            changed=changed,
            where=where,
            ttl=ttl,
            middleware=middleware,
        )

    def _decorator(self, kinds: frozenset[Kind], target: Any, **options: Any) -> Any:
        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._add(build_route(handler, callers_names(1), kinds=kinds, target=target, **options))
            return handler

        if _is_handler(target):
            handler, target = target, None
            self._add(build_route(handler, callers_names(2), kinds=kinds, **options))
            return handler
        return register


def _is_handler(target: Any) -> bool:
    """Whether the decorator stands without parentheses; a class or alias is a model."""
    return callable(target) and not isinstance(target, type) and get_origin(target) is None
