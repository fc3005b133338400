"""What type checkers know of models: for mypy, pyright, ty and pyrefly; never run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar
from uuid import UUID

from typing_extensions import assert_type

from ddbstream import (
    Attribute,
    Change,
    Epoch,
    from_attribute_value,
    from_item,
    keys,
    parse,
    to_attribute_value,
    to_item,
)
from ddbstream._model import Codec, codec_for
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
from ddbstream.typing import AttributeValue, Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")


@model(rename="camelCase", unknown="forbid", none="omit")
@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: UUID
    price: Decimal
    label: Annotated[str, Attribute("displayName")] = ""
    expires: Annotated[datetime | None, Epoch("s")] = None


@dataclass
class Page(Generic[T]):
    items: list[T]


class Size(TypedDict):
    w: int


class Point(NamedTuple):
    x: int


Shape = Annotated[Product | Page[int], Attribute(tags={"product": Product, "page": Page[int]})]


@dataclass
class Drawing:
    shape: Shape
    at: Annotated[Point, Attribute("At", stored_as="L")]
    names: Annotated[list[str], Attribute(stored_as="SS")]


def what_is_stored_otherwise_is_typed_as_it_says(item: Item) -> None:
    assert_type(from_item(item, Drawing).shape, Product | Page[int])
    assert_type(from_item(item, Drawing).at, Point)
    assert_type(from_item(item, Drawing).names, list[str])


def an_item_with_a_model_is_the_model(item: Item) -> None:
    assert_type(from_item(item, Product), Product)
    assert_type(from_item(item, Point), Point)
    assert_type(from_item(item, Page[Product]), Page[Product])
    assert_type(from_item(item, Product).price, Decimal)


def an_item_without_a_model_is_a_dict(item: Item) -> None:
    assert_type(from_item(item), dict[str, Any])
    assert_type(from_item({"a": {"S": "x"}}), dict[str, Any])
    assert_type(from_item(item, None), dict[str, Any])


def decorators_keep_the_class(product: Product) -> None:
    assert_type(product, Product)
    assert_type(product.label, str)
    assert_type(product.expires, datetime | None)
    Product(UUID(int=1), Decimal(1), label="x")


def writing_gives_items(product: Product) -> None:
    assert_type(to_item(product), Item)
    assert_type(to_item(product, wire="json"), Item)
    assert_type(to_item({"a": 1}), Item)
    assert_type(to_attribute_value("x"), AttributeValue)
    to_item(product, wire="yaml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
    Attribute(stored_as="S")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
    Epoch("hours")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
    model(unknown="sometimes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore


def values_are_anything(value: AttributeValue) -> None:
    assert_type(from_attribute_value(value), Any)
    assert_type(value.get("S"), str | None)


def items_go_to_boto3_and_come_from_it(client: DynamoDBClient, product: Product) -> None:
    client.put_item(TableName="Product", Item=to_item(product))
    got = client.get_item(TableName="Product", Key={"PK": to_attribute_value("x")})
    assert_type(from_item(got["Item"], Product), Product)


def registries_read_like_functions(registry: Registry, item: Item) -> None:
    assert_type(registry.from_item(item, Product), Product)
    assert_type(registry.from_item(item), dict[str, Any])
    assert_type(registry.to_item(item), Item)
    assert_type(registry.to_item(item, model=Product), Item)
    registry.register(UUID, structure=UUID, unstructure=str)
    assert_type(from_item(item, Product, registry=registry), Product)
    assert_type(from_item(item, registry=registry), dict[str, Any])
    assert_type(to_item(item, registry=registry), Item)
    assert_type(next(parse([], Product, registry=registry)), Change[Product])
    assert_type(next(parse([], registry=registry)), Change[dict[str, Any]])


def codecs_know_their_model(item: Item) -> None:
    assert_type(codec_for(Product), Codec[Product])
    assert_type(codec_for(Product).decode(item), Product)
    assert_type(codec_for(None), Codec[dict[str, Any]])
    assert_type(decoder_source(Product), str)


# --- upgrades -----------------------------------------------------------------------------------


def number(value: AttributeValue) -> AttributeValue:
    return {"N": value["S"]}


def cents_to_euros(item: Item) -> Item:
    item["total"] = {"N": item["total"]["N"] + "00"}
    return item


@upgrade(
    renamed("cost", "price"),
    retyped("price", "S", number),
    removed("legacy"),
    cents_to_euros,
    versioned("v", {1: cents_to_euros, 2: renamed("a", "b")}),
)
@dataclass
class Upgraded:
    price: Decimal
    v: int = 3


assert_type(from_item({}, Upgraded), Upgraded)
Registry().register(Upgraded, upgrades=[renamed("a", "b"), cents_to_euros])
upgrade("cost")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
retyped("price", "S", str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
