"""Filters derived from routes: what they are, and that they are within a mapping's limits.

That they let everything through that a route wants is a property test:
``tests/property/test_router_filters.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ddbstream import (
    StreamRouter,
    by_attribute,
    by_key_prefix,
    by_keys,
    keys,
)
from ddbstream.exceptions import RouterArgumentError


@keys(PK="Product#{id}", SK="Product")
@dataclass
class Product:
    id: str


def patterns(router: StreamRouter, **options: Any) -> list[Any]:
    criteria = router.filter_criteria(**options)
    assert criteria is not None
    return [json.loads(one["Pattern"]) for one in criteria["Filters"]]


def pk(*tests: Any) -> dict[str, Any]:
    return {"dynamodb": {"Keys": {"PK": {"S": list(tests)}}}}


def by_prefix() -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("PK"))


def test_event_names() -> None:
    router = StreamRouter()
    router.on_insert()(print)
    router.on_remove("Product")(print)  # a mapping has one table: its name filters nothing
    assert patterns(router) == [{"eventName": ["INSERT", "REMOVE"]}]


def test_key_prefixes_of_entities_are_joined() -> None:
    router = by_prefix()
    for entity in ("Product", "Order"):
        router.on_insert(entity)(print)
        router.on_modify(entity)(print)
    assert patterns(router, keys=["PK", "SK"]) == [
        {"eventName": ["INSERT", "MODIFY"], **pk({"prefix": "Order#"}, {"prefix": "Product#"})}
    ]


def test_a_prefix_of_what_may_be_no_key_lets_records_without_it_pass() -> None:
    router = by_prefix()
    router.on_change("Product")(print)
    assert patterns(router) == [pk({"exists": False}, {"prefix": "Product#"})]


def test_an_alias_is_the_stored_prefix() -> None:
    router = StreamRouter(classify=by_key_prefix("PK", separator="|", aliases={"P": "Product"}))
    router.on_change("Product")(print)
    assert patterns(router, keys=["PK"]) == [pk({"prefix": "Product|"}, {"prefix": "P|"})]


def test_key_templates() -> None:
    router = StreamRouter(classify=by_keys(Product))
    router.on_insert(Product)(print)
    assert patterns(router, keys=["PK", "SK"]) == [
        {
            "eventName": ["INSERT"],
            "dynamodb": {"Keys": {"PK": {"S": [{"prefix": "Product#"}]}, "SK": {"S": ["Product"]}}},
        }
    ]


def test_a_template_that_begins_with_a_field_is_known_by_its_end_or_not_at_all() -> None:
    @keys(PK="{id}#order")
    @dataclass
    class Order:
        id: str

    @keys(PK="{shop}#{id}")
    @dataclass
    class Anything:
        shop: str
        id: str

    router = StreamRouter(classify=by_keys(Order, Anything))
    router.on_change(Order)(print)
    assert patterns(router, keys=["PK"]) == [pk({"suffix": "#order"})]
    router.on_change(Anything)(print)
    assert patterns(router, keys=["PK"]) == [pk({"exists": True}, {"suffix": "#order"})]


def test_what_a_pattern_and_the_route_both_say_is_what_both_let_pass() -> None:
    router = StreamRouter()
    router.on_change(
        pattern={
            "eventName": ["INSERT", "REMOVE"],
            "$or": [pk("a"), pk("b")],
        },
        ttl=True,
    )(print)
    assert patterns(router) == [
        {
            "eventName": ["REMOVE"],
            "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
            "$or": [pk("a"), pk("b")],
        }
    ]
    # Two lists of tests are ORed inside, and so cannot be put together: the route's own is kept.
    router = StreamRouter()
    router.on_insert(pattern={"eventName": [{"prefix": "I"}]})(print)
    assert patterns(router) == [{"eventName": ["INSERT"]}]


@pytest.mark.parametrize("limit", [1, 2])
def test_event_names_that_stand_in_for_patterns_are_one_filter(limit: int) -> None:
    router = StreamRouter()
    for number in range(300):
        on = router.on_insert if number % 2 else router.on_remove
        on(pattern={"dynamodb": {"Keys": {f"attribute {number}": {"S": ["x"]}}}})(print)
    assert patterns(router, max_filters=limit) == [{"eventName": ["INSERT", "REMOVE"]}]


def test_keys_are_names_in_a_list() -> None:
    with pytest.raises(RouterArgumentError, match="keys="):
        StreamRouter().filter_criteria(keys="PK")


def test_a_type_attribute_is_looked_for_in_either_image() -> None:
    router = StreamRouter(classify=by_attribute("_type"))
    router.on_change("Product")(print)
    assert patterns(router, keys=["PK"]) == [
        {"dynamodb": {"NewImage": {"_type": {"S": ["Product"]}}}},
        {"dynamodb": {"OldImage": {"_type": {"S": ["Product"]}}}},
        {"dynamodb": {"StreamViewType": [{"anything-but": "NEW_AND_OLD_IMAGES"}]}},
    ]


def test_time_to_live_and_patterns_of_routes() -> None:
    router = StreamRouter()
    router.on_change(ttl=True)(print)
    router.on_insert(pattern={"dynamodb": {"NewImage": {"a": {"S": ["x"]}}}})(print)
    assert patterns(router) == [
        {
            "eventName": ["REMOVE"],
            "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
        },
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"a": {"S": ["x"]}}}},
    ]


def test_what_another_route_wants_anyway_adds_nothing() -> None:
    router = by_prefix()
    router.on_insert("Product")(print)
    router.on_insert()(print)
    assert patterns(router) == [{"eventName": ["INSERT"]}]


def test_folds_and_included_routers_are_routes_too() -> None:
    router, included = by_prefix(), StreamRouter()
    included.on_remove("Product")(print)
    router.include(included)

    @router.fold("Order")
    def count(state: int, record: Any) -> int:
        return state + 1

    assert patterns(router, keys=["PK"]) == [
        {"eventName": ["REMOVE"], **pk({"prefix": "Product#"})},
        pk({"prefix": "Order#"}),
    ]


@pytest.mark.parametrize("options", [{}, {"where": lambda _: True}, {"changed": "price"}])
def test_nothing_is_left_out_where_a_route_may_want_everything(options: dict[str, Any]) -> None:
    router = by_prefix()
    router.on_insert("Product")(print)
    router.on_change(**options)(print)
    assert router.filter_criteria() is None


def test_nothing_is_left_out_where_unmatched_records_raise() -> None:
    router = StreamRouter(unmatched="raise")
    router.on_insert()(print)
    assert router.filter_criteria() is None


def test_nothing_is_left_out_by_a_classifier_that_cannot_say() -> None:
    router = StreamRouter(classify=lambda record: "Product")
    router.on_change("Product")(print)
    assert router.filter_criteria() is None


def test_a_router_without_routes_has_none() -> None:
    assert StreamRouter().filter_criteria() is None


def test_more_alternatives_than_filters_are_put_together() -> None:
    router = StreamRouter()
    for number in range(12):
        attribute = {f"a{number}": {"S": ["x"]}}
        router.on_insert(pattern={"dynamodb": {"NewImage": attribute}})(print)
    for limit in (1, 5, 10):
        found = patterns(router, max_filters=limit)
        assert len(found) <= limit
        flat = [one for pattern in found for one in pattern.get("$or", [pattern])]
        assert len(flat) == 12


def test_patterns_over_4096_characters_give_way_to_event_names() -> None:
    router = by_prefix()
    for number in range(300):
        router.on_insert(f"Entity{number}")(print)
    assert patterns(router) == [{"eventName": ["INSERT"]}]
    router.on_change("Entity")(print)
    assert router.filter_criteria() is None


def test_there_is_at_least_one_filter() -> None:
    with pytest.raises(ValueError, match="max_filters"):
        StreamRouter().filter_criteria(max_filters=0)


def test_asking_does_not_close_the_router() -> None:
    router = StreamRouter()
    router.filter_criteria()
    router.on_insert()(print)
