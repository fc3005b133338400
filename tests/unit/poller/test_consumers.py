"""Two services on one checkpoint store: each has positions of its own."""

from __future__ import annotations

import asyncio

import pytest

from ddbstream.exceptions import PollerArgumentError
from ddbstream.poller import (
    AsyncStreamPoller,
    FileCheckpoints,
    MemoryCheckpoints,
    SQLiteCheckpoints,
    StreamPoller,
)
from tests.support.poller_bench import QUICK, Recorder


@pytest.fixture(params=[MemoryCheckpoints, FileCheckpoints, SQLiteCheckpoints])
def store(request, tmp_path, bench):
    clock = bench.clock.time
    if request.param is MemoryCheckpoints:
        return MemoryCheckpoints(clock=clock)
    return request.param(tmp_path / "positions", clock=clock)


def test_each_sees_every_record_and_goes_on_where_it_was(bench, store):
    bench.store = store
    first = bench.write(3)
    one, two = Recorder(), Recorder()
    for router, consumer in ((one, "search"), (two, "billing")):
        bench.poller(router=router, consumer=consumer).run_until_caught_up(600)
    later = bench.write(2)
    bench.poller(router=two, consumer="billing").run_until_caught_up(600)
    assert one.values == first
    assert two.values == first + later


def test_one_does_not_take_the_lease_of_the_other(bench, store):
    bench.store = store
    bench.write(1)
    other = store.acquire(bench.stream.arn, "somebody", ttl=600)
    bench.poller(consumer="billing", takeover=False).run_until_caught_up(600)
    assert bench.router.values == [0]
    store.renew(other, 1.0)


def test_who_names_none_is_the_consumer_of_what_was_kept_before(bench, store):
    bench.store = store
    bench.write(2)
    bench.catch_up()
    later = bench.write(1)
    bench.router.records.clear()
    assert bench.catch_up(consumer="default") == later


def test_an_async_poller_has_a_consumer_too(now):
    now.write(2)
    got = {}

    async def read(consumer):
        async def handle(records, context):
            assert context.consumer == consumer
            assert context.epoch == 1
            got[consumer] = got.get(consumer, 0) + len(records)

        poller = AsyncStreamPoller(
            "Product",
            handle,
            client=now.stream,
            checkpoints=now.store,
            consumer=consumer,
            settings=QUICK,
        )
        await poller.run_until_caught_up(30)

    asyncio.run(read("one"))
    asyncio.run(read("two"))
    assert got == {"one": 2, "two": 2}


def test_a_store_from_before_there_were_consumers_serves_the_default_one(bench):
    class Old:
        def __init__(self, store):
            self._store = store

        def __getattr__(self, name):
            return getattr(self._store, name)

        def acquire(self, stream_arn, owner, *, ttl, takeover=True):
            return self._store.acquire(stream_arn, owner, ttl=ttl, takeover=takeover)

    bench.store = Old(bench.store)
    bench.write(2)
    assert bench.catch_up() == [0, 1]


@pytest.mark.parametrize("consumer", ["", None, "x" * 300, "half a \ud800 character"])
def test_a_consumer_without_a_usable_name_is_refused(bench, consumer):
    with pytest.raises(PollerArgumentError, match="a consumer is named"):
        StreamPoller("T", bench.router, client=bench.stream, consumer=consumer)


def test_a_takeover_raises_the_fencing_token_that_handlers_get(bench):
    for _ in range(2):
        bench.write(1)
        bench.catch_up()
    tokens = [context.epoch for context in bench.router.contexts]
    assert tokens[0] < tokens[1]
