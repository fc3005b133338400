"""Unions and literals: told apart by wire tag, by a literal, or refused when bound."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum, IntFlag
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    TypedDict,
    Union,
)
from uuid import UUID

import pytest

from ddbstream import Attribute, from_item, keys, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import model
from tests.support.products import holding
from tests.unit.model.reading import codec_for, held_round_trips, slowly


@dataclass
class Cat:
    kind: Literal["cat", "kitten"]
    lives: int


@dataclass(frozen=True)
class Dog:
    kind: Literal["dog"]
    name: str | None = None


@dataclass
class One:
    version: Literal[1]
    a: int


@dataclass
class Two:
    version: Literal[2]
    a: str


class Point(NamedTuple):
    x: int
    y: int


@model(structure=lambda row: row)
class Row(Point):
    pass


@dataclass
class Untagged:
    a: int


@dataclass
class OtherCat:
    kind: Literal["cat"]


class Odd(Enum):
    TEXT = "a"
    NUMBER = 1
    FRACTION = 1.5
    YES = True
    NOTHING = None
    RAW = b"x"


class Shade(str, Enum):
    DARK = "dark"
    LIGHT = "light"


class Mode(IntFlag):
    A = 1
    B = 2


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Union[int, str], [1, "x"]),  # noqa: UP007 - the other spelling
        (int | str | bytes | bool | None, [1, "x", b"x", True, None]),
        (float | int, [1, 1.5, -3, 1e23]),
        (int | Decimal, [1, Decimal("1.5"), Decimal("1E+3")]),
        (str | list[int] | dict[str, int] | set[str] | set[int], ["x", [1], {"a": 1}, {"a"}, {1}]),
        (set[str] | set[int] | frozenset[bytes], [{"a"}, {1}]),
        (Literal["auto"] | UUID, ["auto", UUID(int=5)]),
        (Literal["auto", 5] | int | None, ["auto", 5, 6, None]),  # noqa: PYI051
        (Literal["a"] | str, ["a", "b"]),  # noqa: PYI051
        (Cat | Dog | None, [Cat("cat", 9), Cat("kitten", 1), Dog("dog", "x"), None]),
        (Cat | Dog | str | list[Dog], [Cat("cat", 9), "x", [Dog("dog")]]),
        (One | Two, [One(1, 5), Two(2, "x")]),
        (Odd, list(Odd)),
        (Literal["a", None] | None, ["a", None]),  # noqa: PYI061
        (Mode, [Mode.A, Mode.A | Mode.B, Mode(0)]),
        (Literal[Odd.TEXT, Odd.NUMBER], [Odd.TEXT, Odd.NUMBER]),
        (Literal[1, True, "1"], [1, True, "1"]),
        (set[Literal["a", "b"]], [{"a"}, {"a", "b"}]),
        (set[Literal[1, 2]], [{1}, {1, 2}]),
        (dict[Literal["a", "b"], int], [{"a": 1}]),
        (tuple[int, str] | None, [(1, "x"), None]),
        (tuple[int, int] | Point, [(1, 2), Point(1, 2)]),
        (Sequence[int] | Point | None, [[1, 2], Point(1, 2)]),
        (Collection[int] | set[int] | str, [[1, 2], {1}, "x"]),
        (Iterable[str] | frozenset[str] | dict[str, int], [["x"], frozenset({"x"}), {"a": 1}]),
        (tuple[int, ...] | Row, [(1, 2), Row(1, 2)]),
    ],
)
def test_each_part_of_a_union_round_trips(annotation: Any, values: list[Any]) -> None:
    for value in values:
        held_round_trips(annotation, value)


@pytest.mark.parametrize(
    "annotation",
    [
        str | UUID,
        float | Decimal,
        int | float | Decimal,
        int | float | timedelta,
        list[int] | list[str],
        list[int] | tuple[int, ...],
        dict[str, int] | Cat,
        Cat | Untagged,
        Cat | OtherCat,
        Any | int,
        Odd | str,
        Odd | None,
        Literal[Shade.DARK] | str,
        set[str] | set[UUID],
    ],
)
def test_parts_that_nothing_tells_apart_are_refused_when_bound(annotation: Any) -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(holding(annotation))
    assert caught.value.path == "a"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int | str, 1.5),
        (int | str, True),
        (int | str, None),
        (set[str] | set[int], {"a", 1}),
        (set[str] | set[int], {b"x"}),
        (Literal["a", 1], "b"),
        (Literal["a", 1], True),
        (Literal["a", 1], 1.0),
        (Cat | Dog, Untagged(1)),
        (Literal[1, 2], "1"),
    ],
)
def test_a_value_of_no_part_is_refused_without_being_printed(annotation: Any, value: Any) -> None:
    model = holding(annotation)
    with pytest.raises(EncodeError) as caught:
        to_item(model(value))
    error = caught.value
    assert error.path == "a"
    words = str(annotation).replace("typing.", "")
    assert error.expected in (words, f"{words}".replace("tests.unit.model.test_unions.", ""))
    assert error.found in (type(value).__name__, f"another {type(value).__name__}")


@pytest.mark.parametrize(
    ("annotation", "wire", "expected", "found"),
    [
        (int | str, {"BOOL": True}, "N or S", "BOOL"),
        (int | str, {"N": "x"}, "an integral number in N", "malformed N"),
        (int | str, {"N": "1.5"}, "an integral number in N", "a fraction"),
        (int | str | None, {"M": {}}, "N or S or NULL", "M"),
        (Literal["a", "b"], {"S": "secret"}, "Literal['a', 'b']", "another S"),
        (Literal["a", "b"], {"N": "1"}, "S (Literal['a', 'b'])", "N"),
        (Literal[1], {"N": "1.5"}, "Literal[1]", "another N"),
        (Literal[1], {"BOOL": True}, "N (Literal[1])", "BOOL"),
        (Literal[1, "a"], {"BOOL": True}, "N or S (Literal[1, 'a'])", "BOOL"),
        (Odd, {"S": "secret"}, "Odd", "another S"),
        (Cat | Dog, {"L": []}, "M", "L"),
    ],
)
def test_a_wire_value_of_no_part_says_what_was_expected(
    annotation: Any, wire: Any, expected: str, found: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"a": wire}, holding(annotation))
    assert (caught.value.path, caught.value.expected, caught.value.found) == ("a", expected, found)


def test_a_class_is_chosen_by_its_tag_and_its_faults_are_its_own() -> None:
    pets = Cat | Dog
    assert from_item({"kind": {"S": "kitten"}, "lives": {"N": "9"}}, pets) == Cat("kitten", 9)
    assert to_item(Dog("dog", "x"), model=pets) == {"kind": {"S": "dog"}, "name": {"S": "x"}}
    name = str(pets)
    for item, path, expected, found in (
        ({"kind": {"S": "cat"}}, "lives", "N", "nothing"),
        ({"kind": {"S": "secret"}}, "kind", f"a tag of {name}", "another S"),
        ({"kind": {"N": "1"}}, "kind", f"a tag of {name}", "another N"),
        ({}, "kind", f"the tag of {name}", "nothing"),
    ):
        with pytest.raises(DecodeError) as caught:
            from_item(item, pets)
        error = caught.value
        assert (error.path, error.expected, error.found) == (path, expected, found)
        assert "secret" not in str(error)


def test_an_instance_of_a_subclass_is_refused_since_it_would_be_read_as_its_base() -> None:
    @dataclass
    class Tabby(Cat):
        pass

    with pytest.raises(EncodeError, match="its subclass Tabby"):
        to_item(Tabby("cat", 9), model=Cat | Dog)


def test_a_tag_may_be_renamed_or_a_number() -> None:
    @dataclass
    class A:
        kind: Annotated[Literal["a"], Attribute("_type")]

    @dataclass
    class B:
        sort: Annotated[Literal["b"], Attribute("_type")]

    assert from_item({"_type": {"S": "b"}}, A | B) == B("b")
    assert from_item({"version": {"N": "2.0"}, "a": {"S": "x"}}, One | Two) == Two(2, "x")


def test_keyed_models_in_a_union() -> None:
    @keys(PK="P#{id}")
    @dataclass
    class P:
        id: int
        kind: Literal["p"] = "p"

    @keys(PK="Q#{id}")
    @dataclass
    class Q:
        id: int
        kind: Literal["q"] = "q"

    assert from_item(to_item(Q(1)), P | Q) == Q(1)


def test_an_int_of_a_union_with_float_is_spelled_without_point() -> None:
    assert held_round_trips(int | float, 3) == {"N": "3"}
    assert held_round_trips(int | float, 3.0) == {"N": "3.0"}
    assert held_round_trips(int | float, 10**38) == {"N": f"1{'0' * 38}"}
    assert held_round_trips(int | Decimal, -(10**125)) == {"N": f"-1{'0' * 125}"}
    assert from_item({"a": {"N": "-5"}}, holding(int | float)).a == -5
    assert type(from_item({"a": {"N": "5E0"}}, holding(int | float)).a) is float


class Circle(TypedDict):
    kind: Literal["circle"]
    radius: int


class Label(TypedDict):
    kind: Literal["label"]
    text: str


@pytest.mark.parametrize(
    "shape", [Circle(kind="circle", radius=1), Label(kind="label", text="x")], ids=["first", "last"]
)
def test_typed_dicts_are_written_by_what_their_tag_says(shape: Circle | Label) -> None:
    held_round_trips(Circle | Label, shape)
    held_round_trips(list[Circle | Label], [shape])
    assert from_item(to_item(holding(Circle | Label)(shape)), holding(Circle | Label)).a == shape


def test_a_typed_dict_with_no_alternatives_tag_is_refused() -> None:
    with pytest.raises(EncodeError, match=r"at a\.kind"):
        to_item(holding(Circle | Label)({"kind": "square"}))
    with pytest.raises(EncodeError, match=r"at a\.kind"):
        to_item(holding(Circle | Label)({"radius": 1}))


Maybe = NewType("Maybe", int | None)  # type: ignore[valid-newtype]


ONE = Literal[1]


def same(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("kind", "value", "wire"),
    [
        (ONE | int | float, 1, {"N": "1"}),
        (ONE | int | float, 2, {"N": "2"}),
        (ONE | int | float, 2.5, {"N": "2.5"}),
        (tuple[int, str] | str, "ab", {"S": "ab"}),
        (tuple[int, str] | int, 5, {"N": "5"}),
        (Annotated[str, Attribute(structure=same)] | int, "x", {"S": "x"}),
        (Annotated[str, Attribute(structure=same)] | int, 5, {"N": "5"}),
        (Annotated[int | str, Attribute(structure=same)] | list[int], "x", {"S": "x"}),
        (Annotated[int | str, Attribute(structure=same)] | list[int], 5, {"N": "5"}),
        (Annotated[int | str, Attribute(structure=same)] | list[int], [5], {"L": [{"N": "5"}]}),
        (Annotated[Maybe, Attribute(structure=same)] | str, None, {"NULL": True}),
        (Annotated[Maybe, Attribute(structure=same)] | str, 5, {"N": "5"}),
        (Annotated[Maybe, Attribute(structure=same)] | str, "x", {"S": "x"}),
        (Annotated[None, "nothing"] | list[int], None, {"NULL": True}),
        (Annotated[None, "nothing"] | list[int], [5], {"L": [{"N": "5"}]}),
        (Literal["x"] | Any, "x", {"S": "x"}),
        (Literal["x"] | Any, [True], {"L": [{"BOOL": True}]}),
        (dict[bool, int], {True: 1, False: 2}, {"M": {"true": {"N": "1"}, "false": {"N": "2"}}}),
        (dict[Annotated[int, Attribute(structure=same)], str], {5: "x"}, {"M": {"5": {"S": "x"}}}),
        (
            dict[Annotated[int, Attribute(unstructure=same)], str],
            {5: "x"},
            {"M": {"5": {"S": "x"}}},
        ),
    ],
)
def test_each_part_is_written_and_read_as_its_own_kind(kind: Any, value: Any, wire: Any) -> None:
    model = holding(kind)
    assert to_item(model(value)) == {"a": wire}
    for read in (from_item, slowly):
        made = read({"a": wire}, model).a
        assert made == value
        assert type(made) is type(value)


def test_an_instance_of_two_classes_of_a_union_is_written_by_its_own() -> None:
    @dataclass
    class Base:
        kind: Literal["base"] = "base"

    @dataclass
    class Sub(Base):
        kind: Literal["sub"] = "sub"  # type: ignore[assignment]

    assert to_item(holding(Base | Sub)(Sub())) == {"a": {"M": {"kind": {"S": "sub"}}}}


@dataclass
class Photo:
    kind: Literal["photo"]
    raw: bytes


@pytest.mark.parametrize(
    ("annotation", "value", "stored"),
    [
        (Odd, Odd.RAW, {"B": "eA=="}),
        (bytes | str, b"x", {"B": "eA=="}),
        (set[Literal[b"x", b"y"]], {b"x"}, {"BS": ["eA=="]}),
        (
            Photo | Dog,
            Photo("photo", b"x"),
            {"M": {"kind": {"S": "photo"}, "raw": {"B": "eA=="}}},
        ),
        (
            Annotated[Photo | Dog, Attribute(tags={"p": Photo, "d": Dog})],
            Photo("photo", b"x"),
            {"M": {"p": {"M": {"kind": {"S": "photo"}, "raw": {"B": "eA=="}}}}},
        ),
    ],
)
def test_a_binary_inside_is_text_on_the_json_wire(annotation: Any, value: Any, stored: Any) -> None:
    assert to_item(holding(annotation)(value), wire="json") == {"a": stored}
    held_round_trips(annotation, value)


def test_a_key_that_is_no_constant_is_refused_without_being_printed() -> None:
    with pytest.raises(EncodeError) as caught:
        to_item(holding(dict[Literal["a", "b"], int])({"secret": 1}))
    assert (caught.value.expected, caught.value.found) == ("Literal['a', 'b']", "another str")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("annotation", [set, set[str] | set[int], set[str] | frozenset[bytes]])
def test_an_empty_set_of_a_union_of_sets_is_left_out_and_read_back(annotation: Any) -> None:
    model = holding(annotation)
    assert to_item(model(set())) == {}
    for read in (from_item, slowly):
        assert type(read({}, model).a) is set


def test_only_the_empty_set_of_a_union_is_left_out() -> None:
    @dataclass
    class Either:
        a: set[str] | int = field(default_factory=set)
        b: set[str] | int = 5

    assert to_item(Either()) == {"b": {"N": "5"}}
    assert from_item(to_item(Either()), Either) == Either()
    with pytest.raises(DecodeError, match="expected N or SS, got nothing at a"):
        from_item({}, holding(set[str] | int))
    with pytest.raises(EncodeError, match="at a"):
        to_item(holding(set[str] | int)(set()))
