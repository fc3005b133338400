"""Paths in a model's names: each part goes through the model, to the last one, in every use."""

import copy
import pickle
from collections import deque
from dataclasses import dataclass, field, make_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from typing_extensions import TypeAliasType, TypedDict

from ddbstream import (
    Attribute,
    Diff,
    Modify,
    Replaced,
    StreamRouter,
    diff,
    keys,
    parse,
    to_item,
)
from ddbstream._model import codec_for
from ddbstream.changed import change_filter, transition
from ddbstream.exceptions import DiffError, RouteDefinitionError
from ddbstream.models import model, renamed, upgrade, versioned
from ddbstream.testing import modify

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

from pydantic.alias_generators import to_pascal  # noqa: E402


class Colour(Enum):
    RED = "red"


ID = UUID(int=7)
Price = Annotated[int, Attribute("unitPrice")]


@dataclass
class DataLine:
    unit_price: Price
    secret: Annotated[str, Attribute("Secret")] = "hush"


@attrs.define
class AttrsLine:
    unit_price: Price
    secret: Annotated[str, Attribute("Secret")] = "hush"


class StructLine(msgspec.Struct, rename="camel"):
    unit_price: int
    secret: str = "hush"


class PydanticLine(pydantic.BaseModel):
    unit_price: int = pydantic.Field(alias="unitPrice")
    secret: str = pydantic.Field("hush", serialization_alias="Secret")
    model_config = pydantic.ConfigDict(populate_by_name=True)


class GeneratedLine(pydantic.BaseModel):
    unit_price: int
    secret: str = "hush"
    model_config = pydantic.ConfigDict(alias_generator=to_pascal, populate_by_name=True)


class TupleLine(NamedTuple):
    unit_price: Price
    secret: Annotated[str, Attribute("Secret")] = "hush"


class TypedLine(TypedDict):
    unit_price: Price
    secret: Annotated[str, Attribute("Secret")]


def deep(line: Any) -> tuple[Any, Any, dict[str, str]]:
    """A model whose sixth part is a line's field, a maker of it, and the paths to it."""

    class Slot(NamedTuple):
        the_line: Annotated[line, Attribute("TheLine")]

    class Box(TypedDict):
        the_slots: Annotated[list[Slot], Attribute("TheSlots")]
        listed: Annotated[Slot, Attribute("Listed", stored_as="L")]

    class Crate(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(populate_by_name=True, arbitrary_types_allowed=True)
        the_box: Box = pydantic.Field(alias="theBox")

    @model(rename="camelCase")
    @dataclass
    class Shelf:
        some_lines: list[line]
        by_id: dict[UUID, line] = field(default_factory=dict)
        by_colour: dict[Colour, line] = field(default_factory=dict)
        pair: tuple[int, line] | None = None
        crates: dict[str, Crate] = field(default_factory=dict)

    @attrs.define
    class Room:
        the_shelf: Annotated[Shelf, Attribute("TheShelf")]

    class House(msgspec.Struct, rename="pascal"):
        first_room: Room | None

    @dataclass
    class Town:
        main_street: Annotated[House, Attribute("MainStreet")]

    def make(price: int, secret: str = "hush") -> Town:  # noqa: S107
        one = line(unit_price=price, secret=secret)
        crate = Crate(the_box={"the_slots": [Slot(one)], "listed": Slot(one)})
        shelf = Shelf([one], {ID: one}, {Colour.RED: one}, (1, one), {"a": crate})
        return Town(House(Room(shelf)))

    shelf = "main_street.first_room.the_shelf"
    return (
        Town,
        make,
        {
            "list": f"{shelf}.some_lines[0]",
            "uuid": f'{shelf}.by_id."{ID}"',
            "enum": f"{shelf}.by_colour.red",
            "tuple": f"{shelf}.pair[1]",
            "mixed": f"{shelf}.crates.a.the_box.the_slots[0].the_line",
            "row": f"{shelf}.crates.a.the_box.listed.the_line",
        },
    )


LINES = [DataLine, AttrsLine, StructLine, PydanticLine, GeneratedLine, TupleLine, TypedLine]


def declare(cls: Any, changed: Any) -> None:
    @StreamRouter().on_modify(cls, changed=changed)
    def handler(record: Modify[Any]) -> None: ...


def fired(cls: Any, changed: Any, old: Any, new: Any) -> bool:
    router = StreamRouter()
    calls = []

    @router.on_modify(cls, changed=changed)
    def handler(record: Modify[Any]) -> None:
        calls.append(record)

    routed = StreamRouter(classify=lambda _: cls.__name__)
    routed.include(router)
    routed.dispatch([modify(to_item(old), to_item(new))])
    return bool(calls)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("way", ["list", "uuid", "enum", "tuple", "mixed", "row"])
class TestAtDepthFive:
    def test_changed_fires_for_the_field_and_not_for_its_neighbour(self, line, way):
        town, make, paths = deep(line)
        assert fired(town, f"{paths[way]}.unit_price", make(1), make(2))
        assert not fired(town, f"{paths[way]}.unit_price", make(1), make(1, "other"))

    def test_a_transition_fires(self, line, way):
        town, make, paths = deep(line)
        path = f"{paths[way]}.unit_price"
        assert fired(town, transition(path, 1, 2), make(1), make(2))
        assert not fired(town, transition(path, 1, 3), make(1), make(2))

    def test_a_typo_in_the_last_part_fails_where_the_route_is_declared(self, line, way):
        town, _, paths = deep(line)
        for changed in (f"{paths[way]}.unit_prise", transition(f"{paths[way]}.unit_prise", 1)):
            with pytest.raises(RouteDefinitionError, match="has no field 'unit_prise' in main_st"):
                declare(town, changed)

    def test_lookups_find_the_change_and_its_typed_value(self, line, way):
        _, make, paths = deep(line)
        change = diff(make(1), make(2))
        path = f"{paths[way]}.unit_price"
        assert path in change
        assert (change[path].old, change[path].new) == (1, 2)
        assert type(change[path].new) is int
        assert change.get(f"{paths[way]}.secret") is None
        whole = change[paths[way]]
        assert whole.new == line(unit_price=2, secret="hush")

    def test_redaction_hides_the_value_in_every_form(self, line, way):
        _, make, paths = deep(line)
        everywhere = [f"{path}.secret" for path in paths.values()]
        hidden = [path for path in everywhere if not path.startswith(paths[way])]
        for made in (
            diff(make(1, "oldvalue"), make(1, "newvalue"), redact=everywhere),
            diff(None, make(1, "newvalue"), redact=everywhere),
        ):
            for shown in (made, *map(copy.copy, made), *map(copy.deepcopy, made)):
                assert "value'" not in repr(shown)
                assert "oldvalue" not in str(shown)
            assert "value" not in str(made.to_dict()).replace("'value'", "")
        made = diff(make(1, "oldvalue"), make(1, "newvalue"), redact=everywhere)
        assert "value'" not in repr(pickle.loads(pickle.dumps(list(made))))  # noqa: S301
        shown = str(diff(make(1, "oldvalue"), make(1, "newvalue"), redact=hidden))
        assert shown.count("oldvalue") == 1


def test_a_field_wins_over_an_attribute_of_its_name_and_redaction_hides_both():
    @dataclass
    class Swapped:
        three: Annotated[str, Attribute("four")]
        four: Annotated[str, Attribute("three")]

    old, new = Swapped("a1", "b1"), Swapped("a2", "b1")
    assert fired(Swapped, "three", old, new)
    assert not fired(Swapped, "four", old, new)
    assert "three" in diff(old, new)
    assert "four" not in diff(old, new)
    shown = str(diff(Swapped("a1", "b1"), Swapped("a2", "b2"), redact="three"))
    assert shown.count("<redacted> -> <redacted>") == 2


def test_a_part_means_what_it_means_in_any_class_of_a_union():
    @dataclass
    class Cat:
        kind: Literal["cat"]
        name: Annotated[str, Attribute("catName")]

    @dataclass
    class Dog:
        kind: Literal["dog"]
        name: Annotated[str, Attribute("dogName")]

    @dataclass
    class Owner:
        pet: Cat | Dog | int | None

    for cls, kind in ((Cat, "cat"), (Dog, "dog")):
        old, new = Owner(cls(kind, "old")), Owner(cls(kind, "new"))
        assert fired(Owner, "pet.name", old, new)
        assert diff(old, new)["pet.name"].new == "new"
        assert "new" not in str(diff(old, new, redact="pet.name"))
    with pytest.raises(RouteDefinitionError, match="no field 'nom' in pet"):
        declare(Owner, "pet.nom")


Nest = TypeAliasType("Nest", "int | list[Nest] | dict[str, Nest]")


class Rows(pydantic.RootModel[int | dict[str, "Rows"]]):
    """A root that is inside of itself."""


@dataclass
class Circle:
    the_radius: Annotated[int, Attribute("r")]


SHAPES = {"circle": Circle, "line": DataLine}


@dataclass
class Drawing:
    the_nest: Annotated[Nest, Attribute("N")]
    the_rows: Annotated[Rows, Attribute("R")]
    the_shape: Annotated[Circle | DataLine | None, Attribute("S", tags=SHAPES)]


@pytest.mark.parametrize(
    ("path", "kind", "typo"),
    [
        ("the_nest[1].a[0]", int, None),
        ("the_rows.a.b", Rows, "the_rows.a[0]"),
        ("the_shape.circle.the_radius", int, "the_shape.circle.the_radios"),
        ("S.circle.r", int, "the_shape.cirkle"),
    ],
)
def test_what_is_inside_of_itself_and_what_has_its_tag_outside(path, kind, typo):
    def make(number: int) -> Drawing:
        rows = Rows({"a": Rows({"b": Rows(number)})})
        return Drawing([0, {"a": [number]}], rows, Circle(number))

    old, new = make(1), make(2)
    assert fired(Drawing, path, old, new)
    assert fired(Drawing, transition(path, 1, 2), old, new)
    assert not fired(Drawing, path, old, old)
    for change in (
        diff(old, new),
        next(iter(parse([modify(to_item(old), to_item(new))], Drawing))).diff,
    ):
        assert (change[path].old, change[path].new) == (kind(1), kind(2))
        assert type(change[path].new) is kind
    assert str(diff(old, new, redact=path)).count("<redacted> -> <redacted>") == 1
    if typo is not None:
        with pytest.raises(RouteDefinitionError, match="has no field"):
            declare(Drawing, typo)


def test_a_part_of_a_union_is_followed_into_each_class():
    @dataclass
    class CatCollar:
        text: Annotated[str, Attribute("catText")]

    @dataclass
    class DogCollar:
        text: Annotated[str, Attribute("dogText")]

    @dataclass
    class Cat:
        kind: Literal["cat"]
        collar: CatCollar
        other: Annotated[DogCollar, Attribute("o")]

    @dataclass
    class Dog:
        kind: Literal["dog"]
        collar: DogCollar
        other: Annotated[CatCollar, Attribute("O")]

    @dataclass
    class Owner:
        pet: Cat | Dog

    def cat(text: str) -> Owner:
        return Owner(Cat("cat", CatCollar(text), DogCollar(text)))

    def dog(text: str) -> Owner:
        return Owner(Dog("dog", DogCollar(text), CatCollar(text)))

    for make in (cat, dog):
        old, new = make("old"), make("new")
        for path in ("pet.collar.text", "pet.other.text"):
            assert fired(Owner, path, old, new)
            assert fired(Owner, transition(path, "old", "new"), old, new)
            assert diff(old, new)[path].new == "new"
            assert "<redacted>" in str(diff(old, new, redact=path))
        assert "new" not in str(diff(old, new, redact=["pet.collar.text", "pet.other.text"]))


def test_a_field_inside_of_a_key_is_its_part_of_the_keys_text():
    @keys(PK="Order#{id}", GSI1PK="Status#{status}#{day}")
    @dataclass
    class Order:
        id: int
        status: str
        day: int

    old, new, later = Order(1, "PAID", 1), Order(1, "SHIPPED", 1), Order(1, "PAID", 2)
    assert fired(Order, "status", old, new)
    assert not fired(Order, "status", old, later)
    assert fired(Order, transition("status", "PAID", "SHIPPED"), old, new)
    assert fired(Order, transition("day", 1, 2), old, later)
    assert not fired(Order, transition("day", 1, 2), old, new)
    assert "status" in diff(old, new)
    assert "SHIPPED" not in str(diff(old, new, redact="status"))


def test_values_under_keys_that_are_no_text_are_typed_like_those_under_text():
    @dataclass
    class Model:
        by_text: dict[str, int] = field(default_factory=dict)
        by_int: dict[int, int] = field(default_factory=dict)
        by_enum: dict[Colour, int] = field(default_factory=dict)
        by_id: dict[UUID, int] = field(default_factory=dict)

    change = diff(
        Model({"a": 1}, {5: 1}, {Colour.RED: 1}, {ID: 1}),
        Model({"a": 2}, {5: 2}, {Colour.RED: 2}, {ID: 2}),
    )
    assert [type(each.new) for each in change] == [int] * 4
    with pytest.raises(RouteDefinitionError, match="no field 'five' in by_int"):
        declare(Model, "by_int.five")


def test_what_is_read_without_a_model_has_any_part():
    @model(collect="rest")
    @dataclass
    class Model:
        free: Any = None
        rest: dict[str, Any] = field(default_factory=dict)

    old, new = Model({"a": [1]}, {"b": {"c": 1}}), Model({"a": [2]}, {"b": {"c": 2}})
    assert fired(Model, "free.a[0]", old, new)
    assert fired(Model, "b.c", old, new)
    assert diff(old, new)["b.c"].new == Decimal(2)


@dataclass
class Cat:
    lives: Annotated[int, Attribute("Lives")]
    kind: Literal["cat"] = "cat"


@dataclass
class Dog:
    lives: int
    kind: Literal["dog"] = "dog"


NOTHING = object()
Shape = Annotated[Circle | DataLine, Attribute(tags=SHAPES)]
Reversed = Annotated[list[int], Attribute(unstructure=lambda values: values[::-1])]
Opaque = Annotated[list[int], Attribute(structure=list, unstructure=list)]


@pytest.mark.parametrize(
    ("annotation", "value", "parts", "found"),
    [
        (dict[str, int] | None, {"x": 1}, ("x",), 1),
        (dict[str, int] | None, None, ("x",), NOTHING),
        (Any, {"x": [None]}, ("x", 0), None),
        (Any, {"x": [1]}, ("x", 1), NOTHING),
        (Any, {"x": 1}, ("y",), NOTHING),
        (Any, {"x": 1}, (0,), NOTHING),
        (Any, [1], ("x",), NOTHING),
        (Any, "text", (0,), NOTHING),
        (Any, 5, (0,), NOTHING),
        (Any, 5, ("x",), NOTHING),
        (Nest, [0, {"a": [3]}], (1, "a", 0), 3),
        (Nest, 5, ("a",), NOTHING),
        (Rows, Rows({"a": Rows(1)}), ("a",), Rows(1)),
        (Rows, Rows({"a": Rows(1)}), ("a", "b"), NOTHING),
        (list[int] | dict[str, int], [1, 2], (1,), 2),
        (list[int] | dict[str, int], {"x": 2}, ("x",), 2),
        (list[int] | str, "text", (0,), NOTHING),
        (list[int] | str, 5.5, (0,), NOTHING),
        (Cat | Dog, Cat(9), ("Lives",), 9),
        (Cat | Dog, Dog(1), ("lives",), 1),
        (Cat | Dog, Dog(1), ("Lives",), NOTHING),
        (Shape, Circle(1), ("circle", "r"), 1),
        (Shape, Circle(1), ("line", "unitPrice"), NOTHING),
        (Shape, Circle(1), ("cirkle",), NOTHING),
        (tuple[int, str], (1, "a"), (1,), "a"),
        (tuple[int, str], (1, "a"), (2,), NOTHING),
        (tuple[int, str], (1, "a"), ("x",), NOTHING),
        (deque[int], deque([1]), (0,), 1),
        (deque[int], deque([1]), (1,), NOTHING),
        (dict[UUID, int], {ID: 1}, (str(ID),), 1),
        (dict[UUID, int], {ID: 1}, (str(UUID(int=8)),), NOTHING),
        (dict[UUID, int], {ID: 1}, ("x",), NOTHING),
        (dict[str, int], {"0": 1}, (0,), NOTHING),
        (Reversed, [1, 2], (0,), 2),
        (Opaque, [1, 2], (0,), NOTHING),
        (int, 1, (0,), NOTHING),
    ],
)
def test_what_a_model_has_at_a_path(annotation, value, parts, found):
    cls = make_dataclass("Model", [("a", annotation)])
    assert codec_for(cls).value_at(cls(value), ("a", *parts), NOTHING) == found


def test_a_model_has_what_it_collects_at_its_own_name():
    @model(collect="rest")
    @dataclass
    class Model:
        first: Annotated[int, Attribute("F")]
        rest: dict[str, dict[str, int]]

    obj, codec = Model(1, {"q": {"x": 2}}), codec_for(Model)
    for parts, found in ((("F",), 1), (("q",), {"x": 2}), (("q", "x"), 2), (("rest",), NOTHING)):
        assert codec.value_at(obj, parts, NOTHING) == found


def test_changes_alone_do_not_know_the_whole():
    with pytest.raises(DiffError) as caught:
        Diff([Replaced("a.b", 1, 2)])["a"]
    problem = "made from changes alone: it does not know the whole value"
    assert (caught.value.problem, caught.value.path) == (problem, "a")


@pytest.mark.parametrize("kind", ["class", "typed dict"])
def test_a_field_inside_of_a_nested_key_is_compared_as_the_model_reads_it(kind):
    @keys(PK="Due#{day}#{colour}")
    @dataclass
    class Order:
        day: date
        colour: Colour

    @keys(PK="Due#{day}#{colour}")
    class TypedOrder(TypedDict):
        day: date
        colour: Colour

    inner: Any = Order if kind == "class" else TypedOrder

    @dataclass
    class Basket:
        orders: dict[str, list[inner]]

    def make(day: int) -> Basket:
        return Basket({"a": [inner(day=date(2026, 1, day), colour=Colour.RED)]})

    path, one, two = "orders.a[0].day", date(2026, 1, 1), date(2026, 1, 2)
    assert fired(Basket, transition(path, one, two), make(1), make(2))
    assert not fired(Basket, transition(path, two, one), make(1), make(2))
    assert not fired(Basket, transition(path, one), Basket({"a": []}), make(1))
    assert not fired(Basket, transition("orders.a[0].colour", Colour.RED), make(1), make(2))


def test_a_position_beyond_the_end_of_a_tuple_is_no_place():
    @dataclass
    class Model:
        pair: tuple[int, str]
        row: Annotated[TupleLine, Attribute(stored_as="L")]
        many: tuple[int, ...]

    for path in ("pair[1]", "row[1]", "many[99]"):
        declare(Model, path)
    for path in ("pair[2]", "row[2]", "pair[3]", "row[3]", "pair.x", "many.x"):
        with pytest.raises(RouteDefinitionError, match="has no field"):
            declare(Model, path)
    change = diff(Model((1, "a"), TupleLine(1), (1,)), Model((2, "a"), TupleLine(2), (1, 2)))
    assert [str(each.path) for each in change] == ["many[1]", "pair[0]", "row[0]"]
    assert "pair[2]" not in change
    assert "row[2]" not in change


def test_a_key_and_a_tag_are_named_by_their_attributes():
    @keys(PK="A#{id}", SK="all")
    class One(msgspec.Struct, tag="one", tag_field="kind"):
        id: int

    old, new = to_item(One(1)), to_item(One(2))
    for path in ("PK", "SK", "kind"):
        other = {**old, path: {"S": "other"}}
        assert codec_for(One).places((path,), strict=True) == [((path,), None, "")]
        assert change_filter(path).matches(old, other, codec_for(One))
        assert not change_filter(path).matches(old, old, codec_for(One))
    assert change_filter("PK").matches(old, new, codec_for(One))
    for typo in ("pk", "Kind", "PK.id", "kind[0]"):
        with pytest.raises(RouteDefinitionError, match="has no field"):
            declare(One, typo)


def test_a_field_wins_over_a_tag_and_over_what_is_collected():
    class Tagged(msgspec.Struct, tag="t", tag_field="kind", rename="upper"):
        kind: int

    @model(collect="rest")
    @dataclass
    class Collecting:
        kind: Annotated[int, Attribute("KIND")]
        rest: dict[str, Any]

    for cls in (Tagged, Collecting):
        codec = codec_for(cls)
        assert codec.places(("kind",)) == [(("KIND",), None, "")]
        both = codec.places(("kind",), every=True)
        assert both == [(("KIND",), None, ""), (("kind",), None, "")]


def test_an_attribute_of_no_field_is_found_and_hidden_by_its_own_name():
    old, new = {"unitPrice": 1, "other": "x"}, {"unitPrice": 1, "other": "y"}
    router = StreamRouter()
    seen = []

    @router.on_modify()
    def handler(record: Modify[DataLine]) -> None:
        seen.append(("other" in record.diff, str(record.diff.redact("other"))))

    router.dispatch([modify(old, new)])
    assert seen == [(True, "other: <redacted> -> <redacted>")]


@pytest.mark.parametrize(
    "steps",
    [
        (renamed("cost", "sum"), renamed("sum", "Price")),
        (versioned("v", {1: renamed("cost", "sum"), 2: renamed("sum", "Price")}),),
    ],
)
def test_a_field_means_the_names_that_older_items_have_for_it(steps):
    @upgrade(*steps)
    @dataclass
    class Product:
        price: Annotated[int, Attribute("Price")]
        name: str = "x"
        v: int = 3

    @dataclass
    class Shop:
        products: list[Product]

    def items(*costs: dict[str, int]) -> list[Any]:
        return [to_item({"products": [{**cost, "name": "x"}]}) for cost in costs]

    path = "products[0].price"
    for before, after, is_other in (
        ({"cost": 5}, {"cost": 6}, True),
        ({"cost": 5}, {"sum": 6}, True),
        ({"sum": 5}, {"Price": 6}, True),
        ({"cost": 5}, {"cost": 5}, False),
    ):
        router, seen = StreamRouter(classify=lambda _: "Shop"), []

        def handler(record: Modify[Shop], seen: list[Any] = seen) -> None:
            assert "secret" not in str(record.diff.redact(path))
            seen.append((path in record.diff, str(record.diff.redact(path)).count("<redacted>")))

        router.on_modify(Shop, changed=path)(handler)
        router.on_modify(Shop, changed=transition(path, 5, 6))(handler)
        router.on_modify(Shop, changed=transition(path, None, 6))(handler)
        router.dispatch([modify(*items(before, after))])
        assert len(seen) == (2 if is_other else 0)
        assert all(is_in and hidden >= 2 for is_in, hidden in seen)
    old, new = items({"cost": 5}, {"cost": 6})
    (record,) = parse([modify(old, new)], Shop)
    assert type(record.diff[path].new) is int
