"""What goes around handlers: middleware, decisions about failures, dead letters, metrics, logs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ddbstream import (
    Disposition,
    Failure,
    Insert,
    LambdaHandler,
    Modify,
    StreamRecord,
    StreamRouter,
    by_key_prefix,
    parse,
)
from ddbstream._router.log import PrintableFormatter
from ddbstream.exceptions import (
    DecodeError,
    RecordError,
    RouteDefinitionError,
    RouterFrozenError,
    UnmatchedRecordError,
)
from ddbstream.metrics import BatchEvent, HandlerEvent
from tests.support.stream_records import sequence_number, wire_record


class Boom(Exception):
    pass


def failing(router: StreamRouter, error: Exception | None = None) -> Callable[[Any], None]:
    @router.on_insert()
    def handle(record: Insert[Any]) -> None:
        raise error or Boom

    return handle


class TestMiddleware:
    def test_goes_around_the_handlers_of_its_router_the_first_outermost(self) -> None:
        router, seen = StreamRouter(), []

        @router.middleware
        def outer(record: Any, call_next: Any) -> None:
            seen.append("outer in")
            call_next(record)
            seen.append("outer out")

        @router.middleware
        def inner(record: Any, call_next: Any) -> None:
            seen.append("inner in")
            call_next(record)
            seen.append("inner out")

        router.on_insert()(lambda _: seen.append("first"))
        router.on_insert()(lambda _: seen.append("second"))
        router.dispatch([wire_record()])
        assert seen == ["outer in", "inner in", "first", "second", "inner out", "outer out"]

    def test_of_a_route_goes_around_that_handler_alone(self) -> None:
        router, seen = StreamRouter(), []

        def around(record: Any, call_next: Any) -> None:
            seen.append("in")
            call_next(record)
            seen.append("out")

        router.on_insert()(lambda _: seen.append("first"))
        router.on_insert(middleware=[around])(lambda _: seen.append("second"))
        router.dispatch([wire_record()])
        assert seen == ["first", "in", "second", "out"]

    def test_of_an_included_router_goes_around_its_routes_alone(self) -> None:
        router, included, seen = StreamRouter(), StreamRouter(), []

        @included.middleware
        def around(record: Any, call_next: Any) -> None:
            seen.append("in")
            call_next(record)
            seen.append("out")

        router.on_insert()(lambda _: seen.append("before"))
        router.include(included)
        router.on_insert()(lambda _: seen.append("after"))
        included.on_insert()(lambda _: seen.append("included"))
        router.dispatch([wire_record()])
        assert seen == ["before", "in", "included", "out", "after"]

    def test_does_not_run_for_a_record_that_no_route_wants(self) -> None:
        router, seen = StreamRouter(), []
        router.middleware(lambda record, call_next: seen.append(record))
        router.on_insert(where=lambda _: False)(print)
        router.dispatch([wire_record(), wire_record("MODIFY")])
        assert seen == []

    def test_that_does_not_go_on_has_handled_the_record(self) -> None:
        router = StreamRouter()
        router.middleware(lambda record, call_next: None)
        failing(router)
        assert router.dispatch([wire_record()]) == (1, (), None)

    def test_sees_a_handlers_exception_and_may_swallow_it(self) -> None:
        router, seen = StreamRouter(), []

        @router.middleware
        def around(record: Any, call_next: Any) -> None:
            try:
                call_next(record)
            except Boom as error:
                seen.append(error)

        failing(router)
        assert router.dispatch([wire_record()]) == (1, (), None)
        assert len(seen) == 1

    def test_that_raises_fails_the_record(self) -> None:
        router = StreamRouter()
        router.on_insert()(lambda _: None)

        @router.middleware
        def around(record: Any, call_next: Any) -> None:
            raise Boom

        (failure,) = router.dispatch([wire_record()]).failures
        assert isinstance(failure.error, Boom)

    def test_gets_the_record_as_its_routes_read_it(self) -> None:
        from tests.unit.router.test_router_routes import Product

        router, seen = StreamRouter(classify=by_key_prefix("PK")), []

        @router.middleware
        def around(record: Any, call_next: Any) -> None:
            seen.append(record.new)
            call_next(record)

        router.on_insert(Product)(lambda record: seen.append(record.new))
        router.dispatch([wire_record()])
        assert isinstance(seen[0], Product)
        assert seen[0] is seen[1]

    def test_may_hand_on_another_record(self) -> None:
        router, seen = StreamRouter(), []
        other = wire_record(number=2)

        @router.middleware
        def around(record: StreamRecord[Any], call_next: Any) -> None:
            from ddbstream import parse

            call_next(next(parse([other])))

        router.on_insert()(lambda record: seen.append(record.event_id))
        router.dispatch([wire_record()])
        assert seen == ["event-2"]

    def test_may_hand_on_a_record_that_others_read(self) -> None:
        from tests.unit.router.test_router_routes import Order, Product

        router, seen = StreamRouter(classify=by_key_prefix("PK")), []
        other = wire_record(number=2)

        @router.middleware
        def around(record: StreamRecord[Any], call_next: Any) -> None:
            seen.append(type(record.new))
            call_next(next(parse([other], Order if seen[1:] else Product)))

        # Its routes read the record in two ways, so that it gets none of them.
        router.on_insert("Product")(lambda record: seen.append(type(record.new)))
        router.on_insert(Product)(lambda record: seen.append(type(record.new)))
        for _ in range(2):
            assert router.dispatch([wire_record()]).failures == ()
        assert seen == [dict, dict, Product] * 2

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_goes_around_those_of_its_routes_that_want_the_record(self, concurrency: int) -> None:
        outer, seen = StreamRouter(), []
        # With a handler that cannot be awaited, and without one.
        for plain in (True, False):
            inner = StreamRouter()

            @inner.middleware
            async def around(record: Any, call_next: Any) -> None:
                seen.append("in")
                await call_next(record)

            @inner.on_insert(where=lambda record: record.event_id == "event-2")
            async def second(record: Any) -> None:
                seen.append("second")

            @inner.on_insert(where=lambda record: record.event_id == "event-1")
            async def first(record: Any) -> int:
                seen.append("first")
                return 1

            @inner.on_insert
            async def both(record: Any) -> None:
                seen.append("both")

            outer.include(inner)
            never = StreamRouter()
            never.middleware(around)
            never.on_insert(where=lambda _: False)(both)
            outer.include(never)
            if plain:
                outer.on_insert(where=lambda _: False)(print)
            result = outer.dispatch([wire_record(), wire_record(number=2)], concurrency=concurrency)
            assert result.failures == ()
            assert seen == ["in", "first", "both", "in", "second", "both"]
            outer = StreamRouter()
            seen.clear()

    def test_that_does_not_await_what_has_ended_all_the_same_is_refused(self) -> None:
        router, seen, tasks = StreamRouter(), [], []

        @router.middleware
        async def around(record: Any, call_next: Any) -> None:
            tasks.append(asyncio.ensure_future(call_next(record)))

        @router.on_insert()
        async def handle(record: Any) -> None:
            seen.append(record.event_id)

        (failure,) = router.dispatch([wire_record()], concurrency=2).failures
        assert "without having awaited" in str(failure.error)
        assert seen == ["event-1"]

    @pytest.mark.parametrize("concurrency", [1, 2])
    @pytest.mark.parametrize("outer", ["sync", "async"])
    @pytest.mark.parametrize("inner", ["sync", "async"])
    @pytest.mark.parametrize("handler", ["sync", "async"])
    def test_of_either_kind_goes_around_either_kind(
        self, concurrency: int, outer: str, inner: str, handler: str
    ) -> None:
        router, seen = StreamRouter(), []

        def make(kind: str, name: str) -> Any:
            def sync(record: Any, call_next: Any) -> None:
                seen.append(f"{name} in")
                call_next(record)
                seen.append(f"{name} out")

            async def later(record: Any, call_next: Any) -> None:
                await asyncio.sleep(0)
                seen.append(f"{name} in")
                await call_next(record)
                seen.append(f"{name} out")

            return sync if kind == "sync" else later

        router.middleware(make(outer, "outer"))
        router.middleware(make(inner, "inner"))

        def handle(record: Any) -> None:
            seen.append("handled")

        async def handle_later(record: Any) -> None:
            await asyncio.sleep(0)
            seen.append("handled")

        router.on_insert()(handle if handler == "sync" else handle_later)
        assert router.dispatch([wire_record()], concurrency=concurrency) == (1, (), None)
        assert seen == ["outer in", "inner in", "handled", "inner out", "outer out"]

    @pytest.mark.parametrize("wrong", [3, None, "function", dict])
    def test_is_a_function(self, wrong: Any) -> None:
        with pytest.raises(RouteDefinitionError):
            StreamRouter().middleware(wrong)
        with pytest.raises(RouteDefinitionError):
            StreamRouter().on_insert(middleware=[wrong])(print)
        if wrong is not None:
            with pytest.raises(RouteDefinitionError, match="in a list"):
                StreamRouter().on_insert(middleware=wrong)(print)


class TestDecisions:
    def test_without_one_the_record_comes_again(self) -> None:
        router = StreamRouter()
        failing(router)
        assert router.dispatch([wire_record()]).checkpoint == sequence_number(1)

    def test_to_skip_makes_the_record_done(self) -> None:
        router = StreamRouter()
        failing(router)
        router.on_error(Boom)(lambda failure: Disposition.SKIP)
        assert router.dispatch([wire_record(number=n) for n in (1, 2)]) == (2, (), None)

    def test_get_the_failure_or_the_record_and_the_exception(self) -> None:
        router, seen = StreamRouter(), []
        failing(router)

        @router.on_error
        def one(failure: Failure) -> None:
            seen.append((failure.record.event_id, type(failure.error), failure.route))

        @router.on_error()
        def two(record: StreamRecord[Any], error: Exception) -> Disposition:
            seen.append((record.event_id, type(error)))
            return Disposition.SKIP

        router.dispatch([wire_record()])
        name = f"{__name__}.failing.<locals>.handle"
        assert seen == [("event-1", Boom, name), ("event-1", Boom)]

    def test_are_asked_by_type_of_exception(self) -> None:
        router = StreamRouter()
        failing(router, DecodeError("no"))
        router.on_error(RecordError)(lambda failure: Disposition.SKIP)
        assert len(router.dispatch([wire_record()]).failures) == 1
        other = StreamRouter()
        failing(other, DecodeError("no"))
        other.on_error(RecordError, DecodeError)(lambda failure: Disposition.SKIP)
        assert other.dispatch([wire_record()]).failures == ()
        as_in_except = StreamRouter()
        failing(as_in_except, DecodeError("no"))
        as_in_except.on_error((RecordError, DecodeError))(lambda failure: Disposition.SKIP)
        assert as_in_except.dispatch([wire_record()]).failures == ()

    def test_are_asked_by_route(self) -> None:
        router = StreamRouter(classify=by_key_prefix("PK"))

        def fail(record: Any) -> None:
            raise Boom

        def fail_too(record: Any) -> None:
            raise Boom

        router.on_insert("Product")(fail)
        router.on_insert("Order")(fail_too)
        router.on_error(route=fail)(lambda failure: Disposition.SKIP)
        result = router.dispatch([wire_record(number=1), wire_record(number=2, key="Order#1")])
        assert result.checkpoint == sequence_number(2)

    def test_are_asked_about_records_that_no_handler_saw(self) -> None:
        router = StreamRouter(unmatched="raise")
        router.on_modify()(print)
        router.on_error(UnmatchedRecordError, RecordError)(lambda failure: Disposition.SKIP)
        malformed = {**wire_record(number=2), "eventName": "UPSERT"}
        assert router.dispatch([wire_record(), malformed]) == (2, (), None)

    def test_of_the_included_router_come_first_and_for_its_routes_alone(self) -> None:
        router, included, seen = StreamRouter(), StreamRouter(), []
        failing(included)
        router.include(included)
        router.on_error()(lambda failure: (seen.append("outer"), Disposition.SKIP)[1])
        included.on_error()(lambda failure: seen.append("included"))
        assert router.dispatch([wire_record()]).failures == ()
        assert seen == ["included", "outer"]
        second, other = StreamRouter(), StreamRouter()
        failing(second)
        other.on_error()(lambda failure: Disposition.SKIP)
        second.include(other)
        assert len(second.dispatch([wire_record()]).failures) == 1

    def test_may_be_async(self) -> None:
        for concurrency in (1, 2):
            router = StreamRouter()
            failing(router)

            @router.on_error
            async def decide(failure: Failure) -> Disposition:
                await asyncio.sleep(0)
                return Disposition.SKIP

            assert router.dispatch([wire_record()], concurrency=concurrency).failures == ()

    @pytest.mark.parametrize("answer", ["raise", "skip", True, 1])
    def test_that_go_wrong_leave_the_record_not_done(
        self, answer: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        router = StreamRouter()
        failing(router)

        @router.on_error
        def decide(failure: Failure) -> Any:
            if answer == "raise":
                raise KeyError
            return answer

        (failure,) = router.dispatch([wire_record()]).failures
        assert isinstance(failure.error, Boom)
        assert "on_error" in caplog.text

    def test_are_never_asked_about_what_is_no_exception(self) -> None:
        router = StreamRouter()
        router.on_error()(lambda failure: Disposition.SKIP)

        @router.on_insert()
        def handle(record: Any) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            router.dispatch([wire_record()])

    def test_that_can_never_work_are_refused(self) -> None:
        router = StreamRouter()
        for types in ([KeyboardInterrupt], [BaseException], ["ValueError"], [int]):
            with pytest.raises(RouteDefinitionError):
                router.on_error(*types)(lambda failure: None)
        for decide in (lambda: None, lambda a, b, c: None, 3):
            with pytest.raises(RouteDefinitionError):
                router.on_error(ValueError)(decide)
        with pytest.raises(RouteDefinitionError):
            router.on_error(route="handle")(lambda failure: None)
        router.dispatch([])
        with pytest.raises(RouterFrozenError):
            router.on_error(ValueError)(lambda failure: None)


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("given", [3, {"PK": "x"}, Insert])
def test_middleware_that_passes_on_no_record_is_told_so(given: Any, concurrency: int) -> None:
    router = StreamRouter()
    router.on_insert()(print)
    router.middleware(lambda record, call_next: call_next(given))
    (failure,) = router.dispatch([wire_record()], concurrency=concurrency).failures
    assert type(failure.error) is RouteDefinitionError
    assert f"call_next takes the record, or another one, not a {type(given).__name__}" in str(
        failure.error
    )


class TestDeadLetters:
    def router(self) -> StreamRouter:
        router = StreamRouter()
        failing(router, Boom("why"))
        router.on_error(Boom)(lambda failure: Disposition.DEAD_LETTER)
        return router

    def test_are_in_the_shape_of_lambdas_document_with_the_record_in_it(self) -> None:
        class Context:
            aws_request_id = "request"
            invoked_function_arn = "arn:aws:lambda:eu-west-1:1:function:f"
            function_version = "7"

        letters: list[Any] = []
        record = wire_record(new={"binary": {"B": b"\x00\xff"}})
        handler = LambdaHandler(self.router(), dead_letter=letters.append)
        assert handler({"Records": [record]}, Context()) == {"batchItemFailures": []}
        (letter,) = letters
        assert json.loads(json.dumps(letter)) == letter
        timestamp = letter.pop("timestamp")
        assert timestamp.endswith("Z")
        assert len(timestamp) == len("2026-01-31T12:00:00.000Z")
        in_json = json.loads(json.dumps(record, default=lambda _: "AP8="))
        assert letter == {
            "requestContext": {
                "requestId": "request",
                "functionArn": "arn:aws:lambda:eu-west-1:1:function:f",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 1,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "7",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": None,
                "startSequenceNumber": sequence_number(1),
                "endSequenceNumber": sequence_number(1),
                "approximateArrivalOfFirstRecord": "2026-09-21T14:13:21Z",
                "approximateArrivalOfLastRecord": "2026-09-21T14:13:21Z",
                "batchSize": 1,
                "streamArn": record["eventSourceARN"],
            },
            "payload": {"Records": [in_json]},
            "ddbstream": {
                "eventId": "event-1",
                "route": f"{__name__}.failing.<locals>.handle",
                "errorType": "Boom",
                "errorMessage": "why",
            },
        }

    def test_can_be_dispatched_again_as_they_are(self) -> None:
        letters: list[Any] = []
        self.router().dispatch([wire_record(new={"a": {"S": "x"}})], dead_letter=letters.append)
        again, seen = StreamRouter(), []
        again.on_insert()(lambda record: seen.append(record.new["a"]))
        again.dispatch(letters[0])
        assert seen == ["x"]

    def test_hold_what_is_malformed_too(self) -> None:
        router, letters = StreamRouter(), []
        router.on_insert()(print)
        router.on_error(RecordError)(lambda failure: Disposition.DEAD_LETTER)
        record = wire_record()
        record["eventName"] = "UPSERT"
        record["dynamodb"]["ApproximateCreationDateTime"] = "never"
        assert router.dispatch([record], dead_letter=letters.append).checkpoint is None
        assert letters[0]["payload"]["Records"] == [record]

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_take_an_exception_that_has_no_text(self, concurrency: int) -> None:
        class Textless(Exception):
            def __str__(self) -> str:
                raise AttributeError("message")

        router, letters = StreamRouter(), []

        @router.on_insert()
        def fails(record: Insert[Any]) -> None:
            raise Textless

        router.on_error(lambda failure: Disposition.DEAD_LETTER)
        done = router.dispatch([wire_record()], dead_letter=letters.append, concurrency=concurrency)
        assert done.processed == 1
        about = letters[0]["ddbstream"]
        assert about["errorType"].endswith("Textless")
        assert about["errorMessage"] == "<no text: its __str__ failed>"

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_count_as_done_only_when_the_sink_has_returned(
        self, concurrency: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(letter: Any) -> None:
            raise ConnectionError("queue is gone")

        result = self.router().dispatch(
            [wire_record()], dead_letter=broken, concurrency=concurrency
        )
        assert isinstance(result.failures[0].error, Boom)
        assert result.checkpoint == sequence_number(1)
        assert "queue is gone" in caplog.text

    def test_without_a_sink_leave_the_record_not_done(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert self.router().dispatch([wire_record()]).checkpoint == sequence_number(1)
        assert "no dead-letter sink" in caplog.text


class TestMetrics:
    def test_tell_of_each_handler_and_each_batch(self) -> None:
        router, events = StreamRouter(), []
        router.observe(events.append)

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            if record.event_id == "event-2":
                raise Boom

        result = router.dispatch([wire_record(number=n) for n in (1, 2, 3)])
        first, second, batch = events
        assert isinstance(first, HandlerEvent)
        assert (first.record.event_id, first.error) == ("event-1", None)
        assert first.route.endswith("test_tell_of_each_handler_and_each_batch.<locals>.handle")
        assert first.seconds >= 0
        assert first.lag is not None
        assert isinstance(second.error, Boom)
        assert isinstance(batch, BatchEvent)
        assert batch.result is result
        assert batch.seconds >= 0

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_tell_of_async_handlers_and_from_included_routers(self, concurrency: int) -> None:
        router, included, events = StreamRouter(), StreamRouter(), []
        router.include(included)
        included.observe(events.append)

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            raise Boom

        router.dispatch([wire_record()], concurrency=concurrency)
        assert [type(event) for event in events] == [HandlerEvent, BatchEvent]
        assert isinstance(events[0].error, Boom)

    def test_have_no_lag_without_a_time(self) -> None:
        router, events = StreamRouter(), []
        router.observe(events.append)
        router.on_insert()(lambda _: None)
        record = wire_record()
        del record["dynamodb"]["ApproximateCreationDateTime"]
        router.dispatch([record])
        record["dynamodb"]["ApproximateCreationDateTime"] = "soon"
        router.dispatch([record])
        assert [event.lag for event in events if isinstance(event, HandlerEvent)] == [None, None]

    def test_that_fail_change_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        router, seen = StreamRouter(), []

        @router.observe
        def broken(event: Any) -> None:
            raise Boom

        router.observe(seen.append)
        router.on_insert()(lambda _: None)
        assert router.dispatch([wire_record()]) == (1, (), None)
        assert len(seen) == 2
        assert "observer" in caplog.text


class TestLogs:
    SECRET = "the stored value"

    def logged(
        self, router: StreamRouter, caplog: pytest.LogCaptureFixture, **options: Any
    ) -> list[logging.LogRecord]:
        record = wire_record(new={"secret": {"S": self.SECRET}, "price": {"S": self.SECRET}})
        with caplog.at_level(logging.DEBUG):
            handler = LambdaHandler(router, report_batch_item_failures=True, **options)
            handler({"Records": [record]}, None)
        assert self.SECRET not in caplog.text
        assert not any(self.SECRET in str(entry.__dict__) for entry in caplog.records)
        return caplog.records

    @pytest.mark.parametrize(
        ("disposition", "level", "message"),
        [
            (Disposition.RETRY, "ERROR", "record failed"),
            (Disposition.SKIP, "WARNING", "record skipped"),
            (Disposition.DEAD_LETTER, "WARNING", "record put aside"),
        ],
    )
    def test_say_what_became_of_a_record_and_not_what_is_in_it(
        self,
        caplog: pytest.LogCaptureFixture,
        disposition: Disposition,
        level: str,
        message: str,
    ) -> None:
        router = StreamRouter()
        failing(router)
        router.on_error()(lambda failure: disposition)
        (entry,) = self.logged(router, caplog, dead_letter=lambda letter: None)
        assert (entry.levelname, entry.getMessage(), entry.name) == (level, message, "ddbstream")
        fields = {k: v for k, v in entry.__dict__.items() if k.startswith("ddbstream_")}
        assert fields == {
            "ddbstream_event_id": "event-1",
            "ddbstream_sequence_number": sequence_number(1),
            "ddbstream_event_name": "INSERT",
            "ddbstream_table": "Shop",
            "ddbstream_route": f"{__name__}.failing.<locals>.handle",
            "ddbstream_error": "Boom",
        }

    def test_of_a_decode_error_hold_no_value(self, caplog: pytest.LogCaptureFixture) -> None:
        from tests.unit.router.test_router_routes import Product

        router = StreamRouter(classify=by_key_prefix("PK"))
        router.on_insert(Product)(lambda record: record.new)
        assert len(self.logged(router, caplog)) == 1

    def test_come_out_as_fields_of_lambdas_json_log_format(self) -> None:
        formatter = pytest.importorskip("awslambdaric.lambda_runtime_log_utils").JsonFormatter()
        lines: list[str] = []

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(formatter.format(record))

        router = StreamRouter()
        failing(router)
        handler = Handler()
        logging.getLogger("ddbstream").addHandler(handler)
        try:
            LambdaHandler(router, report_batch_item_failures=True)(
                {"Records": [wire_record()]}, None
            )
        finally:
            logging.getLogger("ddbstream").removeHandler(handler)
        (line,) = lines
        entry = json.loads(line)
        assert entry["ddbstream_sequence_number"] == sequence_number(1)
        assert entry["errorType"] == "Boom"

    def test_nothing_is_logged_where_nothing_goes_wrong(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        router = StreamRouter()
        router.on_insert()(lambda _: None)
        assert self.logged(router, caplog) == []


def test_what_is_left_of_a_modify_annotation_is_checked_under_middleware_too() -> None:
    def handle(record: Modify[Any]) -> None: ...

    with pytest.raises(RouteDefinitionError):
        StreamRouter().on_insert(middleware=[lambda r, n: n(r)])(handle)


def test_an_exception_gets_no_note_where_there_is_nothing_to_note() -> None:
    router = StreamRouter()
    router.on_insert()(lambda record: None)
    (nameless,) = router.dispatch([wire_record(), 5]).failures
    assert not getattr(nameless.error, "__notes__", [])


def test_an_exception_that_takes_no_note_is_still_the_failure() -> None:
    class Closed(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise TypeError

    router = StreamRouter()
    failing(router, Closed())
    (failure,) = router.dispatch([wire_record()]).failures
    assert isinstance(failure.error, Closed)
    with pytest.raises(Closed):
        LambdaHandler(router)({"Records": [wire_record()]}, None)


def test_a_log_line_for_people_is_one_line_whatever_an_error_says() -> None:
    error = Boom("one\nERROR two")
    made = logging.LogRecord(
        "ddbstream", logging.ERROR, "", 1, "a %s", ("b\nERROR c",), (Boom, error, None)
    )
    first, *rest = PrintableFormatter("%(levelname)s %(message)s").format(made).split("\n")
    assert first == r"ERROR a b\u000aERROR c"
    assert rest[-1] == "  ERROR two"
    assert all(line.startswith("  ") for line in rest)


def test_failures_unpack_into_record_and_error() -> None:
    router = StreamRouter()
    failing(router)
    ((record, error),) = router.dispatch([wire_record()]).failures
    assert record.event_id == "event-1"
    assert isinstance(error, Boom)
