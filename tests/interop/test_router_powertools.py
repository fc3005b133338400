"""The recipes of docs/lambda.md for Powertools, run as they stand there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Insert, LambdaHandler, StreamRouter
from tests.support.missing import missing
from tests.support.stream_records import wire_record

DOCUMENT = Path(__file__).parents[2] / "docs" / "lambda.md"


# X-Ray's SDK reads its environment when it is imported and patches boto3: it has a process alone.
TRACED = """
import json, sys
from aws_xray_sdk.core import xray_recorder
from ddbstream import LambdaHandler, StreamRouter
from tests.interop.test_router_powertools import Context, recipe
from tests.support.stream_records import wire_record


class Printed:
    def send_entity(self, entity):
        print(entity.serialize())

    def set_daemon_address(self, address): ...


xray_recorder.configure(emitter=Printed())
router = StreamRouter()
namespace = {"router": router, "LambdaHandler": LambdaHandler}
exec(recipe("in_subsegment"), namespace)


@router.on_insert()
def handle(record):
    if record.event_id == "event-2":
        raise LookupError("what failed")


try:
    namespace["handler"]({"Records": [wire_record(number=1), wire_record(number=2)]}, Context())
except LookupError:
    print(json.dumps({"name": "raised"}))
"""


@pytest.fixture(autouse=True)
def _powertools() -> None:
    for package in ("aws_lambda_powertools", "aws_xray_sdk", "jmespath"):
        if importlib.util.find_spec(package) is None:
            missing(package)


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


def traced(**environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", TRACED],
        cwd=DOCUMENT.parents[1],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."]), **environment},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_tracer_has_a_subsegment_a_record_in_the_handlers_and_the_exception_in_the_failed_one() -> (
    None
):
    parent = "53995c3f42cd8ad8"
    first, second, handler, raised = traced(
        LAMBDA_TASK_ROOT="/var/task",
        _X_AMZN_TRACE_ID=f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent={parent};Sampled=1",
    )
    assert raised == {"name": "raised"}
    assert (handler["name"], handler["parent_id"]) == ("## lambda_handler", parent)
    for number, record in enumerate((first, second), 1):
        assert (record["name"], record["parent_id"]) == ("## record", handler["id"])
        assert record["annotations"] == {"event_id": f"event-{number}"}
    assert "cause" not in first
    assert [e["type"] for e in second["cause"]["exceptions"]] == ["LookupError"]


def test_tracer_is_silent_where_nothing_is_traced() -> None:
    assert traced(POWERTOOLS_TRACE_DISABLED="1") == [{"name": "raised"}]


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
