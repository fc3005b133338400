"""What errors say, and small words that users try."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from enum import Enum
from typing import Annotated, Any, Optional

import pytest
from typing_extensions import Never, NotRequired, ReadOnly, Self, TypedDict

from ddbstream import Attribute, diff, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import model
from tests.unit.model.reading import codec_for, round_trips


class Colour(Enum):
    RED = "red"


@dataclass
class MapsOfFloat:
    d: dict[str, float]
    a: float


def test_a_value_of_no_member_is_another_value_and_not_malformed() -> None:
    @dataclass
    class Model:
        a: Colour

    with pytest.raises(DecodeError, match="expected a value of Colour in S, got another S at a"):
        from_item({"a": {"S": "blue"}}, Model)


def test_an_absent_tag_is_nothing_and_not_another() -> None:
    msgspec = pytest.importorskip("msgspec")
    cls = msgspec.defstruct("Cat", [("a", int)], tag="cat")
    with pytest.raises(DecodeError, match="the tag of Cat, got nothing at type"):
        from_item({"a": {"N": "1"}}, cls)


def test_what_an_attrs_validator_or_converter_refuses_is_named_by_its_attribute() -> None:
    attrs = pytest.importorskip("attrs")

    @attrs.frozen
    class Model:
        n: int = attrs.field(default=5, validator=[attrs.validators.ge(5), attrs.validators.le(9)])
        _private: Annotated[str, Attribute("Stored")] = attrs.field(
            default="", converter=lambda text: text[:3] + str(1 // len(text) if text else "")
        )
        odd: int = attrs.field(default=0)

        @odd.validator
        def check(self, attribute: object, value: int) -> None:
            if value % 2:
                raise ValueError(f"secret {value}")

        def __attrs_post_init__(self) -> None:
            if self.n == 6:
                raise KeyError("secret")

    for item, path, words in (
        ({"n": {"N": "4"}}, "n", "Model refused the value with ValueError"),
        ({"n": {"N": "10"}}, "n", "ValueError"),
        ({"odd": {"N": "3"}}, "odd", "ValueError"),
        ({"n": {"N": "6"}}, None, "Model refused its values with KeyError"),
    ):
        for nested in (False, True):
            cls = make_dataclass("Outer", [("inner", list[Model])]) if nested else Model
            whole = {"inner": {"L": [{"M": item}]}} if nested else item
            with pytest.raises(DecodeError, match=words) as raised:
                from_item(whole, cls)  # type: ignore[arg-type]
            before = "inner[0]" if nested else None
            place = ".".join(part for part in (before, path) if part)
            assert (raised.value.path or "") == place
            assert "secret" not in str(raised.value)
            assert raised.value.__cause__ is raised.value.__context__ is None


def test_an_attrs_converter_that_raises_is_named_by_its_attribute() -> None:
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class Model:
        _n: Annotated[str, Attribute("Stored")] = attrs.field(converter=int)

    with pytest.raises(DecodeError, match="Model refused the value with ValueError") as raised:
        from_item({"Stored": {"S": "secret"}}, Model)
    assert raised.value.path == "Stored"


class Extra(TypedDict, extra_items=int):  # type: ignore[call-arg]
    a: Annotated[str, Attribute("A")]
    b: NotRequired[str]


class More(Extra):
    c: str


class Closed(TypedDict, extra_items=Never):  # type: ignore[call-arg]
    a: str


class Deep(TypedDict, extra_items=ReadOnly["list[Deep]"]):  # type: ignore[call-arg]
    a: int


@pytest.mark.parametrize(
    ("cls", "value", "item"),
    [
        (Extra, {"a": "x", "z": 1}, {"A": {"S": "x"}, "z": {"N": "1"}}),
        (Extra, {"a": "x"}, {"A": {"S": "x"}}),
        (More, {"a": "x", "c": "y", "z": 1}, {"A": {"S": "x"}, "c": {"S": "y"}, "z": {"N": "1"}}),
        (Closed, {"a": "x"}, {"a": {"S": "x"}}),
        (
            Deep,
            {"a": 1, "more": [{"a": 2}]},
            {"a": {"N": "1"}, "more": {"L": [{"M": {"a": {"N": "2"}}}]}},
        ),
    ],
)
def test_the_extra_items_of_a_typed_dict_are_typed_and_kept(
    cls: Any, value: Any, item: Any
) -> None:
    assert round_trips(value, cls) == item


def test_an_extra_item_that_could_not_be_read_is_not_written() -> None:
    with pytest.raises(EncodeError, match="the name of a field's") as caught:
        to_item({"a": "x", "__extra_items__": 1}, model=Extra)
    assert caught.value.path == "__extra_items__"


def test_extra_items_have_their_errors_and_paths() -> None:
    with pytest.raises(DecodeError, match="expected N, got S at z"):
        from_item({"A": {"S": "x"}, "z": {"S": "x"}}, Extra)
    with pytest.raises(DecodeError, match="a field's name of Extra, got one at a"):
        from_item({"A": {"S": "x"}, "a": {"N": "1"}}, Extra)
    with pytest.raises(DecodeError, match="no attribute besides those of Closed"):
        from_item({"a": {"S": "x"}, "z": {"S": "x"}}, Closed)
    with pytest.raises(EncodeError, match="got str at z"):
        to_item({"a": "x", "z": "y"}, model=Extra)
    with pytest.raises(EncodeError, match="the name of a field's at A"):
        to_item({"a": "x", "A": 1}, model=Extra)
    codec = codec_for(Extra)
    assert codec.value_at({"a": "x", "z": 5}, ("z",), None) == 5


@pytest.mark.parametrize("cls", [Closed, TypedDict("Plain", {"a": str})])
def test_items_that_no_field_of_a_typed_dict_has_are_not_lost_silently(cls: Any) -> None:
    with pytest.raises(EncodeError, match=r"no items besides those of .*, got one"):
        to_item({"a": "x", "secret": 1}, model=cls)


@dataclass
class Maps:
    d: dict[str, int]
    a: Any = None


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ({"": 1}, None),
        ({"a": {"": 1}}, "a"),
        ({"a": [{"": 1}]}, "a[0]"),
        (Maps({"": 1}), "d"),
        (Maps({}, {"": 1}), "a"),
    ],
)
def test_an_empty_attribute_name_is_refused_when_written(obj: Any, path: str | None) -> None:
    with pytest.raises(EncodeError, match="attribute names that are not empty") as raised:
        to_item(obj)
    assert raised.value.path == path


def test_a_float_of_dynamodbs_range_is_read_and_written() -> None:
    for text in ("9.99E+125", "-9.99E+125", "1E-130"):
        made = from_item({"d": {"M": {}}, "a": {"N": text}}, MapsOfFloat)
        assert made.a == float(text)
        assert from_item(to_item(made), MapsOfFloat) == made


def test_a_float_that_is_nearest_to_the_largest_number_is_written_as_that() -> None:
    for sign in ("", "-"):
        largest = f"{sign}9.{'9' * 37}E+125"
        made = from_item({"d": {"M": {}}, "a": {"N": largest}}, MapsOfFloat)
        assert from_item(to_item(made), MapsOfFloat) == made


def test_get_takes_a_position_and_a_default() -> None:
    change = diff({"a": 1}, {"a": 2})
    assert change.get(0) == change[0]
    assert change.get(5) is None
    assert change.get(5, "none") == "none"


@dataclass
class Tree:
    value: int
    left: Optional[Self] = None  # noqa: UP045 - Self is no type on 3.10
    others: Optional[list[Self]] = None  # noqa: UP045


def test_self_is_the_class_whose_field_it_is() -> None:
    tree = Tree(1, Tree(2), [Tree(3)])
    assert from_item(to_item(tree), Tree) == tree


TEXT = Attribute(structure=lambda text: Twig(int(text)), unstructure=lambda twig: str(twig.value))


@dataclass
class Twig:
    value: int
    # Self is asked for inside Annotated too, which passes on what is asked of it
    text: Annotated[Self, TEXT] | None = None


def test_a_mark_on_self_is_kept() -> None:
    twig = Twig(1, Twig(2))
    item = to_item(twig)
    assert item["text"] == {"S": "2"}
    assert from_item(item, Twig) == twig


def test_an_empty_name_is_refused_when_bound() -> None:
    @model(rename=lambda name: "")
    @dataclass
    class Model:
        a: int

    with pytest.raises(ModelDefinitionError, match="an empty name"):
        codec_for(Model)
