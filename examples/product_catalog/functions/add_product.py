"""``POST /product``: check the body, write the item, answer 201 with the new id."""

from __future__ import annotations

import logging
import os
from typing import Any
from uuid import uuid4

from models import Product
from product_api import BadRequest, dynamodb, json_body, price, response, text

from ddbstream import to_item
from ddbstream.exceptions import EncodeError

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add one product.

    Args:
        event: An API Gateway proxy event whose body is ``{"name", "price", "category"}``.

    Returns:
        A proxy response: 201 with ``{"id"}`` and a ``Location``, or 400 with ``{"message"}``.
    """
    try:
        product = product_from(json_body(event))
        item = to_item(product)
    except (BadRequest, EncodeError) as error:  # a price that DynamoDB has no number for
        return response(400, {"message": str(error)})
    dynamodb().put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    logger.info("product added", extra={"id": str(product.id)})
    return response(201, {"id": str(product.id)}, Location=f"/product/{product.id}")


def product_from(body: dict[str, Any]) -> Product:
    """Check the fields of a request and give the product a new id."""
    return Product(
        id=uuid4(), name=text(body, "name"), price=price(body), category=text(body, "category")
    )
