"""After any history, and with any record repeated, the copy is what the table is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import replicate_table
from moto import mock_aws

from ddbstream import from_item
from ddbstream.testing import EventSourceMapping, insert, modify, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

Items = dict[str, dict[str, Any]]


@pytest.fixture
def copy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("COPY", "Copy")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws():
        replicate_table.dynamodb.cache_clear()
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Copy",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        )
        yield client
    replicate_table.dynamodb.cache_clear()


def stored(client: Any) -> Items:
    items = [from_item(item) for item in client.scan(TableName="Copy")["Items"]]
    return {item["PK"]: item for item in items}


def some_item(chance: random.Random, key: str) -> dict[str, Any]:
    item: dict[str, Any] = {"PK": key, "n": chance.randrange(100)}
    if chance.random() < 0.5:
        item["tags"] = {f"t{number}" for number in range(chance.randrange(1, 4))}
    if chance.random() < 0.5:
        item["dims"] = {"w": chance.randrange(9), "names": ["a", "b"][: chance.randrange(3)]}
    return item


def history(chance: random.Random, table: Items) -> Iterator[Any]:
    for _ in range(120):
        key = f"Item#{chance.randrange(6)}"
        old = table.get(key)
        if old is None:
            new = table[key] = some_item(chance, key)
            yield insert(new)
        elif chance.random() < 0.2:
            yield remove(table.pop(key))
        else:
            new = table[key] = some_item(chance, key)
            if new != old:
                yield modify(old, new)


def test_the_copy_is_what_the_table_is(copy: Any):
    table: Items = {}
    EventSourceMapping(
        replicate_table.handler,
        list(history(random.Random(7), table)),
        function_response_types=["ReportBatchItemFailures"],
        batch_size=10,
    ).run()
    assert stored(copy) == table


def test_records_of_a_batch_that_come_again_do_no_harm(copy: Any):
    first, second = {"PK": "1", "n": 1, "old": True}, {"PK": "1", "n": 2}
    records = [insert(first), modify(first, second)]
    for _ in range(2):
        replicate_table.router.dispatch(records)
    assert stored(copy) == {"1": second}
