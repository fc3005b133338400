"""The recipes of docs/lambda.md for Powertools, run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Insert, LambdaHandler, StreamRouter
from tests.support.stream_records import wire_record

pytest.importorskip("aws_lambda_powertools")
pytest.importorskip("jmespath")

DOCUMENT = Path(__file__).parents[2] / "docs" / "lambda.md"


class Context:
    """What Powertools wants to see of Lambda's."""

    function_name = "f"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def recipe(word: str) -> str:
    """The document's one Python block that has the word in it."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if word in block]
    return block


def test_logger_and_metrics(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    router = StreamRouter()
    namespace: dict[str, Any] = {"router": router, "LambdaHandler": LambdaHandler}
    exec(recipe("append_context_keys"), namespace)  # noqa: S102 - the document's own block

    @router.on_insert()
    def handle(record: Insert) -> None:
        namespace["logger"].info("handling")
        if record.event_id == "event-2":
            raise LookupError

    event = {"Records": [wire_record(number=1), wire_record(number=2)]}
    with pytest.raises(LookupError):
        namespace["handler"](event, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [line for line in lines if line.get("message") == "handling"]
    assert [(line["event_id"], line["function_request_id"]) for line in logged] == [
        ("event-1", "request"),
        ("event-2", "request"),
    ]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert (metrics["Handled"], metrics["Failed"]) == ([1.0], [1.0])


def test_idempotency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="Idempotency",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        router, charged = StreamRouter(classify=lambda record: "Order"), []
        source = recipe("idempotent_function").replace(
            "def charge(*, record: dict) -> None: ...",
            "def charge(*, record: dict) -> None:\n    charged.append(record['event_id'])",
        )
        exec(source, {"router": router, "Insert": Insert, "charged": charged})  # noqa: S102
        handler = LambdaHandler(router)
        for numbers in ((1, 2), (2, 3)):  # the second record comes again
            handler({"Records": [wire_record(number=n) for n in numbers]}, Context())
    assert charged == ["event-1", "event-2", "event-3"]
