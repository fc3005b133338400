"""A route: which records a handler wants, and how it is called.

Building a route checks all that can be known: what can never work fails at the decorator. Matching
is a pure function of the record, apart from handling; a predicate that fails is a failure of the
record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_origin

from ddbstream._model import codec_for
from ddbstream._records import EVENTS, Insert, Modify, Remove
from ddbstream._router.annotations import EVERY_KIND
from ddbstream._router.awaiting import at_once
from ddbstream._router.middleware import Middleware, make_middleware
from ddbstream._router.signatures import Signature, read_signature
from ddbstream._values.callables import check_function, name_of
from ddbstream.exceptions import DDBStreamError, RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._diff.changed import Changed
    from ddbstream._filters import Pattern
    from ddbstream._model import Codec, Registry
    from ddbstream._records import StreamRecord

__all__ = ["Condition", "Kind", "Route", "build_route", "entity_of", "kinds_of"]

Kind = type["StreamRecord[Any]"]
Guard = Callable[["StreamRecord[Any]"], object]

_VERBS: dict[frozenset[Kind], str] = {
    frozenset({Insert}): "on_insert",
    frozenset({Modify}): "on_modify",
    frozenset({Remove}): "on_remove",
    EVERY_KIND: "on_change",
}


class Condition(NamedTuple):
    """What narrows a route beyond class and entity.

    Attributes:
        option: As it was written, as far as it has a short form: ``changed=price``, ``where=``.
        holds: Whether a record meets it; raises what a predicate raises.
        refusal: Says in words why a record does not meet it.
    """

    option: str
    holds: Guard
    refusal: Callable[[StreamRecord[Any]], str]


class Route:
    """One handler and what it wants. Never changes once built.

    Attributes:
        name: The handler's name, for notes and logs.
        kinds: The classes of record it takes.
        entity: The entity it takes, or None: that of ``model`` if there is one given, else every
            entity.
        model: The class given to the decorator, whose entity a router can rename, or None.
        codec: Reads the images.
        conditions: What narrows it further; all must hold.
        guards: Their functions of the record.
        handler: The function.
        wants_context: Whether it takes the context as well.
        is_async: Whether calling it gives something to await.
        pattern: The option, parsed.
        ttl: Whether it wants deletions by Time to Live alone.
        changed: The paths that ``changed=`` looks at; None without one. With one the route needs
            all images that the event has.
    """

    __slots__ = (
        "changed",
        "codec",
        "conditions",
        "entity",
        "guards",
        "handler",
        "is_async",
        "kinds",
        "middleware",
        "model",
        "name",
        "pattern",
        "ttl",
        "wants_context",
    )

    def __init__(
        self,
        handler: Callable[..., Any],
        signature: Signature,
        *,
        kinds: frozenset[Kind],
        entity: str | None,
        model: Any,
        codec: Codec[Any],
    ) -> None:
        self.name = name_of(handler)
        self.handler = handler
        self.wants_context = signature.wants_context
        self.is_async = signature.is_async
        self.kinds = kinds
        self.entity = entity
        self.model = model
        self.codec = codec
        self.pattern: Pattern | None = None
        self.ttl = False
        self.changed: tuple[str, ...] | None = None
        self.conditions: tuple[Condition, ...] = ()
        self.guards: tuple[Guard, ...] = ()
        self.middleware: tuple[Middleware, ...] = ()

    def wants(self, record: StreamRecord[Any]) -> bool:
        """Whether every guard holds (kind and entity do); raises what a predicate raises."""
        for guard in self.guards:
            held = guard(record)
            if held is not True and not at_once(held, "where="):
                return False
        return True

    def read_with(self, registry: Registry | None) -> Route:
        """This route, reading its model with a registry; raises ModelDefinitionError."""
        codec = self.codec
        if registry is not codec.registry:
            codec = _codec(codec.model, registry)
        if codec is self.codec:
            return self
        made = copy(self)
        made.codec = codec
        return made

    def __repr__(self) -> str:
        return f"<route {_VERBS.get(self.kinds, 'fold')} {self.name}>"


def build_route(  # noqa: PLR0913 - one for each option of the decorators
    handler: Callable[..., Any],
    names: Mapping[str, Any],
    *,
    kinds: frozenset[Kind],
    target: Any = None,
    changed: Changed | None = None,
    where: Callable[..., object] | None = None,
    pattern: object = None,
    ttl: object = None,
    replica: object = None,
    unchanged: object = None,
    middleware: Iterable[object] = (),
    signature: Signature | None = None,
    registry: Registry | None = None,
) -> Route:
    """Check a handler and the options it is registered with, and make its route.

    Args:
        handler: The function.
        names: What its annotation may name beside its globals.
        kinds: The classes of record the decorator stands for.
        target: An entity's name, a model class, or None.
        changed: Document paths, one of which has to differ, or a filter of `ddbstream.changed`.
        where: A predicate over the typed record.
        pattern: A filter pattern over the wire record.
        ttl: Only deletions by Time to Live (True), or everything but them (False).
        replica: Only what global tables made while replicating, or everything but that.
        unchanged: Only a MODIFY that changed nothing, or everything but that.
        middleware: Functions around this handler, the first outermost.
        signature: What the handler takes, if that is known.
        registry: What the model is read with.

    Raises:
        RouteDefinitionError: It can never work.
        ModelDefinitionError: The class cannot be a model.
    """
    signature = signature or read_signature(handler, names)
    about = f"{_VERBS.get(kinds, 'fold')} {name_of(handler)}"
    if kinds == EVERY_KIND and len(signature.kinds) == 2:
        kinds = signature.kinds  # `Insert[T] | Modify[T]` says which two
    if not kinds <= signature.kinds:
        accepted = " or ".join(sorted(kind.__name__ for kind in signature.kinds))
        raise RouteDefinitionError(f"{about}: its annotation takes {accepted} alone")
    entity, model = _target(target, about)
    codec = _codec(_bound(model, signature.model, about), registry)
    route = Route(handler, signature, kinds=kinds, entity=entity, model=model, codec=codec)
    # The conditions that a mapping's filter can express come first. A record that the filter would
    # drop must not fail here, where no mapping filters, in a predicate that comes later.
    conditions: list[Condition] = []
    for option, wanted in (("ttl", ttl), ("replica", replica), ("unchanged", unchanged)):
        if wanted is not None:
            conditions.append(_trait_condition(option, wanted, kinds, about))
    route.ttl = ttl is True
    if pattern is not None:
        conditions.append(_pattern_condition(route, pattern, about))
    if changed is not None and unchanged is True:
        raise RouteDefinitionError(f"{about}: changed= and unchanged=True never hold at once")
    if changed is not None:
        conditions.append(_changed_condition(route, changed, about))
    if where is not None:
        check_function(where, f"{about}: where=", RouteDefinitionError, arguments=1)
        conditions.append(Condition("where=", where, lambda _: "where= said no"))
    route.conditions = tuple(conditions)
    route.guards = tuple(one.holds for one in conditions)
    route.middleware = make_middleware(middleware or ())
    return route


def kinds_of(events: object) -> frozenset[Kind]:
    """The classes of record of ``events=``; raises RouteDefinitionError for what is no event."""
    if events is None:
        return EVERY_KIND
    names = events if isinstance(events, Collection) and not isinstance(events, str) else ()
    if not names or not all(isinstance(name, str) and name in EVENTS for name in names):
        raise RouteDefinitionError(f"events= takes some of {', '.join(EVENTS)}, in a set")
    return frozenset(EVENTS[name] for name in names)


def entity_of(model: Any) -> str:
    """The entity that a class stands for unless a router renames it: its name."""
    return str((get_origin(model) or model).__name__)


def _target(target: Any, about: str) -> tuple[str | None, Any]:
    if target is None:
        return None, None
    if isinstance(target, str):
        if not target:
            raise RouteDefinitionError(f"{about}: an empty entity name")
        return target, None
    if get_origin(target) is not None or isinstance(target, type):
        return None, target
    raise RouteDefinitionError(
        f"{about}: takes an entity's name or a model class, not a {type(target).__name__}"
    )


def _bound(given: Any, annotated: Any, about: str) -> Any:
    """The model to read with: the class given, else the annotation's; they may not differ."""
    if given is None:
        return annotated
    if annotated is None or annotated == given:
        return given
    # A handler of a base class takes its subclasses' records.
    if isinstance(given, type) and isinstance(annotated, type) and issubclass(given, annotated):
        return given
    raise RouteDefinitionError(
        f"{about}: registered for {_spelled(given)}, annotated with {_spelled(annotated)}"
    )


def _codec(model: Any, registry: Registry | None) -> Codec[Any]:
    # Of items without a model a registry says nothing: all routes share one codec for them.
    return codec_for(None) if model in (None, dict) else codec_for(model, registry)


def _spelled(model: Any) -> str:
    return getattr(model, "__qualname__", None) or str(model)


def _pattern_condition(route: Route, source: object, about: str) -> Condition:
    # Only a route that asks for it pays for the modules.
    from ddbstream._filters import Pattern, lint, never_for

    pattern = route.pattern = Pattern(source)
    problems = lint(pattern)
    if problems and problems[0].fatal:
        raise RouteDefinitionError(
            f"{about}: the pattern never matches: {problems[0].message}", path=problems[0].path
        )
    events = [event for event, kind in EVENTS.items() if kind in route.kinds]
    if all(never_for(pattern, event) for event in events):
        raise RouteDefinitionError(
            f"{about}: the pattern never matches {' or '.join(events)}: it asks for another event, "
            "or for an image that this one does not have"
        )
    return Condition(
        "pattern=",
        pattern.matches_record,
        lambda record: f"pattern= does not match at {pattern.mismatch_of(record)}",
    )


class _Trait(NamedTuple):
    """What an option asks of a record, and the only class of record that can have it."""

    holds: Guard
    only: Kind | None
    without: str
    with_it: str


_TRAITS: Final[Mapping[str, _Trait]] = {
    "ttl": _Trait(
        lambda record: record.is_ttl_removal,
        Remove,
        "Time to Live did not delete the item",
        "Time to Live deleted the item",
    ),
    "replica": _Trait(
        lambda record: record.is_replica,
        None,
        "the record does not say for certain that it is a replica",
        "the record is a replica",
    ),
    "unchanged": _Trait(
        lambda record: record.is_unchanged,
        Modify,
        "the images are not certain to hold the same item",
        "the images hold the same item",
    ),
}


def _trait_condition(option: str, wanted: object, kinds: frozenset[Kind], about: str) -> Condition:
    has, only, without, with_it = _TRAITS[option]
    if wanted is True:
        if only is not None and only not in kinds:
            raise RouteDefinitionError(
                f"{about}: {option}=True never holds: only a {only.__name__} can have it"
            )
        return Condition(f"{option}=True", has, lambda _: f"{option}=True, and {without}")
    if wanted is False:
        return Condition(
            f"{option}=False",
            lambda record: not has(record),
            lambda _: f"{option}=False, and {with_it}",
        )
    raise RouteDefinitionError(f"{about}: {option}= takes True or False")


def _changed_condition(route: Route, changed: Changed, about: str) -> Condition:
    # Only a route that asks for it pays for the module.
    from ddbstream._diff.changed import change_filter
    from ddbstream._values.paths import path_text

    codec = route.codec
    try:
        found = change_filter(changed)
    except DDBStreamError as error:
        raise RouteDefinitionError(f"{about}: changed= takes document paths ({error})") from None
    for path in found.paths if codec.model is not None else ():
        for length in range(1, len(path.parts) + 1):
            if not codec.places(path.parts[:length], strict=True):
                there = f"{path.parts[length - 1]!r}"
                inside = f" in {path_text(path.parts[: length - 1])}" if length > 1 else ""
                raise RouteDefinitionError(
                    f"{about}: changed={path!r}, but {codec.name} has no field {there}{inside}",
                    path=str(path),
                    model=codec.model,
                )

    def differs(record: StreamRecord[Any]) -> bool:
        # Against no item at all, an attribute that is there counts as changed.
        return found.matches(*record._images(views=True), record._codec)

    def refusal(record: StreamRecord[Any]) -> str:
        paths = [str(change.path) for change in record._with_codec(codec_for(None)).diff]
        return f"{option}, and what changed is {', '.join(paths) or 'nothing'}"

    route.changed = tuple(str(path) for path in found.paths)
    option = f"changed={', '.join(route.changed)}"
    return Condition(option, differs, refusal)
