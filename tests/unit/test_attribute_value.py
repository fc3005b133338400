"""Values without a model: ten tags, both wires, exactly, and only DDBStreamError for the rest."""

from __future__ import annotations

import decimal
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary

from ddbstream import from_attribute_value, from_item, to_attribute_value, to_item
from ddbstream.exceptions import DecodeError, EncodeError
from tests.support.errors import too_deep

TEN_TAGS: list[tuple[dict[str, Any], Any]] = [
    ({"S": "x"}, "x"),
    ({"S": ""}, ""),
    ({"N": "1.10"}, Decimal("1.10")),
    ({"B": b"ab"}, b"ab"),
    ({"B": b""}, b""),
    ({"BOOL": True}, True),
    ({"BOOL": False}, False),
    ({"NULL": True}, None),
    ({"L": [{"S": "x"}, {"N": "1"}, {"BOOL": True}, {"L": []}]}, ["x", Decimal(1), True, []]),
    ({"M": {"a": {"S": "x"}, " ": {"M": {}}}}, {"a": "x", " ": {}}),
    ({"SS": ["x", "y"]}, {"x", "y"}),
    ({"NS": ["1", "2.5"]}, {Decimal(1), Decimal("2.5")}),
    ({"BS": [b"ab", b""]}, {b"ab", b""}),
]


def nested(levels: int, tag: str = "L") -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]} if tag == "L" else {"M": {"a": value}}
    return value


class Lookalike:
    """Has what boto3's ``Binary`` has, and is none."""

    def __init__(self) -> None:
        self.value = b"x"


class Brittle(Mapping[str, Any]):
    """A mapping of the caller's own whose code fails."""

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError("secret")

    def __iter__(self) -> Iterator[str]:
        return iter(["S"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(("wire", "value"), TEN_TAGS)
def test_each_tag_becomes_its_python_value(wire: dict[str, Any], value: Any) -> None:
    made = from_attribute_value(wire)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(("wire", "value"), TEN_TAGS)
def test_usual_values_are_read_without_the_slow_reader(
    wire: dict[str, Any], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        pytest.fail("the fast path did not take it")

    monkeypatch.setattr("ddbstream._values.attribute_values.guarded", refuse)
    as_json = json.loads(json.dumps(to_attribute_value(value, wire="json")))
    for usual in (wire, as_json):
        assert from_attribute_value(usual) == value
        assert from_item({"a": usual}) == {"a": value}
        assert from_item({"a": {"L": [usual]}, "b": {"M": {"c": usual}}}) == {
            "a": [value],
            "b": {"c": value},
        }


@pytest.mark.parametrize(("wire", "value"), TEN_TAGS)
def test_each_value_is_written_as_its_tag(wire: dict[str, Any], value: Any) -> None:
    written = to_attribute_value(value)
    assert list(written) == list(wire)
    assert from_attribute_value(written) == value


@pytest.mark.parametrize(("_wire", "value"), TEN_TAGS)
def test_the_json_wire_is_json_and_reads_back(_wire: dict[str, Any], value: Any) -> None:
    written = json.loads(json.dumps(to_attribute_value(value, wire="json")))
    assert from_attribute_value(written) == value


def test_binaries_are_bytes_to_boto3_and_base64_in_json() -> None:
    assert to_attribute_value(b"ab") == {"B": b"ab"}
    assert to_attribute_value(b"ab", wire="json") == {"B": "YWI="}
    assert to_attribute_value({b"ab"}, wire="json") == {"BS": ["YWI="]}
    assert to_attribute_value([{"a": b"ab"}], wire="json") == {"L": [{"M": {"a": {"B": "YWI="}}}]}


@pytest.mark.parametrize(
    "payload",
    [b"ab", bytearray(b"ab"), memoryview(b"ab"), Binary(b"ab"), Binary(bytearray(b"ab")), "YWI="],
)
def test_every_form_of_a_binary_is_read_as_bytes(payload: Any) -> None:
    for value, expected in (
        ({"B": payload}, b"ab"),
        ({"BS": [payload]}, {b"ab"}),
        ({"L": [{"B": payload}]}, [b"ab"]),
    ):
        assert from_attribute_value(value) == expected
    assert type(from_attribute_value({"B": payload})) is bytes


@pytest.mark.parametrize("value", [bytearray(b"ab"), memoryview(b"ab"), Binary(b"ab")])
def test_every_form_of_a_binary_is_written(value: Any) -> None:
    assert to_attribute_value(value) == {"B": b"ab"}
    assert type(to_attribute_value(value)["B"]) is bytes
    assert to_attribute_value(value, wire="json") == {"B": "YWI="}


@pytest.mark.parametrize(
    "text", ["YWI", "YWI==", "Y!WI=", "YW I=", "YWI=\n", "YWJ=YWI=", "YR==", "é", "_-8="]
)
def test_base64_that_aws_does_not_write_is_refused_with_its_path(text: str) -> None:
    for item in ({"b": {"L": [{"B": text}]}}, {"b": {"BS": [text]}}):
        with pytest.raises(DecodeError) as caught:
            from_item(item)
        assert caught.value.path == "b[0]"
        assert caught.value.expected == "bytes or base64 text in B"
        assert text not in str(caught.value)


def test_data_never_decides_what_a_tag_is() -> None:
    assert from_attribute_value({"M": {"S": {"S": "x"}}}) == {"S": "x"}
    assert from_item({"S": {"S": "x"}, "M": {"M": {"N": {"N": "1"}}}}) == {"S": "x", "M": {"N": 1}}
    assert to_attribute_value({"S": "x"}) == {"M": {"S": {"S": "x"}}}


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "1",
        "1.10",
        "-1.5",
        "9.9999999999999999999999999999999999999E+125",
        "-9.9999999999999999999999999999999999999E+125",
        "1E-130",
        "-1E-130",
        "12345678901234567890123456789012345678",
        "0.00012345678901234567890123456789012345678",
    ],
)
def test_numbers_keep_every_digit_both_ways(text: str) -> None:
    number = from_attribute_value({"N": text})
    assert str(number) == str(Decimal(text))
    assert Decimal(to_attribute_value(number)["N"]) == Decimal(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("1" + "0" * 60), "1E+60"),
        (Decimal("-1.50000000000000000000000000000000000000000000"), "-15E-1"),
        (Decimal("00.1"), "0.1"),
        (Decimal("0E+500"), "0"),
        (Decimal("-0"), "-0"),
        (10**60, "1E+60"),
        (-(10**125), "-1E+125"),
        (10**37 + 1, "10000000000000000000000000000000000001"),
        (True + 1, "2"),
        (0.1, "0.1"),
        (1e100, "1e+100"),
        (-0.0, "-0.0"),
        (5.0, "5.0"),
    ],
)
def test_zeros_at_the_ends_are_no_digits(number: Any, text: str) -> None:
    assert to_attribute_value(number) == {"N": text}
    assert from_attribute_value({"N": text}) == (
        Decimal(repr(number)) if isinstance(number, float) else number
    )


@pytest.mark.parametrize(
    "number",
    [
        10**126,
        -(10**126),
        10**5000,
        10**38 + 1,
        Decimal("1E+126"),
        Decimal("1E-131"),
        Decimal("-1E-131"),
        Decimal("1" * 39),
        Decimal("0." + "1" * 39),
        Decimal("NaN"),
        Decimal("-Infinity"),
        float("nan"),
        float("inf"),
        1e126,
        1e-131,
        5e-324,
    ],
    ids=lambda number: str(type(number)),
)
def test_a_number_that_dynamodb_cannot_hold_is_refused(number: Any) -> None:
    for value in (number, {number}, [number]):
        with pytest.raises(EncodeError):
            to_attribute_value(value)


@pytest.mark.parametrize(
    ("number", "expected", "found"),
    [
        (10**126, "a number below 1E+126", "a larger one"),
        (Decimal("1E+126"), "a magnitude from 1E-130 to 9.99E+125", "a number out of range"),
        (1e-200, "a magnitude from 1E-130 to 9.99E+125", "a number out of range"),
        (Decimal("1" * 39), "at most 38 significant digits", "more"),
        (10**38 + 1, "at most 38 significant digits", "more"),
        (float("inf"), "a finite number", "NaN or Infinity"),
    ],
    ids=str,
)
def test_a_refused_number_says_which_limit_it_breaks(
    number: Any, expected: str, found: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        to_attribute_value({"a": [number]})
    error = caught.value
    assert (error.path, error.expected, error.found) == ("a[0]", expected, found)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10**38, "1E+38"),
        (-(10**38), "-1E+38"),
        (10**38 - 1, "9" * 38),
        (1 - 10**38, "-" + "9" * 38),
        (10**126 - 10**88, "9" * 38 + "E+88"),
        (Decimal("1" * 38 + "0"), "1" * 38 + "E+1"),
        (Decimal("-0E+500"), "-0"),
        (Decimal("0E-131"), "0"),
        (Decimal("0E-130"), "0E-130"),
        (Decimal("0E+125"), "0E+125"),
        (Decimal((0, (0, 0, *[1] * 38), -5)), "1" * 33 + "." + "1" * 5),
    ],
)
def test_the_edges_of_38_digits(number: Any, text: str) -> None:
    assert to_attribute_value(number) == {"N": text}
    assert from_attribute_value({"N": text}) == number


def test_a_signalling_nan_is_refused_without_signalling() -> None:
    with pytest.raises(EncodeError, match="finite"):
        to_attribute_value(Decimal("sNaN"))


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "abc",
        "NaN",
        "sNaN",
        "-Infinity",
        "inf",
        "1_0",
        " 1",
        "1 ",
        "1e",
        "0x1",
        "--1",
        None,
        True,
        b"1",
        [1],
    ],
)
def test_what_is_no_number_is_refused_without_being_printed(payload: Any) -> None:
    for value in ({"N": payload}, {"NS": [payload]}, {"M": {"secret": {"N": payload}}}):
        with pytest.raises(DecodeError) as caught:
            from_attribute_value(value)
        assert caught.value.expected == "a number in N"


def test_a_number_without_its_quotes_is_read() -> None:
    assert from_attribute_value({"N": 7}) == Decimal(7)
    assert str(from_attribute_value({"N": 0.1})) == "0.1"
    assert from_attribute_value({"NS": [1, "1.0", 2.5]}) == {Decimal(1), Decimal("2.5")}


@pytest.mark.parametrize("trap", [decimal.Inexact, decimal.Rounded, decimal.InvalidOperation, None])
def test_the_decimal_context_is_neither_asked_nor_changed(trap: Any) -> None:
    digits = "1.2345678901234567890123456789012345678"
    with decimal.localcontext() as context:
        context.prec = 3
        context.Emax = 5
        context.traps[decimal.InvalidOperation] = False
        if trap is not None:
            context.traps[trap] = True
        before = context.copy()
        assert str(from_attribute_value({"N": digits})) == digits
        assert from_attribute_value({"NS": [digits]}) == {Decimal(digits)}
        assert to_attribute_value(Decimal(digits)) == {"N": digits}
        assert to_attribute_value(Decimal("9E+125")) == {"N": "9E+125"}
        with pytest.raises(DecodeError):
            from_attribute_value({"N": "abc"})
        with pytest.raises(EncodeError):
            to_attribute_value(Decimal("1" * 39))
        assert repr(context) == repr(before)


# --- what is tolerated, and what is not ---------------------------------------------------------


def test_odd_input_that_means_one_thing_is_read() -> None:
    assert from_attribute_value({"SS": ["a", "a"]}) == {"a"}
    assert from_attribute_value({"SS": []}) == set()
    assert from_attribute_value({"NULL": False}) is None
    assert from_attribute_value({"L": ({"S": "x"},)}) == ["x"]
    assert from_attribute_value({"SS": {"a"}}) == {"a"}
    assert from_attribute_value({"BS": ["YWI=", b"ab"]}) == {b"ab"}


@pytest.mark.parametrize(
    ("value", "path", "expected", "found"),
    [
        (None, None, "an attribute value", "nothing"),
        ([], None, "an attribute value", "Python list"),
        ("S", None, "an attribute value", "Python str"),
        ({}, None, "an attribute value", "no tags"),
        ({"X": "secret"}, None, "an attribute value", "an unknown tag"),
        ({5: "secret"}, None, "an attribute value", "an unknown tag"),
        ({"S": "secret", "N": "1"}, None, "an attribute value", "2 tags (N, S)"),
        ({"S": "secret", "secret": 1}, None, "an attribute value", "2 tags (S)"),
        ({"S": None}, None, "text in S", "nothing"),
        ({"S": 5}, None, "text in S", "Python int"),
        ({"S": b"secret"}, None, "text in S", "Python bytes"),
        ({"BOOL": "true"}, None, "true or false in BOOL", "malformed text"),
        ({"BOOL": 1}, None, "true or false in BOOL", "Python int"),
        ({"NULL": "secret"}, None, "true in NULL", "malformed text"),
        ({"B": 5}, None, "bytes or base64 text in B", "Python int"),
        ({"L": {}}, None, "a list in L", "Python dict"),
        ({"L": "secret"}, None, "a list in L", "Python str"),
        ({"L": {"secret"}}, None, "a list in L", "Python set"),
        ({"SS": "secret"}, None, "a list in SS", "Python str"),
        ({"SS": [5]}, "[0]", "text in S", "Python int"),
        ({"SS": ["a", ["secret"]]}, "[1]", "text in S", "Python list"),
        ({"M": []}, None, "a map of attribute values", "Python list"),
        ({"M": {"a": {"L": [{"S": "x"}, {"S": 5}]}}}, "a[1]", "text in S", "Python int"),
        ({"L": [{"M": {"a": None}}]}, "[0].a", "an attribute value", "nothing"),
        ({"L": [{"M": {5: {"S": 5}}}]}, "[0]", "text as attribute names", "Python int"),
    ],
)
def test_what_is_no_attribute_value_says_where_and_why(
    value: Any, path: str | None, expected: str, found: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        from_attribute_value(value)
    error = caught.value
    assert (error.path, error.expected, error.found) == (path, expected, found)
    assert "secret" not in f"{error} {error!r} {vars(error)}"
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize("item", [None, [], "x", 5, object(), {"a"}, [{"S": "x"}]])
def test_what_is_no_item_is_a_decode_error(item: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item(item)
    assert caught.value.expected == "a map of attribute values"


def test_a_mapping_that_fails_is_a_decode_error_without_its_message() -> None:
    for read, value in (
        (from_item, {"a": Brittle()}),
        (from_item, Brittle()),
        (from_attribute_value, Brittle()),
    ):
        with pytest.raises(DecodeError) as caught:
            read(value)
        assert "secret" not in str(caught.value)
        assert "RuntimeError" in str(caught.value)
        assert caught.value.__context__ is None


@pytest.mark.parametrize("tag", ["L", "M"])
def test_the_levels_of_an_unusual_value_are_counted_alike(tag: str) -> None:
    def unusual(levels: int) -> Any:
        value: Any = {"N": 7}
        for _ in range(levels):
            value = {"L": [value]} if tag == "L" else {"M": {"a": value}}
        return value

    assert from_attribute_value(unusual(32))
    assert from_item({"a": unusual(32)})
    for refused in (
        lambda: from_attribute_value(unusual(33)),
        lambda: from_item({"a": unusual(33)}),
    ):
        with too_deep(DecodeError):
            refused()


@pytest.mark.parametrize("tag", ["L", "M"])
def test_all_32_levels_are_read_without_the_slow_reader(
    tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        pytest.fail("the fast path did not take it")

    monkeypatch.setattr("ddbstream._values.attribute_values.guarded", refuse)
    assert from_attribute_value(nested(32, tag))
    assert from_item({"a": nested(32, tag)})


@pytest.mark.parametrize("tag", ["L", "M"])
def test_32_levels_pass_and_33_do_not(tag: str) -> None:
    assert to_attribute_value(from_attribute_value(nested(32, tag))) == nested(32, tag)
    assert from_item({"a": nested(32, tag)})
    value: Any = "x"
    for _ in range(33):
        value = [value] if tag == "L" else {"a": value}
    for error, refused in (
        (DecodeError, lambda: from_attribute_value(nested(33, tag))),
        (DecodeError, lambda: from_item({"a": nested(33, tag)})),
        (EncodeError, lambda: to_attribute_value(value)),
        (EncodeError, lambda: to_item({"a": value})),
    ):
        with too_deep(error):
            refused()


def test_nesting_past_the_interpreters_stack_is_no_recursion_error() -> None:
    with pytest.raises(DecodeError):
        from_attribute_value(nested(100_000))
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EncodeError):
        to_attribute_value(endless)


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "path", "expected", "found"),
    [
        (object(), None, "a value DynamoDB has a type for", "object"),
        (Lookalike(), None, "a value DynamoDB has a type for", "Lookalike"),
        (1j, None, "a value DynamoDB has a type for", "complex"),
        (set(), None, "a set with members (DynamoDB stores no empty set)", "an empty set"),
        (frozenset(), None, "a set with members (DynamoDB stores no empty set)", "an empty set"),
        ({1, "a"}, None, "a set of all text, all numbers or all bytes", "a set of int, str"),
        ({True}, None, "a set of all text, all numbers or all bytes", "a set of bool"),
        ({None}, None, "a set of all text, all numbers or all bytes", "a set of NoneType"),
        ({5: "secret"}, None, "text as attribute names", "int"),
        ([1, {"a": [1j]}], "[1].a[0]", "a value DynamoDB has a type for", "complex"),
        (
            {"a": {"b": set()}},
            "a.b",
            "a set with members (DynamoDB stores no empty set)",
            "an empty set",
        ),
    ],
)
def test_what_dynamodb_cannot_store_says_where_and_why(
    value: Any, path: str | None, expected: str, found: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        to_attribute_value(value)
    error = caught.value
    assert (error.path, error.expected, error.found) == (path, expected, found)
    assert "secret" not in str(error)


def test_subclasses_are_written_as_what_they_are() -> None:
    class Text(str):
        __slots__ = ()

    class Whole(int):
        pass

    written = to_attribute_value({Text("a"): Text("b")})
    assert written == {"M": {"a": {"S": "b"}}}
    assert [type(name) for name in written["M"]] == [str]
    assert type(written["M"]["a"]["S"]) is str
    assert to_attribute_value(Whole(5)) == {"N": "5"}
    assert to_attribute_value((1, "x")) == {"L": [{"N": "1"}, {"S": "x"}]}


def test_another_wire_is_refused() -> None:
    for refused in (
        lambda: to_attribute_value(1, wire="yaml"),  # type: ignore[arg-type]
        lambda: to_item({}, wire="yaml"),  # type: ignore[call-overload]
    ):
        with pytest.raises(EncodeError, match="boto3"):
            refused()


def test_reading_copies_and_leaves_its_input_alone() -> None:
    item = {"l": {"L": [{"S": "x"}]}, "m": {"M": {}}, "s": {"SS": ["a"]}}
    before = json.dumps(item)
    made = from_item(item)
    made["l"].append(1)
    made["m"]["x"] = 1
    made["s"].add("b")
    assert json.dumps(item) == before
