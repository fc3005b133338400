"""``ApproximateCreationDateTime``, in any form it is sent in, as nanoseconds since 1970.

Lambda sends whole or fractional seconds, boto3 a datetime, a Kinesis record milliseconds or
microseconds and at times says which, the Kinesis adapter of the KCL milliseconds, emulators ISO
8601 text. Only a Kinesis record names its unit: elsewhere the size of the number tells it.

Source: `StreamRecord`_ (seconds), `Kinesis precision`_.

.. _StreamRecord: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
.. _Kinesis precision: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_EnableKinesisStreamingConfiguration.html
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal
from typing import Final

from ddbstream._values.iso_times import datetime_from_iso, past_microseconds

__all__ = ["aware_datetime", "nanoseconds"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

_SECOND: Final = 1_000_000_000

# Between the years 1973 and 5138 no number is in the range of two units.
_UNITS: Final = ((10**11, _SECOND), (10**14, 1_000_000), (10**17, 1_000))

_PRECISIONS: Final = {"MILLISECOND": 1_000_000, "MICROSECOND": 1_000}

# Past the year 9999 in nanoseconds: not a time, and perhaps too large to be written out.
_LIMIT: Final = 10**21


def nanoseconds(value: object, precision: object = None) -> int:
    """When a record was made, in nanoseconds since 1970-01-01 UTC, as exactly as it was sent.

    Args:
        value: An epoch number in s, ms, µs or ns (int, float, Decimal or text), ISO 8601 text, or a
            datetime; one without a zone is UTC.
        precision: ``ApproximateCreationDateTimePrecision``, which settles a number's unit.

    Raises:
        ValueError, TypeError, OverflowError: The value is not a time.
    """
    if isinstance(value, datetime):
        stamp = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        since = stamp - _EPOCH
        return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds * 1_000
    if isinstance(value, (bool, bytes)):
        raise TypeError
    if isinstance(value, int):
        if abs(value) > _LIMIT:
            raise OverflowError
        return value * _nanoseconds_per_unit(value, precision)
    if type(value) is float and value.is_integer() and precision is None:
        return nanoseconds(int(value))  # Whole seconds are what Lambda sends.
    if isinstance(value, float):
        return _of_decimal(repr(value), precision)
    if isinstance(value, str):
        try:
            return nanoseconds(int(value), precision)
        except ValueError:
            return _of_decimal(value, precision) if _is_number(value) else _of_iso(value)
    return _of_decimal(str(value), precision)


def aware_datetime(since_epoch: int) -> datetime:
    """The moment as a datetime in UTC, to the microsecond, rounded as `fromtimestamp` rounds.

    Raises:
        OverflowError: Python has no such date.
    """
    microseconds, rest = divmod(since_epoch, 1_000)
    if rest > 500 or (rest == 500 and microseconds % 2):
        microseconds += 1
    return _EPOCH + timedelta(microseconds=microseconds)


def _nanoseconds_per_unit(number: int, precision: object) -> int:
    named = _PRECISIONS.get(precision) if isinstance(precision, str) else None
    if named is not None:
        return named
    size = abs(number)
    for limit, scale in _UNITS:
        if size < limit:
            return scale
    return 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_decimal(text: str, precision: object) -> int:
    number = Decimal(text)
    # Checked before an int of that size is made.
    if not number.is_finite() or number.adjusted() > 21:
        raise OverflowError
    scale = _nanoseconds_per_unit(int(number), precision)
    # A context of our own: the caller's may round or trap.
    return int(Context(prec=64, traps=[]).multiply(number, Decimal(scale)))


def _of_iso(text: str) -> int:
    text = text.strip()
    return nanoseconds(datetime_from_iso(text)) + past_microseconds(text)
