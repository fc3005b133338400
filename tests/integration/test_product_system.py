"""The Product system on DynamoDB Local's real stream: the same typed records by all three roads.

Under each of the four view types: through the poller, through a plain ``get_records`` loop with
``dispatch``, and as Lambda's JSON under AWS's own runtime client.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from ddbstream import Insert, Modify, Remove, StreamRouter, by_key_prefix, parse, to_item
from ddbstream.poller import MemoryCheckpoints, StreamPoller
from tests.support.dynamodb_local import DynamoDBLocal, Table, ViewType, eventually
from tests.support.lambda_json import lambda_event
from tests.support.lambda_runtime import LambdaRuntime

FUNCTION = Path(__file__).with_name("function")
VIEW_TYPES: tuple[ViewType, ...] = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
LAMP = UUID("7f3b1f0c-52a4-4b1e-9a55-0d3a60f0a001")
SOAP = UUID("7f3b1f0c-52a4-4b1e-9a55-0d3a60f0a002")

pytestmark = [pytest.mark.dynamodb_local, pytest.mark.lambda_runtime]


@pytest.fixture(scope="module")
def product_stream() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FUNCTION))
        import product_stream

        yield product_stream
    sys.modules.pop("product_stream", None)


def a_lamp(function: ModuleType) -> Any:
    """A product with every kind of value."""
    return function.Product(
        LAMP,
        "Lamp",
        Decimal("19.90"),
        "home",
        grade=function.Grade.FINE,
        photo=b"\x00\xff\x89PNG",
        tags={"warm", "led"},
        prints={b"\x00", b"\xfe\xff"},
        counts={1, 2, 3},
        size=function.Size(Decimal("0.5"), Decimal(12)),
        history=[{"by": "ann", "ok": True, "note": None}, {"n": Decimal("1E-7")}],
    )


def a_changed_lamp(function: ModuleType) -> Any:
    lamp = a_lamp(function)
    lamp.price = Decimal("17.50")
    lamp.tags = {"warm"}
    lamp.prints = set()
    return lamp


def write_products(function: ModuleType, table: Table, server: DynamoDBLocal) -> None:
    """An insert, a change, a deletion, and one that TTL deletes."""
    table.put(to_item(a_lamp(function)))
    table.put(to_item(a_changed_lamp(function)))
    table.delete(f"Product#{LAMP}", "User#Product")
    soap = function.Product(SOAP, "Soap", Decimal(3), "bath", expires=int(time.time()) - 3600)
    table.put(to_item(soap))
    eventually(lambda: server.read_all(table.stream_arn), 5, seconds=30)


def by_poller(function: ModuleType, table: Table, server: DynamoDBLocal) -> list[dict[str, str]]:
    captured: list[dict[str, str]] = []
    poller = StreamPoller(
        table.stream_arn,
        function.router_into(captured),
        checkpoints=MemoryCheckpoints(),
        client=server.streams,
    )
    poller.run_until_caught_up()
    return captured


def by_plain_loop(
    function: ModuleType, table: Table, server: DynamoDBLocal
) -> list[dict[str, str]]:
    captured: list[dict[str, str]] = []
    router = function.router_into(captured)
    page = {"Records": server.read_all(table.stream_arn)}
    result = router.dispatch(page["Records"], stream_arn=table.stream_arn)
    assert (result.failures, result.checkpoint) == ((), None)
    return captured


def by_lambda(function: ModuleType, table: Table, server: DynamoDBLocal) -> list[dict[str, str]]:
    event = lambda_event(server.read_all(table.stream_arn), table.stream_arn)
    with LambdaRuntime("product_stream.handler", FUNCTION) as runtime:
        answer: dict[str, Any] = runtime.invoke(event, timeout=30)
    assert answer["response"] == {"batchItemFailures": []}
    captured: list[dict[str, str]] = answer["captured"]
    return captured


@pytest.mark.parametrize("view_type", VIEW_TYPES)
def test_the_same_typed_records_by_poller_plain_loop_and_lambda(
    view_type: ViewType, dynamodb_local: DynamoDBLocal, product_stream: ModuleType
):
    with dynamodb_local.table(view_type, ttl="expires") as table:
        write_products(product_stream, table, dynamodb_local)
        polled = by_poller(product_stream, table, dynamodb_local)
        looped = by_plain_loop(product_stream, table, dynamodb_local)
        invoked = by_lambda(product_stream, table, dynamodb_local)

    assert polled == looped == invoked
    assert [seen["event"].split()[0] for seen in polled] == [
        "Insert",
        "Modify",
        "Remove",
        "Insert",
        "Remove",
    ]
    assert [seen["ttl"].split()[0] for seen in polled] == ["False"] * 4 + ["True"]
    for seen in polled:
        for image in ("old", "new"):
            if image in seen:
                carried = view_type in {f"{image.upper()}_IMAGE", "NEW_AND_OLD_IMAGES"}
                assert seen[image].startswith("Product(" if carried else "not captured: ")


def test_every_value_comes_back_as_it_was_written(
    dynamodb_local: DynamoDBLocal, product_stream: ModuleType
):
    with dynamodb_local.table(ttl="expires") as table:
        write_products(product_stream, table, dynamodb_local)
        page = {"Records": dynamodb_local.read_all(table.stream_arn)}
    added, changed, removed, *_ = parse(page, product_stream.Product)
    assert isinstance(added, Insert)
    assert isinstance(changed, Modify)
    assert isinstance(removed, Remove)
    assert added.new == changed.old == a_lamp(product_stream)
    assert changed.new == removed.old == a_changed_lamp(product_stream)
    assert added.new.history == a_lamp(product_stream).history
    assert {str(change.path) for change in changed.diff} == {"price", "prints", "tags"}


def test_the_poller_delivers_again_from_the_first_failure(
    dynamodb_local: DynamoDBLocal, product_stream: ModuleType
):
    seen: list[str] = []
    broken = True
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_insert("Product")
    def added(record: Insert[product_stream.Product]) -> None:  # type: ignore[name-defined]
        nonlocal broken
        seen.append(record.new.name)
        if record.new.name == "c" and broken:
            broken = False
            raise RuntimeError("down for a moment")

    with dynamodb_local.table() as table:
        for number, name in enumerate("abcde"):
            product = product_stream.Product(UUID(int=number), name, Decimal(1), "letters")
            table.put(to_item(product))
        StreamPoller(
            table.stream_arn,
            router,
            checkpoints=MemoryCheckpoints(),
            client=dynamodb_local.streams,
        ).run_until_caught_up()
    assert seen == ["a", "b", "c", "c", "d", "e"]
