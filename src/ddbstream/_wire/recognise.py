"""Which form a payload, or one entry of it, has: its names and types alone decide.

Rules:

* A payload in which nothing looks like a stream record, or like something that carries one, is
  refused at once.
* In a list where some entry is recognised, one that is not becomes a malformed record; so does a
  message in a list whose contents are refused.
* Names and types decide. Values do not, so that a record with a strange value is a malformed record
  and not an unknown payload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ddbstream._records import EVENTS, MalformedRecord, Origin, StreamRecord
from ddbstream._values.json_values import is_map, text_of
from ddbstream._wire.dynamodb import malformed, record, records
from ddbstream._wire.envelopes import contents
from ddbstream._wire.export import export_record, is_export_line
from ddbstream._wire.kinesis import everyday_record, is_kinesis, kinesis_record
from ddbstream._wire.on_failure import batch_info, failed_payload
from ddbstream._wire.pages import Page, Unmade
from ddbstream._wire.text import load
from ddbstream._wire.unread_text import unread_payload
from ddbstream._wire.unrecognised import looks_like
from ddbstream.exceptions import PayloadError, RecordError

if TYPE_CHECKING:
    from ddbstream._model import Codec

    _Reader = Callable[[Mapping[str, Any], Origin, Codec[Any], str], Iterator[StreamRecord[Any]]]

__all__ = ["records_of", "unwrap"]

_TEXT: Final = (str, bytes, bytearray, memoryview)
_MOST_NESTED: Final = 64  # names in the path of a payload; three messages of AWS's have six


def records_of(
    payload: object, origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    """The records of a payload, or of what a message held.

    Args:
        payload: Anything.
        origin: What is known of its records so far.
        codec: Reads the images.
        at: Where the payload itself was found, if inside another.

    Raises:
        PayloadError: At once: no form.
    """
    if at.count(".") > _MOST_NESTED:
        raise _refused("messages nested in messages too deeply", "")
    if isinstance(payload, _TEXT):
        unread = unread_payload(payload)
        if isinstance(unread, Page):
            return unread.records(origin, codec)
        if unread is not None:
            return iter((unread.made(origin, codec),))
        try:
            payload = load(payload)
        except PayloadError as error:
            raise error.located(at) from None
        if not isinstance(payload, (Mapping, list)):
            raise _refused(f"JSON text of {looks_like(payload)}", at)
    if is_map(payload):
        reader = _reader_of(payload)
        if reader is None:
            raise _refused(looks_like(payload), at)
        return reader(payload, origin, codec, at)
    if isinstance(payload, StreamRecord):
        return iter((payload,))
    if isinstance(payload, Unmade):
        return payload.records(origin, codec)
    if not isinstance(payload, Iterable):
        raise _refused(looks_like(payload), at)
    return records(_checked(payload, at), origin, codec, at, unwrap)


def unwrap(
    entry: object, origin: Origin, codec: Codec[Any], where: str
) -> Iterator[StreamRecord[Any]]:
    """The records that one entry of a list is, or carries; a malformed one if it is none.

    Args:
        entry: What the list held, not recognised as an everyday record.
        origin: What is known of the list's records.
        codec: Reads the images.
        where: The entry's place in the payload: ``Records[3]``.
    """
    if isinstance(entry, (str, bytes)) and not entry.strip():
        return iter(())  # A blank line among lines of JSON.
    try:
        if is_map(entry):
            reader = _reader_of(entry)
            if reader is not None:
                return reader(entry, origin, codec, where)
        elif isinstance(entry, _TEXT):
            return records_of(entry, origin, codec, where)
    except PayloadError as error:
        return iter((_unreadable(entry, origin, error),))
    return iter((malformed(entry, origin, where),))


def _unreadable(entry: object, origin: Origin, error: PayloadError) -> MalformedRecord:
    """What stands in the place of a message whose contents were refused."""
    message: Mapping[str, Any] = entry if is_map(entry) else {}
    found = contents(message, origin)
    if found is not None:
        origin = found.origin
    fault = RecordError(error.problem, path=error.path, event_id=text_of(origin.item_identifier))
    return MalformedRecord(message, origin, fault)


def _reader_of(mapping: Mapping[str, Any]) -> _Reader | None:
    return next((reader for is_form, reader in _FORMS if is_form(mapping)), None)


def _read_one(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    return iter((record(entry, origin, codec, at),))


def _read_kinesis(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    return iter((kinesis_record(entry, origin, codec, at),))


def _read_export(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any], _at: str
) -> Iterator[StreamRecord[Any]]:
    if origin.envelope is None:
        origin = Origin("export", origin.stream_arn)
    return iter((export_record(entry, origin, codec),))


def _read_message(
    message: Mapping[str, Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    found = contents(message, origin)
    assert found is not None  # It is why this reader was chosen.
    return records_of(found.payload, found.origin, codec, _join(at, found.path))


def _read_failure(
    message: Mapping[str, Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    payload, inside = failed_payload(message, origin, at)
    return records_of(payload, inside, codec, _join(at, "payload"))


def _read_list(
    payload: Mapping[str, Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    name = "Records" if "Records" in payload else "Messages"
    entries = payload[name]
    if isinstance(entries, (Mapping, *_TEXT)) or not isinstance(entries, Iterable):
        raise _refused(f"a mapping whose {name} is {looks_like(entries)}", at)
    # A tumbling window's event names the stream once more beside its records.
    origin = origin.with_stream(payload.get("eventSourceARN"))
    at = _join(at, name)
    if at.count(".") > _MOST_NESTED:
        raise _refused("messages nested in messages too deeply", "")
    if type(entries) is list and entries and type(entries[0]) is dict and "kinesis" in entries[0]:
        return _kinesis_records(entries, origin, codec, at)
    return records(_checked(entries, at), origin, codec, at, unwrap)


def _kinesis_records(
    entries: list[Any], origin: Origin, codec: Codec[Any], at: str
) -> Iterator[StreamRecord[Any]]:
    """As `records`, for Lambda's lists of Kinesis records: without a look at every form."""
    for index, entry in enumerate(entries):
        if type(entry) is dict and "kinesis" in entry and entry.keys().isdisjoint(_BEFORE_KINESIS):
            made = everyday_record(entry, origin, codec)
            yield made or kinesis_record(entry, origin, codec, f"{at}[{index}]")
        else:
            yield from records((entry,), origin, codec, at, unwrap, index)


_BEFORE_KINESIS: Final = frozenset({"dynamodb", "Records", "Messages"})  # what `_FORMS` asks first

_FORMS: Final[tuple[tuple[Callable[[Mapping[str, Any]], bool], _Reader], ...]] = (
    (lambda found: "dynamodb" in found, _read_one),
    (lambda found: "Records" in found or "Messages" in found, _read_list),
    (is_kinesis, _read_kinesis),
    (lambda found: batch_info(found) is not None, _read_failure),
    (is_export_line, _read_export),
    (lambda found: contents(found, Origin("")) is not None, _read_message),
)


def _checked(entries: Iterable[Any], at: str) -> Iterable[Any]:
    """The entries, unless all of them can be seen to be something else.

    Raises:
        PayloadError: There are entries, and none is or carries a stream record.
    """
    if isinstance(entries, (list, tuple)) and entries and not any(map(_is_likely, entries)):
        raise _refused(f"a list of things like {looks_like(entries[0])}", at)
    return entries


def _is_likely(entry: object) -> bool:
    if not is_map(entry):
        return isinstance(entry, (StreamRecord, *_TEXT))
    name = entry.get("eventName")
    return (
        (isinstance(name, str) and name in EVENTS)
        or "eventID" in entry
        or _reader_of(entry) is not None
    )


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _refused(what: str, at: str) -> PayloadError:
    return PayloadError(f"no stream records here: {what}", path=at or None)
