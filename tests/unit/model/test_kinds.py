"""Kinds that the documented table has one row of: what else they read, write and refuse."""

from __future__ import annotations

from collections import OrderedDict, deque, namedtuple
from collections.abc import Collection, Iterable, Mapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    TypedDict,
)
from uuid import UUID

import pytest
from typing_extensions import NotRequired, ReadOnly, Required
from typing_extensions import TypedDict as ExtendedTypedDict

from ddbstream import Attribute, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from tests.support.products import holding
from tests.unit.model.reading import codec_for, quickly, round_trips, slowly


class Colour(Enum):
    RED = "red"
    CRIMSON = "red"  # noqa: PIE796 - an alias


class Ratio(Enum):
    HALF = 0.5
    THIRD = Decimal(3)


class Raw(Enum):
    X = b"x"


class Fraction(Enum):
    HALF = 0.5
    WHOLE = 1.0


class Level(IntEnum):
    LOW = 1

    @classmethod
    def _missing_(cls, value: object) -> Level | None:
        return cls.LOW if value == 99 else None


class Right(Flag):
    READ = 1
    WRITE = 2


class Total(TypedDict):
    a: int
    b: NotRequired[str]
    c: ReadOnly[int]


class Partial(ExtendedTypedDict, total=False):
    a: Required[int]
    b: ReadOnly[NotRequired[str]]
    c: set[str]
    d: int | None


class Inherited(Total, total=False):
    z: Annotated[int, Attribute("Z")]


class Point(NamedTuple):
    x: int
    y: Annotated[float, Attribute("Y")] = 0.5
    z: int | None = None


@dataclass
class Nested:
    a: int


UserId = NewType("UserId", str)
AdminId = NewType("AdminId", UserId)


def held(annotation: Any, value: Any) -> Any:
    model = holding(annotation)
    return round_trips(model(value), model)


def test_typed_dicts_have_only_what_was_there() -> None:
    for obj in ({"a": 1, "c": 2}, {"a": 1, "b": "x", "c": 2}):
        round_trips(obj, Total)
    for obj in ({"a": 1}, {"a": 1, "b": "x", "c": {"y"}, "d": None}):
        round_trips(obj, Partial)
    assert round_trips({"a": 1, "c": 2, "z": 3}, Inherited)["Z"] == {"N": "3"}
    for model, item, path in (
        (Total, {"c": {"N": "1"}}, "a"),
        (Partial, {}, "a"),
        (Inherited, {}, "a"),
    ):
        with pytest.raises(DecodeError) as caught:
            from_item(item, model)
        assert caught.value.path == path
    with pytest.raises(EncodeError) as refused:
        to_item({"a": 1}, model=Total)
    assert refused.value.path == "c"
    with pytest.raises(EncodeError, match="expected Total, got int"):
        to_item(5, model=Total)


def test_named_tuples_are_maps_with_defaults() -> None:
    assert round_trips(Point(1), Point) == {"x": {"N": "1"}, "Y": {"N": "0.5"}, "z": {"NULL": True}}
    assert from_item({"x": {"N": "1"}}, Point) == Point(1)
    with pytest.raises(DecodeError, match="expected N, got nothing at x"):
        from_item({}, Point)
    with pytest.raises(EncodeError, match="expected Point, got tuple"):
        to_item((1, 2.0), model=Point)
    assert to_item({"p": Point(1)}) == {"p": {"M": to_item(Point(1))}}


def test_enums_by_value() -> None:
    assert held(Colour, Colour.CRIMSON) == {"a": {"S": "red"}}
    assert held(Ratio, Ratio.THIRD) == {"a": {"N": "3"}}
    held(Ratio, Ratio.HALF)
    held(Raw, Raw.X)
    held(Fraction, Fraction.WHOLE)
    held(Right, Right(0))
    assert from_item({"a": {"N": "99"}}, holding(Level)).a is Level.LOW
    assert from_item({"a": {"N": "1.0"}}, holding(Level)).a is Level.LOW
    for model, wire in (
        (Level, {"N": "7"}),
        (Right, {"N": "9"}),
        (Raw, {"B": b"y"}),
        (Ratio, {"N": "4"}),
    ):
        with pytest.raises(DecodeError):
            from_item({"a": wire}, holding(model))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Enum("Empty", []), "no members"),
        (Enum("Tuples", [("A", (1, 2))]), "A has a value of tuple, which is no scalar"),
        (Literal[b"x"] | None, None),
        (set[bytearray], "has no hash"),
        (dict[bytearray, int], "a bytearray has no hash"),
        (set[bool], "sets hold text, numbers or binaries"),
        (set[Literal[True]], "sets hold text, numbers or binaries"),
        (set[Literal[1, "a"]], "sets hold text, numbers or binaries"),
        (frozenset[Nested], "sets hold text, numbers or binaries"),
        (dict[Nested, int], "Nested has no text for a key"),
        (dict[int | None, int], "no text for a key"),
        (complex, "complex"),
        (type, "type"),
        (list[complex], "complex"),
        (Iterable[range], "range"),
        (memoryview, "memoryview"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_when_bound(kind: Any, words: str | None) -> None:
    if words is None:
        codec_for(holding(kind))
        return
    with pytest.raises(ModelDefinitionError, match=words) as caught:
        codec_for(holding(kind))
    assert caught.value.path == "a"
    assert caught.value.model.__name__ == "Holder"


@pytest.mark.parametrize(
    ("kind", "value", "expected", "found"),
    [
        (str, 5, "str", "int"),
        (str, None, "str", "NoneType"),
        (int, "5", "int", "str"),
        (float, "5", "float", "str"),
        (Decimal, "5", "Decimal", "str"),
        (bool, 1, "bool", "int"),
        (bytes, "x", "bytes", "str"),
        (bytearray, "x", "bytearray", "str"),
        (UUID, "x", "UUID", "str"),
        (Colour, "red", "Colour", "str"),
        (Colour, Level.LOW, "Colour", "Level"),
        (None, 5, "NULL", "int"),
        (Literal["a"], "b", "Literal['a']", "another str"),
        (list[int], (1,), "list", "tuple"),
        (list[int], {1}, "list", "set"),
        (list[int], "x", "list", "str"),
        (Sequence[str], "xy", "Sequence", "str"),
        (Sequence[int], b"xy", "Sequence", "bytes"),
        (Sequence[int], {1}, "Sequence", "set"),
        (MutableSequence[int], (1,), "MutableSequence", "tuple"),
        (tuple[int, ...], [1], "tuple", "list"),
        (tuple[int, str], [1, "x"], "tuple", "list"),
        (tuple[int, str], (1,), "a tuple of 2", "1"),
        (set[str], ["x"], "set", "list"),
        (frozenset[str], "x", "frozenset", "str"),
        (dict[str, int], [1], "dict", "list"),
        (dict[str, int], {5: 1}, "text as map keys", "int"),
        (dict[UUID, int], {"x": 1}, "UUID", "str"),
        (Nested, {"a": 1}, "Nested", "dict"),
        (Nested | None, 5, "Nested", "int"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused(
    kind: Any, value: Any, expected: str, found: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        to_item(holding(kind)(value))
    assert (caught.value.path, caught.value.expected, caught.value.found) == ("a", expected, found)


def test_an_iterator_is_not_used_up() -> None:
    numbers = iter([1])
    with pytest.raises(EncodeError, match="expected Iterable, got list_iterator at a"):
        to_item(holding(Iterable[int])(numbers))
    assert list(numbers) == [1]


@pytest.mark.parametrize("kind", [Iterable[int], Collection[int]], ids=str)
@pytest.mark.parametrize("value", [{1: 2}, {1}, frozenset({1}), {1: 2}.keys()], ids=str)
def test_what_would_lose_more_than_its_type_is_no_list(kind: Any, value: Any) -> None:
    with pytest.raises(EncodeError, match=f"got {type(value).__name__} at a"):
        to_item(holding(kind)(value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (set[str], frozenset({"x"})),
        (frozenset[int], {1}),
        (Sequence[int], (1, 2)),
        (Iterable[int], deque([1])),
        (Mapping[str, int], OrderedDict(a=1)),
        (AbstractSet[int], frozenset({1})),
        (bytes, bytearray(b"x")),
    ],
    ids=str,
)
def test_what_is_as_good_is_written(kind: Any, value: Any) -> None:
    model = holding(kind)
    made = from_item(to_item(model(value)), model).a
    assert type(value)(made) == value


def test_the_kind_of_container_is_the_annotations() -> None:
    for kind, value in (
        (OrderedDict[str, int], OrderedDict(a=1)),
        (OrderedDict[UUID, int], OrderedDict({UUID(int=1): 1})),
        (deque[int], deque([1])),
        (frozenset[str], frozenset({"x"})),
    ):
        model = holding(kind)
        for read in (quickly, slowly):
            assert type(read(to_item(model(value)), model).a) is type(value)


def test_new_types_of_new_types() -> None:
    held(AdminId, "x")


def test_a_sequence_whose_default_is_a_tuple_holds_tuples() -> None:
    @dataclass
    class Model:
        a: Sequence[int] = ()

    assert from_item({}, Model) == Model()
    round_trips(Model((1, 2)), Model)
    round_trips(Model(), Model)


def test_map_keys_that_are_the_same_value_are_refused_both_ways() -> None:
    model = holding(dict[float, str])
    assert held(dict[UUID, int], {UUID(int=1): 1})["a"]["M"]
    with pytest.raises(DecodeError, match="expected each key once, got another spelling") as caught:
        from_item({"a": {"M": {"1.0": {"S": "x"}, "1": {"S": "y"}}}}, model)
    assert caught.value.path == "a.1"
    with pytest.raises(DecodeError, match="a key that is float, got other text"):
        from_item({"a": {"M": {"x": {"S": "x"}}}}, model)

    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return self is other

    with pytest.raises(EncodeError, match="same text"):
        to_item(holding(dict[str, int])({Same("x"): 1, Same("x"): 2}))


def test_a_tuple_of_another_length_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"expected 2 members in L, got 1 at a"):
        from_item({"a": {"L": [{"N": "1"}]}}, holding(tuple[int, str]))
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"L": [{"N": "1"}, {"N": "1"}]}}, holding(tuple[int, str]))
    assert caught.value.path == "a[1]"
    held(tuple[()], ())


def test_a_plain_map_is_a_model_too() -> None:
    assert from_item({"x": {"N": "1"}}, dict[str, int]) == {"x": 1}
    round_trips({"x": 1}, dict[str, int])
    with pytest.raises(DecodeError, match="expected N, got S at x"):
        from_item({"x": {"S": "1"}}, dict[str, int])
    assert codec_for(dict) is codec_for(None)


def test_a_bare_set_is_called_by_its_name() -> None:
    for kind in (set, frozenset):
        with pytest.raises(EncodeError) as caught:
            to_item(holding(kind)({"a", 1}))
        assert (caught.value.expected, caught.value.found) == (kind.__name__, "set")


def test_two_keys_of_one_text() -> None:
    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return self is other

    with pytest.raises(EncodeError) as caught:
        to_item(holding(dict[str, int])({Same("x"): 1, Same("x"): 2}))
    assert caught.value.problem == "two keys are written as the same text"


def test_a_set_given_as_a_set_is_read() -> None:
    assert from_item({"a": {"SS": {"x"}}}, holding(set[str])).a == {"x"}  # type: ignore[dict-item]
    assert from_item({"a": {"NS": frozenset({"1"})}}, holding(set[int])).a == {1}  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", [set, set[str], set[str] | None, set[str] | int])
def test_an_empty_set_that_its_absence_reads_as_is_left_out(kind: Any) -> None:
    model = holding(kind, default_factory=set)
    assert to_item(model()) == {}
    assert from_item({}, model) == model()


def test_an_empty_set_without_a_default_is_refused() -> None:
    with pytest.raises(EncodeError):
        to_item(holding(set[str] | int)(set()))


def test_what_is_empty_and_no_set_is_written() -> None:
    assert to_item(holding(set[str] | str, default="")("")) == {"a": {"S": ""}}


def test_a_named_tuples_subclass_has_its_kinds_and_one_without_annotations_has_any() -> None:
    class Point(NamedTuple):
        x: int

    class Sub(Point):
        pass

    assert from_item({"x": {"N": "1"}}, Sub) == Sub(1)
    assert type(from_item({"x": {"N": "1"}}, Sub).x) is int
    plain = namedtuple("plain", "x")  # noqa: PYI024 - the untyped one is what this is about
    assert from_item({"x": {"L": [{"S": "x"}]}}, plain) == plain(["x"])


def test_a_typed_dicts_keys_need_be_no_identifiers() -> None:
    model = ExtendedTypedDict("model", {"a-b": int, "class": str})
    obj = {"a-b": 1, "class": "x"}
    assert quickly(to_item(obj, model=model), model) == obj


def test_read_only_may_be_around_not_required() -> None:
    class Model(ExtendedTypedDict):
        a: ReadOnly[NotRequired[str]]
        b: int

    assert from_item({"b": {"N": "1"}}, Model) == {"b": 1}
