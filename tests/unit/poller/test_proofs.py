"""What one listing leaves out, or one answer denies, is still there until others agree."""

from __future__ import annotations

import asyncio
import time

import pytest

from ddbstream.poller import AsyncStreamPoller, CallFailed, Gap, MemoryCheckpoints, Settings
from ddbstream.testing import FakeClock
from ddbstream.testing.fake_stream._errors import client_error

HOUR = 3600.0
SNAKE = {"GetShardIterator": "get_shard_iterator", "GetRecords": "get_records"}
TWICE = (1, 2)  # three times is proof


def fail_in_turn(bench, operation, *codes):
    """Have the next calls of an operation fail, each by its own code."""
    for code in codes:
        bench.stream.fail(operation, code)


class TestAShardThatOneListingLeavesOut:
    """It may be denied, or read without an iterator that follows, at the same time."""

    @pytest.fixture
    def bench(self, make_bench):
        return make_bench(shards=2)  # a listing that shows nothing at all is a failed call

    def child_of(self, bench, parent_id):
        shards = bench.stream.stored_shards().values()
        (child,) = (shard for shard in shards if shard.parent_id == parent_id)
        return child.shard_id

    @pytest.mark.parametrize("listings", TWICE)
    @pytest.mark.parametrize("denied", [1, 2, 3])
    def test_is_not_gone(self, bench, listings, denied):
        written = bench.write(2)
        bench.catch_up()
        written += bench.write(2)
        shard_id = bench.written_to()
        bench.hide(shard_id, listings)
        get = bench.stream.get_shard_iterator
        codes = ["InternalServerError", *["ResourceNotFoundException"] * denied]

        def denying(**options):
            if options["ShardId"] == shard_id and codes:
                raise client_error(codes.pop(0), "GetShardIterator")
            return get(**options)

        bench.stream.get_shard_iterator = denying
        assert bench.catch_up() == written
        assert bench.of(Gap) == []

    @pytest.mark.parametrize("listings", TWICE)
    def test_is_not_ended(self, bench, listings):
        written = bench.write(2)
        shard_id = bench.written_to()
        read = bench.stream.get_records
        ends = [1]

        def without(**options):
            answer = read(**options)
            if ends and answer["Records"]:
                ends.pop()
                bench.hide(shard_id, listings)
                del answer["NextShardIterator"]
            return answer

        bench.stream.get_records = without
        bench.poller().run_until_caught_up(HOUR)
        written += bench.write(2)
        assert bench.catch_up() == written
        assert [e.code for e in bench.of(CallFailed)] == ["FalseEnd"]

    @pytest.mark.parametrize("listings", TWICE)
    @pytest.mark.parametrize("follow", [False, True])
    def test_is_read_before_its_stream_is_over(self, bench, listings, follow):
        written = bench.write(3)
        bench.hide(bench.written_to(), listings)
        bench.stream.disable()
        old = bench.stream.arn
        if follow:
            bench.clock.advance(10)
            bench.stream.enable()
            written += bench.write(2)
        poller = bench.poller(old, follow=follow)
        exit_ = poller.run_until_caught_up(HOUR) if follow else poller.run()
        assert exit_.reason == ("caught_up" if follow else "stream_ended")
        assert bench.router.values == written

    @pytest.mark.parametrize("listings", TWICE)
    def test_is_read_before_the_tables_next_stream_after_a_restart(self, bench, listings):
        written = bench.write(2)
        bench.catch_up()
        written += bench.write(1)
        parent = bench.written_to()
        bench.stream.roll_over()
        written += bench.write(2)
        child = self.child_of(bench, parent)
        bench.enable_again(seconds=HOUR)
        written += bench.write(2)
        bench.hide(child, listings)
        assert bench.catch_up() == written

    def test_is_read_in_an_event_loop_too(self, make_bench):
        bench = make_bench(clock=FakeClock(time.time()), shards=2)
        bench.store = MemoryCheckpoints()
        written = bench.write(3)
        bench.hide(bench.written_to(), 2)
        bench.stream.disable()
        settings = Settings(idle=0.01, idle_max=0.02, gone_after=0.2)
        poller = AsyncStreamPoller(
            "Product",
            bench.router,
            client=bench.stream,
            checkpoints=bench.store,
            settings=settings,
        )
        exit_ = asyncio.run(asyncio.wait_for(poller.run(), 30))
        assert exit_.reason == "stream_ended"
        assert bench.router.values == written


class TestAShardThatIsDeniedOnce:
    """What else goes wrong with it meanwhile proves nothing."""

    def closed(self, bench):
        written = bench.write(2)
        bench.catch_up()
        written += bench.write(2)
        bench.stream.roll_over()
        return written + bench.write(1)

    def test_is_not_gone_though_other_calls_fail_for_long(self, bench):
        written = self.closed(bench)
        throttled = ["ThrottlingException"] * 12
        fail_in_turn(bench, "GetShardIterator", "ResourceNotFoundException", *throttled)
        assert bench.catch_up() == written
        assert bench.of(Gap) == []

    def test_is_not_trimmed_as_a_whole_though_other_calls_fail(self, bench):
        written = bench.write(2)
        bench.stream.roll_over()
        written += bench.write(1)
        throttled = ["ThrottlingException"] * 3
        fail_in_turn(bench, "GetRecords", *throttled, "TrimmedDataAccessException")
        assert bench.catch_up() == written
        assert bench.of(Gap) == []


class TestTheEndOfAStream:
    """Listings in a row agree on it."""

    def test_a_last_child_that_is_listed_late_is_read(self, bench):
        written = bench.write(2)
        bench.stream.roll_over()
        written += bench.write(2)
        (child,) = bench.stream.open_shards()
        bench.stream.disable()
        bench.stream._streams[0].shards[child].listed_from = bench.clock.time() + 10
        assert bench.poller().run().reason == "stream_ended"
        assert bench.router.values == written

    def test_it_takes_seconds(self, bench):
        written = bench.write(2)
        bench.stream.disable()
        began = bench.clock.monotonic()
        assert bench.poller().run().reason == "stream_ended"
        assert bench.router.values == written
        assert 15 <= bench.clock.monotonic() - began < 40
        assert bench.stream.calls["DescribeStream"] < 12

    def test_it_takes_none_if_the_next_stream_was_enabled_long_ago(self, bench):
        bench.write(2)
        bench.catch_up()
        bench.enable_again()
        bench.clock.advance(60)
        bench.write(1)
        bench.catch_up()
        began = bench.clock.monotonic()
        bench.catch_up()
        assert bench.clock.monotonic() - began < 10

    def test_a_shard_that_is_gone_is_given_up_within_a_minute(self, bench):
        bench.write(2)
        bench.catch_up()
        bench.write(2)
        (shard_id,) = bench.stream.open_shards()
        bench.stream.roll_over()
        read, hidden = bench.stream.get_shard_iterator, []

        def gone(**options):
            if options["ShardId"] != shard_id:
                return read(**options)
            if not hidden:
                hidden.append(bench.hide(shard_id, 10**9))
            raise client_error("ResourceNotFoundException", "GetShardIterator")

        bench.stream.get_shard_iterator = gone
        began = bench.clock.monotonic()
        bench.catch_up(on_gap="continue")
        assert bench.clock.monotonic() - began < 60
        assert [(gap.shard_id, gap.reason) for gap in bench.of(Gap)] == [(shard_id, "shard_gone")]


class TestAnEndThatWasNone:
    """An answer may lose its iterator, or come just before the shard is closed."""

    def without_iterator(self, bench, *, records, times=1, then=lambda: None):
        """Have answers that are to have an iterator come without."""
        read, left = bench.stream.get_records, [times]

        def without(**options):
            answer = read(**options)
            if left[0] and "NextShardIterator" in answer and answer["Records"]:
                left[0] -= 1
                del answer["NextShardIterator"]
                answer["Records"] = answer["Records"] if records else []
                then()
            return answer

        bench.stream.get_records = without

    @pytest.mark.parametrize("records", [False, True])
    def test_is_none_though_the_shard_was_listed_as_closed(self, make_bench, records):
        bench = make_bench(page_records=2)
        written = bench.write(7)
        bench.stream.roll_over()
        self.without_iterator(bench, records=records)
        assert bench.catch_up() == written
        assert bench.of(Gap) == []

    @pytest.mark.parametrize("records", [False, True])
    def test_is_none_though_the_shard_is_closed_just_after(self, make_bench, records):
        bench = make_bench(page_records=2)
        written = bench.write(3)

        def more():
            written.extend(bench.write(2))
            bench.stream.roll_over()
            written.extend(bench.write(2))

        self.without_iterator(bench, records=records, then=more)
        assert bench.catch_up() == written
        assert len(written) == 7
        assert bench.of(Gap) == []

    def test_costs_two_calls_where_it_was_one(self, bench):
        bench.write(2)
        bench.stream.roll_over()
        bench.stream.disable()
        assert bench.poller().run().reason == "stream_ended"
        shards = len(bench.stream.stored_shards())
        assert bench.stream.calls["GetShardIterator"] == 2 * shards
        assert bench.stream.calls["GetRecords"] == 2 * shards

    @pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
    @pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
    def test_is_no_gap_where_nothing_is_left_to_ask(self, bench, operation, code):
        written = bench.write(2)
        bench.catch_up()
        bench.stream.roll_over()
        (closed,) = (s for s in bench.stream.stored_shards().values() if s.numbers)
        read, ended = bench.stream.get_records, []
        call = getattr(bench.stream, SNAKE[operation])

        def reading(**options):
            answer = read(**options)
            if "NextShardIterator" not in answer:
                ended.append(1)
                # It is trimmed between the two calls.
                setattr(bench.stream, SNAKE[operation], refusing)
            return answer

        def refusing(**options):
            if closed.shard_id in str(options):
                raise client_error(code, operation)
            return call(**options)

        bench.stream.get_records = reading
        written += bench.write(2)
        assert bench.catch_up() == written
        assert ended
        assert bench.of(Gap) == []

    def test_is_asked_for_no_more_than_twice_where_the_last_record_comes_again(self, bench):
        """As where a record has no number, or a stand-in takes AFTER for AT."""
        written = bench.write(2)
        bench.stream.roll_over()
        get, asked = bench.stream.get_shard_iterator, []

        def inclusive(**options):
            asked.append(options["ShardId"])
            if options["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER":
                options["ShardIteratorType"] = "AT_SEQUENCE_NUMBER"
            return get(**options)

        bench.stream.get_shard_iterator = inclusive
        assert bench.catch_up() == [*written, written[-1]]
        assert len(asked) == 3
