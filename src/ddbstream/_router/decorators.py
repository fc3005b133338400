"""The router's decorators, and what a type checker knows of them.

A decorator returns the function unchanged. A type checker knows which records it gives: those of
the class that is named, else of any class. A function of more, such as of every change, will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_origin, overload

from ddbstream._records import Insert, Modify, Remove
from ddbstream._router.registrations import Registrations
from ddbstream._router.routes import build_route
from ddbstream._router.signatures import EVERY_KIND, callers_names

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    from ddbstream._diff.filters import Changed
    from ddbstream._records import Change
    from ddbstream._router.routes import Kind

    RecordT = TypeVar("RecordT")

    class Options(TypedDict, Generic[RecordT], total=False):
        """What narrows a route; see `Decorators.on_insert`."""

        changed: Changed | None
        where: Callable[[RecordT], object] | None
        pattern: Any
        ttl: bool | None
        replica: bool | None
        unchanged: bool | None
        middleware: Iterable[Callable[..., Any]]

    WideT = TypeVar("WideT")
    ContextT = TypeVar("ContextT")
    ResultT = TypeVar("ResultT")
    ModelT = TypeVar("ModelT")

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


__all__ = ["Decorators"]


class Decorators(Registrations):
    """``on_insert``, ``on_modify``, ``on_remove`` and ``on_change``: part of `StreamRouter`."""

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
        self, entity_or_model: Callable[[Change[Any]], ResultT]
    ) -> Callable[[Change[Any]], ResultT]: ...
    @overload
    def on_change(
        self, entity_or_model: Callable[[Change[Any], ContextT], ResultT]
    ) -> Callable[[Change[Any], ContextT], ResultT]: ...
    def on_change(
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
        """Register a handler of all three; all else as for `on_insert`."""
        options = _options(changed, where, pattern, (ttl, replica, unchanged), middleware)
        return self._decorator(EVERY_KIND, entity_or_model, options)

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


def _is_handler(target: Any) -> bool:
    """Whether the decorator stands without parentheses; a class or alias is a model."""
    return callable(target) and not isinstance(target, type) and get_origin(target) is None
