"""The simulated mapping does what AWS documents, or was recorded doing; each class names the page.

Pages are of the AWS Lambda developer guide. "Recorded" is LocalStack's suite for DynamoDB event
sources, whose snapshots were taken on AWS; the values here are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ddbstream.testing import EventSourceMapping, FakeClock, FakeStream
from tests.support.stream_records import sequence_number, wire_record

REPORT = ["ReportBatchItemFailures"]
Event = dict[str, Any]


def numbers(event: Event) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]


def records(*wanted: int, **options: Any) -> list[dict[str, Any]]:
    return [wire_record(number=number, **options) for number in wanted]


def failing_on(*bad: int) -> Callable[[Event, Any], None]:
    def function(event: Event, context: Any) -> None:
        if set(bad) & set(numbers(event)):
            raise ValueError

    return function


def reporting(*bad: int) -> Callable[[Event, Any], Event]:
    def function(event: Event, context: Any) -> Event:
        return {
            "batchItemFailures": [
                {"itemIdentifier": sequence_number(n)} for n in numbers(event) if n in bad
            ]
        }

    return function


def batches(mapping: EventSourceMapping) -> list[list[int]]:
    return [numbers(invocation.event) for invocation in mapping.invocations]


class TestBatching:
    """services-ddb-params; with-ddb, "Polling and batching streams"."""

    def test_a_batch_has_at_most_batch_size_records(self) -> None:
        mapping = EventSourceMapping(failing_on(), records(*range(5)), batch_size=2)
        mapping.run()
        assert batches(mapping) == [[0, 1], [2, 3], [4]]

    def test_a_batch_waits_for_its_window_or_to_be_full(self) -> None:
        clock = FakeClock()
        mapping = EventSourceMapping(
            failing_on(), batch_size=3, maximum_batching_window_in_seconds=10, clock=clock
        )
        started = clock.time()
        mapping.put(records(1))
        mapping.run(seconds=5)
        mapping.put(records(2))
        mapping.run()
        mapping.put(records(3, 4, 5))
        mapping.run()
        assert batches(mapping) == [[1, 2], [3, 4, 5]]
        assert [invocation.at - started for invocation in mapping.invocations] == [10, 10]

    def test_a_batch_has_at_most_6_mb(self) -> None:
        large = {"text": {"S": "x" * 390_000}}
        mapping = EventSourceMapping(failing_on(), records(*range(20), new=large))
        mapping.run()
        assert [len(batch) for batch in batches(mapping)] == [15, 5]

    def test_trim_horizon_begins_with_what_is_there_and_latest_after_it(self) -> None:
        for position, expected in (("TRIM_HORIZON", [[1], [2]]), ("LATEST", [[2]])):
            mapping = EventSourceMapping(failing_on(), records(1), starting_position=position)
            mapping.run()
            mapping.put(records(2))
            mapping.run()
            assert batches(mapping) == expected

    def test_shards_do_not_wait_for_each_other(self) -> None:
        mapping = EventSourceMapping(failing_on(1), maximum_retry_attempts=2)
        mapping.put(records(1), shard_id="shardId-1")
        mapping.put(records(2), shard_id="shardId-2")
        mapping.run()
        assert batches(mapping) == [[1], [2], [1], [1]]

    def test_a_parallelization_factor_keeps_the_order_of_an_item(self) -> None:
        mapping = EventSourceMapping(failing_on(), parallelization_factor=4, batch_size=2)
        mapping.put([wire_record(number=n, key=f"P#{n % 5}") for n in range(40)])
        mapping.run()
        seen: dict[int, list[int]] = {}
        for number in (n for batch in batches(mapping) for n in batch):
            seen.setdefault(number % 5, []).append(number)
        assert seen == {item: list(range(item, 40, 5)) for item in range(5)}
        assert [n for batch in batches(mapping) for n in batch] != list(range(40))

    def test_a_function_gets_the_record_as_lambda_sends_it(self) -> None:
        seen: list[Event] = []
        mapping = EventSourceMapping(lambda event, context: seen.append(event), stream_arn="arn")
        made = wire_record(new={"binary": {"B": b"\x00\xff"}}, userIdentity={"Type": "Service"})
        del made["eventSourceARN"]
        mapping.put(made)
        mapping.run()
        (record,) = seen[0]["Records"]
        assert record["dynamodb"]["NewImage"]["binary"] == {"B": "AP8="}
        assert record["userIdentity"] == {"type": "Service"}
        assert record["eventSourceARN"] == "arn"

    @pytest.mark.parametrize(
        "options",
        [
            {"batch_size": 0},
            {"batch_size": 10_001},
            {"parallelization_factor": 11},
            {"maximum_batching_window_in_seconds": 301},
            {"maximum_retry_attempts": -2},
            {"maximum_record_age_in_seconds": 604_801},
            {"tumbling_window_in_seconds": 901},
            {"starting_position": "AT_TIMESTAMP"},
            {"function_response_types": ["Report"]},
            {"tumbling_window_in_seconds": 60, "parallelization_factor": 2},
        ],
    )
    def test_a_parameter_out_of_range_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r".+"):
            EventSourceMapping(failing_on(), **options)


class TestRetries:
    """services-dynamodb-errors; recorded: MaximumRetryAttempts 3 gives 4 invocations."""

    def test_a_failed_batch_comes_again_whole_and_holds_up_what_is_behind(self) -> None:
        mapping = EventSourceMapping(
            failing_on(2), records(1, 2, 3), batch_size=2, maximum_retry_attempts=3
        )
        mapping.run()
        assert batches(mapping) == [[1, 2]] * 4 + [[3]]
        assert [record["eventID"] for record in mapping.given_up] == ["event-1", "event-2"]

    def test_the_on_failure_document_counts_the_invocations(self) -> None:
        sent: list[Event] = []
        mapping = EventSourceMapping(
            failing_on(1), records(1, 2), maximum_retry_attempts=3, on_failure=sent.append
        )
        mapping.run()
        (document,) = sent
        assert document == mapping.documents[0]
        assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert document["requestContext"]["approximateInvokeCount"] == 4
        assert document["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        info = document["DDBStreamBatchInfo"]
        assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (
            sequence_number(1),
            sequence_number(2),
        )
        assert info["batchSize"] == 2
        assert info["approximateArrivalOfFirstRecord"] == "2023-11-14T22:13:20Z"
        assert "payload" not in document

    def test_a_bucket_gets_the_records_as_well(self) -> None:
        mapping = EventSourceMapping(
            failing_on(1), records(1), maximum_retry_attempts=0, on_failure_payload=True
        )
        mapping.run()
        assert mapping.documents[0]["payload"]["Records"] == mapping.given_up

    def test_without_a_limit_one_bad_record_holds_its_shard_for_a_day(self) -> None:
        clock = FakeClock()
        started = clock.time()
        mapping = EventSourceMapping(failing_on(1), records(1, 2), batch_size=1, clock=clock)
        mapping.run(seconds=23 * 3600)
        assert 2 not in [n for batch in batches(mapping) for n in batch]
        mapping.put(records(3))
        mapping.run()
        assert [record["eventID"] for record in mapping.lost] == ["event-1", "event-2"]
        assert batches(mapping)[-1] == [3]
        assert clock.time() - started < 25 * 3600

    def test_a_record_is_given_up_for_its_age(self) -> None:
        mapping = EventSourceMapping(failing_on(1), records(1), maximum_record_age_in_seconds=60)
        mapping.run()
        (document,) = mapping.documents
        assert document["requestContext"]["condition"] == "RecordAgeExceeded"
        assert document["requestContext"]["approximateInvokeCount"] == len(mapping.invocations)
        assert mapping.invocations[-1].at - mapping.invocations[0].at <= 60

    def test_bisecting_finds_the_bad_record_without_using_up_the_retries(self) -> None:
        mapping = EventSourceMapping(
            failing_on(3),
            records(1, 2, 3, 4),
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=1,
        )
        mapping.run()
        assert batches(mapping) == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]
        assert [record["eventID"] for record in mapping.given_up] == ["event-3"]

    def test_a_function_that_takes_too_long_has_failed(self) -> None:
        clock = FakeClock()

        def slow(event: Event, context: Any) -> None:
            assert context.get_remaining_time_in_millis() == 3000
            clock.sleep(2)
            assert context.get_remaining_time_in_millis() == 1000
            clock.sleep(2)

        mapping = EventSourceMapping(
            slow, records(1), timeout=3, maximum_retry_attempts=0, clock=clock
        )
        mapping.run()
        assert isinstance(mapping.invocations[0].error, TimeoutError)
        assert len(mapping.given_up) == 1

    def test_a_function_that_exits_has_failed_and_an_interrupt_is_the_testers(self) -> None:
        def leaving(event: Event, context: Any) -> None:
            raise SystemExit

        def interrupted(event: Event, context: Any) -> None:
            raise KeyboardInterrupt

        mapping = EventSourceMapping(leaving, records(1), maximum_retry_attempts=0)
        mapping.run()
        assert len(mapping.given_up) == 1
        with pytest.raises(KeyboardInterrupt):
            EventSourceMapping(interrupted, records(1)).run()


class TestResponses:
    """services-ddb-batchfailurereporting; recorded: the answers of success and of failure."""

    @pytest.mark.parametrize(
        "answer", [[], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}]
    )
    def test_success(self, answer: Any) -> None:
        mapping = EventSourceMapping(
            lambda event, context: answer, records(1, 2), function_response_types=REPORT
        )
        mapping.run()
        assert len(mapping.invocations) == 1
        assert mapping.invocations[0].done == 2

    @pytest.mark.parametrize(
        "failure",
        [
            {"itemIdentifier": 123},
            {"itemIdentifier": ""},
            {"itemIdentifier": None},
            {"foo": 123},
            {"foo": None},
            {"itemIdentifier": "999"},
            "a string",
        ],
    )
    def test_a_failure_that_names_no_record_fails_the_whole_batch(self, failure: Any) -> None:
        mapping = EventSourceMapping(
            lambda event, context: {"batchItemFailures": [failure]},
            records(1, 2),
            function_response_types=REPORT,
            maximum_retry_attempts=3,
        )
        mapping.run()
        assert batches(mapping) == [[1, 2]] * 4
        assert mapping.documents[0]["requestContext"]["approximateInvokeCount"] == 4
        assert mapping.documents[0]["responseContext"]["functionError"] is None

    @pytest.mark.parametrize("answer", ["done", True, 3, [1], {"batchItemFailures": {}}])
    def test_an_answer_of_no_known_form_fails_the_batch(self, answer: Any) -> None:
        mapping = EventSourceMapping(
            lambda event, context: answer,
            records(1),
            function_response_types=REPORT,
            maximum_retry_attempts=0,
        )
        mapping.run()
        assert len(mapping.given_up) == 1

    def test_an_answer_that_is_no_json_fails_the_batch(self) -> None:
        mapping = EventSourceMapping(
            lambda event, context: {1, 2}, records(1), maximum_retry_attempts=0
        )
        mapping.run()
        assert len(mapping.given_up) == 1

    def test_without_the_setting_every_answer_is_success(self) -> None:
        mapping = EventSourceMapping(reporting(1), records(1, 2))
        mapping.run()
        assert batches(mapping) == [[1, 2]]
        assert mapping.given_up == []

    def test_the_lowest_sequence_number_named_is_where_the_rest_begins(self) -> None:
        answers = iter(
            [
                {"batchItemFailures": [{"itemIdentifier": sequence_number(n)} for n in (4, 2, 3)]},
                None,
            ]
        )
        mapping = EventSourceMapping(
            lambda event, context: next(answers),
            records(1, 2, 3, 4, 5),
            function_response_types=REPORT,
        )
        mapping.run()
        assert batches(mapping) == [[1, 2, 3, 4, 5], [2, 3, 4, 5]]

    def test_progress_starts_a_fresh_count(self) -> None:
        # Recorded: the last of three was seen five times, and the document said 4.
        mapping = EventSourceMapping(
            reporting(3),
            records(1, 2, 3),
            function_response_types=REPORT,
            maximum_retry_attempts=3,
        )
        mapping.run()
        assert batches(mapping) == [[1, 2, 3]] + [[3]] * 4
        (document,) = mapping.documents
        assert document["requestContext"]["approximateInvokeCount"] == 4
        assert document["responseContext"]["functionError"] is None
        assert document["DDBStreamBatchInfo"]["batchSize"] == 1

    def test_an_exception_fails_the_whole_batch_with_the_setting_too(self) -> None:
        mapping = EventSourceMapping(
            failing_on(2), records(1, 2), function_response_types=REPORT, maximum_retry_attempts=1
        )
        mapping.run()
        assert batches(mapping) == [[1, 2]] * 2


class TestFilters:
    """with-ddb-filtering; the evaluator has its own tests."""

    def test_a_record_that_no_filter_wants_never_comes(self) -> None:
        mapping = EventSourceMapping(
            failing_on(),
            [wire_record("INSERT", 1), wire_record("MODIFY", 2), wire_record("REMOVE", 3)],
            filter_criteria={
                "Filters": [
                    {"Pattern": '{"eventName": ["INSERT"]}'},
                    {"Pattern": '{"eventName": ["REMOVE"]}'},
                ]
            },
        )
        mapping.run()
        assert batches(mapping) == [[1, 3]]
        assert [record["eventID"] for record in mapping.filtered_out] == ["event-2"]


class TestTumblingWindows:
    """services-ddb-windows."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(1_700_000_040.0)  # a whole minute

    def mapping(self, function: Any, clock: FakeClock, **options: Any) -> EventSourceMapping:
        return EventSourceMapping(
            function, clock=clock, tumbling_window_in_seconds=60, batch_size=2, **options
        )

    def test_state_goes_from_batch_to_batch_and_ends_with_the_window(
        self, clock: FakeClock
    ) -> None:
        seen: list[Any] = []

        def function(event: Event, context: Any) -> Event:
            seen.append((numbers(event), event["state"], event["isFinalInvokeForWindow"]))
            return {"state": {"n": event["state"].get("n", 0) + len(event["Records"])}}

        mapping = self.mapping(function, clock)
        mapping.put(records(1, 2, 3))
        mapping.run(seconds=60)
        mapping.put(records(4))
        mapping.run()
        assert seen == [
            ([1, 2], {}, False),
            ([3], {"n": 2}, False),
            ([], {"n": 3}, True),
            ([4], {}, False),
            ([], {"n": 1}, True),
        ]
        first = mapping.invocations[0].event
        assert first["window"] == {"start": "2023-11-14T22:14:00Z", "end": "2023-11-14T22:15:00Z"}
        assert first["isWindowTerminatedEarly"] is False
        assert mapping.invocations[2].at == 1_700_000_100.0

    def test_a_batch_is_of_one_window(self, clock: FakeClock) -> None:
        mapping = self.mapping(lambda event, context: {"state": {}}, clock)
        mapping.put(records(1))
        clock.advance(60)
        mapping.put(records(2))
        mapping.run()
        assert batches(mapping) == [[1], [], [2], []]

    @pytest.mark.parametrize(
        "answer", [None, {}, {"batchItemFailures": []}, {"state": None}, {"state": "s"}]
    )
    def test_an_answer_without_state_has_failed(self, clock: FakeClock, answer: Any) -> None:
        mapping = self.mapping(lambda event, context: answer, clock, maximum_retry_attempts=1)
        mapping.put(records(1))
        mapping.run(seconds=30)
        assert batches(mapping) == [[1], [1]]
        assert len(mapping.given_up) == 1

    def test_a_failed_batch_comes_again_with_the_state_of_before(self, clock: FakeClock) -> None:
        states: list[Any] = []

        def function(event: Event, context: Any) -> Event:
            states.append(event["state"])
            if len(states) == 2:
                raise ValueError
            return {"state": {"n": len(states)}}

        mapping = self.mapping(function, clock)
        mapping.put(records(1, 2, 3))
        mapping.run(seconds=30)
        assert states == [{}, {"n": 1}, {"n": 1}]

    def test_the_final_invocation_is_repeated_until_it_succeeds(self, clock: FakeClock) -> None:
        finals: list[Any] = []

        def function(event: Event, context: Any) -> Event:
            if event["isFinalInvokeForWindow"]:
                finals.append(event["state"])
                if len(finals) < 4:
                    raise ValueError
            return {"state": {"n": 1}}

        mapping = self.mapping(function, clock, maximum_retry_attempts=0)
        mapping.put(records(1))
        mapping.run(seconds=60)
        mapping.put(records(2))
        mapping.run()
        assert finals[:4] == [{"n": 1}] * 4
        assert batches(mapping) == [[1], [], [], [], [], [2], []]

    def test_state_over_1_mb_ends_the_window_early(self, clock: FakeClock) -> None:
        seen: list[Any] = []

        def function(event: Event, context: Any) -> Event:
            seen.append((numbers(event), event["isWindowTerminatedEarly"]))
            return {"state": {"text": "x" * 1_000_001 if 1 in numbers(event) else ""}}

        mapping = self.mapping(function, clock)
        mapping.put(records(1, 2, 3))
        mapping.run()
        assert seen == [([1, 2], False), ([], True), ([3], False), ([], False)]


class TestFakeStream:
    """A stream of shards as the source: Streams, "Reading and processing a stream"."""

    def test_an_items_changes_keep_their_order_over_generations_of_shards(self) -> None:
        stream = FakeStream(keys=("PK",))
        for generation in range(3):
            for item in range(4):
                stream.put({"PK": {"S": f"P#{item}"}, "n": {"N": str(generation)}})
            stream.split() if generation else stream.roll_over()
        seen: list[tuple[str, int]] = []
        calls: list[int] = []

        def function(event: Event, context: Any) -> None:
            calls.append(len(event["Records"]))
            if len(calls) % 2:  # a shard that waits for its retry must not let its children ahead
                raise ValueError
            for record in event["Records"]:
                image = record["dynamodb"]["NewImage"]
                seen.append((image["PK"]["S"], int(image["n"]["N"])))

        EventSourceMapping(function, stream, batch_size=3).run()
        assert len(seen) == 12
        for item in range(4):
            assert [n for key, n in seen if key == f"P#{item}"] == [0, 1, 2]

    def test_a_shard_that_fails_does_not_hold_up_its_siblings(self) -> None:
        stream = FakeStream(shards=2)
        for item in range(8):
            stream.put({"PK": {"S": f"P#{item}"}})
        bad, _ = stream.open_shards()
        stuck = stream._streams[-1].shards[bad].numbers
        done: list[int] = []

        def function(event: Event, context: Any) -> None:
            if numbers(event)[0] in stuck:
                raise ValueError
            done.extend(numbers(event))

        EventSourceMapping(function, stream).run(seconds=60)
        assert 0 < len(done) == 8 - len(stuck) < 8

    def test_records_are_as_lambda_gets_them_and_say_their_stream(self) -> None:
        stream = FakeStream(keys=("PK",))
        stream.put({"PK": {"S": "P#1"}, "data": {"B": b"\x00"}})
        stream.delete({"PK": {"S": "P#1"}}, by_ttl=True)
        events: list[Event] = []
        EventSourceMapping(lambda event, context: events.append(event), stream).run()
        insert, remove = events[0]["Records"]
        assert insert["eventSourceARN"] == stream.arn
        assert insert["dynamodb"]["ApproximateCreationDateTime"] == stream.clock.time()
        assert insert["dynamodb"]["NewImage"]["data"] == {"B": "AA=="}
        assert remove["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"

    def test_what_is_written_while_it_runs_and_between_runs_is_read_too(self) -> None:
        stream = FakeStream(keys=("PK",))
        stream.put({"PK": {"S": "P#1"}})

        def function(event: Event, context: Any) -> None:
            if len(mapping.invocations) == 0:
                stream.put({"PK": {"S": "P#2"}})

        mapping = EventSourceMapping(function, stream)
        mapping.run()
        stream.roll_over()
        stream.put({"PK": {"S": "P#3"}})
        mapping.run()
        assert [len(invocation.event["Records"]) for invocation in mapping.invocations] == [1, 1, 1]
        assert len({invocation.shard_id for invocation in mapping.invocations}) == 2

    def test_latest_leaves_out_what_is_there_and_reads_shards_that_come_later_whole(self) -> None:
        stream = FakeStream(keys=("PK",))
        stream.put({"PK": {"S": "P#1"}})
        mapping = EventSourceMapping(failing_on(), stream, starting_position="LATEST")
        stream.put({"PK": {"S": "P#2"}})
        stream.roll_over()
        stream.put({"PK": {"S": "P#3"}})
        mapping.run()
        keys = [
            record["dynamodb"]["Keys"]["PK"]["S"]
            for invocation in mapping.invocations
            for record in invocation.event["Records"]
        ]
        assert keys == ["P#2", "P#3"]

    def test_a_record_is_as_old_as_its_write(self) -> None:
        stream = FakeStream(keys=("PK",))
        stream.put({"PK": {"S": "P#1"}})
        mapping = EventSourceMapping(failing_on(), stream, maximum_record_age_in_seconds=3600)
        stream.clock.advance(3601)
        stream.put({"PK": {"S": "P#2"}})
        mapping.run()
        assert mapping.clock is stream.clock
        assert [r["dynamodb"]["Keys"]["PK"]["S"] for r in mapping.given_up] == ["P#1"]
        assert mapping.documents[0]["DDBStreamBatchInfo"]["shardId"] == stream.open_shards()[0]

    def test_time_is_the_streams(self) -> None:
        with pytest.raises(ValueError, match="clock already"):
            EventSourceMapping(failing_on(), FakeStream(), clock=FakeClock())
