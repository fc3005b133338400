"""What goes wrong between a poller and DynamoDB Streams, one example each.

The simulation mixes them.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from ddbstream.exceptions import (
    CheckpointError,
    FencedError,
    PollerError,
    RecordsTrimmedError,
    StreamNotFoundError,
)
from ddbstream.poller import AtStart, CallFailed, Gap, MemoryCheckpoints, Settings, StreamListed
from ddbstream.testing import Faults
from ddbstream.testing.fake_stream._errors import client_error

HOUR = 3600.0


def test_the_records_of_a_shards_last_page_are_delivered(bench):
    written = bench.write(5)
    bench.stream.roll_over()
    written += bench.write(5)
    assert bench.catch_up() == written


def test_a_cut_off_answer_does_not_end_a_shard(bench):
    written = bench.write(10)
    bench.stream.fail("GetRecords", "cut", times=3)
    assert bench.catch_up() == written
    assert [e.code for e in bench.of(CallFailed)] == ["GarbledAnswer"] * 3


@pytest.mark.parametrize("operation", ["DescribeStream", "GetShardIterator"])
def test_other_cut_off_answers_are_failed_calls_too(bench, operation):
    written = bench.write(3)
    bench.stream.fail(operation, "cut", times=2)
    assert bench.catch_up() == written


def test_a_page_without_an_iterator_does_not_end_a_shard_that_is_open(bench):
    written = bench.write(3)
    original, bare = bench.stream.get_records, [3]

    def without(**kwargs):
        answer = original(**kwargs)
        if bare[0]:
            bare[0] -= 1
            del answer["NextShardIterator"]
        return answer

    bench.stream.get_records = without
    assert bench.catch_up() == written
    written += bench.write(3)
    assert bench.catch_up() == written
    assert [e.code for e in bench.of(CallFailed)] == ["FalseEnd"] * 3


def test_a_child_that_is_listed_late_is_looked_for_until_it_comes(make_bench):
    bench = make_bench(faults=Faults(listing_delay=1_000.0), seed=3)
    written = bench.write(2)
    bench.stream.roll_over()
    written += bench.write(2)
    assert bench.catch_up() == written


def test_a_child_whose_parent_is_not_listed_waits_for_it(make_bench):
    bench = make_bench(seed=1)
    written = bench.write(3)
    parent = bench.stream.open_shards()[0]
    bench.stream.roll_over()
    written += bench.write(3)
    data = bench.stream._streams[0].shards[parent]
    data.listed_from = bench.clock.time() + 300  # lagging: the child is listed, the parent is not
    assert bench.catch_up() == written


def test_a_parent_that_never_comes_back_is_a_gap_and_not_a_wait_for_ever(make_bench):
    bench = make_bench()
    bench.write(3)
    parent = bench.stream.open_shards()[0]
    bench.stream.roll_over()
    written = bench.write(3)
    bench.stream._streams[0].shards[parent].listed_from = float("inf")
    began = bench.clock.time()
    assert bench.catch_up(on_gap="continue") == written
    assert bench.clock.time() - began >= 3_600
    assert [(gap.shard_id, gap.reason) for gap in bench.of(Gap)] == [(parent, "parent_missing")]


def test_a_parent_that_looks_open_while_its_child_is_listed_is_closed(make_bench):
    bench = make_bench(faults=Faults(open_shard=1.0))
    written = bench.write(3)
    bench.stream.roll_over()
    written += bench.write(3)
    assert bench.catch_up() == written


def test_a_listing_of_many_pages_is_read_to_its_end(make_bench):
    bench = make_bench(page_shards=7, shuffled=True)
    written = []
    for _ in range(60):
        written += bench.write(1)
        bench.clock.advance(1)
        bench.stream.roll_over()
    assert bench.catch_up() == written
    assert bench.of(StreamListed)[-1].shards == 61


def test_a_cursor_that_repeats_does_not_page_for_ever(bench):
    written = bench.write(2)
    describe = bench.stream.describe_stream
    loops = [3]

    def looping(**kwargs):
        answer = describe(**kwargs)
        if loops[0]:
            loops[0] -= 1
            answer["StreamDescription"]["LastEvaluatedShardId"] = "shardId-loop"
        return answer

    bench.stream.describe_stream = looping
    assert bench.catch_up() == written


def test_an_iterator_that_expires_before_the_first_record_starts_at_the_kept_start(bench):
    bench.write(3)
    bench.clock.advance(120)
    poller = bench.poller(start="LATEST")
    written = []

    def trouble(event):
        if isinstance(event, StreamListed) and not written:
            bench.clock.advance(5)
            written.extend(bench.write(4))
            bench.stream.expire_iterators()

    bench.listen = trouble
    poller.run_until_caught_up(HOUR)
    assert bench.router.values == written


def test_an_iterator_that_expires_later_goes_on_after_the_last_record(make_bench):
    bench = make_bench(page_records=2)
    written = bench.write(9)
    dispatch = bench.router.dispatch

    def slow(payload, **kwargs):
        bench.clock.advance(16 * 60)  # a handler that takes longer than an iterator lives
        return dispatch(payload, **kwargs)

    bench.router.dispatch = slow
    assert bench.catch_up() == written


class TestTrimmed:
    """Records left the stream before they were read."""

    @pytest.fixture
    def late(self, make_bench):
        bench = make_bench()
        bench.write(3)
        bench.catch_up()
        self.lost = bench.write(4)
        bench.clock.advance(23 * HOUR)
        self.kept = bench.write(3)
        bench.clock.advance(2 * HOUR)
        return bench

    def test_is_an_error_by_default_and_stays_one(self, late):
        for _ in range(2):
            with pytest.raises(RecordsTrimmedError):
                late.poller().run_until_caught_up(HOUR)
        assert late.router.values == [0, 1, 2]

    def test_is_a_reported_gap_if_the_policy_is_to_go_on(self, late):
        late.router.records.clear()
        assert late.catch_up(on_gap="continue") == self.kept
        reasons = {gap.reason for gap in late.of(Gap)}
        assert reasons == {"stopped_too_long", "trimmed"}

    def test_tells_from_where_to_where(self, late):
        late.catch_up(on_gap="continue")
        (gap,) = (gap for gap in late.of(Gap) if gap.reason == "trimmed")
        numbers = [record["dynamodb"]["SequenceNumber"] for record in late.router.records]
        assert gap.after.sequence_number == numbers[2]
        assert gap.until == numbers[3]

    def test_is_reported_once(self, late):
        late.catch_up(on_gap="continue")
        count = len(late.of(Gap))
        late.catch_up(on_gap="fail")
        assert len(late.of(Gap)) == count


def test_whole_shards_that_came_and_went_in_a_stop_are_a_gap(bench):
    bench.write(1)
    bench.catch_up()
    bench.stream.roll_over()
    bench.write(5)
    bench.stream.roll_over()
    bench.clock.advance(40 * HOUR)
    written = bench.write(2)
    bench.router.records.clear()
    assert bench.catch_up(on_gap="continue") == written
    assert "stopped_too_long" in {gap.reason for gap in bench.of(Gap)}


def test_a_young_shard_lost_nothing_however_long_the_poller_was_stopped(bench):
    bench.catch_up()
    bench.clock.advance(30 * HOUR)
    bench.stream.roll_over()
    (young,) = bench.stream.open_shards()
    lease = bench.store.acquire(bench.stream.arn, "stopped early", ttl=30)
    bench.store.save(lease, young, AtStart())
    bench.store.release(lease)
    written = bench.write(2)
    read = bench.stream.get_records

    def slow(**options):
        bench.clock.advance(600)
        return read(**options)

    bench.stream.get_records = slow
    assert bench.catch_up(on_gap="continue") == written
    gaps = bench.of(Gap)
    assert "stopped_too_long" in {gap.reason for gap in gaps}
    assert young not in {gap.shard_id for gap in gaps}


def test_a_shard_that_leaves_before_its_end_is_a_gap_and_its_child_is_read(make_bench):
    bench = make_bench(page_records=2)
    bench.write(8)
    (parent,) = bench.stream.open_shards()
    bench.stream.roll_over()
    kept = []
    dispatch = bench.router.dispatch

    def very_slow(payload, **kwargs):
        result = dispatch(payload, **kwargs)
        if not kept:
            bench.clock.advance(40 * HOUR)
            kept.extend(bench.write(2))
        return result

    bench.router.dispatch = very_slow
    values = bench.catch_up(on_gap="continue")
    assert values[-2:] == kept
    assert values[:-2] == list(range(len(values) - 2))
    assert len(values) < 10
    (gap,) = (gap for gap in bench.of(Gap) if gap.reason == "shard_gone")
    assert gap.shard_id == parent
    assert gap.after.sequence_number


def test_an_idle_stream_is_no_gap_however_long_it_is_idle(bench):
    bench.catch_up()
    for _ in range(30):
        bench.clock.advance(20 * HOUR)
        bench.catch_up()
    assert bench.of(Gap) == []


def test_throttles_resets_and_server_errors_are_waited_out(bench):
    written = bench.write(5)
    for answer in ("ThrottlingException", "LimitExceededException", "InternalServerError", "reset"):
        bench.stream.fail("GetRecords", answer, times=3)
        bench.stream.fail("DescribeStream", answer, times=2)
        bench.stream.fail("GetShardIterator", answer, times=2)
    assert bench.catch_up() == written


def test_waits_grow_and_have_a_cap(bench):
    bench.stream.fail("GetRecords", "ThrottlingException", times=12)
    bench.catch_up()
    waits = [event.retry_in for event in bench.of(CallFailed)]
    assert waits[0] < 0.3
    assert max(waits) <= 15.0
    assert min(waits[-3:]) >= 7.5


def test_one_shards_trouble_stays_with_that_shard(make_bench):
    bench = make_bench(shards=2)
    keys = {
        bench.stream._streams[0].shard_for({"PK": {"S": k}}).shard_id: k
        for k in map(str, range(50))
    }
    bad, good = keys.values()
    poison = bench.write(1, key=bad)[0]
    written = [n for _ in range(20) for n in bench.write(1, key=good)]
    bench.router.failing[poison] = 10**9
    exit_ = bench.poller().run_until_caught_up(timeout=60)
    assert exit_.reason == "deadline"
    assert bench.router.values == written


def test_a_shard_whose_calls_always_fail_stops_neither_the_others_nor_the_listings(make_bench):
    bench = make_bench(shards=2)
    broken = bench.stream.open_shards()[0]
    original = bench.stream.get_records

    def failing(**kwargs):
        if json.loads(kwargs["ShardIterator"])["shard"] == broken:
            raise client_error("ThrottlingException", "GetRecords")
        return original(**kwargs)

    bench.stream.get_records = failing
    data = bench.stream._streams[0]
    written = []
    for key in map(str, range(20)):
        written += bench.write(1, key=key)
    lost = [
        n
        for n, key in zip(written, map(str, range(20)), strict=True)
        if data.shard_for({"PK": {"S": key}}).shard_id == broken
    ]
    assert 0 < len(lost) < 20
    assert bench.poller().run_until_caught_up(timeout=300).reason == "deadline"
    assert bench.router.values == [n for n in written if n not in lost]
    assert len(bench.of(StreamListed)) >= 4


def test_empty_pages_mean_nothing(make_bench):
    bench = make_bench(faults=Faults(empty_page=0.8), seed=5)
    written = bench.write(20)
    bench.stream.roll_over()  # of a closed shard even a hundred empty pages are not its end
    assert bench.catch_up() == written


def test_a_full_page_is_followed_at_once_and_an_empty_one_within_a_second(bench):
    written = bench.write(100)
    began, done = bench.clock.time(), []
    poller = bench.poller(settings=Settings(page_limit=10, caught_up_pages=10**9))

    def listen(event):
        if not done and len(bench.router.values) == 100:
            done.append(bench.clock.time() - began)

    bench.listen = listen
    poller.run_until_caught_up(timeout=600)
    assert bench.router.values == written
    assert done[0] < 1
    assert 550 < bench.stream.calls["GetRecords"] < 650


def test_both_children_of_a_split_come_after_their_parent(make_bench):
    bench = make_bench()
    written = [n for key in "abcdef" for n in bench.write(2, key=key)]
    bench.stream.split()
    later = [n for key in "abcdef" for n in bench.write(2, key=key)]
    values = bench.catch_up()
    assert values[: len(written)] == written
    assert sorted(values[len(written) :]) == later


def test_a_child_of_a_split_that_is_listed_a_little_later_is_waited_for(bench):
    bench.write(1)
    bench.stream.split()
    written = [n for key in map(str, range(20)) for n in bench.write(1, key=key)]
    late = bench.stream._streams[0].shards[bench.stream.open_shards()[1]]
    late.listed_from = bench.clock.time() + 0.9
    assert sorted(bench.catch_up()) == [0, *written]


def test_a_disabled_stream_is_read_to_its_end_and_then_left(bench):
    written = bench.write(3)
    bench.stream.disable()
    exit_ = bench.poller().run()
    assert exit_.reason == "stream_ended"
    assert bench.router.values == written


def test_a_deleted_stream_ends_with_a_gap_for_what_was_not_read(bench):
    bench.write(3)
    bench.catch_up()
    bench.write(2)
    bench.stream.disable()
    bench.clock.advance(20 * HOUR)
    arn = bench.stream.arn
    bench.clock.advance(10 * HOUR)
    exit_ = bench.poller(arn, on_gap="continue").run()
    assert exit_.reason == "stream_ended"
    assert bench.of(Gap)


def test_a_stream_that_is_enabled_again_is_followed_if_asked(bench):
    written = bench.write(3)
    bench.stream.disable()
    old = bench.stream.arn
    bench.clock.advance(10)
    new = bench.stream.enable()
    written += bench.write(3)
    assert new != old
    exit_ = bench.poller(old, follow=True).run_until_caught_up(HOUR)
    assert exit_.reason == "caught_up"
    assert bench.router.values == written
    assert {context.stream_arn for context in bench.router.contexts} == {old, new}


def test_positions_of_two_streams_of_a_table_are_kept_apart(bench):
    bench.write(3)
    old = bench.stream.arn
    bench.catch_up()
    bench.stream.disable()
    bench.clock.advance(10)
    bench.stream.enable()
    written = bench.write(2)
    bench.router.records.clear()
    assert bench.catch_up() == written
    assert bench.store._streams.keys() == {old, bench.stream.arn}


def test_what_is_saved_is_not_delivered_again(bench):
    bench.write(5)
    bench.catch_up()
    written = bench.write(5)
    bench.router.records.clear()
    assert bench.catch_up() == written


def test_an_ended_shard_is_not_read_again_after_a_restart(bench):
    bench.write(5)
    bench.stream.roll_over()
    bench.catch_up()
    bench.router.records.clear()
    assert bench.catch_up() == []


def test_a_save_that_fails_is_tried_again_with_the_same_value(bench):
    class Failing(MemoryCheckpoints):
        calls = 0
        saved = ()

        def save(self, lease, shard_id, position):
            self.calls += 1
            if self.calls <= 4:
                raise ConnectionError("no answer")
            self.saved += (position,)
            super().save(lease, shard_id, position)

    store = Failing(clock=bench.clock.time)
    written = bench.write(5)
    assert bench.catch_up(checkpoints=store) == written
    assert len(store.saved) == 1
    assert len(bench.router.attempts) == 5


def test_delivery_stops_while_the_store_fails(make_bench):
    class Broken(MemoryCheckpoints):
        def save(self, lease, shard_id, position):
            raise ConnectionError("down")

    bench = make_bench(page_records=2)
    bench.write(20)
    poller = bench.poller(checkpoints=Broken(), settings=Settings(max_unsaved=2))
    assert poller.run_until_caught_up(timeout=600).reason == "deadline"
    assert bench.router.values == [0, 1, 2, 3]


def test_a_second_poller_stops_the_first(bench):
    bench.write(1)
    first = bench.poller().batches()
    next(first).commit()
    bench.write(1)
    batch = next(first)
    with pytest.raises(FencedError):  # only if asked not to take over
        bench.poller(takeover=False).run_until_caught_up(60)
    second = bench.poller()
    second.run_until_caught_up(60)
    with pytest.raises(FencedError):
        batch.commit()
    with pytest.raises(FencedError):
        next(first)


def test_a_clock_that_jumps_delays_nothing_and_loses_nothing(bench):
    written = bench.write(2)
    poller = bench.poller()
    jumps = [3_000.0, -7_000.0, 500.0]

    def jump(event):
        if jumps:
            bench.clock.jump(jumps.pop())
            written.extend(bench.write(1))

    bench.listen = jump
    before = bench.clock.monotonic()
    poller.run_until_caught_up(HOUR)
    assert bench.router.values == written
    assert bench.clock.monotonic() - before < 60


def test_a_position_under_the_wrong_shard_is_an_error_and_no_loop(bench):
    bench.write(1)
    bench.catch_up()
    shard_id = bench.stream.open_shards()[0]
    state = bench.store._streams[bench.stream.arn]
    state.positions[shard_id] = type(state.positions[shard_id])("1".zfill(21))
    poller = bench.poller(settings=Settings(fatal_after=300))
    with pytest.raises(PollerError, match=r"GetShardIterator.*is refused: ValidationException"):
        poller.run_until_caught_up(HOUR)


def test_refused_credentials_are_an_error_at_once_if_nothing_ever_worked(bench):
    bench.stream.fail("DescribeStream", "AccessDeniedException", times=99)
    began = bench.clock.time()
    with pytest.raises(PollerError, match="AccessDenied"):
        bench.poller().run()
    assert bench.clock.time() == began


def test_credentials_that_expire_are_waited_for(bench):
    written = bench.write(2)
    bench.stream.fail("GetRecords", "ExpiredTokenException", times=5)
    bench.stream.fail("DescribeStream", "ExpiredTokenException", times=3)
    assert bench.catch_up() == written


def test_credentials_that_do_not_come_back_end_the_poller_in_the_end(bench):
    bench.stream.fail("GetRecords", "AccessDeniedException", times=10**4)
    began = bench.clock.time()
    with pytest.raises(PollerError, match="AccessDenied"):
        bench.poller().run()
    assert 900 <= bench.clock.time() - began < 1_000
    assert len(bench.of(CallFailed)) < 60


def test_ten_thousand_shards_are_listed_within_the_budget_and_read(make_bench):
    bench = make_bench(shards=700)
    for _ in range(15):  # 11,200 shards, of which 700 are open
        bench.stream.roll_over()
        bench.clock.advance(60)
    written = [n for key in range(300) for n in bench.write(1, key=str(key))]
    began = bench.clock.time()
    poller = bench.poller(settings=Settings(idle=30, idle_max=600, discovery=900))
    assert poller.run_until_caught_up(4 * HOUR).reason == "caught_up"
    assert sorted(bench.router.values) == written
    seconds = bench.clock.time() - began
    assert bench.stream.calls["DescribeStream"] <= 5 * seconds + 1


def test_no_table_and_no_stream_are_named(bench):
    with pytest.raises(StreamNotFoundError, match="Nope"):
        bench.poller("Nope").run()
    with pytest.raises(StreamNotFoundError):
        bench.poller("arn:aws:dynamodb:us-east-1:0:table/Product/stream/1999").run()


class TestStart:
    """Where a reader begins that has no positions."""

    def test_latest_gives_what_is_written_from_then_on(self, bench):
        bench.write(5)
        bench.clock.advance(120)
        assert bench.catch_up(start="LATEST") == []
        written = bench.write(3)
        bench.stream.roll_over()
        written += bench.write(3)
        assert bench.catch_up(start="LATEST") == written

    def test_a_crash_before_the_first_record_loses_nothing(self, bench):
        bench.write(5)
        bench.clock.advance(120)
        bench.poller(start="LATEST").run_until_caught_up(1)
        written = bench.write(3)
        bench.clock.advance(600)
        assert bench.catch_up(start="LATEST") == written

    @pytest.mark.parametrize("supported", [True, False])
    def test_a_moment_gives_everything_from_then_on(self, make_bench, supported):
        bench = make_bench(supports_at_timestamp=supported)
        bench.write(5)
        bench.clock.advance(600)
        bench.stream.roll_over()
        bench.write(5)
        bench.clock.advance(601)
        moment = datetime.fromtimestamp(bench.clock.time(), timezone.utc)
        written = bench.write(5)
        assert bench.catch_up(start=moment) == written

    def test_a_service_without_at_timestamp_gets_by_with_a_filter(self, bench):
        bench.write(5)
        bench.clock.advance(601)
        moment = datetime.fromtimestamp(bench.clock.time(), timezone.utc)
        written = bench.write(5)
        poller = bench.poller(start=moment)
        original = bench.stream.get_shard_iterator

        def refusing(**kwargs):
            bench.stream.supports_at_timestamp = False
            return original(**kwargs)

        bench.stream.get_shard_iterator = refusing
        poller.run_until_caught_up(60)
        assert bench.router.values == written

    def test_shards_that_ended_before_are_not_read(self, bench):
        bench.write(5)
        bench.stream.roll_over()
        bench.clock.advance(60)
        bench.stream.roll_over()
        bench.clock.advance(60)
        bench.catch_up(start="LATEST")
        assert bench.stream.calls["GetShardIterator"] == 1

    def test_a_moment_needs_a_time_zone(self, bench):
        with pytest.raises(ValueError, match="time zone"):
            bench.poller(start=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake

    def test_a_moment_in_the_future_waits_for_it(self, bench):
        moment = datetime.fromtimestamp(bench.clock.time(), timezone.utc) + timedelta(minutes=10)
        bench.write(3)
        bench.catch_up(start=moment)
        bench.clock.advance(660)
        written = bench.write(3)
        assert bench.catch_up(start=moment) == written

    def test_another_word_is_an_error(self, bench):
        with pytest.raises(ValueError, match="TRIM_HORIZON"):
            bench.poller(start="EARLIEST")


def test_a_damaged_store_is_an_error(bench):
    class Damaged(MemoryCheckpoints):
        def load(self, lease):
            raise CheckpointError("unreadable")

    with pytest.raises(CheckpointError):
        bench.poller(checkpoints=Damaged()).run()
