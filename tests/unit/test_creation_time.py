"""``ApproximateCreationDateTime`` in every unit and spelling that was seen."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext

import pytest

from ddbstream._values.times import aware_datetime, nanoseconds

MOMENT = 1_770_000_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MOMENT, MOMENT * 10**9),
        (float(MOMENT), MOMENT * 10**9),
        (MOMENT * 10**3 + 123, (MOMENT * 10**3 + 123) * 10**6),
        (MOMENT * 10**6 + 123_456, (MOMENT * 10**6 + 123_456) * 10**3),
        (MOMENT * 10**9 + 123_456_789, MOMENT * 10**9 + 123_456_789),
    ],
    ids=["s", "float s", "ms", "us", "ns"],
)
def test_the_size_of_a_number_tells_its_unit(value: float, expected: int) -> None:
    """Seconds and milliseconds in one batch: github.com/aws/aws-lambda-dotnet/issues/839."""
    assert nanoseconds(value) == expected


@pytest.mark.parametrize(
    "text", ["1.770000000123456789E9", "1770000000.123456789", "1770000000123456789"]
)
def test_text_keeps_all_its_digits(text: str) -> None:
    """Scientific notation with nine decimals is in aws-lambda-java-libs' ddb fixtures."""
    assert nanoseconds(text) == 1_770_000_000_123_456_789


def test_a_float_means_what_it_prints() -> None:
    assert nanoseconds(1770000000.123457) == 1_770_000_000_123_457_000


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("2026-02-02T02:40:00Z", 0),
        ("2026-02-02T02:40:00.5Z", 500_000_000),
        ("2026-02-02T02:40:00.123Z", 123_000_000),
        ("2026-02-02T02:40:00.123456789Z", 123_456_789),
        ("2026-02-02T02:40:00.1234567891Z", 123_456_789),
        ("2026-02-02T03:40:00+01:00", 0),
        ("2026-02-02T02:40:00", 0),
        ("2026-02-02T02:40:00,000000001z", 1),
        ("20260202T024000.5Z", 500_000_000),
        ("2026-W06-1T02:40Z", 0),
        ("2026-02-02T02:40:01.5+00:00:01.5", 0),
    ],
)
def test_iso_text_is_read_with_any_number_of_decimals(text: str, fraction: int) -> None:
    """LocalStack sent ISO text before it sent numbers."""
    assert nanoseconds(text) == MOMENT * 10**9 + fraction


@pytest.mark.parametrize(
    "text",
    ["2026-02-02T02:400Z", "2026-02-02+01:00", "2026-02-02T02:40:00.Z", "\uff12026-02-02", "x"],
)
def test_what_is_no_iso_text_is_refused_on_every_python(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - who calls it says what is wrong
        nanoseconds(text)


def test_midnight_may_be_the_end_of_a_day() -> None:
    assert nanoseconds("2026-02-02T24:00Z") == nanoseconds("2026-02-03")


def test_a_datetime_counts_in_its_own_zone_and_without_one_in_utc() -> None:
    """boto3 gives aware datetimes; a naive one can only be somebody's fixture."""
    tokyo = timezone(timedelta(hours=9))
    assert nanoseconds(datetime.fromtimestamp(MOMENT, tokyo)) == MOMENT * 10**9
    assert nanoseconds(datetime(2026, 2, 2, 2, 40)) == MOMENT * 10**9  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "precision", "expected"),
    [
        (5, "MILLISECOND", 5_000_000),
        (5, "MICROSECOND", 5_000),
        (5, "FORTNIGHT", 5 * 10**9),
        (5, None, 5 * 10**9),
        ("5", "MICROSECOND", 5_000),
    ],
)
def test_a_named_precision_settles_the_unit(
    value: object, precision: object, expected: int
) -> None:
    """``ApproximateCreationDateTimePrecision``: MILLISECOND or MICROSECOND, in the Kinesis form."""
    assert nanoseconds(value, precision) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(True, None, [], {}, b"1", "", "soon", "nan", "<approximate-creation-datetime>"),
        *("2026-02-02T02:40:00.Z", "1e400", "1e999999999", 10**40),
        *(float("nan"), float("inf"), Decimal("NaN")),
    ],
    ids=repr,
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        nanoseconds(value)


def test_the_callers_decimal_context_has_no_say() -> None:
    with localcontext(Context(prec=3, traps=[])):
        assert nanoseconds(Decimal("1770000000.123456789")) == 1_770_000_000_123_456_789


@pytest.mark.parametrize(
    ("since", "microsecond"),
    [(499, 0), (500, 0), (501, 1), (1_499, 1), (1_500, 2), (2_500, 2)],
)
def test_a_datetime_is_rounded_as_python_rounds_one(since: int, microsecond: int) -> None:
    assert aware_datetime(since) == datetime(1970, 1, 1, 0, 0, 0, microsecond, timezone.utc)


def test_times_before_1970_are_times() -> None:
    assert aware_datetime(nanoseconds(-1)) == datetime(
        1969, 12, 31, 23, 59, 59, tzinfo=timezone.utc
    )


def test_a_year_that_python_lacks_overflows() -> None:
    with pytest.raises(OverflowError):
        aware_datetime(10**21)
