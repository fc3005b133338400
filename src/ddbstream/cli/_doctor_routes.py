"""What ``doctor`` finds between a router's routes and what can reach them: filters and records.

Nothing here asks AWS: each check takes what AWS has said already.

A filter that leaves out what a route wants loses it for the function, without a word. So a sample
of what each route wants is held against the filters, as far as its event and its keys go; in what
only data could show (other attributes) a filter is believed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ddbstream._filters import never_for
from ddbstream._filters.patterns import Fields, Leaf
from ddbstream._router.classify import tests_of
from ddbstream.cli._doctor_checks import App, Check
from ddbstream.cli._standard_streams import plural
from ddbstream.exceptions import DDBStreamError, RouteDefinitionError
from ddbstream.filters import Pattern, lint

if TYPE_CHECKING:
    from ddbstream import StreamRouter
    from ddbstream._router.descriptions import RouteDescription

__all__ = ["check_filters", "check_routes"]

_LISTED: Final = 10  # entities in a message
_REMEDY = "set what `ddbstream filters` prints for the router"


_WITH_KEYS: Final = MappingProxyType(
    {
        "INSERT": ("Keys", "NewImage"),
        "MODIFY": ("Keys", "NewImage", "OldImage"),
        "REMOVE": ("Keys", "OldImage"),
    }
)
"""Where a record of an event has the item's key attributes."""


class _Sample(NamedTuple):
    """A record that a route wants: its event, and what its key attributes may be."""

    route: RouteDescription
    event: str
    keys: Mapping[str, Any]


def check_filters(mapping: Mapping[str, Any], app: App, keys: Sequence[str]) -> Iterator[Check]:
    """Whether a mapping's filters let through what the routes want, and no more.

    Args:
        mapping: As ``ListEventSourceMappings`` gives it.
        app: What the function runs.
        keys: The table's key attributes.
    """
    name = "filters"
    texts = [one["Pattern"] for one in (mapping.get("FilterCriteria") or {}).get("Filters") or ()]
    present = _canonical(texts)
    derived = [_derived(app.router, known, most) for known in (keys, None) for most in (5, 10)]
    if present in derived:
        yield Check(name, "ok", "as the routes want them" if present else "none, as it has to be")
        return
    if not present:
        message = "none: the function is called for records that no route wants, too"
        yield Check(name, "warning", message, _REMEDY)
        return
    patterns, faults = _read(texts)
    yield from faults
    dropped = _dropped(app.router, patterns, keys) if patterns else []
    for route, events in dropped:
        message = f"they leave out {' and '.join(events)} that the route {route.name} wants"
        yield Check(name, "problem", message, _REMEDY)
    if faults or dropped:
        return
    if not any(derived):
        message = "the router wants every record, and does not get those that the filters leave out"
        yield Check(name, "warning", message, "take the filters away")
        return
    message = "not those that the routes ask for: they may leave out what a route wants"
    yield Check(name, "warning", message, _REMEDY)


def _derived(router: StreamRouter, keys: Sequence[str] | None, max_filters: int) -> frozenset[str]:
    criteria = router.filter_criteria(keys=keys, max_filters=max_filters)
    return _canonical([one["Pattern"] for one in criteria["Filters"]] if criteria else [])


def _canonical(texts: Sequence[str]) -> frozenset[str]:
    """Filters that compare equal whatever their order and spelling."""
    return frozenset(json.dumps(json.loads(text), sort_keys=True) for text in texts)


def _read(texts: Sequence[str]) -> tuple[list[Pattern], list[Check]]:
    """The patterns that can match, and a check for each that cannot; no patterns if one is odd."""
    patterns: list[Pattern] = []
    faults: list[Check] = []
    for number, text in enumerate(texts, 1):
        try:
            pattern = Pattern(text)
        except RouteDefinitionError as error:
            message = f"filter {number} is one that ddbstream cannot read: {error.problem}"
            return [], [*faults, Check("filters", "warning", message, _REMEDY)]
        fatal = [one for one in lint(pattern) if one.fatal]
        if fatal:
            message = f"filter {number} can never match: {fatal[0].path}: {fatal[0].message}"
            faults.append(Check("filters", "problem", message, _REMEDY))
        else:
            patterns.append(pattern)
    return patterns, faults


def _dropped(
    router: StreamRouter, patterns: Sequence[Pattern], keys: Sequence[str]
) -> list[tuple[RouteDescription, list[str]]]:
    """The routes that want what no pattern lets through, with the events of it."""
    found: dict[int, tuple[RouteDescription, list[str]]] = {}
    for route in (*router.routes(), *router.folds()):
        for sample in _samples(route, keys):
            if any(_may_pass(pattern, sample) for pattern in patterns):
                continue
            events = found.setdefault(id(route), (route, []))[1]
            if sample.event not in events:
                events.append(sample.event)
    return list(found.values())


def _samples(route: RouteDescription, keys: Sequence[str]) -> Iterator[_Sample]:
    tests = None if route.classify is None else tests_of(route.classify)
    alternatives: list[Mapping[str, list[object]]] = [{}]
    if tests is not None and route.entity is not None:
        alternatives = list(tests.of(route.entity)) or [{}]
    for alternative in alternatives:
        known = {
            name: {"S": text}
            for name, wanted in alternative.items()
            if name in keys and (text := _text_of(wanted)) is not None
        }
        for event in sorted(route.events):
            yield _Sample(route, event, known)


def _text_of(tests: Sequence[object]) -> str | None:
    """A text for which one of some tests holds; None if that is not to be seen."""
    for test in tests:
        match test:
            case str():
                return test
            case {"prefix": str(start)}:
                return f"{start}sample"
            case _:
                continue
    return None


def _may_pass(pattern: Pattern, sample: _Sample) -> bool:
    """Whether a pattern may let a sample through, as far as the sample goes."""
    return not never_for(pattern, sample.event) and _holds(pattern.root, sample)


def _holds(node: Fields, sample: _Sample) -> bool:
    for name, child in node.fields:
        if name == "eventName" and not child.matches(sample.event):
            return False
        if name == "dynamodb" and isinstance(child, Fields) and not _holds(child, sample):
            return False
        if name in _WITH_KEYS[sample.event] and not _holds_in(child, sample):
            return False
    return all(any(_holds(one, sample) for one in ors) for ors in node.alternatives)


def _holds_in(node: Fields | Leaf, sample: _Sample) -> bool:
    """Whether a pattern for the keys, or an image, may hold: both have the key attributes."""
    if isinstance(node, Leaf):
        return True
    return all(
        name not in sample.keys or child.matches(sample.keys[name]) for name, child in node.fields
    )


def check_routes(router: StreamRouter, records: Sequence[Any], stream_arn: str) -> Iterator[Check]:
    """Whether each route is reached by one of the records that the stream holds now.

    Args:
        router: Its classifier and predicates are asked; no handler runs.
        records: As ``GetRecords`` gives them.
        stream_arn: Where they are from.
    """
    name = "routes"
    if not records:
        yield Check(name, "ok", "not tried: the stream holds no record now")
        return
    reasons: dict[int, str] = {}
    reached: set[int] = set()
    entities: set[str] = set()
    unwanted: Counter[str] = Counter()
    for record in records:
        try:
            explained = router.explain(record, stream_arn=stream_arn)
        except DDBStreamError:
            continue  # `explain` names it, and a handler would fail on it
        entities.add(explained.entity or "none")
        chosen = [one.handler for one in explained.chosen]
        reached |= {id(one) for one in chosen}
        if not chosen and explained.problem is None:
            unwanted[explained.entity or "none"] += 1
        reasons |= {id(one.handler): reason for one, reason in explained.rejected}
    count = plural(len(records), "recent record")
    missed = [one for one in router.routes() if id(one.handler) not in reached]
    for route in missed:
        reason = reasons.get(id(route.handler), "it is not asked")
        message = f"{route.name}: none of {count} reaches it, for the last one {reason}"
        seen = ", ".join(sorted(entities))
        yield Check(name, "warning", message, f"the entities seen: {seen}; see `ddbstream explain`")
    if not missed:
        yield Check(name, "ok", f"each is reached by one of {count}")
    if unwanted:
        # Many a router leaves entities to another; a misspelt one is seen in this list.
        listed = [f"{entity} ({number})" for entity, number in unwanted.most_common(_LISTED)]
        listed += [f"and {len(unwanted) - _LISTED} more"] if len(unwanted) > _LISTED else []
        message = f"no route wants {unwanted.total()} of {count}: {', '.join(listed)}"
        yield Check("entities", "ok", message)
