"""From payloads to records: recognise the form, then make one record from each entry.

A payload that is no form at all is refused at once. A malformed record never hides the others: `read`
yields it as a `MalformedRecord` in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ddbstream._model import codec_for
from ddbstream._records import Insert, MalformedRecord, Modify, Origin, Remove, StreamRecord
from ddbstream.exceptions import PayloadError, RecordError

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._records import Change

__all__ = ["parse", "read"]

T = TypeVar("T")

_EVENTS: Mapping[str, type[StreamRecord[Any]]] = {
    "INSERT": Insert,
    "MODIFY": Modify,
    "REMOVE": Remove,
}


def read(payload: object, *, stream_arn: str | None = None) -> Iterator[StreamRecord[Any]]:
    """The records of a payload, in order, untyped; a malformed one as a `MalformedRecord`.

    Args:
        payload: A Lambda event, a ``GetRecords`` page, or an iterable of records (wire or made).
        stream_arn: Where the records come from, for forms that do not say it themselves.

    Raises:
        PayloadError: At once, where the payload is none of these.
    """
    return _records(_entries(payload), Origin("stream", stream_arn), codec_for(None))


def _entries(payload: object) -> Iterable[object]:
    if isinstance(payload, Mapping):
        entries = payload.get("Records")
        if entries is None:
            if "dynamodb" in payload:
                return (payload,)
            raise PayloadError(f"no stream records here: {_looks_like(payload)}")
        payload = entries
    if isinstance(payload, (str, bytes)) or not isinstance(payload, Iterable):
        raise PayloadError(f"no stream records here: {_looks_like(payload)}")
    return payload


def _looks_like(payload: object) -> str:
    if isinstance(payload, Mapping):
        names = ", ".join(sorted(str(name) for name in payload)[:8])
        return f"a mapping with the keys {names}" if names else "an empty mapping"
    return f"a {type(payload).__name__}"


def _records(
    entries: Iterable[object], origin: Origin, codec: Codec[Any]
) -> Iterator[StreamRecord[Any]]:
    for index, raw in enumerate(entries):
        if isinstance(raw, StreamRecord):
            yield raw
            continue
        try:
            cls = _EVENTS[raw["eventName"]]  # type: ignore[index]
            change = raw["dynamodb"]  # type: ignore[index]
        except (KeyError, TypeError, IndexError):
            yield _malformed(raw, origin, index)
            continue
        if isinstance(change, Mapping):
            yield cls(raw, change, origin, codec)  # type: ignore[arg-type]
        else:
            yield _malformed(raw, origin, index)


def _malformed(raw: object, origin: Origin, index: int) -> MalformedRecord:
    where = f"Records[{index}]"
    if not isinstance(raw, Mapping):
        fault = RecordError(path=where, expected="a map", found=type(raw).__name__)
        return MalformedRecord({}, origin, fault)
    if not isinstance(raw.get("dynamodb"), Mapping):
        found = type(raw["dynamodb"]).__name__ if "dynamodb" in raw else "nothing"
        fault = RecordError(path=f"{where}.dynamodb", expected="a map", found=found)
    else:
        fault = RecordError(
            path=f"{where}.eventName",
            expected="INSERT, MODIFY or REMOVE",
            found="something else" if "eventName" in raw else "nothing",
        )
    return MalformedRecord(raw, origin, fault)


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
        return record._with_codec(self._codec)


@overload
def parse(payload: object) -> Iterator[Change[dict[str, Any]]]: ...
@overload
def parse(payload: object, model: type[T]) -> Iterator[Change[T]]: ...
@overload
def parse(payload: object, model: None) -> Iterator[Change[dict[str, Any]]]: ...
def parse(payload: object, model: type[Any] | None = None) -> Iterator[Any]:
    """The stream records of a payload, in order, their images read as ``model`` on first use.

    Args:
        payload: A Lambda event, a ``GetRecords`` page, or an iterable of wire records.
        model: The class of the images; items are dicts without one.

    Returns:
        An iterator. In the place of a malformed record its ``__next__`` raises; asked again, it goes on
        with the record behind.

    Raises:
        PayloadError: At once: nothing in the payload looks like stream records.
        ModelDefinitionError: At once: the class can never work as a model.
        RecordError: While iterating: one record is malformed.
    """
    return _Parsed(read(payload), codec_for(model))
