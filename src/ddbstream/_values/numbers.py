"""The payload of an ``N``: up to 38 digits as text. The process's decimal context plays no part."""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from ddbstream.exceptions import EncodeError

__all__ = ["decimal_from_text", "is_number", "number_from_wire", "number_to_wire"]

#: AWS, "Naming rules and data types, Number".
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

# A context of our own, which keeps every digit and refuses bad text. Decimal(text) returns NaN for
# bad text if the caller's context does not trap that, and accepts "1_0" and " 1".
decimal_from_text = Context(
    prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation]
).create_decimal


def is_number(value: Any) -> bool:
    """Whether a Python value is a number to DynamoDB, which a bool is not."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def number_from_wire(payload: Any) -> Decimal:
    """Read the payload of an ``N``: text, or a number that lost its quotes in hand-edited JSON.

    Raises:
        ValueError: It is not a finite number.
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
    """Write a number as DynamoDB accepts it.

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
    # compared first: Python refuses to print an int of thousands of digits
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
    """The number's own text; without trailing zeros if that is over 38 digits."""
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
