"""``ddbstream check``: which of many items a router's models could not read, and no value."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
from click.testing import CliRunner, Result
from moto import mock_aws

from ddbstream.cli._app import cli
from tests.unit.infer.tables import TABLES, single_table

APP = """
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from ddbstream import Change, Insert, StreamRouter, by_keys, by_table_name, keys
from ddbstream.models import model

@dataclass
class Line:
    sku: str
    quantity: int

@keys(PK="Order#{number}")
@dataclass
class Order:
    number: int
    total: Decimal
    lines: list[Line] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

@keys(PK="Customer#{name}")
@model(none="omit")
@dataclass
class Customer:
    name: str
    since: datetime | None = None

router = StreamRouter(classify=by_keys(Order, Customer))

@router.on_insert(Order)
def added(record: Insert[Order]) -> None: ...

@router.on_change(Order, changed="total")
def changed(record: Change[Order]) -> None: ...

@router.on_change(Customer, where=lambda record: 1 / 0)
def customer(record: Change[Customer]) -> None: ...

untyped = StreamRouter()

@untyped.on_change()
def anything(record): ...

by_table = StreamRouter(classify=by_table_name(aliases={"Orders": "Order"}))

@by_table.on_change(Order)
def of_table(record: Change[Order]) -> None: ...

def failing(record):
    raise ValueError("secret")

broken = StreamRouter(classify=failing)

@broken.on_change(Order)
def never(record: Change[Order]) -> None: ...

not_a_model = 7
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "checked_app.py").write_text(APP)
    yield tmp_path
    sys.modules.pop("checked_app", None)


def order(number: int | str, **more: Any) -> dict[str, Any]:
    return {"PK": {"S": f"Order#{number}"}, "total": {"N": "9.5"}, **more}


def check(target: str, items: list[Any], *arguments: str) -> Result:
    text = "".join(json.dumps(item) + "\n" for item in items)
    return CliRunner().invoke(
        cli,
        ["check", f"checked_app:{target}", "-", "--key", "PK", *arguments],
        input=text,
        catch_exceptions=False,
    )


def groups(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()][:-1]


def summary(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def found(result: Result) -> set[tuple[Any, ...]]:
    return {(g["kind"], g["model"], g["path"], g["problem"], g["count"]) for g in groups(result)}


def test_items_that_fit_are_counted_and_the_exit_code_is_0() -> None:
    result = check("router", [order(1), order(2), {"PK": {"S": "Customer#ada"}}])
    assert result.exit_code == 0
    assert summary(result) == {
        "kind": "summary",
        "items": 3,
        "fitting": 3,
        "unreadable": 0,
        "fault": 0,
        "changed": 0,
        "unknown": 0,
        "unwanted": 0,
    }


def test_faults_are_grouped_by_model_place_and_fault_with_keys_and_no_value() -> None:
    line = {"M": {"sku": {"S": "secret"}, "quantity": {"S": "secret"}}}
    items = [
        order(1, total={"S": "secret"}),
        order(2, total={"S": "secret"}),
        order(3, lines={"L": [line, line]}),
        order(4, counts={"M": {"secret": {"S": "secret"}, "also secret": {"BOOL": True}}}),
        order("x"),
        order(5),
    ]
    result = check("router", items)
    assert result.exit_code == 1
    assert found(result) == {
        ("fault", "Order", "total", "expected N, got S", 2),
        ("fault", "Order", "lines[].quantity", "expected N, got S", 1),
        ("fault", "Order", "counts.*", "expected N, got S", 1),
        ("fault", "Order", "counts.*", "expected N, got BOOL", 1),
        ("fault", "Order", "PK", "expected number as it would be written, got other text", 1),
    }
    by_path = {group["path"]: group for group in groups(result)}
    assert by_path["total"]["keys"] == [{"PK": "Order#1"}, {"PK": "Order#2"}]
    assert "secret" not in result.output
    assert summary(result)["fitting"] == 1


def test_what_no_route_wants_is_reported_by_entity_and_fails_only_when_strict() -> None:
    items = [{"PK": {"S": "Session#1"}}, order(1)]
    result = check("router", items)
    assert result.exit_code == 0
    assert found(result) == {("unwanted", None, None, "no entity", 1)}
    assert check("router", items, "--strict").exit_code == 1


def test_attributes_that_a_model_does_not_know_are_reported_at_any_depth() -> None:
    line = {"M": {"sku": {"S": "a"}, "quantity": {"N": "1"}, "colour": {"S": "secret"}}}
    items = [order(n, legacy_id={"S": "secret"}, lines={"L": [line]}) for n in range(5)]
    result = check("router", items)
    assert result.exit_code == 0
    assert {(g["kind"], g["path"], g["count"]) for g in groups(result)} == {
        ("unknown", "legacy_id", 5),
        ("unknown", "lines[].colour", 5),
    }
    assert "secret" not in result.output
    assert check("router", items, "--strict").exit_code == 1


def test_a_class_gets_the_items_that_its_keys_match() -> None:
    items = [order(1), order(2, total={"S": "x"}), {"PK": {"S": "Customer#ada"}}]
    result = check("Order", items)
    assert found(result) == {
        ("fault", "Order", "total", "expected N, got S", 1),
        ("unwanted", None, None, "no entity", 1),
    }


def test_a_class_without_keys_gets_every_item() -> None:
    result = check("Line", [{"sku": {"S": "a"}, "quantity": {"N": "1"}}, {"sku": {"S": "b"}}])
    assert found(result) == {("fault", "Line", "quantity", "expected N, got nothing", 1)}
    assert groups(result)[0]["at"] == ["document 2"], "without keys, the document says which"


def test_handlers_of_dicts_take_everything() -> None:
    result = check("untyped", [order(1, total={"S": "x"})])
    assert (result.exit_code, groups(result)) == (0, [])


def test_a_classifier_that_raises_is_a_fault_of_each_item() -> None:
    result = check("broken", [order(1)])
    assert result.exit_code == 1
    assert groups(result)[0]["problem"] == "the classifier raised ValueError"


def test_a_round_trip_reports_what_is_not_written_back_as_it_was_stored() -> None:
    items = [
        order(1),
        order(2, total={"N": "9.50"}),
        order(3, extra={"S": "x"}),
        {"PK": {"S": "Customer#ada"}, "since": {"S": "2024-01-01T00:00:00Z"}},
        {"PK": {"S": "Customer#bob"}, "since": {"S": "2024-01-01T00:00:00+00:00"}},
        {"PK": {"S": "Customer#eve"}, "since": {"NULL": True}},
    ]
    assert check("router", items).exit_code == 0
    result = check("router", items, "--round-trip")
    assert result.exit_code == 1
    assert {g["kind"] for g in groups(result)} == {"changed", "unknown"}
    assert {one for one in found(result) if one[0] == "changed"} == {
        ("changed", "Customer", "since", "written back otherwise, and read as the same", 1),
        ("changed", "Customer", "since", "stored, and not written back", 1),
        ("changed", "Order", "extra", "stored, and not written back", 1),
        ("changed", "Order", "lines", "not stored, and written", 3),
        ("changed", "Order", "counts", "not stored, and written", 3),
    }


def test_what_is_no_item_is_reported_too() -> None:
    result = check("router", [order(1), {"PK": {"N": "secret"}}, {"plain": "json"}])
    assert result.exit_code == 1
    assert [group["kind"] for group in groups(result)] == ["unreadable", "unreadable"]
    assert "secret" not in result.output


@pytest.mark.parametrize("target", ["not_a_model", "failing"])
def test_a_target_that_is_neither_router_nor_model_is_wrong_usage(target: str) -> None:
    assert check(target, [order(1)]).exit_code == 2


def test_keys_are_called_so_and_cannot_draw_on_a_terminal(folder: Path, on_a_terminal: Any) -> None:
    items = [{"PK": {"S": "Session#\x1b[31m\n"}}, order(1, x={"S": "secret"})]
    (folder / "items.ndjson").write_text("".join(json.dumps(item) + "\n" for item in items))
    seen = on_a_terminal("check", "checked_app:router", "items.ndjson", "--key", "PK")
    assert '"Session#\\u001b[31m\\n"' in seen
    assert 'key {"PK": ' in seen
    assert "1 of 2 items fit" in seen
    assert "secret" not in seen


def test_an_unwanted_entity_is_named_without_control_characters(folder: Path) -> None:
    app = folder / "checked_app.py"
    app.write_text(app.read_text().replace("by_keys(Order, Customer)", "lambda r: r.new['PK']"))
    result = check("router", [{"PK": {"S": "A\x1bB"}}])
    assert groups(result)[0]["problem"] == "the entity A\\x1bB"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        for number in range(30):
            client.put_item(TableName="Orders", Item=order(number, photo={"B": b"\x00\xff"}))
        client.put_item(TableName="Orders", Item=order(99, total={"BOOL": True}))
        yield client


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments], catch_exceptions=False)


def test_a_live_table_is_read_whole_and_says_its_keys_and_name(table: Any) -> None:
    for target in ("router", "by_table", "Order"):
        result = run(f"checked_app:{target}", "Orders")
        assert result.exit_code == 1
        assert summary(result)["items"] == 31
        (fault,) = (one for one in groups(result) if one["kind"] == "fault")
        assert (fault["path"], fault["keys"]) == ("total", [{"PK": "Order#99"}])


def test_a_sample_and_a_stream_are_read_as_well(table: Any) -> None:
    assert summary(run("checked_app:router", "Orders", "--sample", "9"))["items"] == 9
    assert summary(run("checked_app:router", "Orders", "--stream"))["items"] == 31


@pytest.mark.parametrize("name", TABLES)
def test_what_was_inferred_passes_the_check_of_what_it_was_inferred_from(
    name: str, folder: Path
) -> None:
    (folder / "items.ndjson").write_text(
        "".join(json.dumps(item) + "\n" for item in TABLES[name]())
    )
    arguments = ["infer", "items.ndjson", "--router", "--output", f"inferred_{name}.py"]
    assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    result = run(f"inferred_{name}:router", "items.ndjson", "--strict")
    assert (result.exit_code, groups(result)) == (0, [])
    sys.modules.pop(f"inferred_{name}", None)


def test_an_inferred_single_table_is_written_back_as_it_is_stored(folder: Path) -> None:
    (folder / "items.ndjson").write_text(
        "".join(json.dumps(item) + "\n" for item in single_table())
    )
    arguments = ["infer", "items.ndjson", "--router", "--output", "inferred_again.py"]
    CliRunner().invoke(cli, arguments, catch_exceptions=False)
    result = run("inferred_again:router", "items.ndjson", "--strict", "--round-trip")
    assert (result.exit_code, groups(result)) == (0, [])
    sys.modules.pop("inferred_again", None)
