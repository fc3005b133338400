"""JSON text, whatever it came as: a document, or several on a line each; with a BOM or without."""

from __future__ import annotations

import json
from typing import Any, Final

from ddbstream.exceptions import PayloadError

__all__ = ["DECODER", "load", "loads"]


class Number(float):
    """A number that still has all the digits of its text, as its `repr`.

    ``1.635734407123456789E9`` has more of them than a float keeps, and it is a creation time.
    """

    __slots__ = ("_text",)

    _text: str

    def __new__(cls, text: str) -> Number:
        self = super().__new__(cls, text)
        self._text = text
        return self

    def __repr__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[type[Number], tuple[str]]:
        return Number, (self._text,)


Number.__name__ = "float"  # which is what an error should call it


def _whole(text: str) -> int | Number:
    try:
        return int(text)
    except ValueError:  # Python reads no integer of more than 4,300 digits
        return Number(text)


def _fraction(text: str) -> float:
    value = float(text)
    return value if repr(value) == text else Number(text)


DECODER: Final = json.JSONDecoder(parse_float=_fraction, parse_int=_whole)
"""Reads JSON with all digits of its numbers, however many."""


def loads(text: Any) -> Any:
    """The value of one JSON document in UTF-8, in bytes of any kind; raises ValueError."""
    return DECODER.decode(str(text, "utf-8"))


def load(text: str | bytes | bytearray | memoryview) -> Any:
    """The value of a JSON document, or the lines of JSON text that has one document a line.

    Raises:
        PayloadError: It is not JSON; the message says where, and never what was there.
    """
    # Raised outside every `except`: the decoder's own error holds the whole document.
    text = text if isinstance(text, str) else _decoded(bytes(text))
    text = text.removeprefix("\ufeff")
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        several = error.msg == "Extra data" and "\n" in text
        several = several or _begins_again(text)
        ended = error.pos >= len(text.rstrip())
    except RecursionError:
        at, several, ended = "some depth", _begins_again(text), False
    if several:
        # Not splitlines(): a JSON string may hold other line separators.
        return text.split("\n")
    if not text.strip():
        raise PayloadError("no stream records here: empty text")
    if ended:
        raise PayloadError(f"no stream records here: JSON text that breaks off at {at}")
    if text.lstrip()[:1] not in {"{", "["}:
        raise PayloadError("no stream records here: text that is not JSON")
    raise PayloadError(f"no stream records here: text that stops being JSON at {at}")


def _begins_again(text: str) -> bool:
    """Whether a line behind the first can begin a document: then the first may be the bad one."""
    return "\n{" in text or "\n[" in text


def _decoded(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        raise PayloadError("no stream records here: gzip, to be decompressed first")
    # The Kinesis Producer Library's aggregation: DynamoDB does not use it, other producers do.
    # https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
    if data[:4] == b"\xf3\x89\x9a\xc2":
        raise PayloadError("no stream records here: a Kinesis record aggregated by the KPL")
    # JSON in UTF-16 or UTF-32 begins with a BOM or has zeros among its first bytes.
    usual = data[:1] in {b"{", b"["} and data[1:2] != b"\x00"
    try:
        return data.decode("utf-8" if usual else json.detect_encoding(data))
    except UnicodeDecodeError:
        pass
    raise PayloadError("no stream records here: bytes that are no text")
