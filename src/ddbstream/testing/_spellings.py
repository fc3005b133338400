"""Wire records in either spelling: boto3's (bytes, datetimes) and JSON's (base64 text, numbers)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from ddbstream._model import to_item
from ddbstream._values.json_values import is_map
from ddbstream._values.times import aware_datetime, nanoseconds

if TYPE_CHECKING:
    from ddbstream.typing import Item, WireRecord

    _Record = Mapping[str, Any] | WireRecord

__all__ = [
    "IMAGES",
    "as_boto3_item",
    "as_json_item",
    "boto3_record",
    "is_wire_item",
    "json_item",
    "json_record",
    "size_of_item",
]

IMAGES: Final = ("Keys", "NewImage", "OldImage")


_PAYLOADS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "S": str,
    "N": str,
    "B": (str, bytes),
    "BOOL": bool,
    "NULL": bool,
    "L": list,
    "M": dict,
    "SS": list,
    "NS": list,
    "BS": list,
}


def is_wire_item(item: Mapping[str, Any]) -> bool:
    """Whether every attribute is a map of one type tag and a payload of that type."""
    return bool(item) and all(
        is_map(value)
        and len(value) == 1
        and all(isinstance(payload, _PAYLOADS.get(tag, ())) for tag, payload in value.items())
        for value in item.values()
    )


def as_json_item(item: Mapping[str, Any]) -> Item:
    """The item as JSON has it: binaries are base64 text."""
    return cast("Item", {name: _with_binaries(value, _text) for name, value in item.items()})


def json_item(source: object) -> Item:
    """A model, an item of Python values or a wire item, as JSON has it."""
    if is_map(source) and is_wire_item(source):
        return as_json_item(source)
    return to_item(source, wire="json")


def as_boto3_item(item: Mapping[str, Any]) -> Item:
    """The item as boto3 has it: binaries are bytes."""
    return cast("Item", {name: _with_binaries(value, _bytes) for name, value in item.items()})


def json_record(record: _Record) -> dict[str, Any]:
    """The record as Lambda's JSON has it."""
    made: dict[str, Any] = {**record, "dynamodb": _with_items(record, as_json_item)}
    created = made["dynamodb"].get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        made["dynamodb"]["ApproximateCreationDateTime"] = created.timestamp()
    identity = made.get("userIdentity")
    if is_map(identity):
        made["userIdentity"] = {name[0].lower() + name[1:]: identity[name] for name in identity}
    return made


def boto3_record(record: _Record) -> dict[str, Any]:
    """The record as boto3 has it, which does not name its stream."""
    made: dict[str, Any] = {**record, "dynamodb": _with_items(record, as_boto3_item)}
    made.pop("eventSourceARN", None)
    created = made["dynamodb"].get("ApproximateCreationDateTime")
    if created is not None:
        made["dynamodb"]["ApproximateCreationDateTime"] = aware_datetime(nanoseconds(created))
    identity = made.get("userIdentity")
    if is_map(identity):
        made["userIdentity"] = {name[0].upper() + name[1:]: identity[name] for name in identity}
    return made


def size_of_item(item: Mapping[str, Any]) -> int:
    """An item's size in bytes, as DynamoDB counts.

    Source: `item sizes`_; a number's size is approximate there too.

    .. _item sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _with_binaries(value: Mapping[str, Any], convert: Callable[[Any], Any]) -> dict[str, Any]:
    ((tag, payload),) = value.items()
    if tag == "B":
        return {tag: convert(payload)}
    if tag == "BS":
        return {tag: [convert(member) for member in payload]}
    if tag == "L":
        return {tag: [_with_binaries(member, convert) for member in payload]}
    if tag == "M":
        return {tag: {name: _with_binaries(part, convert) for name, part in payload.items()}}
    return {tag: payload}


def _text(binary: Any) -> str:
    return binary if isinstance(binary, str) else b2a_base64(bytes(binary), newline=False).decode()


def _bytes(binary: Any) -> bytes:
    return a2b_base64(binary) if isinstance(binary, str) else bytes(binary)


def _size(value: Mapping[str, Any]) -> int:
    ((tag, payload),) = value.items()
    if tag in {"S", "SS"}:
        members = payload if tag == "SS" else [payload]
        return sum(len(member.encode()) for member in members)
    if tag in {"N", "NS"}:
        members = payload if tag == "NS" else [payload]
        return sum(len(member.strip("-0.")) // 2 + 1 for member in members)
    if tag in {"B", "BS"}:
        members = payload if tag == "BS" else [payload]
        return sum(len(_bytes(member)) for member in members)
    if tag == "L":
        return 3 + sum(1 + _size(member) for member in payload)
    if tag == "M":
        return 3 + sum(1 + len(name.encode()) + _size(part) for name, part in payload.items())
    return 1


def _with_items(record: _Record, convert: Any) -> dict[str, Any]:
    change: Mapping[str, Any] = record["dynamodb"]
    return {name: convert(value) if name in IMAGES else value for name, value in change.items()}
