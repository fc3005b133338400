"""What a router does in tumbling windows: ``fold`` and ``on_window_end``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ddbstream._router.registrations import Registrations
from ddbstream._router.routes import build_route
from ddbstream._router.signatures import callers_names, name_of, positional_count, read_fold
from ddbstream.exceptions import RouteDefinitionError

__all__ = ["WindowDecorators"]

F = TypeVar("F", bound=Callable[..., Any])


class WindowDecorators(Registrations):
    """``fold`` and ``on_window_end``: part of `StreamRouter`."""

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
            from ddbstream._router.windows import WindowEnd

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
