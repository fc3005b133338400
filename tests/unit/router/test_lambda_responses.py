"""What the Lambda handler answers, and when it raises."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from ddbstream import Insert, LambdaHandler, StreamRecord, StreamRouter
from ddbstream.exceptions import PayloadError
from tests.support.stream_records import sequence_number, wire_record

DONE: dict[str, Any] = {"batchItemFailures": []}


class Boom(Exception):
    pass


def failing_at(*numbers: int) -> tuple[StreamRouter, list[int]]:
    router, seen = StreamRouter(), []

    @router.on_insert()
    def handle(record: Insert) -> None:
        number = int(record.event_id.removeprefix("event-"))
        seen.append(number)
        if number in numbers:
            raise Boom

    return router, seen


def event(*numbers: int) -> dict[str, Any]:
    return {"Records": [wire_record(number=number) for number in numbers]}


@pytest.mark.parametrize("report", [False, True])
class TestInBothModes:
    def test_a_batch_without_failures_is_answered_with_an_empty_list(self, report: bool) -> None:
        router, seen = failing_at()
        handler = LambdaHandler(router, report_batch_item_failures=report)
        assert handler(event(1, 2, 3), None) == DONE
        assert seen == [1, 2, 3]

    def test_an_empty_batch_is_done(self, report: bool) -> None:
        router, _ = failing_at()
        assert (
            LambdaHandler(router, report_batch_item_failures=report)({"Records": []}, None) == DONE
        )

    def test_nothing_after_the_first_failure_runs(self, report: bool) -> None:
        router, seen = failing_at(2, 3)
        handler = LambdaHandler(router, report_batch_item_failures=report)
        try:
            handler(event(1, 2, 3), None)
        except Boom:
            assert not report
        assert seen == [1, 2]

    def test_an_event_without_records_fails_the_invocation(self, report: bool) -> None:
        router, _ = failing_at()
        handler = LambdaHandler(router, report_batch_item_failures=report)
        for wrong in ({}, {"detail": 1}, None, "event"):
            with pytest.raises(PayloadError):
                handler(wrong, None)

    def test_what_is_no_exception_passes_through(self, report: bool) -> None:
        router = StreamRouter()

        @router.on_insert()
        def handle(record: Insert) -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            LambdaHandler(router, report_batch_item_failures=report)(event(1), None)


class TestTheDefaultMode:
    def test_raises_the_handlers_own_exception(self) -> None:
        router, _ = failing_at(2)
        with pytest.raises(Boom) as caught:
            LambdaHandler(router)(event(1, 2, 3), None)
        assert any(sequence_number(2) in note for note in caught.value.__notes__)

    def test_logs_the_errors_that_the_one_it_raises_would_hide(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        router, both = StreamRouter(), threading.Barrier(2)

        @router.on_change()
        def fails(record: StreamRecord[Any]) -> None:
            both.wait(30)
            raise Boom(record.keys["PK"])

        records = [wire_record(number=n, key=f"Product#{n}") for n in (1, 2)]
        with pytest.raises(Boom, match="Product#1"):
            LambdaHandler(router, concurrency=2)({"Records": records}, None)
        assert "Product#2" in caplog.text
        assert "Product#1" not in caplog.text

    def test_a_store_that_fails_hides_no_handlers_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        from ddbstream.testing import insert, kinesis_event

        class Store:
            def load(self, items: Any) -> dict[str, Any]:
                return {}

            def save(self, newest: Any) -> None:
                raise OSError("the store is down")

        router, handled = StreamRouter(), []

        @router.on_change()
        def fails(record: StreamRecord[Any]) -> None:
            if handled:
                raise Boom("the second")
            handled.append(record)

        event = kinesis_event([insert({"PK": str(number)}) for number in range(2)])
        with pytest.raises(OSError, match="is down"):
            LambdaHandler(router, newest=Store())(event, None)
        assert "the second" in caplog.text


class TestReportMode:
    @pytest.mark.parametrize("failed", [1, 2, 3])
    def test_answers_the_first_record_that_failed_and_nothing_else(self, failed: int) -> None:
        router, _ = failing_at(failed, 3)
        answer = LambdaHandler(router, report_batch_item_failures=True)(event(1, 2, 3), None)
        assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_number(failed)}]}
        assert json.loads(json.dumps(answer)) == answer

    @pytest.mark.parametrize("unusable", [None, "", 7, "absent"])
    def test_raises_where_the_record_has_nothing_to_be_named_by(self, unusable: Any) -> None:
        router, _ = failing_at(1)
        record = wire_record()
        record["dynamodb"]["SequenceNumber"] = unusable
        if unusable == "absent":
            del record["dynamodb"]["SequenceNumber"]
        with pytest.raises(Boom):
            LambdaHandler(router, report_batch_item_failures=True)({"Records": [record]}, None)

    def test_answers_a_malformed_record_after_handling_those_before_it(self) -> None:
        router, seen = failing_at()
        malformed = {**wire_record(number=2), "eventName": "UPSERT"}
        answer = LambdaHandler(router, report_batch_item_failures=True)(
            {"Records": [wire_record(number=1), malformed, wire_record(number=3)]}, None
        )
        assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_number(2)}]}
        assert seen == [1]


def test_a_handler_takes_nothing_but_a_router() -> None:
    with pytest.raises(TypeError, match="StreamRouter"):
        LambdaHandler(lambda event, context: None)  # type: ignore[arg-type]


def test_the_module_level_names_are_one_router() -> None:
    import ddbstream

    seen: list[Any] = []
    # A router of its own, as a function's module would see it: the default one is never reset.
    assert ddbstream.on_insert.__self__ is ddbstream.default_router
    ddbstream.on_insert("Module level")(seen.append)
    record = wire_record()
    record["eventSourceARN"] = record["eventSourceARN"].replace("/Shop/", "/Module level/")
    assert ddbstream.lambda_handler({"Records": [record]}, None) == DONE
    assert len(seen) == 1


@pytest.mark.parametrize("by", ["Lambda", "Pipes"])
def test_messages_of_a_queue_are_all_named_from_the_failure_on(by: str) -> None:
    from ddbstream.testing import sqs_event

    router, seen = failing_at(2)
    messages = [sqs_event(wire_record(number=n))["Records"][0] for n in (1, 2, 3)]
    for number, message in enumerate(messages, 1):
        message["messageId"] = f"message-{number}"
    event = {"Records": messages} if by == "Lambda" else messages
    # A queue deletes what is not named: the first failure alone would lose the third message.
    answer = LambdaHandler(router, report_batch_item_failures=True)(event, None)
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "message-2"}, {"itemIdentifier": "message-3"}]
    }
    assert seen == [1, 2]


def test_records_of_kinesis_are_named_by_their_kinesis_sequence_number() -> None:
    from ddbstream.testing import kinesis_event

    router, _ = failing_at(2)
    event = kinesis_event([wire_record(number=n) for n in (1, 2)])
    answer = LambdaHandler(router, report_batch_item_failures=True)(event, None)
    expected = event["Records"][1]["kinesis"]["sequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": expected}]}
