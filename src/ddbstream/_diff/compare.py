"""What differs between two items, as edits: ``(parts, old, new)``, with `ABSENT` for nothing.

Two engines give the same edits. The one for wire items compares with ``==`` first, which for the
equal parts of two items runs in C, and reads only what that finds different. The one for Python
items compares values as `_values` says. An edit holds values in the form of its items.

An edit is at the deepest place that says it all: inside maps and lists that both items have, not
inside what only one of them has, nor where the type changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from ddbstream._diff.values import ABSENT, dynamodb_type, same
from ddbstream._values.attribute_values import from_attribute_value, list_payload, read_quickly
from ddbstream._values.json_values import Unread
from ddbstream._values.paths import Parts, Path
from ddbstream._values.tags import decode_error, tag_of, type_words
from ddbstream.exceptions import DDBStreamError, DiffError

__all__ = [
    "Edit",
    "at",
    "changed_between",
    "check_name",
    "decoded",
    "python_edits",
    "whole_edits",
    "wire_edits",
]

Edit = tuple[Parts, Any, Any]


def wire_edits(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Edit]:
    """The edits between two wire items, in order of their paths.

    Raises:
        DecodeError: A value that differs is no attribute value.
        DiffError: The items are nested too deeply to compare.
    """
    edits: list[Edit] = []
    try:
        _wire_map(old, new, (), edits)
    # `python -bb`, and binary that is bytes in one and text in the other
    except BytesWarning:  # pragma: no cover - a test of tests/unit/test_printable.py starts one
        edits.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BytesWarning)
            _wire_map(old, new, (), edits)
    except RecursionError:
        raise DiffError("nested too deeply to compare") from None
    if len(edits) > 1:
        edits.sort(key=itemgetter(0))
    return edits


def whole_edits(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Edit]:
    """The edits between two items of either form, at least one of which is no item."""
    item = old or new or {}
    for name in item:
        check_name(name, ())
    return [
        ((name,), item[name] if old else ABSENT, item[name] if new else ABSENT)
        for name in sorted(item)
    ]


def check_name(name: object, at: Parts) -> None:
    """Refuse a name that is no text; raises DiffError."""
    if not isinstance(name, str):
        raise DiffError(
            path=Path.of(at) or None,
            expected="text as attribute names",
            found=type(name).__name__,
        )


def _wire_map(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: Parts, edits: list[Edit]
) -> None:
    find = new.get
    missing = 0
    for name, before in old.items():
        after = find(name, ABSENT)
        if before == after:
            continue
        if name.__class__ is not str:
            check_name(name, prefix)
        if after is ABSENT:
            missing += 1
            edits.append(((*prefix, name), before, ABSENT))
        else:
            _wire_value(before, after, (*prefix, name), edits)
    if len(new) != len(old) - missing:
        for name in new:
            if name not in old:
                check_name(name, prefix)
                edits.append(((*prefix, name), ABSENT, new[name]))


def _wire_list(old: list[Any], new: list[Any], prefix: Parts, edits: list[Edit]) -> None:
    for position, (before, after) in enumerate(zip(old, new, strict=False)):
        if before != after:
            _wire_value(before, after, (*prefix, position), edits)
    edits += [((*prefix, at), old[at], ABSENT) for at in range(len(new), len(old))]
    edits += [((*prefix, at), ABSENT, new[at]) for at in range(len(old), len(new))]


def _wire_value(old: Any, new: Any, path: Parts, edits: list[Edit]) -> None:
    """The edits between two wire values that are not ``==``; quickly, where they are as usual."""
    if old.__class__ is dict and new.__class__ is dict and len(old) == 1 == len(new):
        (tag,) = old
        if tag in new:
            before, after = old[tag], new[tag]
            if tag == "M" and before.__class__ is dict and after.__class__ is dict:
                return _wire_map(before, after, path, edits)
            if tag == "L" and before.__class__ is list and after.__class__ is list:
                return _wire_list(before, after, path, edits)
            if _surely_differ(tag, before, after):
                edits.append((path, old, new))
                return None
    return _wire_value_slowly(old, new, path, edits)


def _surely_differ(tag: str, before: Any, after: Any) -> bool:
    """Whether a cheap look is enough to see that two payloads that are not ``==`` differ."""
    if tag == "S":
        return before.__class__ is str and after.__class__ is str
    try:
        if tag == "N":
            # Equal numbers have one nearest double, so two doubles are of two numbers.
            return float(before) != float(after)
        if tag == "SS":
            return set(before) != set(after)
    except (TypeError, ValueError, OverflowError):
        pass
    return False


def _wire_value_slowly(old: Any, new: Any, path: Parts, edits: list[Edit]) -> None:
    tag, before = _tagged(old, path)
    other, after = _tagged(new, path)
    if tag == other:
        if tag == "M":
            return _wire_map(before, after, path, edits)
        if tag == "L":
            return _wire_list(before, after, path, edits)
        # Read without a model, two values of one tag are the same if Python says so.
        if decoded(old, path) == decoded(new, path):
            return None
    edits.append((path, old, new))
    return None


def _tagged(value: Any, path: Parts) -> tuple[str, Any]:
    """The tag and the payload of a wire value; a map for ``M``, a list for ``L``."""
    tag = tag_of(value, path)
    payload = value[tag]
    if tag == "M" and not isinstance(payload, Mapping):
        raise decode_error(path, "a map of attribute values", type_words(payload))
    return tag, list_payload(tag, payload, path) if tag == "L" else payload


def decoded(value: Any, path: Parts | Path) -> Any:
    """The Python value of a wire value found at that path.

    Raises:
        DecodeError: It is no attribute value; the error names the path.
    """
    try:
        return read_quickly(value, 0)
    except Exception:  # noqa: BLE001, S110 - said in words below, outside of this handler
        pass
    try:
        return from_attribute_value(value)
    except DDBStreamError as error:
        raise error.located(path if isinstance(path, Path) else Path.of(path)) from None


def python_edits(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Edit]:
    """The edits between two Python items, in order of their paths.

    Raises:
        DiffError: The items are nested too deeply to compare.
    """
    edits: list[Edit] = []
    try:
        _python_value(old, new, (), edits)
    except RecursionError:
        raise DiffError("nested too deeply to compare") from None
    return sorted(edits, key=itemgetter(0))


def _python_value(old: Any, new: Any, path: Parts, edits: list[Edit]) -> None:
    kind = old.__class__
    if kind is new.__class__:
        if kind in _PLAIN:
            if not _equal(old, new):
                edits.append((path, old, new))
            return None
        if kind is dict:
            return _python_map(old, new, path, edits)
        if kind is list:
            return _python_list(old, new, path, edits)
    kinds = dynamodb_type(old), dynamodb_type(new)
    if kinds == ("M", "M"):
        return _python_map(old, new, path, edits)
    if kinds == ("L", "L"):
        return _python_list(old, new, path, edits)
    if not same(old, new):
        edits.append((path, old, new))
    return None


# Two values of one of these types are one value if they are equal.
_PLAIN: Final = frozenset({str, int, bool, bytes, type(None), Decimal})


def _equal(old: Any, new: Any) -> bool:
    try:
        return bool(old == new) or same(old, new)
    except ArithmeticError:  # a signalling NaN
        return same(old, new)


def _python_list(old: Sequence[Any], new: Sequence[Any], at: Parts, edits: list[Edit]) -> None:
    for position, (before, after) in enumerate(zip(old, new, strict=False)):
        if before is not after:
            _python_value(before, after, (*at, position), edits)
    edits += [((*at, i), old[i], ABSENT) for i in range(len(new), len(old))]
    edits += [((*at, i), ABSENT, new[i]) for i in range(len(old), len(new))]


def _python_map(
    old: Mapping[Any, Any], new: Mapping[Any, Any], at: Parts, edits: list[Edit]
) -> None:
    for name, before in old.items():
        check_name(name, at)
        if name not in new:
            edits.append(((*at, name), before, ABSENT))
            continue
        after = new[name]
        if before is not after:
            _python_value(before, after, (*at, name), edits)
    for name in new:
        if name not in old:
            check_name(name, at)
            edits.append(((*at, name), ABSENT, new[name]))


def changed_between(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, path: Parts
) -> bool:
    """Whether the values at that path in two wire items differ, as values.

    Numbers compare as numbers and sets as sets; a path that neither item has did not change.

    Raises:
        DecodeError: The values differ, and one of them is no attribute value.
    """
    try:
        # A dict is the usual image; `isinstance` is for what else there is.
        text = old.__class__ is not dict and isinstance(old, Unread) and isinstance(new, Unread)
        if text:
            # Attributes of the same text are equal, and so is all that is in them.
            found = old.differing(new, path[0], ABSENT)  # type: ignore[union-attr]
            if found is None:
                return False
            before, after = found
            if len(path) > 1:
                before, after = _inside(before, path), _inside(after, path)
        elif len(path) == 1 and old is not None and new is not None:
            before = old.get(path[0], ABSENT)  # type: ignore[arg-type]
            after = new.get(path[0], ABSENT)  # type: ignore[arg-type]
        else:
            before = at(old, path)
            after = at(new, path)
        if before == after:
            return False
        if before is ABSENT or after is ABSENT:
            return True
        edits: list[Edit] = []
        _wire_value(before, after, path, edits)
    except RecursionError:
        raise DiffError("nested too deeply to compare", path=str(Path.of(path))) from None
    return bool(edits)


def at(item: Mapping[str, Any] | None, path: Parts) -> Any:
    """The wire value at that path, or `ABSENT`."""
    if item is None:
        return ABSENT
    return _inside(item.get(path[0], ABSENT), path)  # type: ignore[arg-type]


def _inside(value: Any, path: Parts) -> Any:
    """What is at a path, of whose first part this is the value."""
    for part in path[1:]:
        if not isinstance(value, (dict, Mapping)):
            return ABSENT
        inner = value.get("M" if isinstance(part, str) else "L")
        if isinstance(part, str):
            value = inner.get(part, ABSENT) if isinstance(inner, (dict, Mapping)) else ABSENT
        elif isinstance(inner, (list, tuple)) and part < len(inner):
            value = inner[part]
        else:
            return ABSENT
    return value
