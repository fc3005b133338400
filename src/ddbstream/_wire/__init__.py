"""From payloads to records: recognise the form, then make one record from each entry.

One module a form: ``dynamodb`` (Lambda events, ``GetRecords`` pages, Pipes batches), ``kinesis``,
``envelopes`` (SQS, SNS, EventBridge), ``on_failure``, ``export``; ``text`` reads JSON;
``recognise`` distinguishes them. Only the first is loaded until another is met.

A payload that is no form at all is refused at once. A malformed record never hides the others:
`read` yields it as a `MalformedRecord` in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ddbstream._model import codec_for
from ddbstream._records import MalformedRecord, Origin, StreamRecord
from ddbstream._wire.dynamodb import records
from ddbstream.exceptions import PayloadError

if TYPE_CHECKING:
    from ddbstream._model import Codec, Registry
    from ddbstream._records import Change

__all__ = ["holds_records", "parse", "read", "read_with"]

T = TypeVar("T")


def read(payload: object, *, stream_arn: str | None = None) -> Iterator[StreamRecord[Any]]:
    """The records of a payload, in order, untyped; a malformed one as a `MalformedRecord`.

    Args:
        payload: Any form that `parse` takes, or an iterable of records already made.
        stream_arn: Where the records come from, for forms that do not say it themselves.

    Raises:
        PayloadError: At once, where the payload is no such form.
    """
    return read_with(payload, stream_arn, codec_for(None))


def read_with(
    payload: object, stream_arn: str | None, codec: Codec[Any]
) -> Iterator[StreamRecord[Any]]:
    """As `read`, the images read with a codec."""
    entries, at = payload, ""
    if type(payload) is dict:
        entries, at = payload.get("Records"), "Records"
        if stream_arn is None:
            # A tumbling window's event names the stream beside its records.
            stream_arn = payload.get("eventSourceARN")
    # The everyday forms: one look at the first entry distinguishes them from all others.
    if type(entries) is list and (
        not entries or (type(entries[0]) is dict and "dynamodb" in entries[0])
    ):
        return records(entries, Origin("dynamodb", stream_arn), codec, at, _read_other)
    from ddbstream._wire.recognise import records_of  # loads every other form

    return records_of(payload, Origin("dynamodb", stream_arn), codec, "")


def holds_records(payload: object) -> bool:
    """Whether a payload has a form of stream records, be they malformed; nothing is handled."""
    if type(payload) is dict and ("window" in payload or _says_dynamodb(payload.get("Records"))):
        return True  # of a table's stream, whatever is wrong with it
    try:
        read(payload)
    except PayloadError:
        return False
    return True


def _says_dynamodb(entries: object) -> bool:
    return isinstance(entries, list) and any(
        isinstance(entry, dict)
        and ("dynamodb" in entry or entry.get("eventSource") == "aws:dynamodb")
        for entry in entries
    )


def _read_other(
    entry: object, origin: Origin, codec: Codec[Any], where: str
) -> Iterator[StreamRecord[Any]]:
    from ddbstream._wire.recognise import unwrap  # loads every other form

    return unwrap(entry, origin, codec, where)


class _Parsed(Iterator["StreamRecord[Any]"]):
    """An iterator that raises in a malformed record's place, and can be asked for the next one."""

    __slots__ = ("_codec", "_records")

    def __init__(self, records: Iterator[StreamRecord[Any]], codec: Codec[Any]) -> None:
        self._records = records
        self._codec = codec

    def __next__(self) -> StreamRecord[Any]:
        record = next(self._records)
        if isinstance(record, MalformedRecord):
            raise record.error
        # A record made elsewhere may be read through another model.
        return record if record._codec is self._codec else record._with_codec(self._codec)


@overload
def parse(
    payload: object, model: None = None, *, registry: Registry | None = None
) -> Iterator[Change[dict[str, Any]]]: ...
@overload
def parse(
    payload: object, model: type[T], *, registry: Registry | None = None
) -> Iterator[Change[T]]: ...
def parse(
    payload: object, model: type[Any] | None = None, *, registry: Registry | None = None
) -> Iterator[Any]:
    """The stream records of a payload, in order, their images read as ``model`` on first use.

    Args:
        payload: A Lambda event, also of a tumbling window; a ``GetRecords`` page or its
            ``Records``; an EventBridge Pipes batch; Kinesis Data Streams for DynamoDB, as Lambda's
            event, as boto3's page or records, or as the bytes of one record; an on-failure message
            that carries its records; an SQS, SNS or EventBridge envelope around any of these; a
            line of an S3 export; a single record; JSON text of any of these, as ``str`` or bytes,
            one document or one a line.
        model: The class of the images; items are dicts without one.
        registry: A `ddbstream.models.Registry` to read the class with.

    Returns:
        An iterator. In the place of a malformed record its ``__next__`` raises; asked again, it
        goes on with the record behind.

    Raises:
        PayloadError: At once: the payload is none of these; the message says what it looks like.
        ModelDefinitionError: At once: the class can never work as a model.
        RecordError: While iterating: one record is malformed.
    """
    codec = codec_for(model, registry)
    return _Parsed(read_with(payload, None, codec), codec)
