"""Attribute values as plain JSON, where nothing is lost by it: for state that others read as well.

Rules:

- Text, numbers, true, false, null, lists and maps are JSON's own.
- What JSON has no form for stays a tagged attribute value in its place: binaries, sets, and numbers
  that a double does not hold. So does a map that looks like such a value.
- So each JSON value has one meaning, and an attribute value is read as what it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ddbstream._values.numbers import decimal_from_text
from ddbstream._values.tags import MAX_DEPTH, SET_TAGS, TAGS
from ddbstream.exceptions import DecodeError

__all__ = ["from_plain", "to_plain"]

#: Whole numbers up to here are exact in every runtime: JSON's numbers are doubles to most.
_MAX_WHOLE: Final = 2**53


def to_plain(value: Any) -> Any:
    """The plain JSON of an attribute value in JSON form, or the value itself.

    Args:
        value: An attribute value that this package has written.
    """
    ((tag, payload),) = value.items()
    if tag in ("S", "BOOL"):
        return payload
    if tag == "NULL":
        return None
    if tag == "L":
        return [to_plain(member) for member in payload]
    if tag == "M":
        members = {name: to_plain(member) for name, member in payload.items()}
        return value if _is_tagged(members) else members
    number = _number(payload) if tag == "N" else None
    return value if number is None else number


def from_plain(value: Any, depth: int = 0) -> Any:
    """The attribute value of what `to_plain` wrote, or another runtime did.

    Args:
        value: JSON's value.
        depth: How many containers are around it.

    Raises:
        DecodeError: It is nested deeper than an attribute value can be.
    """
    if depth > MAX_DEPTH:
        raise DecodeError(expected=f"at most {MAX_DEPTH} levels", found="more")
    if _is_tagged(value):
        return value
    if isinstance(value, dict):
        return {"M": {name: from_plain(member, depth + 1) for name, member in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [from_plain(member, depth + 1) for member in value]}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    return {"NULL": True} if value is None else {"N": value}


def _number(text: str) -> int | float | None:
    """The number of an ``N`` as JSON has it; None if it is not exact there."""
    exact = decimal_from_text(text)
    if text.lstrip("-").isdecimal():
        return int(text) if abs(exact) <= _MAX_WHOLE else None
    nearest = float(text)
    return nearest if Decimal(repr(nearest)) == exact else None


def _is_tagged(value: Any, depth: int = 0) -> bool:
    """Whether a JSON value has the form of an attribute value, all the way down."""
    if not isinstance(value, dict) or len(value) != 1 or depth > MAX_DEPTH:
        return False
    ((tag, payload),) = value.items()
    if tag not in TAGS:
        return False
    if tag in SET_TAGS:
        return isinstance(payload, list) and all(isinstance(member, str) for member in payload)
    if tag == "L":
        return isinstance(payload, list) and all(_is_tagged(each, depth + 1) for each in payload)
    if tag == "M":
        members = payload.values() if isinstance(payload, dict) else [None]
        return all(_is_tagged(each, depth + 1) for each in members)
    return isinstance(payload, bool if tag in ("BOOL", "NULL") else str)
