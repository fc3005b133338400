"""On-failure messages: found in whatever carried them, and read.

Sources: `Lambda destinations`_ (SQS, SNS, S3), `Pipes dead letters`_, `S3 notifications`_.

.. _Lambda destinations: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
.. _Pipes dead letters: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
.. _S3 notifications: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from ddbstream._records import Origin
from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function
from ddbstream._values.json_values import is_map
from ddbstream._values.times import aware_datetime, nanoseconds
from ddbstream._wire.envelopes import contents
from ddbstream._wire.on_failure import batch_info
from ddbstream._wire.text import load
from ddbstream._wire.unrecognised import looks_like
from ddbstream.exceptions import DDBStreamError, PayloadError, PollerArgumentError
from ddbstream.poller._client import failure_of

__all__ = ["FailedBatch", "Fetch", "Unreadable", "failed_batches", "sequence_order"]

Fetch = Callable[[str, str], bytes]
"""Gets an S3 object: bucket and key to its bytes."""

_TEXT: Final = (str, bytes, bytearray, memoryview)
_MOST_NESTED: Final = 32  # messages in messages; those of AWS are three
_LONGEST_NUMBER: Final = 40  # digits of a sequence number, as the Streams API has it
_LARGEST_BATCH: Final = 10_000  # Lambda's


@dataclass(frozen=True)
class FailedBatch:
    """What an on-failure message says of the batch that was given up.

    Attributes:
        stream_arn: The stream.
        shard_id: The shard.
        start_sequence_number: Of the batch's first record.
        end_sequence_number: Of its last.
        size: How many records it had; ``None`` if the message does not say.
        first_arrival: When its first record was made, to the second.
        last_arrival: When its last record was made.
        condition: Why it was given up: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
        consumer: The ARN of the function or pipe that gave it up.
        function_error: ``Unhandled``, or ``None`` where the function had reported single records.
        identifier: What a batch response calls the message: its SQS message id.
        payload: The batch itself, if the message carries it.
    """

    stream_arn: str
    shard_id: str
    start_sequence_number: str
    end_sequence_number: str
    size: int | None = None
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    condition: str | None = None
    consumer: str | None = None
    function_error: str | None = None
    identifier: str | None = None
    payload: Any = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The same for each message about this batch, and for no other batch."""
        return (
            f"{self.stream_arn} {self.shard_id} "
            f"{self.start_sequence_number} {self.end_sequence_number}"
        )


class Unreadable(NamedTuple):
    """Something in the place of an on-failure message.

    Attributes:
        error: Why it is not an on-failure message; never quotes what was sent.
        identifier: What a batch response calls the message.
    """

    error: DDBStreamError
    identifier: str | None


def failed_batches(
    source: object, *, fetch: Fetch | None = None
) -> Iterator[FailedBatch | Unreadable]:
    """The batches that on-failure messages name; an unreadable message does not hide others.

    Args:
        source: A message; a list of them; JSON text of them, one document or one a line; the path
            of a file of that; a Lambda event or boto3 page of an SQS queue, an SNS notification, or
            an S3 notification about objects that hold them.
        fetch: Gets the objects that S3 notifications name; without it they are unreadable.

    Raises:
        PollerArgumentError: ``fetch`` is no function, or a generator.
    """
    if fetch is not None:
        check_function(fetch, "fetch=", PollerArgumentError, arguments=2, awaited=True)
    return _found(source, Origin(""), fetch)


def _found(
    source: object, origin: Origin, fetch: Fetch | None, depth: int = 0
) -> Iterator[FailedBatch | Unreadable]:
    if depth > _MOST_NESTED:
        yield _unreadable("messages nested in messages too deeply", origin)
        return
    try:
        inside = _opened(source, fetch)
    except DDBStreamError as error:
        yield Unreadable(error, origin.item_identifier)
        return
    if not is_map(inside):
        if isinstance(inside, Iterable):
            for entry in inside:
                if not (isinstance(entry, (str, bytes)) and not entry.strip()):
                    yield from _found(entry, origin, fetch, depth + 1)
            return
        yield _unreadable(looks_like(inside), origin)
        return
    info = batch_info(inside)
    message = contents(inside, origin)
    if info is not None:
        yield _batch(inside, info, origin)
    elif message is not None:
        yield from _found(message.payload, message.origin, fetch, depth + 1)
    elif "Records" in inside or "Messages" in inside:
        listed = inside.get("Records", inside.get("Messages"))
        yield from _found(listed, origin, fetch, depth + 1)
    elif "dynamodb" in inside or "kinesis" in inside:
        yield _unreadable("stream records themselves; a router's dispatch takes them", origin)
    else:
        yield _unreadable(looks_like(inside), origin)


def _opened(source: object, fetch: Fetch | None) -> object:
    if isinstance(source, PathLike):
        return load(Path(source).read_bytes())
    if isinstance(source, _TEXT):
        return load(source)
    if is_map(source) and fetch is not None and is_map(source.get("s3")):
        return load(_fetched(source["s3"], fetch))
    return source


def _fetched(named: Mapping[str, Any], fetch: Fetch) -> bytes:
    bucket, entry = named.get("bucket"), named.get("object")
    name = bucket.get("name") if is_map(bucket) else None
    key = entry.get("key") if is_map(entry) else None
    if not isinstance(name, str) or not isinstance(key, str):
        raise PayloadError("no on-failure message here: an S3 notification that names no object")
    try:
        # Keys come encoded as in a query string: a space is a plus sign.
        data: Any = finish(fetch(name, unquote_plus(key)))
        return bytes(data)
    except Exception as error:  # noqa: BLE001 - one object must not keep others from being read
        code = failure_of(error).code
    raise PayloadError(f"an object with an on-failure message cannot be read: {code}")


def _unreadable(what: str, origin: Origin) -> Unreadable:
    error = PayloadError(f"no on-failure message here: {what}", event_id=origin.item_identifier)
    return Unreadable(error, origin.item_identifier)


def _batch(
    message: Mapping[str, Any], info: Mapping[str, Any], origin: Origin
) -> FailedBatch | Unreadable:
    info = _completed(message, info)
    needed = ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")
    missing = [name for name in needed if not isinstance(info.get(name), str)]
    payload = message.get("payload")
    if "KinesisBatchInfo" in message and payload is None:
        return _unreadable(
            "a batch of a Kinesis stream without its records, which Kinesis keeps", origin
        )
    if missing:
        return _unreadable(f"an on-failure message without {', '.join(missing)}", origin)
    first, last = (sequence_order(info[name]) for name in needed[2:])
    if payload is None and (first is None or last is None):
        return _unreadable("an on-failure message whose sequence numbers are no numbers", origin)
    if payload is None and first is not None and last is not None and first > last:
        return _unreadable("an on-failure message whose batch ends before it starts", origin)
    context = message.get("requestContext", message.get("context"))
    context = context if is_map(context) else {}
    response = message.get("responseContext")
    size = info.get("batchSize")
    return FailedBatch(
        stream_arn=info["streamArn"],
        shard_id=info["shardId"],
        start_sequence_number=info["startSequenceNumber"],
        end_sequence_number=info["endSequenceNumber"],
        size=size if type(size) is int and 0 <= size <= _LARGEST_BATCH else None,
        first_arrival=_time(info.get("approximateArrivalOfFirstRecord")),
        last_arrival=_time(info.get("approximateArrivalOfLastRecord")),
        condition=context.get("condition"),
        consumer=context.get("functionArn", context.get("partnerResourceArn")),
        function_error=response.get("functionError") if is_map(response) else None,
        identifier=origin.item_identifier,
        payload=payload,
    )


def _completed(message: Mapping[str, Any], info: Mapping[str, Any]) -> Mapping[str, Any]:
    """What says where a batch was, completed where the batch itself is in the message.

    A router's dead letter has what its host knew: Lambda does not tell a function the shard, a page
    of ``GetRecords`` not the stream, and a record out of Kinesis has no sequence number. Its event
    id then keeps it apart from other letters.
    """
    about = message.get("ddbstream")
    if message.get("payload") is None or not is_map(about):
        return info
    number = about.get("eventId")
    known = {name: value for name, value in info.items() if value is not None}
    places = {"streamArn": "", "shardId": ""}
    return {**places, "startSequenceNumber": number, "endSequenceNumber": number, **known}


def sequence_order(number: str) -> int | None:
    """A sequence number as a number; None if it is none."""
    plain = number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER
    return int(number) if plain else None


def _time(value: object) -> datetime | None:
    try:
        return aware_datetime(nanoseconds(value))
    except (ValueError, TypeError, ArithmeticError):
        return None
