"""Items as DynamoDB stores them, and what it refuses to store.

Rules, as DynamoDB Local has them

* A number loses its spelling: ``1.0``, ``1E0`` and ``01`` are stored as ``1``. A set loses its
  order. So an item that is written again in another spelling or order has not changed.
* A key attribute is a text, a number or a binary, and is not empty.
* A set has members, each once. A number has at most 38 digits. An item has at most 400 KB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context
from typing import Any, Final

from ddbstream._values.binaries import read_binary
from ddbstream._values.numbers import number_from_wire, number_to_wire
from ddbstream._values.tags import SET_TAGS
from ddbstream.exceptions import EncodeError
from ddbstream.testing._record_forms import size_of_item, wire_item
from ddbstream.testing.fake_stream._errors import client_error, parameter_error

__all__ = ["copied", "stored_item", "stored_keys"]

# AWS, "Service, account, and table quotas", item size.
MAX_ITEM_SIZE: Final = 400 * 1024

_EVERY_DIGIT: Final = Context(prec=38)

_PAYLOADS: Final[Mapping[str, Any]] = {  # the types of each tag's
    "S": str,
    "BOOL": bool,
    "NULL": bool,
    "M": Mapping,
    "L": (list, tuple),
    **dict.fromkeys(SET_TAGS, (list, tuple, set, frozenset)),
}


def stored_item(source: object, keys: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An item and its key attributes, in boto3's wire form, as a table keeps them.

    Args:
        source: A model's instance, a mapping of Python values, or a wire item.
        keys: The table's key attributes.

    Raises:
        EncodeError: It cannot be written as an item.
        Exception: A ``ClientError`` of the code ``ValidationException``: no table takes it.
    """
    wire = wire_item(source)
    found = _keys_of(wire, keys, "PutItem")
    item = {name: found.get(name) or _stored(value, "PutItem") for name, value in wire.items()}
    if size_of_item(item) > MAX_ITEM_SIZE:
        raise _refused("PutItem", "Item size has exceeded the maximum allowed size")
    return found, item


def stored_keys(source: object, keys: Sequence[str]) -> dict[str, Any]:
    """An item's key attributes; as `stored_item`, for what is deleted by them."""
    return _keys_of(wire_item(source), keys, "DeleteItem")


def copied(value: Any) -> Any:
    """A copy whose maps and lists are its own, as every answer of a service has."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def _keys_of(item: Mapping[str, Any], keys: Sequence[str], operation: str) -> dict[str, Any]:
    found = {}
    for name in keys:
        if name not in item:
            raise _refused(operation, f"One of the required keys was not given a value: {name}")
        value = found[name] = _stored(item[name], operation)
        ((tag, payload),) = value.items()
        if tag not in ("S", "N", "B"):
            raise _refused(operation, f"Type mismatch for key {name}: a key is S, N or B")
        if not payload:
            raise _refused(operation, f"A key attribute cannot contain an empty value: {name}")
    return found


def _stored(value: Any, operation: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise _refused(operation, "an AttributeValue must contain exactly one of the datatypes")
    ((tag, payload),) = value.items()
    if tag == "N":
        return {tag: _number(payload, operation)}
    if tag == "B":
        return {tag: _binary(payload)}
    if not isinstance(payload, _PAYLOADS.get(tag, ())):
        raise parameter_error(f"Invalid type for parameter {tag}, type: {type(payload)}")
    if tag == "M":
        return {tag: {name: _stored(inner, operation) for name, inner in payload.items()}}
    if tag == "L":
        return {tag: [_stored(inner, operation) for inner in payload]}
    if tag in SET_TAGS:
        return {tag: _members(tag, payload, operation)}
    if tag == "NULL" and not payload:
        raise _refused(operation, "Null attribute value types must have the value of true")
    return {tag: payload}


def _members(tag: str, payload: Any, operation: str) -> list[Any]:
    if not payload:
        raise _refused(operation, f"An {tag} may not be empty")
    plain = [_stored({tag[0]: member}, operation)[tag[0]] for member in payload]
    members = sorted(set(plain), key=number_from_wire if tag == "NS" else None)
    if len(members) != len(plain):
        raise _refused(operation, f"Input collection of type {tag} contains duplicates")
    return members


def _binary(payload: Any) -> bytes:
    try:
        return read_binary(payload)
    except ValueError:
        raise parameter_error(f"Invalid type for parameter B, type: {type(payload)}") from None


def _number(payload: Any, operation: str) -> str:
    try:
        number = number_from_wire(payload)
    except ValueError:
        raise _refused(operation, "A value provided cannot be converted into a number") from None
    try:
        number_to_wire(number)
    except EncodeError as error:
        raise _refused(operation, f"A number cannot be stored: {error}") from None
    if not number:
        return "0"
    return format(number.normalize(_EVERY_DIGIT), "f")


def _refused(operation: str, why: str) -> Exception:
    return client_error("ValidationException", operation, why)
