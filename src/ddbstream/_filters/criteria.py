"""From a router's routes to the ``FilterCriteria`` of its event source mapping.

Rules:

* A record that some route wants passes. So does one whose handling would fail, which would be
  hidden otherwise. One exception: ``ttl=`` or ``pattern=`` may leave out a record that the
  classifier would fail on. What a filter cannot say (``where=``, ``changed=``, a classifier of
  the user's) is not in it, which lets more pass.
* Filters are as narrow as the syntax allows, joined where that loses nothing, and within the
  mapping's limits: AWS, `event filtering`_: 5 filters, or 10 by quota; 4,096 characters each.

Theory of operation: a route is a list of alternatives, each a map from a path to the tests of which
one has to hold there. Two alternatives that differ in one path alone are one, with both lists of
tests there.

.. _event filtering: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from json import dumps, loads
from typing import Any, Final, NamedTuple, TypedDict

from ddbstream._filters.patterns import INVISIBLE, Pattern
from ddbstream._records import EVENTS

__all__ = ["Filter", "FilterCriteria", "Wanted", "derive"]

MAX_PATTERN: Final = 4096

Path = tuple[str, ...]
Tests = tuple[str, ...]
"""Tests as JSON text, sorted: what makes two lists comparable."""
Alternative = dict[Path, Tests]

_EVENT: Final[Path] = ("eventName",)
_OPAQUE: Final = "$or"


class Filter(TypedDict):
    """One filter of a mapping."""

    Pattern: str


class FilterCriteria(TypedDict):
    """The ``FilterCriteria`` parameter of ``CreateEventSourceMapping``."""

    Filters: list[Filter]


class Wanted(NamedTuple):
    """What one route wants, as far as a filter can say it.

    Attributes:
        events: The ``eventName``s.
        ttl: Whether it wants deletions by Time to Live alone.
        pattern: Its own pattern.
        items: Alternatives for the item, each a map from attributes to the tests of which one has
            to hold on their text; None for any item.
        are_keys: Whether those attributes should be keys of the table.
    """

    events: frozenset[str]
    ttl: bool = False
    pattern: Pattern | None = None
    items: Sequence[Mapping[str, list[object]]] | None = None
    are_keys: bool = False


def derive(
    wanted: Iterable[Wanted], *, keys: frozenset[str] | None, max_filters: int
) -> FilterCriteria | None:
    """The criteria of routes; None where nothing can be left out.

    Args:
        wanted: What each route and each fold wants.
        keys: The names of the table's key attributes, if they are known.
        max_filters: How many the mapping may have.
    """
    alternatives: list[Alternative] = []
    for one in wanted:
        alternatives += _alternatives(one, keys)
    alternatives = _joined(alternatives)
    if not alternatives or any(not one for one in alternatives):
        return None
    patterns = [_nested(one) for one in alternatives]
    fitting = _fitting(patterns, max_filters)
    if fitting is None:
        if any(_EVENT not in one for one in alternatives):
            return None
        # They differ in nothing else, and so they join into one.
        events = _joined([{_EVENT: one[_EVENT]} for one in alternatives])
        fitting = [_text(_nested(one)) for one in events]
    return {"Filters": [{"Pattern": text} for text in fitting]}


def _alternatives(one: Wanted, keys: frozenset[str] | None) -> list[Alternative]:
    base: Alternative = {}
    if one.events != frozenset(EVENTS):
        base[_EVENT] = _tests(one.events)
    if one.ttl:
        base[_EVENT] = _tests(["REMOVE"])
        base["userIdentity", "type"] = _tests(["Service"])
        base["userIdentity", "principalId"] = _tests(["dynamodb.amazonaws.com"])
    if one.pattern is not None:
        base = _both(base, _visible(_flat(one.pattern.source)))
    if one.items is None:
        return [base]
    return [
        _both(base, place)
        for attributes in one.items
        if all(attributes.values())  # no text stands for the entity: no record has it
        for place in _places(attributes, keys, likely_keys=one.are_keys)
    ]


def _places(
    attributes: Mapping[str, list[object]], keys: frozenset[str] | None, *, likely_keys: bool
) -> list[Alternative]:
    """Where the attributes of a classifier may be: it looks into the keys, then into the images."""

    def at(part: str, name: str) -> Path:
        return ("dynamodb", part, name, "S")

    if keys is not None and not keys.isdisjoint(attributes):
        # Whether the others fit as well, the router will see.
        return [{at("Keys", a): _tests(tests) for a, tests in attributes.items() if a in keys}]
    if keys is None and likely_keys:
        # One that is no key of the table after all is looked for in the images, by the router.
        absent = {"exists": False}
        return [{at("Keys", a): _tests([*tests, absent]) for a, tests in attributes.items()}]
    name, tests = next(iter(attributes.items()))
    parts = ("NewImage", "OldImage") if keys is not None else ("Keys", "NewImage", "OldImage")
    # Without the image that has it the classifier fails, and that must be seen.
    uncaptured = _tests([{"anything-but": "NEW_AND_OLD_IMAGES"}])
    return [
        *({at(part, name): _tests(tests)} for part in parts),
        {("dynamodb", "StreamViewType"): uncaptured},
    ]


def _visible(alternative: Alternative) -> Alternative:
    """Without what a mapping's filter may not see: it could leave out all that the route wants."""
    return {
        path: tests
        for path, tests in alternative.items()
        if path[0] not in INVISIBLE
        and not (path[0] == _OPAQUE and any(name in text for name in INVISIBLE for text in tests))
    }


def _flat(source: Mapping[str, Any], path: Path = ()) -> Alternative:
    """A pattern as paths; ``$or`` is kept whole, as the one test of its path."""
    flat: Alternative = {}
    for name, inner in source.items():
        where = (*path, name)
        if name == _OPAQUE:
            flat[where] = (_text(inner),)
        elif isinstance(inner, Mapping):
            flat.update(_flat(inner, where))
        else:
            flat[where] = _tests(inner)
    return flat


def _both(first: Alternative, second: Alternative) -> Alternative:
    """What lets pass at least what both let pass."""
    both = {**second, **first}
    for path in first.keys() & second.keys():
        common = set(first[path]) & set(second[path])
        # Lists are ORed: two of them cannot be ANDed, but for values, of which there is one.
        plain = not any(test.startswith("{") for test in (*first[path], *second[path]))
        if plain and common and path[-1] != _OPAQUE:
            both[path] = tuple(sorted(common))
    return both


def _joined(alternatives: Sequence[Alternative]) -> list[Alternative]:
    """The same with fewer: two that differ in one path join, and what is in another goes."""
    found = list(alternatives)
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(found):
            for j, other in enumerate(found):
                if i == j:
                    continue
                joined = _join(one, other)
                if joined is not None:
                    found = [a for k, a in enumerate(found) if k not in (i, j)]
                    found.insert(min(i, j), joined)
                    changed = True
                    break
            if changed:
                break
    return found


def _join(one: Alternative, other: Alternative) -> Alternative | None:
    if all(path in other and set(other[path]) <= set(tests) for path, tests in one.items()):
        return one
    if one.keys() != other.keys():
        return None
    differing = [path for path in one if one[path] != other[path]]
    if len(differing) != 1 or differing[0][-1] == _OPAQUE:
        return None
    path = differing[0]
    return {**one, path: tuple(sorted({*one[path], *other[path]}))}


def _nested(alternative: Alternative) -> dict[str, Any]:
    pattern: dict[str, Any] = {}
    for path in sorted(alternative, key=_order):
        inner = pattern
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        tests = [loads(test) for test in alternative[path]]
        inner[path[-1]] = tests[0] if path[-1] == _OPAQUE else tests
    return pattern


def _order(path: Path) -> tuple[bool, Path]:
    return (path != _EVENT, path)


def _fitting(patterns: list[dict[str, Any]], max_filters: int) -> list[str] | None:
    """The patterns as texts within the limits, several in one where there are too many; or None."""
    if len(patterns) <= max_filters:
        texts = [_text(pattern) for pattern in patterns]
    else:
        share = -(-len(patterns) // max_filters)
        bundles = [patterns[i : i + share] for i in range(0, len(patterns), share)]
        texts = [_text({"$or": some} if len(some) > 1 else some[0]) for some in bundles]
    return texts if all(len(text) <= MAX_PATTERN for text in texts) else None


def _tests(tests: Iterable[object]) -> Tests:
    return tuple(sorted({_text(test) for test in tests}))


def _text(value: object) -> str:
    return dumps(value, separators=(",", ":"), sort_keys=True)
