"""``@keys``: fields in composite keys, both ways and inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import (
    Any,
    Literal,
)
from uuid import UUID

import pytest

from ddbstream import from_item, keys, to_item
from ddbstream.exceptions import DecodeError, EncodeError, KeyTemplateError, ModelDefinitionError
from tests.unit.model.reading import codec_for, quickly, round_trips, slowly

ID = UUID("12345678-1234-5678-1234-56781234abcd")


class Colour(Enum):
    RED = "red"


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(slots=True)
class Product:
    id: UUID
    name: str


@keys(PK="T#{tenant}#U#{user}", SK="{{v}}{number:05d}!", GSI1PK="day-{day}")
@dataclass
class Wide:
    tenant: str
    user: int
    number: int
    day: date | None = None


def test_a_field_is_read_from_its_key_and_written_to_it() -> None:
    item = round_trips(Product(ID, "x"))
    assert item == {
        "PK": {"S": f"Product#{ID}"},
        "SK": {"S": "User#Product"},
        "name": {"S": "x"},
    }


def test_a_key_of_text_alone_may_stand_before_those_with_fields() -> None:
    @keys(PK="Products", SK="Product#{id}", GSI1PK="All", GSI1SK="{name}")
    @dataclass
    class Listed:
        id: int
        name: str

    for read in (quickly, slowly):
        assert read(to_item(Listed(1, "x")), Listed) == Listed(1, "x")


def test_several_fields_formats_and_braces() -> None:
    assert round_trips(Wide("a", 7, 42, date(2026, 11, 23))) == {
        "PK": {"S": "T#a#U#7"},
        "SK": {"S": "{v}00042!"},
        "GSI1PK": {"S": "day-2026-11-23"},
    }
    round_trips(Wide("", -7, 1234567))


def test_a_key_with_a_none_in_it_is_left_out() -> None:
    assert "GSI1PK" not in round_trips(Wide("a", 1, 2))


def test_a_key_after_one_that_is_left_out_is_written() -> None:
    @keys(PK="P#{id}", GSI1PK="D#{day}", GSI2PK="N#{name}")
    @dataclass
    class Indexed:
        id: str
        day: date | None
        name: str | None = None

    day = date(2026, 11, 26)
    assert round_trips(Indexed("a", None, "x")) == {"PK": {"S": "P#a"}, "GSI2PK": {"S": "N#x"}}
    assert round_trips(Indexed("a", day)) == {"PK": {"S": "P#a"}, "GSI1PK": {"S": f"D#{day}"}}


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        (f"Order#{ID}", "User#Product"),
        (f"Product#{ID}", "User#Order"),
        (f"Product#{ID}", ""),
        (f"Product#{ID}", "User#ProductX"),
        ("", "User#Product"),
        ("Product#", "User#Product"),
        ("Product#secret", "User#Product"),
        (f"Product#{str(ID).upper()}", "User#Product"),
        (f"Product#{ID.hex}", "User#Product"),
        (f"Product#{{{ID}}}", "User#Product"),
        (f"product#{ID}", "User#Product"),
        (f"XProduct#{ID}", "User#Product"),
    ],
)
def test_a_key_that_does_not_match_is_a_key_template_error(pk: str, sk: str) -> None:
    item = {"PK": {"S": pk}, "SK": {"S": sk}, "name": {"S": "x"}}
    with pytest.raises(KeyTemplateError) as caught:
        from_item(item, Product)
    assert caught.value.path == ("SK" if sk != "User#Product" else "PK")
    assert caught.value.model is Product
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("T#a#U#007", "{v}00042!"),
        ("T#a#U#+7", "{v}00042!"),
        ("T#a#U#7.0", "{v}00042!"),
        ("T#a", "{v}00042!"),
        ("T#a#U#7", "{v}42!"),
        ("T#a#U#7", "{v}000042!"),
        ("T#a#U#7", "{v}00042"),
        ("T#a#U#7", "{v}"),
        ("T#a#U#7", "v00042!"),
    ],
)
def test_what_would_not_be_written_the_same_is_not_read(pk: str, sk: str) -> None:
    with pytest.raises(KeyTemplateError) as caught:
        from_item({"PK": {"S": pk}, "SK": {"S": sk}}, Wide)
    assert (caught.value.expected, caught.value.found) in {
        ("user as it would be written", "other text"),
        ("number as it would be written", "other text"),
        ("a key like T#{tenant}#U#{user}", "another"),
        ("a key like {{v}}{number:05d}!", "another"),
    }


@pytest.mark.parametrize("tenant", ["#U#", "a#U#b", "a#U#", "x#U"])
def test_what_would_not_be_read_the_same_is_not_written(tenant: str) -> None:
    with pytest.raises(EncodeError, match="separates the parts") as caught:
        to_item(Wide(tenant, 1, 2))
    assert caught.value.path == "PK"
    assert tenant not in str(caught.value).replace("{tenant}#U#{user}", "")


@pytest.mark.parametrize(
    ("missing", "path"), [("PK", "PK"), ("SK", "SK")], ids=["with a field", "literal"]
)
def test_a_missing_key_is_an_error(missing: str, path: str) -> None:
    item = to_item(Product(ID, "x"))
    del item[missing]
    with pytest.raises(DecodeError, match="expected S, got nothing") as caught:
        from_item(item, Product)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "stored", [{}, {"PK": {"S": "x"}, "SK": {"S": "y"}}], ids=["missing", "of other texts"]
)
def test_each_key_that_is_wrong_is_an_error_of_its_own(stored: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({**stored, "name": {"S": "x"}}, Product)
    assert [error.path for error in caught.value.errors] == ["PK", "SK"]


def test_a_key_that_is_absent_gives_its_field_the_default() -> None:
    @keys(PK="P#{id}", GSI1PK="N#{number}")
    @dataclass
    class Ranked:
        id: str
        number: int | None = 5

    for read in (quickly, slowly):
        assert read({"PK": {"S": "P#a"}}, Ranked) == Ranked("a", 5)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ({"N": "1"}, "N"),
        ({"S": 5}, "malformed S"),
        (None, "nothing"),
        ({"S": "x", "N": "1"}, "2 tags (N, S)"),
    ],
)
def test_a_key_that_is_no_text_is_an_error(key: Any, found: str) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({**to_item(Product(ID, "x")), "PK": key}, Product)
    assert (caught.value.path, caught.value.found) == ("PK", found)
    assert caught.value.expected == ("text in S" if found == "malformed S" else "S")


def test_a_field_in_two_keys_must_be_the_same_in_both() -> None:
    @keys(PK="P#{id}", SK="P#{id}#{n}")
    @dataclass
    class Twice:
        id: str
        n: int

    item = round_trips(Twice("a", 1))
    assert item["SK"] == {"S": "P#a#1"}
    with pytest.raises(
        KeyTemplateError, match="expected the id of the other keys, got another at SK"
    ):
        from_item({"PK": {"S": "P#a"}, "SK": {"S": "P#b#1"}}, Twice)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (str, "a#b", "a#b"),
        (int, -5, "-5"),
        (bool, True, "true"),
        (Decimal, Decimal("1.50"), "1.50"),
        (float, 1e22, "1e+22"),
        (bytes, b"ab", "YWI="),
        (UUID, ID, str(ID)),
        (date, date(2026, 1, 2), "2026-01-02"),
        (datetime, datetime(2026, 1, 2, tzinfo=timezone.utc), "2026-01-02T00:00:00+00:00"),
        (Colour, Colour.RED, "red"),
        (Literal["a", "b"], "b", "b"),
    ],
    ids=str,
)
def test_typed_parts(kind: Any, value: Any, text: str) -> None:
    @keys(PK="{id}")
    @dataclass
    class Model:
        id: kind

    assert round_trips(Model(value)) == {"PK": {"S": text}}


def test_a_wrong_value_in_a_key_is_refused_at_the_key() -> None:
    for value, expected, found in ((5, "UUID", "int"), (None, "a value in a key", "None")):
        with pytest.raises(EncodeError) as caught:
            to_item(Product(value, "x"))  # type: ignore[arg-type]
        error = caught.value
        assert (error.path, error.expected, error.found) == ("PK", expected, found)


def test_a_subclass_inherits_keys_and_replaces_them() -> None:
    @keys(SK="User#Gadget")
    @dataclass
    class Gadget(Product):
        volts: int = 0

    assert round_trips(Gadget(ID, "x", 5))["SK"] == {"S": "User#Gadget"}
    assert round_trips(Gadget(ID, "x", 5))["PK"] == {"S": f"Product#{ID}"}
    assert round_trips(Product(ID, "x"))["SK"] == {"S": "User#Product"}


def test_the_texts_around_a_field_do_not_overlap() -> None:
    @keys(PK="a#{id}#a")
    @dataclass
    class Model:
        id: str

    round_trips(Model(""))
    round_trips(Model("#"))
    with pytest.raises(KeyTemplateError):
        from_item({"PK": {"S": "a#a"}}, Model)


def test_the_decorators_stand_in_either_order() -> None:
    @dataclass
    @keys(PK="P#{id}")
    class Model:
        id: str

    assert round_trips(Model("a")) == {"PK": {"S": "P#a"}}


def test_a_nested_model_has_keys_of_its_own() -> None:
    @dataclass
    class Outer:
        inner: Product
        others: list[Product] = field(default_factory=list)

    round_trips(Outer(Product(ID, "x"), [Product(ID, "y")]))
    with pytest.raises(KeyTemplateError) as caught:
        from_item(
            {"inner": {"M": {**to_item(Product(ID, "x")), "PK": {"S": "x"}}}, "others": {"L": []}},
            Outer,
        )
    assert caught.value.path == "inner.PK"


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{",
        "}",
        "{a",
        "a}",
        "{}",
        "{0}",
        "{a.b}",
        "{a[0]}",
        "{a!r}",
        "{a:{b}}",
        "{a}{b}",
        "{a b}",
    ],
)
def test_a_template_that_cannot_work_fails_at_once(template: str) -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        keys(PK=template)
    assert caught.value.path == "PK"


def test_a_template_that_does_not_fit_its_class_fails_when_bound() -> None:
    @keys(PK="{nothing}")
    @dataclass
    class Stranger:
        a: str

    @keys(PK="{a}")
    @dataclass
    class NoText:
        a: list[int]

    @keys(PK="{a:05d}")
    @dataclass
    class NoNumber:
        a: str

    @keys(a="{b}")
    @dataclass
    class Clash:
        a: str
        b: str

    for model, words in (
        (Stranger, "no field nothing"),
        (NoText, "no text for a key"),
        (NoNumber, "a format is for an int"),
        (Clash, "stored as a"),
    ):
        with pytest.raises(ModelDefinitionError, match=words):
            codec_for(model)


@pytest.mark.parametrize("spec", ["06d", "d", "+d", "+012d"])
def test_a_format_that_writes_what_is_read_again(spec: str) -> None:
    cls = keys(PK=f"A#{{a:{spec}}}")(make_dataclass("Model", [("a", int)]))
    for number in (0, 5, -5, 10**30):
        assert from_item(to_item(cls(number)), cls) == cls(number)


@pytest.mark.parametrize("spec", ["0>8", "0>30d"])
def test_a_format_that_keeps_all_but_negative_ints_refuses_those_when_they_are_written(
    spec: str,
) -> None:
    cls = keys(PK=f"A#{{a:{spec}}}")(make_dataclass("Model", [("a", int)]))
    for number in (0, 5, 10**30):
        assert from_item(to_item(cls(number)), cls) == cls(number)
    with pytest.raises(EncodeError, match="would not be read as the same int") as caught:
        to_item(cls(-5))
    assert caught.value.path == "PK"


@pytest.mark.parametrize(
    "spec", ["x", "b", "o", "c", ",", "_d", ">8", "q", ".3f", "08.0f", "e", "%"]
)
def test_a_format_whose_texts_are_read_as_no_or_another_int_fails_when_bound(spec: str) -> None:
    cls = keys(PK=f"A#{{a:{spec}}}")(make_dataclass("Model", [("a", int)]))
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(cls)
    problem = "what this format writes would not be read as the same int"
    assert caught.value.problem == f"'A#{{a:{spec}}}': {problem}"
    assert (caught.value.path, caught.value.model) == ("a", cls)


def test_a_member_of_another_enum_in_a_key() -> None:
    class Colour(Enum):
        RED = "red"

    class Other(Enum):
        YES = 1

    @keys(PK="{a}")
    @dataclass
    class Model:
        a: Colour

    with pytest.raises(EncodeError) as caught:
        to_item(Model(Other.YES))  # type: ignore[arg-type]
    assert (caught.value.expected, caught.value.found) == ("Colour", "Other")


@keys(PK="{a}", SK="S")
@dataclass
class Keyed:
    a: str


@keys(PK="A#{a}", SK="B#{a}")
@dataclass
class Twice:
    a: str


@pytest.mark.parametrize("read", [from_item, slowly])
@pytest.mark.parametrize(
    ("model", "pk", "sk", "path"),
    [
        (Keyed, "x", "T", "SK"),
        (Keyed, 5, "S", "PK"),
        (Twice, "A#x", "B#y", "SK"),
    ],
)
def test_a_key_of_another_text_is_refused(
    read: Callable[[Any, Any], Any], model: Any, pk: Any, sk: str, path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        read({"PK": {"S": pk}, "SK": {"S": sk}}, model)
    assert caught.value.path == path


def test_an_optional_field_of_a_key_is_read_by_the_generated_code() -> None:
    @keys(PK="U#{a}")
    @dataclass
    class Model:
        a: str | None

    assert quickly({"PK": {"S": "U#x"}}, Model) == Model("x")
