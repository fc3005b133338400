"""The same change by every road is the same record.

Sources of the forms: the docstrings of ``ddbstream.testing.payloads``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ddbstream import Insert, Modify, Remove, parse, testing
from ddbstream._records import StreamRecord

# DynamoDB's numbers have 38 digits; what is equal must be so by value, so the exponent stays small.
NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20
)
SCALARS = st.one_of(
    st.text(max_size=8),
    NUMBERS,
    st.binary(max_size=8),
    st.booleans(),
    st.none(),
)
SETS = st.one_of(
    st.sets(st.text(min_size=1, max_size=4), min_size=1, max_size=3),
    st.sets(NUMBERS, min_size=1, max_size=3),
    st.sets(st.binary(min_size=1, max_size=4), min_size=1, max_size=3),
)
# Names that are type tags: the user's data never decides what a tag is.
NAMES = st.one_of(
    st.text(min_size=1, max_size=6), st.sampled_from(["S", "N", "M", "L", "Records", "dynamodb"])
)
VALUES = st.recursive(
    SCALARS | SETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4).map(
    lambda item: {"PK": "Thing#1", **item, "SK": 7}
)
MOMENTS = st.integers(0, 4 * 10**12).map(
    lambda ms: datetime(1990, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms // 4)
)


@st.composite
def changes(draw: st.DrawFn) -> Any:
    """A wire record of any event, from random items."""
    created = draw(MOMENTS)
    match draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"])):
        case "INSERT":
            return testing.insert(draw(ITEMS), created=created)
        case "MODIFY":
            return testing.modify(draw(ITEMS), draw(ITEMS), created=created)
        case _:
            return testing.remove(draw(ITEMS), ttl=draw(st.booleans()), created=created)


def as_text(payload: object) -> str:
    return json.dumps(payload)


ROADS: dict[str, Callable[[list[Any]], object]] = {
    "tumbling window": testing.tumbling_window_event,
    "GetRecords page": testing.get_records_page,
    "GetRecords records": lambda records: testing.get_records_page(records)["Records"],
    "Pipes": testing.pipes_batch,
    "generator": iter,
    "text": lambda records: as_text(testing.lambda_event(records)),
    "bytes with a BOM": lambda records: as_text(testing.lambda_event(records)).encode("utf-8-sig"),
    "lines": lambda records: "\n".join(map(as_text, records)),
    "Kinesis event": testing.kinesis_event,
    "Kinesis event, ms": lambda records: testing.kinesis_event(records, precision="MILLISECOND"),
    "Kinesis event, us": lambda records: testing.kinesis_event(records, precision="MICROSECOND"),
    "Kinesis page": testing.kinesis_page,
    "Kinesis bytes": lambda records: [testing.kinesis_data(record) for record in records],
    "on-failure, object": lambda records: testing.on_failure_message(records, payload="object"),
    "on-failure, text": lambda records: testing.on_failure_message(records, payload="text"),
    "SQS": lambda records: testing.sqs_event(testing.lambda_event(records)),
    "SQS, a message each": lambda records: testing.sqs_event(*map(testing.kinesis_data, records)),
    "SQS page": lambda records: testing.sqs_page(testing.pipes_batch(records)),
    "SNS": lambda records: testing.sns_event(testing.lambda_event(records)),
    "SNS in SQS": lambda records: testing.sqs_event(
        testing.sns_notification(testing.on_failure_message(records, payload="text"))
    ),
    "EventBridge": lambda records: [testing.eventbridge_event(record) for record in records],
}


def told(record: StreamRecord[Any]) -> tuple[object, ...]:
    """What a change is, whatever brought it."""
    return (
        type(record),
        record.event_id,
        record.event_name,
        record.keys,
        record.new if isinstance(record, (Insert, Modify)) else None,
        record.old if isinstance(record, (Modify, Remove)) else None,
        record.diff,
        record.approximate_creation_datetime,
        record.size_bytes,
        record.user_identity,
        record.is_ttl_removal,
        record.traits(),
    )


@given(st.lists(changes(), min_size=1, max_size=3))
def test_one_change_is_one_record_by_every_road(records: list[Any]) -> None:
    expected = [told(record) for record in parse(testing.lambda_event(records))]
    for name, road in ROADS.items():
        assert [told(record) for record in parse(road(records))] == expected, name


@given(changes())
def test_an_export_line_is_the_same_change_without_its_identity(record: Any) -> None:
    (expected,) = parse(record)
    (exported,) = parse(testing.incremental_export_line(record))
    kept = [0, 2, 3, 4, 5, 6, 7]
    assert [told(exported)[i] for i in kept] == [told(expected)[i] for i in kept]


@given(ITEMS)
def test_a_full_export_is_inserts_of_its_items(item: Any) -> None:
    (expected,) = parse(testing.insert(item))
    (exported,) = parse(testing.full_export_line(expected.raw["dynamodb"]["NewImage"]))
    assert (type(exported), exported.new, exported.diff) == (Insert, expected.new, expected.diff)


@given(st.lists(changes(), min_size=2, max_size=4))
def test_records_keep_their_order_and_every_one_can_be_named(records: list[Any]) -> None:
    for name in ("tumbling window", "GetRecords page", "Pipes", "Kinesis event", "Kinesis page"):
        named = [record.item_identifier for record in parse(ROADS[name](records))]
        assert len(set(named)) == len(records), name
        assert named == sorted(named, key=lambda text: int(text or 0)), name


@given(ITEMS)
def test_numbers_are_exact_by_every_road(item: Any) -> None:
    number = Decimal("1234567890123456789012345678901234.5678")
    record = testing.insert({**item, "PK": "x", "n": number})
    for name, road in ROADS.items():
        (made,) = parse(road([record]))
        assert isinstance(made, Insert)
        assert made.new["n"] == number, name
