"""Every form in which AWS hands stream records over, made from wire records.

What goes in is what `ddbstream.testing.insert`, ``modify`` and ``remove`` give, or any wire record
in Lambda's or boto3's form. What comes out is what AWS would send, with values of our own. First
come the forms that carry the records themselves, then the messages around those, which may carry
no more than the records' place in the stream.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream._values.json_values import is_map
from ddbstream._values.times import nanoseconds
from ddbstream._wire.on_failure import on_failure_document
from ddbstream.testing._record_forms import IMAGES, boto3_record, json_item, json_record

if TYPE_CHECKING:
    from ddbstream.testing._record_forms import Record

__all__ = [
    "eventbridge_event",
    "full_export_line",
    "get_records_page",
    "incremental_export_line",
    "kinesis_data",
    "kinesis_event",
    "kinesis_page",
    "lambda_event",
    "on_failure_message",
    "pipes_batch",
    "pipes_failure_message",
    "sns_event",
    "sns_notification",
    "sqs_event",
    "sqs_page",
    "tumbling_window_event",
]

Precision = Literal["MILLISECOND", "MICROSECOND"]

_ACCOUNT: Final = "123456789012"
_WHEN: Final = datetime(2026, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
_SHARD_ID: Final = "shardId-00000001767225600000-0a1b2c3d"
_KINESIS_ARN: Final = f"arn:aws:kinesis:eu-west-1:{_ACCOUNT}:stream/changes"


def _listed(records: Iterable[Record]) -> Iterable[Record]:
    """The records; raises TypeError for a single one, which is a mapping, and for no list."""
    if isinstance(records, (Mapping, str, bytes)) or not isinstance(records, Iterable):
        raise TypeError("an event is made from a list of records: lambda_event([insert(item)])")
    return records


def lambda_event(records: Iterable[Record]) -> dict[str, Any]:
    """What a DynamoDB event source mapping hands to a function."""
    return {"Records": [json_record(record) for record in _listed(records)]}


def tumbling_window_event(
    records: Iterable[Record],
    *,
    state: Mapping[str, Any] | None = None,
    window: tuple[str, str] = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
    final: bool = False,
    terminated_early: bool = False,
    shard_id: str = _SHARD_ID,
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What a mapping with a tumbling window hands to a function.

    Args:
        records: The records; none in a window's last invocation.
        state: What the function returned last.
        window: Start and end, in ISO 8601.
        final: Whether it is the window's last invocation.
        terminated_early: Whether Lambda ended the window early because the state grew too large.
        shard_id: The shard whose window it is.
        stream_arn: If not given, that of the first record.
    """
    made = [json_record(record) for record in _listed(records)]
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
    records: Iterable[Record], *, next_iterator: str | None = "next"
) -> dict[str, Any]:
    """What boto3's ``get_records`` of DynamoDB Streams gives: datetimes, bytes, and no stream ARN.

    Args:
        records: The records.
        next_iterator: ``None`` for the last page of a closed shard.
    """
    page: dict[str, Any] = {"Records": [boto3_record(record) for record in _listed(records)]}
    if next_iterator is not None:
        page["NextShardIterator"] = next_iterator
    return page


def pipes_batch(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What an EventBridge Pipe hands to its target: a bare list."""
    return [json_record(record) for record in _listed(records)]


def kinesis_data(record: Record, *, precision: Precision | None = None) -> bytes:
    """One record as Kinesis Data Streams for DynamoDB carries it.

    Such a record names its table, and has neither a sequence number nor a view type.

    Args:
        record: The record.
        precision: The unit of its creation time, which the record then names. Without one the unit
            is milliseconds, and the record does not name it.
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
    records: Iterable[Record], *, precision: Precision | None = None
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
    records: Iterable[Record], *, precision: Precision | None = None
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


def incremental_export_line(record: Record) -> dict[str, Any]:
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


def on_failure_message(
    records: Sequence[Record],
    *,
    payload: Literal["object", "text"] | None = None,
    condition: Literal["RetryAttemptsExhausted", "RecordAgeExceeded"] = "RetryAttemptsExhausted",
    function_error: str | None = "Unhandled",
    shard_id: str = _SHARD_ID,
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What Lambda sends to a failure destination about a batch.

    Args:
        records: The batch.
        payload: ``None`` as for SQS and SNS, which get no records; otherwise the batch as S3 gets
            it: an object, as recordings of AWS have it, or text, as its documentation says.
        condition: Why Lambda gave the batch up.
        function_error: ``None`` where the function returned batch item failures.
        shard_id: The shard that the batch came from.
        stream_arn: If not given, that of the first record.

    Raises:
        ValueError: ``payload`` or ``condition`` is none of those named.
    """
    if payload not in (None, "object", "text"):
        raise ValueError(f"payload={payload!r} is none of None, 'object' and 'text'")
    if condition not in ("RetryAttemptsExhausted", "RecordAgeExceeded"):
        raise ValueError(f"condition={condition!r}: Lambda knows no such reason to give a batch up")
    message = on_failure_document(
        records,
        stream_arn=stream_arn,
        shard_id=shard_id,
        condition=condition,
        invocations=2,
        request_id="00000000-0000-4000-8000-000000000001",
        function_arn=f"arn:aws:lambda:eu-west-1:{_ACCOUNT}:function:changes",
        function_version="$LATEST",
        function_error=function_error,
        written_at=_WHEN,
        payload=False,
    )
    if payload is not None:
        event = lambda_event(records)
        message["payload"] = event if payload == "object" else json.dumps(event)
    return message


def pipes_failure_message(
    records: Sequence[Record],
    *,
    shard_id: str = _SHARD_ID,
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What an EventBridge Pipe sends to its dead-letter queue about a batch.

    Args:
        records: The batch.
        shard_id: The shard that the batch came from.
        stream_arn: If not given, that of the first record.
    """
    return {
        "context": {
            "partnerResourceArn": f"arn:aws:pipes:eu-west-1:{_ACCOUNT}:pipe/changes",
            "condition": "RetryAttemptsExhausted",
        },
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:01Z",
        "DDBStreamBatchInfo": on_failure_document(
            records, shard_id=shard_id, stream_arn=stream_arn, payload=False
        )["DDBStreamBatchInfo"],
    }


def sqs_event(*bodies: object) -> dict[str, Any]:
    """What an SQS event source mapping hands to a function: a message around each payload.

    Args:
        bodies: Text, and bytes of text, are sent as they are; anything else is sent as JSON.
    """
    return {
        "Records": [
            {
                "messageId": _message_id(index),
                "receiptHandle": f"receipt-{index}",
                "body": _message_text(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:{_ACCOUNT}:failures",
                "awsRegion": "eu-west-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def sqs_page(*bodies: object) -> dict[str, Any]:
    """What boto3's ``receive_message`` gives: a message around each payload, as `sqs_event`."""
    return {
        "Messages": [
            {
                "MessageId": _message_id(index),
                "ReceiptHandle": f"receipt-{index}",
                "MD5OfBody": "",
                "Body": _message_text(body),
            }
            for index, body in enumerate(bodies)
        ]
    }


def sns_notification(message: object) -> dict[str, Any]:
    """What SNS puts around a message for SQS or HTTP, unless raw delivery is switched on."""
    return {
        "Type": "Notification",
        "MessageId": _message_id(0),
        "TopicArn": f"arn:aws:sns:eu-west-1:{_ACCOUNT}:failures",
        "Message": _message_text(message),
        "Timestamp": "2026-01-01T00:00:01.000Z",
    }


def sns_event(*messages: object) -> dict[str, Any]:
    """What SNS hands to a function that subscribes to it: a notification around each payload."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"arn:aws:sns:eu-west-1:{_ACCOUNT}:failures:changes",
                "Sns": sns_notification(message),
            }
            for message in messages
        ]
    }


def eventbridge_event(detail: object) -> dict[str, Any]:
    """What a rule hands to a function about one record that a pipe put on an EventBridge bus."""
    return {
        "version": "0",
        "id": _message_id(0),
        "detail-type": "Event from aws:dynamodb",
        "source": "Pipe changes",
        "account": _ACCOUNT,
        "time": "2026-01-01T00:00:01Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": json_record(detail) if is_map(detail) and "dynamodb" in detail else detail,
    }


def _message_text(body: object) -> str:
    if isinstance(body, bytes):
        return body.decode()
    return body if isinstance(body, str) else json.dumps(body)


def _message_id(index: int) -> str:
    return f"00000000-0000-4000-8000-{index:012d}"
