"""The forms that carry stream records themselves, made of wire records.

``ddbstream.testing.envelopes`` has the messages around them. What goes in is what
`ddbstream.testing.insert`, ``modify`` and ``remove`` give, or any wire record in Lambda's or
boto3's spelling. What comes out is what AWS would send, with values of our own.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream._values.times import nanoseconds
from ddbstream.testing._spellings import IMAGES, boto3_record, json_item, json_record

if TYPE_CHECKING:
    from ddbstream.typing import WireRecord

    _Record = Mapping[str, Any] | WireRecord

__all__ = [
    "full_export_line",
    "get_records_page",
    "incremental_export_line",
    "kinesis_data",
    "kinesis_event",
    "kinesis_page",
    "lambda_event",
    "pipes_batch",
    "tumbling_window_event",
]

Precision = Literal["MILLISECOND", "MICROSECOND"]

_ACCOUNT: Final = "123456789012"
_WHEN: Final = datetime(2026, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
_KINESIS_ARN: Final = f"arn:aws:kinesis:eu-west-1:{_ACCOUNT}:stream/changes"


def lambda_event(records: Iterable[_Record]) -> dict[str, Any]:
    """What a DynamoDB event source mapping hands to a function."""
    return {"Records": [json_record(record) for record in records]}


def tumbling_window_event(
    records: Iterable[_Record],
    *,
    state: Mapping[str, Any] | None = None,
    window: tuple[str, str] = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
    final: bool = False,
    terminated_early: bool = False,
    shard_id: str = "shardId-00000001767225600000-0a1b2c3d",
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What a mapping with a tumbling window hands to a function.

    Args:
        records: The records; none in a window's last invocation.
        state: What the function answered last.
        window: Start and end, in ISO 8601.
        final: Whether it is the window's last invocation.
        terminated_early: Whether the state grew over its limit.
        shard_id: Windows are kept by shard.
        stream_arn: If not given, that of the first record.
    """
    made = [json_record(record) for record in records]
    return {
        "Records": made,
        "window": {"start": window[0], "end": window[1]},
        "state": dict(state or {}),
        "shardId": shard_id,
        "eventSourceARN": stream_arn or (made[0].get("eventSourceARN") if made else None),
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": terminated_early,
    }


def get_records_page(
    records: Iterable[_Record], *, next_iterator: str | None = "next"
) -> dict[str, Any]:
    """What boto3's ``get_records`` of DynamoDB Streams gives: datetimes, bytes, and no stream ARN.

    Args:
        records: The records.
        next_iterator: ``None`` for the last page of a closed shard.
    """
    page: dict[str, Any] = {"Records": [boto3_record(record) for record in records]}
    if next_iterator is not None:
        page["NextShardIterator"] = next_iterator
    return page


def pipes_batch(records: Iterable[_Record]) -> list[dict[str, Any]]:
    """What an EventBridge Pipe hands to its target: a bare list."""
    return [json_record(record) for record in records]


def kinesis_data(record: _Record, *, precision: Precision | None = None) -> bytes:
    """One record as Kinesis Data Streams for DynamoDB carries it.

    It has neither a sequence number nor a view type, and names its table.

    Args:
        record: The record.
        precision: The unit of its creation time, and whether it is named: without one it is
            milliseconds and is not.
    """
    made = json_record(record)
    change = {
        name: value for name, value in made["dynamodb"].items() if name in {*IMAGES, "SizeBytes"}
    }
    created = record["dynamodb"].get("ApproximateCreationDateTime")
    if created is not None:
        unit = 1_000 if precision == "MICROSECOND" else 1_000_000
        change["ApproximateCreationDateTime"] = nanoseconds(created) // unit
    if precision is not None:
        change["ApproximateCreationDateTimePrecision"] = precision
    arn = made.get("eventSourceARN") or ""
    return json.dumps(
        {
            "awsRegion": made.get("awsRegion"),
            "eventID": made.get("eventID"),
            "eventName": made.get("eventName"),
            "userIdentity": made.get("userIdentity"),
            "recordFormat": "application/json",
            "tableName": arn.split("/")[1] if "/" in arn else None,
            "dynamodb": change,
            "eventSource": "aws:dynamodb",
        }
    ).encode()


def kinesis_event(
    records: Iterable[_Record], *, precision: Precision | None = None
) -> dict[str, Any]:
    """What a Kinesis mapping hands to a function, over Kinesis Data Streams for DynamoDB.

    Args:
        records: The records.
        precision: As in `kinesis_data`.
    """
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": f"{index:032X}",
                    "sequenceNumber": _kinesis_number(index),
                    "data": _base64(kinesis_data(record, precision=precision)),
                    "approximateArrivalTimestamp": _WHEN.timestamp(),
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{_kinesis_number(index)}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{_ACCOUNT}:role/consumer",
                "awsRegion": "eu-west-1",
                "eventSourceARN": _KINESIS_ARN,
            }
            for index, record in enumerate(records)
        ]
    }


def kinesis_page(
    records: Iterable[_Record], *, precision: Precision | None = None
) -> dict[str, Any]:
    """What boto3's ``get_records`` of Kinesis gives, over Kinesis Data Streams for DynamoDB.

    Args:
        records: The records.
        precision: As in `kinesis_data`.
    """
    return {
        "Records": [
            {
                "SequenceNumber": _kinesis_number(index),
                "ApproximateArrivalTimestamp": _WHEN,
                "Data": kinesis_data(record, precision=precision),
                "PartitionKey": f"{index:032X}",
            }
            for index, record in enumerate(records)
        ],
        "NextShardIterator": "next",
        "MillisBehindLatest": 0,
    }


def full_export_line(item: object) -> dict[str, Any]:
    """A line of a full export in DynamoDB JSON.

    Args:
        item: A model instance, a mapping of Python values, or a wire item.

    Raises:
        EncodeError: It cannot be written as an item.
    """
    return {"Item": json_item(item)}


def incremental_export_line(record: _Record) -> dict[str, Any]:
    """A line of an incremental export in DynamoDB JSON."""
    change = json_record(record)["dynamodb"]
    written = nanoseconds(change["ApproximateCreationDateTime"]) // 1_000
    return {
        "Metadata": {"WriteTimestampMicros": {"N": str(written)}},
        **{name: change[name] for name in IMAGES if name in change},
    }


def _kinesis_number(index: int) -> str:
    # 56 digits, as Kinesis gives them.
    return str(49_600_000 * 10**48 + index)


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
