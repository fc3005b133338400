"""A wire record in either form: boto3's (bytes, datetimes) or JSON's (base64 text, numbers)."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream._model import to_item
from ddbstream._model.markers import KEYS
from ddbstream._values.json_values import is_map
from ddbstream._values.numbers import number_from_wire
from ddbstream._values.times import aware_datetime, nanoseconds
from ddbstream._values.wire_form import is_wire_item
from ddbstream._wire.on_failure import as_lambda_json

if TYPE_CHECKING:
    from ddbstream.typing import Item, WireRecord

    Record = Mapping[str, Any] | WireRecord

__all__ = [
    "FIRST_SEQUENCE_NUMBER",
    "IMAGES",
    "ViewType",
    "boto3_record",
    "carries",
    "json_item",
    "json_record",
    "key_names",
    "size_of_item",
    "wire_item",
]

_USUAL_KEYS: Final = (("PK", "SK"), ("pk", "sk"), ("Id",), ("id",))

# 21 digits, the fewest that AWS documents for a sequence number.
FIRST_SEQUENCE_NUMBER: Final = 100_000_000_000_000_000_000

IMAGES: Final = ("Keys", "NewImage", "OldImage")

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]


def carries(view_type: str, image: str) -> bool:
    """Whether records of a view type carry an image, ``NewImage`` or ``OldImage``."""
    return view_type == "NEW_AND_OLD_IMAGES" or view_type == f"{image[:3].upper()}_IMAGE"


def json_item(source: object) -> Item:
    """A model, an item of Python values or a wire item, as JSON has it, with base64 text."""
    if is_map(source) and is_wire_item(source):
        item: Item = as_lambda_json(source)
        return item
    return to_item(source, wire="json")


def wire_item(source: object) -> Mapping[str, Any]:
    """A model, an item of Python values or a wire item, in boto3's wire form."""
    return source if is_wire_item(source) else to_item(source)


def key_names(
    source: object, item: Mapping[str, Any], given: Sequence[str] | None
) -> Sequence[str]:
    """The key attributes of an item, as `ddbstream.testing.RecordFields` says."""
    if given is not None:
        missing = [name for name in given if name not in item]
        if missing or not given:
            raise ValueError(f"keys= names {', '.join(missing) or 'nothing'}: the item has no such")
        return given
    templates: Mapping[str, object] = getattr(type(source), KEYS, {})
    if templates:
        return list(templates)
    usual = next((names for names in _USUAL_KEYS if all(name in item for name in names)), None)
    return usual or list(item)[:1]


def json_record(record: Record) -> dict[str, Any]:
    """The record as Lambda's JSON has it, whatever is wrong with it."""
    made: dict[str, Any] = as_lambda_json(record)
    identity = made.get("userIdentity")
    if is_map(identity):
        made["userIdentity"] = {name[:1].lower() + name[1:]: identity[name] for name in identity}
    return made


def boto3_record(record: Record) -> dict[str, Any]:
    """The record as boto3 has it, which does not name its stream."""
    change: dict[str, Any] = {**record["dynamodb"]}
    for name in change.keys() & IMAGES:
        change[name] = {key: _with_bytes(value) for key, value in change[name].items()}
    created = change.get("ApproximateCreationDateTime")
    if created is not None:
        change["ApproximateCreationDateTime"] = aware_datetime(nanoseconds(created))
    made: dict[str, Any] = {**record, "dynamodb": change}
    made.pop("eventSourceARN", None)
    identity = made.get("userIdentity")
    if is_map(identity):
        made["userIdentity"] = {name[:1].upper() + name[1:]: identity[name] for name in identity}
    return made


def _with_bytes(value: Mapping[str, Any]) -> dict[str, Any]:
    ((tag, payload),) = value.items()
    if tag == "B":
        return {tag: _bytes(payload)}
    if tag == "BS":
        return {tag: [_bytes(member) for member in payload]}
    if tag == "L":
        return {tag: [_with_bytes(member) for member in payload]}
    if tag == "M":
        return {tag: {name: _with_bytes(part) for name, part in payload.items()}}
    return {tag: payload}


def _bytes(binary: str | bytes) -> bytes:
    return a2b_base64(binary) if isinstance(binary, str) else bytes(binary)


def size_of_item(item: Mapping[str, Any]) -> int:
    """An item's size in bytes, as DynamoDB counts: names and values, and what nesting takes.

    Source: `item sizes`_, which calls a number's size approximate; DynamoDB Local counts it so.

    .. _item sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    ((tag, payload),) = value.items()
    if tag in {"S", "SS"}:
        members = payload if tag == "SS" else [payload]
        return sum(len(member.encode()) for member in members)
    if tag in {"N", "NS"}:
        members = payload if tag == "NS" else [payload]
        return sum(map(_size_of_number, members))
    if tag in {"B", "BS"}:
        members = payload if tag == "BS" else [payload]
        return sum(len(_bytes(member)) for member in members)
    if tag == "L":
        return 3 + sum(1 + _size(member) for member in payload)
    if tag == "M":
        return 3 + sum(1 + len(name.encode()) + _size(part) for name, part in payload.items())
    return 1


def _size_of_number(text: str) -> int:
    """A byte for two digits, counted from the decimal point; one for the exponent, one for a minus.

    Zeros at either end take nothing, and a zero takes one byte.
    """
    number = number_from_wire(text)
    if not number:
        return 1
    sign, digits, exponent = number.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    pairs = number.adjusted() // 2 - (int(exponent) + zeros) // 2 + 1
    return pairs + 1 + sign
