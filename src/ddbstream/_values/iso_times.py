"""ISO 8601 text to dates and times, the same on every Python.

Each Python's own ``fromisoformat`` takes another part of ISO 8601, and more than it: ``06:100Z`` as
ten past six, or nineteen digits as a moment of the year that the first four name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

__all__ = ["date_from_iso", "datetime_from_iso", "past_microseconds", "time_from_iso"]


class _Form:
    """A regular expression, compiled when it is first asked: a cold start need not pay for it."""

    __slots__ = ("fullmatch",)

    fullmatch: Callable[[str], re.Match[str] | None]

    def __init__(self, pattern: str) -> None:
        def first(text: str) -> re.Match[str] | None:
            self.fullmatch = re.compile(pattern, re.ASCII).fullmatch
            return self.fullmatch(text)

        self.fullmatch = first


_OFFSET = r"(?:([Zz])|([+-]\d\d)(?::?(\d\d)(:\d\d(?:\.\d+)?)?)?)?"
_CLOCK = r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?" + _OFFSET
_TIME = _Form("[Tt]?" + _CLOCK)
#: A day of a month, or of a week; extended or basic.
_DAY = _Form(r"(\d{4})(-?)(?:(\d\d)\2(\d\d)|W(\d\d)(?:\2([1-7]))?)")
#: What stands between day and time is any character but a digit, as ``datetime.isoformat`` has it;
#: a sign only before seconds, as XML's days have an offset: 2024-01-02+05:00.
_DATETIME = _Form(
    r"(\d{4}-(?:\d\d-\d\d|W\d\d(?:-\d)?)|\d{4}(?:\d{4}|W\d\d\d?))"
    r"(?:(?![+-]\d\d(?::?\d\d)?\Z)\D" + _CLOCK + ")?"
)

#: What Python 3.10's own reads, as each does, and the most common with a fraction.
_USUAL = _Form(r"\d{4}-\d\d-\d\dT[01]\d:\d\d:\d\d\.\d{6}(?:[+-]\d\d:\d\d)?")


def _clock(
    hour: str,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zulu: str | None,
    *offset: str | None,
) -> str:
    """A time of day as 3.10's ``fromisoformat`` takes it: 6 digits of a second, and no Z."""
    text = f"{hour}:{minute or '00'}:{second or '00'}"
    if fraction:
        text += "." + fraction[:6].ljust(6, "0")
    hours, minutes, seconds = offset
    if hours:
        whole, point, part = (seconds or "").partition(".")
        more = f"{whole}.{part[:6]:0<6}" if point else whole
        return f"{text}{hours}:{minutes or '00'}{more}"
    return text + "+00:00" if zulu else text


def datetime_from_iso(text: str) -> datetime:
    """Read ISO 8601 text, the same on every Python; digits past microseconds are cut off.

    24:00 is the beginning of the next day.

    Raises:
        ValueError: The text is not ISO 8601.
    """
    if _USUAL.fullmatch(text):
        return datetime.fromisoformat(text)
    day, hour, *rest = _matched(_DATETIME, text)
    day = date_from_iso(day).isoformat()
    if not hour:
        return datetime.fromisoformat(day)
    if hour != "24":
        return datetime.fromisoformat(f"{day}T{_clock(hour, *rest)}")
    moment = datetime.fromisoformat(f"{day}T{_clock('00', *rest)}")
    if moment.time() != time():
        raise ValueError
    return moment + timedelta(days=1)


def past_microseconds(text: str) -> int:
    """The nanoseconds that ``datetime_from_iso`` has cut off this text."""
    fraction = _matched(_DATETIME, text)[4] or ""
    return int(f"{fraction[6:9]:0<3}")


def date_from_iso(text: str) -> date:
    """As ``datetime_from_iso``, for a day."""
    year, _, month, day, week, weekday = _matched(_DAY, text)
    if week:
        return date.fromisocalendar(int(year), int(week), int(weekday or 1))
    return date(int(year), int(month), int(day))


def time_from_iso(text: str) -> time:
    """As ``datetime_from_iso``, for a time of day: 24:00 is none, as it is of the next day."""
    hour, *rest = _matched(_TIME, text)
    if hour == "24":
        raise ValueError
    return time.fromisoformat(_clock(hour, *rest))


def _matched(form: _Form, text: str) -> tuple[Any, ...]:
    match = form.fullmatch(text)
    if match is None:
        raise ValueError
    return match.groups()
