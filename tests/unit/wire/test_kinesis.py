"""Kinesis Data Streams for DynamoDB, as Lambda, Pipes and boto3 give it, and as plain bytes.

The fields are those of a capture in Powertools for TypeScript (``kinesis/dynamodb-stream.json``).
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import Modify, Remove, parse
from ddbstream._records import MalformedRecord
from ddbstream._wire import read
from ddbstream.exceptions import MissingImageError
from tests.unit.wire.payloads import (
    KINESIS_ARN,
    KINESIS_NUMBER,
    kinesis_entry,
    kinesis_json,
    lambda_record,
)

WHEN = datetime(2026, 2, 2, 2, 40, 0, 123_000, tzinfo=timezone.utc)


def boto3_entry(data: object) -> dict[str, Any]:
    return {
        "SequenceNumber": KINESIS_NUMBER,
        "ApproximateArrivalTimestamp": WHEN,
        "Data": data if isinstance(data, bytes) else json.dumps(data).encode(),
        "PartitionKey": "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    }


def pipes_entry(data: object) -> dict[str, Any]:
    """Pipes lifts what Lambda has under ``kinesis`` up: eb-pipes-kinesis.html of the user guide."""
    entry = kinesis_entry(data)
    return {**entry.pop("kinesis"), **entry}


ROADS = [
    pytest.param({"Records": [kinesis_entry(kinesis_json())]}, id="Lambda event"),
    pytest.param([pipes_entry(kinesis_json())], id="Pipes batch"),
    pytest.param(
        {
            "Records": [boto3_entry(kinesis_json())],
            "NextShardIterator": "n",
            "MillisBehindLatest": 0,
        },
        id="boto3 page",
    ),
    pytest.param([boto3_entry(kinesis_json())], id="boto3 records"),
    pytest.param(boto3_entry(kinesis_json()), id="boto3 record"),
    pytest.param(kinesis_entry(kinesis_json()), id="Lambda record"),
]
BARE = [
    pytest.param(json.dumps(kinesis_json()).encode(), id="bytes"),
    pytest.param(bytearray(json.dumps(kinesis_json()).encode()), id="bytearray"),
    pytest.param(memoryview(json.dumps(kinesis_json()).encode()), id="memoryview"),
    pytest.param([json.dumps(kinesis_json()).encode()], id="list of bytes"),
    pytest.param(json.dumps(kinesis_json()), id="str"),
    pytest.param(kinesis_json(), id="decoded"),
]


def only(payload: object) -> Any:
    (record,) = parse(payload)
    return record


@pytest.mark.parametrize("payload", ROADS + BARE)
def test_the_change_is_the_same_by_every_road(payload: object) -> None:
    record = only(payload)
    assert type(record) is Modify
    assert record.keys == {"PK": "Book#7"}
    assert (record.old["price"], record.new["price"]) == (Decimal(10), Decimal("12.50"))
    assert record.approximate_creation_datetime == WHEN
    assert record.event_id == "6d4b1f0a-58f1-4a55-9f0d-1c8d6a0c6f01"
    assert (record.table_name, record.aws_region) == ("Shelf", "eu-west-1")
    assert record.sequence_number is record.stream_view_type is record.user_identity is None


@pytest.mark.parametrize("payload", ROADS)
def test_a_batch_response_names_the_kinesis_sequence_number(payload: object) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html."""
    assert only(payload).item_identifier == KINESIS_NUMBER


@pytest.mark.parametrize("payload", BARE)
def test_without_its_kinesis_record_a_change_has_no_identifier(payload: object) -> None:
    assert only(payload).item_identifier is None


def test_the_source_is_the_kinesis_stream_where_the_form_names_it() -> None:
    assert only([kinesis_entry(kinesis_json())]).event_source_arn == KINESIS_ARN
    assert only([boto3_entry(kinesis_json())]).event_source_arn is None
    (record,) = read([boto3_entry(kinesis_json())], stream_arn=KINESIS_ARN)
    assert record.event_source_arn == KINESIS_ARN


def test_raw_is_the_change_and_the_envelope_is_the_kinesis_record() -> None:
    entry = kinesis_entry(kinesis_json())
    record = only([entry])
    assert record.raw == kinesis_json()
    assert record.envelope is entry


@pytest.mark.parametrize("identity", [None, {}], ids=["null", "empty"])
def test_nobody_is_nobody(identity: object) -> None:
    assert only([kinesis_entry({**kinesis_json(), "userIdentity": identity})]).user_identity is None


def test_time_to_live_is_told() -> None:
    change = kinesis_json("REMOVE", NewImage=None)
    change["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    record = only([kinesis_entry(change)])
    assert type(record) is Remove
    assert record.is_ttl_removal


@pytest.mark.parametrize(
    ("created", "precision", "expected"),
    [
        (1770000000123, None, 1_770_000_000_123_000_000),
        (1770000000123, "MILLISECOND", 1_770_000_000_123_000_000),
        (1770000000123456, "MICROSECOND", 1_770_000_000_123_456_000),
        (1770000000123456, None, 1_770_000_000_123_456_000),
        (None, None, None),
    ],
)
def test_the_time_is_read_in_its_unit(created: object, precision: object, expected: object) -> None:
    """Milliseconds and no precision in captures of 2024; microseconds can be switched on since; a
    time
    can be missing: github.com/awslabs/aws-lambda-rust-runtime/issues/889.
    """
    change = kinesis_json(
        ApproximateCreationDateTime=created, ApproximateCreationDateTimePrecision=precision
    )
    assert only([kinesis_entry(change)]).approximate_creation_ns == expected


def test_order_is_by_creation_time_then_by_place_in_the_stream() -> None:
    """Kinesis may repeat and reorder: kds.html of the DynamoDB developer guide."""
    early, late = kinesis_json(), kinesis_json(ApproximateCreationDateTime=1770000000124)
    entries = [
        kinesis_entry(late, "49661" + "0" * 51),
        kinesis_entry(early, "49661" + "0" * 50 + "9"),
        kinesis_entry(early, "49661" + "0" * 49 + "10"),
    ]
    first, second, third = sorted(parse(entries), key=lambda record: record.order_key)
    assert [r.item_identifier[-2:] for r in (first, second, third)] == ["09", "10", "00"]
    assert third.approximate_creation_ns == 1_770_000_000_124_000_000


def test_a_missing_image_says_that_the_view_type_is_not_known() -> None:
    with pytest.raises(MissingImageError, match="not known"):
        only([kinesis_entry(kinesis_json(OldImage=None))]).old  # noqa: B018


@pytest.mark.parametrize(
    ("entry", "path", "words"),
    [
        (kinesis_entry(b"hunter2"), "Records[1].kinesis.data", "text that is not JSON"),
        (kinesis_entry(b""), "Records[1].kinesis.data", "empty text"),
        (kinesis_entry(b"\xff\xfe\xfd"), "Records[1].kinesis.data", "no text"),
        (kinesis_entry(b"\x1f\x8b\x08hunter2"), "Records[1].kinesis.data", "gzip"),
        (
            kinesis_entry(b"\xf3\x89\x9a\xc2hunter2"),
            "Records[1].kinesis.data",
            "aggregated by the KPL",
        ),
        (kinesis_entry([1]), "Records[1].kinesis.data", "a JSON list"),
        (kinesis_entry({"password": "hunter2"}), "Records[1].kinesis.data.dynamodb", "got nothing"),
        (
            kinesis_entry({**kinesis_json(), "eventName": "hunter2"}),
            "Records[1].kinesis.data.eventName",
            "",
        ),
        (
            {**kinesis_entry(b""), "kinesis": {"data": "hunter2?"}},
            "Records[1].kinesis.data",
            "base64",
        ),
        ({**kinesis_entry(b""), "kinesis": None}, "Records[1].kinesis.data", "NoneType"),
        ({**boto3_entry({}), "Data": 7}, "Records[1].Data", "got int"),
    ],
)
def test_a_kinesis_record_of_something_else_does_not_hide_the_others(
    entry: dict[str, Any], path: str, words: str
) -> None:
    good = kinesis_entry(kinesis_json())
    before, bad, after = read({"Records": [good, entry, good]})
    assert type(before) is type(after) is Modify
    assert isinstance(bad, MalformedRecord)
    assert bad.error.path == path
    assert words in str(bad.error)
    assert "hunter2" not in str(bad.error)
    if "kinesis" not in entry or entry["kinesis"] != {"data": "hunter2?"}:
        expected = None if entry.get("kinesis", 0) is None else KINESIS_NUMBER
        assert bad.item_identifier == expected


def test_bytes_where_base64_is_usual_are_taken_as_they_are() -> None:
    """Some frameworks decode ``kinesis.data`` and keep the rest of the event."""
    entry = kinesis_entry(b"")
    entry["kinesis"]["data"] = json.dumps(kinesis_json()).encode()
    assert only([entry]).new["price"] == Decimal("12.50")


def test_dynamodbs_record_inside_kinesis_keeps_its_own_number_for_order() -> None:
    """The KCL adapter carries a stream record, sequence number and all, as the data."""
    entry = kinesis_entry(lambda_record())
    record = only([entry])
    assert record.sequence_number == "300000000000000000007"
    assert record.order_key[0] == 300000000000000000007
    assert record.item_identifier == KINESIS_NUMBER


def test_data_is_decoded_when_its_turn_comes() -> None:
    entries = [kinesis_entry(kinesis_json()), {**kinesis_entry(b""), "kinesis": {"data": "%%%"}}]
    assert base64.b64decode(entries[0]["kinesis"]["data"])
    assert type(next(parse({"Records": entries}))) is Modify
