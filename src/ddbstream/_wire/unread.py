"""Records that stay JSON text until somebody reads them. Needs msgspec.

Theory of operation

`json.loads` of a page of 1,000 records makes 100,000 dicts, and with the garbage collector on it
spends most of its time in collections of them. Here a page is read once, in C, into two structs a
record. The keys, images and other maps in these are slices of the page's text, and are read when
they are asked for: by `Mapping`'s methods as dicts, or by a model straight from the text.

What msgspec refuses, or what has another shape than AWS sends, is not read here: the functions
below raise `ValueError`, and their callers read it with `json`, as they do without msgspec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ddbstream._records import EVENTS
from ddbstream._values.json_values import Unread
from ddbstream._wire.pages import Page
from ddbstream._wire.text import loads
from ddbstream._wire.unread_image import UnreadImage, find_text, is_map_text, read

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._records import Origin, StreamRecord

__all__ = [
    "ChangeMembers",
    "RecordMembers",
    "UnreadChange",
    "UnreadPage",
    "UnreadRecord",
    "checked",
    "decoded_base64",
    "record_of_base64",
    "unread_answer",
    "unread_record",
]

# ruff: noqa: N815 - names as on the wire
# Names as on the wire, so that a member is found by its name. Members that are not here are seldom
# asked for: they are looked up in the text.


class ChangeMembers(Struct, gc=False):
    """What is read of a record's ``dynamodb`` at once."""

    ApproximateCreationDateTime: Raw | UnsetType = UNSET
    ApproximateCreationDateTimePrecision: str | UnsetType = UNSET
    Keys: Raw | UnsetType = UNSET
    NewImage: Raw | UnsetType = UNSET
    OldImage: Raw | UnsetType = UNSET
    SequenceNumber: str | UnsetType = UNSET
    SizeBytes: int | UnsetType = UNSET


class RecordMembers(Struct, gc=False):
    """What is read of a record at once."""

    eventName: Literal["INSERT", "MODIFY", "REMOVE"]
    dynamodb: ChangeMembers
    eventID: str | UnsetType = UNSET
    eventSourceARN: str | UnsetType = UNSET
    tableName: str | UnsetType = UNSET
    userIdentity: Raw | UnsetType = UNSET


class _Answer(Struct, gc=False, forbid_unknown_fields=True):
    Records: list[RecordMembers]
    NextShardIterator: Raw | UnsetType = UNSET


class _Slices(Struct, gc=False):
    Records: list[Raw]


T = TypeVar("T")

_ENTRY: Final = frozenset(RecordMembers.__struct_fields__) - {"dynamodb"}
_CHANGE: Final = frozenset(ChangeMembers.__struct_fields__)

_MOST_DIGITS: Final = 20  # of a time that `int` reads at once

_read_answer = msgspec.json.Decoder(_Answer).decode
_read_entry = msgspec.json.Decoder(RecordMembers).decode
_read_slices = msgspec.json.Decoder(_Slices).decode


class UnreadChange(Unread, Mapping[str, Any]):
    """The ``dynamodb`` of an unread record."""

    __slots__ = ("_members", "_read", "_record")

    def __init__(self, record: UnreadRecord, members: ChangeMembers) -> None:
        self._record = record
        self._members = members
        # What was read stays with the record, and not with the page, which outlives it.
        self._read: dict[str, Any] | None = None

    def parsed(self) -> dict[str, Any]:
        change: dict[str, Any] = self._record.parsed()["dynamodb"]
        return change

    def unread(self, name: str) -> Any:
        text = getattr(self._members, name) if name in _CHANGE else None
        return text if type(text) is Raw else None

    def view(self, name: str) -> Any:
        text = getattr(self._members, name, None)
        is_read = self._read is not None and name in self._read
        if is_read or type(text) is not Raw or not is_map_text(text):
            return self.get(name)
        return UnreadImage(text)

    def text(self, attribute: str) -> str | None:
        members = self._members
        try:
            found = find_text(members.Keys, attribute)
            if found is None:
                found = find_text(members.NewImage, attribute)
            if found is None:
                found = find_text(members.OldImage, attribute)
        except (ValueError, TypeError, RecursionError):
            return None
        return found

    def __getitem__(self, name: str) -> Any:
        if name not in _CHANGE:
            return self.parsed()[name]
        value = getattr(self._members, name)
        if value is UNSET:
            raise KeyError(name)
        if type(value) is not Raw:
            return value
        if self._read is None:
            self._read = {}
        elif name in self._read:
            return self._read[name]
        value = _number(value) if name == "ApproximateCreationDateTime" else read(value)
        self._read[name] = value
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def _number(text: Raw) -> Any:
    """A creation time, with all of its digits."""
    digits = bytes(text)
    return int(digits) if digits.isdigit() and len(digits) < _MOST_DIGITS else loads(text)


class UnreadRecord(Unread, Mapping[str, Any]):
    """A record's wire mapping.

    Args:
        texts: Where the record's whole text is found.
        index: At which place.
        entry: What was read of it.
    """

    __slots__ = ("_entry", "_index", "_parsed", "_texts")

    def __init__(self, texts: _Texts | Sequence[bytes], index: int, entry: RecordMembers) -> None:
        self._texts = texts
        self._index = index
        self._entry = entry
        self._parsed: dict[str, Any] | None = None

    @property
    def change(self) -> UnreadChange:
        """Its ``dynamodb``. Not kept: two objects that know each other wait for the collector."""
        return UnreadChange(self, self._entry.dynamodb)

    def parsed(self) -> dict[str, Any]:
        parsed = self._parsed
        if parsed is None:
            parsed = self._parsed = loads(self._texts[self._index])
        return parsed

    def __getitem__(self, name: str) -> Any:
        if name == "dynamodb":
            return self.change
        if name not in _ENTRY:
            return self.parsed()[name]
        value = getattr(self._entry, name)
        if value is UNSET:
            raise KeyError(name)
        return read(value) if type(value) is Raw else value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def made(self, origin: Origin, codec: Codec[Any]) -> StreamRecord[Any]:
        """The record."""
        return EVENTS[self._entry.eventName](self, self.change, origin, codec)


class _Texts:
    """The text of each record of a page, told apart when the first is asked for."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._slices: list[Raw] | None = None

    def __getitem__(self, index: int) -> Raw:
        if self._slices is None:
            self._slices = _read_slices(self.body).Records
        return self._slices[index]


class UnreadPage(Page):
    """The records of a ``GetRecords`` body: to a reader a list of dicts."""

    __slots__ = ("_entries", "_first", "_texts")

    __hash__ = None  # type: ignore[assignment] # it equals a list

    def __init__(self, texts: _Texts, entries: list[RecordMembers], first: int) -> None:
        self._texts = texts
        self._entries = entries
        self._first = first

    @property
    def size(self) -> int:
        return len(self._texts.body)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, _, step = index.indices(len(self._entries))
            if step == 1:
                return UnreadPage(self._texts, self._entries[index], self._first + start)
            return [self[each] for each in range(len(self._entries))[index]]
        return loads(self._texts[self._first + range(len(self._entries))[index]])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, UnreadPage)):
            return list(self) == list(other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"<{len(self._entries)} unread records>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (list(self),))

    def sequence_numbers(self) -> list[str | None]:
        numbers = (entry.dynamodb.SequenceNumber for entry in self._entries)
        return [number if isinstance(number, str) else None for number in numbers]

    def view(self, index: int) -> UnreadRecord:
        place = range(len(self._entries))[index]
        return UnreadRecord(self._texts, self._first + place, self._entries[place])

    def records(self, origin: Origin, codec: Codec[Any]) -> Iterator[StreamRecord[Any]]:
        texts, place = self._texts, self._first
        for entry in self._entries:
            found = UnreadRecord(texts, place, entry)
            change = UnreadChange(found, entry.dynamodb)
            yield EVENTS[entry.eventName](found, change, origin, codec)
            place += 1


def unread_answer(body: bytes) -> tuple[UnreadPage, bytes]:
    """The records of a ``GetRecords`` body, and the body without them.

    Raises:
        ValueError: It is no such body, or one with something unusual.
    """
    answer = checked(_read_answer, body)
    rest = b"{}"
    if answer.NextShardIterator is not UNSET:
        rest = b'{"NextShardIterator":%b}' % bytes(answer.NextShardIterator)
    return UnreadPage(_Texts(body), answer.Records, 0), rest


def decoded_base64(text: str) -> bytes | None:
    """The bytes that base64 text stands for, in half the time of `binascii`.

    None if it is anything but the standard alphabet with its padding, of which `binascii` reads
    some.
    """
    try:
        return msgspec.convert(text, bytes)
    except ValueError:  # msgspec's own, or text with half of a surrogate pair
        return None


def unread_record(text: bytes) -> UnreadRecord:
    """The record that a JSON document is: of Kinesis, of a queue.

    Raises:
        ValueError: It is none, or one with something unusual.
    """
    return UnreadRecord((text,), 0, checked(_read_entry, text))


def checked(decode: Callable[[bytes], T], text: bytes) -> T:
    """What a decoder of msgspec's makes of a text; ValueError if it refuses it, or is no UTF-8."""
    # msgspec checks the text that it passes over, but not that it is UTF-8.
    if not text.isascii():
        text.decode()
    try:
        return decode(text)
    except RecursionError:
        raise ValueError from None


def record_of_base64(text: str, origin: Origin, codec: Codec[Any]) -> StreamRecord[Any]:
    """The record that a JSON document in base64 is.

    Raises:
        ValueError: As `unread_record`, or it is no base64 as AWS writes it.
    """
    data = msgspec.convert(text, bytes)
    entry = checked(_read_entry, data)
    record = UnreadRecord((data,), 0, entry)
    return EVENTS[entry.eventName](record, UnreadChange(record, entry.dynamodb), origin, codec)
