"""On-failure messages are found in whatever carried them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ddbstream import testing
from ddbstream.exceptions import PayloadError
from ddbstream.replay import FailedBatch, Unreadable, failed_batches
from tests.unit.wire.payloads import ARN, failure_message, lambda_record, sqs_message


def only(source: object, **options: Any) -> Any:
    (found,) = failed_batches(source, **options)
    return found


def test_a_lambda_message_says_which_batch() -> None:
    """Recorded on AWS by LocalStack's event source mapping tests."""
    batch = only(failure_message())
    when = datetime(2026, 2, 2, 2, 40, tzinfo=timezone.utc)
    assert batch == FailedBatch(
        stream_arn=ARN,
        shard_id="shardId-00000001770000000000-1a2b3c4d",
        start_sequence_number="300000000000000000007",
        end_sequence_number="300000000000000000007",
        size=1,
        first_arrival=when,
        last_arrival=when,
        condition="RetryAttemptsExhausted",
        consumer="arn:aws:lambda:eu-west-1:123456789012:function:shelf",
        function_error="Unhandled",
    )


def test_a_partial_failure_has_no_function_error() -> None:
    message = failure_message()
    message["responseContext"]["functionError"] = None
    assert only(message).function_error is None


def test_a_pipes_message_says_which_batch() -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html."""
    batch = only(testing.pipes_failure_message([testing.insert({"id": "a"})]))
    assert batch.consumer == "arn:aws:pipes:eu-west-1:123456789012:pipe/changes"
    assert batch.condition == "RetryAttemptsExhausted"
    assert batch.size == 1


@pytest.mark.parametrize("payload", [{"Records": []}, '{"Records": []}'], ids=["object", "text"])
def test_a_message_may_carry_its_batch(payload: object) -> None:
    assert only(failure_message(payload=payload)).payload == payload


MESSAGE = failure_message()
NOTE = {"Type": "Notification", "TopicArn": "t", "MessageId": "n", "Message": json.dumps(MESSAGE)}


@pytest.mark.parametrize(
    ("source", "identifier"),
    [
        (MESSAGE, None),
        ([MESSAGE], None),
        (json.dumps(MESSAGE), None),
        (json.dumps(MESSAGE).encode("utf-8-sig"), None),
        (json.dumps([MESSAGE]), None),
        (sqs_message(MESSAGE, "m"), "m"),
        ({"Records": [sqs_message(MESSAGE, "m")]}, "m"),
        ({"Records": [sqs_message(NOTE, "m")]}, "m"),
        ({"Messages": [{"MessageId": "m", "Body": json.dumps(MESSAGE)}]}, "m"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": NOTE}]}, None),
        (NOTE, None),
    ],
)
def test_a_message_is_found_in_every_envelope(source: object, identifier: str | None) -> None:
    batch = only(source)
    assert batch.start_sequence_number == "300000000000000000007"
    assert batch.identifier == identifier


def test_a_file_has_one_document_or_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "failures.json"
    for text in (
        json.dumps([MESSAGE, MESSAGE]),
        f"{json.dumps(MESSAGE)}\n\n{json.dumps(MESSAGE)}\n",
    ):
        path.write_text(text)
        assert [type(found) for found in failed_batches(path)] == [FailedBatch, FailedBatch]
    with path.open("rb") as lines:
        assert len(list(failed_batches(lines))) == 2


def s3_event(key: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "failures"}, "object": {"key": key}},
            }
        ]
    }


def test_an_s3_notification_names_an_object_that_is_fetched() -> None:
    """The key is encoded as in a query: notification-content-structure.html (S3 user guide)."""
    asked = []

    def fetch(bucket: str, key: str) -> bytes:
        asked.append((bucket, key))
        return json.dumps(failure_message(payload={"Records": []})).encode()

    key = "aws/lambda/0f-1/shardId-1/2026/02/03/2026-02-03T04.06.07-a+b%3D"
    assert only(s3_event(key), fetch=fetch).payload == {"Records": []}
    assert only(sqs_message(s3_event(key), "m"), fetch=fetch).identifier == "m"
    assert asked == [("failures", key.replace("+", " ").replace("%3D", "="))] * 2


def test_an_object_that_cannot_be_read_does_not_hide_the_others() -> None:
    def fetch(bucket: str, key: str) -> bytes:
        if key == "gone":
            raise ConnectionError("hunter2")
        return json.dumps(MESSAGE).encode()

    event = {"Records": [*s3_event("gone")["Records"], *s3_event("here")["Records"]]}
    bad, good = failed_batches(event, fetch=fetch)
    assert isinstance(bad, Unreadable)
    assert str(bad.error).endswith("cannot be read: ConnectionError")
    assert isinstance(good, FailedBatch)


@pytest.mark.parametrize("s3", [{}, {"bucket": 7}, {"bucket": {"name": "b"}, "object": {"key": 7}}])
def test_a_notification_that_names_no_object_is_unreadable(s3: Any) -> None:
    found = only({"s3": s3, "eventSource": "aws:s3"}, fetch=lambda bucket, key: b"")
    assert "names no object" in str(found.error)


def test_without_a_way_to_fetch_an_object_is_unreadable() -> None:
    assert "an S3 notification" in str(only(s3_event("k")).error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("hunter2", "text that is not JSON"),
        ("7", "a int"),
        ({}, "an empty mapping"),
        ({"password": "hunter2"}, "a mapping with the keys password"),
        ({"Event": "s3:TestEvent", "Bucket": "hunter2"}, "a mapping with the keys Bucket, Event"),
        (lambda_record(), "stream records themselves"),
        ({"Records": [lambda_record()]}, "stream records themselves"),
        (
            failure_message(DDBStreamBatchInfo={"shardId": "s"}),
            "without streamArn, startSequenceNumber",
        ),
        (failure_message(DDBStreamBatchInfo="hunter2"), "names no batch"),
    ],
)
def test_what_is_no_message_is_named_and_does_not_hide_the_others(body: object, words: str) -> None:
    event = {"Records": [sqs_message(body, "m-1"), sqs_message(MESSAGE, "m-2")]}
    bad, good = failed_batches(event)
    assert isinstance(bad, Unreadable)
    assert bad.identifier == "m-1"
    assert words in str(bad.error)
    assert "hunter2" not in str(bad.error)
    assert good.identifier == "m-2"


def test_sequence_numbers_that_are_no_numbers_cannot_be_read_again() -> None:
    message = failure_message()
    message["DDBStreamBatchInfo"]["startSequenceNumber"] = "<sequence-number:1>"
    assert "no numbers" in str(only(message).error)
    assert isinstance(only({**message, "payload": {"Records": []}}), FailedBatch)


def test_a_kinesis_batch_without_its_records_is_kinesis_affair() -> None:
    message = failure_message()
    message["KinesisBatchInfo"] = message.pop("DDBStreamBatchInfo")
    assert "Kinesis" in str(only(message).error)
    assert isinstance(only({**message, "payload": {"Records": []}}), FailedBatch)


def test_times_that_are_none_are_left_out() -> None:
    message = failure_message()
    message["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] = "<timestamp>"
    del message["DDBStreamBatchInfo"]["batchSize"]
    batch = only(message)
    assert (batch.first_arrival, batch.size) == (None, None)


@pytest.mark.parametrize("source", ["hunter2", b"\xff", 7, None, {}])
def test_a_source_that_is_nothing_is_unreadable_as_a_whole(source: object) -> None:
    found = only(source)
    assert isinstance(found, Unreadable)
    assert isinstance(found.error, PayloadError)


def test_the_key_is_that_of_the_batch_and_not_of_the_message() -> None:
    other = {**MESSAGE, "timestamp": "2026-02-03T05:00:00.000Z"}
    assert only(MESSAGE).key == only(other).key == only(sqs_message(MESSAGE)).key
    info = {**MESSAGE["DDBStreamBatchInfo"], "endSequenceNumber": "300000000000000000008"}
    assert only(failure_message(DDBStreamBatchInfo=info)).key != only(MESSAGE).key


def test_a_text_of_a_batch_shows_no_record() -> None:
    assert "hunter2" not in repr(only(failure_message(payload="hunter2")))
