"""The emulator does what the tests of the poller and of the records lean on."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.support.dynamodb_local import DynamoDBLocal, Table, eventually

pytestmark = pytest.mark.dynamodb_local


def shards(server: DynamoDBLocal, arn: str) -> list[dict]:
    return server.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]


def test_each_kind_of_write_is_one_record_with_the_images_of_the_view_type(dynamodb_local):
    images = {
        "KEYS_ONLY": [set(), set(), set()],
        "NEW_IMAGE": [{"NewImage"}, {"NewImage"}, set()],
        "OLD_IMAGE": [set(), {"OldImage"}, {"OldImage"}],
        "NEW_AND_OLD_IMAGES": [{"NewImage"}, {"NewImage", "OldImage"}, {"OldImage"}],
    }
    for view_type, expected in images.items():
        with dynamodb_local.table(view_type) as table:
            key = {"PK": {"S": "Product#1"}, "SK": {"S": "User#Product"}}
            table.put({**key, "price": {"N": "1"}})
            table.put({**key, "price": {"N": "2"}})
            table.delete("Product#1", "User#Product")
            records = dynamodb_local.read_all(table.stream_arn)
        assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
        assert [
            {"NewImage", "OldImage"} & set(record["dynamodb"]) for record in records
        ] == expected
        assert all(record["dynamodb"]["Keys"] == key for record in records)


def test_a_write_that_changes_nothing_makes_no_record(
    dynamodb_local: DynamoDBLocal, local_table: Table
):
    item = {"PK": {"S": "a"}, "SK": {"S": "b"}}
    local_table.put(item)
    local_table.put(item)
    assert len(dynamodb_local.read_all(local_table.stream_arn)) == 1


def test_rollover_closes_the_open_shard_and_opens_its_child(
    dynamodb_local: DynamoDBLocal, local_table: Table
):
    local_table.put({"PK": {"S": "before"}, "SK": {"S": "x"}})
    dynamodb_local.control.rollover()
    local_table.put({"PK": {"S": "after"}, "SK": {"S": "x"}})

    parent, child = shards(dynamodb_local, local_table.stream_arn)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
    assert child["ParentShardId"] == parent["ShardId"]
    assert [
        record["dynamodb"]["Keys"]["PK"]["S"]
        for record in dynamodb_local.read_all(local_table.stream_arn)
    ] == ["before", "after"]


def test_the_last_page_of_a_closed_shard_carries_records(
    dynamodb_local: DynamoDBLocal, local_table: Table
):
    local_table.put({"PK": {"S": "last"}, "SK": {"S": "x"}})
    dynamodb_local.control.rollover()
    parent = shards(dynamodb_local, local_table.stream_arn)[0]
    iterator = dynamodb_local.streams.get_shard_iterator(
        StreamArn=local_table.stream_arn,
        ShardId=parent["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]
    page = dynamodb_local.streams.get_records(ShardIterator=iterator)
    assert len(page["Records"]) == 1
    assert page.get("NextShardIterator") is None


def test_an_hour_expires_the_iterators_handed_out_before_it(
    dynamodb_local: DynamoDBLocal, local_table: Table
):
    local_table.put({"PK": {"S": "a"}, "SK": {"S": "x"}})
    shard = shards(dynamodb_local, local_table.stream_arn)[0]
    iterator = dynamodb_local.streams.get_shard_iterator(
        StreamArn=local_table.stream_arn,
        ShardId=shard["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]
    dynamodb_local.control.dilate(1)
    with pytest.raises(ClientError) as caught:
        dynamodb_local.streams.get_records(ShardIterator=iterator)
    assert caught.value.response["Error"]["Code"] == "ExpiredIteratorException"
    assert len(dynamodb_local.read_all(local_table.stream_arn)) == 1


def test_a_day_trims_the_records(dynamodb_local: DynamoDBLocal, local_table: Table):
    local_table.put({"PK": {"S": "a"}, "SK": {"S": "x"}})
    (record,) = dynamodb_local.read_all(local_table.stream_arn)
    shard = shards(dynamodb_local, local_table.stream_arn)[0]
    dynamodb_local.control.dilate(25)
    with pytest.raises(ClientError) as caught:  # noqa: PT012 - either of the two calls may say so
        iterator = dynamodb_local.streams.get_shard_iterator(
            StreamArn=local_table.stream_arn,
            ShardId=shard["ShardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=record["dynamodb"]["SequenceNumber"],
        )["ShardIterator"]
        dynamodb_local.streams.get_records(ShardIterator=iterator)
    assert caught.value.response["Error"]["Code"] in {
        "TrimmedDataAccessException",
        "ResourceNotFoundException",
    }


def test_a_time_to_live_delete_names_the_service_that_did_it(dynamodb_local: DynamoDBLocal):
    with dynamodb_local.table(ttl="expires") as table:
        past = str(int(time.time()) - 3600)
        table.put({"PK": {"S": "a"}, "SK": {"S": "x"}, "expires": {"N": past}})
        records = eventually(lambda: dynamodb_local.read_all(table.stream_arn), 2)
    assert [record["eventName"] for record in records] == ["INSERT", "REMOVE"]
    assert records[1]["userIdentity"] == {
        "PrincipalId": "dynamodb.amazonaws.com",
        "Type": "Service",
    }
    assert "userIdentity" not in records[0]
