"""Reading parts of JSON text: single members of a map, and images of which they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, field

from ddbstream._values.json_values import Unread
from ddbstream._wire.text import loads

__all__ = ["UnreadImage", "find", "find_text", "is_map_text", "read"]

_read_any = msgspec.json.Decoder().decode

_BRACE: Final = ord("{")

# Names come from the program, not from data; the bound is for one that makes them up without end.
_MOST_NAMES: Final = 1_000
_finders: dict[str, Callable[[Any], Any]] = {}
_text_finders: dict[str, Callable[[Any], Any]] = {}


class _Text(Struct, gc=False):
    S: str


class _Member(NamedTuple):
    value: Any


def find(text: Any, name: str) -> Any:
    """The text of one member of the map that ``text`` is; None if it has no such member."""
    find = _finders.get(name)
    if find is None:
        find = _kept(_finders, name, _finder(name, Raw))
    return find(text).value


def find_text(text: Any, name: str) -> str | None:
    """The ``S`` of one attribute in the map that ``text`` is; None if there is no such attribute.

    Raises:
        ValueError: Something is unusual: `read` says what is there.
        TypeError: As ValueError.
    """
    if text is UNSET:
        return None
    find = _text_finders.get(name)
    if find is None:
        find = _kept(_text_finders, name, _finder(name, _Text))
    found: _Text | None = find(text).value
    return None if found is None else found.S


def _kept(finders: dict[str, Any], name: str, finder: Any) -> Callable[[Any], Any]:
    if len(finders) >= _MOST_NAMES:
        finders.clear()
    finders[name] = finder
    return finder  # type: ignore[no-any-return]


def _finder(name: str, kind: Any) -> Callable[[Any], Any]:
    """Reads a map into something whose ``value`` is a member."""
    member = field(name=name, default=None)
    try:
        one: Any = msgspec.defstruct("One", [("value", kind, member)], gc=False)
    except ValueError:  # a name with a quote, a backslash, or a control character
        decode = msgspec.json.Decoder(dict[str, kind]).decode
        return lambda text: _Member(decode(text).get(name))
    return msgspec.json.Decoder(one).decode


def read(text: Any) -> Any:
    """The value of a part of a document."""
    try:
        return _read_any(text)
    except (msgspec.DecodeError, RecursionError):
        return loads(text)


class UnreadImage(Unread, Mapping[str, Any]):
    """A map of attribute values: an image, of which single attributes are read."""

    __slots__ = ("_parsed", "_text")

    def __init__(self, text: Raw) -> None:
        self._text = text
        self._parsed: dict[str, Any] | None = None

    def parsed(self) -> dict[str, Any]:
        parsed = self._parsed
        if parsed is None:
            parsed = self._parsed = read(self._text)
        return parsed

    def unread(self, name: str) -> Any:
        return find(self._text, name)

    def differing(self, other: Unread, name: str, absent: Any) -> tuple[Any, Any] | None:
        if self._parsed is not None or type(other) is not UnreadImage or other._parsed is not None:
            return super().differing(other, name, absent)
        ours, theirs = find(self._text, name), find(other._text, name)
        if ours == theirs:
            return None
        return (
            absent if ours is None else read(ours),
            absent if theirs is None else read(theirs),
        )

    def __getitem__(self, name: str) -> Any:
        if self._parsed is not None:
            return self._parsed[name]
        text = find(self._text, name)
        if text is None:
            raise KeyError(name)
        return read(text)

    def get(self, name: str, default: Any = None) -> Any:
        if self._parsed is not None:
            return self._parsed.get(name, default)
        text = find(self._text, name)
        return default if text is None else read(text)


def is_map_text(text: Any) -> bool:
    """Whether the value of JSON text is a map."""
    return memoryview(text)[0] == _BRACE
