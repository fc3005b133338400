"""A stop saves what is done, starts nothing more, ends within grace and keeps its reason."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import FencedError, PollerError
from ddbstream.poller import AsyncStreamPoller, FailurePolicy, MemoryCheckpoints, StreamPoller
from tests.support.poller_bench import (
    QUICK,
    Recorder,
    stopped_while_the_next_stream_is_opened,
    wait_until,
)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stop_in_the_middle_of_a_batch_saves_what_is_done_and_starts_no_more(bench, concurrency):
    bench.write(6)  # of one item
    router, got = StreamRouter(), []
    poller = bench.poller(router=router, concurrency=concurrency)

    @router.on_change()
    def handle(record):
        got.append(int(record.new["n"]))
        if len(got) == 3:
            poller.stop()

    assert poller.run().reason == "stopped"
    assert got == [0, 1, 2]
    assert bench.catch_up() == [3, 4, 5]


def test_a_stop_is_no_failure_of_the_records_that_were_not_started(bench):
    bench.write(3)
    router = StreamRouter()
    poller = bench.poller(router=router, on_failure="stop")

    @router.on_change()
    def handle(record):
        poller.stop()

    assert poller.run().reason == "stopped"


class Failing(MemoryCheckpoints):
    def save(self, lease, shard_id, position):
        if shard_id.startswith("shardId"):
            raise ConnectionError


def test_a_record_that_cannot_be_handled_is_told_though_the_store_fails(now):
    now.write(2)
    now.router.failing[1] = 99
    now.store = Failing()
    policy = FailurePolicy(0, "stop")
    poller = now.threaded(on_failure=policy, grace=0.3)
    with pytest.raises(PollerError, match="cannot be handled"):
        poller.run()
    assert poller.exit.reason == "failed"


def test_a_record_that_cannot_be_handled_is_told_though_another_shard_hangs(make_bench):

    from ddbstream.testing import FakeClock

    bench = make_bench(clock=FakeClock(time.time()), shards=2)
    bench.store = MemoryCheckpoints()
    for number in range(20):
        bench.write(1, key=f"k{number}")
    hung, go_on, first = threading.Event(), threading.Event(), []

    class Router(Recorder):
        def dispatch(self, payload, *, stream_arn=None, context=None):
            first.append(context.shard_id)
            if context.shard_id == first[0]:
                hung.set()
                assert go_on.wait(60)
                return super().dispatch(payload)
            assert hung.wait(60)
            raise ValueError

    poller = bench.threaded(Router(), on_failure=FailurePolicy(0, "stop"), grace=0.3)
    with pytest.raises(PollerError, match="cannot be handled"):
        poller.run()
    go_on.set()


def test_a_handler_that_outlasts_the_stop_starts_no_more_records(now):
    now.write(5)
    router, got = StreamRouter(), []
    inside, go_on, left = threading.Event(), threading.Event(), threading.Event()

    @router.on_change()
    def handle(record):
        got.append(int(record.new["n"]))
        inside.set()
        assert go_on.wait(60)
        left.set()

    poller = now.threaded(router, grace=0.1)
    results = []
    thread = threading.Thread(target=lambda: results.append(poller.run()))
    thread.start()
    assert inside.wait(30)
    poller.stop()
    thread.join(60)
    assert results[0].reason == "stopped"
    go_on.set()
    assert left.wait(30)
    later = now.threaded()
    later.run_until_caught_up(30)
    assert got == [0]
    assert now.router.values == [0, 1, 2, 3, 4]
    wait_until(lambda: got == [0])


def test_a_stop_begins_nothing_of_what_waits_for_its_turn(make_bench):
    bench = make_bench(shards=4)
    for number in range(20):
        bench.write(1, key=f"k{number}")
    router, got = StreamRouter(), []
    poller = bench.poller(router=router)

    @router.on_change()
    def handle(record):
        got.append(int(record.new["n"]))
        poller.stop()

    assert poller.run().reason == "stopped"
    assert len(got) == 1  # the other shards' batches were on their way
    assert sorted(bench.catch_up()) == sorted({*range(20)} - {*got})


def test_a_coroutine_is_not_begun_after_the_stop(now):
    now.write(1, key="a")
    now.write(1, key="b")
    got = []

    async def handle(records, context):
        got.extend(records)
        poller.stop()

    poller = AsyncStreamPoller(
        "Product", handle, client=now.stream, checkpoints=now.store, concurrency=2, settings=QUICK
    )
    assert asyncio.run(poller.run()).reason == "stopped"
    assert len(got) == 1


def test_a_stop_while_the_next_stream_is_opened_reads_none_of_it():
    values, seconds = stopped_while_the_next_stream_is_opened(grace=5.0)
    assert sorted(values) == [0, 1]
    assert seconds < 4.0  # nobody waits for grace to end


@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
def test_the_lease_of_a_stream_that_is_opened_too_late_is_given_back(now, kind):
    opening, over = threading.Event(), threading.Event()

    class Store(MemoryCheckpoints):
        def acquire(self, stream_arn, owner, **options):
            lease = super().acquire(stream_arn, owner, **options)
            if opening.is_set() or stream_arn != now.stream.arn or not later:
                return lease
            opening.set()
            assert over.wait(10)
            return lease

    now.store, later = Store(), []
    poller = kind(
        now.stream.arn,
        now.router,
        client=now.stream,
        checkpoints=now.store,
        settings=QUICK,
        follow=True,
    )

    def run():
        ended = poller.run()
        return asyncio.run(ended) if asyncio.iscoroutine(ended) else ended

    now.write(1)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: now.router.values == [0])
    later.append(now.enable_again())
    assert opening.wait(10)
    poller.stop()
    thread.join(30)
    assert poller.exit.reason == "stopped"
    over.set()

    def is_free():
        try:
            return now.store.acquire(later[0], "another", ttl=60, takeover=False)
        except FencedError:
            return None

    wait_until(is_free)
