"""Dates and times: what is read, what is written, and what is refused."""

# ruff: noqa: DTZ001, DTZ901 - naive datetimes are values here

from __future__ import annotations

import decimal
from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated, Any, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream import Epoch, from_item, to_item
from ddbstream._values.iso_times import datetime_from_iso
from ddbstream.exceptions import DecodeError, EncodeError
from tests.support.products import holding
from tests.unit.model.reading import codec_for, quickly, slowly

UTC = timezone.utc


def read(annotation: Any, wire: dict[str, Any]) -> Any:
    fast = from_item({"a": wire}, holding(annotation)).a
    slow = slowly({"a": wire}, holding(annotation)).a
    assert fast == slow
    assert getattr(fast, "tzinfo", None) == getattr(slow, "tzinfo", None)
    return fast


def zone(hours: int, minutes: int = 0, seconds: int = 0) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes, seconds=seconds))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23", datetime(2026, 11, 23)),
        ("2026-11-23T06:04", datetime(2026, 11, 23, 6, 4)),
        ("2026-11-23T06:04:05", datetime(2026, 11, 23, 6, 4, 5)),
        ("2026-11-23 06:04:05", datetime(2026, 11, 23, 6, 4, 5)),
        ("2026-11-23T06:04:05.1", datetime(2026, 11, 23, 6, 4, 5, 100000)),
        ("2026-11-23T06:04:05,123", datetime(2026, 11, 23, 6, 4, 5, 123000)),
        ("2026-11-23T06:04:05.123456", datetime(2026, 11, 23, 6, 4, 5, 123456)),
        ("2026-11-23T06:04:05.123456789", datetime(2026, 11, 23, 6, 4, 5, 123456)),
        ("2026-11-23T06:04:05.999999999999Z", datetime(2026, 11, 23, 6, 4, 5, 999999, UTC)),
        ("2026-11-23T06:04:05Z", datetime(2026, 11, 23, 6, 4, 5, tzinfo=UTC)),
        ("2026-11-23T06:04Z", datetime(2026, 11, 23, 6, 4, tzinfo=UTC)),
        ("2026-11-23T06:04:05+00:00", datetime(2026, 11, 23, 6, 4, 5, tzinfo=UTC)),
        ("2026-11-23T06:04:05.5-05:30", datetime(2026, 11, 23, 6, 4, 5, 500000, zone(-5, -30))),
        ("2026-11-23T06:04:05+0530", datetime(2026, 11, 23, 6, 4, 5, tzinfo=zone(5, 30))),
        ("2026-11-23T06:04:05+05", datetime(2026, 11, 23, 6, 4, 5, tzinfo=zone(5))),
        ("2026-11-23T06:04:05+05:30:15", datetime(2026, 11, 23, 6, 4, 5, tzinfo=zone(5, 30, 15))),
        ("2026-11-23T06:04:05.123Z", datetime(2026, 11, 23, 6, 4, 5, 123000, UTC)),
        ("2026-11-23T06:04:05.123456+05:30", datetime(2026, 11, 23, 6, 4, 5, 123456, zone(5, 30))),
        ("2026-11-23_06:04:05", datetime(2026, 11, 23, 6, 4, 5)),
        ("20261123-060405", datetime(2026, 11, 23, 6, 4, 5)),
        ("2026-11-23-06:04:05+05:00", datetime(2026, 11, 23, 6, 4, 5, tzinfo=zone(5))),
        ("2026-12-31T24:00:00", datetime(2027, 1, 1)),
        ("2026-12-31T24:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00", datetime.min),
        ("9999-12-31T23:59:59.999999", datetime.max),
    ],
)
def test_iso_text_is_read_alike_on_every_python(text: str, moment: datetime) -> None:
    made = read(datetime, {"S": text})
    assert made == moment
    assert made.utcoffset() == moment.utcoffset()
    assert read(Annotated[datetime, Epoch("s")], {"S": text}) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-11-23T25:00",
        "2026-11-23T06:04:05+25:00",
        "1790000000",
        "2026-11-23T",
        "06:04",
        # What Python reads from 3.11 on, or before 3.11, and ISO 8601 does not have.
        "1" * 15,
        "1701112212233445566",
        "1" * 5000,
        "20261123T060405123",
        "2026-11-23T060405123",
        "2026-11-23T06:100Z",
        "2026-11-23T06:04:005+01:00",
        "2026-11-23T06:04:05:123456",
        "2026-11-23T06:04:Z",
        "2026-11-23T06:04:05W-05:30",
        "2026-11-23T06:04:05.-05:30",
        "2026-11-23T06:+04:05",
        "2026-11-23106:04:05",
        "2026-11-23T24:00:01",
        "2026-11-23T06:04:\u0660\u0665",
        # A day with an offset, as XML has it, is no hour of the day.
        "2026-11-23+05:00",
        "2026-11-23-05:00",
        "20261123-0500",
        "2026-11-23+05",
        "2026-W48-05:00",
    ],
)
def test_what_is_no_datetime_is_refused(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"S": text}}, holding(datetime))
    assert caught.value.expected == "ISO 8601 text in S, or an epoch number in N"
    assert caught.value.found == "malformed S"


def made_of(reader: Any, text: str) -> Any:
    try:
        made = reader({"a": {"S": text}})
    except DecodeError as error:
        return str(error)
    return made, made.a.utcoffset()


SPELLED = [
    "2026-11-23T06:04:05",
    "2026-11-23T06:04:05Z",
    "2026-11-23T06:04:05.123456+01:00",
    "2026-11-23T06:04:05.5-05:30:10.25",
    "2026-W47-1T10:00:00,123",
    "20261123T060405.25+0100",
]


@given(
    st.sampled_from(SPELLED),
    st.lists(
        st.tuples(
            st.integers(0, 34), st.integers(0, 1), st.text("0123456789:.,+-ZTW \u0660", max_size=2)
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_the_generated_code_reads_what_the_slow_reader_reads(
    text: str, changes: list[tuple[int, int, str]]
) -> None:
    for at, cut, put in changes:
        text = text[:at] + put + text[at + cut :]
    codec: Any = codec_for(holding(datetime))
    assert made_of(codec.decode, text) == made_of(codec.read_slowly, text)


@pytest.mark.parametrize(
    ("unit", "number", "moment"),
    [
        ("s", "0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("s", "1795392000", datetime(2026, 11, 23, tzinfo=UTC)),
        ("s", "-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("s", "1.5", datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)),
        ("s", "1.0000019", datetime(1970, 1, 1, 0, 0, 1, 1, UTC)),
        ("s", "-0.0000001", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
        ("s", "1E+3", datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)),
        ("s", "253402300799", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("ms", "1500", datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)),
        ("ms", "1.5", datetime(1970, 1, 1, 0, 0, 0, 1500, UTC)),
        ("us", "1500", datetime(1970, 1, 1, 0, 0, 0, 1500, UTC)),
        ("us", "-1", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    ],
)
def test_epoch_numbers(unit: Any, number: str, moment: datetime) -> None:
    made = read(Annotated[datetime, Epoch(unit)], {"N": number})
    assert made == moment
    assert made.tzinfo is UTC


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        ("99999999999", datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        ("253402300800", datetime(1978, 1, 11, 21, 31, 40, 800000, UTC)),
        ("99999999999999", datetime(5138, 11, 16, 9, 46, 39, 999000, UTC)),
        ("253402300800000", datetime(1978, 1, 11, 21, 31, 40, 800000, UTC)),
        ("1795392000000000", datetime(2026, 11, 23, tzinfo=UTC)),
        ("1795392000000000123", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_without_epoch_the_magnitude_tells_the_unit(number: str, moment: datetime) -> None:
    assert read(datetime, {"N": number}) == moment


@pytest.mark.parametrize(
    "number",
    ["100000000000", "253402300799", "-100000000000", "100000000000000", "100000000000000000"],
)
def test_a_number_of_two_possible_units_is_refused(number: str) -> None:
    with pytest.raises(DecodeError, match="two possible units: use Epoch"):
        read(datetime, {"N": number})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20261123T060400Z", datetime(2026, 11, 23, 6, 4, tzinfo=UTC)),
        ("20261123T0604", datetime(2026, 11, 23, 6, 4)),
        ("20261123", datetime(2026, 11, 23)),
        ("2026-11-23T06", datetime(2026, 11, 23, 6)),
        ("2026-W48-1", datetime(2026, 11, 23)),
        ("2026W481T0604Z", datetime(2026, 11, 23, 6, 4, tzinfo=UTC)),
        ("2026-11-23T06:04:00+00:00:01.5", datetime(2026, 11, 23, 6, 3, 58, 500_000, tzinfo=UTC)),
    ],
)
def test_basic_forms_are_read_on_every_python(text: str, moment: datetime) -> None:
    assert read(datetime, {"S": text}) == moment
    assert datetime_from_iso(text) == moment


def test_a_date_has_the_forms_of_a_datetimes_day() -> None:
    for text in ("2026-11-23", "20261123", "2026-W48-1", "2026W481"):
        assert read(date, {"S": text}) == date(2026, 11, 23)


@pytest.mark.parametrize("number", ["1E+30", "1E+40", "1E+9999", "-1E+20", "253402300800"])
def test_a_number_past_the_year_9999_is_refused(number: str) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"N": number}}, holding(Annotated[datetime, Epoch("s")]))
    assert caught.value.found == "a number out of range"
    with pytest.raises(DecodeError, match="malformed N"):
        from_item({"a": {"N": "x"}}, holding(Annotated[datetime, Epoch("s")]))


@pytest.mark.parametrize(
    ("unit", "moment", "text"),
    [
        ("s", datetime(2026, 11, 23, tzinfo=UTC), "1795392000"),
        ("s", datetime(2026, 11, 23, tzinfo=zone(1)), "1795388400"),
        ("s", datetime(1970, 1, 1, microsecond=120000, tzinfo=UTC), "0.12"),
        ("s", datetime(1970, 1, 1, tzinfo=UTC), "0"),
        ("s", datetime(1969, 12, 31, 23, 59, 59, 500000, UTC), "-0.5"),
        ("s", datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC), "1000"),
        ("ms", datetime(1970, 1, 1, microsecond=1500, tzinfo=UTC), "1.5"),
        ("ms", datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC), "10000"),
        ("us", datetime(1970, 1, 1, microsecond=1500, tzinfo=UTC), "1500"),
    ],
)
def test_epochs_are_written_exactly(unit: Any, moment: datetime, text: str) -> None:
    model = holding(Annotated[datetime, Epoch(unit)])
    assert to_item(model(moment)) == {"a": {"N": text}}
    assert from_item(to_item(model(moment)), model) == model(moment)


def test_a_new_type_of_datetime_may_be_an_epoch() -> None:
    Moment = NewType("Moment", datetime)
    model = holding(Annotated[Moment | None, Epoch("s")])
    assert to_item(model(Moment(datetime(1970, 1, 1, tzinfo=UTC)))) == {"a": {"N": "0"}}


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_datetime_of_a_year_that_utc_does_not_have_has_no_epoch(unit: Any) -> None:
    model = holding(Annotated[datetime, Epoch(unit)])
    for edge, ahead in ((datetime.min, 1), (datetime.max, -1)):
        moment = edge.replace(tzinfo=timezone.utc)
        assert from_item(to_item(model(moment)), model) == model(moment)
        beyond = edge.replace(tzinfo=timezone(timedelta(minutes=ahead)))
        with pytest.raises(EncodeError, match="a datetime that UTC has too") as caught:
            to_item(model(beyond))
        assert caught.value.path == "a"
        assert from_item(to_item(holding(datetime)(beyond)), holding(datetime)).a == beyond


def test_a_naive_datetime_has_no_epoch() -> None:
    with pytest.raises(EncodeError, match="expected an aware datetime for Epoch, got a naive one"):
        to_item(holding(Annotated[datetime, Epoch("s")])(datetime(2026, 1, 1)))


def test_a_time_to_live_is_read_by_the_generated_code() -> None:
    model = holding(Annotated[datetime, Epoch("s")])
    assert quickly({"a": {"N": "1795392000"}}, model).a == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(weeks=2)),
        ("P1W2DT3H4M5.5S", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5.5)),
        ("PT1H", timedelta(hours=1)),
        ("PT90M", timedelta(minutes=90)),
        ("PT0,000001S", timedelta(microseconds=1)),
        ("-PT1M", timedelta(minutes=-1)),
        ("+P1D", timedelta(days=1)),
        ("PT0S", timedelta(0)),
    ],
)
def test_iso_durations_are_read(text: str, length: timedelta) -> None:
    assert read(timedelta, {"S": text}) == length


@pytest.mark.parametrize(
    "wire",
    [{"S": text} for text in ("", "P", "PT", "P1DT", "P1Y", "P1M", "1D", "PT1", "P1H", "-", "x")]
    + [{"N": text} for text in ("x", "1E+20", "1E+31")],
    ids=str,
)
def test_what_is_no_duration_is_refused(wire: dict[str, str]) -> None:
    with pytest.raises(DecodeError, match="seconds in N, or an ISO 8601 duration in S"):
        from_item({"a": wire}, holding(timedelta))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0"),
        (timedelta(seconds=60), "60"),
        (timedelta(days=-1, microseconds=1), "-86399.999999"),
        (timedelta.max, "86399999999999.999999"),
        (timedelta.min, "-86399999913600"),
    ],
)
def test_durations_are_seconds(length: timedelta, text: str) -> None:
    model = holding(timedelta)
    assert to_item(model(length)) == {"a": {"N": text}}
    assert quickly({"a": {"N": text}}, model).a == length


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("06:04", time(6, 4)),
        ("06:04:05", time(6, 4, 5)),
        ("06:04:05.5", time(6, 4, 5, 500000)),
        ("06:04:05.123456789Z", time(6, 4, 5, 123456, UTC)),
        ("06:04+0130", time(6, 4, tzinfo=zone(1, 30))),
        ("06:04:05-01", time(6, 4, 5, tzinfo=zone(-1))),
        ("T06:04:05", time(6, 4, 5)),
    ],
)
def test_times_are_read_alike_on_every_python(text: str, moment: time) -> None:
    made = read(time, {"S": text})
    assert made == moment
    assert made.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize("kind", [date, time])
@pytest.mark.parametrize(
    "text", ["", "x", "2026-11-23T06:04", "25:00", "24:00", "2026-02-30", "060405123", "06:100"]
)
def test_what_is_no_date_or_time_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(DecodeError, match=f"an ISO 8601 {kind.__name__} in S"):
        from_item({"a": {"S": text}}, holding(kind))


@pytest.mark.parametrize(
    ("kind", "value", "expected", "found"),
    [
        (datetime, date(2026, 1, 1), "datetime", "date"),
        (datetime, "2026-01-01", "datetime", "str"),
        (Annotated[datetime, Epoch("s")], 5, "datetime", "int"),
        (date, datetime(2026, 1, 1), "date", "datetime"),
        (date, "2026-01-01", "date", "str"),
        (time, datetime(2026, 1, 1), "time", "datetime"),
        (timedelta, 5, "timedelta", "int"),
    ],
)
def test_a_value_of_another_type_is_refused(
    kind: Any, value: Any, expected: str, found: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        to_item(holding(kind)(value))
    assert (caught.value.path, caught.value.expected, caught.value.found) == ("a", expected, found)


def test_the_decimal_context_is_not_asked() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = context.traps[decimal.Rounded] = True
        moment = datetime(2026, 11, 23, 1, 2, 3, 456789, UTC)
        for unit in ("s", "ms", "us"):
            model = holding(Annotated[datetime, Epoch(unit)])  # type: ignore[arg-type]
            assert from_item(to_item(model(moment)), model).a == moment
        assert from_item({"a": {"N": "1795392000.123"}}, holding(datetime)).a.microsecond == 123000
        long = timedelta(days=12345, microseconds=678901)
        assert from_item(to_item(holding(timedelta)(long)), holding(timedelta)).a == long
        seconds = from_item({"a": {"S": "PT12345.678901S"}}, holding(timedelta)).a
        assert seconds == timedelta(seconds=12345, microseconds=678901)


def test_an_epoch_is_exact_to_the_last_microsecond() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    model = holding(Annotated[datetime, Epoch("s")])
    assert to_item(model(last)) == {"a": {"N": "253402300799.999999"}}
    assert from_item(to_item(model(last)), model).a == last


def test_a_zero_of_any_exponent_is_the_epoch() -> None:
    made = from_item({"a": {"N": "0E+999999"}}, holding(Annotated[datetime, Epoch("s")]))
    assert made.a == datetime(1970, 1, 1, tzinfo=timezone.utc)
