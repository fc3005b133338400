"""What is wrong with a filter pattern that Lambda accepts and that can never match.

Each rule is from the page that ``patterns`` cites, or from a recording of a mapping: AWS says
nothing when a pattern cannot match, and the function is simply never called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ddbstream._filters.patterns import INVISIBLE, Fields, Leaf, Pattern, Test
from ddbstream._records import EVENTS
from ddbstream._values.tags import SET_TAGS, TAGS

__all__ = ["Problem", "lint", "never_for"]

_TEXT_TAGS: Final = frozenset({"S", "N", "B"}) | SET_TAGS
_IMAGES: Final = ("Keys", "NewImage", "OldImage")

# What a record has on its top level when the filter sees it, and under `dynamodb`.
_TOP: Final = frozenset({"dynamodb", "eventID", "eventName", "eventVersion", "userIdentity"})
_CHANGE: Final[Mapping[str, type]] = {
    "ApproximateCreationDateTime": float,
    "SequenceNumber": str,
    "SizeBytes": float,
    "StreamViewType": str,
}


class Problem(NamedTuple):
    """One part of a pattern that can never match.

    Attributes:
        path: Where it is: ``dynamodb.NewImage.price.N[0]``.
        message: What is wrong, and what would work.
        fatal: Whether the whole pattern can therefore never match.
    """

    path: str
    message: str
    fatal: bool


class _Finding(NamedTuple):
    path: str
    message: str


def lint(pattern: Pattern | Mapping[str, Any] | str) -> tuple[Problem, ...]:
    """What in a pattern can never match.

    Args:
        pattern: A mapping, its JSON text, or a parsed pattern.

    Raises:
        RouteDefinitionError: Lambda would refuse the pattern.
    """
    parsed = pattern if isinstance(pattern, Pattern) else Pattern(pattern)
    findings: list[_Finding] = []
    never = _top(parsed.root, "", findings)
    return tuple(Problem(path, message, never) for path, message in findings)


def never_for(pattern: Pattern, event: str) -> bool:
    """Whether a pattern can match no record of one event: another's name, or another's image."""
    return _excludes(pattern.root, event)


def _excludes(node: Fields, event: str) -> bool:
    missing = {"INSERT": "OldImage", "REMOVE": "NewImage"}.get(event)
    for name, child in node.fields:
        if name == "eventName" and not child.matches(event):
            return True
        if name == missing and not _wants_absence(child):
            return True
        if name == "dynamodb" and isinstance(child, Fields) and _excludes(child, event):
            return True
    return any(all(_excludes(one, event) for one in ors) for ors in node.alternatives)


def _top(node: Fields, path: str, found: list[_Finding]) -> bool:
    """Note what can never match; whether the whole node cannot. So do all of these."""
    never = _alternatives(node, path, found, _top)
    for name, child in node.fields:
        where = _join(path, name)
        if name in INVISIBLE:
            # Recordings of mappings contradict each other: nobody can say that it never matches.
            found.append(
                _Finding(where, "Lambda may add it after filtering: the filter may not see it")
            )
        elif name not in _TOP:
            found.append(_Finding(where, "no stream record has it"))
            never = never or not _wants_absence(child)
        elif name == "dynamodb":
            never |= _inner(child, where, found)
        elif name == "userIdentity":
            if isinstance(child, Leaf):
                never |= _non_leaf(child, where, found)
        else:
            allowed = frozenset(EVENTS) if name == "eventName" else None
            never |= _scalar(child, where, found, str, allowed)
    return never


def _inner(node: Fields | Leaf, path: str, found: list[_Finding]) -> bool:
    if isinstance(node, Leaf):
        return _non_leaf(node, path, found)
    never = _alternatives(node, path, found, _inner)
    for name, child in node.fields:
        where = _join(path, name)
        if name in _IMAGES:
            never |= _image(child, where, found)
        elif name in _CHANGE:
            never |= _scalar(child, where, found, _CHANGE[name], None)
        else:
            found.append(_Finding(where, "no stream record has it"))
            never = never or not _wants_absence(child)
    return never


def _image(node: Fields | Leaf, path: str, found: list[_Finding]) -> bool:
    """A map of attributes: an image, the keys, or what is under ``M``."""
    if isinstance(node, Leaf):
        return _non_leaf(node, path, found)
    never = _alternatives(node, path, found, _image)
    for name, child in node.fields:
        never |= _value(child, _join(path, name), found)
    return never


def _value(node: Fields | Leaf, path: str, found: list[_Finding]) -> bool:
    """An attribute value."""
    if isinstance(node, Leaf):
        return _non_leaf(node, path, found, f"name its type: {path}.S")
    never = _alternatives(node, path, found, _value)
    for tag, child in node.fields:
        where = _join(path, tag)
        if tag not in TAGS:
            found.append(
                _Finding(where, "no type tag; a type such as S stands between name and value")
            )
            never = never or not _wants_absence(child)
        elif tag == "M":
            never |= _image(child, where, found)
        elif tag == "L":
            never |= _value(child, where, found)
        else:
            never |= _scalar(child, where, found, str if tag in _TEXT_TAGS else bool, None)
    if len(node.fields) > 1 and not any(_wants_absence(child) for _, child in node.fields):
        found.append(_Finding(path, "a value has one type: these are never there at once"))
        never = True
    return never


def _scalar(
    node: Fields | Leaf,
    path: str,
    found: list[_Finding],
    kind: type,
    allowed: frozenset[str] | None,
) -> bool:
    """A place that holds text, numbers or booleans, and never a map."""
    if isinstance(node, Fields):
        found.append(_Finding(path, "it holds no map"))
        return not _wants_absence(node)
    impossible = 0
    for index, test in enumerate(node.tests):
        message = _impossible(test, kind, allowed)
        if message:
            impossible += 1
            found.append(_Finding(f"{path}[{index}]", message))
    return impossible == len(node.tests)


def _impossible(test: Test, kind: type, allowed: frozenset[str] | None) -> str | None:
    operator, operand = test.operator, test.operand
    if operator == "numeric":
        return None if kind is float else "numeric never holds: the value is text, also under N"
    if operator in {"prefix", "suffix", "equals-ignore-case"}:
        return None if kind is str else f"{operator} never holds: the value is no text"
    if operator != "equals":
        return None
    fits = {str: isinstance(operand, str), bool: isinstance(operand, bool)}.get(
        kind, isinstance(operand, (int, float)) and not isinstance(operand, bool)
    )
    if not fits:
        wanted = {str: "text, also under N: write it in quotes", bool: "true or false"}
        return f"never equal: the value is {wanted.get(kind, 'a number')}"
    if allowed is not None and operand not in allowed:
        return f"never equal: it is one of {', '.join(sorted(allowed))}"
    return None


def _non_leaf(
    node: Leaf, path: str, found: list[_Finding], advice: str = "go on to a value in it"
) -> bool:
    """A list of tests where there is a map: to a test it is no value."""
    if any(test.operator == "exists" and test.operand is False for test in node.tests):
        found.append(_Finding(path, f"exists: false always holds here: {advice}"))
        return False
    found.append(_Finding(path, f"never holds here, where a map is: {advice}"))
    return True


def _alternatives(node: Fields, path: str, found: list[_Finding], check: Any) -> bool:
    never = False
    for ors in node.alternatives:
        dead = [check(one, f"{_join(path, '$or')}[{i}]", found) for i, one in enumerate(ors)]
        never = never or all(dead)
    return never


def _wants_absence(node: Fields | Leaf) -> bool:
    """Whether it can match where nothing is."""
    return node.matches({})


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
