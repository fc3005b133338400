"""Keeps an OpenSearch index of a table's products, by requests that may be repeated.

A document is put as a whole under the product's id. Records that come again come in their order, so
the index may show an older product for a moment, and then the newest one again.
"""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ddbstream import Change, LambdaHandler, Remove, StreamRouter, by_key_prefix, keys

INDEX = "products"
GONE = 404  # a product to be deleted that the index does not have: it came twice


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(frozen=True)
class Product:
    """What can be searched for."""

    id: str
    name: str
    price: Decimal
    category: str


class IndexingError(RuntimeError):
    """The engine did not take a document; its record comes again."""


router = StreamRouter(classify=by_key_prefix("PK"))


@router.on_change(Product)
def index(record: Change[Product]) -> None:
    """Put one product into the index, or take it out."""
    product = record.old if isinstance(record, Remove) else record.new
    about = {"_index": INDEX, "_id": product.id}
    if isinstance(record, Remove):
        bulk([{"delete": about}])
    else:
        document = {"name": product.name, "price": str(product.price), "category": product.category}
        bulk([{"index": about}, document])


def bulk(lines: list[dict[str, Any]]) -> None:
    """Send one bulk request.

    Raises:
        IndexingError: The engine refused a document.
    """
    request = urllib.request.Request(  # noqa: S310 - the address is the deployment's own
        f"{os.environ['OPENSEARCH_URL']}/_bulk",
        data="".join(json.dumps(line) + "\n" for line in lines).encode(),
        headers={"Content-Type": "application/x-ndjson"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        answer = json.load(response)
    statuses = [entry["status"] for item in answer["items"] for entry in item.values()]
    refused = [status for status in statuses if status >= 300 and status != GONE]
    if refused:
        raise IndexingError(f"the index answered {refused[0]}")


handler = LambdaHandler(router, report_batch_item_failures=True, concurrency=8)
