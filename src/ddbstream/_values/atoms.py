"""The payloads of attribute values: binaries and numbers, and how errors name what they found.

Reading takes both wires at once; writing gives the one asked for. The process's decimal context is
never looked at.
"""

from __future__ import annotations

import sys
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from ddbstream.exceptions import DDBStreamError, DecodeError, EncodeError

Path = tuple["str | int", ...]

TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})

#: AWS, "Service, account, and table quotas": nested attributes go up to 32 levels deep. DynamoDB
#: counts the innermost value too; containers alone are counted here, which refuses nothing it
#: takes.
MAX_DEPTH = 32

#: AWS, "Naming rules and data types, Number".
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

# A context of our own: the constructor Decimal(text) gives NaN for bad text where the user's
# context does not trap that, and takes "1_0" and " 1"; this one traps, keeps every digit, and
# refuses both.
decimal_from_text = Context(
    prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation]
).create_decimal


class Unreadable(Exception):
    """The fast path cannot read this; never leaves the package."""


# --- binaries -----------------------------------------------------------------------------------


def is_binary(value: Any) -> bool:
    """Whether a Python value is bytes of any kind, boto3's ``Binary`` included."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    # boto3.dynamodb.types.Binary is known by its shape: boto3 is never imported here
    inner = getattr(value, "value", None)
    return type(value).__name__ == "Binary" and isinstance(inner, (bytes, bytearray))


def read_binary(payload: Any) -> bytes:
    """The bytes of a ``B``: bytes of any kind, boto3's ``Binary``, or base64 text.

    Raises:
        ValueError: It is none of them.
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
        ValueError: It is not that.
    """
    if _STRICT and text[-1:] != "=":
        return _strictly(text, strict_mode=True)
    decoded = a2b_base64(text)
    # a2b_base64 skips what is not in the alphabet, and with padding some bits may be anything,
    # even in its strict mode, which came with Python 3.11: the way back is the check
    if b2a_base64(decoded, newline=False) != text.encode("ascii"):
        raise Base64Error("not canonical base64")
    return decoded


_STRICT = sys.version_info >= (3, 11)
_strictly: Callable[..., bytes] = a2b_base64


def binary_to_wire(value: Any, json: bool) -> bytes | str:
    """The payload of a ``B``: bytes for boto3, base64 text for JSON."""
    raw = read_binary(value)
    return b2a_base64(raw, newline=False).decode("ascii") if json else raw


# --- numbers ------------------------------------------------------------------------------------


def number_from_wire(payload: Any) -> Decimal:
    """Read the payload of an ``N``: text, or a number that lost its quotes in hand-edited JSON.

    Raises:
        ValueError: It is no finite number.
    """
    if isinstance(payload, str):
        try:
            number = decimal_from_text(payload)
        except InvalidOperation:
            raise ValueError("no number") from None
    elif isinstance(payload, float):
        number = Decimal(float.__repr__(payload))
    elif isinstance(payload, (int, Decimal)) and not isinstance(payload, bool):
        number = Decimal(payload)
    else:
        raise ValueError("no number")
    if not number.is_finite():
        raise ValueError("no number")
    return number


def number_to_wire(value: float | Decimal) -> str:
    """Write a number as DynamoDB takes it.

    Raises:
        EncodeError: It is not finite, has over 38 significant digits, or is out of 1E-130 …
            9.99E+125.
    """
    if isinstance(value, int):
        return _int_text(value)
    if isinstance(value, Decimal):
        return _fitting_text(value)
    text = float.__repr__(value)
    _check_range(decimal_from_text(text))
    return text


def _int_text(value: int) -> str:
    if -(10**MAX_DIGITS) < value < 10**MAX_DIGITS:
        return int.__repr__(value)
    # compared first: the text of an int of thousands of digits is refused by Python itself
    limit = 10 ** (MAX_EXPONENT + 1)
    if not -limit < value < limit:
        raise EncodeError(expected="a number below 1E+126", found="a larger one")
    return _fitting_text(Decimal(int(value)))


def _check_range(number: Decimal) -> None:
    if not number.is_finite():
        raise EncodeError(expected="a finite number", found="NaN or Infinity")
    if number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise EncodeError(
            expected="a magnitude from 1E-130 to 9.99E+125", found="a number out of range"
        )


def _fitting_text(number: Decimal) -> str:
    """The shortest text where zeros have to go to stay within 38 digits, else the number's own."""
    _check_range(number)
    sign, digits, exponent = number.as_tuple()
    if not number and not MIN_EXPONENT <= int(exponent) <= MAX_EXPONENT:
        return "-0" if sign else "0"
    if len(digits) <= MAX_DIGITS:
        return str(number)
    significant = "".join(map(str, digits))
    kept = significant.rstrip("0")
    if len(kept) > MAX_DIGITS:
        raise EncodeError(expected=f"at most {MAX_DIGITS} significant digits", found="more")
    return f"{'-' if sign else ''}{kept}E{int(exponent) + len(significant) - len(kept):+d}"


# --- paths and words of errors ------------------------------------------------------------------


def path_text(path: Path) -> str | None:
    """Spell a path as a DynamoDB document path: ``dims.w``, ``tags[2]``; None for the root."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or None


def fault(path: Path, expected: str, found: str) -> DecodeError:
    """The usual DecodeError: ``expected N, got S at dims.w``."""
    return DecodeError(path=path_text(path), expected=expected, found=found)


def placed(error: EncodeError, part: str | int) -> EncodeError:
    """Put the place of a member in front of its error's path."""
    error.located(path_text((part,)))
    return error


def kind_of(value: Any) -> str:
    """How an error names what is no attribute value: its Python type."""
    return "nothing" if value is None else f"Python {type(value).__name__}"


def tag_of(value: Any, path: Path = (), expected: str = "an attribute value") -> str:
    """The one tag of an attribute value.

    Raises:
        DecodeError: There is not exactly one, or DynamoDB has no such tag.
    """
    if not isinstance(value, Mapping):
        raise fault(path, expected, kind_of(value))
    names = list(value)
    if len(names) == 1 and isinstance(names[0], str) and names[0] in TAGS:
        return names[0]
    if len(names) == 1:
        raise fault(path, expected, "an unknown tag")
    known = sorted(name for name in names if isinstance(name, str) and name in TAGS)
    words = f"{len(names) or 'no'} tags"
    raise fault(path, expected, f"{words} ({', '.join(known)})" if known else words)


def tag_words(value: Any) -> str:
    """How an error names an attribute value: its tag, or what is wrong with it."""
    try:
        return tag_of(value)
    except DecodeError as error:
        return error.found or "something else"


def guarded(read: Any, value: Any, what: str) -> Any:
    """Run a slow reader on outside data: whatever goes wrong in it is a DDBStreamError.

    Args:
        read: Called with ``value`` and an empty path.
        value: What was given.
        what: What it should have been, for the error.
    """
    try:
        return read(value, ())
    except DDBStreamError:
        raise
    except RecursionError:
        problem = f"nested deeper than DynamoDB's {MAX_DEPTH} levels"
    except Exception as error:  # noqa: BLE001 - a Mapping of the caller's own may raise anything
        problem = f"unreadable: {type(error).__name__}"
    raise DecodeError(problem, expected=what, found=kind_of(value))
