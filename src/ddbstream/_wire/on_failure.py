"""On-failure documents: what Lambda, Pipes and ddbstream's hosts say of a batch that is given up.

An S3 destination gets the batch itself, as ``payload.Records``; SQS and SNS only its place in the
stream, for `ddbstream.replay` to read again. ``payload`` is a map in what AWS was recorded to
write, and text in what its documentation says; both are read.

Sources: `Lambda`_, `Pipes`_.

.. _Lambda: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
.. _Pipes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from ddbstream._records import Origin
from ddbstream._values.json_values import is_map
from ddbstream._values.times import aware_datetime, nanoseconds
from ddbstream.exceptions import PayloadError

if TYPE_CHECKING:
    from ddbstream.typing import WireRecord

__all__ = [
    "BATCH_INFO",
    "as_lambda_json",
    "batch_info",
    "failed_payload",
    "failure_details",
    "on_failure_document",
]

BATCH_INFO: Final = ("DDBStreamBatchInfo", "KinesisBatchInfo")
"""Where a message says which batch it means: from a DynamoDB stream, from a Kinesis stream."""


def batch_info(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an on-failure message says of its batch; ``None`` if this is no such message."""
    found = next((message[name] for name in BATCH_INFO if name in message), None)
    return found if is_map(found) else None


def failed_payload(message: Mapping[str, Any], origin: Origin, at: str) -> tuple[object, Origin]:
    """The batch that an on-failure message carries, and what it says of the batch's records.

    Raises:
        PayloadError: It carries none.
    """
    info = batch_info(message) or {}
    payload = message.get("payload")
    if payload is None:
        raise PayloadError(
            "no stream records here: an on-failure message without its records, which only names "
            "their place in the stream; read them again with ddbstream.replay",
            path=at or None,
        )
    form = origin.form if origin.envelope is not None else "on-failure"
    inside = Origin(form, origin.stream_arn, origin.item_identifier, origin.envelope)
    return payload, inside.with_stream(info.get("streamArn"))


def on_failure_document(  # noqa: PLR0913 - one for each fact of AWS's document
    records: Sequence[Mapping[str, Any] | WireRecord],
    *,
    stream_arn: str | None = None,
    shard_id: str | None = None,
    condition: str = "RetryAttemptsExhausted",
    invocations: int = 1,
    request_id: str | None = None,
    function_arn: str | None = None,
    function_version: str | None = None,
    function_error: str | None = "Unhandled",
    written_at: datetime | None = None,
    arrivals: tuple[datetime, datetime] | None = None,
    payload: bool = True,
) -> dict[str, Any]:
    """The document that Lambda sends to an on-failure destination about a batch.

    Everything in it is text, numbers, lists and maps. What is not known is null.

    Args:
        records: The batch: wire records, at least one.
        stream_arn: Of the stream; if not given, what the first record says.
        shard_id: Of the shard.
        condition: Why the batch was given up: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
        invocations: How often the batch was tried.
        request_id: Of the last invocation.
        function_arn: Of the function.
        function_version: Of the function.
        function_error: ``"Unhandled"``, or None where the function answered with item failures.
        written_at: When the document is written, aware; now if not given.
        arrivals: When the first and the last record arrived; if not given, what the records say.
        payload: Whether the records are in it, as for S3; SQS and SNS get their place alone.
    """
    first, last = records[0], records[-1]
    written_at = written_at or datetime.now(timezone.utc)
    arrived, arrived_last = arrivals or (_created(first), _created(last))
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": function_version,
            "functionError": function_error,
        },
        "version": "1.0",
        "timestamp": _iso(written_at, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": _change(first).get("SequenceNumber"),
            "endSequenceNumber": _change(last).get("SequenceNumber"),
            "approximateArrivalOfFirstRecord": _iso(arrived),
            "approximateArrivalOfLastRecord": _iso(arrived_last),
            "batchSize": len(records),
            "streamArn": stream_arn or first.get("eventSourceARN"),
        },
    }
    if payload:
        document["payload"] = {"Records": [as_lambda_json(record) for record in records]}
    return document


def failure_details(
    record: Mapping[str, Any], error: BaseException, route: str | None = None
) -> dict[str, Any]:
    """What ddbstream adds to its own documents, under ``ddbstream``: whose failure it was.

    Args:
        record: The wire record that failed.
        error: What was raised for it.
        route: The name of the handler that failed, if one did.
    """
    return {
        "eventId": record.get("eventID"),
        "route": route,
        "errorType": type(error).__qualname__,
        "errorMessage": _text_of(error),
    }


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own code; its record is put aside all the same
        return "<no text: its __str__ failed>"


def as_lambda_json(value: Any) -> Any:
    """A wire value as Lambda's JSON has it: bytes as base64 text, times as epoch seconds."""
    if isinstance(value, Mapping):
        return {str(name): as_lambda_json(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_lambda_json(inner) for inner in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    inner = getattr(value, "value", None)  # boto3's Binary
    return as_lambda_json(inner) if isinstance(inner, (bytes, bytearray)) else str(value)


def _change(record: Mapping[str, Any] | WireRecord) -> Mapping[str, Any]:
    change = record.get("dynamodb")
    return change if is_map(change) else {}


def _created(record: Mapping[str, Any] | WireRecord) -> datetime | None:
    change = _change(record)
    value = change.get("ApproximateCreationDateTime")
    try:
        precision = change.get("ApproximateCreationDateTimePrecision")
        return None if value is None else aware_datetime(nanoseconds(value, precision))
    except (ValueError, TypeError, ArithmeticError):  # it may be what is wrong with the record
        return None


def _iso(moment: datetime | None, timespec: str = "seconds") -> str | None:
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec=timespec).replace("+00:00", "Z")
