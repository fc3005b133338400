"""Dead letters, in the shape of the document that Lambda sends to an on-failure destination.

Source: AWS Lambda's `on-failure destination`_ for DynamoDB streams; ``payload`` is what its S3
    destination
adds. ``ddbstream`` is ours. What Lambda alone knows (the shard) is null.

.. _on-failure destination:
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.results import Failure

__all__ = ["dead_letter"]


def dead_letter(failure: Failure, context: object) -> dict[str, Any]:
    """The document of one failed record: text, numbers, lists and maps only.

    Args:
        failure: The record and its exception.
        context: Lambda's context object, or a poller's; asked for what it has.
    """
    record = failure.record
    arrival = _arrival(record)
    return {
        "requestContext": {
            "requestId": _text(context, "aws_request_id"),
            "functionArn": _text(context, "invoked_function_arn"),
            # Lambda's word for "this record will not be tried again".
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": _text(context, "function_version"),
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z",
        "DDBStreamBatchInfo": {
            "shardId": _text(context, "shard_id"),
            "startSequenceNumber": record.sequence_number,
            "endSequenceNumber": record.sequence_number,
            "approximateArrivalOfFirstRecord": arrival,
            "approximateArrivalOfLastRecord": arrival,
            "batchSize": 1,
            "streamArn": record.event_source_arn,
        },
        "payload": {"Records": [plain(record.raw)]},
        "ddbstream": {
            "eventId": record.event_id,
            "route": failure.route,
            "errorType": type(failure.error).__qualname__,
            "errorMessage": str(failure.error),
        },
    }


def plain(value: Any) -> Any:
    """A wire value as Lambda's JSON has it: bytes as base64 text, times as epoch seconds."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        from binascii import b2a_base64

        return b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    inner = getattr(value, "value", None)  # boto3's Binary
    return plain(inner) if isinstance(inner, (bytes, bytearray)) else str(value)


def _arrival(record: StreamRecord[Any]) -> str | None:
    try:
        when = record.approximate_creation_datetime
    except DDBStreamError:  # it may be what is wrong with the record
        return None
    return None if when is None else when.isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(context: object, name: str) -> str | None:
    value = getattr(context, name, None)
    return value if isinstance(value, str) else None
