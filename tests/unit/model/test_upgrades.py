"""Upgrades: what older versions of a class have stored is read as what it means now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from ddbstream import Attribute, Insert, StreamRouter, from_item, keys, parse, to_item
from ddbstream.exceptions import DecodeError, ModelDefinitionError
from ddbstream.models import (
    Registry,
    decoder_source,
    model,
    removed,
    renamed,
    retyped,
    upgrade,
    versioned,
)
from ddbstream.testing import insert
from ddbstream.typing import AttributeValue, Item
from tests.support.roads import insert_of, new_image, unread_page
from tests.unit.model.reading import quickly


def number(value: AttributeValue) -> AttributeValue:
    return {"N": value["S"].removesuffix(" EUR")}


@upgrade(renamed("cost", "price"), retyped("price", "S", number))
@dataclass
class Product:
    name: str
    price: Decimal


def test_a_step_of_a_version_that_gives_no_item_is_named() -> None:
    @dataclass
    class Thing:
        a: int
        v: int = 3

    def forget(item: Item) -> Any:
        return None

    registry = Registry()
    registry.register(Thing, upgrades=[versioned("v", {1: removed("b"), 2: forget})])
    for version in ("1", "2"):
        with pytest.raises(DecodeError, match="gave NoneType, no item"):
            from_item({"a": {"N": "1"}, "v": {"N": version}}, Thing, registry=registry)


CURRENT = {"name": {"S": "Lamp"}, "price": {"N": "9.5"}}
LAMP = Product("Lamp", Decimal("9.5"))


OF_ANY_VERSION: list[Item] = [
    CURRENT,
    {"name": {"S": "Lamp"}, "cost": {"N": "9.5"}},
    {"name": {"S": "Lamp"}, "price": {"S": "9.5 EUR"}},
    {"name": {"S": "Lamp"}, "cost": {"S": "9.5 EUR"}},
    {**CURRENT, "cost": {"S": "7 EUR"}},
]


@pytest.mark.parametrize("item", OF_ANY_VERSION)
def test_an_item_of_any_version_is_read_as_the_present_one(item: Item) -> None:
    stored = deepcopy(item)
    assert from_item(item, Product) == LAMP
    assert from_item(MappingProxyType(item), Product) == LAMP, "what the slow reader gets as well"
    assert item == stored
    assert to_item(from_item(item, Product)) == CURRENT


@pytest.mark.parametrize("item", OF_ANY_VERSION)
def test_an_item_that_is_text_until_it_is_read_is_upgraded_too(item: Item) -> None:
    pytest.importorskip("msgspec")

    @dataclass
    class Shelf:
        products: list[Product]

    assert new_image(unread_page([insert_of(item)]), Product) == ("value", LAMP)
    shelf = {"products": {"L": [{"M": item}]}}
    assert new_image(unread_page([insert_of(shelf)]), Shelf) == ("value", Shelf([LAMP]))


def test_the_steps_run_in_the_generated_decoder() -> None:
    assert "= _upgraded(item)" in decoder_source(Product)
    for item in OF_ANY_VERSION:
        assert quickly(item, Product) == LAMP


def test_a_record_reads_its_images_with_the_steps_and_keeps_the_stored_form() -> None:
    old = {"name": {"S": "Lamp"}, "cost": {"N": "9.5"}}
    wire = insert(old)
    (record,) = parse(wire, Product)
    assert isinstance(record, Insert)
    assert record.new == LAMP
    assert record.raw["dynamodb"]["NewImage"] == old


def test_a_handler_gets_the_upgraded_object() -> None:
    router, seen = StreamRouter(), []

    @router.on_insert()
    def added(record: Insert[Product]) -> None:
        seen.append(record.new)

    router.dispatch([insert({"name": {"S": "Lamp"}, "cost": {"N": "9.5"}})])
    assert seen == [LAMP]


def test_functions_run_in_the_order_of_the_decorator_on_a_copy() -> None:
    def first(item: Item) -> Item:
        item["b"] = item.pop("a")
        return item

    def second(item: Item) -> Item:
        item["c"] = item.pop("b")
        return item

    @upgrade(first, second)
    @dataclass
    class Model:
        c: int

    item: Item = {"a": {"N": "1"}}
    assert from_item(item, Model) == Model(1)
    assert item == {"a": {"N": "1"}}


def test_an_upper_decorator_follows_a_lower_one_and_a_subclass_its_base() -> None:
    @upgrade(renamed("b", "c"))
    @upgrade(renamed("a", "b"))
    @dataclass
    class Base:
        c: int = 0
        d: int = 0

    @upgrade(renamed("c", "d"))
    @dataclass
    class Derived(Base):
        pass

    assert from_item({"a": {"N": "1"}}, Base) == Base(c=1)
    assert from_item({"a": {"N": "1"}}, Derived) == Derived(d=1)


def test_nested_classes_have_steps_of_their_own_wherever_they_are() -> None:
    @dataclass
    class Order:
        one: Product
        many: list[Product] = field(default_factory=list)
        by_name: dict[str, Product | int] = field(default_factory=dict)

    old = {"M": {"name": {"S": "Lamp"}, "cost": {"N": "9.5"}}}
    item = {"one": old, "many": {"L": [old, {"M": CURRENT}]}, "by_name": {"M": {"x": old}}}
    assert from_item(item, Order) == Order(LAMP, [LAMP, LAMP], {"x": LAMP})


def test_keys_renames_and_forbidden_attributes_see_the_upgraded_item() -> None:
    @upgrade(renamed("pk", "PK"), renamed("fullName", "displayName"), removed("legacy"))
    @keys(PK="User#{id}")
    @model(unknown="forbid")
    @dataclass
    class User:
        id: int
        name: Annotated[str, Attribute("displayName")]

    item = {"pk": {"S": "User#1"}, "fullName": {"S": "Ada"}, "legacy": {"BOOL": True}}
    assert from_item(item, User) == User(1, "Ada")
    assert from_item(to_item(User(1, "Ada")), User) == User(1, "Ada")


def test_a_removed_attribute_is_not_collected() -> None:
    @upgrade(removed("legacy"))
    @model(collect="rest")
    @dataclass
    class Event:
        rest: dict[str, Any] = field(default_factory=dict)

    assert from_item({"legacy": {"N": "1"}, "x": {"N": "2"}}, Event).rest == {"x": 2}


class Point(NamedTuple):
    x: int


class Size(TypedDict):
    x: int


@pytest.mark.parametrize("cls", [Point, Size])
def test_other_standard_classes_are_upgraded_too(cls: Any) -> None:
    registry = Registry()
    registry.register(cls, upgrades=[renamed("w", "x")])
    assert registry.from_item({"w": {"N": "1"}}, cls) == cls(x=1)


def test_classes_of_other_libraries_are_upgraded_too() -> None:
    attrs = pytest.importorskip("attrs")
    msgspec = pytest.importorskip("msgspec")
    pydantic = pytest.importorskip("pydantic")
    made = [
        attrs.make_class("A", {"x": attrs.field(type=int)}),
        msgspec.defstruct("M", [("x", int)]),
        pydantic.create_model("P", x=(int, ...)),
    ]
    for cls in made:
        upgrade(renamed("w", "x"))(cls)
        assert from_item({"w": {"N": "1"}}, cls) == cls(x=1)


def test_a_registry_upgrades_a_class_that_says_nothing() -> None:
    @dataclass
    class Plain:
        price: int

    registry = Registry()
    registry.register(Plain, upgrades=[renamed("cost", "price")])
    assert registry.from_item({"cost": {"N": "1"}}, Plain) == Plain(1)
    with pytest.raises(DecodeError):
        from_item({"cost": {"N": "1"}}, Plain)


# --- versions -----------------------------------------------------------------------------------


def to_euros(item: Item) -> Item:
    item["total"] = {"N": str(Decimal(item["total"]["N"]) / 100)}
    return item


@upgrade(versioned("v", {1: to_euros, 2: renamed("note", "remark")}))
@dataclass
class Invoice:
    total: Decimal
    remark: str = ""
    v: int = 3


@pytest.mark.parametrize(
    ("item", "invoice"),
    [
        ({"total": {"N": "950"}, "note": {"S": "x"}}, Invoice(Decimal("9.5"), "x")),
        ({"total": {"N": "950"}, "v": {"N": "1"}}, Invoice(Decimal("9.5"))),
        (
            {"total": {"N": "9.5"}, "note": {"S": "x"}, "v": {"N": "2"}},
            Invoice(Decimal("9.5"), "x"),
        ),
        ({"total": {"N": "950"}, "note": {"S": "x"}, "v": {"N": "3"}}, Invoice(Decimal(950))),
        ({"total": {"N": "950"}, "v": {"N": "3.0"}}, Invoice(Decimal(950))),
    ],
)
def test_an_item_takes_the_steps_from_its_version_on(item: Item, invoice: Invoice) -> None:
    assert from_item(item, Invoice) == invoice
    assert from_item(to_item(invoice), Invoice) == invoice


@pytest.mark.parametrize(
    ("version", "path", "found"),
    [
        ({"N": "4"}, "v", "a later one"),
        ({"S": "secret"}, "v", "S"),
        ({"N": "x"}, "v", "malformed N"),
    ],
)
def test_a_version_that_is_not_known_is_an_error_at_its_place(
    version: Any, path: str, found: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"total": {"N": "1"}, "v": version}, Invoice)
    assert (caught.value.path, caught.value.found) == (path, found)


@pytest.mark.parametrize(
    "fields", [{}, {"v": (int, None)}, {"v": (int, 2)}, {"v": (Literal[2], 2)}, {"w": (int, 3)}]
)
def test_a_class_with_versions_stores_the_one_that_it_writes(fields: Mapping[str, Any]) -> None:
    namespace: dict[str, Any] = {
        "__annotations__": {name: kind for name, (kind, _) in fields.items()},
        **{name: default for name, (_, default) in fields.items() if default is not None},
    }
    cls = dataclass(type("Lacking", (), namespace))
    upgrade(removed("old"), versioned("v", {1: to_euros, 2: to_euros}))(cls)
    with pytest.raises(
        ModelDefinitionError, match="needs a field that stores v, with the default 3"
    ):
        from_item({}, cls)


# --- what goes wrong ----------------------------------------------------------------------------


def raising(item: Item) -> Item:
    raise ValueError(f"secret {item}")


def forgetful(item: Item) -> Any:
    item["x"] = {"N": "1"}


def listing(item: Item) -> Any:
    return [item]


def refusing(item: Item) -> Item:
    raise DecodeError(path="z", expected="N", found="S")


def misread(value: AttributeValue) -> AttributeValue:
    return {"N": value["B"]}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("step", "path", "words"),
    [
        (raising, "inner", "upgrade raising raised ValueError (test_upgrades.py:"),
        (forgetful, "inner", "expected an item from upgrade forgetful, got nothing"),
        (listing, "inner", "expected an item from upgrade listing, got Python list"),
        (refusing, "inner.z", "expected N, got S at inner.z"),
        (retyped("y", "S", misread), "inner.y", "upgrade retyped('y', 'S', ...) raised KeyError"),
    ],
)
def test_an_error_names_the_step_and_the_place_and_no_value(
    step: Any, path: str, words: str
) -> None:
    @upgrade(step)
    @dataclass
    class Inner:
        x: int = 0

    @dataclass
    class Outer:
        inner: Inner

    with pytest.raises(DecodeError) as caught:
        from_item({"inner": {"M": {"y": {"S": "secret"}}}}, Outer)
    assert caught.value.path == path
    assert words in str(caught.value)
    assert "secret" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "define",
    [
        lambda: upgrade("cost"),  # type: ignore[arg-type]
        lambda: upgrade(dict),
        lambda: renamed("a", "a"),
        lambda: renamed("", "a"),
        lambda: retyped("a", "X", number),
        lambda: retyped("a", "S", None),  # type: ignore[arg-type]
        lambda: removed(""),
        lambda: versioned("v", {}),
        lambda: versioned("v", {1: number, 3: number}),  # type: ignore[dict-item]
        lambda: versioned("v", {"1": number}),  # type: ignore[dict-item]
        lambda: versioned("", {1: to_euros}),
        lambda: versioned("v", {1: "cents"}),  # type: ignore[dict-item]
        lambda: Registry().register(Product, upgrades=["cost"]),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_a_step_fails_where_it_is_written(define: Callable[[], object]) -> None:
    with pytest.raises(ModelDefinitionError):
        define()
