"""The product catalogue of ``examples/``, on this machine: its two functions, its table, its API.

The functions are the example's own files, the ones that are deployed. A wheel carries them beside
this module (``pyproject.toml`` puts them there); in a checkout they are read from ``examples/``.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from ddbstream import diff, from_item
from ddbstream.cli._http import JSON, Request, Response, message
from ddbstream.cli._local_dynamodb import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["LONGEST_BODY", "ProductApi", "ProductTable", "functions", "product_table"]

LONGEST_BODY = 10 * 1024 * 1024  # bytes; API Gateway's limit


def functions() -> tuple[ModuleType, ModuleType]:
    """The modules ``add_product`` and ``product_changes``, imported as Lambda imports them.

    That is with their folder on ``sys.path``, where each finds ``models``.
    """
    here = Path(__file__).resolve()
    places = (
        here.parent / "product_catalog",
        here.parents[3] / "examples/product_catalog/functions",
    )
    folder = next((place for place in places if (place / "add_product.py").exists()), None)
    if folder is None:
        raise FileNotFoundError(f"no add_product.py in {places[0]} or {places[1]}")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return import_module("add_product"), import_module("product_changes")


class ProductTable(NamedTuple):
    """The table of ``template.yaml``.

    Attributes:
        client: boto3's ``dynamodb`` client.
        name: A name that no other table has.
        stream_arn: Its stream, which carries new and old images.
    """

    client: Any
    name: str
    stream_arn: str


@contextmanager
def product_table(client: Any) -> Iterator[ProductTable]:
    """A table that takes writes, for as long as this is open."""
    name = f"ddbstream-demo-{uuid4().hex[:8]}"
    make_table(client, name, ("PK", "SK"))
    try:
        client.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        table = client.describe_table(TableName=name)["Table"]
        yield ProductTable(client, name, table["LatestStreamArn"])
    finally:
        client.delete_table(TableName=name)  # the endpoint may be one that bills for it


class ProductApi:
    """The API, in API Gateway's place.

    ``POST /product`` calls the example's own function. ``PATCH`` and ``DELETE /product/<id>`` are
    this demo's, to make changes that a stream can show: the example has no such functions.

    Args:
        add_product: The example's module.
        table: The table that has its products.
    """

    def __init__(self, add_product: ModuleType, table: ProductTable) -> None:
        self._example = add_product
        self._table = table

    def respond(self, request: Request) -> Response:
        """One request, handed on as API Gateway's proxy event where the example handles it."""
        event = proxy_event(request)
        if (request.method, request.path) == ("POST", "/product"):
            result: dict[str, Any] = self._example.handler(event, None)
            body = (result.get("body") or "").encode() + b"\n"
            return Response(result["statusCode"], body, {**JSON, **result.get("headers", {})})
        key = _key(request.path)
        if key is None:
            return message(
                404, "no such path: there is POST /product, PATCH and DELETE /product/<id>"
            )
        try:
            if request.method == "PATCH":
                return self._patch(key, self._example.json_body(event))
            if request.method == "DELETE":
                return self._delete(key)
        except self._example.BadRequest as error:
            return message(400, str(error))
        return message(405, f"{request.method} is not for {request.path}")

    def _patch(self, key: dict[str, Any], body: dict[str, Any]) -> Response:
        client, table, _ = self._table
        item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return message(404, "no such product")
        old: Any = from_item(item, self._example.Product)
        changes: dict[str, Any] = {
            name: self._example.text(body, name) for name in ("name", "category") if name in body
        }
        if "price" in body:
            changes["price"] = self._example.price(body)
        change = diff(old, replace(old, **changes))
        if not change:
            return message(200, "nothing to change")
        update = change.to_update_expression(condition="changes")
        client.update_item(TableName=table, Key=key, **update)
        return message(200, "changed")

    def _delete(self, key: dict[str, Any]) -> Response:
        client, table, _ = self._table
        gone = client.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")
        return message(200, "deleted") if "Attributes" in gone else message(404, "no such product")


def _key(path: str) -> dict[str, Any] | None:
    """The key of the product that a path names."""
    head, _, product_id = path.rpartition("/")
    try:
        product_id = str(UUID(product_id))
    except ValueError:
        return None
    if head != "/product":
        return None
    return {"PK": {"S": f"Product#{product_id}"}, "SK": {"S": "User#Product"}}


def proxy_event(request: Request) -> dict[str, Any]:
    """What API Gateway's HTTP API sends a function (payload format 2.0), as far as one reads it."""
    return {
        "version": "2.0",
        "routeKey": f"{request.method} {request.path}",
        "rawPath": request.path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": request.method, "path": request.path}},
        "body": request.body.decode(),
        "isBase64Encoded": False,
    }
