"""What the catalogue holds: shared by the function that writes and the one that follows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from ddbstream import keys


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(slots=True, frozen=True)
class Product:
    """One product; ``id`` lives in the partition key, as ``Product#<id>``."""

    id: UUID
    name: str
    price: Decimal
    category: str
