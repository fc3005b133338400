"""What would keep silent: no routes, routes that can never match, wrong arguments."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, make_dataclass
from typing import Any

import pytest

from ddbstream import (
    Insert,
    LambdaHandler,
    Modify,
    StreamRecord,
    StreamRouter,
    by_attribute,
    by_key_prefix,
    by_keys,
    by_table_name,
    keys,
)
from ddbstream.exceptions import (
    BatchError,
    DDBStreamError,
    PayloadError,
    RouteDefinitionError,
    RouterArgumentError,
)
from ddbstream.routing import Explanation, RouteDescription
from tests.support.stream_records import wire_record


@keys(PK="Customer#{customer}", SK="Order#{number}")
@dataclass
class Order:
    customer: str
    number: str


@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: str


@dataclass
class Plain:
    PK: str


class TestARouterWithoutRoutes:
    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_refuses_records_and_stays_open(self, concurrency: int) -> None:
        router = StreamRouter()
        router.include(StreamRouter())
        for _ in range(2):
            with pytest.raises(BatchError, match="import"):
                router.dispatch([wire_record()], concurrency=concurrency)
        router.on_insert()(lambda record: None)
        assert router.dispatch([wire_record()]).processed == 1

    def test_refuses_them_after_an_empty_batch_as_well(self) -> None:
        router = StreamRouter()
        assert router.dispatch([]).processed == 0
        with pytest.raises(BatchError, match="no route"):
            router.dispatch([wire_record()])

    @pytest.mark.parametrize("report", [True, False])
    def test_refuses_them_in_lambda(self, report: bool) -> None:
        with pytest.raises(BatchError, match="no route"):
            LambdaHandler(StreamRouter(), report_batch_item_failures=report)(
                {"Records": [wire_record()]}
            )


class TestARouteThatCanNeverMatch:
    def test_by_its_keys_and_a_key_prefix(self) -> None:
        router = StreamRouter(classify=by_key_prefix("PK"))
        with pytest.raises(RouteDefinitionError, match=r"Customer#\{customer\}.*bind"):
            router.on_insert(Order)(print)
        router.bind("Customer", Order)
        router.on_insert(Order)(print)
        router.on_insert(Product)(print)
        router.on_insert(Plain)(print)
        assert len(router.routes()) == 3

    def test_by_its_keys_and_those_of_another_class_of_its_name(self) -> None:
        def make(template: str) -> Any:
            return keys(PK=template)(make_dataclass("Thing", [("id", str)]))

        for known, routed in (
            ("{id}#order", "{id}#product"),
            ("{id}#order", "Order"),
            ("Order#{id}", "Product#{id}"),
            ("Order", "{id}#product"),
        ):
            with pytest.raises(RouteDefinitionError, match="never match"):
                StreamRouter(classify=by_keys(make(known))).on_insert(make(routed))(print)
        for known, routed in (
            ("{id}#order", "{id}"),
            ("{id}#order", "{id}#new#order"),
            ("{id}#order", "a#order"),
            ("Order#{id}", "{id}#order"),
            ("{id}", "Order"),
        ):
            router = StreamRouter(classify=by_keys(make(known)))
            router.on_insert(make(routed))(print)
            assert len(router.routes()) == 1

    def test_by_its_keys_and_a_type_in_a_key(self) -> None:
        with pytest.raises(RouteDefinitionError, match="User#Product"):
            StreamRouter(classify=by_attribute("SK")).on_insert(Product)(print)

    @pytest.mark.parametrize("target", ["Prodct", Order])
    def test_by_a_name_that_by_keys_does_not_know(self, target: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="names Product alone"):
            StreamRouter(classify=by_keys(Product)).on_insert(target)(print)

    @pytest.mark.parametrize(
        "classify",
        [
            by_table_name(aliases={"Product": "Ware"}),
            by_key_prefix("PK", aliases={"Product": "Ware"}),
            by_attribute("_type", aliases={"Product": "Ware"}),
        ],
    )
    def test_by_a_name_that_is_aliased_away(self, classify: Any) -> None:
        router = StreamRouter(classify=classify)
        with pytest.raises(RouteDefinitionError, match="aliases"):
            router.on_insert("Product")(print)
        router.on_insert("Ware")(print)

    def test_is_no_route_afterwards(self) -> None:
        router = StreamRouter(classify=by_keys(Product))
        with pytest.raises(RouteDefinitionError):
            router.on_insert(Order)(print)
        with pytest.raises(RouteDefinitionError):
            router.fold(Order)(lambda state, record: state)
        assert router.routes() == router.folds() == ()

    def test_is_refused_by_the_router_that_includes_it(self) -> None:
        inner, outer = StreamRouter(), StreamRouter(classify=by_key_prefix("PK"))
        inner.on_insert(Order)(print)
        with pytest.raises(RouteDefinitionError, match="never match"):
            outer.include(inner)
        assert outer.routes() == ()

    def test_is_refused_by_the_first_dispatch_where_nothing_else_saw_it(self) -> None:
        inner, outer = StreamRouter(), StreamRouter(classify=by_key_prefix("PK"))
        outer.include(inner)
        inner.on_insert(Order)(print)
        with pytest.raises(RouteDefinitionError, match="never match"):
            outer.dispatch([wire_record()])

    def test_with_a_binding_that_by_keys_contradicts(self) -> None:
        router = StreamRouter(classify=by_keys(Product=Product))
        router.on_insert("Product")(print)
        router.on_insert(Product)(print)
        with pytest.raises(RouteDefinitionError, match="Ware"):
            router.bind("Ware", Product)
        assert router.routes()[1].entity == "Product"

    @pytest.mark.parametrize(
        ("verb", "pattern"),
        [
            ("on_insert", {"eventName": ["MODIFY", "REMOVE"]}),
            ("on_insert", {"dynamodb": {"OldImage": {"a": {"S": ["x"]}}}}),
            ("on_remove", {"dynamodb": {"NewImage": {"a": {"S": ["x"]}}}}),
            ("on_modify", {"$or": [{"eventName": ["INSERT"]}, {"eventName": ["REMOVE"]}]}),
        ],
    )
    def test_by_its_event_and_its_pattern(self, verb: str, pattern: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="pattern"):
            getattr(StreamRouter(), verb)(pattern=pattern)(print)
        StreamRouter().on_change(pattern=pattern)(print)

    def test_by_asking_for_a_change_of_what_is_unchanged(self) -> None:
        with pytest.raises(RouteDefinitionError, match="unchanged"):
            StreamRouter().on_modify(changed="price", unchanged=True)(print)

    @pytest.mark.parametrize("name", ["eventSource", "eventSourceARN", "awsRegion"])
    def test_is_not_one_whose_pattern_names_the_source(self, name: str) -> None:
        """Recordings of what Lambda's filter sees contradict each other."""
        router, seen = StreamRouter(), []
        record = wire_record()
        router.on_insert(pattern={name: [record[name]]})(seen.append)
        router.dispatch([record])
        assert len(seen) == 1
        criteria = router.filter_criteria()
        assert criteria is not None
        assert name not in str(criteria)


class TestTwoOfThreeEvents:
    def test_by_option(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_change(events={"INSERT", "MODIFY"})
        def upserted(record: StreamRecord[Any]) -> None:
            seen.append(record.event_name)

        router.dispatch([wire_record(event, n) for n, event in enumerate(EVENTS)])
        assert seen == ["INSERT", "MODIFY"]
        assert router.routes()[0].events == {"INSERT", "MODIFY"}

    def test_by_annotation(self) -> None:
        router = StreamRouter()

        def upserted(record: Insert[Product] | Modify[Product]) -> None: ...

        router.on_change("Product")(upserted)
        (route,) = router.routes()
        assert (route.events, route.model) == ({"INSERT", "MODIFY"}, Product)

    @pytest.mark.parametrize("events", [[], "INSERT", ["insert"], [1], {"UPDATE"}, 3])
    def test_that_are_none(self, events: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="events="):
            StreamRouter().on_change(events=events)(print)


EVENTS = ("INSERT", "MODIFY", "REMOVE")


class TestOtherEvents:
    @pytest.mark.parametrize(
        "event",
        [
            {},
            None,
            {"ping": True},
            {"httpMethod": "GET", "path": "/health"},
            {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
        ],
    )
    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_go_to_the_function_for_them(self, event: Any, kind: str) -> None:
        def answer(event: Any, context: Any) -> Any:
            return {"statusCode": 200, "event": event, "context": context}

        async def answer_async(event: Any, context: Any) -> Any:
            return answer(event, context)

        router = StreamRouter()
        router.on_insert()(lambda record: None)
        other = answer if kind == "sync" else answer_async
        got: Any = LambdaHandler(router, other=other)(event, "context")
        assert got == {"statusCode": 200, "event": event, "context": "context"}

    @pytest.mark.parametrize(
        "records",
        [[wire_record()], [{"eventSource": "aws:dynamodb"}], [{"dynamodb": 5}], []],
    )
    def test_are_not_those_of_a_stream_be_they_malformed(self, records: list[Any]) -> None:
        called: list[Any] = []
        router = StreamRouter()
        router.on_insert()(lambda record: None)
        handler = LambdaHandler(
            router,
            report_batch_item_failures=True,
            other=lambda event, context: called.append(event),
        )
        with suppress(DDBStreamError):
            assert "batchItemFailures" in handler({"Records": records})
        assert called == []

    def test_are_errors_without_one(self) -> None:
        router = StreamRouter()
        router.on_insert()(print)
        with pytest.raises(PayloadError):
            LambdaHandler(router)({"ping": True})

    @pytest.mark.parametrize("other", ["function", lambda event: None])
    def test_need_a_function_of_two(self, other: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="other="):
            LambdaHandler(StreamRouter(), other=other)


class TestArgumentsThatCannotWork:
    @pytest.mark.parametrize(
        "options",
        [
            {"concurrency": 0},
            {"concurrency": "2"},
            {"stream_arn": 5},
            {"stream_arn": ""},
            {"stop_when": True},
            {"dead_letter": "https://sqs"},
            {"dead_letter": []},
            {"on_handled": 3},
        ],
    )
    def test_of_dispatch(self, options: dict[str, Any]) -> None:
        router = StreamRouter()
        router.on_insert()(print)
        with pytest.raises(RouterArgumentError, match=next(iter(options))):
            router.dispatch([], **options)

    def test_of_what_tells_a_router_something(self) -> None:
        with pytest.raises(RouteDefinitionError, match=r"observe\(\) takes a function"):
            StreamRouter().observe(3)  # type: ignore[type-var]
        for entity in ("", None, 3):
            with pytest.raises(RouteDefinitionError, match="entity's name"):
                StreamRouter().bind(entity, Product)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "options",
        [
            {"concurrency": 0},
            {"report_batch_item_failures": "false"},
            {"deadline_margin": "2"},
            {"dead_letter": "https://sqs"},
        ],
    )
    def test_of_a_lambda_handler(self, options: dict[str, Any]) -> None:
        with pytest.raises(RouterArgumentError, match=next(iter(options))):
            LambdaHandler(StreamRouter(), **options)

    @pytest.mark.parametrize("router", [None, print, StreamRouter, "app:router"])
    def test_of_a_lambda_handler_as_its_router(self, router: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="StreamRouter"):
            LambdaHandler(router)


class Telling:
    def method(self, record: StreamRecord[Any]) -> None: ...

    def __call__(self, record: StreamRecord[Any]) -> None: ...


def test_routes_have_telling_names_and_types_for_annotations() -> None:
    from functools import partial

    router = StreamRouter()

    def added(record: StreamRecord[Any]) -> None: ...

    for handler in (added, partial(added), Telling().method, Telling()):
        router.on_insert()(handler)
    assert [route.name for route in router.routes()] == ["added", "added", "method", "Telling"]
    assert isinstance(router.routes()[0], RouteDescription)
    assert isinstance(router.explain(wire_record()), Explanation)
