"""Stream records from items: what a test hands to a router in place of event JSON.

``insert``, ``modify`` and ``remove`` take models or items and give wire records as Lambda sends
them. `ddbstream.testing.payloads` puts those into every form in which AWS hands records over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, cast, get_args

from ddbstream._values.json_values import is_map
from ddbstream._values.times import nanoseconds
from ddbstream.testing._record_forms import (
    FIRST_SEQUENCE_NUMBER,
    IMAGES,
    ViewType,
    carries,
    json_item,
    key_names,
    size_of_item,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ddbstream.typing import WireRecord

__all__ = ["RecordFields", "insert", "modify", "remove"]

# A whole second, as DynamoDB Streams keeps it; always the same, so that a test's output is too.
_CREATED: Final = datetime(2026, 1, 1, tzinfo=timezone.utc)

_sequence = count(1)


class RecordFields(TypedDict, total=False):
    """What a record says besides its images; each has a default.

    Attributes:
        keys: The names of the table's key attributes. By default those of the model's ``@keys``,
            or ``PK`` and ``SK``, ``pk`` and ``sk``, ``Id`` or ``id``, or the first attribute.
        table_name: The table. By default the model's class name, which is the entity that the
            default classifier then finds; ``Table`` for an item.
        view_type: Which images the record carries; by default both.
        created: The change's time: a datetime, or seconds since 1970. By default the first second
            of 2026.
        sequence_number: Digits. By default higher than all before in this process.
        event_id: By default one that belongs to the sequence number.
        aws_region: The table's region.
    """

    keys: Sequence[str]
    table_name: str
    view_type: ViewType
    created: datetime | float
    sequence_number: str
    event_id: str
    aws_region: str


def insert(new: object, **fields: Unpack[RecordFields]) -> WireRecord:
    """The record of a new item.

    Args:
        new: The item: a model instance, a mapping of Python values, or a wire item.
        fields: As in `RecordFields`.

    Raises:
        EncodeError: It cannot be written as an item.
        TypeError: It is None, or a field has no such name.
        ValueError: A field can have no such value.
    """
    return _record("INSERT", None, new, fields)


def modify(old: object, new: object, **fields: Unpack[RecordFields]) -> WireRecord:
    """The record of a changed item.

    Args:
        old: The item before the change, as in `insert`.
        new: The item after it.
        fields: As in `RecordFields`.

    Raises:
        EncodeError: One cannot be written as an item.
    """
    return _record("MODIFY", old, new, fields)


def remove(old: object, *, ttl: bool = False, **fields: Unpack[RecordFields]) -> WireRecord:
    """The record of a deleted item.

    Args:
        old: The item before it was deleted, as in `insert`.
        ttl: Whether Time to Live deleted it.
        fields: As in `RecordFields`.

    Raises:
        EncodeError: It cannot be written as an item.
        TypeError: It is None, or a field has no such name.
        ValueError: A field can have no such value.
    """
    made = _record("REMOVE", old, None, fields)
    if ttl:
        made["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return made


def _record(
    event_name: Literal["INSERT", "MODIFY", "REMOVE"],
    old: object,
    new: object,
    fields: RecordFields,
) -> WireRecord:
    _check(event_name, old, new, fields)
    source = old if new is None else new
    images = {
        name: json_item(item)
        for name, item in (("NewImage", new), ("OldImage", old))
        if item is not None
    }
    whole = images.get("NewImage") or images.get("OldImage") or {}
    view_type = fields.get("view_type", "NEW_AND_OLD_IMAGES")
    region = fields.get("aws_region", "eu-west-1")
    number = fields.get("sequence_number") or str(FIRST_SEQUENCE_NUMBER + next(_sequence))
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": nanoseconds(fields.get("created", _CREATED)) / 1_000_000_000,
        "Keys": {name: whole[name] for name in key_names(source, whole, fields.get("keys"))},
        **{name: image for name, image in images.items() if carries(view_type, name)},
        "SequenceNumber": number,
        "SizeBytes": 0,
        "StreamViewType": view_type,
    }
    change["SizeBytes"] = sum(size_of_item(change[name]) for name in change.keys() & IMAGES)
    table = fields.get("table_name") or ("Table" if is_map(source) else type(source).__name__)
    return cast(
        "WireRecord",
        {
            "eventID": fields.get("event_id") or f"{int(number) if number.isdecimal() else 0:032x}",
            "eventName": event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": region,
            "dynamodb": change,
            "eventSourceARN": f"arn:aws:dynamodb:{region}:123456789012:table/{table}"
            "/stream/2026-01-01T00:00:00.000",
        },
    )


def _check(event_name: str, old: object, new: object, fields: Mapping[str, object]) -> None:
    """Raise TypeError or ValueError for what no record can have."""
    about = event_name.lower()
    for name, item in (("new", new), ("old", old)):
        wanted = (name == "new" and event_name != "REMOVE") or (
            name == "old" and event_name != "INSERT"
        )
        if wanted and item is None:
            raise TypeError(f"{about}() takes the {name} item, and got None")
    unknown = sorted(fields.keys() - RecordFields.__annotations__.keys())
    if unknown:
        known = ", ".join(RecordFields.__annotations__)
        raise TypeError(f"{about}() takes no {unknown[0]}=: there are {known}")
    number = fields.get("sequence_number")
    if number is not None and not (
        isinstance(number, str) and number.isascii() and number.isdecimal()
    ):
        raise ValueError(f"{about}(): sequence_number= takes digits, as text")
    if fields.get("view_type", "KEYS_ONLY") not in get_args(ViewType):
        raise ValueError(f"{about}(): view_type= is one of {', '.join(get_args(ViewType))}")
    if isinstance(fields.get("keys"), str):
        raise TypeError(f"{about}(): keys= takes the names of key attributes, in a list")
