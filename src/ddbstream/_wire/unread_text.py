"""Text that is not read yet, where that is possible: with msgspec, and if it is what AWS sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._records import Origin, StreamRecord
    from ddbstream._wire.pages import Page
    from ddbstream._wire.unread import UnreadRecord

# msgspec makes it faster, and nothing needs it.
unread: Any
unread_lines: Any
try:
    from ddbstream._wire import unread, unread_lines
except ImportError:  # pragma: no cover - tests/house/test_missing.py runs without msgspec
    unread = unread_lines = None

__all__ = [
    "decoded_base64",
    "record_of_base64",
    "unread",
    "unread_lines",
    "unread_payload",
    "unread_record",
]


def decoded_base64(text: str) -> bytes | None:
    """The bytes that base64 text stands for; None where `binascii` has to say."""
    if unread is None:
        return None
    found: bytes | None = unread.decoded_base64(text)
    return found


def record_of_base64(text: Any, origin: Origin, codec: Codec[Any]) -> StreamRecord[Any] | None:
    """The record that a document in base64 is; None where `json` or `binascii` has to read it."""
    if unread is None:
        return None
    try:
        found: StreamRecord[Any] = unread.record_of_base64(text, origin, codec)
    except ValueError:
        return None
    return found


def unread_record(data: object) -> UnreadRecord | None:
    """The record that a document is; None where `json` has to read it."""
    if unread is None or not isinstance(data, bytes) or data[:1] != b"{":
        return None
    try:
        found: UnreadRecord = unread.unread_record(data)
    except ValueError:
        return None
    return found


def unread_payload(text: object) -> UnreadRecord | Page | None:
    """The record or the page of records that a document is; None where `json` has to read it."""
    if unread is None:
        return None
    try:
        data = text.encode() if isinstance(text, str) else text
        record = unread_record(data)
        if record is not None or not isinstance(data, bytes) or data[:1] != b"{":
            return record
        page: Page = unread.unread_answer(data)[0]
    except ValueError:
        return None
    # A page of nothing may be any document: who reads all of it says what it looks like.
    return page or None
