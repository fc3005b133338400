"""Conversions of classes: in one direction, from a registry, of every kind of class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, make_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, NewType, TypedDict

import pytest

from ddbstream import Attribute, from_item, keys, to_item
from ddbstream.exceptions import DecodeError, EncodeError
from ddbstream.models import Registry, model
from tests.support.errors import too_deep
from tests.support.products import holding
from tests.unit.model.reading import codec_for, quickly, slowly


@dataclass
class Plain:
    some_a: int
    next: Plain | None = None


def more(obj: Any) -> Any:
    return replace(obj, some_a=obj.some_a + 1)


def less(obj: Any) -> Any:
    return replace(obj, some_a=obj.some_a - 1)


def written(number: int) -> dict[str, Any]:
    return {"M": {"some_a": {"N": str(number)}}}


def test_a_class_converted_in_one_direction_is_so_wherever_it_is_met() -> None:
    @model(structure=more)
    @dataclass
    class Read:
        some_a: int
        next: Read | None = None

    @model(unstructure=lambda obj: Written(obj.some_a - 1))
    @dataclass
    class Written:
        some_a: int

    @dataclass
    class Model:
        a: Read
        b: Read
        c: list[Written]
        d: Written

    item = {"a": written(1), "b": written(1), "c": {"L": [written(1)]}, "d": written(1)}
    for read in (quickly, slowly):
        made = read(item, Model)
        assert made == Model(Read(2), Read(2), [Written(1)], Written(1))
        chain = {**written(1)["M"], "next": written(1)}
        assert read(chain, Read) == Read(2, Read(2))
    assert to_item(made)["c"] == {"L": [written(0)]}
    assert to_item(made)["d"] == written(0)
    assert to_item(Written(1)) == written(0)["M"]
    with pytest.raises(EncodeError, match="expected Written, got Read at d"):
        to_item(replace(made, d=Read(1)))
    with pytest.raises(DecodeError, match=r"expected Read, got M refused with RuntimeError"):
        from_item({"a": written(1)}, holding(refusing(RuntimeError)))


def refusing(error: type[Exception]) -> Any:
    def refuse(_: Any) -> Any:
        raise error

    return model(structure=refuse)(make_dataclass("Read", [("some_a", int)]))


def test_a_registrys_conversion_in_one_direction_keeps_all_else_it_says() -> None:
    @dataclass
    class Inner:
        some_b: int

    @dataclass
    class Outer:
        some_a: int
        inner: Inner
        others: list[Inner]

    registry = Registry()
    registry.register(Inner, rename="camelCase")
    registry.register(Outer, rename="PascalCase", structure=more)
    obj = Outer(1, Inner(2), [Inner(3)])
    item = registry.to_item(obj)
    assert item == {
        "SomeA": {"N": "1"},
        "Inner": {"M": {"someB": {"N": "2"}}},
        "Others": {"L": [{"M": {"someB": {"N": "3"}}}]},
    }
    assert quickly(item, Outer, registry) == slowly(item, Outer, registry) == more(obj)
    pair = make_dataclass("Pair", [("a", Outer), ("b", Outer)])
    twice = {"a": {"M": item}, "b": {"M": item}}
    assert quickly(twice, pair, registry) == pair(more(obj), more(obj))


def test_a_registrys_conversions_of_what_has_no_fields() -> None:
    class Colour(Enum):
        RED = "red"

    Cents = NewType("Cents", int)
    tags_kind = list[Cents]

    @dataclass
    class Model:
        tags: tags_kind  # type: ignore[valid-type]
        cents: Cents
        colour: Colour
        day: date

    registry = Registry()
    registry.register(tags_kind, structure=sorted)
    registry.register(Cents, structure=lambda n: n * 10, unstructure=lambda n: n // 10)
    registry.register(Colour, unstructure=lambda colour: colour)
    registry.register(date, structure=lambda day: day.replace(day=1))
    obj = Model([Cents(10), Cents(20)], Cents(30), Colour.RED, date(2026, 11, 1))
    item = registry.to_item(obj)
    assert item == {
        "tags": {"L": [{"N": "1"}, {"N": "2"}]},
        "cents": {"N": "3"},
        "colour": {"S": "red"},
        "day": {"S": "2026-11-01"},
    }
    item["tags"] = {"L": [{"N": "2"}, {"N": "1"}]}
    item["day"] = {"S": "2026-11-23"}
    for read in (quickly, slowly):
        assert read(item, Model, registry) == obj
    for name, value, expected in (("colour", "red", "Colour"), ("day", "x", "date")):
        with pytest.raises(EncodeError) as caught:
            registry.to_item(replace(obj, **{name: value}))
        assert (caught.value.path, caught.value.expected) == (name, expected)
    pair = make_dataclass("Pair", [("a", date), ("b", Cents)])
    assert registry.to_item(pair(date(2026, 1, 1), Cents(10)))["b"] == {"N": "1"}


def test_a_typed_dict_is_converted_like_any_class() -> None:
    class Size(TypedDict):
        width: int

    def wider(size: Any) -> Any:
        return {"width": int(size["width"]) + 1}

    both, one = Registry(), Registry()
    both.register(Size, structure=wider, unstructure=dict)
    one.register(Size, structure=wider)
    for registry in (both, one):
        cls = holding(Size)
        item = registry.to_item(cls({"width": 1}))
        assert item == {"a": {"M": {"width": {"N": "1"}}}}
        assert quickly(item, cls, registry) == slowly(item, cls, registry) == cls({"width": 2})
        with pytest.raises(EncodeError, match="expected Size, got int at a"):
            registry.to_item(cls(5))


def test_a_value_of_another_class_is_refused_before_it_is_taken_apart() -> None:
    class Point:
        x = 1

    converting = {"structure": lambda _: Point(), "unstructure": lambda point: point.x}
    registry = Registry()
    registry.register(Point, **converting)  # type: ignore[arg-type]
    marked = Annotated[Point, Attribute(**converting)]  # type: ignore[arg-type]
    for annotation, known in ((Point, registry), (marked, None)):
        cls = holding(annotation)
        with pytest.raises(EncodeError) as caught:
            codec_for(cls, known).encode(cls(5))
        error = caught.value
        assert (error.path, error.expected, error.found) == ("a", "Point", "int")
    own = holding(model(**converting)(Point))  # type: ignore[arg-type]
    with pytest.raises(EncodeError) as caught:
        to_item(own(5))
    assert (caught.value.path, caught.value.expected) == ("a", "Point")


def test_a_registry_is_asked_about_what_any_holds() -> None:
    class Money:
        cents = 5

    registry = Registry()
    registry.register(Money, structure=lambda _: Money(), unstructure=lambda m: m.cents)
    assert registry.to_item(holding(Any)([Money()])) == {"a": {"L": [{"N": "5"}]}}


def test_a_conversion_of_a_part_without_none_takes_no_null() -> None:
    cls = holding(Annotated[int | str, Attribute(structure=str)])
    assert from_item({"a": {"N": "1"}}, cls) == cls("1")
    with pytest.raises(DecodeError, match="expected N or S, got NULL at a"):
        from_item({"a": {"NULL": True}}, cls)


def test_an_annotation_may_hold_what_has_no_hash() -> None:
    cls = holding(Annotated[int, {"about": []}])
    assert from_item({"a": {"N": "1"}}, cls) == cls(1)


def test_root_models_are_read_by_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Names(pydantic.RootModel):  # type: ignore[misc, name-defined]
        root: list[str]

    cls = holding(Names)
    item = {"a": {"L": [{"S": "x"}]}}
    for read in (quickly, slowly):
        made = read(item, cls)
        assert type(made.a) is Names
        assert made.a.root == ["x"]
    assert to_item(made) == item
    with pytest.raises(EncodeError, match="expected Names, got list at a"):
        to_item(cls(["x"]))


def test_options_may_say_what_is_so_anyway() -> None:
    @model(unknown="ignore", none="null")
    @dataclass
    class Model:
        a: int | None = None

    assert from_item({"b": {"S": "x"}}, Model) == Model()
    assert to_item(Model()) == {"a": {"NULL": True}}


@pytest.mark.parametrize(
    ("name", "stored"), [("_private_name", "private-name"), ("X_ray_X", "X-ray-X")]
)
def test_kebab_case_drops_outer_underscores_only(name: str, stored: str) -> None:
    cls = model(rename="kebab-case")(make_dataclass("Model", [(name, int)]))
    assert to_item(cls(1)) == {stored: {"N": "1"}}


@pytest.mark.parametrize("error", [AttributeError, TypeError])
def test_a_class_that_takes_no_attribute_is_a_model_too(error: type[Exception]) -> None:
    class Closed(type):
        def __setattr__(cls, name: str, value: Any) -> None:
            if name.startswith("__ddbstream_codec"):
                raise error
            super().__setattr__(name, value)

    @dataclass
    class Model(metaclass=Closed):
        a: int

    assert from_item({"a": {"N": "1"}}, Model) == Model(1)
    assert codec_for(Model) is codec_for(Model)


def test_a_constructor_by_position_may_name_its_arguments_as_it_likes() -> None:
    @dataclass(init=False)
    class Model:
        a: int
        b: int

        def __init__(self, first: int, second: int) -> None:
            self.a, self.b = first, second

    item = {"a": {"N": "1"}, "b": {"N": "2"}}
    for read in (quickly, slowly):
        assert read(item, Model) == Model(1, 2)


def test_keys_that_may_be_absent_are_read_and_written_one_by_one() -> None:
    @keys(A="a-{a}", B="b-{b}", C="{{c}}{c}-{d:02d}")
    @dataclass
    class Model:
        a: str | None = "x"
        b: str | None = None
        c: str = ""
        d: int | None = 5

    assert from_item({"B": {"S": "b-1"}}, Model) == Model("x", "1", "", 5)
    assert to_item(Model(None, "1", "", 5)) == {"B": {"S": "b-1"}, "C": {"S": "{c}-05"}}
    with pytest.raises(DecodeError) as caught:
        from_item({"A": {"S": "x"}, "B": {"S": "x"}}, Model)
    assert [error.path for error in caught.value.errors] == ["A", "B"]


def test_a_key_may_begin_with_an_empty_field() -> None:
    @keys(PK="{a}#{b}")
    @dataclass
    class Model:
        a: str
        b: str

    obj = Model("", "x")
    assert to_item(obj) == {"PK": {"S": "#x"}}
    assert from_item(to_item(obj), Model) == obj


def test_bytes_of_an_enum_are_base64_in_json() -> None:
    class Raw(Enum):
        A = b"a"

    cls = holding(Raw)
    assert to_item(cls(Raw.A), wire="json") == {"a": {"B": "YQ=="}}
    assert to_item(cls(Raw.A)) == {"a": {"B": b"a"}}


def test_a_named_tuple_is_converted_in_one_direction() -> None:
    class Point(NamedTuple):
        x: int

    registry = Registry()
    registry.register(Point, unstructure=lambda point: Point(point.x + 1))
    assert registry.to_item(holding(Point)(Point(1))) == {"a": {"M": {"x": {"N": "2"}}}}


def test_a_conversion_sees_the_annotations_own_value() -> None:
    def checked(kind: type) -> Callable[[Any], Any]:
        def check(value: Any) -> Any:
            assert type(value) is kind
            return value

        return check

    cls = holding(Annotated[datetime, Attribute(structure=checked(datetime))])
    item = {"a": {"S": "2026-11-23T00:00:00+00:00"}}
    assert type(slowly(item, cls).a) is datetime
    cls = holding(Annotated[int, Attribute(structure=checked(Decimal), unstructure=Decimal)])
    assert slowly({"a": {"N": "1"}}, cls).a == 1


def test_the_tags_of_msgspecs_classes_are_those_of_their_union() -> None:
    msgspec = pytest.importorskip("msgspec")
    both = msgspec.defstruct("Cat", [], tag=True) | msgspec.defstruct("Dog", [], tag=True)
    name = codec_for(both).name
    for item, words, found in (
        ({"type": {"S": "Cow"}}, f"a tag of {name}", "another S"),
        ({}, f"the tag of {name}", "nothing"),
    ):
        with pytest.raises(DecodeError) as caught:
            from_item(item, both)
        error = caught.value
        assert (error.path, error.expected, error.found) == ("type", words, found)


def test_pydantic_finds_the_defaults_of_absent_attributes_itself() -> None:
    pydantic = pytest.importorskip("pydantic")
    cls = pydantic.create_model("Model", a=(int, 5))
    for read in (quickly, slowly):
        assert read({}, cls).model_fields_set == set()


def test_a_converted_model_of_another_kind_is_refused() -> None:
    @model(structure=lambda stored: Text(stored["t"]), unstructure=lambda made: made.text)
    class Text:
        def __init__(self, text: Any) -> None:
            self.text = text

    assert to_item(Text({"t": b"x"}), wire="json") == {"t": {"B": "eA=="}}
    with pytest.raises(EncodeError) as caught:
        to_item(Text("secret"))
    error = caught.value
    assert (error.expected, error.found) == ("what Text is made from", "Text")
    assert error.model is Text
    for item, path in (({"t": {"N": "x"}}, "t"), ({"x": {"S": "x"}}, None)):
        with pytest.raises(DecodeError) as failed:
            slowly(item, Text)
        assert (failed.value.path, failed.value.model) == (path, Text)

    def nested(levels: int) -> Any:
        value: Any = Decimal(1)
        for _ in range(levels):
            value = {"t": value}
        return value

    assert from_item(to_item(Text(nested(33))), Text).text == nested(32)
    with too_deep(EncodeError):
        to_item(Text(nested(34)))


def never(members: Any) -> Any:
    pytest.fail(f"called with {members}")


@pytest.mark.parametrize(
    ("kind", "wire", "path"),
    [
        (set[str], {"SS": ["x", 5]}, "a[1]"),
        (tuple[int, int], {"L": [{"N": "1"}, {"S": "x"}]}, "a[1]"),
        (list[int], {"L": [{"N": "1"}, {"S": "x"}]}, "a[1]"),
        (dict[float, str], {"M": {"1": {"S": "x"}, "1.0": {"S": "y"}}}, 'a."1.0"'),
    ],
)
def test_a_conversion_is_not_asked_about_faulty_parts(kind: Any, wire: Any, path: str) -> None:
    model = holding(Annotated[kind, Attribute(structure=never)])
    with pytest.raises(DecodeError) as caught:
        from_item({"a": wire}, model)
    assert caught.value.path == path
    assert not caught.value.errors
