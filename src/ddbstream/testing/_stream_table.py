"""A table with a stream on an emulator of DynamoDB, as a test uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, final

from ddbstream.testing._record_forms import ViewType, json_record, wire_item

if TYPE_CHECKING:
    from ddbstream.typing import WireRecord

__all__ = ["StreamTable", "make_table", "stream_table"]


@final
class StreamTable:
    """A table with a stream: what a test writes to, and the records that its writes left.

    Attributes:
        name: The table's name.
        keys: Its key attributes, all text.
        stream_arn: Its stream's ARN.
        endpoint_url: Where it is; None where boto3 finds it without being told.
        client: boto3's ``dynamodb`` client.
        streams: boto3's ``dynamodbstreams`` client, which a poller takes as ``client=``.
    """

    def __init__(
        self,
        name: str,
        keys: Sequence[str],
        stream_arn: str,
        endpoint_url: str | None,
        client: Any,
        streams: Any,
    ) -> None:
        self.name = name
        self.keys = tuple(keys)
        self.stream_arn = stream_arn
        self.endpoint_url = endpoint_url
        self.client = client
        self.streams = streams

    def __repr__(self) -> str:
        return f"<StreamTable {self.name}>"

    def put(self, item: object) -> None:
        """Write an item, as ``PutItem`` does: a model, an item of Python values or a wire item."""
        self.client.put_item(TableName=self.name, Item=wire_item(item))

    def delete(self, item: object) -> None:
        """Delete an item, as ``DeleteItem`` does: the item, or its key attributes alone."""
        whole = wire_item(item)
        key = {name: whole[name] for name in self.keys}
        self.client.delete_item(TableName=self.name, Key=key)

    def records(self) -> list[WireRecord]:
        """The stream's records so far, in order, as Lambda hands them over.

        An emulator's open shard is read to its first empty page, where there is nothing more. On
        AWS an empty page says nothing.
        """
        found: list[Any] = []
        for shard in self._shards():
            iterator = self.streams.get_shard_iterator(
                StreamArn=self.stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = self.streams.get_records(ShardIterator=iterator)
                found += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return [json_record({**one, "eventSourceARN": self.stream_arn}) for one in found]  # type: ignore[misc] # a record, whatever is wrong with it

    def _shards(self) -> list[str]:
        """The shards' ids: their names begin with a time, so parents come before children."""
        request = {"StreamArn": self.stream_arn}
        found: list[str] = []
        while True:
            description = self.streams.describe_stream(**request)["StreamDescription"]
            found += [shard["ShardId"] for shard in description["Shards"]]
            last = description.get("LastEvaluatedShardId")
            if not last:
                return sorted(found)
            request["ExclusiveStartShardId"] = last


def make_table(
    client: Any, name: str, keys: Sequence[str], view_type: ViewType = "NEW_AND_OLD_IMAGES"
) -> dict[str, Any]:
    """Make a table with a stream; gives the table's description.

    Args:
        client: boto3's ``dynamodb`` client.
        name: The table's name.
        keys: Its partition key and, if it has one, its sort key; both strings.
        view_type: What the stream's records carry.
    """
    made = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
    )
    description: dict[str, Any] = made["TableDescription"]
    return description


@contextmanager
def stream_table(
    boto3: Any,
    *,
    name: str = "Table",
    keys: Sequence[str] = ("PK", "SK"),
    view_type: ViewType = "NEW_AND_OLD_IMAGES",
    endpoint_url: str | None = None,
) -> Iterator[StreamTable]:
    """A new table while this is open.

    Args:
        boto3: The module.
        name: The table's name.
        keys: Its partition key and, if it has one, its sort key.
        view_type: What its records carry.
        endpoint_url: Where; None leaves that to boto3.
    """
    client = boto3.client("dynamodb", endpoint_url=endpoint_url)
    streams = boto3.client("dynamodbstreams", endpoint_url=endpoint_url)
    try:
        made = make_table(client, name, keys, view_type)
        try:
            arn = made["LatestStreamArn"]
            yield StreamTable(name, keys, arn, endpoint_url, client, streams)
        finally:
            with suppress(client.exceptions.ResourceNotFoundException):  # the test deleted it
                client.delete_table(TableName=name)
    finally:
        streams.close()
        client.close()
