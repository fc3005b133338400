"""The local Runtime API tells a handler, and us, what Lambda would."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.support.lambda_runtime import FUNCTION_ARN, HandlerError, LambdaRuntime

pytestmark = pytest.mark.lambda_runtime


@pytest.fixture
def function(tmp_path: Path) -> Path:
    (tmp_path / "function.py").write_text(
        textwrap.dedent("""
        import os

        count = 0

        def handler(event, context):
            global count
            count += 1
            print("saw", event["name"])
            if event["name"] == "bad":
                raise ValueError("no good")
            return {
                "event": event,
                "count": count,
                "arn": context.invoked_function_arn,
                "remaining": context.get_remaining_time_in_millis(),
                "greeting": os.environ.get("GREETING"),
            }
        """)
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('at import')\n")
    return tmp_path


def test_a_handler_gets_the_event_and_a_context_and_its_answer_comes_back(function: Path):
    with LambdaRuntime("function.handler", function, {"GREETING": "hello"}) as runtime:
        answer = runtime.invoke({"name": "één", "list": [1, None]}, timeout=30)
    assert answer["event"] == {"name": "één", "list": [1, None]}
    assert answer["arn"] == FUNCTION_ARN
    assert 20_000 < answer["remaining"] <= 30_000
    assert answer["greeting"] == "hello"


def test_what_a_handler_raises_is_reported_and_the_environment_lives_on(function: Path):
    with LambdaRuntime("function.handler", function) as runtime:
        with pytest.raises(HandlerError) as caught:
            runtime.invoke({"name": "bad"}, timeout=30)
        assert (caught.value.error_type, caught.value.message) == ("ValueError", "no good")
        assert any("function.py" in line for line in caught.value.trace)
        assert runtime.invoke({"name": "good"})["count"] == 2
        assert "saw bad" in runtime.log()


def test_a_module_that_cannot_be_imported_is_reported(function: Path):
    with (
        LambdaRuntime("broken.handler", function) as runtime,
        pytest.raises(HandlerError, match="at import"),
    ):
        runtime.invoke({"name": "any"}, timeout=30)
