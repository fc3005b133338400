"""What a router says of itself: its routes, and why a record does or does not get to a handler.

Rules:

* Nothing here runs a handler, closes a router, or raises what the user's functions raise.
* An explanation agrees with dispatch: what fails a record before its first handler (it is
  malformed, its classifier or a predicate raises) leaves no route chosen.
* Words name events, entities, options and paths. They never hold a value of an item, nor the
  message of an exception that is not ddbstream's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ddbstream._filters.criteria import FilterCriteria, Wanted, derive
from ddbstream._records import EVENTS, MalformedRecord
from ddbstream._router.awaiting import at_once
from ddbstream._router.classify import Classifier, entity_named, tests_of
from ddbstream._values.callables import plain_name_of
from ddbstream.exceptions import DDBStreamError, printable

if TYPE_CHECKING:
    from ddbstream._model import Registry
    from ddbstream._records import StreamRecord
    from ddbstream._router.matching import PlacedRoute
    from ddbstream._router.routes import Route

__all__ = ["Explanation", "RouteDescription", "describe", "explain", "filter_criteria"]


@dataclass(frozen=True)
class RouteDescription:
    """One route, or one fold, where it stands in a router.

    Attributes:
        name: The handler's own name: ``added``. Failures, logs and metrics have its module, too.
        events: The values of ``eventName`` that it takes.
        entity: The entity that it takes, as bound in its router; None for every entity.
        model: The class that images are read as; None for dicts.
        handler: The function.
        conditions: What narrows it further, as written: ``changed=price``, ``where=``.
        changed: The paths of ``changed=``; None without one. With one the route needs all images
            that an event has.
        classify: Names a record's entity where the route stands.
        registry: What the model is read with; None without one.
    """

    name: str
    events: frozenset[str]
    entity: str | None
    model: Any
    handler: Callable[..., Any]
    conditions: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    classify: Classifier | None = field(default=None, repr=False)
    registry: Registry | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """As ``repriced: MODIFY of Product, changed=price``."""
        wanted = f"{_listed(self.events)} of {self.entity or 'every entity'}"
        return printable(f"{self.name}: {', '.join((wanted, *self.conditions))}")


@dataclass(frozen=True)
class Explanation:
    """What a router would do with one record; ``str`` gives it as lines of text.

    Attributes:
        record: The record.
        entity: What the router's classifier calls it; None if it has no entity, or none can be
            found out.
        chosen: The routes whose handlers would run, in order.
        rejected: Every other route, with the reason in words.
        problem: Why the record would fail before any handler runs, in words; None if it would not.
    """

    record: StreamRecord[Any]
    entity: str | None
    chosen: tuple[RouteDescription, ...]
    rejected: tuple[tuple[RouteDescription, str], ...]
    problem: str | None = None

    def __str__(self) -> str:
        """A line on the record, then one for each route."""
        about = (
            "a malformed record"
            if isinstance(self.record, MalformedRecord)
            else (f"{self.record.event_name} of {self.entity or 'no entity'}")
        )
        lines = [
            about if self.record.event_id is None else f"{about}, event {self.record.event_id}"
        ]
        if self.problem is not None:
            lines.append(f"fails before any handler runs: {self.problem}")
        elif not self.chosen:
            lines.append("no route wants it")
        lines += [f"+ {route}" for route in self.chosen]
        for route, reason in self.rejected:
            lines += [f"- {route}", f"    {reason}"]
        return "\n".join(map(printable, lines))


def describe(placed: PlacedRoute) -> RouteDescription:
    """The description of a route where it stands."""
    route = placed.route
    return RouteDescription(
        name=plain_name_of(route.handler),
        events=_events(route),
        entity=placed.entity,
        model=route.codec.model,
        handler=route.handler,
        conditions=tuple(one.option for one in route.conditions),
        changed=route.changed,
        classify=placed.classify,
        registry=route.codec.registry,
    )


def filter_criteria(
    placed: Sequence[PlacedRoute], *, keys: frozenset[str] | None, max_filters: int
) -> FilterCriteria | None:
    """What a mapping's filters can say of routes and folds; see `ddbstream._filters.criteria`."""
    return derive(map(_wanted, placed), keys=keys, max_filters=max_filters)


def _wanted(placed: PlacedRoute) -> Wanted:
    route, tests = placed.route, tests_of(placed.classify)
    if placed.entity is None or tests is None:
        return Wanted(_events(route), route.ttl, route.pattern)
    items = tests.of(placed.entity)
    return Wanted(_events(route), route.ttl, route.pattern, items, tests.are_keys)


def explain(
    record: StreamRecord[Any], placed: Sequence[PlacedRoute], classify: Classifier
) -> Explanation:
    """Say which routes want a record, and why the others do not.

    Args:
        record: The record, malformed or not.
        placed: The router's routes, in order.
        classify: The router's own classifier.
    """
    if isinstance(record, MalformedRecord):
        return _nothing_runs(record, placed, f"the record is malformed: {record.error}")
    event = next(name for name, cls in EVENTS.items() if cls is type(record))
    entities = _Entities(record)
    for one in placed:
        if type(record) not in one.route.kinds or one.entity is None:
            continue
        if (fault := entities.fault_of(one.classify)) is not None:
            return _nothing_runs(record, placed, fault)
    verdicts: list[tuple[RouteDescription, str | None]] = []
    problem: str | None = None
    for one in placed:
        description = describe(one)
        reason, fault = None, None
        if type(record) not in one.route.kinds:
            reason = f"it takes {_listed(description.events)}, and this is {event}"
        elif one.entity is not None and (found := entities.of(one.classify)) != one.entity:
            this = "this has no entity" if found is None else f"this is {found}"
            reason = f"it is for the entity {one.entity}, and {this}"
        else:
            reason, fault = _unmet(one, record)
            problem = problem or fault
        verdicts.append((description, reason))
    entity = entities.of(classify)
    if problem is not None:
        fails = f"the record fails before any handler runs: {problem}"
        rejected = tuple((one, reason or fails) for one, reason in verdicts)
        return Explanation(record, entity, (), rejected, problem)
    return Explanation(
        record,
        entity,
        tuple(one for one, reason in verdicts if reason is None),
        tuple((one, reason) for one, reason in verdicts if reason is not None),
    )


class _Entities:
    """What each classifier calls a record, asked once each."""

    def __init__(self, record: StreamRecord[Any]) -> None:
        self._record = record
        self._found: dict[int, tuple[str | None, str | None]] = {}  # by id: not all can be hashed

    def of(self, classify: Classifier) -> str | None:
        """The entity; None if there is none, or the classifier raises."""
        return self._ask(classify)[0]

    def fault_of(self, classify: Classifier) -> str | None:
        """What went wrong in the classifier, in words."""
        return self._ask(classify)[1]

    def _ask(self, classify: Classifier) -> tuple[str | None, str | None]:
        key = id(classify)
        if key not in self._found:
            try:
                self._found[key] = (entity_named(classify(self._record)), None)
            except Exception as error:  # noqa: BLE001 - a reason, whatever it is
                self._found[key] = (None, f"the classifier raised {_words(error)}")
        return self._found[key]


def _unmet(placed: PlacedRoute, record: StreamRecord[Any]) -> tuple[str | None, str | None]:
    """Why a route's conditions do not hold; and the same again if asking them fails the record."""
    view = record._with_codec(placed.route.codec)
    for one in placed.route.conditions:
        try:
            if not at_once(one.holds(view), one.option):
                return _refusal(one.option, one.refusal, view), None
        except Exception as error:  # noqa: BLE001, PERF203 - a reason, whatever it is
            fault = f"{one.option} of {placed.route.name} raised {_words(error)}"
            return fault, fault
    return None, None


def _refusal(
    option: str, refusal: Callable[[StreamRecord[Any]], str], view: StreamRecord[Any]
) -> str:
    try:
        return refusal(view)
    except DDBStreamError as error:  # the rest of the change cannot be read
        return f"{option} does not hold, and what changed cannot be read: {error}"


def _nothing_runs(
    record: StreamRecord[Any], placed: Sequence[PlacedRoute], problem: str
) -> Explanation:
    rejected = tuple((describe(one), problem) for one in placed)
    return Explanation(record, None, (), rejected, problem)


def _words(error: Exception) -> str:
    """An exception in words; the message of one that is not ours may hold the item's values."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, DDBStreamError) else name


def _events(route: Route) -> frozenset[str]:
    return frozenset(name for name, cls in EVENTS.items() if cls in route.kinds)


def _listed(events: frozenset[str]) -> str:
    return " or ".join(event for event in EVENTS if event in events)
