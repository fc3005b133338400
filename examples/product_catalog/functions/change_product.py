"""``PATCH`` and ``DELETE /product/{id}``: change what the body names, or remove the product."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any
from uuid import UUID

from models import Product
from product_api import BadRequest, dynamodb, json_body, price, response, text

from ddbstream import diff, from_item
from ddbstream.exceptions import EncodeError

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Change or remove one product.

    Args:
        event: An API Gateway proxy event with ``id`` in its path, and for ``PATCH`` a body with any
            of ``name``, ``price`` and ``category``.

    Returns:
        A proxy response with ``{"message"}``: 200; 400 for a body that is wrong; 404 where there is
        no such product; 409 where another request has changed the same fields in between.
    """
    http = event.get("requestContext", {}).get("http", {})
    method = http.get("method") or event.get("httpMethod")
    try:
        key = key_of(event["pathParameters"]["id"])
        if key is None:
            return response(404, {"message": "no such product"})
        return remove(key) if method == "DELETE" else change(key, json_body(event))
    except (BadRequest, EncodeError) as error:
        return response(400, {"message": str(error)})


def key_of(product_id: str) -> dict[str, Any] | None:
    """The key of that product; ``None`` for what is no id."""
    try:
        return {"PK": {"S": f"Product#{UUID(product_id)}"}, "SK": {"S": "User#Product"}}
    except ValueError:
        return None


def change(key: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Write what differs, and nothing else: the stream's record then says just that."""
    client, table = dynamodb(), os.environ["TABLE_NAME"]
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        return response(404, {"message": "no such product"})
    old = from_item(item, Product)
    fields: dict[str, Any] = {
        name: text(body, name) for name in ("name", "category") if name in body
    }
    if "price" in body:
        fields["price"] = price(body)
    changes = diff(old, replace(old, **fields))
    if not changes:
        return response(200, {"message": "nothing to change"})
    # Only if what changes is still as it was read.
    update = changes.to_update_expression(condition="changes")
    try:
        client.update_item(TableName=table, Key=key, **update)
    except client.exceptions.ConditionalCheckFailedException:
        return response(409, {"message": "somebody else has changed the product: read it again"})
    logger.info(
        "product changed", extra={"id": str(old.id), "paths": [str(c.path) for c in changes]}
    )
    return response(200, {"message": "changed"})


def remove(key: dict[str, Any]) -> dict[str, Any]:
    """Delete the item."""
    gone = dynamodb().delete_item(
        TableName=os.environ["TABLE_NAME"], Key=key, ReturnValues="ALL_OLD"
    )
    if "Attributes" not in gone:
        return response(404, {"message": "no such product"})
    logger.info("product removed", extra={"id": key["PK"]["S"].removeprefix("Product#")})
    return response(200, {"message": "deleted"})
