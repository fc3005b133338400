"""The Product system's stream function, its handlers keeping what they see.

One module for three hosts: the tests import it for the poller and the plain loop, and the Lambda
runtime client imports it in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from ddbstream import (
    Change,
    Insert,
    LambdaHandler,
    Modify,
    Remove,
    StreamRouter,
    by_key_prefix,
    keys,
)
from ddbstream.exceptions import MissingImageError


class Grade(Enum):
    PLAIN = "plain"
    FINE = "fine"


@dataclass(frozen=True)
class Size:
    width: Decimal
    height: Decimal


@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: UUID
    name: str
    price: Decimal
    category: str
    grade: Grade = Grade.PLAIN
    photo: bytes = b""
    tags: set[str] = field(default_factory=set)
    prints: set[bytes] = field(default_factory=set)
    counts: set[int] = field(default_factory=set)
    size: Size | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    expires: int | None = None


def _seen(record: Change[Product], image: str) -> str:
    try:
        return _canonical(getattr(record, image))
    except MissingImageError as error:
        return f"not captured: {record.stream_view_type} ({error.path})"


def _canonical(value: object) -> str:
    """A ``repr`` that does not depend on the order of sets, and shows every type."""
    if isinstance(value, set):
        return f"set({sorted(map(_canonical, value))})"
    if isinstance(value, dict):
        return f"dict({sorted((k, _canonical(v)) for k, v in value.items())})"
    if isinstance(value, list):
        return f"list({[_canonical(member) for member in value]})"
    if isinstance(value, Product):
        fields = {name: _canonical(member) for name, member in vars(value).items()}
        return f"Product({fields})"
    return repr(value)


def describe(record: Change[Product]) -> dict[str, str]:
    """Everything a handler can read of a record that every host must agree on."""
    told = {
        "event": f"{type(record).__name__} {record.event_name} {record.event_id}",
        "position": f"{record.sequence_number} {record.item_identifier}",
        "stream": f"{record.event_source_arn} {record.table_name} {record.stream_view_type}",
        "size": f"{record.size_bytes}",
        "time": f"{record.approximate_creation_datetime}",
        "keys": _canonical(record.keys),
        "ttl": f"{record.is_ttl_removal} {record.user_identity}",
    }
    if isinstance(record, (Insert, Modify)):
        told["new"] = _seen(record, "new")
    if isinstance(record, (Modify, Remove)):
        told["old"] = _seen(record, "old")
    try:
        told["diff"] = str(sorted(str(change.path) for change in record.diff))
    except MissingImageError as error:
        told["diff"] = f"not captured ({error.path})"
    return told


def router_into(captured: list[dict[str, str]]) -> StreamRouter:
    """A router whose typed handlers append what they see."""
    router = StreamRouter(classify=by_key_prefix("PK"), unmatched="raise")

    @router.on_insert("Product")
    def added(record: Insert[Product]) -> None:
        captured.append(describe(record))

    @router.on_modify(Product)
    def modified(record: Modify[Product]) -> None:
        captured.append(describe(record))

    @router.on_remove(Product)
    def removed(record: Remove[Product]) -> None:
        captured.append(describe(record))

    return router


_captured: list[dict[str, str]] = []
_handler = LambdaHandler(router_into(_captured), report_batch_item_failures=True)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls: the batch response, and what the handlers saw."""
    _captured.clear()
    response = _handler(event, context)
    return {"response": response, "captured": list(_captured)}
