"""The stream function logs each captured change as one line of structured JSON."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lambda_runtime import LambdaRuntime

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PRODUCT_ID = "0b5f3a52-6c6c-4a0e-9c1b-8f6f5e0f7a11"
KEYS = {"PK": {"S": f"Product#{PRODUCT_ID}"}, "SK": {"S": "User#Product"}}


def item(price: str) -> dict[str, Any]:
    return {
        **KEYS,
        "name": {"S": "Walnut desk"},
        "price": {"N": price},
        "category": {"S": "furniture"},
    }


def record(
    number: int, name: str, old: str | None = None, new: str | None = None
) -> dict[str, Any]:
    images = {"OldImage": old and item(old), "NewImage": new and item(new)}
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795428930.0,
            "Keys": KEYS,
            **{side: image for side, image in images.items() if image},
            "SequenceNumber": f"{number:021}",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:"
        "table/Product/stream/2026-11-23T10:00:00.000",
    }


EVENT = {
    "Records": [
        record(1, "INSERT", new="1299.99"),
        record(2, "MODIFY", old="1299.99", new="1149.95"),
        record(3, "REMOVE", old="1149.95"),
    ]
}


@pytest.fixture
def lines(product_changes: ModuleType, caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the function logs of `EVENT`, as Lambda's own formatter writes it."""
    log_utils = pytest.importorskip("awslambdaric.lambda_runtime_log_utils")
    with caplog.at_level(logging.INFO, logger="product_changes"):
        assert product_changes.handler(EVENT, None) == {"batchItemFailures": []}
    formatter = log_utils.JsonFormatter()
    own = [record for record in caplog.records if record.name == "product_changes"]
    return [json.loads(formatter.format(record)) for record in own]


def test_each_change_is_one_line_with_what_identifies_it(lines: list[dict[str, Any]]) -> None:
    fields = ("event", "entity", "id", "event_id", "sequence_number")
    assert [[line[field] for field in fields] for line in lines] == [
        ["INSERT", "Product", PRODUCT_ID, "event-1", f"{1:021}"],
        ["MODIFY", "Product", PRODUCT_ID, "event-2", f"{2:021}"],
        ["REMOVE", "Product", PRODUCT_ID, "event-3", f"{3:021}"],
    ]
    assert [line["message"] for line in lines] == [
        f"{event} Product {PRODUCT_ID}" for event in ("INSERT", "MODIFY", "REMOVE")
    ]


def test_the_diff_of_a_change_has_the_changed_path_with_both_values_exactly(
    lines: list[dict[str, Any]],
) -> None:
    assert lines[1]["diff"] == [{"path": "price", "old": "1299.99", "new": "1149.95"}]


def test_the_diff_of_an_insert_has_every_attribute_as_new_and_that_of_a_remove_as_old(
    lines: list[dict[str, Any]],
) -> None:
    added = {change["path"]: change for change in lines[0]["diff"]}
    removed = {change["path"]: change for change in lines[2]["diff"]}
    assert added.keys() == removed.keys() == {"PK", "SK", "name", "price", "category"}
    assert added["price"] == {"path": "price", "new": "1299.99"}
    assert removed["price"] == {"path": "price", "old": "1149.95"}


def test_a_record_that_cannot_be_read_is_reported_and_those_before_it_are_logged(
    product_changes: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    bad = record(2, "MODIFY", old="1299.99", new="1149.95")
    bad["dynamodb"]["NewImage"]["price"] = {"S": "a lot"}
    with caplog.at_level(logging.INFO, logger="product_changes"):
        answer = product_changes.handler(
            {"Records": [EVENT["Records"][0], bad, EVENT["Records"][2]]}, None
        )
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{2:021}"}]}
    logged = [record.message for record in caplog.records if record.name == "product_changes"]
    assert logged == [f"INSERT Product {PRODUCT_ID}"]


def test_records_of_other_entities_in_the_table_are_left_alone(product_changes: ModuleType) -> None:
    other = record(1, "INSERT", new="1")
    other["dynamodb"]["Keys"] = {"PK": {"S": "Order#7"}, "SK": {"S": "Order"}}
    assert product_changes.handler({"Records": [other]}, None) == {"batchItemFailures": []}


@pytest.mark.lambda_runtime
def test_under_lambdas_own_runtime_client_each_change_is_one_json_line_in_the_log(
    catalogue: Path,
) -> None:
    environment = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    with LambdaRuntime("product_changes.handler", catalogue / "functions", environment) as runtime:
        assert runtime.invoke(EVENT) == {"batchItemFailures": []}
        log = runtime.log()
    logged = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    changes = [line for line in logged if line.get("logger") == "product_changes"]
    assert [line["event"] for line in changes] == ["INSERT", "MODIFY", "REMOVE"]
    assert changes[1]["diff"] == [{"path": "price", "old": "1299.99", "new": "1149.95"}]
