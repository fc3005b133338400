"""What a kind inside another does: which wire, which part of a union, which type variable."""

from __future__ import annotations

import pickle
from collections import namedtuple
from dataclasses import InitVar, dataclass
from datetime import datetime, timezone
from functools import partialmethod
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar

import pytest
import typing_extensions
from typing_extensions import NotRequired, ReadOnly, TypedDict

from ddbstream import Attribute, Epoch, from_item, keys, to_item
from ddbstream._model.class_specs import MISSING
from ddbstream.exceptions import DecodeError, EncodeError
from tests.support.products import holding
from tests.unit.model.reading import quickly, slowly

T = TypeVar("T")
Maybe = NewType("Maybe", int | None)  # type: ignore[valid-newtype]


ONE = Literal[1]


def same(value: Any) -> Any:
    return value


@dataclass
class Raw:
    raw: bytes
    kind: Literal["raw"] = "raw"


@dataclass
class Text:
    kind: Literal["text"] = "text"


@pytest.mark.parametrize(
    ("kind", "value", "inside"),
    [
        (list[bytes], [b"ab"], {"L": [{"B": "YWI="}]}),
        (bytes | None, b"ab", {"B": "YWI="}),
        (Raw | Text, Raw(b"ab"), {"M": {"raw": {"B": "YWI="}, "kind": {"S": "raw"}}}),
        (set[Literal[b"ab"]], {b"ab"}, {"BS": ["YWI="]}),
    ],
)
def test_the_json_wire_reaches_every_part(kind: Any, value: Any, inside: Any) -> None:
    model = holding(kind)
    assert to_item(model(value), wire="json") == {"a": inside}
    assert quickly({"a": inside}, model) == slowly({"a": inside}, model) == model(value)


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


def test_a_set_given_as_a_set_is_read() -> None:
    assert from_item({"a": {"SS": {"x"}}}, holding(set[str])).a == {"x"}  # type: ignore[dict-item]
    assert from_item({"a": {"NS": frozenset({"1"})}}, holding(set[int])).a == {1}  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", [set, set[str], set[str] | None, set[str] | int])
def test_an_empty_set_that_its_absence_reads_as_is_left_out(kind: Any) -> None:
    model = holding(kind, default_factory=set)
    assert to_item(model()) == {}
    assert from_item({}, model) == model()


def test_what_is_empty_and_no_set_is_written() -> None:
    assert to_item(holding(set[str] | str, default="")("")) == {"a": {"S": ""}}


def test_an_instance_of_two_classes_of_a_union_is_written_by_its_own() -> None:
    @dataclass
    class Base:
        kind: Literal["base"] = "base"

    @dataclass
    class Sub(Base):
        kind: Literal["sub"] = "sub"  # type: ignore[assignment]

    assert to_item(holding(Base | Sub)(Sub())) == {"a": {"M": {"kind": {"S": "sub"}}}}


def test_an_epoch_is_exact_to_the_last_microsecond() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    model = holding(Annotated[datetime, Epoch("s")])
    assert to_item(model(last)) == {"a": {"N": "253402300799.999999"}}
    assert from_item(to_item(model(last)), model).a == last


def test_a_zero_of_any_exponent_is_the_epoch() -> None:
    made = from_item({"a": {"N": "0E+999999"}}, holding(Annotated[datetime, Epoch("s")]))
    assert made.a == datetime(1970, 1, 1, tzinfo=timezone.utc)


# --- classes ------------------------------------------------------------------------------------


def test_generic_bases_say_what_a_fields_type_variable_is() -> None:
    class Box(TypedDict, Generic[T]):
        content: T

    class Pair(typing_extensions.NamedTuple, Generic[T]):
        one: T
        two: int = 2

    for model, obj in ((Box[str], {"content": "x"}), (Pair[str], Pair("x"))):
        item = to_item(obj, model=model)
        assert quickly(item, model) == obj
        name = next(iter(item))
        with pytest.raises(DecodeError, match=f"expected S, got N at {name}"):
            from_item({**item, name: {"N": "1"}}, model)


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
    model = TypedDict("model", {"a-b": int, "class": str})
    obj = {"a-b": 1, "class": "x"}
    assert quickly(to_item(obj, model=model), model) == obj


def test_read_only_may_be_around_not_required() -> None:
    class Model(TypedDict):
        a: ReadOnly[NotRequired[str]]
        b: int

    assert from_item({"b": {"N": "1"}}, Model) == {"b": 1}


def in_a_function() -> list[tuple[Any, Any]]:
    """Classes whose annotations name one another, and which nobody outside can name."""

    class Tuple(NamedTuple):
        inside: TupleInner | None

    @dataclass
    class TupleInner:
        outside: Tuple | None

    class Dict(TypedDict):
        inside: DictInner | None

    @dataclass
    class DictInner:
        outside: Dict | None

    Tuple.__annotations__["inside"] = Optional[TupleInner]  # noqa: UP045 - made at run time
    Dict.__annotations__["inside"] = Optional[DictInner]  # noqa: UP045
    return [
        (Tuple, Tuple(TupleInner(Tuple(None)))),
        (Dict, {"inside": DictInner({"inside": None})}),
    ]


def test_a_class_being_planned_is_known_by_name_to_what_it_nests() -> None:
    for model, obj in in_a_function():
        item = to_item(obj, model=model)
        assert from_item(item, model) == obj

    class Own(NamedTuple):
        again: Own | None

    class OwnDict(TypedDict):
        again: OwnDict | None

    assert from_item({"again": {"M": {"again": {"NULL": True}}}}, Own) == Own(Own(None))
    read = from_item({"again": {"M": {"again": {"NULL": True}}}}, OwnDict)
    assert read == {"again": {"again": None}}


def test_a_frozen_dataclass_keeps_nothing_that_it_only_takes() -> None:
    @dataclass(frozen=True)
    class Model:
        a: int
        taken: InitVar[int] = 5

    assert vars(quickly({"a": {"N": "1"}}, Model)) == {"a": 1}


def test_a_frozen_dataclass_with_a_constructor_put_in_later_is_made_by_that() -> None:
    @dataclass(frozen=True)
    class Model:
        a: int

    def init(self: Any, more: int, a: int) -> None:
        object.__setattr__(self, "a", a + more)

    Model.__init__ = partialmethod(init, 10)  # type: ignore[method-assign,assignment]
    assert quickly({"a": {"N": "1"}}, Model).a == 11


def test_an_optional_field_of_a_key_is_read_by_the_generated_code() -> None:
    @keys(PK="U#{a}")
    @dataclass
    class Model:
        a: str | None

    assert quickly({"PK": {"S": "U#x"}}, Model) == Model("x")


def test_missing_stays_itself() -> None:
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING  # noqa: S301 - our own
    assert repr(MISSING) == "MISSING"


def test_an_empty_set_without_a_default_is_refused() -> None:
    with pytest.raises(EncodeError):
        to_item(holding(set[str] | int)(set()))
