"""The messages that carry stream records, or their place in a stream, made of wire records.

`ddbstream.testing.encoders` has what goes into them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream._values.json_values import is_map
from ddbstream._wire.on_failure import on_failure_document
from ddbstream.testing._spellings import json_record
from ddbstream.testing.encoders import lambda_event

if TYPE_CHECKING:
    from ddbstream.typing import WireRecord

    _Record = Mapping[str, Any] | WireRecord

__all__ = [
    "eventbridge_event",
    "on_failure_message",
    "pipes_failure_message",
    "sns_event",
    "sns_notification",
    "sqs_event",
    "sqs_page",
]

_ACCOUNT: Final = "123456789012"
_WRITTEN: Final = datetime(2026, 1, 1, 0, 0, 1, tzinfo=timezone.utc)


def on_failure_message(
    records: Sequence[_Record],
    *,
    payload: Literal["object", "text"] | None = None,
    condition: Literal["RetryAttemptsExhausted", "RecordAgeExceeded"] = "RetryAttemptsExhausted",
    function_error: str | None = "Unhandled",
    shard_id: str = "shardId-00000001767225600000-0a1b2c3d",
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What Lambda sends to a failure destination about a batch.

    Args:
        records: The batch.
        payload: ``None`` as for SQS and SNS, which get no records; else the batch as S3 gets it: a
            map, as AWS was recorded to write, or text, as its documentation says.
        condition: Why Lambda gave up.
        function_error: ``None`` where the function answered with batch item failures.
        shard_id: The shard that the batch is from.
        stream_arn: If not given, that of the first record.
    """
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
        written_at=_WRITTEN,
        payload=False,
    )
    if payload is not None:
        event = lambda_event(records)
        message["payload"] = event if payload == "object" else json.dumps(event)
    return message


def pipes_failure_message(
    records: Sequence[_Record],
    *,
    shard_id: str = "shardId-00000001767225600000-0a1b2c3d",
    stream_arn: str | None = None,
) -> dict[str, Any]:
    """What an EventBridge Pipe sends to its dead-letter queue about a batch.

    Args:
        records: The batch.
        shard_id: The shard that it is from.
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
        bodies: Text and bytes of text as they are; anything else as JSON.
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
    """What SNS puts around a message for SQS or HTTP, unless told to deliver it raw."""
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
    """What a rule hands to a function, around one record that a pipe put on an EventBridge bus."""
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
