"""Every count and gauge that somebody who runs a poller asks for."""

from __future__ import annotations

import pytest

from ddbstream.poller import PageRead, Settings, retry
from ddbstream.testing import Faults

ENDLESS = 10**9
UNLABELLED = [
    "batches",
    "bytes_read",
    "dead_letters",
    "duplicates_known",
    "empty_pages",
    "expired_iterators",
    "garbled_answers",
    "handler_failures",
    "pages",
    "records_done",
    "records_read",
    "saves",
    "shards_ended",
    "throttled_calls",
]


def text_of(poller):
    return dict(line.rsplit(" ", 1) for line in poller.metrics.prometheus().splitlines())


def test_every_count_is_there_before_anything_is_counted(bench):
    poller = bench.poller()
    text = text_of(poller)
    for name in UNLABELLED:
        assert text[f"ddbstream_poller_{name}_total"] == "0"


def test_each_kind_of_trouble_has_a_count_of_its_own(bench):
    bench.write(3)
    bench.stream.fail("GetRecords", "ThrottlingException", times=2)
    bench.stream.fail("DescribeStream", "LimitExceededException", times=1)
    bench.stream.fail("GetRecords", "ExpiredIteratorException", times=3)
    bench.stream.fail("GetRecords", "cut", times=4)
    bench.router.failing[1] = 10**9
    poller = bench.poller(on_failure=retry(0, then=lambda _: None))
    poller.run_until_caught_up(3_600)
    counters = poller.metrics.counters
    assert counters["throttled_calls", ""] == 3
    assert counters["expired_iterators", ""] == 3
    assert counters["garbled_answers", ""] == 4
    assert counters["dead_letters", ""] == 1
    assert counters["records_given_up", "dead_letter"] == 1


def test_saves_that_fail_are_counted_by_what_was_raised(bench):
    save, failures = bench.store.save, [2]

    def failing(*args):
        if failures[0]:
            failures[0] -= 1
            raise ConnectionError
        save(*args)

    bench.store.save = failing
    bench.write(1)
    poller = bench.poller()
    poller.run_until_caught_up(60)
    assert poller.metrics.counters["saves_failed", "ConnectionError"] == 2


@pytest.mark.parametrize(("failures", "again"), [(0, 0), (1, 3), (2, 6)])
def test_records_that_are_handed_over_again_are_known_duplicates(bench, failures, again):
    bench.write(5)
    bench.router.failing[2] = failures
    poller = bench.poller()
    poller.run_until_caught_up(60)
    assert poller.metrics.counters["duplicates_known", ""] == again


def test_a_record_that_is_given_up_does_not_come_again_but_what_followed_it_does(bench):
    bench.write(5)
    bench.router.failing[2] = 1
    poller = bench.poller(on_failure="skip")
    poller.run_until_caught_up(60)
    assert poller.metrics.counters["duplicates_known", ""] == 2


def test_a_gap_is_counted_by_its_reason(bench):
    bench.write(1)
    bench.catch_up()
    bench.clock.advance(40 * 3600)
    poller = bench.poller(on_gap="continue")
    poller.run_until_caught_up(60)
    assert poller.metrics.counters["gaps", "stopped_too_long"] == 1


def test_a_shard_tells_since_when_it_was_not_read(bench):
    bench.write(2)
    poller = bench.poller(settings=Settings(caught_up_pages=ENDLESS))
    pages = []
    bench.listen = lambda event: pages.append(event) if isinstance(event, PageRead) else None
    bench.stream.fail("GetShardIterator", "ThrottlingException", times=1)
    poller.run_until_caught_up(30)
    (shard,) = poller.metrics.streams[0].shards
    assert 0 <= shard.read_ago <= 2
    bench.stream.fail("GetRecords", "ThrottlingException", times=10**4)
    poller = bench.poller(settings=Settings(caught_up_pages=ENDLESS))
    poller.run_until_caught_up(300)
    (shard,) = poller.metrics.streams[0].shards
    assert shard.read_ago is None
    assert shard.failing > 200


def test_a_shard_that_was_read_and_then_fails_ages(bench):
    poller = bench.poller(settings=Settings(caught_up_pages=ENDLESS))

    def listen(event):
        if isinstance(event, PageRead):
            bench.stream.fail("GetRecords", "ThrottlingException", times=10**4)

    bench.listen = listen
    poller.run_until_caught_up(300)
    (shard,) = poller.metrics.streams[0].shards
    assert 280 < shard.read_ago < 310
    assert poller.metrics.streams[0].read_ago == shard.read_ago


def test_gauges_of_shards_and_of_the_lease_are_in_the_text(make_bench):
    bench = make_bench(shards=2, faults=Faults())
    for key in map(str, range(20)):
        bench.write(1, key=key)
    bench.stream.roll_over()
    poller = bench.poller()
    poller.run_until_caught_up(60)
    text = text_of(poller)
    stream = f'stream="{bench.stream.arn}"'
    assert text[f"ddbstream_poller_shards_listed{{{stream}}}"] == "4"
    assert text[f"ddbstream_poller_shards_ended{{{stream}}}"] == "2"
    assert text[f"ddbstream_poller_shards_reading{{{stream}}}"] == "2"
    assert text[f"ddbstream_poller_shards_waiting{{{stream}}}"] == "0"
    assert text[f"ddbstream_poller_in_flight{{{stream}}}"] == "0"
    assert 0 < float(text[f"ddbstream_poller_lease_left_seconds{{{stream}}}"]) <= 30
    assert float(text[f"ddbstream_poller_listed_ago_seconds{{{stream}}}"]) < 60
    for shard in bench.stream.open_shards():
        where = f'{{{stream},shard="{shard}"}}'
        assert text[f"ddbstream_poller_shard_lag_seconds{where}"] == "0.000"
        assert float(text[f"ddbstream_poller_shard_read_ago_seconds{where}"]) < 10


def test_everything_is_counted(bench):
    bench.write(4)
    bench.router.failing[2] = 1
    bench.stream.fail("GetRecords", "ThrottlingException", times=2)
    bench.stream.fail("GetRecords", "cut", times=1)
    bench.stream.roll_over()
    poller = bench.poller()
    poller.run_until_caught_up(60)
    counters = poller.metrics.counters
    assert counters["records_done", ""] == 4
    assert counters["records_read", ""] == 4
    assert counters["handler_failures", ""] == 1
    assert counters["calls_failed", "ThrottlingException"] == 2
    assert counters["calls_failed", "GarbledAnswer"] == 1
    assert counters["retries", "throttled"] == 2
    assert counters["shards_ended", ""] == 1
    assert counters["saves", ""] >= 2


def test_prometheus_gets_text(bench):
    bench.write(2)
    poller = bench.poller()
    poller.run_until_caught_up(60)
    lines = poller.metrics.prometheus().splitlines()
    assert "ddbstream_poller_records_done_total 2" in lines
    assert f'ddbstream_poller_lag_seconds{{stream="{bench.stream.arn}"}} 0.000' in lines
