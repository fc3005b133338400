"""The product catalogue of ``examples/``, on this machine: its functions, its table, its API.

The functions are the example's own files, the ones that are deployed. A wheel carries them beside
this module (``pyproject.toml`` puts them there); in a checkout they are read from ``examples/``.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from ddbstream.cli._http import Request, Response, function_response, message
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

__all__ = [
    "LONGEST_BODY",
    "ProductApi",
    "ProductTable",
    "functions",
    "product_table",
    "proxy_event",
]

LONGEST_BODY = 10 * 1024 * 1024  # bytes; API Gateway's limit


def functions() -> tuple[ModuleType, ModuleType, ModuleType]:
    """``add_product``, ``change_product`` and ``product_changes``, imported as Lambda imports them.

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
    add, change, follow = map(import_module, ("add_product", "change_product", "product_changes"))
    return add, change, follow


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
    """The API, in API Gateway's place: each request goes to the function that is deployed for it.

    Args:
        add_product: The example's module for ``POST /product``.
        change_product: Its module for ``PATCH`` and ``DELETE /product/{id}``.
    """

    def __init__(self, add_product: ModuleType, change_product: ModuleType) -> None:
        self._functions = {
            ("POST", False): add_product,
            ("PATCH", True): change_product,
            ("DELETE", True): change_product,
        }

    def respond(self, request: Request) -> Response:
        """The function's answer to API Gateway's proxy event of this request."""
        head, _, product_id = request.path.removeprefix("/").partition("/")
        if head != "product" or "/" in product_id:
            return message(
                404, "no such path: there is POST /product, PATCH and DELETE /product/<id>"
            )
        function = self._functions.get((request.method, bool(product_id)))
        if function is None:
            return message(405, f"{request.method} is not for {request.path}")
        path = "/product/{id}" if product_id else "/product"
        event = proxy_event(request, path, {"id": product_id})
        result: dict[str, Any] = function.handler(event, None)
        body = (result.get("body") or "").encode() + b"\n"
        return function_response(result["statusCode"], body, result.get("headers") or {})


def proxy_event(request: Request, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What API Gateway's HTTP API sends a function (payload format 2.0), as far as one reads it."""
    return {
        "version": "2.0",
        "routeKey": f"{request.method} {path}",
        "rawPath": request.path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": request.method, "path": request.path}},
        "pathParameters": dict(parameters),
        "body": request.body.decode(),
        "isBase64Encoded": False,
    }
