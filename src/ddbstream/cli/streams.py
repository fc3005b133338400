"""``ddbstream streams``: what streams there are and what is in them; switching them on and off."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from ddbstream.cli._aws import boto3_client, described_stream, reported
from ddbstream.cli._completion import complete_tables
from ddbstream.cli._default_command import WithDefault
from ddbstream.cli._kinesis_destinations import Destination, destinations, to_enable
from ddbstream.cli._parameters import aws_options, json_option
from ddbstream.cli._remedies import in_words
from ddbstream.cli._render import Output, styled
from ddbstream.exceptions import StreamNotFoundError
from ddbstream.poller._client import resolve_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["streams"]

_VIEW_TYPES: Final = MappingProxyType(
    {
        "KEYS_ONLY": "the key attributes alone",
        "NEW_IMAGE": "the item as it is after the change",
        "OLD_IMAGE": "the item as it was before the change",
        "NEW_AND_OLD_IMAGES": "both, which changed= and record.diff need",
    }
)
"""What records carry, as AWS documents ``StreamViewType``."""

_PAGES: Final = 5  # of a shard, to find its oldest record: AWS may give empty ones before it
_WAIT_SECONDS: Final = 120.0
_EVERY_SECONDS: Final = 1.0


@click.group(cls=WithDefault, default="list")
def streams() -> None:
    """List, describe, enable and disable the streams of tables.

    `ddbstream streams TABLE` lists, as `ddbstream streams list TABLE` does.
    """


@streams.command("list")
@click.argument("table", required=False, shell_complete=complete_tables)
@click.option("--shards", is_flag=True, help="Show each stream's shards as well.")
@aws_options
@json_option
def list_(
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
            description, listed = described_stream(client, stream["StreamArn"])
            line = {
                "table": description["TableName"],
                "stream_arn": description["StreamArn"],
                "status": description["StreamStatus"],
                "view_type": description.get("StreamViewType"),
                "open_shards": sum(_is_open(shard) for shard in listed),
                "shards": [_shard(shard) for shard in listed] if shards else len(listed),
            }
            output.stream(line)
            if output.closed:
                return
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


@streams.command(short_help="Show a stream, and how far behind its readers may be.")
@click.argument("table", shell_complete=complete_tables)
@click.option("--no-lag", is_flag=True, help="Read no record: leave out how old the oldest are.")
@aws_options
@json_option
def describe(
    table: str,
    endpoint_url: str | None,
    region_name: str | None,
    *,
    no_lag: bool,
    as_json: bool,
) -> None:
    """Show a stream: whether it is on, what its records carry, and its tree of shards.

    TABLE is a table's name, or a stream's ARN. Each shard has the age of its oldest record, which
    is how far behind a reader is that begins there. To find it, a record of each shard is read.
    """
    output = Output(as_json=as_json)
    where = {"endpoint_url": endpoint_url, "region_name": region_name}
    client, dynamodb = boto3_client("dynamodbstreams", **where), boto3_client("dynamodb", **where)
    with reported():
        try:
            arn = resolve_stream(table, client, dynamodb)
        except StreamNotFoundError as error:
            raise click.ClickException(in_words(error)) from None
        description, listed = described_stream(client, arn)
        shards = [_shard(shard) for shard in listed]
        for shard in () if no_lag else shards:
            shard["lag_seconds"] = _lag(client, arn, shard["shard_id"])
        name = description["TableName"]
        in_kinesis = _in_kinesis(dynamodb, name) or []
    view_type = str(description.get("StreamViewType"))
    line: dict[str, Any] = {
        "table": name,
        "stream_arn": description["StreamArn"],
        "status": description["StreamStatus"],
        "view_type": view_type,
        "carries": _VIEW_TYPES.get(view_type),
        "keys": [key["AttributeName"] for key in description.get("KeySchema") or ()],
        "open_shards": sum(_is_open(shard) for shard in listed),
        "shards": shards,
    }
    if output.as_json:
        output.line({**line, "kinesis": [one._asdict() for one in in_kinesis]})
        return
    output.stream(line)
    output.note(f"\nkeys: {', '.join(line['keys'])}")
    output.note("records carry:")
    for one, words in _VIEW_TYPES.items():
        chosen = one == view_type
        output.note(
            styled((f"{'*' if chosen else ' '} {one:<18}  {words}", "" if chosen else "dim"))
        )
    for destination in in_kinesis:
        _show(output, name, destination)


@streams.command()
@click.argument("table", shell_complete=complete_tables)
@click.option(
    "--view-type",
    type=click.Choice(list(_VIEW_TYPES)),
    default="NEW_AND_OLD_IMAGES",
    show_default=True,
    help="What records carry: " + "; ".join(f"{k}: {v}" for k, v in _VIEW_TYPES.items()) + ".",
)
@aws_options
@json_option
def enable(
    table: str,
    view_type: str,
    endpoint_url: str | None,
    region_name: str | None,
    *,
    as_json: bool,
) -> None:
    """Switch the stream of TABLE on, and wait until it is.

    The stream is a new one, with a new ARN, and begins with the next change. The view type of a
    stream cannot be changed: `disable` it first, and all its readers go over to the new one.
    """
    output = Output(as_json=as_json)
    client = boto3_client("dynamodb", endpoint_url=endpoint_url, region_name=region_name)
    with reported():
        found = client.describe_table(TableName=table)["Table"]
        now = _view_type_of(found)
        if now is not None and now != view_type:
            raise click.ClickException(
                f"the stream of {table} is on, with {now}: to change that, "
                f"`ddbstream streams disable {table}`, and then this again"
            )
        if now is None:
            found = _update(
                client, table, {"StreamEnabled": True, "StreamViewType": view_type}, output
            )
    arn = found["LatestStreamArn"]
    if output.as_json:
        changed = now is None
        output.line({"table": table, "stream_arn": arn, "view_type": view_type, "changed": changed})
        return
    output.note(f"{table}: {'on' if now is None else 'on already'}, {view_type}")
    output.note(arn)


@streams.command()
@click.argument("table", shell_complete=complete_tables)
@click.option("--yes", is_flag=True, help="Do not ask.")
@aws_options
@json_option
def disable(
    table: str, endpoint_url: str | None, region_name: str | None, *, yes: bool, as_json: bool
) -> None:
    """Switch the stream of TABLE off, and wait until it is.

    What is in it stays readable for 24 hours; changes from then on are in no stream.
    """
    output = Output(as_json=as_json)
    client = boto3_client("dynamodb", endpoint_url=endpoint_url, region_name=region_name)
    with reported():
        found = client.describe_table(TableName=table)["Table"]
        on = _view_type_of(found) is not None
        if on and not yes:
            click.confirm(f"Switch the stream of {table} off?", abort=True, err=True)
        if on:
            _update(client, table, {"StreamEnabled": False}, output)
    if output.as_json:
        arn = found.get("LatestStreamArn")
        output.line({"table": table, "stream_arn": arn, "view_type": None, "changed": on})
        return
    output.note(f"{table}: {'off' if on else 'off already'}")


def _view_type_of(table: dict[str, Any]) -> str | None:
    """The view type of a table's stream; None if it is off."""
    specification = table.get("StreamSpecification") or {}
    return specification.get("StreamViewType") if specification.get("StreamEnabled") else None


def _update(client: Any, table: str, specification: dict[str, Any], output: Output) -> Any:
    """Update a table's stream and wait for it; the table's description then."""
    client.update_table(TableName=table, StreamSpecification=specification)
    until = time.monotonic() + _WAIT_SECONDS
    told = False
    while time.monotonic() < until:
        found = client.describe_table(TableName=table)["Table"]
        if found["TableStatus"] == "ACTIVE":
            return found
        if not told and not output.as_json:
            output.note(f"{table} is {found['TableStatus']} ...", "dim")
            told = True
        time.sleep(_EVERY_SECONDS)
    raise click.ClickException(
        f"{table} is still being updated; `ddbstream streams describe {table}` shows how far it is"
    )


def _lag(client: Any, arn: str, shard_id: str) -> float | None:
    """The age of a shard's oldest record in seconds; None if none is found."""
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for _ in range(_PAGES):
        if not iterator:
            return None
        page = client.get_records(ShardIterator=iterator, Limit=1)
        if page["Records"]:
            created: datetime = page["Records"][0]["dynamodb"]["ApproximateCreationDateTime"]
            age = (datetime.now(timezone.utc) - created).total_seconds()
            return max(0.0, round(age, 3))
        iterator = page.get("NextShardIterator")
    return None


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
