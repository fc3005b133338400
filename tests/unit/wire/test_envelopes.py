"""SQS, SNS and EventBridge around payloads, and what a batch response names then."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import parse
from ddbstream._records import MalformedRecord
from ddbstream._wire import read
from ddbstream.exceptions import PayloadError
from tests.unit.wire.payloads import (
    NEW,
    failure_message,
    kinesis_entry,
    kinesis_json,
    lambda_record,
    sqs_message,
)

EVENT = {"Records": [lambda_record()]}


def sns(message: object) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "5e1f0000-0000-4000-8000-000000000003",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:failures",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-02-03T04:06:07.891Z",
    }


def only(payload: object) -> Any:
    (record,) = parse(payload)
    return record


PAYLOADS = [
    pytest.param(EVENT, id="Lambda event"),
    pytest.param([lambda_record()], id="Pipes batch"),
    pytest.param(lambda_record(), id="record"),
    pytest.param({"Records": [kinesis_entry(kinesis_json())]}, id="Kinesis event"),
    pytest.param(failure_message(payload=EVENT), id="on-failure, object"),
    pytest.param(failure_message(payload=json.dumps(EVENT)), id="on-failure, text"),
    pytest.param(sns(EVENT), id="SNS"),
    pytest.param(sns(failure_message(payload=EVENT)), id="SNS, on-failure"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("source", ["Lambda", "boto3", "Pipes", "one message"])
def test_a_queue_may_carry_any_payload_and_is_answered_by_message_id(
    payload: object, source: str
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html."""
    message = sqs_message(payload)
    identifier = message["messageId"]
    if source == "boto3":
        message = {"MessageId": identifier, "ReceiptHandle": "r", "Body": message["body"]}
    whole = {
        "Lambda": {"Records": [message]},
        "boto3": {"Messages": [message], "ResponseMetadata": {}},
        "Pipes": [message],
        "one message": message,
    }[source]
    record = only(whole)
    assert record.new["price"] == Decimal("12.50")
    assert record.item_identifier == identifier
    assert record.envelope is message
    assert record.table_name == "Shelf"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_sns_may_carry_any_payload(payload: object) -> None:
    whole = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns(payload)}]}
    record = only(whole)
    assert record.new["price"] == Decimal("12.50")
    assert record.envelope is whole["Records"][0]


def test_a_line_of_an_export_in_a_queue_is_answered_by_message_id_too() -> None:
    message = sqs_message({"Item": NEW})
    record = only({"Records": [message]})
    assert record.item_identifier == message["messageId"]
    assert record.envelope is message


def test_sns_has_no_batch_to_answer_so_a_record_keeps_its_sequence_number() -> None:
    assert only(sns(EVENT)).item_identifier == "300000000000000000007"


def test_an_event_on_a_bus_carries_one_record() -> None:
    """A pipe's target may be an event bus: eb-pipes-event-target.html of the user guide."""
    event = {
        "version": "0",
        "id": "i",
        "detail-type": "t",
        "source": "Pipe p",
        "detail": lambda_record(),
    }
    assert only(event).item_identifier == "300000000000000000007"
    assert only(sqs_message(event)).item_identifier.startswith("c0ffee00")


def test_messages_carry_several_records_each_and_all_are_named_by_their_message() -> None:
    two = sqs_message({"Records": [lambda_record(), lambda_record()]}, "m-1")
    one = sqs_message(EVENT, "m-2")
    named = [record.item_identifier for record in parse({"Records": [two, one]})]
    assert named == ["m-1", "m-1", "m-2"]


def test_the_queue_is_not_where_a_record_came_from() -> None:
    wire = lambda_record()
    del wire["eventSourceARN"]
    record = only([sqs_message(wire)])
    assert record.event_source_arn is None
    assert record.table_name is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("hunter2", "text that is not JSON"),
        ("", "empty text"),
        ('{"hunter2": ', "breaks off"),
        ("{}", "an empty mapping"),
        ("7", "JSON text of a int"),
        (failure_message(), "ddbstream.replay"),
    ],
)
def test_a_message_of_something_else_is_malformed_and_named_by_its_id(
    body: object, words: str
) -> None:
    good = sqs_message(EVENT, "m-1")
    first, bad, last = read({"Records": [good, sqs_message(body, "m-2"), good]})
    assert isinstance(bad, MalformedRecord)
    assert bad.item_identifier == "m-2"
    assert words in str(bad.error)
    assert "hunter2" not in str(bad.error)
    assert (bad.error.path, bad.error.event_id) == ("Records[1].body", "m-2")
    assert first.item_identifier == last.item_identifier == "m-1"


def test_a_bad_record_in_a_message_is_named_by_message_and_path() -> None:
    body = {"Records": [lambda_record(), {**lambda_record(), "dynamodb": None}]}
    _, bad = read([sqs_message(body, "m-1")])
    assert isinstance(bad, MalformedRecord)
    assert bad.error.path == "[0].body.Records[1].dynamodb"
    assert bad.item_identifier == "m-1"


def test_one_message_alone_is_refused_at_once() -> None:
    with pytest.raises(PayloadError, match="not JSON") as caught:
        parse(sqs_message("hunter2"))
    assert caught.value.path == "body"
    with pytest.raises(PayloadError, match=r"ddbstream\.replay"):
        parse(sns(failure_message()))
