"""The models that tests use where any model would do."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from typing import Any

from ddbstream import keys


@keys(PK="Product#{id}")
@dataclass
class Product:
    id: str
    price: Decimal = Decimal(0)


@keys(PK="Order#{id}")
@dataclass
class Order:
    id: str


def holding(annotation: Any, **default: Any) -> Any:
    """A dataclass ``Holder`` of one field ``a``; ``default`` is what ``field`` takes."""
    return make_dataclass("Holder", [("a", annotation, field(**default))])
