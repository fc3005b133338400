"""Tumbling windows: typed state that Lambda carries from batch to batch (services-ddb-windows)."""

from __future__ import annotations

import functools
import json
import operator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import Change, Disposition, Insert, LambdaHandler, StreamRouter, by_key_prefix, keys
from ddbstream._router.windows import make_fold_state
from ddbstream.exceptions import (
    BatchError,
    DDBStreamError,
    RouteDefinitionError,
    RouterFrozenError,
)
from ddbstream.testing import EventSourceMapping, FakeClock
from tests.support.stream_records import sequence_number, wire_record


@keys(PK="Product#{id}")
@dataclass
class Product:
    id: str
    price: Decimal = Decimal(0)


@dataclass
class Totals:
    count: int = 0
    value: Decimal = Decimal(0)
    seen: set[str] = field(default_factory=set)


def event(*numbers: int, state: Any = None, final: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "Records": [wire_record(number=n, new={"price": {"N": f"{n}.10"}}) for n in numbers],
        "window": {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:01:00Z"},
        "state": {} if state is None else state,
        "shardId": "shardId-1",
        "eventSourceARN": "arn",
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": False,
        **more,
    }


def totalling() -> tuple[StreamRouter, list[Any]]:
    router, ended = StreamRouter(classify=by_key_prefix("PK")), []

    @router.fold(Product)
    def totals(state: Totals, record: Insert[Product]) -> Totals:
        state.count += 1
        state.value += record.new.price
        state.seen.add(record.new.id)
        return state

    @router.on_window_end
    def end(state: Totals) -> None:
        ended.append(state)

    return router, ended


class TestState:
    def test_is_typed_exact_and_json(self) -> None:
        router, ended = totalling()
        handler = LambdaHandler(router)
        answer = handler(event(1, 2), None)
        assert json.loads(json.dumps(answer)) == answer
        assert answer["batchItemFailures"] == []
        handler(event(3, state=answer["state"]), None)
        last = handler(event(3, state=answer["state"], final=True), None)
        assert ended == [Totals(3, Decimal("6.30"), {"1"})]
        assert last == {"state": {}, "batchItemFailures": []}

    def test_goes_through_a_window_as_aws_runs_it(self) -> None:
        router, ended = totalling()
        clock = FakeClock(1_700_000_040.0)
        mapping = EventSourceMapping(
            LambdaHandler(router), clock=clock, tumbling_window_in_seconds=60, batch_size=2
        )
        mapping.put(event(1, 2, 3))
        mapping.run(seconds=60)
        mapping.put(event(4))
        mapping.run()
        assert [(totals.count, totals.value) for totals in ended] == [
            (3, Decimal("6.30")),
            (1, Decimal("4.10")),
        ]

    @pytest.mark.parametrize(
        ("annotation", "initial", "step", "expected"),
        [
            (int, None, lambda state: state + 1, 2),
            ("list[int]", None, lambda state: [*state, 7], [7, 7]),
            (dict[str, int], None, lambda state: {"n": state.get("n", 0) + 1}, {"n": 2}),
            (Decimal, lambda: Decimal("0.1"), lambda state: state * 3, Decimal("0.9")),
            (set[str], None, lambda state: state, set()),
            (None, None, lambda state: {"n": state.get("n", 0) + 1}, {"n": Decimal(2)}),
        ],
    )
    def test_may_be_whatever_a_field_may_be(
        self, annotation: Any, initial: Any, step: Any, expected: Any
    ) -> None:
        router, ended = StreamRouter(), []

        def fold(state: Any, record: Any) -> Any:
            return step(state)

        fold.__annotations__["state"] = annotation
        if annotation is None:
            del fold.__annotations__["state"]
        router.fold(initial=initial)(fold)
        router.on_window_end(ended.append)
        handler = LambdaHandler(router)
        state = handler(event(1), None)["state"]
        state = handler(event(2, state=state), None)["state"]
        handler(event(state=state, final=True), None)
        assert ended == [expected]
        assert type(ended[0]) is type(expected)

    def test_of_several_folds_is_kept_apart(self) -> None:
        router, ended = StreamRouter(), []

        @router.fold()
        def count(state: int, record: Change) -> int:
            return state + 1

        @router.fold(name="latest")
        def last(state: str, record: Change) -> str:
            return record.event_id or ""

        @router.on_window_end(fold=last)
        def end(state: str, window: Any) -> None:
            ended.append((state, window.shard_id, window.is_final, window.context))
            ended.append((window.end - window.start).total_seconds())

        handler = LambdaHandler(router)
        answer = handler(event(1, 2), None)
        assert answer["state"] == {"count": 2, "latest": "event-2"}
        handler(event(state=answer["state"], final=True), "context")
        assert ended == [("event-2", "shardId-1", True, "context"), 60.0]

    @pytest.mark.parametrize(
        ("annotation", "value", "stored"),
        [
            (int, 5, 5),
            (int, -5, -5),
            (int, 2**53, 9007199254740992),
            (int, 2**53 + 1, {"N": "9007199254740993"}),
            (int, -(2**53) - 1, {"N": "-9007199254740993"}),
            (float, 0.5, 0.5),
            (float, 1e100, 1e100),
            (Decimal, Decimal("129.95"), 129.95),
            (Decimal, Decimal("0.1234567890123456789"), {"N": "0.1234567890123456789"}),
            (str, "x", "x"),
            (bool, True, True),
            (str | None, None, None),
            (bytes, b"ab", {"B": "YWI="}),
            (list[int], [1, 2], [1, 2]),
            (set[str], {"x"}, {"SS": ["x"]}),
            (dict[str, int], {"S": 1, "M": 2}, {"S": 1, "M": 2}),
            (dict[str, int], {"S": 1}, {"S": 1}),
            (dict[str, int], {"M": 2}, {"M": 2}),
            (dict[str, list[int]], {"SS": [1]}, {"SS": [1]}),
            (dict[str, list[int | str]], {"SS": ["a", 1]}, {"SS": ["a", 1]}),
            (dict[str, str], {"SS": "a"}, {"SS": "a"}),
            (dict[str, str], {"S": "x"}, {"M": {"S": {"S": "x"}}}),
            (dict[str, dict[str, int]], {"M": {}}, {"M": {"M": {"M": {}}}}),
            (dict[str, list[int]], {"L": []}, {"M": {"L": {"L": []}}}),
            (dict[str, bool], {"NULL": False}, {"M": {"NULL": {"BOOL": False}}}),
            (dict[str, list[str]], {"SS": ["a"]}, {"M": {"SS": {"L": [{"S": "a"}]}}}),
            (Totals, Totals(1, Decimal(2), {"a"}), {"count": 1, "value": 2, "seen": {"SS": ["a"]}}),
        ],
    )
    def test_is_plain_json_where_it_is_plain_and_exact_everywhere(
        self, annotation: Any, value: Any, stored: Any
    ) -> None:
        state = make_fold_state("f", annotation, lambda: value)
        assert state.write(value) == {"f": stored}
        read = state.read(json.loads(json.dumps(stored)))
        assert read == value
        assert type(read) is type(value)

    def test_may_come_from_a_function_in_another_language_and_go_there(self) -> None:
        router, ended = totalling()
        handler = LambdaHandler(router)
        answer = handler(event(3, state={"totals": {"count": 4, "value": 1.5}}), None)
        assert json.loads(json.dumps(answer["state"])) == {
            "totals": {"count": 5, "value": 4.6, "seen": {"SS": ["1"]}}
        }
        handler(event(state=answer["state"], final=True), None)
        assert (ended[0].count, ended[0].value) == (5, Decimal("4.6"))

    def test_as_attribute_values_of_an_earlier_version_is_read(self) -> None:
        router, _ = totalling()
        state = {"totals": {"M": {"count": {"N": "1"}, "value": {"N": "1.50"}}}}
        assert LambdaHandler(router)(event(state=state), None)["state"] == {
            "totals": {"count": 1, "value": 1.5}
        }

    @pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}])
    def test_has_all_the_levels_of_an_item_and_no_more(self, wrap: Any) -> None:
        state = make_fold_state("f", None, dict)
        # the state is an attribute of an item, and the levels are those around the innermost value
        for levels, fits in ((32, True), (33, False)):
            value: Any = "x"
            for _ in range(levels):
                value = wrap(value)
            if fits:
                assert state.read(state.write(value)["f"]) == value
                continue
            with pytest.raises(DDBStreamError, match="at most 32 levels, got more"):
                state.read(value)
            with pytest.raises(DDBStreamError, match="at most 32 levels"):
                state.write(value)

    def test_nested_without_end_is_refused(self) -> None:
        router, _ = totalling()
        deep: Any = []
        for _ in range(500):
            deep = [deep]
        for form in (deep, {"L": deep}, {"M": {"a": {"L": [deep]}}}):
            with pytest.raises(BatchError, match=r"at most 32 levels|expected"):
                LambdaHandler(router)(event(state={"totals": form}), None)

    def test_of_another_version_is_handed_on_or_refused(self) -> None:
        router, _ = totalling()
        handler = LambdaHandler(router)
        kept = {"other": {"S": "x"}, "text": "y"}
        answer = handler(event(state=kept), None)
        assert answer["state"].items() >= kept.items()
        with pytest.raises(BatchError, match="totals"):
            handler(event(state={"totals": {"S": "x"}}), None)

    def test_over_1_mb_is_warned_of_and_returned_for_lambda_to_end_the_window(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        router = StreamRouter()
        router.fold()(lambda state, record: {"text": "x" * 1_000_000})
        assert "state" in LambdaHandler(router)(event(1), None)
        assert "1 MB" in caplog.text


class TestRecordsInTheState:
    """The state has the records in it that are reported as done, and no others."""

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_are_those_before_the_failure(self, concurrency: int) -> None:
        router, _ = totalling()

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            if record.event_id == "event-3":
                raise ValueError

        handler = LambdaHandler(router, report_batch_item_failures=True, concurrency=concurrency)
        answer = handler(event(1, 2, 3, 4), None)
        assert answer["batchItemFailures"] == [{"itemIdentifier": sequence_number(3)}]
        assert answer["state"]["totals"]["count"] == 2

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_are_not_in_it_by_half_where_a_fold_fails(self, concurrency: int) -> None:
        router, seen = StreamRouter(), []
        router.on_insert()(lambda record: seen.append(record.event_id))

        @router.fold()
        def first(state: list[str], record: Change) -> list[str]:
            state.append(str(record.event_id))
            return state

        @router.fold()
        def second(state: list[str], record: Change) -> list[str]:
            state.append(str(record.event_id))
            if record.event_id == "event-3":
                raise ValueError
            return state

        handler = LambdaHandler(router, report_batch_item_failures=True, concurrency=concurrency)
        state = handler(event(1), None)["state"]
        answer = handler(event(2, 3, 4, state=state), None)
        assert answer["batchItemFailures"] == [{"itemIdentifier": sequence_number(3)}]
        done = ["event-1", "event-2"]
        assert answer["state"] == {"first": done, "second": done}

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_are_without_those_that_were_skipped(self, concurrency: int) -> None:
        router, _ = totalling()

        @router.on_insert(where=lambda record: record.event_id == "event-2")
        def handle(record: Insert[Any]) -> None:
            raise ValueError

        router.on_error()(lambda failure: Disposition.SKIP)
        answer = LambdaHandler(router, concurrency=concurrency)(event(1, 2, 3), None)
        assert answer["state"]["totals"]["count"] == 2

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_are_without_those_whose_fold_failed_and_was_skipped(self, concurrency: int) -> None:
        router = StreamRouter()

        @router.fold()
        def seen(state: list[str], record: Insert[Any]) -> list[str]:
            if record.event_id == "event-2":
                raise ValueError
            return [*state, record.event_id or ""]

        router.on_error()(lambda failure: Disposition.SKIP)
        answer = LambdaHandler(router, concurrency=concurrency)(event(1, 2, 3), None)
        assert answer["state"] == {"seen": ["event-1", "event-3"]}

    def test_stay_as_they_were_where_the_batch_fails(self) -> None:
        router, _ = totalling()
        router.on_insert()(lambda record: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            LambdaHandler(router)(event(1), None)


class TestTheEnd:
    def test_waits_until_every_record_is_done(self) -> None:
        router, ended = totalling()

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            raise ValueError

        handler = LambdaHandler(router, report_batch_item_failures=True)
        answer = handler(event(1, final=True, state={"totals": {"M": {"count": {"N": "5"}}}}), None)
        assert ended == []
        assert answer["state"]["totals"]["count"] == 5
        assert answer["batchItemFailures"]

    def test_that_fails_fails_the_invocation_in_both_modes(self) -> None:
        router, _ = totalling()
        router.on_window_end(lambda state: 1 // 0)
        for report in (True, False):
            with pytest.raises(ZeroDivisionError):
                LambdaHandler(router, report_batch_item_failures=report)(event(final=True), None)

    def test_may_come_without_records(self) -> None:
        router, ended = totalling()
        for last in (event(final=True), event(final=True, Records=None)):
            LambdaHandler(router)(last, None)
        del last["Records"]
        LambdaHandler(router)(last, None)
        assert ended == [Totals()] * 3

    def test_may_be_async(self) -> None:
        router, _ = totalling()
        ended: list[Totals] = []

        @router.on_window_end
        async def end(state: Totals) -> None:
            ended.append(state)

        LambdaHandler(router)(event(final=True), None)
        assert ended == [Totals()]


def test_a_fold_takes_the_changes_that_its_annotation_says() -> None:
    router, _ = totalling()
    batch = event(1)
    batch["Records"] += [wire_record("MODIFY", 2), wire_record("REMOVE", 3)]
    answer = LambdaHandler(router)(batch, None)
    assert answer["state"]["totals"]["count"] == 1


def test_a_folds_state_is_the_first_argument_that_is_not_given_before() -> None:
    class Prices:
        def __init__(self, rate: int) -> None:
            self.rate = rate

        def total(self, more: str, state: Decimal, record: Insert[Product]) -> Decimal:
            return state + self.rate * record.new.price

        def __call__(self, more: str, state: Decimal, record: Insert[Product]) -> Decimal:
            return self.total(more, state, record)

    for name, prices in (("total", Prices(2).total), ("call", Prices(2))):
        router = StreamRouter(classify=by_key_prefix("PK"))
        router.fold(Product, name=name)(functools.partial(prices, "x"))
        answer = LambdaHandler(router)(event(1, 2), None)
        assert answer["state"] == {name: 6.4}


def test_a_fold_may_be_a_function_of_pythons_own() -> None:
    router = StreamRouter()
    router.fold(initial=bool, name="same")(operator.is_)
    assert LambdaHandler(router)(event(1, 2), None)["state"] == {"same": False}


def test_a_router_without_folds_has_no_window() -> None:
    router = StreamRouter()
    router.on_insert()(print)
    with pytest.raises(BatchError, match="no folds"):
        router.dispatch_window(event(1))


def test_a_router_without_folds_hands_the_state_on() -> None:
    router = StreamRouter()
    router.on_insert()(lambda record: None)
    answer = LambdaHandler(router)(event(1, state={"n": 1}), None)
    assert answer == {"state": {"n": 1}, "batchItemFailures": []}


def test_folds_without_a_window_are_refused_before_a_handler_runs() -> None:
    router, _ = totalling()
    seen: list[Any] = []
    router.on_insert()(seen.append)
    with pytest.raises(BatchError, match="TumblingWindowInSeconds"):
        LambdaHandler(router)({"Records": [wire_record()]}, None)
    with pytest.raises(BatchError, match="window"):
        router.dispatch([wire_record()])
    assert seen == []


@pytest.mark.parametrize("window", [None, {}, {"start": "x", "end": "y"}, "window"])
def test_a_window_without_start_and_end_is_refused(window: Any) -> None:
    router, _ = totalling()
    with pytest.raises(BatchError, match="start and end"):
        LambdaHandler(router)(event(1, window=window), None)


def test_folds_of_included_routers_join_with_their_own_entities() -> None:
    outer, inner = StreamRouter(), StreamRouter(classify=by_key_prefix("PK"))

    @inner.fold("Product")
    def products(state: int, record: Change) -> int:
        return state + 1

    @outer.fold("Shop")
    def shop(state: int, record: Change) -> int:
        return state + 1

    outer.include(inner)
    batch = event(1, 2)
    batch["Records"].append(wire_record(number=3, key="Order#1"))
    answer = LambdaHandler(outer)(batch, None)
    assert answer["state"] == {"products": 2, "shop": 3}


class TestWhatCanNeverWork:
    @pytest.mark.parametrize(
        "function", [lambda state: state, lambda a, b, c: a, 3, "fold", Totals]
    )
    def test_as_a_fold(self, function: Any) -> None:
        with pytest.raises(RouteDefinitionError):
            StreamRouter().fold()(function)

    def test_as_an_async_fold(self) -> None:
        async def fold(state: int, record: Any) -> int:
            return state

        with pytest.raises(RouteDefinitionError, match="async"):
            StreamRouter().fold()(fold)

    def test_as_a_state(self) -> None:
        def fold(state: Product, record: Any) -> Product:  # needs an id: no first state
            return state

        with pytest.raises(RouteDefinitionError, match="initial"):
            StreamRouter().fold()(fold)
        StreamRouter().fold(initial=lambda: Product("1"))(fold)

    def test_as_two_folds_of_one_name(self) -> None:
        router, inner = StreamRouter(), StreamRouter()

        def fold(state: int, record: Any) -> int:
            return state

        router.fold()(fold)
        with pytest.raises(RouteDefinitionError, match="already"):
            router.fold()(fold)
        inner.fold()(fold)
        router.include(inner)
        with pytest.raises(RouteDefinitionError, match="one name"):
            LambdaHandler(router)(event(1), None)

    def test_as_a_windows_end(self) -> None:
        router = StreamRouter()
        with pytest.raises(RouteDefinitionError, match="no such fold"):
            router.on_window_end(print)
        router.fold(name="a")(lambda state, record: state)
        router.fold(name="b")(lambda state, record: state)
        with pytest.raises(RouteDefinitionError, match="which fold"):
            router.on_window_end(lambda state: None)
        for function in (lambda: None, lambda state, window, more: None):
            with pytest.raises(RouteDefinitionError, match="takes a state, and the window"):
                router.on_window_end(function)

    def test_after_the_first_dispatch(self) -> None:
        router, _ = totalling()
        LambdaHandler(router)(event(), None)
        with pytest.raises(RouterFrozenError):
            router.fold(name="x")(lambda state, record: state)
