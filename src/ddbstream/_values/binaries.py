"""The payload of a ``B``: bytes, or the base64 text that stands for them in JSON.

Reading accepts both; writing gives the one asked for.
"""

from __future__ import annotations

import sys
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any

__all__ = ["base64_to_bytes", "binary_to_wire", "is_binary", "read_binary"]


def is_binary(value: Any) -> bool:
    """Whether a Python value is bytes of any kind, boto3's ``Binary`` included."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    # boto3.dynamodb.types.Binary is recognised by its attributes: boto3 is never imported here
    inner = getattr(value, "value", None)
    return type(value).__name__ == "Binary" and isinstance(inner, (bytes, bytearray))


def read_binary(payload: Any) -> bytes:
    """The bytes of a ``B``: bytes of any kind, boto3's ``Binary``, or base64 text.

    Raises:
        ValueError: It is none of these.
    """
    if type(payload) is bytes:
        return payload
    if isinstance(payload, str):
        return base64_to_bytes(payload)
    if is_binary(payload):
        inner = payload.value if type(payload).__name__ == "Binary" else payload
        return bytes(inner)
    raise ValueError("neither bytes nor base64 text")


def base64_to_bytes(text: str) -> bytes:
    """Decode base64 as AWS writes it: the standard alphabet, padded, and nothing else.

    Raises:
        ValueError: The text is anything else.
    """
    if _STRICT and text[-1:] != "=":
        return _strictly(text, strict_mode=True)
    decoded = a2b_base64(text)
    # a2b_base64 skips characters outside the alphabet, and ignores some bits before padding, even
    # in its strict mode (Python 3.11). Encoding the result again finds both.
    if b2a_base64(decoded, newline=False) != text.encode("ascii"):
        raise Base64Error("not canonical base64")
    return decoded


_STRICT = sys.version_info >= (3, 11)
_strictly: Callable[..., bytes] = a2b_base64


def binary_to_wire(value: Any, json: bool) -> bytes | str:
    """The payload of a ``B``: bytes for boto3, base64 text for JSON."""
    raw = read_binary(value)
    return b2a_base64(raw, newline=False).decode("ascii") if json else raw
