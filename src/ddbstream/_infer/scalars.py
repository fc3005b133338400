"""What texts and numbers have had in common so far, in a few bits for any number of them.

Every question is one that a kind of annotation asks: are all of these UUIDs? A "no" is final, so
that the usual value costs a look at the questions that are still open. The answers do not depend on
the order of the values, and two folds of halves merge into the fold of the whole.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

from ddbstream._values.iso_times import datetime_from_iso, time_from_iso
from ddbstream._values.numbers import number_from_wire

__all__ = ["MOST_CHOICES", "NumberKind", "NumberSeen", "TextKind", "TextSeen"]

#: A field of more different texts than these is no choice between a few.
MOST_CHOICES: Final = 8
_LONGEST_CHOICE: Final = 32


class TextKind:
    """What every text may still be, as bits: plain ints, as every value asks for some.

    ``EXACT`` says that a date or time is written back as the same text, as keys ask for.
    """

    UUID: Final = 1
    AWARE: Final = 2
    NAIVE: Final = 4
    DATE: Final = 8
    TIME: Final = 16
    INT: Final = 32
    PADDED: Final = 64
    CHOICE: Final = 128
    EXACT: Final = 256


_EVERY_TEXT: Final = 511
_TIMES: Final = TextKind.AWARE | TextKind.NAIVE | TextKind.TIME

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_OFFSET: Final = r"([Zz]|[+-]\d\d(?::?\d\d)?)?"
_CLOCK: Final = r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]" + _CLOCK + _OFFSET, re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: A time of day needs its seconds: "12:30" is as often a score or a length.
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?" + _OFFSET, re.ASCII)
#: DynamoDB's numbers have 38 digits; a longer text is an identifier that happens to be digits.
_INT: Final = re.compile(r"(?:0|-?[1-9]\d{0,37})", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,38}", re.ASCII)
_CHOICE: Final = re.compile(r"[^\W\d][\w .:/-]*")


class TextSeen:
    """Texts that were seen at one place.

    Attributes:
        count: How many.
        kinds: What all of them may be.
        choices: The different texts and how often each was seen, while there are few.
        width: The length of those that begin with a zero, as numbers are padded; 0 without any.
        shortest: The shortest length of all.
    """

    __slots__ = ("choices", "count", "kinds", "shortest", "width")

    def __init__(self) -> None:
        self.count = 0
        self.kinds: int = _EVERY_TEXT
        self.choices: dict[str, int] = {}
        self.width = 0
        self.shortest = 0

    def add(self, text: str) -> None:
        """Fold one text."""
        self.count += 1
        if self.kinds:
            self._narrow(text)

    def _narrow(self, text: str) -> None:
        kinds = self.kinds
        if kinds & TextKind.CHOICE:
            self._add_choice(text)
            kinds = self.kinds
        if kinds & TextKind.UUID and not _UUID.fullmatch(text):
            kinds &= ~TextKind.UUID
        if kinds & (TextKind.AWARE | TextKind.NAIVE):
            kinds = _still_datetime(kinds, text)
        if kinds & TextKind.DATE and not _is_date(text):
            kinds &= ~TextKind.DATE
        if kinds & TextKind.TIME:
            kinds = _still_time(kinds, text)
        if kinds & TextKind.INT and not _INT.fullmatch(text):
            kinds &= ~TextKind.INT
        if kinds & TextKind.PADDED:
            kinds = self._still_padded(kinds, text)
        if not kinds & (_TIMES | TextKind.DATE):
            kinds &= ~TextKind.EXACT
        self.kinds = kinds

    def _add_choice(self, text: str) -> None:
        known = self.choices.get(text)
        if known is not None:
            self.choices[text] = known + 1
            return
        fits = len(text) <= _LONGEST_CHOICE and _CHOICE.fullmatch(text) and text.isprintable()
        if fits and len(self.choices) < MOST_CHOICES:
            self.choices[text] = 1
        else:
            self._no_choice()

    def _no_choice(self) -> None:
        self.kinds &= ~TextKind.CHOICE
        self.choices = {}

    def _still_padded(self, kinds: int, text: str) -> int:
        """Digits of one width at least, as ``06d`` writes them."""
        length = len(text)
        width = length if text[:1] == "0" else self.width
        shortest = min(self.shortest or length, length)
        if not _DIGITS.fullmatch(text) or self.width not in (0, width) or shortest < width:
            # what has no width any more has none in whatever order it was seen
            self.width = self.shortest = 0
            return kinds & ~TextKind.PADDED
        self.width, self.shortest = width, shortest
        return kinds

    def merge(self, other: TextSeen) -> None:
        """Fold all that ``other`` has folded."""
        if not other.count:
            return
        self.kinds &= other.kinds
        if self.kinds & TextKind.CHOICE:
            for text, count in other.choices.items():
                self.choices[text] = self.choices.get(text, 0) + count
            if len(self.choices) > MOST_CHOICES:
                self._no_choice()
        else:
            self._no_choice()
        if self.width and other.width and self.width != other.width:
            self.kinds &= ~TextKind.PADDED
        self.width = max(self.width, other.width)
        self.shortest = min(self.shortest or other.shortest, other.shortest or self.shortest)
        if self.shortest < self.width:
            self.kinds &= ~TextKind.PADDED
        if not self.kinds & TextKind.PADDED:
            self.width = self.shortest = 0
        self.count += other.count


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _still_datetime(kinds: int, text: str) -> int:
    match = _DATETIME.fullmatch(text)
    both = TextKind.AWARE | TextKind.NAIVE
    if match is None:
        return kinds & ~both
    try:
        moment = datetime_from_iso(text)
    except ValueError:
        return kinds & ~both
    if moment.isoformat() != text:
        kinds &= ~TextKind.EXACT
    return kinds & ~(TextKind.NAIVE if match[1] else TextKind.AWARE)


def _still_time(kinds: int, text: str) -> int:
    if not _TIME.fullmatch(text):
        return kinds & ~TextKind.TIME
    try:
        moment = time_from_iso(text)
    except ValueError:
        return kinds & ~TextKind.TIME
    return kinds if moment.isoformat() == text else kinds & ~TextKind.EXACT


class NumberKind:
    """What every number may still be, as bits.

    The moments are those that ``Epoch`` gives back exactly.
    """

    INT: Final = 1
    SECONDS: Final = 2
    MILLISECONDS: Final = 4
    MICROSECONDS: Final = 8
    ANY_SECONDS: Final = 16


_EVERY_NUMBER: Final = 31
_MOMENTS: Final = NumberKind.SECONDS | NumberKind.MILLISECONDS | NumberKind.MICROSECONDS

#: The years in which a stored number is a moment, and no count: 2000 to 2100.
_EARLIEST: Final = 946_684_800
_LATEST: Final = 4_102_444_800
#: What a ``datetime`` holds: the years 1 to 9999. A time to live of 0 is a moment of these.
_FIRST: Final = -62_135_596_800
_LAST: Final = 253_402_300_799

#: Units of ``Epoch``: how many there are in a second, and its decimal places to microseconds.
_UNITS: Final = (
    (NumberKind.SECONDS, 1, 6),
    (NumberKind.MILLISECONDS, 1_000, 3),
    (NumberKind.MICROSECONDS, 1_000_000, 0),
)


class NumberSeen:
    """Numbers that were seen at one place.

    Attributes:
        count: How many.
        kinds: What all of them may be.
    """

    __slots__ = ("count", "kinds")

    def __init__(self) -> None:
        self.count = 0
        self.kinds: int = _EVERY_NUMBER

    def add(self, payload: Any) -> None:
        """Fold the payload of an ``N``; raises ValueError if it is no number."""
        self.count += 1
        kinds = self.kinds
        if not kinds:
            return
        number: int | Decimal
        places = 0
        if type(payload) is str and payload.isdecimal() and len(payload) < 20:
            number = int(payload)
        else:
            number = number_from_wire(payload)
            places = _places(number)
            if places:
                kinds &= ~NumberKind.INT
        if kinds & (_MOMENTS | NumberKind.ANY_SECONDS):
            kinds = _still_moments(kinds, number, places)
        self.kinds = kinds

    def merge(self, other: NumberSeen) -> None:
        """Fold all that ``other`` has folded."""
        self.count += other.count
        self.kinds &= other.kinds


def _places(number: Decimal) -> int:
    """How many decimal places it needs; operators would round it to the process's context."""
    _, digits, exponent = number.as_tuple()
    zeros = next((n for n, digit in enumerate(reversed(digits)) if digit), len(digits))
    return max(0, -(int(exponent) + zeros)) if number else 0


def _still_moments(kinds: int, number: int | Decimal, places: int) -> int:
    for kind, per_second, most_places in _UNITS:
        if kinds & kind and not (
            _EARLIEST * per_second <= number < _LATEST * per_second and places <= most_places
        ):
            kinds &= ~kind
    if kinds & NumberKind.ANY_SECONDS and not (_FIRST <= number <= _LAST and places <= 6):
        kinds &= ~NumberKind.ANY_SECONDS
    return kinds
