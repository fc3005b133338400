"""``ddbstream streams``: what streams there are, and their shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ddbstream.cli._aws import boto3_client, reported
from ddbstream.cli._kinesis_destinations import Destination, destinations, to_enable
from ddbstream.cli._parameters import aws_options, json_option
from ddbstream.cli._render import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["streams"]


@click.command()
@click.argument("table", required=False)
@click.option("--shards", is_flag=True, help="Show each stream's shards as well.")
@aws_options
@json_option
def streams(
    table: str | None,
    endpoint_url: str | None,
    region_name: str | None,
    *,
    shards: bool,
    as_json: bool,
) -> None:
    """List the streams of TABLE, or of every table.

    A table may have several: one that was switched off stays readable for a day. Those of TABLE are
    followed by the Kinesis streams that it puts its changes into.
    """
    output = Output(as_json=as_json)
    client = boto3_client("dynamodbstreams", endpoint_url=endpoint_url, region_name=region_name)
    found = False
    with reported():
        for stream in _streams(client, table):
            found = True
            description, listed = _described(client, stream["StreamArn"])
            line = {
                "table": description["TableName"],
                "stream_arn": description["StreamArn"],
                "status": description["StreamStatus"],
                "view_type": description.get("StreamViewType"),
                "open_shards": sum(_is_open(shard) for shard in listed),
                "shards": [_shard(shard) for shard in listed] if shards else len(listed),
            }
            output.stream(line)
        if table is None:
            return
        client = boto3_client("dynamodb", endpoint_url=endpoint_url, region_name=region_name)
        in_kinesis = _in_kinesis(client, table)
        for one in in_kinesis or ():
            found = True
            _show(output, table, one)
    if not found:
        hint = f"; for one in Kinesis: {to_enable(table)}" if in_kinesis is not None else ""
        raise click.ClickException(f"table {table} has no stream here{hint}")


def _in_kinesis(client: Any, table: str) -> list[Destination] | None:
    try:
        return destinations(client, table)
    except client.exceptions.ResourceNotFoundException:
        return None  # there is no such table; its old streams may still be listed


def _show(output: Output, table: str, one: Destination) -> None:
    if not output.as_json:
        output.note(f"{table}  {one.status}  into Kinesis, {one.precision}\n{one.stream_arn}")
        return
    line = {"table": table, "stream_arn": one.stream_arn, "status": one.status}
    output.line({**line, "precision": one.precision})


def _streams(client: Any, table: str | None) -> Iterator[dict[str, Any]]:
    request = {"TableName": table} if table else {}
    while True:
        page = client.list_streams(**request)
        yield from page["Streams"]
        last = page.get("LastEvaluatedStreamArn")
        if not last:
            return
        request["ExclusiveStartStreamArn"] = last


def _described(client: Any, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A stream's description, and its shards from every page of it."""
    shards: list[dict[str, Any]] = []
    request = {"StreamArn": arn}
    while True:
        description = client.describe_stream(**request)["StreamDescription"]
        shards += description["Shards"]
        last = description.get("LastEvaluatedShardId")
        if not last or last == request.get("ExclusiveStartShardId"):
            return description, shards
        request["ExclusiveStartShardId"] = last


def _is_open(shard: dict[str, Any]) -> bool:
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def _shard(shard: dict[str, Any]) -> dict[str, Any]:
    numbers = shard["SequenceNumberRange"]
    return {
        "shard_id": shard["ShardId"],
        "parent": shard.get("ParentShardId"),
        "from": numbers.get("StartingSequenceNumber"),
        "to": numbers.get("EndingSequenceNumber"),
    }
