"""What the log has of a change, and what it has not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import audit_log
import boto3
import pytest
from moto import mock_aws

from ddbstream.testing import insert, lambda_event, modify, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = {"PK": "Customer#1", "SK": "Profile", "mail": "a@b", "card": {"number": "4111"}}
NEW = {"PK": "Customer#1", "SK": "Profile", "mail": "c@d", "card": {"number": "4222"}}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("BUCKET", "audit")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        audit_log.s3.cache_clear()
        client = boto3.client("s3")
        client.create_bucket(Bucket="audit")
        yield client
    audit_log.s3.cache_clear()


def entries(bucket: Any) -> list[dict[str, Any]]:
    names = [entry["Key"] for entry in bucket.list_objects_v2(Bucket="audit").get("Contents", [])]
    bodies = [bucket.get_object(Bucket="audit", Key=name)["Body"].read() for name in names]
    return [json.loads(body) for body in bodies]


def test_an_entry_says_what_changed_and_hides_what_nobody_may_read(bucket: Any):
    assert audit_log.handler(lambda_event([modify(OLD, NEW)])) == {"batchItemFailures": []}
    (entry,) = entries(bucket)
    assert (entry["event"], entry["keys"]) == ("MODIFY", {"PK": "Customer#1", "SK": "Profile"})
    assert {change["path"]: change.get("new") for change in entry["changes"]} == {
        "card.number": None,
        "mail": {"S": "c@d"},
    }
    assert "4111" not in json.dumps(entry)
    assert "4222" not in json.dumps(entry)


def test_a_record_that_comes_twice_is_one_entry(bucket: Any):
    event = lambda_event([insert(OLD), modify(OLD, NEW), remove(NEW, ttl=True)])
    audit_log.handler(event)
    audit_log.handler(event)
    assert sorted(entry["event"] for entry in entries(bucket)) == ["INSERT", "MODIFY", "REMOVE"]


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_cannot_be_written_loses_no_record(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BUCKET", "no-such-bucket")
    first = insert(OLD)
    answer = audit_log.handler(lambda_event([first]))
    number = first["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
