"""The plugin as its users run it: a pytest of its own, warnings being errors."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import RouterHarness, assert_handled, assert_item
from tests.support.dynamodb_local import fetch

pytest_plugins = ["pytester"]

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.dynamodb_local import DynamoDBLocal

APP = """
from dataclasses import dataclass

from ddbstream import Insert, LambdaHandler, Modify, StreamRouter, by_key_prefix, keys

router = StreamRouter(classify=by_key_prefix("PK"))
handler = LambdaHandler(router)

@keys(PK="Order#{id}", SK="-")
@dataclass
class Order:
    id: str
    total: int

@router.on_insert(Order)
def placed(record: Insert[Order]) -> None:
    if record.new.total < 0:
        raise ValueError("below zero")

@router.on_modify(Order, changed="total")
def corrected(record: Modify[Order]) -> None: ...
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """``suite(source, ini, *arguments)``: a project with that test file, run with the plugin."""

    def suite(source: str, *arguments: str, ini: str = "") -> pytest.RunResult:
        pytester.makepyfile(app=APP, test_app=source)
        pytester.makeini(f"[pytest]\nfilterwarnings = error\npythonpath = .\n{ini}")
        options = ("-p", "ddbstream.testing.pytest", "-p", "no:cacheprovider", "--strict-markers")
        return pytester.runpytest_subprocess(*options, *arguments)

    return suite


ROUTER = "ddbstream_router = app:handler\n"


def test_a_project_tests_with_a_table_in_moto_a_fake_stream_and_a_harness(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("moto")
    monkeypatch.setenv("AWS_PROFILE", "of-who-runs-the-tests")
    result = suite(
        """
        import boto3, os, pytest
        from ddbstream import LambdaHandler
        from ddbstream.testing import EventSourceMapping, assert_handled, assert_item
        from app import Order, handler

        def test_a_correction_is_seen(moto_table, router_harness):
            moto_table.put(Order("1", total=5))
            moto_table.put({"PK": {"S": "Order#1"}, "SK": {"S": "-"}, "total": {"N": "6"}})
            moto_table.delete(Order("1", total=6))
            outcome = router_harness.send(*moto_table.records())
            assert_handled(outcome, "placed", "corrected")
            assert_item(outcome.handled[1][1].new, Order("1", total=6))

        @pytest.mark.stream_table(name="Product", keys=["id"], view_type="KEYS_ONLY")
        def test_a_marker_says_what_the_table_is_like(moto_table, fake_stream):
            moto_table.put({"id": "7", "price": 5})
            (record,) = moto_table.records()
            assert record["dynamodb"]["Keys"] == {"id": {"S": "7"}}
            assert "NewImage" not in record["dynamodb"]
            assert ":table/Product/stream/" in record["eventSourceARN"]
            assert boto3.client("dynamodb").list_tables()["TableNames"] == ["Product"]
            fake_stream.put({"id": {"S": "7"}})
            assert fake_stream.table == "Product"

        def test_a_fake_stream_feeds_a_mapping(fake_stream):
            fake_stream.put({"PK": {"S": "Order#1"}, "SK": {"S": "-"}, "total": {"N": "6"}})
            mapping = EventSourceMapping(handler, fake_stream)
            mapping.run()
            assert len(mapping.invocations) == 1

        def test_nothing_is_left_over(moto_table):
            assert boto3.client("dynamodb").list_tables()["TableNames"] == ["Table"]
            assert "AWS_PROFILE" not in os.environ
        """,
        ini=ROUTER,
    )
    result.assert_outcomes(passed=4)


def test_what_differs_is_shown_by_path(suite: Any) -> None:
    result = suite(
        """
        from ddbstream import Modify, diff, parse
        from ddbstream.testing import assert_handled, assert_item, modify
        from app import Order

        def test_handlers(router_harness):
            assert_handled(router_harness.insert(Order("1", -1)), "placed")

        def test_item():
            assert_item(Order("1", 5), {"PK": "Order#1", "SK": "-", "total": 6})

        def test_diffs():
            assert diff({"a": 1, "b": 1}, {"a": 2, "b": 2}) == diff({"a": 1, "b": 1}, {"a": 2})

        def test_records():
            one, two = parse([modify(Order("1", 5), Order("1", total)) for total in (6, 7)])
            assert one == two

        def test_the_same_record_twice():
            one, two = parse([modify(Order("1", 5), Order("1", 6))] * 2)
            assert one == two

        def test_wire_items():
            assert {"a": {"N": "1"}} == {"a": {"N": "2"}}

        def test_others():
            assert {"a": 1} == {"a": 2}
        """,
        ini=ROUTER,
    )
    result.assert_outcomes(failed=7)
    result.stdout.fnmatch_lines_random(
        [
            "*AssertionError: other handlers ran (- is wanted, + ran):",
            "*- placed",
            "*placed failed INSERT, event *: ValueError",
            "*ValueError: below zero",
            "*the item differs (expected -> found):",
            "*total*6*5*",
            "*the diffs have other changes*",
            "*the records differ (left -> right)",
            "*new.*total*6*7*",
            "*a record equals itself alone*",
            "*the items differ (left -> right)",
            "*a*1*2*",
            "*{'a': 1} == {'a': 2}*",
        ]
    )
    # The helper's own frames are not shown: the test's line is what a reader looks for.
    assert "def assert_item" not in result.stdout.str()


def test_what_is_missing_is_said_in_a_line_with_what_to_do(suite: Any) -> None:
    source = """
        import pytest

        def test_no_router(router_harness): ...

        @pytest.mark.stream_table(colour="red")
        def test_marker(fake_stream): ...

        def test_no_moto(moto_table): ...
        """
    conftest = "import sys; sys.modules['moto'] = None"
    result = suite(
        f"{conftest}\n" + "\n".join(line[8:] for line in source.splitlines()),
        "--tb=short",
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*set ddbstream_router = app:router in pytest's ini file*",
            "*the marker is stream_table(name='Table', *",
            '*moto_table needs moto: pip install "ddbstream?demo?"*',
        ]
    )


def test_a_router_that_is_none_is_refused(suite: Any) -> None:
    result = suite("def test_it(router_harness): ...", ini="ddbstream_router = app:Order\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ddbstream_router = app:Order is a type, and no StreamRouter*"])


LOCAL = """
    import os, boto3
    from app import Order

    def test_a_correction_is_seen(local_table, router_harness):
        local_table.put(Order("1", total=5))
        local_table.put(Order("1", total=6))
        outcome = router_harness.send(*local_table.records())
        assert outcome.handlers == ("placed", "corrected")
        assert boto3.client("dynamodb").list_tables()["TableNames"] == ["Table"]
        print("at", local_table.endpoint_url)

    def test_each_test_has_a_table_of_its_own(local_table):
        assert local_table.records() == []
    """


@pytest.mark.dynamodb_local
def test_a_project_tests_on_a_dynamodb_local_that_it_starts_and_ends(
    suite: Any, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester
) -> None:
    monkeypatch.setenv("DDBSTREAM_DYNAMODB_LOCAL", str(fetch()))
    result = suite(LOCAL, "-s", ini=ROUTER)
    result.assert_outcomes(passed=2)
    (line,) = [line for line in result.outlines if "at http" in line]
    port = int(line.rpartition(":")[2])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1).close()
    assert not list(pytester.path.glob("*.json"))


@pytest.mark.dynamodb_local
def test_a_project_tests_on_a_dynamodb_local_that_runs_already(
    suite: Any, dynamodb_local: DynamoDBLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDBSTREAM_DYNAMODB_ENDPOINT", dynamodb_local.endpoint_url)
    result = suite(LOCAL, "-s", ini=ROUTER)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"*at {dynamodb_local.endpoint_url}"])


def test_the_plugin_loads_no_library_that_a_test_has_not_asked_for() -> None:
    program = (
        "import sys, ddbstream.testing.pytest as plugin\n"
        "import pytest\n"
        "assert pytest is not plugin\n"
        "assert plugin.pytest is pytest\n"
        "print({'boto3', 'moto', 'hypothesis', 'msgspec'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"


def test_the_assertions_need_no_pytest_and_hold_where_they_should() -> None:
    assert_item({"n": 5, "s": {"a"}}, {"n": {"N": "5.0"}, "s": {"SS": ["a"]}})
    with pytest.raises(AssertionError, match=r"the item differs[^\n]*\n.*n"):
        assert_item({"n": 5}, {"n": 6})
    from ddbstream import StreamRouter

    router = StreamRouter()

    @router.on_insert("Table")
    def seen(record: Any) -> None: ...

    harness = RouterHarness(router)
    assert_handled(harness.insert({"PK": "1"}), "seen")
    assert_handled(harness.remove({"PK": "1"}))
    with pytest.raises(AssertionError, match="- other"):
        assert_handled(harness.insert({"PK": "1"}), "other")
    with pytest.raises(AssertionError, match="no route wants this REMOVE"):
        assert_handled(harness.remove({"PK": "1"}), "seen")
