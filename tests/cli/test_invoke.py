"""``ddbstream invoke`` calls a handler as Lambda does, and answers as Lambda does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import insert, lambda_event

pytest.importorskip("click")

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

APP = """
from decimal import Decimal
from ddbstream import LambdaHandler, StreamRouter

router = StreamRouter()
reporting = LambdaHandler(router, report_batch_item_failures=True)
raising = LambdaHandler(router)

@router.on_insert()
def fail_on_bad(record):
    if "bad" in record.new:
        raise ValueError("that one is bad")

def context_of(event, context):
    return {
        "name": context.function_name,
        "id": context.aws_request_id,
        "left": 0 < context.get_remaining_time_in_millis() <= 1500,
        "arn": context.invoked_function_arn.endswith(":context_of"),
        "memory": context.memory_limit_in_mb,
        "event": event,
    }

def exact(event, context):
    return {"price": Decimal("0.10")}

def unsendable(event, context):
    return {1, 2}

not_callable = 7
"""
EVENT = lambda_event(
    [
        insert({"PK": {"S": "1"}}),
        insert({"PK": {"S": "2"}, "bad": {"BOOL": True}}, sequence_number="77"),
    ]
)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("spelling", ["app:reporting", "app.reporting"])
def test_the_response_is_printed_as_lambda_would_send_it(
    app: Path, run: Run, spelling: str
) -> None:
    result = run("invoke", spelling, stdin=json.dumps(EVENT))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"batchItemFailures": [{"itemIdentifier": "77"}]}


def test_an_exception_is_lambdas_error_document_and_exit_code_1(app: Path, run: Run) -> None:
    (app / "event.json").write_text(json.dumps(EVENT))
    result = run("invoke", "app:raising", "event.json")
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "that one is bad")
    assert any("fail_on_bad" in frame for frame in document["stackTrace"])
    assert "ValueError: that one is bad" in result.stderr


def test_the_context_has_what_lambda_documents(app: Path, run: Run) -> None:
    result = run("invoke", "app:context_of", "--timeout", "1.5", stdin='{"a": 1}')
    answer: dict[str, Any] = json.loads(result.stdout)
    assert len(answer.pop("id")) == 36
    assert answer == {
        "name": "context_of",
        "left": True,
        "arn": True,
        "memory": "128",
        "event": {"a": 1},
    }


def test_a_decimal_is_sent_as_a_number_as_lambdas_encoder_does(app: Path, run: Run) -> None:
    assert run("invoke", "app:exact", stdin="{}").stdout == '{"price": 0.10}\n'


def test_a_response_that_lambda_cannot_encode_fails_as_it_would_there(app: Path, run: Run) -> None:
    result = run("invoke", "app:unsendable", stdin="{}")
    assert result.returncode == 1
    assert json.loads(result.stdout)["errorMessage"] == (
        "Object of type set is not JSON serializable"
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        (["app:missing"], "{}", 2, "module 'app' has no function 'missing'"),
        (["app:not_callable"], "{}", 2, "HANDLER cannot be called"),
        (["app:exact"], "{", 1, "the event is not JSON"),
        (["app:exact", "nothere.json"], "", 2, "nothere.json"),
    ],
)
def test_what_cannot_be_invoked_is_said_in_words(
    app: Path, run: Run, arguments: list[str], stdin: str, code: int, message: str
) -> None:
    result = run("invoke", *arguments, stdin=stdin)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


SEEN = """
from ddbstream import LambdaHandler, StreamRouter, by_key_prefix

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_change()
def seen(record):
    print(record.event_name, record.table_name, record.keys, record.is_ttl_removal, record.diff)

handler = LambdaHandler(router)
"""
OLD, NEW = '{"PK": "Order#1", "total": 5.10}', '{"PK": {"S": "Order#1"}, "total": {"N": "6"}}'


@pytest.fixture
def seen_app(tmp_path: Path) -> Path:
    (tmp_path / "seen.py").write_text(SEEN)
    (tmp_path / "old.json").write_text(OLD)
    (tmp_path / "new.json").write_text(json.dumps({"Item": json.loads(NEW)}))
    return tmp_path


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), ("old.json", "new.json")])
def test_an_event_is_made_of_items(seen_app: Path, run: Run, old: str, new: str) -> None:
    asked = ["--remove", new, "--insert", old, "--modify", old, new, "--insert", new, "--ttl"]
    result = run("invoke", "seen:handler", *asked, "--table", "Shop")
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines if "Shop" in line] == [
        *("INSERT", "INSERT", "MODIFY", "REMOVE")
    ]
    assert "total: 5.10 -> 6" in result.stderr
    assert [line.split()[4] for line in lines if "Shop" in line] == [*3 * ["False"], "True"]


def test_the_records_carry_what_is_asked_for(seen_app: Path, run: Run) -> None:
    result = run("invoke", "seen:handler", "--insert", OLD, "--view-type", "KEYS_ONLY")
    assert result.returncode == 1
    assert "KEYS_ONLY" in result.stderr
    assert json.loads(result.stdout)["errorType"] == "MissingImageError"
    keyed = run("invoke", "seen:handler", "--insert", OLD, "--key", "PK", "--key", "total")
    assert "'total'" in keyed.stderr.partition("}")[0]


def test_the_traceback_of_an_item_that_does_not_fit_is_the_users_alone(
    seen_app: Path, run: Run
) -> None:
    (seen_app / "typed.py").write_text(
        "from dataclasses import dataclass\n"
        "from ddbstream import LambdaHandler, StreamRouter\n"
        "@dataclass\nclass Order:\n    total: int\n"
        "router = StreamRouter()\nhandler = LambdaHandler(router)\n"
        "@router.on_insert(Order)\ndef placed(record):\n    record.new\n"
    )
    asked = ["--insert", '{"PK": "1", "total": "x"}', "--table", "Order"]
    result = run("invoke", "typed:handler", *asked)
    assert result.returncode == 1
    files = [line for line in result.stderr.splitlines() if line.startswith("  File")]
    assert [line.partition(",")[0].rpartition("/")[2] for line in files] == ['typed.py"']


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--insert", "{"], "--insert: this is not JSON"),
        (["--insert", "nothere.json"], "no such file"),
        (["--insert", "{}"], "takes an item"),
        (["--remove", "old.json", "--key", "id"], "--remove: keys= names id"),
        (["--modify", OLD], "requires 2 arguments"),
        (["old.json", "--insert", OLD], "give EVENT, or items"),
        (["--ttl"], "need an item"),
        (["--insert", '{"PK": NaN}'], "--insert: "),
    ],
)
def test_items_that_are_none_are_wrong_usage(
    seen_app: Path, run: Run, arguments: list[str], message: str
) -> None:
    result = run("invoke", "seen:handler", *arguments, stdin="{}")
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_on_a_terminal_of_80_columns_the_response_is_json(
    seen_app: Path, on_a_terminal: Callable[..., str]
) -> None:
    seen = on_a_terminal("invoke", "seen:handler", "--insert", OLD, columns=80)
    assert "INSERT Table" in seen
    assert '"batchItemFailures": []' in seen
