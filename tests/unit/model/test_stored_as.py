"""Where ``Attribute`` asks: tags outside of classes, named tuples as lists, lists as sets."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import pytest

from ddbstream import Attribute, Modify, StreamRouter, diff, from_item, keys, to_item
from ddbstream._model import codec_for
from ddbstream._model.open_paths import open_path, unknown_attributes
from ddbstream._values.tags import Unreadable
from ddbstream.exceptions import (
    DecodeError,
    EncodeError,
    ModelDefinitionError,
    RouteDefinitionError,
)
from ddbstream.models import upgrade
from ddbstream.testing import modify
from tests.unit.model.reading import quickly, round_trips, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")


@dataclass
class Circle:
    radius: float


@attrs.define
class Square:
    side: Annotated[float, Attribute("Side")]


class Line(msgspec.Struct):
    length: int


class Label(pydantic.BaseModel):
    text: str


class Names(pydantic.RootModel[list[str]]):
    pass


Shape = Annotated[
    Circle | Square | Line | Label | Names,
    Attribute(tags={"circle": Circle, "sq-1": Square, "M": Line, "label": Label, "names": Names}),
]


class Point(NamedTuple):
    x: int
    y: float = 0.5
    name: str | None = None


class Words(NamedTuple):
    a: str
    b: str


class Chain(NamedTuple):
    value: int
    rest: Annotated[Chain | None, Attribute(stored_as="L")] = None


class Colour(Enum):
    RED = "r"
    BLUE = "b"


@dataclass
class Big(Circle):
    more: int = 0


class Size(TypedDict):
    w: int


@dataclass
class Page(Generic[T]):
    item: T


def row(annotation: Any, **default: Any) -> Any:
    declared = ("value", annotation, field(**default)) if default else ("value", annotation)
    return dataclasses.make_dataclass("Row", [declared])


ROWS: list[tuple[Any, Any, Any]] = [
    (Shape, Circle(1.5), {"M": {"circle": {"M": {"radius": {"N": "1.5"}}}}}),
    (Shape, Square(2.0), {"M": {"sq-1": {"M": {"Side": {"N": "2.0"}}}}}),
    (Shape, Line(3), {"M": {"M": {"M": {"length": {"N": "3"}}}}}),
    (Shape, Label(text="x"), {"M": {"label": {"M": {"text": {"S": "x"}}}}}),
    (Shape, Names(["a"]), {"M": {"names": {"L": [{"S": "a"}]}}}),
    (Shape | None, None, {"NULL": True}),
    (Shape | str, "x", {"S": "x"}),
    (Shape | str, Line(3), {"M": {"M": {"M": {"length": {"N": "3"}}}}}),
    (
        Annotated[Circle | Big, Attribute(tags={"c": Circle, "b": Big})],
        Big(1.0, 2),
        {"M": {"b": {"M": {"radius": {"N": "1.0"}, "more": {"N": "2"}}}}},
    ),
    (list[Shape], [Line(1)], {"L": [{"M": {"M": {"M": {"length": {"N": "1"}}}}}]}),
    (
        Annotated[Circle | Line | None, Attribute(tags={"c": Circle, "l": Line})],
        Line(1),
        {"M": {"l": {"M": {"length": {"N": "1"}}}}},
    ),
    (
        Annotated[Circle, Attribute(tags={"c": Circle})],
        Circle(1.0),
        {"M": {"c": {"M": {"radius": {"N": "1.0"}}}}},
    ),
    (
        Annotated[Point, Attribute(stored_as="L")],
        Point(1, 2.0, "p"),
        {"L": [{"N": "1"}, {"N": "2.0"}, {"S": "p"}]},
    ),
    (
        dict[str, Annotated[Point, Attribute(stored_as="L")] | int],
        {"a": Point(1), "b": 2},
        {"M": {"a": {"L": [{"N": "1"}, {"N": "0.5"}, {"NULL": True}]}, "b": {"N": "2"}}},
    ),
    (Annotated[Point | None, Attribute(stored_as="L")], None, {"NULL": True}),
    (
        Annotated[Chain, Attribute(stored_as="L")],
        Chain(1, Chain(2)),
        {"L": [{"N": "1"}, {"L": [{"N": "2"}, {"NULL": True}]}]},
    ),
    (Annotated[list[str], Attribute(stored_as="SS")], ["b", "a"], {"SS": ["b", "a"]}),
    (Annotated[list[int] | None, Attribute(stored_as="NS")], [2, 1], {"NS": ["2", "1"]}),
    (Annotated[tuple[Decimal, ...], Attribute(stored_as="NS")], (Decimal(1),), {"NS": ["1"]}),
    (Annotated[deque[Colour], Attribute(stored_as="SS")], deque([Colour.BLUE]), {"SS": ["b"]}),
    (
        Annotated[Sequence[date], Attribute(stored_as="SS")],
        [date(2026, 1, 2)],
        {"SS": ["2026-01-02"]},
    ),
    (Annotated[list[Literal["a", "b"]], Attribute(stored_as="SS")], ["b"], {"SS": ["b"]}),
    (Annotated[list[bytes], Attribute(stored_as="BS")], [b"ab"], {"BS": [b"ab"]}),
    (Annotated[list[bytearray], Attribute(stored_as="BS")], [bytearray(b"ab")], {"BS": [b"ab"]}),
    (Annotated[list[str], Attribute(stored_as="SS")], [], None),
    (Annotated[tuple[int, ...], Attribute(stored_as="NS")], (), None),
    (Annotated[list[str], Attribute(stored_as="SS")] | list[int], [1], {"L": [{"N": "1"}]}),
    (Annotated[list[str], Attribute(stored_as="SS")] | list[int], ["a"], {"SS": ["a"]}),
    # members distinguish the two also where the list comes first
    (list[int] | Annotated[list[str], Attribute(stored_as="SS")], ["a"], {"SS": ["a"]}),
    (tuple[float] | Annotated[tuple[str, ...], Attribute(stored_as="SS")], ("a",), {"SS": ["a"]}),
    (Annotated[list[str], Attribute(stored_as="SS")] | list[str], ["a"], {"SS": ["a"]}),
    (
        Annotated[list[str], Attribute(stored_as="SS")] | list[str],
        ["a", "a"],
        {"L": [{"S": "a"}, {"S": "a"}]},
    ),
    (Annotated[list[str], Attribute(stored_as="SS")] | list[str], [], {"L": []}),
    (
        Annotated[tuple[str, ...], Attribute(stored_as="SS")]
        | Annotated[Words, Attribute(stored_as="L")],
        Words("a", "b"),
        {"L": [{"S": "a"}, {"S": "b"}]},
    ),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), ROWS)
def test_a_value_is_stored_as_asked_and_read_back(annotation: Any, value: Any, stored: Any) -> None:
    model = row(annotation)
    item = {} if stored is None else {"value": stored}
    assert to_item(model(value)) == item
    text = json.dumps(to_item(model(value), wire="json"))
    codec: Any = codec_for(model)
    made = [read(item, model).value for read in (quickly, slowly, from_item)]
    for one in (
        *made,
        from_item(json.loads(text), model).value,
        codec.read_json(text.encode()).value,
    ):
        assert one == value
        assert type(one) is type(value)


def test_a_union_with_tags_outside_may_be_the_model_itself() -> None:
    item = {"circle": {"M": {"radius": {"N": "1.5"}}}}
    assert to_item(Circle(1.5), model=Shape) == item
    assert from_item(item, Shape) == Circle(1.5)  # type: ignore[arg-type, comparison-overlap]


def test_the_last_fields_of_a_named_tuple_may_be_missing_where_they_have_defaults() -> None:
    model = row(Annotated[Point, Attribute(stored_as="L")])
    assert from_item({"value": {"L": [{"N": "1"}]}}, model).value == Point(1)
    assert from_item({"value": {"L": [{"N": "1"}, {"N": "2"}]}}, model).value == Point(1, 2.0)


class Defaults(NamedTuple):
    a: int = 1
    b: bytes = b""


class Pair(NamedTuple):
    a: int
    b: str


class OtherChain(NamedTuple):
    text: str
    rest: Annotated[OtherChain | None, Attribute(stored_as="L")] = None


@dataclass
class Chains:
    a: Annotated[Chain, Attribute(stored_as="L")]
    b: Annotated[OtherChain, Attribute(stored_as="L")]


class Positive(Pair):
    def __new__(cls, a: int, b: str) -> Positive:
        if a < 0:
            raise ValueError("secret")
        return super().__new__(cls, a, b)


def test_a_named_tuple_of_defaults_may_be_empty_and_binaries_are_of_the_wire() -> None:
    model = row(Annotated[Defaults, Attribute(stored_as="L")])
    assert from_item({"value": {"L": []}}, model).value == Defaults()
    item = to_item(model(Defaults(1, b"ab")), wire="json")
    assert item == {"value": {"L": [{"N": "1"}, {"B": "YWI="}]}}


def test_two_recursive_named_tuples_are_read_apart() -> None:
    round_trips(Chains(Chain(1, Chain(2, Chain(3))), OtherChain("x", OtherChain("y"))))


def test_named_tuples_have_all_levels_and_no_more() -> None:
    model = row(Annotated[Chain, Attribute(stored_as="L")])
    for levels, fits in ((32, True), (33, False)):
        value, stored = None, {"NULL": True}
        for _ in range(levels):
            value, stored = Chain(1, value), {"L": [{"N": "1"}, stored]}
        if fits:
            assert from_item(to_item(model(value)), model) == model(value)
            continue
        with pytest.raises(EncodeError, match="at most 32 levels"):
            to_item(model(value))
        with pytest.raises(DecodeError, match="at most 32 levels"):
            from_item({"value": stored}, model)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([{"N": "1"}], "expected 2 members in L, got 1 at value"),
        ([{"N": "1"}, {"S": "x"}, {"S": "y"}], "expected 2 members in L, got 3 at value"),
        ([{"N": "1"}, {"S": 5}], r"text in S, got malformed S at value\[1\]"),
    ],
)
def test_what_is_no_such_row_is_refused_by_either_road(stored: Any, message: str) -> None:
    model = row(Annotated[Pair, Attribute(stored_as="L")])
    item: Any = {"value": {"L": stored}}
    with pytest.raises(DecodeError, match=message):
        from_item(item, model)
    codec: Any = codec_for(model)
    with pytest.raises(DecodeError, match=message):
        codec.decode(item)
    with pytest.raises(Unreadable):  # the item is then read from a dict
        codec.read_json(json.dumps(item).encode())


def test_a_row_that_its_class_refuses_is_at_its_place() -> None:
    model = row(list[Annotated[Positive, Attribute(stored_as="L")]])
    with pytest.raises(DecodeError, match="Positive refused its values with ValueError") as raised:
        from_item({"value": {"L": [{"L": [{"N": "-1"}, {"S": "x"}]}]}}, model)
    assert raised.value.path == "value[0]"


def test_an_empty_list_is_left_out_where_its_absence_reads_the_same() -> None:
    annotation = Annotated[list[str], Attribute(stored_as="SS")]
    model = row(annotation, default_factory=list)
    assert to_item(model([])) == {}
    other = row(annotation, default_factory=lambda: ["a"])
    with pytest.raises(EncodeError, match="empty set"):
        to_item(other([]))


@pytest.mark.parametrize(
    ("annotation", "stored", "message"),
    [
        (Shape, {"M": {}}, "expected one tag of .*, got nothing at value"),
        (Shape, {"M": {"a": {"S": "secret"}, "b": {}}}, "one tag of .*, got 2 attributes at value"),
        (
            Shape,
            {"M": {"M": {"M": {"length": {"N": "3"}}}, "circle": {"M": {"radius": {"N": "1"}}}}},
            "one tag of .*, got 2 attributes at value",
        ),
        (Shape, {"M": 5}, "expected a map of attribute values, got Python int at value"),
        (Shape, {"M": {"secret": {}}}, "a tag of .*, got another attribute at value"),
        (Shape, {"S": "secret"}, "expected M, got S at value"),
        (Shape, {"M": {"circle": {"M": {}}}}, r"got nothing at value\.circle\.radius"),
        (Shape, {"M": {"sq-1": {"S": "secret"}}}, r"expected M, got S at value\.\"?sq-1"),
        (Annotated[Point, Attribute(stored_as="L")], {"L": []}, "1 to 3 members in L, got 0"),
        (Annotated[Point, Attribute(stored_as="L")], {"L": [{"N": "1"}] * 4}, "1 to 3 members"),
        (Annotated[Point, Attribute(stored_as="L")], {"L": [{"S": "x"}]}, r"got S at value\[0\]"),
        (Annotated[Point, Attribute(stored_as="L")], {"M": {}}, "expected L, got M"),
        (Annotated[list[str], Attribute(stored_as="SS")], {"L": []}, "expected SS, got L"),
        (Annotated[list[int], Attribute(stored_as="NS")], {"NS": ["1.5"]}, r"at value\[0\]"),
    ],
)
def test_what_is_stored_otherwise_is_refused_in_words(
    annotation: Any, stored: Any, message: str
) -> None:
    for read in (from_item, slowly):
        with pytest.raises(DecodeError, match=message) as raised:
            read({"value": stored}, row(annotation))
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Shape, Page(1), "got Page"),
        (Shape, Big(1.0, 2), "its subclass Big"),
        (Annotated[Point, Attribute(stored_as="L")], (1, 2.0, None), "expected Point, got tuple"),
        (Annotated[Point, Attribute(stored_as="L")], Point("x"), r"at value\[0\]"),  # type: ignore[arg-type]
        (Annotated[list[str], Attribute(stored_as="SS")], ["a", "a"], "each member once in SS"),
        (
            Annotated[list[Decimal], Attribute(stored_as="NS")],
            [Decimal(1), Decimal("1.0")],
            "each member once in NS, got one twice",
        ),
        (Annotated[list[str], Attribute(stored_as="SS")], {"a"}, "expected list, got set"),
        (Annotated[list[str], Attribute(stored_as="SS")], ["a", 5], r"got int at value\[1\]"),
        (list[Annotated[list[str], Attribute(stored_as="SS")]], [[]], "empty set"),
        (
            tuple[float] | Annotated[tuple[str, ...], Attribute(stored_as="SS")],
            (None,),
            r"expected float, got NoneType at value\[0\]",
        ),
        (
            Words | Annotated[tuple[str, ...], Attribute(stored_as="SS")],
            Words("a", b"b"),  # type: ignore[arg-type]
            r"expected str, got bytes at value\.b",
        ),
    ],
)
def test_what_would_not_be_read_back_is_refused(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        to_item(row(annotation)(value))


def test_an_instance_of_a_subclass_is_written_where_it_is_read_back_as_its_equal() -> None:
    class Round(Circle):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Circle) and other.radius == self.radius

        __hash__ = None  # type: ignore[assignment]

    assert to_item(Round(1.0), model=Shape) == {"circle": {"M": {"radius": {"N": "1.0"}}}}


@upgrade(lambda item: item)
class Upgraded(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (lambda: Annotated[Circle | Line, Attribute(tags={"c": Circle})], "one tag for each class"),
        (lambda: Annotated[Circle, Attribute(tags={"c": Circle, "l": Line})], "one tag for each"),
        (
            lambda: Annotated[Circle | Line, Attribute(tags={"c": Circle, "d": Circle})],
            "one tag|two",
        ),
        (
            lambda: Annotated[Size | Circle, Attribute(tags={"s": Size, "c": Circle})],
            "are for classes",
        ),
        (
            lambda: Annotated[Circle | int, Attribute(tags={"c": Circle, "i": int})],
            r"Circle \| int: tags= are for classes, not int",
        ),
        (
            lambda: Annotated[
                Page[int] | Page[str], Attribute(tags={"i": Page[int], "s": Page[str]})
            ],
            "two tags are for Page",
        ),
        (lambda: Annotated[Circle, Attribute(stored_as="L")], "Circle cannot be stored as L"),
        (lambda: Annotated[list[int], Attribute(stored_as="SS")], "cannot be stored as SS"),
        (lambda: Annotated[list[bool], Attribute(stored_as="SS")], "sets hold text, numbers"),
        (lambda: Annotated[set[str], Attribute(stored_as="SS")], "cannot be stored as SS"),
        (lambda: Annotated[Point, Attribute(stored_as="SS")], "Point cannot be stored as SS"),
        (lambda: Annotated[Upgraded, Attribute(stored_as="L")], "upgrades are of items"),
        (lambda: Attribute(stored_as="S"), "stored_as= is one of L, SS, NS, BS"),  # type: ignore[arg-type]
        (lambda: Attribute(stored_as="L", structure=str), "exclude each other"),
        (lambda: Attribute(tags={"a": Circle}, stored_as="L"), "exclude each other"),
        (lambda: Attribute(tags={}), "a tag for each class"),
        (lambda: Attribute(tags={"": Circle}), "none is empty"),
        (lambda: Attribute(tags={5: Circle}), "a name is text"),  # type: ignore[dict-item]
    ],
)
def test_what_cannot_be_is_refused_when_bound(annotation: Any, message: str) -> None:
    with pytest.raises(ModelDefinitionError, match=message):
        codec_for(row(annotation()))


def test_marks_are_compared_and_hashed_by_what_they_say() -> None:
    one, two = Attribute(tags={"c": Circle}), Attribute(tags={"c": Circle})
    assert one == two
    assert hash(one) == hash(two)
    assert one != Attribute(tags={"d": Circle})
    assert "stored_as='L'" in repr(Attribute(stored_as="L"))


ORIGIN = Point(0)


@keys(PK="Drawing#{id}")
@dataclass
class Drawing:
    id: int
    shapes: list[Shape]
    at: Annotated[Point, Attribute("At", stored_as="L")] = ORIGIN
    names: Annotated[list[str], Attribute(stored_as="SS")] = field(default_factory=list)


def test_paths_go_through_tags_and_named_tuples() -> None:
    old = Drawing(1, [Square(1.0)], Point(1, 2.0), ["secretold"])
    new = Drawing(1, [Square(2.0)], Point(1, 3.0), ["secretnew"])
    change = diff(old, new)
    assert change['shapes[0]."sq-1".side'].new == 2.0
    assert change["at.y"].new == 3.0
    assert change["at[1]"].new == 3.0
    assert "shapes[0].circle.radius" not in change
    assert "secret" not in str(diff(old, new, redact="names"))
    assert "3.0" not in str(diff(old, new, redact="at.y"))

    router, seen = StreamRouter(classify=lambda _: "Drawing"), []
    for path in ('shapes[0]."sq-1".side', "at.y", "names", "shapes[0].circle.radius"):

        @router.on_modify(Drawing, changed=path)
        def handler(record: Modify[Drawing], path: str = path) -> None:
            seen.append(path)

    router.dispatch([modify(to_item(old), to_item(new))])
    assert seen == ['shapes[0]."sq-1".side', "at.y", "names"]
    for path in ("shapes[0].oval.radius", "shapes[0].side", "at.z", "at[3]"):
        with pytest.raises(RouteDefinitionError, match="has no"):
            StreamRouter().on_modify(Drawing, changed=path)(lambda record: None)


def test_a_diff_of_a_tag_changed_is_a_removal_and_an_addition() -> None:
    old, new = Drawing(1, [Circle(1.0)]), Drawing(1, [Line(1)])
    change = diff(old, new)
    assert change.apply(to_item(old)) is not None
    assert {each.path for each in change} == {"shapes[0].circle", "shapes[0].M"}


def test_open_paths_go_through_both() -> None:
    root = codec_for(Drawing)._plan.root  # type: ignore[attr-defined]
    assert open_path(root, ("shapes", 0, "sq-1", "Side")) == "shapes[].sq-1.Side"
    assert open_path(root, ("At", 1)) == "At[]"
    item: Any = to_item(Drawing(1, [Circle(1.0)]))
    item["shapes"]["L"][0]["M"]["circle"]["M"]["odd"] = {"S": "x"}
    assert unknown_attributes(root, item) == {"shapes[].circle.odd"}
