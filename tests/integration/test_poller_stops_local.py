"""Stops, hangs and takeovers with AWS's own engine under the stream and under the positions."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import FencedError, PollerError
from ddbstream.poller import AsyncStreamPoller, DynamoDBCheckpoints, StreamPoller
from tests.support.poller_local import QUICK, Reader, eventually, run, running

pytestmark = pytest.mark.dynamodb_local

LEASE_OF_A_SECOND = replace(QUICK, lease=1.0)


@pytest.fixture
def reader(dynamodb_local, local_table):
    """A reader whose positions are in a table of their own."""
    reader = Reader(dynamodb_local, local_table)
    name = f"positions-{local_table.name}"
    reader.store = DynamoDBCheckpoints(name, client=dynamodb_local.client("dynamodb"))
    reader.store.create_table()
    return reader


@pytest.mark.parametrize("kind", ["poller", "async_poller"])
def test_a_stop_in_the_middle_of_a_batch_saves_what_is_done_and_starts_no_more(reader, kind):
    written = reader.write(20)
    poller = getattr(reader, kind)()
    stops = [7, 12]

    @reader.router.on_change()
    def stop(record):
        if stops and record.new["n"] == stops[0]:
            stops.pop(0)
            poller.stop()

    assert run(poller).reason == "stopped"
    assert reader.values == written[:8]
    assert run(poller).reason == "stopped"  # the same poller again
    assert reader.values == written[:13]
    assert reader.catch_up() == written


def test_a_commit_saves_though_the_loops_body_outlasts_the_lease(reader):
    reader.write(2)
    poller = StreamPoller(reader.table.name, **reader.options(settings=LEASE_OF_A_SECOND))
    for batch in poller.batches(until_caught_up=True):
        time.sleep(1.5)
        batch.commit()
    assert poller.exit.reason == "caught_up"
    written = reader.write(1)
    assert reader.catch_up() == written


def test_a_commit_raises_if_another_poller_has_taken_over_meanwhile(reader):
    written = reader.write(2)
    poller = StreamPoller(reader.table.name, **reader.options())
    batches = poller.batches()
    batch = next(batches)
    reader.catch_up(takeover=True)
    reader.write(1)
    with pytest.raises(FencedError):
        batch.commit()
    batches.close()
    assert reader.values == written


def test_a_handler_that_hangs_is_named_and_stops_neither_the_lease_nor_another_table(reader):
    gate = threading.Event()
    with reader.server.table() as other:
        reader.write(1)
        settings = replace(LEASE_OF_A_SECOND, slow_after=0.3)

        @reader.router.on_change()
        def hang(record):
            if record.new["n"] == 0:
                gate.wait(30)

        poller = reader.poller([reader.table.name, other.name], settings=settings)
        with running(poller):
            try:
                eventually(lambda: "handler" in (poller.problem() or ""))
                assert "handler" in poller.problem()
                for _ in range(3):
                    reader.write(1, table=other)
                    time.sleep(0.5)  # the lease would have ended meanwhile
                eventually(lambda: reader.values == [0, 1, 2, 3])
                assert reader.values == [0, 1, 2, 3]
                assert all(stream.lease_left > 0 for stream in poller.metrics.streams)
            finally:
                gate.set()


def test_a_stop_because_of_a_record_tells_it_though_the_store_is_gone(reader):
    reader.write(3)
    name = f"positions-{reader.table.name}"

    @reader.router.on_change()
    def refuse(record):
        if record.new["n"] == 1:
            reader.server.dynamodb.delete_table(TableName=name)
            raise ZeroDivisionError

    poller = reader.poller(on_failure="stop", grace=1.0)
    with pytest.raises(PollerError) as caught:
        poller.run()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert reader.values == [0, 1]


def test_a_task_that_is_cancelled_leaves_nothing_running_and_gives_the_lease_back(reader):
    written = reader.write(3)
    ended, begun = [], None

    async def handle(records, context):
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(len(records))

    async def cancel_in_the_middle():
        nonlocal begun
        begun = asyncio.Event()
        poller = AsyncStreamPoller(reader.table.name, handle, **reader.options())
        task = asyncio.create_task(poller.run())
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(cancel_in_the_middle()) == 1
    assert ended == [3]
    assert reader.catch_up(takeover=False) == written  # at once: nobody has the lease


def test_a_router_is_not_called_again_once_run_has_returned(reader):
    written = reader.write(5)
    slow, calls = StreamRouter(), []

    @slow.on_change()
    def handle(record):
        calls.append(int(record.new["n"]))
        if len(calls) == 1:
            poller.stop()
        time.sleep(0.4)

    poller = StreamPoller(reader.table.name, slow, grace=0.1, **reader.options())
    assert poller.run().reason == "stopped"
    time.sleep(0.8)
    assert calls == written[:1]
