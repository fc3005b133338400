"""What the commands in the site's pictures of the terminal read: a router and its models."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ddbstream import Insert, Modify, StreamRouter, by_keys, keys


@keys(PK="Product#{id}", SK="Product")
@dataclass
class Product:
    id: str
    name: str
    price: Decimal
    tags: set[str]


@keys(PK="Customer#{customer}", SK="Order#{number:06d}")
@dataclass
class Order:
    customer: str
    number: int
    total: Decimal


router = StreamRouter(classify=by_keys(Product, Order))


@router.on_modify(Product, changed="price")
def repriced(record: Modify[Product]) -> None: ...


@router.on_modify(Product, changed="name")
def renamed(record: Modify[Product]) -> None: ...


@router.on_insert(Order)
def ordered(record: Insert[Order]) -> None: ...
