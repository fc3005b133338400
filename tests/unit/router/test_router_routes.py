"""Which handlers a record reaches, and in which order."""

from __future__ import annotations

import functools
import pickle
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import (
    BatchResult,
    Change,
    Failure,
    Insert,
    LambdaHandler,
    Modify,
    Remove,
    StreamRouter,
    by_key_prefix,
    by_keys,
    keys,
    parse,
)
from ddbstream._router import matching
from ddbstream.exceptions import (
    DecodeError,
    MissingImageError,
    RouteDefinitionError,
    RouterFrozenError,
    UnmatchedRecordError,
)
from ddbstream.testing import tumbling_window_event
from tests.support.stream_records import TTL, wire_record


@keys(PK="Product#{id}")
@dataclass
class Product:
    id: str
    price: int = 0


@keys(PK="Order#{id}")
@dataclass
class Order:
    id: str


def router_by_prefix(**options: Any) -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("PK"), **options)


class TestAHandlerGets:
    def test_each_kind_of_change_by_its_decorator(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert("Product")(lambda record: seen.append(("insert", type(record))))
        router.on_modify("Product")(lambda record: seen.append(("modify", type(record))))
        router.on_remove("Product")(lambda record: seen.append(("remove", type(record))))
        router.on_change("Product")(lambda record: seen.append(("change", type(record))))
        router.dispatch([wire_record(name) for name in ("INSERT", "MODIFY", "REMOVE")])
        assert seen == [
            ("insert", Insert),
            ("change", Insert),
            ("modify", Modify),
            ("change", Modify),
            ("remove", Remove),
            ("change", Remove),
        ]

    def test_its_entity_and_no_other(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert("Product")(lambda record: seen.append(record.keys["PK"]))
        router.dispatch([wire_record(key="Order#1"), wire_record(key="Product#2")])
        assert seen == ["Product#2"]

    def test_every_entity_where_none_is_named(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert()(lambda record: seen.append(record.keys["PK"]))
        router.dispatch([wire_record(key="Order#1"), wire_record(key="nothing")])
        assert seen == ["Order#1", "nothing"]

    def test_every_entity_where_the_decorator_is_bare(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_change
        def handle(record: Change) -> None:
            seen.append(record.event_name)

        router.dispatch([wire_record("REMOVE")])
        assert seen == ["REMOVE"]

    def test_the_class_given_as_its_model_and_the_class_name_as_its_entity(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert(Product)
        def handle(record: Insert[Product]) -> None:
            seen.append(record.new)

        router.dispatch([wire_record(new={"price": {"N": "5"}}), wire_record(key="Order#1")])
        assert seen == [Product("1", 5)]

    def test_the_annotation_as_its_model_where_only_a_name_is_given(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_modify("Product")
        def handle(record: Modify[Product]) -> None:
            seen.append((record.old.price, record.new.price))

        router.dispatch(
            [wire_record("MODIFY", old={"price": {"N": "5"}}, new={"price": {"N": "6"}})]
        )
        assert seen == [(5, 6)]

    def test_dicts_without_either(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert("Product")(lambda record: seen.append(record.new))
        router.dispatch([wire_record(new={"price": {"N": "5"}})])
        assert seen == [{"PK": "Product#1", "price": Decimal(5)}]

    def test_the_context_where_it_takes_a_second_argument(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert()
        def handle(record: Insert, context: Any) -> None:
            seen.append(context)

        router.dispatch([wire_record()], context="the context")
        assert seen == ["the context"]

    def test_no_context_where_the_second_argument_is_a_default_of_its_own(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert()
        def handle(record: Insert, table: str = "mine") -> None:
            seen.append(table)

        router.dispatch([wire_record()], context="the context")
        assert seen == ["mine"]

    def test_the_context_where_a_default_stands_beside_a_name_for_it(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert()(lambda record, ctx=None: seen.append(ctx))
        router.on_insert()(lambda record, context=None: seen.append(context))
        router.on_insert()(lambda record, lambda_context=None: seen.append(lambda_context))
        router.dispatch([wire_record()], context="the context")
        assert seen == ["the context"] * 3

    def test_one_and_the_same_record_as_others_of_its_model(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert(Product)(lambda record: seen.append(record.new))
        router.on_change(Product)(lambda record: seen.append(record.new))
        router.dispatch([wire_record()])
        assert seen[0] is seen[1]

    def test_its_own_model_beside_handlers_of_others(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert(Product)(lambda record: seen.append(type(record.new)))
        router.on_insert("Product")(lambda record: seen.append(type(record.new)))
        router.dispatch([wire_record()])
        assert seen == [Product, dict]

    def test_records_that_were_made_before(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert(Product)(lambda record: seen.append(record.new))
        router.dispatch(parse([wire_record()]))
        assert seen == [Product("1")]


def test_handlers_run_in_the_order_of_registration() -> None:
    router, seen = router_by_prefix(), []
    router.on_insert()(lambda _: seen.append(1))
    router.on_change(Product)(lambda _: seen.append(2))
    router.on_insert("Product")(lambda _: seen.append(3))
    router.dispatch([wire_record()])
    assert seen == [1, 2, 3]


def test_a_decorator_returns_the_function_unchanged() -> None:
    def handle(record: Insert) -> None: ...

    router = StreamRouter()
    assert router.on_insert(handle) is handle
    assert router.on_insert("Product")(handle) is handle


def test_stacked_decorators_register_a_handler_for_each() -> None:
    router, seen = router_by_prefix(), []

    @router.on_insert("Product")
    @router.on_remove("Product")
    def handle(record: Insert | Remove) -> None:
        seen.append(record.event_name)

    router.dispatch([wire_record("INSERT"), wire_record("MODIFY"), wire_record("REMOVE")])
    assert seen == ["INSERT", "REMOVE"]


class TestWhere:
    def test_narrows_by_the_typed_record(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert(Product, where=lambda record: record.new.price > 5)(
            lambda record: seen.append(record.new.price)
        )
        router.dispatch([wire_record(new={"price": {"N": n}}) for n in ("5", "6")])
        assert seen == [6]

    def test_is_asked_of_all_routes_before_any_handler_runs(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert(Product)
        def discount(record: Insert[Product]) -> None:
            record.new.price = 0

        router.on_insert(Product, where=lambda record: record.new.price)(seen.append)
        router.dispatch([wire_record(new={"price": {"N": "6"}})])
        assert len(seen) == 1

    def test_that_raises_is_a_failure_of_the_record(self) -> None:
        router = router_by_prefix()

        @router.on_insert(Product, where=lambda record: 1 / record.new.price)
        def handle(record: Insert[Product]) -> None: ...

        result = router.dispatch([wire_record()])
        assert [type(failure.error) for failure in result.failures] == [ZeroDivisionError]
        assert result.failures[0].route is not None


class TestChanged:
    def changed(self, *records: dict[str, Any], **options: Any) -> list[str]:
        router, seen = router_by_prefix(), []
        router.on_change("Product", **options)(lambda record: seen.append(record.event_name))
        result = router.dispatch(records)
        if result.failures:
            raise result.failures[0].error
        return seen

    def test_wants_a_modification_of_that_path(self) -> None:
        record = wire_record("MODIFY", old={"price": {"N": "5"}}, new={"price": {"N": "6"}})
        assert self.changed(record, changed="price") == ["MODIFY"]
        assert self.changed(record, changed="name") == []

    def test_takes_several_paths_of_which_one_is_enough(self) -> None:
        record = wire_record("MODIFY", old={"price": {"N": "5"}}, new={"price": {"N": "6"}})
        assert self.changed(record, changed=["name", "price"]) == ["MODIFY"]

    def test_compares_numbers_and_sets_by_value(self) -> None:
        record = wire_record(
            "MODIFY",
            old={"price": {"N": "5"}, "tags": {"SS": ["a", "b"]}},
            new={"price": {"N": "5.0"}, "tags": {"SS": ["b", "a"]}},
        )
        assert self.changed(record, changed=["price", "tags"]) == []

    def test_looks_into_maps_and_lists(self) -> None:
        old = {"dims": {"M": {"w": {"N": "1"}, "h": {"N": "2"}}}, "tags": {"L": [{"S": "a"}]}}
        new = {"dims": {"M": {"w": {"N": "1"}, "h": {"N": "3"}}}, "tags": {"L": [{"S": "b"}]}}
        record = wire_record("MODIFY", old=old, new=new)
        assert self.changed(record, changed="dims.h") == ["MODIFY"]
        assert self.changed(record, changed="dims.w") == []
        assert self.changed(record, changed="tags[0]") == ["MODIFY"]

    def test_counts_an_attribute_that_came_with_an_insert_or_went_with_a_removal(self) -> None:
        priced = {"price": {"N": "5"}}
        records = [wire_record("INSERT", new=priced), wire_record("REMOVE", old=priced)]
        assert self.changed(*records, changed="price") == ["INSERT", "REMOVE"]
        assert self.changed(*records, changed="name") == []

    def test_names_a_field_of_the_model_by_the_field_or_by_its_attribute(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_insert(Product, changed="id")(lambda _: seen.append("id"))
        router.on_insert(Product, changed="PK")(lambda _: seen.append("PK"))
        router.dispatch([wire_record()])
        assert seen == ["id", "PK"]

    @pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
    def test_fails_on_a_stream_that_lacks_an_image(self, view: str) -> None:
        with pytest.raises(MissingImageError):
            self.changed(wire_record("MODIFY", view=view), changed="price")


class TestTtl:
    @pytest.mark.parametrize(("ttl", "expected"), [(True, [2]), (False, [1, 3]), (None, [1, 2, 3])])
    def test_chooses_between_deletions_by_time_to_live_and_all_else(
        self, ttl: bool | None, expected: list[int]
    ) -> None:
        router, seen = router_by_prefix(), []
        router.on_change(ttl=ttl)(lambda record: seen.append(int(record.sequence_number)))
        router.dispatch(
            [wire_record("REMOVE", 1), wire_record("REMOVE", 2, **TTL), wire_record("INSERT", 3)]
        )
        assert seen == expected


class TestOtherTraits:
    @pytest.mark.parametrize(("wanted", "expected"), [(True, [2]), (False, [1]), (None, [1, 2])])
    def test_replica_chooses_between_what_replication_made_and_all_else(
        self, wanted: bool | None, expected: list[int]
    ) -> None:
        router, seen = router_by_prefix(), []
        router.on_change(replica=wanted)(lambda record: seen.append(int(record.sequence_number)))
        mark = {"aws:rep:updateregion": {"S": "eu-west-1"}, "aws:rep:updatetime": {"N": "1.5"}}
        old = {"PK": {"S": "Product#1"}}
        router.dispatch(
            [
                wire_record("MODIFY", 1, old=old, new={**old, "a": {"N": "1"}}),
                wire_record("MODIFY", 2, old=old, new={**old, **mark}),
            ]
        )
        assert seen == expected

    @pytest.mark.parametrize(("wanted", "expected"), [(True, [2]), (False, [1]), (None, [1, 2])])
    def test_unchanged_chooses_between_a_modify_of_nothing_and_all_else(
        self, wanted: bool | None, expected: list[int]
    ) -> None:
        router, seen = router_by_prefix(), []
        router.on_change(unchanged=wanted)(lambda record: seen.append(int(record.sequence_number)))
        one, same, two = ({"n": {"N": text}} for text in ("1", "1.0", "2"))
        router.dispatch(
            [
                wire_record("MODIFY", 1, old=one, new=two),
                wire_record("MODIFY", 2, old=one, new=same),
            ]
        )
        assert seen == expected

    def test_what_no_record_of_the_kind_can_have_is_refused(self) -> None:
        with pytest.raises(RouteDefinitionError, match="only a Modify"):
            router_by_prefix().on_insert(unchanged=True)(print)
        with pytest.raises(RouteDefinitionError, match="replica= takes True or False"):
            router_by_prefix().on_insert(replica="yes")(print)  # type: ignore[call-overload]


def test_what_is_written_as_a_class_or_a_text_of_texts_is_found_or_refused() -> None:
    def handle(record: Any) -> None: ...

    router = StreamRouter()
    text = "Insert[Product]"
    for _ in range(3):
        handle.__annotations__["record"] = text
        router.on_insert("Product")(handle)
        text = repr(text)
    assert {route.model for route in router.routes()} == {Product}
    handle.__annotations__["record"] = text
    with pytest.raises(RouteDefinitionError, match="nothing but text"):
        router.on_insert("Product")(handle)


def test_an_annotation_may_stand_beside_a_name_that_is_not_there_yet() -> None:
    router, seen = StreamRouter(), []

    @router.on_insert()
    def handle(record: Insert[Product]) -> None:
        seen.append(later)

    later = "now"
    router.dispatch([wire_record()])
    assert seen == ["now"]


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def around(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    return around


class Shop:
    """Methods as most decorators leave them: by their look they take anything."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @decorated
    def __call__(self, record: Insert[Product]) -> None:
        self.seen.append(record.new)

    @decorated
    def added(self, record: Insert[Product], context: Any) -> None:
        self.seen.append((record.new, context))

    @decorated
    def note(self, thing: Any) -> None:
        self.seen.append(type(thing).__name__)

    @decorated
    def wanted(self, record: Any) -> bool:
        return bool(record.event_id == "event-1")

    @decorated
    def around(self, record: Any, call_next: Any) -> None:
        self.seen.append("in")
        call_next(record)

    @decorated
    def classify(self, record: Any) -> str:
        return "Product"

    @decorated
    def total(self, state: int, record: Any) -> int:
        return state + 1

    @decorated
    def ended(self, state: int, window: Any) -> None:
        self.seen.append(state)


def test_a_decorated_method_is_whatever_it_was() -> None:
    shop, other = Shop(), Shop()
    router = StreamRouter(classify=shop.classify)
    router.middleware(shop.around)
    router.on_insert("Product", where=shop.wanted)(shop.added)
    router.on_insert("Product")(shop)
    router.observe(other.note)
    router.on_error(other.note)
    router.fold(name="total")(shop.total)
    router.on_window_end(other.ended)
    assert [route.model for route in router.routes()] == [Product, Product]
    event = tumbling_window_event([wire_record(), wire_record(number=2)], final=True)
    LambdaHandler(router, other=shop.around)(event, "context")
    product = Product("1")
    assert shop.seen == ["in", (product, "context"), product, "in", product]
    assert other.seen == [*["HandlerEvent"] * 3, "BatchEvent", 2]


def test_a_function_that_says_it_wraps_itself_is_read_as_it_is() -> None:
    def endless(record: Insert[Product]) -> None: ...

    endless.__wrapped__ = endless  # type: ignore[attr-defined]
    router = StreamRouter()
    router.on_insert("Product")(endless)
    assert [route.model for route in router.routes()] == [Product]


def test_a_router_says_how_much_is_in_it_and_is_compiled_once() -> None:
    router = router_by_prefix()
    router.on_insert("Product")(print)
    router.include(StreamRouter())
    assert repr(router) == "<StreamRouter of 2 routes and routers>"
    # As two threads do that dispatch first at the same time.
    assert router._freeze() is router._freeze()


class TestUnmatched:
    def test_is_ignored_and_done_by_default(self) -> None:
        router = router_by_prefix()
        router.on_insert("Order")(print)
        assert router.dispatch([wire_record()]) == (1, (), None)

    def test_names_the_entity_and_those_that_have_routes(self) -> None:
        router = router_by_prefix(unmatched="raise")
        router.on_insert("Prodct")(print)
        router.on_modify("Order")(print)
        (failure,) = router.dispatch([wire_record()]).failures
        assert "'Product'" in str(failure.error)
        assert "Order, Prodct" in str(failure.error)
        (failure,) = router.dispatch([wire_record(key="nothing")]).failures
        assert "without an entity" in str(failure.error)

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_is_logged_once_an_entity(
        self, concurrency: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        outer, inner = router_by_prefix(), StreamRouter(classify=by_key_prefix("PK"))
        for router in (outer, inner):
            router.on_insert("Order")(print)
        outer.include(inner)
        for router in (outer, inner):
            caplog.clear()
            with caplog.at_level("DEBUG", logger="ddbstream"):
                router.dispatch([wire_record()] * 3, concurrency=concurrency)
                router.dispatch([wire_record(key="Other#1")], concurrency=concurrency)
            assert [line for line in caplog.messages if "'Product'" in line] == [
                "no route is for the entity 'Product': there are routes for Order"
            ]
            assert len(caplog.messages) == 2

    def test_is_told_of_entities_without_end(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(matching, "_TOLD", 2)
        router = router_by_prefix()
        router.on_insert("Order")(print)
        with caplog.at_level("DEBUG", logger="ddbstream"):
            for number in range(4):
                router.dispatch([wire_record(key=f"Entity{number}#1")])
        assert [f"'Entity{n}'" in line for n, line in enumerate(caplog.messages)] == [True] * 4

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_needs_no_classifier_that_no_route_asks(self, concurrency: int) -> None:
        def classify(record: Any) -> str:
            raise KeyError("a stored value")

        router = StreamRouter(classify=classify, unmatched="raise")

        @router.on_insert(where=lambda _: False)
        async def handle(record: Any) -> None: ...

        (failure,) = router.dispatch([wire_record()], concurrency=concurrency).failures
        assert isinstance(failure.error, UnmatchedRecordError)
        assert "without an entity" in str(failure.error)

    def test_is_a_failure_of_its_record_where_asked_for(self) -> None:
        router = router_by_prefix(unmatched="raise")
        router.on_insert("Product", where=lambda _: False)(print)
        for record in (wire_record(key="Order#1"), wire_record(key="Product#1")):
            (failure,) = router.dispatch([record]).failures
            assert isinstance(failure.error, UnmatchedRecordError)


class TestInclude:
    def test_takes_routes_in_at_its_place_in_the_order(self) -> None:
        outer, inner, seen = router_by_prefix(), StreamRouter(), []
        outer.on_insert()(lambda _: seen.append("before"))
        outer.include(inner)
        outer.on_insert()(lambda _: seen.append("after"))
        inner.on_insert("Product")(lambda _: seen.append("inner"))
        outer.dispatch([wire_record()])
        assert seen == ["before", "inner", "after"]

    def test_keeps_the_classifier_of_the_included_router(self) -> None:
        outer, seen = router_by_prefix(), []
        inner = StreamRouter(classify=lambda record: record.event_id)
        inner.on_insert("event-7")(lambda _: seen.append("inner"))
        outer.on_insert("Product")(lambda _: seen.append("outer"))
        outer.include(inner)
        outer.dispatch([wire_record(number=7), wire_record(number=8)])
        assert seen == ["outer", "inner", "outer"]

    def test_closes_the_included_router_with_the_first_dispatch(self) -> None:
        outer, inner = StreamRouter(), StreamRouter()
        outer.include(inner)
        outer.dispatch([])
        with pytest.raises(RouterFrozenError):
            inner.on_insert()(print)


class TestBind:
    def test_gives_a_class_another_entity_name(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert(Order)
        def handle(record: Insert[Order]) -> None:
            seen.append(record.keys["PK"])

        router.bind("Product", Order)
        router.dispatch([wire_record(), wire_record(key="Order#1")])
        assert seen == ["Product#1"]

    def test_reaches_into_included_routers(self) -> None:
        outer, inner, seen = router_by_prefix(), StreamRouter(), []
        inner.on_insert(Order)(seen.append)
        outer.include(inner)
        outer.bind("Product", Order)
        outer.dispatch([wire_record()])
        assert len(seen) == 1


class TestAfterTheFirstDispatch:
    def test_nothing_can_change(self) -> None:
        router = StreamRouter()
        router.dispatch([])
        for change in (
            lambda: router.on_insert()(print),
            lambda: router.bind("Product", Product),
            lambda: router.include(StreamRouter()),
        ):
            with pytest.raises(RouterFrozenError):
                change()


class TestAFailure:
    def test_stops_the_batch_there(self) -> None:
        router, seen = router_by_prefix(), []

        @router.on_insert()
        def handle(record: Insert) -> None:
            seen.append(record.event_id)
            if record.event_id == "event-2":
                raise ValueError("no")

        result = router.dispatch([wire_record(number=n) for n in (1, 2, 3)])
        assert seen == ["event-1", "event-2"]
        assert result.processed == 1
        assert result.checkpoint == result.failures[0].record.sequence_number == f"{2:021d}"

    def test_keeps_the_exception_and_notes_where_it_came_from(self) -> None:
        router, error = router_by_prefix(), ValueError("no")

        @router.on_insert()
        def handle(record: Insert) -> None:
            raise error

        for number in (1, 2):
            (failure,) = router.dispatch([wire_record(number=number)]).failures
            assert failure.error is error
            (note,) = failure.error.__notes__
            assert f"event-{number}" in note
            assert f"{number:021d}" in note
            assert "handle" in note

    def test_of_the_model_is_a_failure_of_the_record(self) -> None:
        router = router_by_prefix()
        router.on_insert(Product)(lambda record: record.new)
        (failure,) = router.dispatch([wire_record(new={"price": {"S": "much"}})]).failures
        assert isinstance(failure.error, DecodeError)

    def test_of_the_classifier_is_a_failure_of_the_record(self) -> None:
        router = StreamRouter(classify=lambda record: 1 // 0)
        router.on_insert("Product")(print)
        (failure,) = router.dispatch([wire_record()]).failures
        assert isinstance(failure.error, ZeroDivisionError)

    def test_of_a_malformed_record_comes_after_those_before_it(self) -> None:
        router, seen = router_by_prefix(), []
        router.on_change()(seen.append)
        result = router.dispatch([wire_record(), {**wire_record(number=2), "eventName": "UPSERT"}])
        assert len(seen) == result.processed == 1
        assert result.checkpoint == f"{2:021d}"

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_is_never_what_is_no_exception(self, fatal: type[BaseException]) -> None:
        router = router_by_prefix()

        @router.on_insert()
        def handle(record: Insert) -> None:
            raise fatal

        with pytest.raises(fatal):
            router.dispatch([wire_record()])

    def test_can_be_pickled_whatever_its_handler_is(self) -> None:
        router = StreamRouter()
        router.on_insert()(lambda record: 1 / 0)
        result = router.dispatch([wire_record()])
        copied = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
        (failure,), (again,) = result.failures, copied.failures
        assert copied.checkpoint == result.checkpoint
        assert (again.route, again.record.event_id) == (failure.route, failure.record.event_id)
        assert isinstance(again.error, ZeroDivisionError)
        assert again.error.__notes__ == failure.error.__notes__


def test_dispatch_takes_what_it_is_given_by_name_too() -> None:
    router, seen = StreamRouter(), []
    router.on_insert()(seen.append)
    assert router.dispatch(payload_or_records=[wire_record()]).processed == len(seen) == 1


def test_a_class_that_is_bound_is_found_by_its_keys_under_the_bound_name() -> None:
    @keys(PK="Product#{id}")
    @dataclass
    class ProductV2:
        id: str

    outer, inner = StreamRouter(classify=by_keys(ProductV2)), StreamRouter()
    outer.bind("Product", ProductV2)
    seen: list[str] = []
    outer.on_insert(ProductV2)(lambda record: seen.append("by class"))
    outer.on_insert("Product")(lambda record: seen.append("by name"))
    inner.on_insert("Product")(lambda record: seen.append("included"))
    outer.include(inner)
    assert outer.dispatch([wire_record(key="Product#1")]).processed == 1
    assert seen == ["by class", "by name", "included"]


def test_classes_that_are_no_base_are_final() -> None:
    for one in (StreamRouter, LambdaHandler, BatchResult, Failure):
        assert getattr(one, "__final__", sys.version_info < (3, 11)), one
