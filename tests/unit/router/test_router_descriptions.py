"""A router describes its routes, and explains which of them a record gets to."""

from __future__ import annotations

from typing import Any

import pytest

from ddbstream import (
    Change,
    Insert,
    LambdaHandler,
    Modify,
    Remove,
    StreamRouter,
    by_key_prefix,
    by_keys,
    by_table_name,
    parse,
)
from ddbstream.exceptions import PayloadError
from ddbstream.testing import insert, lambda_event, modify, remove
from tests.support.products import Product

DESK = {"PK": "Product#1", "name": "desk", "price": 300}
RENAMED = {**DESK, "name": "table"}


def by_pk(**options: Any) -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("PK"), **options)


def new(item: dict[str, Any] = DESK) -> Any:
    return insert(item, keys=["PK"])


def changed(old: dict[str, Any] = DESK, item: dict[str, Any] = RENAMED) -> Any:
    return modify(old, item, keys=["PK"])


def never(record: Any) -> None:
    raise AssertionError("no handler runs")


def reasons(router: StreamRouter, record: Any) -> list[str]:
    return [reason for _, reason in router.explain(record).rejected]


class TestRoutes:
    def test_have_name_events_entity_model_and_handler_in_order(self) -> None:
        router = by_pk()

        @router.on_insert(Product)
        def added(record: Insert[Product]) -> None: ...

        @router.on_change("Order")
        def audit(record: Change[Product]) -> None: ...

        @router.on_remove
        def gone(record: Remove[Any]) -> None: ...

        first, second, third = router.routes()
        assert (first.events, first.entity, first.model) == ({"INSERT"}, "Product", Product)
        assert second.events == {"INSERT", "MODIFY", "REMOVE"}
        assert (second.entity, second.model) == ("Order", Product)
        assert (third.entity, third.model, third.handler) == (None, None, gone)
        assert [one.name for one in (first, second, third)] == ["added", "audit", "gone"]
        assert [type(one.events) for one in router.routes()] == [frozenset] * 3

    def test_of_included_routers_stand_where_they_are_included(self) -> None:
        outer, inner = by_pk(), StreamRouter()
        inner.on_insert(Product)(never)
        outer.on_insert("A")(never)
        outer.include(inner)
        outer.on_insert("B")(never)
        assert [one.entity for one in outer.routes()] == ["A", "Product", "B"]

    def test_have_the_entity_that_their_class_is_bound_to(self) -> None:
        outer, inner = by_pk(), StreamRouter()
        inner.on_insert(Product)(never)
        outer.include(inner)
        outer.bind("Ware", Product)
        assert outer.routes()[0].entity == "Ware"
        assert inner.routes()[0].entity == "Product"

    def test_say_what_narrows_them(self) -> None:
        router = by_pk()
        router.on_modify(Product, changed="price", where=bool, unchanged=False)(never)
        (route,) = router.routes()
        assert route.conditions == ("unchanged=False", "changed=price", "where=")
        assert route.changed == ("price",)
        assert str(route).endswith(
            "never: MODIFY of Product, unchanged=False, changed=price, where="
        )

    def test_are_listed_apart_from_folds(self) -> None:
        router = by_pk()
        router.fold(Product, name="count")(lambda state, record: state)
        assert router.has_folds
        assert router.routes() == ()
        assert [one.entity for one in router.folds()] == ["Product"]

    def test_asking_for_them_does_not_close_the_router(self) -> None:
        router = by_pk()
        router.routes(), router.folds(), router.explain(new())
        router.on_insert()(never)
        assert len(router.routes()) == 1


class TestExplain:
    def test_names_the_entity_and_the_routes_that_would_run_in_order(self) -> None:
        router = by_pk()
        router.on_insert(Product)(never)
        router.on_modify(Product)(never)
        router.on_change()(never)
        first, second, third = router.routes()
        explanation = router.explain(new())
        assert explanation.entity == "Product"
        assert explanation.chosen == (first, third)
        assert explanation.rejected == ((second, "it takes MODIFY, and this is INSERT"),)
        assert explanation.problem is None

    @pytest.mark.parametrize(
        "record",
        [new(), next(parse([new()])), [new()], lambda_event([new()])],
        ids=["wire", "made", "page", "event"],
    )
    def test_takes_one_record_in_any_form(self, record: Any) -> None:
        assert by_pk().explain(record).entity == "Product"

    @pytest.mark.parametrize("payload", [[], [new(), new()]])
    def test_refuses_what_is_not_one_record(self, payload: Any) -> None:
        with pytest.raises(PayloadError, match=f"takes one record, and here are {len(payload)}"):
            by_pk().explain(payload)

    def test_takes_the_stream_of_a_record_that_does_not_name_it(self) -> None:
        record = new()
        del record["eventSourceARN"]
        arn = "arn:aws:dynamodb:eu-west-1:1:table/Product/stream/x"
        assert StreamRouter().explain(record, stream_arn=arn).entity == "Product"

    @pytest.mark.parametrize(
        ("item", "reason"),
        [
            ({"PK": "Order#1"}, "it is for the entity Product, and this is Order"),
            ({"PK": "1"}, "it is for the entity Product, and this has no entity"),
        ],
    )
    def test_says_that_the_entity_differs(self, item: dict[str, Any], reason: str) -> None:
        router = by_pk()
        router.on_insert(Product)(never)
        assert reasons(router, new(item)) == [reason]

    @pytest.mark.parametrize(
        ("options", "record", "reason"),
        [
            ({"changed": "price"}, changed(), "changed=price, and what changed is name"),
            (
                {"changed": ["price", "size"]},
                changed(DESK, DESK),
                "changed=price, size, and what changed is nothing",
            ),
            ({"where": lambda record: False}, changed(), "where= said no"),
            (
                {"pattern": {"dynamodb": {"NewImage": {"name": {"S": ["chair"]}}}}},
                changed(),
                "pattern= does not match at dynamodb.NewImage.name.S",
            ),
            (
                {"pattern": {"dynamodb": {"Keys": {"PK": {"S": ["Product#1"]}}, "SizeBytes": [0]}}},
                changed(),
                "pattern= does not match at dynamodb.SizeBytes",
            ),
            (
                {"pattern": {"dynamodb": {"NewImage": {"tags": {"L": {"S": ["x"]}}}}}},
                changed(DESK, {**DESK, "tags": ["y", "z"]}),
                "pattern= does not match at dynamodb.NewImage.tags.L",
            ),
            (
                {"changed": "name", "where": lambda record: record.new["name"] == "chair"},
                changed(),
                "where= said no",
            ),
            (
                {"pattern": {"$or": [{"eventName": ["INSERT"]}, {"eventName": ["REMOVE"]}]}},
                changed(),
                "pattern= does not match at $or",
            ),
            (
                {"replica": True},
                changed(),
                "replica=True, and the record does not say for certain that it is a replica",
            ),
            (
                {"unchanged": True},
                changed(),
                "unchanged=True, and the images are not certain to hold the same item",
            ),
            (
                {"unchanged": False},
                changed(DESK, DESK),
                "unchanged=False, and the images hold the same item",
            ),
            (
                {"ttl": True},
                remove(DESK, keys=["PK"]),
                "ttl=True, and Time to Live did not delete the item",
            ),
            (
                {"ttl": False},
                remove(DESK, keys=["PK"], ttl=True),
                "ttl=False, and Time to Live deleted the item",
            ),
        ],
    )
    def test_says_which_condition_does_not_hold(
        self, options: dict[str, Any], record: Any, reason: str
    ) -> None:
        router = by_pk()
        router.on_change(**options)(never)
        assert reasons(router, record) == [reason]

    def test_takes_what_a_classifier_raises_for_a_reason(self) -> None:
        def classify(record: Any) -> str:
            raise KeyError("a stored value")

        router = StreamRouter(classify=classify)
        router.on_insert("Product")(never)
        router.on_insert()(never)
        explanation = router.explain(new())
        assert (explanation.entity, explanation.chosen) == (None, ())
        assert {reason for _, reason in explanation.rejected} == {"the classifier raised KeyError"}

    def test_of_a_kind_that_no_route_names_an_entity_for_needs_no_classifier(self) -> None:
        router = StreamRouter(classify=lambda record: record.no_such_attribute)
        router.on_insert()(never)
        explanation = router.explain(new())
        assert explanation.chosen == router.routes()
        assert explanation.problem is None

    def test_says_whose_predicate_raised_and_that_nothing_runs(self) -> None:
        router = by_pk()
        router.on_insert()(never)
        router.on_insert(where=lambda record: record.new["no such name"])(never)
        explanation = router.explain(new())
        assert explanation.chosen == ()
        first, second = (reason for _, reason in explanation.rejected)
        assert second.startswith("where= of ")
        assert second.endswith(" raised KeyError")
        assert first == f"the record fails before any handler runs: {second}"
        assert "no such name" not in str(explanation)

    def test_of_an_image_that_is_not_captured_names_the_view_type(self) -> None:
        router = by_pk()
        router.on_modify(changed="price")(never)
        record = changed()
        del record["dynamodb"]["OldImage"]
        record["dynamodb"]["StreamViewType"] = "NEW_IMAGE"
        (reason,) = reasons(router, record)
        assert "MissingImageError: no OldImage captured" in reason

    def test_of_a_change_that_cannot_be_read_names_the_option_and_the_fault(self) -> None:
        router = by_pk()
        router.on_modify(changed="price")(never)
        record = changed()
        record["dynamodb"]["OldImage"]["name"] = {"N": "hunter2"}
        (reason,) = reasons(router, record)
        assert reason.startswith("changed=price does not hold, and what changed cannot be read")
        assert "OldImage.name" in reason
        assert "hunter2" not in reason

    def test_of_a_malformed_record_says_what_is_wrong_with_it(self) -> None:
        router = by_pk()
        router.on_insert()(never)
        explanation = router.explain({**new(), "eventName": "UPSERT"})
        assert explanation.chosen == ()
        assert "expected INSERT, MODIFY or REMOVE" in explanation.rejected[0][1]
        assert str(explanation).startswith("a malformed record")

    def test_agrees_with_dispatch_about_included_routers(self) -> None:
        outer, inner, ran = by_pk(), StreamRouter(classify=by_table_name()), []
        record = new()
        inner.on_insert("Product")(lambda record: ran.append("by key"))
        inner.on_insert("Table")(lambda record: ran.append("by table"))
        outer.include(inner)
        outer.on_insert("Product")(lambda record: ran.append("outer"))
        record["eventSourceARN"] = "arn:aws:dynamodb:eu-west-1:1:table/Table/stream/x"
        explanation = outer.explain(record)
        assert explanation.entity == "Product"
        assert explanation.chosen == outer.routes()[1:]
        assert explanation.rejected[0][1] == "it is for the entity Product, and this is Table"
        outer.dispatch([record])
        assert ran == ["by table", "outer"]

    def test_reads_as_lines(self) -> None:
        router = by_pk()

        @router.on_insert(Product)
        def added(record: Insert[Product]) -> None: ...

        @router.on_modify(Product)
        def repriced(record: Modify[Product]) -> None: ...

        record = new()
        assert str(router.explain(record)).splitlines() == [
            f"INSERT of Product, event {record['eventID']}",
            "+ added: INSERT of Product",
            "- repriced: MODIFY of Product",
            "    it takes MODIFY, and this is INSERT",
        ]
        assert str(by_pk().explain(record)).endswith("\nno route wants it")


def test_a_router_classifies_with_the_names_that_it_has_bound() -> None:
    router = StreamRouter(classify=by_keys(Product))
    router.bind("Ware", Product)
    assert router.classify(next(parse([new()]))) == "Ware"


def test_a_lambda_handler_says_how_it_was_made() -> None:
    router, sink = StreamRouter(), [].append
    handler = LambdaHandler(
        router,
        report_batch_item_failures=True,
        concurrency=3,
        deadline_margin=1.5,
        dead_letter=sink,
    )
    assert handler.router is router
    assert handler.report_batch_item_failures is True
    assert (handler.concurrency, handler.deadline_margin) == (3, 1.5)
    assert handler.dead_letter is sink
    assert LambdaHandler(router).deadline_margin is None
