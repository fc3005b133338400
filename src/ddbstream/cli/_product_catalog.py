"""The product catalogue of ``examples/``, on this machine: its two functions, its table, its API.

The functions are the example's own files, the ones that are deployed. A wheel carries them beside
this module (``pyproject.toml`` puts them there); in a checkout they are read from ``examples/``.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from ddbstream import diff, from_item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["ProductApi", "ProductTable", "functions", "product_table", "serving"]

_LONGEST_BODY = 10 * 1024 * 1024  # bytes; API Gateway's limit


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


class ProductTable:
    """The table as in ``template.yaml``.

    Attributes:
        name: Its name, unlike any other's.
        stream_arn: Its stream, which carries new and old images.
        client: The DynamoDB client that made it.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.name = f"ddbstream-demo-{uuid4().hex[:8]}"
        self.stream_arn = ""

    def create(self) -> None:
        """Make the table and wait until it takes writes."""
        self.client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.client.get_waiter("table_exists").wait(
            TableName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        table = self.client.describe_table(TableName=self.name)["Table"]
        self.stream_arn = table["LatestStreamArn"]

    def delete(self) -> None:
        """Remove the table: the endpoint may be one that bills for it."""
        self.client.delete_table(TableName=self.name)


@contextmanager
def product_table(client: Any) -> Iterator[ProductTable]:
    """A table for as long as this is open."""
    table = ProductTable(client)
    table.create()
    try:
        yield table
    finally:
        table.delete()


class ProductApi(ThreadingHTTPServer):
    """The API, with ``http.server`` in API Gateway's place.

    ``POST /product`` calls the example's own function. ``PATCH`` and ``DELETE /product/<id>`` are
    this demo's, to make changes that a stream can show: the example has no such functions.

    Args:
        add_product: The example's module.
        table: Where its products are.
        port: To listen on, at 127.0.0.1; 0 for any free one.
    """

    daemon_threads = True

    def __init__(self, add_product: ModuleType, table: ProductTable, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.add_product = add_product
        self.table = table

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    def respond(self, method: str, path: str, body: str) -> dict[str, Any]:
        """One request as an API Gateway proxy event; the function's proxy response."""
        event = proxy_event(method, path, body)
        example = self.add_product
        if (method, path) == ("POST", "/product"):
            result: dict[str, Any] = example.handler(event, None)
            return result
        key = _key(path)
        if key is None:
            return _response(
                404, "no such path: there is POST /product, PATCH and DELETE /product/<id>"
            )
        try:
            if method == "PATCH":
                return self._patch(key, example.json_body(event))
            if method == "DELETE":
                return self._delete(key)
        except example.BadRequest as error:
            return _response(400, str(error))
        return _response(405, f"{method} is not for {path}")

    def _patch(self, key: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        example = self.add_product
        item = self.table.client.get_item(
            TableName=self.table.name, Key=key, ConsistentRead=True
        ).get("Item")
        if item is None:
            return _response(404, "no such product")
        old: Any = from_item(item, example.Product)
        changes: dict[str, Any] = {
            name: example.text(body, name) for name in ("name", "category") if name in body
        }
        if "price" in body:
            changes["price"] = example.price(body)
        new = replace(old, **changes)
        change = diff(old, new)
        if not change:
            return _response(200, "nothing to change")
        update = change.to_update_expression(condition="changes")
        self.table.client.update_item(TableName=self.table.name, Key=key, **update)
        return _response(200, "changed")

    def _delete(self, key: dict[str, Any]) -> dict[str, Any]:
        gone = self.table.client.delete_item(
            TableName=self.table.name, Key=key, ReturnValues="ALL_OLD"
        )
        return (
            _response(200, "deleted") if "Attributes" in gone else _response(404, "no such product")
        )


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


def proxy_event(method: str, path: str, body: str) -> dict[str, Any]:
    """What API Gateway's HTTP API sends a function (payload format 2.0), as far as one reads it."""
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }


def _response(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "body": json.dumps({"message": message})}


class _Handler(BaseHTTPRequestHandler):
    server_version = "ddbstream-demo"

    def _handle(self) -> None:
        result = self._result()
        body = (result.get("body") or "").encode() + b"\n"
        self.send_response(result["statusCode"])
        headers = {"Content-Type": "application/json", **result.get("headers", {})}
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 -- http.server's names

    def _result(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            return _response(413, f"a body may have {_LONGEST_BODY} bytes")
        try:
            body = self.rfile.read(int(length)).decode()
            api = cast("ProductApi", self.server)
            return api.respond(self.command, self.path.partition("?")[0], body)
        except UnicodeDecodeError:
            return _response(400, "the body must be UTF-8")
        except Exception:  # noqa: BLE001 -- as API Gateway: 500 to the caller, the reason to the log
            traceback.print_exc()
            return _response(500, "Internal Server Error")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Nothing: the changes are what there is to see."""


@contextmanager
def serving(api: ProductApi) -> Iterator[str]:
    """The API answering in a thread of its own; gives its URL."""
    thread = Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield api.url
    finally:
        api.shutdown()
        api.server_close()
        thread.join()
