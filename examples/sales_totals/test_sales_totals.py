"""A window's totals are what was sold in it, whatever fails on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import sales_totals
from moto import mock_aws
from sales_totals import Sale, WindowTotals

from ddbstream import from_item
from ddbstream.testing import EventSourceMapping, FakeClock, insert

if TYPE_CHECKING:
    from collections.abc import Iterator

MIDNIGHT = 1_767_225_600


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TOTALS", "Totals")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws():
        sales_totals.dynamodb.cache_clear()
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Totals",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
        )
        yield client
    sales_totals.dynamodb.cache_clear()


def sold(number: int, category: str, price: str, second: int) -> Any:
    return insert(Sale(str(number), category, Decimal(price)), created=MIDNIGHT + second)


def mapping() -> EventSourceMapping:
    return EventSourceMapping(
        sales_totals.handler,
        clock=FakeClock(MIDNIGHT),
        tumbling_window_in_seconds=300,
        function_response_types=["ReportBatchItemFailures"],
    )


def totals(client: Any) -> list[tuple[int, dict[str, Decimal]]]:
    items = client.scan(TableName="Totals")["Items"]
    found = sorted((from_item(item, WindowTotals) for item in items), key=lambda one: one.start)
    return [(one.count, one.by_category) for one in found]


def test_each_window_has_its_own_totals(table: Any):
    windows = mapping()
    windows.put([sold(1, "desk", "10.10", 0), sold(2, "lamp", "5", 1), sold(3, "desk", "0.05", 2)])
    windows.run(seconds=301)
    windows.put(sold(4, "lamp", "7", 310))
    windows.run()
    assert totals(table) == [
        (3, {"desk": Decimal("10.15"), "lamp": Decimal(5)}),
        (1, {"lamp": Decimal(7)}),
    ]


def test_totals_that_cannot_be_written_are_written_later(
    table: Any, monkeypatch: pytest.MonkeyPatch
):
    windows = mapping()
    windows.put(sold(1, "desk", "10", 0))
    monkeypatch.setenv("TOTALS", "no-such-table")
    windows.run(seconds=310)
    assert totals(table) == []
    monkeypatch.setenv("TOTALS", "Totals")
    windows.run()
    assert totals(table) == [(1, {"desk": Decimal(10)})]
