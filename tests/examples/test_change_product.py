"""``PATCH`` and ``DELETE /product/{id}``: what is written and refused, and how each is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from ddbstream import to_item

if TYPE_CHECKING:
    from types import ModuleType

DESK = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
def desk(table: Any, add_product: ModuleType) -> dict[str, Any]:
    item = to_item(add_product.Product(UUID(DESK), "Walnut desk", 5, "furniture"))
    table.put_item(TableName="Product", Item=item)
    return item


def request(
    function: ModuleType, method: str, body: Any = None, product_id: str = DESK
) -> tuple[int, str]:
    event = {
        "requestContext": {"http": {"method": method}},
        "pathParameters": {"id": product_id},
        "body": json.dumps(body),
    }
    answer = function.handler(event, None)
    return answer["statusCode"], json.loads(answer["body"])["message"]


def stored(table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.scan(TableName="Product")["Items"]
    return found


def test_only_what_the_body_names_is_changed(
    table: Any, change_product: ModuleType, desk: dict[str, Any]
) -> None:
    table.update_item(  # an attribute that the model does not know
        TableName="Product",
        Key={name: desk[name] for name in ("PK", "SK")},
        UpdateExpression="SET stock = :three",
        ExpressionAttributeValues={":three": {"N": "3"}},
    )
    assert request(change_product, "PATCH", {"price": 4, "name": "Desk"}) == (200, "changed")
    expected = {**desk, "price": {"N": "4"}, "name": {"S": "Desk"}, "stock": {"N": "3"}}
    assert stored(table) == [expected]


def test_a_body_that_changes_nothing_writes_nothing(
    change_product: ModuleType, desk: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = change_product.dynamodb()
    monkeypatch.setattr(client, "update_item", None)
    assert request(change_product, "PATCH", {"price": 5}) == (200, "nothing to change")


def test_what_somebody_else_changes_in_between_is_not_written_over(
    table: Any, change_product: ModuleType, desk: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = change_product.dynamodb()
    read = client.get_item

    def read_and_change(**options: Any) -> Any:
        answer = read(**options)
        table.put_item(TableName="Product", Item={**desk, "price": {"N": "9"}})
        return answer

    monkeypatch.setattr(client, "get_item", read_and_change)
    status, message = request(change_product, "PATCH", {"price": 4})
    assert (status, "read it again" in message) == (409, True)
    assert stored(table)[0]["price"] == {"N": "9"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"price": -1}, "negative"),
        ({"price": "4"}, "a number"),
        ({"name": ""}, "not empty"),
        ([], "JSON object"),
        ({"price": 10**130}, "price"),
    ],
)
def test_a_body_that_cannot_be_is_answered_400_and_writes_nothing(
    table: Any, change_product: ModuleType, desk: dict[str, Any], body: Any, reason: str
) -> None:
    status, message = request(change_product, "PATCH", body)
    assert (status, reason in message) == (400, True), message
    assert stored(table) == [desk]


def test_a_product_is_deleted_once(
    table: Any, change_product: ModuleType, desk: dict[str, Any]
) -> None:
    assert request(change_product, "DELETE") == (200, "deleted")
    assert stored(table) == []
    assert request(change_product, "DELETE") == (404, "no such product")


@pytest.mark.parametrize("product_id", ["8", "", "00000000-0000-0000-0000-000000000008"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_product_that_is_not_there_is_answered_404(
    change_product: ModuleType, desk: dict[str, Any], method: str, product_id: str
) -> None:
    answer = request(change_product, method, {"price": 1}, product_id)
    assert answer == (404, "no such product")


def test_a_rest_apis_event_is_read_alike(
    table: Any, change_product: ModuleType, desk: dict[str, Any]
) -> None:
    event = {"httpMethod": "DELETE", "pathParameters": {"id": DESK}, "body": None}
    assert change_product.handler(event, None)["statusCode"] == 200
    assert stored(table) == []
