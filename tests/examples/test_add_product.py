"""``POST /product``: what is written, what is refused, and how each is answered."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from ddbstream import from_item

pytest.importorskip("moto")
pytest.importorskip("boto3")

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

DESK = '{"name": "Walnut desk", "price": 1299.99, "category": "furniture"}'


@pytest.fixture
def post(add_product: ModuleType, table: Any) -> Callable[[str], dict[str, Any]]:
    def post(body: str) -> dict[str, Any]:
        result: dict[str, Any] = add_product.handler({"version": "2.0", "body": body}, None)
        return result

    return post


def items(table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.scan(TableName="Product")["Items"]
    return found


def test_a_product_is_written_under_its_id_and_answered_201(post: Any, table: Any) -> None:
    answer = post(DESK)
    product_id = json.loads(answer["body"])["id"]
    assert answer["statusCode"] == 201
    assert answer["headers"]["Location"] == f"/product/{product_id}"
    assert items(table) == [
        {
            "PK": {"S": f"Product#{UUID(product_id)}"},
            "SK": {"S": "User#Product"},
            "name": {"S": "Walnut desk"},
            "price": {"N": "1299.99"},
            "category": {"S": "furniture"},
        }
    ]


def test_the_item_reads_back_as_the_product(post: Any, table: Any, add_product: ModuleType) -> None:
    product_id = json.loads(post(DESK)["body"])["id"]
    (item,) = items(table)
    assert from_item(item, add_product.Product) == add_product.Product(
        id=UUID(product_id), name="Walnut desk", price=Decimal("1299.99"), category="furniture"
    )


@pytest.mark.parametrize(
    "price",
    ["0.1", "1.10", "9007199254740993", "12345678901234567890.123456789012345678", "0", "1e3"],
)
def test_a_price_is_kept_as_written_where_a_float_would_round_it(
    post: Any, table: Any, price: str
) -> None:
    assert post(DESK.replace("1299.99", price))["statusCode"] == 201
    (item,) = items(table)
    assert Decimal(item["price"]["N"]) == Decimal(price)


def test_a_rest_api_event_and_a_base64_body_are_read_alike(
    table: Any, add_product: ModuleType
) -> None:
    rest = {"resource": "/product", "httpMethod": "POST", "body": DESK, "isBase64Encoded": False}
    encoded = {**rest, "body": base64.b64encode(DESK.encode()).decode(), "isBase64Encoded": True}
    assert add_product.handler(rest, None)["statusCode"] == 201
    assert add_product.handler(encoded, None)["statusCode"] == 201
    assert len(items(table)) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "the body must be JSON"),
        ("{", "the body must be JSON"),
        ("[" * 100_000, "the body must be JSON"),
        ("1" * 5_000, "the body must be JSON"),
        (DESK.replace("1299.99", "NaN"), "the body must be JSON"),
        (DESK.replace("1299.99", "-Infinity"), "the body must be JSON"),
        (DESK.replace("1299.99", "1e999999999999999999999"), "the body must be JSON"),
        ("[1]", "the body must be a JSON object"),
        ("null", "the body must be a JSON object"),
        ("{}", "name must be text and not empty"),
        (DESK.replace("1299.99", '"1299.99"'), "price must be a number"),
        (DESK.replace("1299.99", "true"), "price must be a number"),
        (DESK.replace("1299.99", "null"), "price must be a number"),
        (DESK.replace("1299.99", "-0.01"), "price must not be negative"),
        (DESK.replace("Walnut desk", " "), "name must be text and not empty"),
        (DESK.replace('"Walnut desk"', "7"), "name must be text and not empty"),
        (DESK.replace("Walnut desk", "x" * 1001), "name must not be longer than 1000 characters"),
        (DESK.replace("Walnut desk", "\\ud800"), "name must be valid Unicode"),
        (DESK.replace('"category"', '"kind"'), "category must be text and not empty"),
    ],
)
def test_a_body_that_is_no_product_is_answered_400_with_the_reason_and_writes_nothing(
    post: Any, table: Any, body: str, message: str
) -> None:
    answer = post(body)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"]) == {"message": message}
    assert items(table) == []


@pytest.mark.parametrize("price", ["1" * 39, "1e126", "1." + "1" * 38])
def test_a_price_that_dynamodb_has_no_number_for_is_answered_400(
    post: Any, table: Any, price: str
) -> None:
    answer = post(DESK.replace("1299.99", price))
    assert answer["statusCode"] == 400
    assert "price" in json.loads(answer["body"])["message"]
    assert price not in answer["body"]
    assert items(table) == []


def test_a_body_in_bytes_that_are_no_text_is_answered_400(
    table: Any, add_product: ModuleType
) -> None:
    for body in ("/w==", "not base64!", "é"):
        event = {"body": body, "isBase64Encoded": True}
        assert add_product.handler(event, None)["statusCode"] == 400


def test_a_failing_table_is_not_the_callers_mistake(
    post: Any, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "Missing")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        post(DESK)
