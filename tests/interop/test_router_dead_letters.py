"""Dead letters reach AWS's services as Lambda's own would: moto stands in for them."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Disposition, StreamRouter
from ddbstream.dead_letters import JSONLinesSink, S3Sink, SNSSink, SQSSink
from tests.support.stream_records import sequence_number, wire_record


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield


def put_aside(sink: Any, *records: dict[str, Any]) -> None:
    """Have a router put records aside, and see that it counts them as done."""
    router = StreamRouter()

    @router.on_insert()
    def handle(record: Any) -> None:
        raise ValueError("why")

    router.on_error()(lambda failure: Disposition.DEAD_LETTER)
    result = router.dispatch(records or [wire_record()], dead_letter=sink)
    assert result.failures == ()


@pytest.mark.usefixtures("_aws")
class TestSQS:
    def messages(self, url: str) -> list[dict[str, Any]]:
        found = boto3.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        return found.get("Messages", [])

    def test_a_queue_gets_the_document(self) -> None:
        url = boto3.client("sqs").create_queue(QueueName="letters")["QueueUrl"]
        put_aside(SQSSink(url))
        (message,) = self.messages(url)
        document = json.loads(message["Body"])
        assert document["payload"]["Records"] == [wire_record()]
        assert document["ddbstream"]["errorMessage"] == "why"

    def test_a_fifo_queue_gets_a_group_for_each_item_and_the_event_id(self) -> None:
        attributes = {"FifoQueue": "true"}
        made = boto3.client("sqs").create_queue(QueueName="letters.fifo", Attributes=attributes)
        url = made["QueueUrl"]
        keys = ("a", "b", "a")
        put_aside(SQSSink(url), *(wire_record(number=n, key=key) for n, key in enumerate(keys)))
        attributes = [message["Attributes"] for message in self.messages(url)]
        assert len({one["MessageGroupId"] for one in attributes}) == 2
        assert [one["MessageDeduplicationId"] for one in attributes] == [
            "event-0",
            "event-1",
            "event-2",
        ]

    def test_a_document_over_the_limit_goes_without_payload_as_lambdas_own(self) -> None:
        url = boto3.client("sqs").create_queue(QueueName="letters")["QueueUrl"]
        put_aside(SQSSink(url, max_bytes=2000), wire_record(new={"a": {"S": "x" * 2000}}))
        document = json.loads(self.messages(url)[0]["Body"])
        assert "payload" not in document
        info = document["DDBStreamBatchInfo"]
        assert info["startSequenceNumber"] == sequence_number(1)

    def test_a_queue_that_is_gone_leaves_the_record_not_done(self) -> None:
        router = StreamRouter()
        router.on_insert()(lambda record: 1 // 0)
        router.on_error()(lambda failure: Disposition.DEAD_LETTER)
        sink = SQSSink("https://sqs.eu-west-1.amazonaws.com/123456789012/none")
        assert router.dispatch([wire_record()], dead_letter=sink).checkpoint == sequence_number(1)


@pytest.mark.usefixtures("_aws")
def test_a_topic_gets_the_document() -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sns.create_topic(Name="letters")["TopicArn"]
    queue_arn = "arn:aws:sqs:eu-west-1:123456789012:subscriber"
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    put_aside(SNSSink(arn, client=sns))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    document = json.loads(json.loads(message["Body"])["Message"])
    assert document["payload"]["Records"] == [wire_record()]


@pytest.mark.usefixtures("_aws")
def test_a_bucket_gets_the_document_under_a_key_that_sorts_by_time() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(
        Bucket="letters", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    put_aside(S3Sink("letters", prefix="shop/"), wire_record(number=1), wire_record(number=2))
    found = s3.list_objects_v2(Bucket="letters")["Contents"]
    assert len(found) == 2
    body = s3.get_object(Bucket="letters", Key=found[0]["Key"])["Body"].read()
    document = json.loads(body)
    stamp = document["timestamp"]
    day, second = stamp[:10].replace("-", "/"), stamp[:19].replace(":", ".")
    assert found[0]["Key"].startswith(f"shop/{day}/{second}-")


def test_a_file_gets_a_line_for_each_from_any_number_of_threads(tmp_path: Path) -> None:
    sink = JSONLinesSink(tmp_path / "letters.jsonl")
    threads = [
        threading.Thread(target=put_aside, args=(sink, wire_record(number=n))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "letters.jsonl").read_text().splitlines()
    found = [json.loads(line)["payload"]["Records"][0]["eventID"] for line in lines]
    assert sorted(found) == [f"event-{n}" for n in range(8)]
