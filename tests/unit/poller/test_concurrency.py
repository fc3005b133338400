"""Different items of one batch at once, one item's in order, the position the first not done."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import PollerArgumentError
from ddbstream.poller import AsyncStreamPoller, FailurePolicy, StreamPoller
from ddbstream.poller._core.policies import Backoff
from tests.support.poller_bench import QUICK, value_of


def write(bench, items, rounds=1):
    for _ in range(rounds):
        for item in range(items):
            bench.write(1, key=f"k{item}")


def positions(bench):
    lease = bench.store.acquire(bench.stream.arn, "look", ttl=1)
    (position,) = bench.store.load(lease).positions.values()
    return position


class Meeting:
    """A router whose handlers wait for each other: they pass only if so many run at once."""

    def __init__(self, parties):
        self.barrier = threading.Barrier(parties, timeout=20)
        self.order = {}
        self.router = StreamRouter()
        self.router.on_change()(self.handle)

    def handle(self, record):
        self.barrier.wait()
        self.order.setdefault(record.keys["PK"], []).append(int(record.new["n"]))


def test_as_many_items_as_asked_are_handled_at_once_and_each_in_order(now):
    write(now, 4, rounds=3)
    meeting = Meeting(4)
    now.threaded(meeting.router, concurrency=4).run_until_caught_up(30)
    assert meeting.order == {f"k{k}": [k, k + 4, k + 8] for k in range(4)}


def test_an_async_poller_hands_a_router_its_concurrency_too(now):
    write(now, 4)
    meeting = Meeting(4)
    poller = AsyncStreamPoller(
        "Product", meeting.router, client=now.stream, concurrency=4, settings=QUICK
    )
    asyncio.run(poller.run_until_caught_up(30))
    assert len(meeting.order) == 4


def test_a_coroutine_gets_the_lanes_of_a_batch_at_once(now):
    write(now, 4, rounds=2)
    inside, order, everybody = [], {}, asyncio.Event()

    async def handle(records, context):
        inside.append(context)
        if len(inside) == 4:
            everybody.set()
        await everybody.wait()
        for record in records:
            key = record["dynamodb"]["Keys"]["PK"]["S"]
            order.setdefault(key, []).append(value_of(record))

    poller = AsyncStreamPoller("Product", handle, client=now.stream, concurrency=4, settings=QUICK)
    asyncio.run(asyncio.wait_for(poller.run_until_caught_up(), 30))
    assert order == {f"k{k}": [k, k + 4] for k in range(4)}


def test_the_position_is_the_first_record_that_is_not_done(now):
    write(now, 4)
    router, done, others = StreamRouter(), [], threading.Semaphore(0)

    @router.on_change()
    def handle(record):
        number = int(record.new["n"])
        if number == 1:
            for _ in range(3):
                others.acquire(timeout=20)
            raise ValueError
        done.append(number)
        others.release()

    poller = now.threaded(router, concurrency=4, on_failure="stop")
    with pytest.raises(Exception, match="cannot be handled"):
        poller.run()
    assert sorted(done) == [0, 2, 3]
    first = now.stream.stored_shards()[now.stream.open_shards()[0]].numbers[0]
    assert positions(now).sequence_number == str(first)


def test_what_was_handled_behind_a_failure_comes_again_once_and_not_with_every_try(now):
    write(now, 3)
    router, got = StreamRouter(), []

    @router.on_change()
    def handle(record):
        number = int(record.new["n"])
        got.append(number)
        if number == 0 and got.count(0) < 6:
            raise ValueError

    policy = FailurePolicy(backoff=Backoff(0.001, 0.001))
    now.threaded(router, concurrency=3, on_failure=policy).run_until_caught_up(30)
    assert got.count(0) == 6
    assert max(got.count(1), got.count(2)) <= 2


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "4", True, None])
def test_a_concurrency_that_is_no_number_above_zero_is_refused(bench, concurrency):
    with pytest.raises(PollerArgumentError, match="above 0"):
        StreamPoller("T", bench.router, client=bench.stream, concurrency=concurrency)


def test_a_router_that_cannot_run_items_at_once_is_refused(bench):
    with pytest.raises(PollerArgumentError, match="takes concurrency="):
        bench.poller(concurrency=2)
