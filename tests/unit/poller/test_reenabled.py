"""A stream that is disabled and enabled again is another stream: none is skipped in silence."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from ddbstream.exceptions import PollerError, RecordsTrimmedError
from ddbstream.poller import (
    After,
    AsyncStreamPoller,
    AtStart,
    CallFailed,
    DynamoDBCheckpoints,
    End,
    FileCheckpoints,
    Gap,
    MemoryCheckpoints,
    SQLiteCheckpoints,
    Start,
    StreamPoller,
)
from ddbstream.poller._core.shard import birth_of
from ddbstream.testing import FakeClock, FakeStream
from ddbstream.testing.fake_stream._errors import client_error
from tests.support.poller_bench import (
    QUICK,
    Both,
    Recorder,
    value_of,
)


@pytest.fixture(params=[MemoryCheckpoints, FileCheckpoints, SQLiteCheckpoints])
def any_store(request, tmp_path, bench):
    clock = bench.clock.time
    if request.param is MemoryCheckpoints:
        bench.store = MemoryCheckpoints(clock=clock)
    else:
        bench.store = request.param(tmp_path / "positions", clock=clock)
    yield bench
    getattr(bench.store, "close", lambda: None)()


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
def test_what_was_left_when_nothing_was_read_comes_before_the_next_stream(any_store, times, start):
    bench = any_store
    bench.catch_up(start=start)
    written = bench.write(2)
    for _ in range(times):
        bench.enable_again()
        bench.clock.advance(10)
        written += bench.write(2)
    assert bench.catch_up(start=start) == written
    assert bench.catch_up(start=start) == written


def test_an_ended_stream_is_not_begun_again(bench):
    written = bench.write(2)
    bench.stream.disable()
    assert bench.poller().run().reason == "stream_ended"
    bench.clock.advance(5)
    bench.stream.enable()
    written += bench.write(2)
    assert bench.catch_up(start="LATEST") == written


def test_a_store_from_before_is_asked_for_each_stream_that_is_listed(bench):
    written = bench.write(3)
    lease = bench.store.acquire(bench.stream.arn, "old", ttl=30)
    bench.store.fix_start(lease, Start(AtStart(), bench.clock.time()))
    (shard,) = bench.stream.stored_shards().values()
    bench.store.save(lease, shard.shard_id, After(str(shard.numbers[0])))
    bench.store.release(lease)
    bench.enable_again()
    written += bench.write(1)
    assert bench.catch_up(start="LATEST") == written[1:]


def test_a_stream_that_left_before_it_was_read_is_a_gap(bench):
    bench.write(1)
    bench.catch_up()
    bench.write(1)
    bench.enable_again()
    bench.clock.advance(30 * 3600)
    bench.write(1)
    with pytest.raises(RecordsTrimmedError):
        bench.catch_up()
    bench.router.records.clear()
    assert bench.catch_up(on_gap="continue") == [2]
    assert bench.of(Gap)


def test_a_stream_between_one_that_was_dropped_and_the_newest_is_read(bench):
    bench.end_and_enable_again()
    bench.clock.advance(20 * 3600)
    written = bench.write(2)
    bench.enable_again()
    written += bench.write(1)
    bench.clock.advance(5 * 3600)  # the first is dropped, the second is not
    assert bench.catch_up(on_gap="continue") == written


class TestALaterStreamIsOwedFromItsEnabling:
    """It follows one that was read: what it lost before it was begun is lost for this consumer."""

    def later(self, bench, hours, *, rolled=False):
        bench.end_and_enable_again()
        written = bench.write(1)
        if rolled:
            bench.stream.roll_over()
        bench.clock.advance(hours * 3600)
        return written + bench.write(1)

    @pytest.mark.parametrize("rolled", [False, True])
    @pytest.mark.parametrize("hours", [24.1, 30, 90])
    def test_begun_a_day_after_it_there_is_a_gap(self, bench, hours, rolled):
        kept = self.later(bench, hours, rolled=rolled)[1:]
        for _ in range(2):  # until somebody says to go on
            with pytest.raises(RecordsTrimmedError, match="of the stream may be lost"):
                bench.catch_up()
        assert bench.router.values == []
        bench.events.clear()
        assert bench.catch_up(on_gap="continue") == kept
        expected = Gap(bench.stream.arn, None, None, None, "trimmed_before_first_read")
        assert bench.of(Gap)[:1] == [expected]
        bench.events.clear()
        bench.catch_up()
        assert bench.of(Gap) == []

    @pytest.mark.parametrize("rolled", [False, True])
    def test_begun_within_a_day_there_is_none(self, bench, rolled):
        written = self.later(bench, 23.9, rolled=rolled)
        assert bench.catch_up() == written
        assert bench.of(Gap) == []

    def test_one_that_is_the_consumers_first_is_owed_from_the_start(self, bench):
        kept = self.later(bench, 30)[1:]
        assert bench.catch_up(consumer="other") == kept
        assert bench.of(Gap) == []

    def test_the_age_is_told_by_the_services_clock(self, bench):
        written = self.later(bench, 1)
        ahead = FakeClock(bench.clock.time() + 30 * 3600)
        poller = StreamPoller(
            "Product",
            bench.router,
            client=bench.stream,
            checkpoints=bench.store,
            clock=ahead,
            on_event=bench.on_event,
        )
        poller.run_until_caught_up(600)
        assert bench.router.values == written
        assert bench.of(Gap) == []

    def test_the_one_before_may_have_kept_it_waiting(self, bench):
        kept = []

        class Slow(Recorder):
            def dispatch(self, payload, **options):
                if not self.records:
                    bench.enable_again()
                    bench.write(1)
                    bench.clock.advance(30 * 3600)
                    kept.extend(bench.write(1))
                return super().dispatch(payload, **options)

        bench.router = Slow()
        first = bench.write(1)
        poller = bench.poller(follow=True, on_gap="continue")
        poller.run_until_caught_up(7 * 86_400)
        assert bench.router.values == first + kept
        (gap,) = [gap for gap in bench.of(Gap) if gap.stream_arn == bench.stream.arn]
        assert gap.reason == "trimmed_before_first_read"


def test_a_refused_list_of_streams_does_not_skip_what_is_left_of_the_last_one(bench):
    bench.write(1)
    bench.catch_up()
    bench.stream.roll_over()
    bench.clock.advance(60)
    (first, _) = bench.stream.stored_shards().values()
    lease = bench.store.acquire(bench.stream.arn, "old", ttl=30)
    bench.store.save(lease, first.shard_id, End())  # its child is not begun
    bench.store.release(lease)
    written = bench.write(2)
    bench.enable_again()
    written += bench.write(1)
    bench.router.records.clear()
    list_streams, refusals = bench.stream.list_streams, [1]

    def refusing(**options):
        if refusals.pop() if refusals else None:
            raise client_error("AccessDeniedException", "ListStreams")
        return list_streams(**options)

    bench.stream.list_streams = refusing
    assert bench.catch_up() == written


@pytest.mark.parametrize("garbled", [None, {}, {"Streams": None}], ids=str)
class TestAListOfStreamsThatCannotBeOne:
    """botocore makes ``{}`` of an answer that was cut off: it says nothing of the streams."""

    def stopped_with_two_streams_left(self, bench):
        bench.catch_up()
        written = bench.write(1)
        for _ in range(2):
            bench.enable_again()
            written += bench.write(1)
        return written

    def garble(self, bench, garbled, times):
        list_streams, answers = bench.stream.list_streams, [garbled] * times

        def lying(**options):
            return answers.pop() if answers else list_streams(**options)

        bench.stream.list_streams = lying

    def test_skips_none_at_the_start(self, bench, garbled):
        written = self.stopped_with_two_streams_left(bench)
        self.garble(bench, garbled, 2)
        assert bench.catch_up() == written

    def test_is_an_error_at_the_start_if_it_stays(self, bench, garbled):
        written = self.stopped_with_two_streams_left(bench)
        self.garble(bench, garbled, 8)
        with pytest.raises(PollerError, match="Streams"):
            bench.catch_up()
        assert bench.catch_up() == written

    def test_skips_none_while_the_poller_follows(self, bench, garbled):
        written = bench.write(1)
        first = bench.stream.arn
        for _ in range(2):
            bench.enable_again()
            written += bench.write(1)
        self.garble(bench, garbled, 2)
        bench.poller(first, follow=True).run_until_caught_up(3600)
        assert bench.router.values == written
        failed = [(event.operation, event.code) for event in bench.of(CallFailed)]
        assert failed == [("Follow", "GarbledAnswer")] * 2


def test_a_list_of_streams_that_goes_in_circles_skips_none(bench):
    bench.catch_up()
    written = bench.write(1)
    bench.enable_again()
    written += bench.write(1)
    list_streams, circles = bench.stream.list_streams, [1] * 16

    def circling(**options):
        answer = list_streams(TableName=options["TableName"])
        if circles and circles.pop():
            return {"Streams": answer["Streams"][-1:], "LastEvaluatedStreamArn": "x"}
        return answer

    bench.stream.list_streams = circling
    with pytest.raises(PollerError, match="circles"):
        bench.catch_up()
    assert bench.catch_up() == written


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_crash_right_after_the_start_and_a_day_of_silence_are_a_gap(bench, times):
    bench.write(1)
    lease = bench.store.acquire(bench.stream.arn, "old", ttl=30)
    bench.store.fix_start(lease, Start(AtStart(), bench.clock.time()))
    if not times:
        bench.stream.roll_over()  # what is left tells nothing of what there was
    for _ in range(times):
        bench.enable_again()
        bench.write(1)
    bench.clock.advance(30 * 3600)
    kept = bench.write(1)
    with pytest.raises(RecordsTrimmedError):
        bench.catch_up()
    bench.router.records.clear()
    assert bench.catch_up(on_gap="continue") == kept
    assert bench.of(Gap)


def test_a_stream_by_its_arn_is_that_stream_alone(bench):
    bench.catch_up()
    bench.write(1)
    arn = bench.enable_again()
    later = bench.write(1)
    bench.poller(arn).run_until_caught_up(600)
    assert bench.router.values == later


def test_two_streams_that_come_while_the_first_is_read_are_both_read(bench):
    written = bench.write(2)

    class Router(Recorder):
        def dispatch(self, payload, **options):
            if not self.records:
                for _ in range(2):
                    bench.enable_again()
                    written.extend(bench.write(2))
            return super().dispatch(payload, **options)

    bench.router = Router()
    poller = bench.poller(follow=True)
    poller.run_until_caught_up(3600)
    assert bench.router.values == written


@pytest.mark.parametrize("call", ["acquire", "load"])
def test_an_answer_to_the_store_that_was_cut_off_does_not_end_the_following(bench, call):
    class CutOff:
        """botocore makes ``{}`` of such an answer."""

        def __getattr__(self, name):
            return lambda **_: {"ResponseMetadata": {}}

    class Store(MemoryCheckpoints):
        cut_off = 0

        def _cut(self, name, *arguments, **options):
            if name == call and bench.router.values and self.cut_off < 2:
                self.cut_off += 1
                getattr(DynamoDBCheckpoints("positions", client=CutOff()), name)(
                    *arguments, **options
                )

        def acquire(self, *arguments, **options):
            self._cut("acquire", *arguments, **options)
            return super().acquire(*arguments, **options)

        def load(self, lease):
            self._cut("load", lease)
            return super().load(lease)

    bench.store = Store(clock=bench.clock.time)
    bench.catch_up()
    written = bench.write(1)
    bench.enable_again()
    written += bench.write(1)
    assert bench.catch_up() == written
    assert bench.store.cut_off == 2


def test_a_successor_that_is_found_slowly_is_looked_for_once(now):
    now.write(1)
    now.enable_again()
    written = now.write(1)
    describe, looking, most = now.stream.describe_table, [], []

    def slow(**options):
        looking.append(1)
        most.append(len(looking))
        time.sleep(0.3)  # many times as long as until the next look
        looking.pop()
        return describe(**options)

    now.stream.describe_table = slow
    first = min(now.stream.list_streams()["Streams"], key=lambda s: s["StreamLabel"])["StreamArn"]
    poller = StreamPoller(
        first,
        now.router,
        client=now.stream,
        checkpoints=now.store,
        settings=replace(QUICK, discovery=0.02),
        follow=True,
    )
    poller.run_until_caught_up(30)
    assert now.router.values == [0, *written]
    assert max(most) == 1


def test_each_of_several_tables_is_followed_by_itself(bench):
    clock = FakeClock()
    one, two = FakeStream("One", clock=clock), FakeStream("Two", clock=clock)

    def put(stream, number):
        stream.put({"PK": {"S": "a"}, "n": {"N": str(number)}})

    put(one, 1)
    put(two, 2)
    values = []
    done = []

    class Router(Recorder):
        def dispatch(self, payload, **options):
            result = super().dispatch(payload, **options)
            values.extend(map(value_of, payload))
            if 1 in values and not done:  # the other table's stream goes on all the while
                done.append(1)
                for number in (3, 4):
                    one.disable()
                    one.enable()
                    put(one, number)
            return result

    poller = StreamPoller(
        [f"{one.arn.partition('/stream/')[0]}", "Two"],
        Router(),
        client=Both(one, two),
        clock=clock,
        follow=True,
    )
    poller.run_until_caught_up(3600)
    assert [value for value in values if value != 2] == [1, 3, 4]
    assert 2 in values


class TestAnEndNeedsProof:
    """One answer that something is not there may be a slip of the service's."""

    def test_a_stream_that_is_denied_for_a_moment_is_read_on(self, bench):
        bench.write(1)
        poller = bench.poller()
        seen = []

        def listen(event):
            if len(bench.router.records) == 1 and not seen:
                seen.append(1)
                bench.stream.fail("DescribeStream", "ResourceNotFoundException", times=2)
            if len(seen) == 1 and bench.stream.calls["DescribeStream"] > 3:
                seen.append(bench.write(1))
            if len(bench.router.records) == 2:
                poller.stop()

        bench.listen = listen
        assert poller.run().reason == "stopped"
        assert bench.router.values == [0, 1]

    def test_an_open_shard_is_not_ended_however_long_it_is_denied(self, bench):
        bench.write(1)
        bench.stream.fail("GetShardIterator", "ResourceNotFoundException", times=12)
        assert bench.catch_up() == [0]
        assert bench.of(Gap) == []

    def test_a_shard_that_is_a_day_old_may_have_young_records(self, bench):
        bench.catch_up()
        bench.clock.advance(4 * 3600)
        bench.catch_up()
        written = bench.write(2)
        bench.stream.roll_over()
        written += bench.write(1)
        bench.clock.advance(20.5 * 3600)
        bench.stream.fail("GetShardIterator", "ResourceNotFoundException", times=3)
        assert bench.catch_up() == written
        assert bench.of(Gap) == []

    @pytest.mark.parametrize(
        "described",
        [
            None,
            {},
            {"StreamDescription": None},
            {"StreamDescription": {"Shards": None}},
            {"StreamDescription": {"Shards": []}},
            {"StreamDescription": {"StreamStatus": "ENABLED", "Shards": []}},
            {"StreamDescription": {"Shards": [None]}},
            {"StreamDescription": {"Shards": [{}]}},
            {"StreamDescription": {"Shards": [{"ShardId": None}]}},
        ],
    )
    def test_a_listing_that_cannot_be_one_is_a_failed_call(self, bench, described):
        written = bench.write(2)
        describe, answers = bench.stream.describe_stream, [described, described]

        def lying(**options):
            return answers.pop() if answers else describe(**options)

        bench.stream.describe_stream = lying
        assert bench.catch_up() == written
        written += bench.write(1)
        answers += [described]
        assert bench.catch_up() == written
        assert len(bench.of(CallFailed)) == 3
        assert bench.of(Gap) == []

    def test_so_is_an_answer_that_an_event_loop_has_awaited(self, now):
        written, answers = now.write(2), [None, {"StreamDescription": {"Shards": [None]}}]

        class Client:
            async def describe_stream(self, **options):
                return answers.pop() if answers else now.stream.describe_stream(**options)

            async def get_shard_iterator(self, **options):
                return now.stream.get_shard_iterator(**options)

            async def get_records(self, **options):
                return now.stream.get_records(**options)

        poller = AsyncStreamPoller(now.stream.arn, now.router, client=Client(), settings=QUICK)
        asyncio.run(poller.run_until_caught_up())
        assert now.router.values == written

    def test_digits_that_are_no_milliseconds_tell_no_age(self):
        assert birth_of("shardId-00000000000000000123-abcdef12") is None
        assert birth_of("shardId-00000001414562045508-0b3fc42e") == 1_414_562_045.508


def test_a_last_shard_of_its_kind_is_not_waited_for_when_it_is_a_day_old(bench):
    bench.write(1)
    bench.catch_up()
    (shard,) = bench.stream.stored_shards().values()
    bench.clock.advance(23 * 3600)
    bench.write(1)
    bench.stream._close(shard)
    bench.clock.advance(2 * 3600)
    began = bench.clock.monotonic()
    bench.catch_up(on_gap="continue")
    assert bench.clock.monotonic() - began < 600
