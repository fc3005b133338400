"""On-failure messages: with the batch inside (S3), and without (SQS, SNS).

Shapes: recorded on AWS by LocalStack's event source mapping tests, 2025-11.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary

from ddbstream import parse
from ddbstream._wire.on_failure import batch_info, failure_details, on_failure_document
from ddbstream.exceptions import PayloadError
from tests.unit.wire.payloads import (
    ARN,
    KINESIS_NUMBER,
    failure_message,
    kinesis_entry,
    kinesis_json,
    lambda_record,
)

EVENT = {"Records": [lambda_record("INSERT")]}


def only(payload: object) -> Any:
    (record,) = parse(payload)
    return record


@pytest.mark.parametrize("payload", [EVENT, json.dumps(EVENT)], ids=["object", "text"])
def test_an_s3_destinations_object_has_its_records(payload: object) -> None:
    """A map as recorded; text in the words of AWS's documentation."""
    assert only(failure_message(payload=payload)).item_identifier == "300000000000000000007"


def test_the_stream_that_it_names_stands_in_for_a_missing_arn() -> None:
    wire = lambda_record("INSERT")
    del wire["eventSourceARN"]
    assert only(failure_message(payload={"Records": [wire]})).event_source_arn == ARN


def test_a_kinesis_batch_may_have_failed_too() -> None:
    message = failure_message(payload={"Records": [kinesis_entry(kinesis_json())]})
    message["KinesisBatchInfo"] = message.pop("DDBStreamBatchInfo")
    assert only(message).item_identifier == KINESIS_NUMBER


@pytest.mark.parametrize("error", ["Unhandled", None])
def test_without_its_records_it_is_refused_with_the_way_to_get_them(error: str | None) -> None:
    """``functionError`` is null where the function had answered with batch item failures."""
    message = failure_message()
    message["responseContext"]["functionError"] = error
    with pytest.raises(PayloadError, match=r"without its records.*ddbstream\.replay"):
        parse(message)


def test_a_pipes_dead_letter_is_refused_likewise() -> None:
    """``context`` in place of both contexts: eb-pipes-batching-concurrency.html (user guide)."""
    message = failure_message()
    pipe = {
        "partnerResourceArn": "arn:aws:pipes:eu-west-1:1:pipe/p",
        "condition": "RetryAttemptsExhausted",
    }
    dead = {
        "context": pipe,
        "version": "1.0",
        "timestamp": "2026-02-03T04:06:07Z",
        "DDBStreamBatchInfo": message["DDBStreamBatchInfo"],
    }
    with pytest.raises(PayloadError, match=r"ddbstream\.replay"):
        parse(dead)


@pytest.mark.parametrize("payload", ["hunter2", "[", {}, 7], ids=repr)
def test_a_payload_that_is_none_is_refused_with_its_place(payload: object) -> None:
    with pytest.raises(PayloadError) as caught:
        parse(failure_message(payload=payload))
    assert caught.value.path == "payload"
    assert "hunter2" not in str(caught.value)


def test_several_in_a_list_are_read_one_by_one() -> None:
    messages = [failure_message(payload=EVENT), failure_message(payload=EVENT)]
    assert len(list(parse(messages))) == 2


class TestTheWriter:
    def test_writes_what_parse_reads(self) -> None:
        wire = lambda_record("INSERT")
        document = on_failure_document([wire], shard_id="shard")
        assert only(json.loads(json.dumps(document))).raw == wire
        assert batch_info(document) == {
            "shardId": "shard",
            "startSequenceNumber": wire["dynamodb"]["SequenceNumber"],
            "endSequenceNumber": wire["dynamodb"]["SequenceNumber"],
            "approximateArrivalOfFirstRecord": "2026-02-02T02:40:00Z",
            "approximateArrivalOfLastRecord": "2026-02-02T02:40:00Z",
            "batchSize": 1,
            "streamArn": ARN,
        }

    @pytest.mark.parametrize("change", ["text", None, {"ApproximateCreationDateTime": "never"}])
    def test_takes_a_record_that_is_malformed(self, change: object) -> None:
        document = on_failure_document([{"dynamodb": change}])
        info = document["DDBStreamBatchInfo"]
        assert info["startSequenceNumber"] is info["approximateArrivalOfFirstRecord"] is None
        assert document["payload"]["Records"] == [{"dynamodb": change}]

    def test_names_the_failure_and_not_the_item(self) -> None:
        assert failure_details(lambda_record("INSERT"), ValueError("why"), "app.added") == {
            "eventId": lambda_record("INSERT")["eventID"],
            "route": "app.added",
            "errorType": "ValueError",
            "errorMessage": "why",
        }


@pytest.mark.parametrize(
    "when", [datetime(2026, 2, 2, 2, 40, 0, 500_000, timezone.utc), Decimal("1770000000.5")]
)
def test_types_that_json_lacks_come_back_as_what_they_were(when: Any) -> None:
    binary = Binary(b"ab")
    image = {"PK": {"S": "a"}, "b": {"B": binary}, "set": {"BS": [binary, bytearray(b"c")]}}
    (read,) = parse([lambda_record("INSERT", NewImage=image, ApproximateCreationDateTime=when)])
    document = json.loads(json.dumps(on_failure_document([read.raw])))
    carried = document["payload"]["Records"][0]["dynamodb"]
    assert carried["NewImage"]["b"] == {"B": "YWI="}
    assert carried["NewImage"]["set"] == {"BS": ["YWI=", "Yw=="]}
    back = only(document)
    assert back.new == read.new
    assert back.approximate_creation_ns == read.approximate_creation_ns == 1_770_000_000_500_000_000
