"""Dates and times. Text is ISO 8601; numbers are seconds since the epoch, or what ``Epoch`` says."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from .._attribute_value import number_from_wire
from ._scalars import Scalar, _Misfit
from ._source import Emitter

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}

# Python 3.10's fromisoformat knows neither Z, nor basic offsets, nor more or fewer than 3 or 6 digits.
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?"
    r"(?:([Zz])|([+-]\d\d)(?::?(\d\d)(:\d\d(?:\.\d+)?)?)?)?)?",
    re.ASCII,
)
_TIME = re.compile(
    r"(\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?(?:([Zz])|([+-]\d\d)(?::?(\d\d)(:\d\d(?:\.\d+)?)?)?)?",
    re.ASCII,
)


def _clock(clock: str, fraction: str | None, zulu: str | None, hours: str | None, minutes: str | None, rest: str | None) -> str:
    """The time of day as every supported ``fromisoformat`` takes it; digits past microseconds are cut off."""
    text = clock if len(clock) > 5 else clock + ":00"
    if fraction:
        text += "." + fraction[:6].ljust(6, "0")
    if zulu:
        return text + "+00:00"
    return f"{text}{hours}:{minutes or '00'}{rest or ''}" if hours else text


def datetime_from_iso(text: str) -> datetime:
    """Read ISO 8601 text on any supported Python; raises ValueError."""
    match = _ISO.fullmatch(text)
    if match is None:
        return datetime.fromisoformat(text)
    day, clock, *rest = match.groups()
    return datetime.fromisoformat(f"{day}T{_clock(clock, *rest)}" if clock else day)


def time_from_iso(text: str) -> time:
    """As ``datetime_from_iso``, for a time of day."""
    match = _TIME.fullmatch(text)
    return time.fromisoformat(_clock(*match.groups()) if match else text)


def datetime_from_epoch(number: Decimal, unit: str) -> datetime:
    """An aware UTC datetime, cut off at microseconds; raises ValueError."""
    if abs(number.adjusted()) > 30 and number:
        raise _Misfit("a number out of range")
    scaled = number.scaleb(6 if unit == "s" else 3 if unit == "ms" else 0, _EXACT)
    try:
        return _EPOCH + timedelta(microseconds=_floor(scaled))
    except OverflowError:
        raise _Misfit("a number out of range") from None


def _floor(number: Decimal) -> int:
    whole = int(number)
    return whole - 1 if number < whole else whole


def _exact_context() -> Any:
    from decimal import Context

    return Context(prec=100)


_EXACT = _exact_context()


class DatetimeNode(Scalar):
    """A datetime: ISO text or an epoch number in; ISO out, or a number where ``Epoch`` says so."""

    python = datetime

    def __init__(self, unit: str | None = None) -> None:
        self.tag = "S" if unit is None else "N"
        super().__init__()
        self.unit = unit
        self.tags = frozenset({"S", "N"})
        self.words = "S or N"

    detail = "ISO 8601 text in S, or an epoch number in N"

    def read_payload(self, tag: str, payload: Any, path: Any, faults: Any) -> Any:
        found = f"malformed {tag}"
        try:
            if tag == "S":
                return self.from_text(payload)
            return datetime_from_epoch(number_from_wire(payload), self.unit or "s")
        except Exception as error:
            if type(error) is _Misfit:
                found = str(error)
        return faults.note(path, self.detail, found)

    def parse(self, payload: Any) -> Any:
        if self.unit is None:
            return self.from_text(payload)
        return datetime_from_epoch(number_from_wire(payload), self.unit)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, datetime):
            raise self.refuse(value)
        if self.unit is None:
            return value.isoformat()
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone.utc)
        micros = (value - _EPOCH) // _MICROSECOND
        number = Decimal(micros).scaleb(-6 if self.unit == "s" else -3 if self.unit == "ms" else 0, _EXACT)
        return format(number.normalize(_EXACT), "f")

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        reader = _iso_quickly if self.unit is None else _epoch_quickly(self.unit)
        e.line(f"{target} = {e.const(reader, 'read_datetime')}({payload})")

    def from_text(self, text: str) -> datetime:
        return datetime_from_iso(text)

    def to_text(self, value: Any) -> str:
        if not isinstance(value, datetime):
            raise self.refuse(value)
        return value.isoformat()


try:
    datetime.fromisoformat("2000-01-01T00:00:00.000Z")
    _iso_quickly: Any = datetime.fromisoformat
except ValueError:
    _iso_quickly = datetime_from_iso


def _epoch_quickly(unit: str) -> Any:
    def read(payload: str) -> datetime:
        return datetime_from_epoch(number_from_wire(payload), unit)

    return read
