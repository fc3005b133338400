"""The Kinesis streams that a table puts its changes into, and how it is told to.

Source: AWS, `DescribeKinesisStreamingDestination`_.

.. _DescribeKinesisStreamingDestination:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeKinesisStreamingDestination.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ddbstream.cli._aws import aws_errors

__all__ = ["Destination", "destinations", "to_enable", "to_order"]

_PRECISE = "ApproximateCreationDateTimePrecision=MICROSECOND"


class Destination(NamedTuple):
    """A Kinesis stream of a table.

    Attributes:
        stream_arn: The Kinesis stream's ARN.
        status: ``ACTIVE``, or on its way there or from there.
        reason: What AWS says about the status, if it does.
        precision: Of the changes' creation times: ``MILLISECOND`` or ``MICROSECOND``.
    """

    stream_arn: str
    status: str
    reason: str | None
    precision: str


def destinations(client: Any, table: str) -> list[Destination] | None:
    """Where a table's changes go; None if that cannot be known.

    Args:
        client: A boto3 DynamoDB client. An emulator does not know the question.
        table: The table's name.
    """
    refused, _ = aws_errors()
    try:
        answer = client.describe_kinesis_streaming_destination(TableName=table)
    except NotImplementedError:  # moto in this process
        return None
    except refused as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("UnknownOperationException", "AccessDeniedException"):
            return None
        raise
    return [
        Destination(
            one["StreamArn"],
            one["DestinationStatus"],
            one.get("DestinationStatusDescription"),
            # AWS's default, which it does not always spell out.
            one.get("ApproximateCreationDateTimePrecision", "MILLISECOND"),
        )
        for one in answer["KinesisDataStreamDestinations"]
    ]


def to_enable(table: str) -> str:
    """The command that gives a table a destination."""
    return (
        f"aws dynamodb enable-kinesis-streaming-destination --table-name {table} "
        f"--stream-arn ARN --enable-kinesis-streaming-configuration {_PRECISE}"
    )


def to_order(table: str, stream_arn: str) -> str:
    """The command that makes a destination's times precise enough to order by."""
    return (
        f"aws dynamodb update-kinesis-streaming-destination --table-name {table} "
        f"--stream-arn {stream_arn} --update-kinesis-streaming-configuration {_PRECISE}"
    )
