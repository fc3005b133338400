"""Failed batches through a router: read again, each once; what cannot be read is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Disposition, StreamRecord, StreamRouter, testing
from ddbstream.exceptions import BatchError, PayloadError, PollerError
from ddbstream.replay import (
    Gap,
    MemoryProgress,
    Progress,
    ReplayHandler,
    ReplayReport,
    SQLiteProgress,
    replay,
)
from ddbstream.testing import FakeStream, Faults


class Seen:
    """A router that notes the names of the items it was given, and fails on one."""

    def __init__(self, fail_on: str | None = None) -> None:
        self.names: list[str] = []
        self.fail_on = fail_on
        self.router = StreamRouter()
        self.router.on_change()(self.take)

    def take(self, record: StreamRecord[Any]) -> None:
        name = record.keys["PK"]
        if name == self.fail_on:
            raise RuntimeError("no")
        self.names.append(name)


def written(stream: FakeStream, count: int, start: int = 0) -> list[str]:
    return [str(stream.put({"PK": {"S": f"{i:03d}"}})) for i in range(start, start + count)]


def message(stream: FakeStream, numbers: list[str], **changes: Any) -> dict[str, Any]:
    """The on-failure message about the records of these numbers, in the only open shard."""
    records = [
        testing.insert({"PK": "x"}, sequence_number=number, created=stream.clock.time())
        for number in (numbers[0], numbers[-1])
    ]
    made = testing.on_failure_message(
        records, stream_arn=stream.arn, shard_id=changes.pop("shard_id", stream.open_shards()[0])
    )
    made["DDBStreamBatchInfo"].update({"batchSize": len(numbers), **changes})
    return made


def run(source: object, seen: Seen, stream: FakeStream, **options: Any) -> ReplayReport:
    return replay(source, seen.router, client=stream, clock=stream.clock, **options)


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream("Shelf")


@pytest.fixture(params=["memory", "sqlite"])
def progress(request: pytest.FixtureRequest, tmp_path: Path) -> Progress:
    return MemoryProgress() if request.param == "memory" else SQLiteProgress(tmp_path / "p.db")


class TestReread:
    def test_exactly_the_batch_is_read_again(self, stream: FakeStream) -> None:
        numbers, seen = written(stream, 10), Seen()
        report = run(message(stream, numbers[3:7]), seen, stream)
        assert seen.names == ["003", "004", "005", "006"]
        assert (report.batches, report.done, report.records) == (1, 1, 4)
        assert report.ok
        assert report.gaps == []

    def test_records_know_their_stream(self, stream: FakeStream) -> None:
        numbers, router, sources = written(stream, 1), StreamRouter(), []
        router.on_change()(lambda record: sources.append(record.event_source_arn))
        replay(message(stream, numbers), router, client=stream, clock=stream.clock)
        assert sources == [stream.arn]

    def test_a_batch_of_one_page_after_another(self) -> None:
        stream, seen = FakeStream("Shelf", page_records=3), Seen()
        numbers = written(stream, 20)
        run(message(stream, numbers[1:19]), seen, stream)
        assert seen.names == [f"{i:03d}" for i in range(1, 19)]

    def test_a_shard_that_has_closed_since_is_still_read(self, stream: FakeStream) -> None:
        numbers, seen = written(stream, 5), Seen()
        failed = message(stream, numbers[2:])
        stream.roll_over()
        assert run(failed, seen, stream).gaps == []
        assert seen.names == ["002", "003", "004"]

    @pytest.mark.parametrize(
        ("call", "trouble"),
        [
            *(
                (call, trouble)
                for call in ("GetShardIterator", "GetRecords")
                for trouble in ("ThrottlingException", "InternalServerError", "reset", "cut")
            ),
            ("GetRecords", "ExpiredIteratorException"),
            ("GetRecords", "ExpiredTokenException"),
        ],
    )
    def test_what_passes_by_itself_is_tried_again(
        self, stream: FakeStream, call: str, trouble: str
    ) -> None:
        numbers, seen = written(stream, 3), Seen()
        stream.fail(call, trouble, times=3)
        assert run(message(stream, numbers), seen, stream).gaps == []
        assert seen.names == ["000", "001", "002"]

    def test_an_empty_page_is_not_the_end(self, stream: FakeStream) -> None:
        numbers, seen = written(stream, 3), Seen()
        stream.faults = Faults(empty_page=0.9)
        assert run(message(stream, numbers), seen, stream).gaps == []
        assert len(seen.names) == 3

    def test_reading_ends_with_the_batch(self, stream: FakeStream) -> None:
        numbers = written(stream, 10)
        run(message(stream, numbers[3:]), Seen(), stream)
        assert stream.calls["GetRecords"] == 1

    def test_a_new_iterator_begins_behind_what_was_read(self) -> None:
        stream, asked = FakeStream("Shelf", page_records=2), []
        numbers = written(stream, 6)

        class Client:
            def get_shard_iterator(self, **kwargs: Any) -> Any:
                asked.append((kwargs["ShardIteratorType"], kwargs["SequenceNumber"]))
                return stream.get_shard_iterator(**kwargs)

            def get_records(self, **kwargs: Any) -> Any:
                if stream.calls.get("GetRecords") == 2 and len(asked) == 1:
                    stream.expire_iterators()
                return stream.get_records(**kwargs)

        seen = Seen()
        replay(message(stream, numbers), seen.router, client=Client(), clock=stream.clock)  # type: ignore[arg-type]
        assert seen.names == [f"{i:03d}" for i in range(6)]
        assert asked == [("AT_SEQUENCE_NUMBER", numbers[0]), ("AFTER_SEQUENCE_NUMBER", numbers[3])]

    @pytest.mark.parametrize("seed", range(20))
    def test_nothing_is_lost_or_reordered_whatever_goes_wrong(self, seed: int) -> None:
        stream, seen = FakeStream("Shelf", seed=seed, page_records=4), Seen()
        numbers = written(stream, 30)
        failed = message(stream, numbers[5:25])
        stream.roll_over()
        stream.faults = Faults(error=0.2, expired=0.1, empty_page=0.3, short_page=0.3)
        assert run(failed, seen, stream).gaps == []
        assert seen.names == [f"{i:03d}" for i in range(5, 25)]

    def test_no_permission_is_a_failure_and_not_a_gap(self, stream: FakeStream) -> None:
        numbers, seen = written(stream, 3), Seen()
        stream.fail("GetShardIterator", "AccessDeniedException")
        report = run(message(stream, numbers), seen, stream)
        assert (report.done, report.gaps) == (0, [])
        (failure,) = report.failures
        assert isinstance(failure.error, PollerError)
        assert "AccessDeniedException" in str(failure.error)

    def test_no_answer_at_all_is_a_failure_after_a_while(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        stream.fail("GetRecords", "reset", times=1000)
        before = stream.clock.time()
        report = run(message(stream, numbers), Seen(), stream)
        assert isinstance(report.failures[0].error, PollerError)
        assert 10 < stream.clock.time() - before < 300


class TestGaps:
    def test_what_is_trimmed_is_told_and_the_rest_is_done(self, stream: FakeStream) -> None:
        numbers = written(stream, 4)
        stream.clock.advance(3600)
        numbers += written(stream, 4, start=4)
        failed = message(stream, numbers)
        stream.clock.advance(23.5 * 3600)
        seen = Seen()
        report = run(failed, seen, stream)
        assert seen.names == ["004", "005", "006", "007"]
        assert report.gaps == [
            Gap(
                stream.arn,
                failed["DDBStreamBatchInfo"]["shardId"],
                numbers[0],
                numbers[4],
                4,
                "trimmed",
            )
        ]
        assert report.ok

    def test_a_batch_trimmed_as_a_whole_is_one_gap(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        failed = message(stream, numbers)
        stream.clock.advance(12 * 3600)
        written(stream, 1, start=9)
        stream.clock.advance(13 * 3600)
        seen = Seen()
        report = run(failed, seen, stream)
        assert seen.names == []
        (gap,) = report.gaps
        assert gap[2:] == (numbers[0], numbers[-1], 3, "trimmed")

    def test_a_shard_that_is_no_more_is_a_gap(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        failed = message(stream, numbers)
        stream.roll_over()
        stream.clock.advance(25 * 3600)
        (gap,) = run(failed, Seen(), stream).gaps
        assert gap[2:] == (numbers[0], numbers[-1], 3, "gone")

    def test_a_young_batch_that_cannot_be_found_is_a_failure(self, stream: FakeStream) -> None:
        """A wrong endpoint must not pass for a gap, and the batch for done."""
        numbers, store = written(stream, 3), MemoryProgress()
        failed = message(stream, numbers, shard_id="shardId-00000000000000000000-00000000")
        report = run(failed, Seen(), stream, progress=store)
        assert "another account, region or endpoint" in str(report.failures[0].error)
        assert report.gaps == []
        seen = Seen()
        assert run(message(stream, numbers), seen, stream, progress=store).ok
        assert len(seen.names) == 3

    def test_fewer_records_than_the_batch_had_are_a_gap(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        (gap,) = run(message(stream, numbers, batchSize=5), Seen(), stream).gaps
        assert (gap.missing, gap.reason) == (2, "short")

    def test_more_records_than_the_batch_had_are_none(self, stream: FakeStream) -> None:
        """The mapping's filter, or other batches of the shard, made the batch smaller."""
        numbers, seen = written(stream, 5), Seen()
        assert run(message(stream, numbers, batchSize=2), seen, stream).gaps == []
        assert len(seen.names) == 5

    def test_a_shard_that_ends_before_the_batch_is_a_gap(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        end = str(int(numbers[-1]) + 10**6)
        failed = message(stream, numbers, endSequenceNumber=end)
        stream.roll_over()
        (gap,) = run(failed, Seen(), stream).gaps
        assert gap[2:] == (numbers[-1], end, 0, "short")

    def test_an_open_shard_without_the_batch_is_not_read_for_ever(self, stream: FakeStream) -> None:
        numbers = written(stream, 3)
        end = str(int(numbers[-1]) + 10**6)
        (gap,) = run(message(stream, numbers, endSequenceNumber=end), Seen(), stream).gaps
        assert gap.reason == "short"
        assert stream.calls["GetRecords"] < 1000

    def test_a_batch_with_a_gap_is_done(self, stream: FakeStream, progress: Progress) -> None:
        numbers = written(stream, 3)
        failed = message(stream, numbers, batchSize=5)
        assert len(run(failed, Seen(), stream, progress=progress).gaps) == 1
        again = run(failed, Seen(), stream, progress=progress)
        assert (again.already_done, again.gaps) == (1, [])


class TestOnce:
    def test_a_second_run_does_nothing(self, stream: FakeStream, progress: Progress) -> None:
        numbers, seen = written(stream, 6), Seen()
        failed = [message(stream, numbers[:3]), message(stream, numbers[3:])]
        run(failed, seen, stream, progress=progress)
        again = run(failed, seen, stream, progress=progress)
        assert seen.names == [f"{i:03d}" for i in range(6)]
        assert (again.done, again.already_done, again.records) == (2, 2, 0)

    def test_a_repeated_message_is_done_once(self, stream: FakeStream) -> None:
        numbers, seen = written(stream, 3), Seen()
        failed = message(stream, numbers)
        run([failed, {**failed, "timestamp": "2026-01-02T00:00:00.000Z"}], seen, stream)
        assert len(seen.names) == 3

    def test_a_batch_that_failed_goes_on_where_it_failed(
        self, stream: FakeStream, progress: Progress
    ) -> None:
        numbers, seen = written(stream, 6), Seen(fail_on="003")
        failed = message(stream, numbers)
        report = run(failed, seen, stream, progress=progress)
        assert not report.ok
        assert seen.names == ["000", "001", "002"]
        assert report.failures[0].record is not None
        assert report.failures[0].record.keys == {"PK": "003"}
        assert run(failed, seen, stream, progress=progress).records == 0
        seen.fail_on = None
        assert run(failed, seen, stream, progress=progress).ok
        assert seen.names == [f"{i:03d}" for i in range(6)]

    def test_an_inline_batch_goes_on_where_it_failed(self, progress: Progress) -> None:
        records = [testing.insert({"PK": f"{i:03d}"}) for i in range(6)]
        failed = testing.on_failure_message(records, payload="text")
        seen = Seen(fail_on="004")
        assert not replay(failed, seen.router, progress=progress).ok
        seen.fail_on = None
        assert replay(failed, seen.router, progress=progress).ok
        assert replay(failed, seen.router, progress=progress).already_done == 1
        assert seen.names == [f"{i:03d}" for i in range(6)]

    def test_progress_is_saved_after_each_page(self) -> None:
        stream, store = FakeStream("Shelf", page_records=2), MemoryProgress()
        numbers = written(stream, 6)
        failed = message(stream, numbers)
        seen = Seen(fail_on="005")
        run(failed, seen, stream, progress=store)
        assert seen.names == ["000", "001", "002", "003", "004"]
        seen.fail_on = None
        run(failed, seen, stream, progress=store)
        assert seen.names == [f"{i:03d}" for i in range(6)]


class TestOrder:
    def test_a_shards_batches_go_in_the_order_of_the_stream(self, stream: FakeStream) -> None:
        """As integers: as text, the number with one digit more would come first."""
        assert len(str(stream._number)) == 21
        numbers, seen = written(stream, 30), Seen()
        assert {len(number) for number in numbers} == {21, 22}
        failed = [message(stream, numbers[i : i + 5]) for i in (25, 5, 15, 0, 20, 10)]
        run(failed, seen, stream)
        assert seen.names == [f"{i:03d}" for i in range(30)]

    def test_a_failure_holds_back_what_is_behind_it_in_its_shard_only(self) -> None:
        stream = FakeStream("Shelf", shards=2)
        placed: dict[str, list[tuple[str, str]]] = {}
        for i in range(20):
            number = str(stream.put({"PK": {"S": f"{i:03d}"}}))
            for shard in stream._streams[-1].open_shards():
                if shard.numbers and str(shard.numbers[-1]) == number:
                    placed.setdefault(shard.shard_id, []).append((f"{i:03d}", number))
        first, second = placed
        seen = Seen(fail_on=placed[first][0][0])
        failed = [
            message(stream, [number], shard_id=shard)
            for shard in placed
            for _, number in placed[shard]
        ]
        report = run(failed, seen, stream)
        assert seen.names == [name for name, _ in placed[second]]
        assert len(report.failures) == 1
        assert len(report.deferred) == len(placed[first]) - 1
        assert not report.ok


class TestDryRun:
    def test_nothing_is_handled_and_nothing_is_remembered(
        self, stream: FakeStream, progress: Progress
    ) -> None:
        numbers, seen, told = written(stream, 4), Seen(), []
        failed = [message(stream, numbers)] * 2
        report = run(failed, seen, stream, progress=progress, dry_run=True, on_record=told.append)
        assert seen.names == []
        assert (report.records, report.already_done) == (4, 1)
        assert [record.keys["PK"] for record in told] == ["000", "001", "002", "003"]
        assert str(report) == "4 records of 2 batches would be replayed, 1 batches done before"
        assert run(failed, seen, stream, progress=progress).records == 4

    def test_a_malformed_record_is_found(self) -> None:
        bad = {**testing.insert({"PK": "a"}), "eventName": "UPSERT"}
        failed = testing.on_failure_message([testing.insert({"PK": "a"})])
        failed["payload"] = {"Records": [bad]}
        assert len(replay(failed, Seen().router, dry_run=True).failures) == 1


class TestReport:
    def test_its_text_counts_what_there_was(self, stream: FakeStream) -> None:
        numbers = written(stream, 6)
        failed = [
            message(stream, numbers[:2], batchSize=9),
            message(stream, numbers[2:4]),
            message(stream, numbers[4:]),
            "hunter2",
        ]
        report = run(failed, Seen(fail_on="002"), stream)
        assert str(report) == (
            "2 records of 3 batches replayed, 1 gaps, 1 batches failed, 1 batches held back, "
            "1 messages unreadable"
        )

    def test_a_payload_that_cannot_be_read_is_its_batchs_failure(self) -> None:
        failed = testing.on_failure_message([testing.insert({"PK": "a"})])
        report = replay({**failed, "payload": "hunter2"}, Seen().router)
        assert isinstance(report.failures[0].error, PayloadError)


class TestHandler:
    def event(self, stream: FakeStream, *batches: list[str]) -> dict[str, Any]:
        return testing.sqs_event(*(message(stream, numbers) for numbers in batches))

    def test_a_queue_of_failures_is_replayed(self, stream: FakeStream) -> None:
        numbers, seen, reports = written(stream, 4), Seen(), []
        handler = ReplayHandler(
            seen.router, client=stream, clock=stream.clock, on_report=reports.append
        )
        event = self.event(stream, numbers[:2], numbers[2:])
        assert handler(event, None) == {"batchItemFailures": []}
        assert seen.names == ["000", "001", "002", "003"]
        assert reports[0].records == 4

    def test_by_default_a_failure_is_raised(self, stream: FakeStream) -> None:
        numbers = written(stream, 2)
        handler = ReplayHandler(Seen("001").router, client=stream, clock=stream.clock)
        with pytest.raises(RuntimeError, match="no"):
            handler(self.event(stream, numbers), None)

    def test_every_message_that_is_not_done_is_named(self, stream: FakeStream) -> None:
        """SQS deletes what is not named, also what was never tried."""
        numbers = written(stream, 6)
        handler = ReplayHandler(
            Seen("002").router, report_batch_item_failures=True, client=stream, clock=stream.clock
        )
        event = self.event(stream, numbers[:2], numbers[2:4], numbers[4:])
        event["Records"] += testing.sqs_event("hunter2")["Records"]
        event["Records"][3]["messageId"] = "broken"
        named = {failure["itemIdentifier"] for failure in handler(event, None)["batchItemFailures"]}
        assert named == {event["Records"][i]["messageId"] for i in (1, 2, 3)}

    def test_a_message_without_an_id_fails_the_whole_invocation(self, stream: FakeStream) -> None:
        numbers = written(stream, 2)
        handler = ReplayHandler(
            Seen("001").router, report_batch_item_failures=True, client=stream, clock=stream.clock
        )
        with pytest.raises(RuntimeError):
            handler(testing.sns_event(message(stream, numbers)), None)

    def test_an_unreadable_topic_message_is_raised(self) -> None:
        with pytest.raises(PayloadError):
            ReplayHandler(Seen().router)(testing.sns_event("hunter2"), None)

    @pytest.mark.parametrize("report", [True, False])
    def test_what_is_not_done_is_logged_unless_it_is_raised(
        self, caplog: pytest.LogCaptureFixture, *, report: bool
    ) -> None:
        router = StreamRouter()

        @router.on_change()
        def fails(record: StreamRecord[Any]) -> None:
            raise ValueError(record.keys["PK"])

        messages = []
        for number in range(2):
            record = testing.insert({"PK": f"no {number}"}, table_name=f"T{number}")
            failed = testing.on_failure_message([record], payload="object")
            messages.append({"messageId": f"m{number}", "body": json.dumps(failed)})
        event = {"Records": [*messages, {"messageId": "m2", "body": "hunter2"}]}
        handler = ReplayHandler(router, report_batch_item_failures=report)
        if report:
            assert len(handler(event)["batchItemFailures"]) == 3
        else:
            with pytest.raises(ValueError, match="no 0"):
                handler(event)
        assert ("no 0" in caplog.text) is report
        assert "no 1" in caplog.text
        assert "no on-failure message" in caplog.text
        assert "hunter2" not in caplog.text

    def test_a_context_reaches_the_handlers(self) -> None:
        router, contexts = StreamRouter(), []

        @router.on_change()
        def take(record: StreamRecord[Any], context: Any) -> None:
            contexts.append(context)

        failed = testing.on_failure_message([testing.insert({"PK": "a"})], payload="object")
        ReplayHandler(router)(testing.sqs_event(failed), "context")
        assert contexts == ["context"]

    def test_an_s3_notification_is_followed(self) -> None:
        class Body:
            def read(self) -> bytes:
                import json

                failed = testing.on_failure_message([testing.insert({"PK": "a"})], payload="object")
                return json.dumps(failed).encode()

        class S3:
            def get_object(self, **kwargs: Any) -> Any:
                assert kwargs == {"Bucket": "b", "Key": "a b"}
                return {"Body": Body()}

        seen = Seen()
        event = {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "a+b"}}}]}
        assert ReplayHandler(seen.router, s3_client=S3())(event) == {"batchItemFailures": []}
        assert seen.names == ["a"]


def test_an_s3_destination_is_replayed_from_its_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is aws/lambda/<mapping>/<shard>/<date>/<time>-<uuid>, as LocalStack recorded it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    records = [testing.insert({"PK": f"{i:03d}"}) for i in range(3)]
    failed = testing.on_failure_message(records, payload="object")
    key = "aws/lambda/0f3e/shardId-1/2026/01/01/2026-01-01T00.00.01-6d4b1f0a"
    named = {"bucket": {"name": "failures"}, "object": {"key": key.replace(":", "%3A")}}
    event = {"Records": [{"eventSource": "aws:s3", "s3": named}]}
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="failures")
        s3.put_object(Bucket="failures", Key=key, Body=json.dumps(failed))
        seen, store = Seen(), MemoryProgress()
        for _ in range(2):
            handler = ReplayHandler(seen.router, progress=store)
            assert handler(event) == {"batchItemFailures": []}
        gone = {"bucket": {"name": "failures"}, "object": {"key": "gone"}}
        with pytest.raises(PayloadError, match="NoSuchKey"):
            ReplayHandler(seen.router)({"Records": [{"s3": gone}]})
    assert seen.names == ["000", "001", "002"]


def test_the_streams_region_is_where_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddbstream.poller import _client

    stream, asked = FakeStream("Shelf", region="eu-west-3"), []

    def make(**kwargs: Any) -> FakeStream:
        asked.append(kwargs)
        return stream

    monkeypatch.setattr(_client, "make_client", make)
    numbers = written(stream, 4)
    failed = [message(stream, numbers[:2]), message(stream, numbers[2:])]
    replay(failed, Seen().router, endpoint_url="http://x", clock=stream.clock)
    assert asked == [{"endpoint_url": "http://x", "region_name": "eu-west-3"}]


def test_a_batch_error_is_what_is_raised_for_nothing_else() -> None:
    from ddbstream.replay._handler import _reason

    assert isinstance(_reason(ReplayReport()), BatchError)


@pytest.mark.parametrize(
    "payload",
    [
        # Lambda tells a function no shard; a page tells no stream; Kinesis has no such numbers.
        testing.lambda_event([testing.insert({"PK": "1"}), testing.insert({"PK": "2"})]),
        testing.get_records_page([testing.insert({"PK": "1"}), testing.insert({"PK": "2"})]),
        testing.kinesis_event([testing.insert({"PK": "1"}), testing.insert({"PK": "2"})]),
    ],
    ids=["lambda", "page", "kinesis"],
)
def test_what_a_router_put_aside_is_replayed_once_wherever_it_came_from(payload: Any):
    failing = StreamRouter(classify=lambda record: "Book")
    failing.on_change()(lambda record: 1 / 0)
    failing.on_error(ZeroDivisionError)(lambda failure: Disposition.DEAD_LETTER)
    letters: list[Any] = []
    assert failing.dispatch(payload, dead_letter=letters.append).checkpoint is None

    names: list[str] = []
    mended = StreamRouter(classify=lambda record: "Book")
    mended.on_change()(lambda record: names.append(record.keys["PK"]))
    progress = MemoryProgress()
    for _ in range(2):
        report = replay(letters, mended, progress=progress)
        assert (report.unreadable, report.failures) == ([], [])
    assert names == ["1", "2"]
