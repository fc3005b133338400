"""Attribute values without a model: DynamoDB's ten tagged types to Python values and back, exactly.

The tags and what they become (AWS: *DynamoDB API reference, AttributeValue*):

====== ======================= ====================================================
tag    wire value              Python value
====== ======================= ====================================================
S      str                     ``str``
N      decimal text            ``Decimal``, all digits kept
B      bytes, or base64 text   ``bytes``
BOOL   bool                    ``bool``
NULL   bool                    ``None``
L      list                    ``list``
M      map of AttributeValues  ``dict``
SS NS  list of text            ``set`` of ``str``, of ``Decimal``
BS     list of B               ``set`` of ``bytes``
====== ======================= ====================================================

Theory of operation: ``read_quickly`` accepts only the usual input, and raises anything for the
rest. Then ``read_slowly`` reads the value again, tolerantly and with a path, and returns it or says
what is wrong. It is called outside the handler of the first exception: that exception may print
the value, so no error may have it as its context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from ddbstream._values.binaries import binary_to_wire, is_binary, read_binary
from ddbstream._values.numbers import (
    decimal_from_text,
    is_number,
    number_from_wire,
    number_to_wire,
)
from ddbstream._values.tags import (
    MAX_DEPTH,
    SET_TAGS,
    Unreadable,
    decode_error,
    guarded,
    placed,
    tag_of,
    type_words,
)
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._values.paths import Parts
    from ddbstream.typing import AttributeValue

__all__ = ["from_attribute_value", "to_attribute_value"]

Wire = Literal["boto3", "json"]

#: Writes a value that DynamoDB has no type for, such as a model's instance; raises EncodeError.
Other = Callable[[Any, bool, int], "dict[str, Any]"]


def from_attribute_value(value: Mapping[str, Any]) -> Any:
    """Read one attribute value, of either wire, without a model.

    Args:
        value: One tag and its value: ``{"S": "x"}``, ``{"M": {"w": {"N": "1"}}}``.

    Returns:
        ``str``, ``Decimal``, ``bytes``, ``bool``, ``None``, ``list``, ``dict`` or ``set``.

    Raises:
        DecodeError: It is not an attribute value; ``path``, ``expected`` and ``found`` say where
            and why.
    """
    with suppress(Exception):
        return read_quickly(value, 0)
    return guarded(read_slowly, value, "an attribute value")


def read_map(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item without a model; raises DecodeError."""
    try:
        return _read_members(item, 0)
    except Exception:  # noqa: BLE001, S110 - the slow reader says what is wrong
        pass
    result: dict[str, Any] = guarded(read_map_slowly, item, "an item")
    return result


def read_quickly(value: Any, depth: int) -> Any:
    """Read an attribute value inside ``depth`` containers; raises anything if it is unusual."""
    return _read_list((value,), depth)[0]


def _read_list(values: Sequence[Any], depth: int) -> list[Any]:
    """As ``read_quickly``, for several values; text and numbers, most of them, cost no call."""
    read: list[Any] = []
    found: Any
    for value in values:
        if "S" in value:
            found = value["S"]
            if type(found) is not str or len(value) != 1:
                raise Unreadable
        elif "N" in value:
            found = value["N"]
            if type(found) is not str or len(value) != 1:
                raise Unreadable
            found = decimal_from_text(found)
            if not found.is_finite():
                raise Unreadable
        else:
            found = _read_other(value, depth)
        read.append(found)
    return read


def _read_members(members: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """As ``_read_list``, for a map; its body again, since a call per value costs a third more."""
    read: dict[str, Any] = {}
    found: Any
    for name, value in members.items():
        if "S" in value:
            found = value["S"]
            if type(found) is not str or len(value) != 1:
                raise Unreadable
        elif "N" in value:
            found = value["N"]
            if type(found) is not str or len(value) != 1:
                raise Unreadable
            found = decimal_from_text(found)
            if not found.is_finite():
                raise Unreadable
        else:
            found = _read_other(value, depth)
        read[name] = found
    return read


def _read_other(value: Any, depth: int) -> Any:  # noqa: C901 - a flat chain is fastest
    """The eight tags besides ``S`` and ``N``."""
    found: Any
    if len(value) != 1:
        raise Unreadable
    if "M" in value:
        if depth < MAX_DEPTH:
            return _read_members(value["M"], depth + 1)
    elif "BOOL" in value:
        found = value["BOOL"]
        if found is True or found is False:
            return found
    elif "L" in value:
        found = value["L"]
        if type(found) is list and depth < MAX_DEPTH:
            return _read_list(found, depth + 1)
    elif "NULL" in value:
        if type(value["NULL"]) is bool:
            return None
    elif "B" in value:
        return read_binary(value["B"])
    elif "SS" in value:
        return _read_strings(value["SS"])
    elif "NS" in value:
        return _read_numbers(value["NS"])
    elif "BS" in value:
        found = value["BS"]
        if type(found) is list:
            return {read_binary(member) for member in found}
    raise Unreadable


def _read_strings(members: Any) -> set[str]:
    if type(members) is not list:
        raise Unreadable
    "".join(members)  # raises unless all are text
    return set(members)


def _read_numbers(members: Any) -> set[Decimal]:
    if type(members) is not list:
        raise Unreadable
    "".join(members)
    found = {decimal_from_text(member) for member in members}
    if not all([member.is_finite() for member in found]):  # noqa: C419 - a list is faster
        raise Unreadable
    return found


# --- the slow reader ----------------------------------------------------------------------------


def read_map_slowly(item: Any, path: Parts, depth: int = 0) -> dict[str, Any]:
    """Read a map whose members are inside ``depth`` containers; raises DecodeError with a path."""
    if not isinstance(item, Mapping):
        raise decode_error(path, "a map of attribute values", type_words(item))
    read = {}
    for name in item:
        if not isinstance(name, str):
            raise decode_error(path, "text as attribute names", type_words(name))
        read[str.__str__(name)] = read_slowly(item[name], (*path, name), depth)
    return read


def read_slowly(value: Any, path: Parts, depth: int = 0) -> Any:
    """Read an attribute value tolerantly; raises DecodeError with a path."""
    tag = tag_of(value, path)
    payload = value[tag]
    if tag in ("M", "L") and depth >= MAX_DEPTH:
        raise decode_error(path, f"at most {MAX_DEPTH} levels", "more")
    if tag == "M":
        return read_map_slowly(payload, path, depth + 1)
    if tag == "L":
        members = list_payload(tag, payload, path)
        return [read_slowly(v, (*path, index), depth + 1) for index, v in enumerate(members)]
    if tag in SET_TAGS:
        members = list_payload(tag, payload, path)
        return {read_scalar(tag[0], v, (*path, index)) for index, v in enumerate(members)}
    return read_scalar(tag, payload, path)


def list_payload(tag: str, payload: Any, path: Parts) -> list[Any]:
    """The members of an ``L``, ``SS``, ``NS`` or ``BS``; raises DecodeError."""
    if isinstance(payload, (list, tuple)):
        return list(payload)
    if tag != "L" and isinstance(payload, (set, frozenset)):
        return list(payload)
    raise decode_error(path, f"a list in {tag}", type_words(payload))


def read_scalar(tag: str, payload: Any, path: Parts) -> Any:
    """The value of an ``S``, ``N``, ``B``, ``BOOL`` or ``NULL``; raises DecodeError."""
    if tag == "S" and isinstance(payload, str):
        return str.__str__(payload)
    if tag in ("BOOL", "NULL") and isinstance(payload, bool):
        return payload if tag == "BOOL" else None
    if tag in ("N", "B"):
        with suppress(ValueError):
            return number_from_wire(payload) if tag == "N" else read_binary(payload)
    words = {
        "S": "text in S",
        "N": "a number in N",
        "B": "bytes or base64 text in B",
        "BOOL": "true or false in BOOL",
        "NULL": "true in NULL",
    }
    found = "malformed text" if isinstance(payload, str) else type_words(payload)
    raise decode_error(path, words[tag], found)


# --- writing ------------------------------------------------------------------------------------


def to_attribute_value(value: Any, *, wire: Wire = "boto3") -> AttributeValue:
    """Write one Python value as an attribute value, without a model.

    Args:
        value: ``None``, ``bool``, ``int``, ``float``, ``Decimal``, ``str``, bytes of any kind, a
            list, tuple or mapping of these, or a set of all text, all numbers or all bytes.
        wire: ``"boto3"`` leaves binaries as bytes, ``"json"`` writes them as base64 text.

    Raises:
        EncodeError: DynamoDB cannot store it: another type, a number out of range, NaN, an empty or
            a mixed set, a map key that is not text, or more than 32 levels.
    """
    json = wire_is_json(wire)
    return cast("AttributeValue", write(value, json, 0))


def wire_is_json(wire: str) -> bool:
    """Check the ``wire`` argument; raises EncodeError."""
    if wire not in ("boto3", "json"):
        raise EncodeError('wire is either "boto3" or "json"')
    return wire == "json"


def refuse_other(value: Any, _json: bool, _depth: int) -> dict[str, Any]:
    """Refuse a value that DynamoDB has no type for."""
    raise EncodeError(expected="a value DynamoDB has a type for", found=type(value).__name__)


def write(value: Any, json: bool, depth: int, other: Other = refuse_other) -> dict[str, Any]:
    """Write a value inside ``depth`` containers; raises EncodeError, relative to it."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": str.__str__(value)}
    if is_number(value):
        return {"N": number_to_wire(value)}
    if is_binary(value):
        return {"B": binary_to_wire(value, json)}
    if isinstance(value, (set, frozenset)):
        return write_set(value, json)
    if isinstance(value, Mapping):
        check_depth(depth)
        return {"M": write_map(value, json, depth + 1, other)}
    if isinstance(value, list) or type(value) is tuple:
        check_depth(depth)
        members = enumerate(value)
        return {"L": [_write_at(index, v, json, depth + 1, other) for index, v in members]}
    return other(value, json, depth)


def write_map(
    value: Mapping[Any, Any], json: bool, depth: int, other: Other = refuse_other
) -> dict[str, Any]:
    """Write a mapping's members; raises EncodeError."""
    written = {}
    for name, member in value.items():
        if not isinstance(name, str):
            raise EncodeError(expected="text as attribute names", found=type(name).__name__)
        if not name:
            raise empty_name()
        written[str.__str__(name)] = _write_at(name, member, json, depth, other)
    return written


def _write_at(part: str | int, value: Any, json: bool, depth: int, other: Other) -> dict[str, Any]:
    try:
        return write(value, json, depth, other)
    except EncodeError as error:
        placed(error, part)
        raise


def check_depth(depth: int) -> None:
    """Refuse another container inside ``depth`` of them; raises EncodeError."""
    if depth >= MAX_DEPTH:
        raise EncodeError(expected=f"at most {MAX_DEPTH} levels", found="more")


def write_set(value: set[Any] | frozenset[Any], json: bool) -> dict[str, Any]:
    """Write a set of all text, all numbers or all bytes; raises EncodeError."""
    members = list(value)
    if not members:
        raise empty_set()
    if all(isinstance(member, str) for member in members):
        return {"SS": [str.__str__(member) for member in members]}
    if all(is_number(member) for member in members):
        return {"NS": [number_to_wire(member) for member in members]}
    if all(is_binary(member) for member in members):
        return {"BS": [binary_to_wire(member, json) for member in members]}
    found = ", ".join(sorted({type(member).__name__ for member in members}))
    raise EncodeError(
        expected="a set of all text, all numbers or all bytes", found=f"a set of {found}"
    )


def empty_name() -> EncodeError:
    """The error for an empty attribute name, at any level: DynamoDB takes none."""
    return EncodeError(
        expected="attribute names that are not empty (DynamoDB takes no other)",
        found="an empty one",
    )


def empty_set() -> EncodeError:
    """The error for an empty set, which DynamoDB cannot store."""
    return EncodeError(
        expected="a set with members (DynamoDB stores no empty set)", found="an empty set"
    )
