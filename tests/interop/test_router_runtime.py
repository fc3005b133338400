"""The Lambda handler under AWS's own runtime client, alone and in its multi-concurrent mode."""

from __future__ import annotations

import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.lambda_runtime import HandlerError, LambdaRuntime
from tests.support.stream_records import sequence_number, wire_record

pytestmark = pytest.mark.lambda_runtime


@pytest.fixture
def function(tmp_path: Path) -> Path:
    (tmp_path / "function.py").write_text(
        textwrap.dedent("""
        import asyncio, os, time
        from decimal import Decimal
        from ddbstream import LambdaHandler, StreamRouter, by_key_prefix

        router = StreamRouter(classify=by_key_prefix("PK"))

        @router.on_insert("Bad")
        def fail(record):
            raise LookupError("no good")

        @router.on_insert("Product")
        async def handle(record, context):
            await asyncio.sleep(0.01)
            print("handled", record.event_id, context.aws_request_id, os.getpid())

        @router.on_insert("Slow")
        def slow(record):
            time.sleep(0.5)

        raising = LambdaHandler(router)
        reporting = LambdaHandler(
            router, report_batch_item_failures=True, concurrency=4, deadline_margin=1.5
        )

        windowed = StreamRouter()

        @windowed.fold()
        def total(state: Decimal, record) -> Decimal:
            return state + Decimal("0.1")

        window = LambdaHandler(windowed)
        """)
    )
    return tmp_path


def event(*keys: str) -> dict[str, Any]:
    return {"Records": [wire_record(number=n, key=key) for n, key in enumerate(keys, 1)]}


def test_a_failure_fails_the_invocation_with_its_own_type_and_the_environment_lives_on(
    function: Path,
) -> None:
    with LambdaRuntime("function.raising", function) as runtime:
        with pytest.raises(HandlerError) as caught:
            runtime.invoke(event("Product#1", "Bad#1", "Product#2"), timeout=30)
        assert (caught.value.error_type, caught.value.message) == ("LookupError", "no good")
        assert runtime.invoke(event("Product#1")) == {"batchItemFailures": []}
        assert "handled event-3" not in runtime.log()


def test_a_failure_is_reported_and_logged_as_json(function: Path) -> None:
    environment = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
    with LambdaRuntime("function.reporting", function, environment) as runtime:
        answer = runtime.invoke(event("Product#1", "Bad#1", "Product#2"), timeout=30)
        assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_number(2)}]}
        (line,) = [line for line in runtime.log().splitlines() if "record failed" in line]
        assert f'"ddbstream_sequence_number": "{sequence_number(2)}"' in line


def test_the_runtimes_deadline_stops_the_batch(function: Path) -> None:
    with LambdaRuntime("function.reporting", function) as runtime:
        runtime.invoke(event("Product#1"), timeout=30)  # the cold start is over
        answer = runtime.invoke(event(*["Slow#1"] * 8), timeout=3)
    (failure,) = answer["batchItemFailures"]
    assert sequence_number(2) <= failure["itemIdentifier"] <= sequence_number(5)


def test_a_windows_state_comes_back_as_it_was(function: Path) -> None:
    window = {
        **event("Product#1"),
        "window": {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:01:00Z"},
        "state": {},
    }
    with LambdaRuntime("function.window", function) as runtime:
        answer = runtime.invoke(window, timeout=30)
        assert answer == {"state": {"total": 0.1}, "batchItemFailures": []}
        answer = runtime.invoke({**window, "state": answer["state"]})
        assert answer["state"] == {"total": 0.2}


def test_invocations_at_once_in_one_environment_do_not_meet(function: Path) -> None:
    environment = {"AWS_LAMBDA_MAX_CONCURRENCY": "3"}
    with LambdaRuntime("function.reporting", function, environment) as runtime:
        batches = [event("Product#1", "Slow#2"), event("Slow#1", "Product#2")] * 3
        with ThreadPoolExecutor(6) as callers:
            answers = list(callers.map(lambda one: runtime.invoke(one, timeout=30), batches))
        assert answers == [{"batchItemFailures": []}] * 6
        handled = [line.split() for line in runtime.log().splitlines() if "handled" in line]
    assert len(handled) == 6
    assert len({request_id for *_, request_id, _ in handled}) == 6
    assert len({pid for *_, pid in handled}) > 1
