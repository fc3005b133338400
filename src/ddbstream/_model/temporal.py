"""Dates and times: ISO 8601 text, and numbers since the epoch or of seconds.

No zone names are stored: an aware datetime is stored, and read back, with its offset.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Any

from ddbstream._model.scalars import Misfit, Scalar
from ddbstream._model.source import Emitter
from ddbstream._values.iso_times import date_from_iso, datetime_from_iso, time_from_iso
from ddbstream._values.numbers import number_from_wire
from ddbstream.exceptions import EncodeError

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = Context(prec=100)

_EARLIEST = datetime.min.replace(tzinfo=timezone.utc) - _EPOCH
_LATEST = datetime.max.replace(tzinfo=timezone.utc) - _EPOCH

#: The year 10000, in seconds.
_END = 253_402_300_800

#: Decimal places from a unit of ``Epoch`` to microseconds.
_PLACES = {"s": 6, "ms": 3, "us": 0, "ns": -3}

#: ISO 8601's durations that have one length in seconds: no months, no years.
_DURATION = re.compile(
    r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?", re.ASCII
)


def datetime_from_epoch(number: Decimal, unit: str) -> datetime:
    """An aware UTC datetime, cut off at microseconds; raises Misfit past the year 9999."""
    return _EPOCH + _delta(number, _PLACES[unit])


def _delta(number: Decimal, places: int) -> timedelta:
    if number and number.adjusted() > 30:
        raise Misfit("a number out of range")
    micros = number.scaleb(places, _EXACT)
    whole = int(micros)
    try:
        return timedelta(microseconds=whole - 1 if micros < whole else whole)
    except OverflowError:
        raise Misfit("a number out of range") from None


def guess_unit(number: Decimal) -> str:
    """Guess the unit of an epoch number from its magnitude.

    Between 1E+11, seconds in the year 5138, and the end of the year 9999 in seconds, a number may
    be of milliseconds from 1973 to 1978 as well; the same holds a thousand times further on, and so
    forth. Such a number is of no unit that can be guessed.

    Raises:
        Misfit: It may be of two units.
    """
    magnitude = number.copy_abs()  # abs() would round to the process's context
    for unit, places in (("s", 0), ("ms", 3), ("us", 6)):
        if magnitude < 10 ** (11 + places):
            return unit
        if magnitude < _END * 10**places:
            raise Misfit("a number of two possible units: use Epoch")
    return "ns"


def _in_unit(micros: int, places: int) -> str:
    """A count of microseconds in a larger unit, without an exponent."""
    number = Decimal(micros).scaleb(-places, _EXACT)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class DatetimeNode(Scalar):
    """``datetime``: ISO text or an epoch number in; ISO out, or a number for ``Epoch``."""

    python = datetime

    def __init__(self, unit: str | None = None) -> None:
        self.tag = "S" if unit is None else "N"
        super().__init__()
        self.unit = unit
        if unit == "s":
            self.json = int
        self.tags = frozenset({"S", "N"})
        self.words = "S or N"
        self.detail = "ISO 8601 text in S, or an epoch number in N"

    def parse_tagged(self, tag: str, payload: Any) -> datetime:
        if tag == "S":
            return datetime_from_iso(payload)
        number = number_from_wire(payload)
        try:
            return datetime_from_epoch(number, self.unit or guess_unit(number))
        except OverflowError:
            raise Misfit("a number out of range") from None

    def parse(self, payload: Any) -> datetime:
        return self.parse_tagged(self.tag, payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, datetime):
            raise self.refuse(value)
        if self.unit is None:
            return value.isoformat()
        if value.tzinfo is None:
            raise EncodeError(expected="an aware datetime for Epoch", found="a naive one")
        since = value - _EPOCH
        if not _EARLIEST <= since <= _LATEST:
            # of the first or last day in a zone that is ahead of it, or behind
            raise EncodeError(expected="a datetime that UTC has too", found="one of another year")
        return _in_unit(since // _MICROSECOND, _PLACES[self.unit])

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        if self.unit is None:
            quick, slow = e.const(_quick_datetime, "datetime"), e.const(datetime_from_iso, "iso")
            e.line(f"{target} = {payload}")
            usual = f"{target}[4:16:3] == '--T:' and {target}[16:] in {e.const(_ENDS, 'ends')}"
            e.line(f"{target} = {quick}({target}) if {usual} else {slow}({target})")
            return
        e.line(f"{target} = {payload}")
        if self.unit == "s":  # a time to live is in whole seconds
            if not e.typed:
                e.refuse_if(f"not {target}.isdecimal()")
                e.line(f"{target} = int({target})")
            quick = e.const(datetime.fromtimestamp, "fromtimestamp")
            e.line(f"{target} = {quick}({target}, {e.const(timezone.utc, 'utc')})")
        else:
            e.line(f"{target} = {e.const(self.parse, 'epoch')}({target})")

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        super(Scalar, self).emit_text(e, text, target)


class DateNode(Scalar):
    """``date``: ``2026-11-23``."""

    python = date
    detail = "an ISO 8601 date in S"

    def parse(self, payload: Any) -> date:
        return date_from_iso(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not self.holds(value):
            raise self.refuse(value)
        text: str = value.isoformat()
        return text

    def holds(self, value: Any) -> bool:
        return isinstance(value, date) and not isinstance(value, datetime)


class TimeNode(Scalar):
    """``time``: ``13:45:00.5+02:00``."""

    python = time
    detail = "an ISO 8601 time in S"

    def parse(self, payload: Any) -> time:
        return time_from_iso(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, time):
            raise self.refuse(value)
        return value.isoformat()


class TimedeltaNode(Scalar):
    """``timedelta``: a number of seconds out; that or an ISO 8601 duration in."""

    tag = "N"
    python = timedelta
    detail = "seconds in N, or an ISO 8601 duration in S"

    def __init__(self) -> None:
        super().__init__()
        self.tags = frozenset({"N", "S"})
        self.words = "N or S"

    def parse_tagged(self, tag: str, payload: Any) -> timedelta:
        return _delta(number_from_wire(payload), 6) if tag == "N" else _duration(payload)

    def parse(self, payload: Any) -> timedelta:
        return self.parse_tagged("N", payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, timedelta):
            raise self.refuse(value)
        return _in_unit(value // _MICROSECOND, 6)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or text[-1] in "PT":
        raise ValueError
    sign, weeks, days, hours, minutes, seconds = match.groups()
    whole = ((int(weeks or 0) * 7 + int(days or 0)) * 24 + int(hours or 0)) * 60 + int(minutes or 0)
    fraction = Decimal((seconds or "0").replace(",", "."))
    length = _delta(_EXACT.add(Decimal(whole * 60), fraction), 6)
    return -length if sign == "-" else length


def _knows_z() -> bool:
    try:
        datetime.fromisoformat("2000-01-01T00:00:00.5Z")
    except ValueError:  # pragma: no cover - Python 3.10
        return False
    return True


# Python 3.10's own reads no Z. The others' read more than ISO 8601: 06:100Z as ten past six, twenty
# digits as a moment of the year that the first four name. So they get what has one of these forms.
_quick_datetime = datetime.fromisoformat if _knows_z() else datetime_from_iso
#: What follows the minutes where there is no fraction: seconds, and none of the zones but UTC.
_ENDS = frozenset(f":{second:02}{zone}" for second in range(60) for zone in ("", "Z", "+00:00"))
