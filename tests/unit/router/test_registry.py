"""``StreamRouter(registry=...)``: what a whole router knows about classes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ddbstream import (
    Attribute,
    Change,
    Insert,
    LambdaHandler,
    Modify,
    StreamRouter,
    by_key_prefix,
    from_item,
    parse,
    to_item,
)
from ddbstream.exceptions import ModelDefinitionError, RouteDefinitionError
from ddbstream.models import Registry
from ddbstream.testing import EventSourceMapping, insert, lambda_event, modify
from ddbstream.typing import LambdaContext


class Money:
    """A class that no library knows."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Price:
    PK: str
    amount: Money


@dataclass
class Order:
    """A class that works without a registry, and is read otherwise with one."""

    PK: Annotated[str, Attribute("PK")]
    order_total: int


def money() -> Registry:
    registry = Registry()
    registry.register(Money, structure=lambda n: Money(int(n)), unstructure=lambda m: m.cents)
    registry.register(Order, rename="camelCase")
    return registry


def price(cents: int, registry: Registry) -> Any:
    return registry.to_item(Price("Price#1", Money(cents)), wire="json")


ORDER = {"PK": {"S": "Order#1"}, "orderTotal": {"N": "3"}}


def test_every_route_reads_its_model_with_the_routers_registry() -> None:
    registry = money()
    router = StreamRouter(classify=by_key_prefix("PK"), registry=registry)
    seen: list[object] = []

    @router.on_insert(Price)
    def by_class(record: Insert[Price]) -> None:
        seen.append(record.new)

    @router.on_change("Price")
    def by_annotation(record: Change[Price]) -> None:
        seen.append(record.new)  # type: ignore[union-attr]

    @router.on_insert("Price")
    def untyped(record: Insert[dict[str, Any]]) -> None:
        seen.append(record.new["amount"])

    result = router.dispatch([insert(price(995, registry))])
    assert result == (1, (), None)
    assert seen == [Price("Price#1", Money(995))] * 2 + [995]


def test_routes_of_one_model_and_registry_share_one_record() -> None:
    registry = money()
    router = StreamRouter(classify=by_key_prefix("PK"), registry=registry)
    records: list[object] = []
    router.on_insert(Price)(records.append)
    router.on_insert(Price)(records.append)
    router.dispatch([insert(price(995, registry))])
    assert records[0] is records[1]


def test_a_route_without_a_model_reads_plain_items_as_ever() -> None:
    router = StreamRouter(registry=money())
    seen: list[Any] = []
    router.on_insert()(seen.append)
    router.on_insert("Table")(seen.append)
    router.dispatch([insert({"id": 1})])
    assert [record.new for record in seen] == [{"id": 1}] * 2
    assert seen[0] is seen[1]


def test_a_class_only_the_registry_knows_is_refused_by_a_router_without_it() -> None:
    with pytest.raises(ModelDefinitionError, match="Money"):
        StreamRouter().on_insert(Price)(print)


def test_changed_and_where_and_diffs_see_what_the_registry_reads() -> None:
    registry = money()
    router = StreamRouter(classify=by_key_prefix("PK"), registry=registry)
    seen: list[Any] = []

    @router.on_modify(Price, changed="amount", where=lambda record: record.new.amount.cents > 500)
    def changed(record: Modify[Price]) -> None:
        seen.append((record.diff["amount"].old, record.diff["amount"].new))
        seen.append(record.diff.apply(record.old))

    @router.on_modify(Order, changed="order_total")
    def by_field_name(record: Modify[Order]) -> None:
        seen.append(record.diff["order_total"].new)

    old, new = price(400, registry), price(600, registry)
    dear = {**ORDER, "orderTotal": {"N": "4"}}
    result = router.dispatch(
        [modify(old, new), modify(new, old), modify(new, new), modify(ORDER, dear)]
    )
    assert result.failures == ()
    assert seen == [(Money(400), Money(600)), Price("Price#1", Money(600)), 4]


def test_a_nested_model_in_a_diff_is_read_with_the_registry() -> None:
    @dataclass
    class Line:
        unit_price: Money

    @dataclass
    class Cart:
        PK: str
        line: Line

    registry = money()
    registry.register(Line, rename="camelCase")
    router = StreamRouter(registry=registry)
    seen: list[Any] = []
    router.on_modify(Cart)(lambda record: seen.append(record.diff["line.unitPrice"].new))
    router.bind("Table", Cart)
    images = [registry.to_item(Cart("Cart#1", Line(Money(cents)))) for cents in (1, 2)]
    assert router.dispatch([modify(*images)]).failures == ()
    assert seen == [Money(2)]


def test_an_included_router_keeps_its_own_registry() -> None:
    other = Registry()
    other.register(Money, structure=lambda n: Money(-int(n)), unstructure=lambda m: -m.cents)
    inner = StreamRouter(registry=other)
    outer = StreamRouter(classify=by_key_prefix("PK"), registry=money())
    seen: list[Any] = []
    inner.on_insert(Price)(lambda record: seen.append(record.new.amount.cents))
    outer.on_insert(Price)(lambda record: seen.append(record.new.amount.cents))
    outer.include(inner)
    outer.dispatch([insert(price(5, money()))])
    assert seen == [5, -5]


def test_an_included_router_without_a_registry_reads_with_the_including_ones() -> None:
    inner, middle = StreamRouter(), StreamRouter()
    outer = StreamRouter(classify=by_key_prefix("PK"), registry=money())
    seen: list[Any] = []

    @inner.on_change(Order, changed="order_total")
    def read(record: Change[Order]) -> None:
        seen.append(record.new)  # type: ignore[union-attr]

    middle.include(inner)
    outer.include(middle)
    outer.on_insert(Order)(lambda record: seen.append(record.new))
    assert outer.dispatch([insert(ORDER)]).failures == ()
    assert seen == [Order("Order#1", 3)] * 2
    # alone it reads as before: a route never changes
    alone = StreamRouter(classify=by_key_prefix("PK"))
    alone.include(inner)
    plain = {"PK": {"S": "Order#1"}, "order_total": {"N": "4"}}
    assert alone.dispatch([insert(plain)]).failures == ()
    assert seen[2:] == [Order("Order#1", 4)]


def test_a_model_that_the_including_routers_registry_spoils_is_refused_at_include() -> None:
    spoiling = Registry()
    spoiling.register(Order, collect="nothing")
    inner, middle = StreamRouter(), StreamRouter()
    inner.on_insert(Order)(print)
    middle.include(inner)
    with pytest.raises(ModelDefinitionError, match="nothing"):
        StreamRouter(registry=spoiling).include(middle)


def test_folds_keep_their_state_with_the_registry() -> None:
    inner, outer = StreamRouter(), StreamRouter(classify=by_key_prefix("PK"), registry=money())

    @outer.fold(Price, initial=lambda: Money(0))
    def total(state: Money, record: Insert[Price]) -> Money:
        return Money(state.cents + record.new.amount.cents)

    @inner.fold(Order, initial=lambda: Order("", 0))
    def orders(state: Order, record: Insert[Order]) -> Order:
        return Order(record.new.PK, state.order_total + record.new.order_total)

    outer.include(inner)
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:05:00Z"}
    event: Any = {
        **lambda_event([insert(price(5, money())), insert(ORDER)]),
        "window": window,
        "state": {"total": {"N": "2"}},
    }
    state = LambdaHandler(outer)(event, None)["state"]  # type: ignore[arg-type, index]
    assert state == {"total": 7, "orders": {"PK": "Order#1", "orderTotal": 3}}


def test_hosts_need_no_word_of_it() -> None:
    registry = money()
    router = StreamRouter(classify=by_key_prefix("PK"), registry=registry)
    seen: list[Any] = []
    router.on_insert(Price)(lambda record: seen.append(record.new.amount.cents))
    event = json.loads(json.dumps(lambda_event([insert(price(7, registry))])))
    context: LambdaContext | None = None
    LambdaHandler(router)(event, context)  # type: ignore[arg-type]
    mapping = EventSourceMapping(LambdaHandler(router))
    mapping.put(insert(price(8, registry)))
    mapping.run()
    assert seen == [7, 8]


def test_a_registry_is_a_registry() -> None:
    with pytest.raises(RouteDefinitionError, match="registry="):
        StreamRouter(registry={})  # type: ignore[arg-type]


def test_the_functions_take_a_registry_too() -> None:
    registry = money()
    item = to_item(Price("Price#1", Money(5)), registry=registry)
    assert item == {"PK": {"S": "Price#1"}, "amount": {"N": "5"}}
    assert from_item(item, Price, registry=registry) == Price("Price#1", Money(5))
    assert from_item({"n": {"N": "5"}}, registry=registry) == {"n": 5}
    (record,) = parse([insert(item)], Price, registry=registry)
    assert isinstance(record, Insert)
    assert record.new.amount == Money(5)
    (plain,) = parse([insert(item)], registry=registry)
    assert isinstance(plain, Insert)
    assert plain.new["amount"] == 5
    assert to_item({"amount": Money(5)}, registry=registry) == {"amount": {"N": "5"}}
