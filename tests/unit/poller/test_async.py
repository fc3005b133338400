"""A poller in an event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from ddbstream.poller import (
    AsyncStreamPoller,
    PollContext,
)
from ddbstream.poller._async import LoopWorkers
from tests.support.poller_bench import QUICK


class TestEventLoop:
    """`AsyncStreamPoller`."""

    def run(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, 30))

    def make(self, bench, handler=None, **options):
        options = {"client": bench.stream, "checkpoints": bench.store, "settings": QUICK, **options}
        return AsyncStreamPoller("Product", handler, **options)

    def test_a_coroutine_handles_batches(self, now):
        written = now.write(3)
        now.stream.roll_over()
        written += now.write(3)
        got = []

        async def handle(records, context):
            await asyncio.sleep(0)
            assert isinstance(context, PollContext)
            got.extend(int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in records)

        exit_ = self.run(self.make(now, handle).run_until_caught_up())
        assert exit_.reason == "caught_up"
        assert got == written
        assert self.run(self.make(now, handle).run_until_caught_up()).reason == "caught_up"
        assert got == written

    def test_a_batch_whose_coroutine_raises_comes_again(self, now):
        now.write(3)
        sizes = []

        async def handle(records, context):
            sizes.append(len(records))
            if len(sizes) < 3:
                raise ValueError

        self.run(self.make(now, handle).run_until_caught_up())
        assert sizes == [3, 2, 1, 1, 1]  # halved until the culprit would be alone

    def test_a_router_runs_in_a_thread(self, now):
        written = now.write(3)
        threads = set()
        dispatch = now.router.dispatch

        class Router:
            def dispatch(self, payload, **kwargs):
                threads.add(threading.current_thread())
                return dispatch(payload, **kwargs)

        self.run(self.make(now, Router()).run_until_caught_up())
        assert now.router.values == written
        assert threading.main_thread() not in threads

    def test_async_for_gives_batches_to_commit(self, now):
        written = now.write(3)
        got = []

        async def read():
            async for batch in self.make(now).batches(until_caught_up=True):
                got.extend(int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records)
                await batch.commit()

        self.run(read())
        assert got == written
        later = now.write(1)
        self.run(read())
        assert got == written + later

    def test_a_client_of_coroutines_is_awaited(self, now):
        written = now.write(3)

        class Client:
            async def describe_stream(self, **kwargs):
                return now.stream.describe_stream(**kwargs)

            async def get_shard_iterator(self, **kwargs):
                return now.stream.get_shard_iterator(**kwargs)

            async def get_records(self, **kwargs):
                return now.stream.get_records(**kwargs)

        now.stream.fail("GetRecords", "ThrottlingException", times=2)
        poller = AsyncStreamPoller(
            now.stream.arn, now.router, client=Client(), checkpoints=now.store, settings=QUICK
        )
        self.run(poller.run_until_caught_up())
        assert now.router.values == written

    def test_stop_ends_it(self, now):
        async def both():
            poller = self.make(now, now.router)
            task = asyncio.create_task(poller.run())
            while not poller.healthy():  # noqa: ASYNC110 - it is no event of asyncio's
                await asyncio.sleep(0.01)
            poller.stop()
            return await task

        assert self.run(both()).reason == "stopped"

    def test_cancelling_it_gives_the_lease_back(self, now):
        async def cancelled():
            poller = self.make(now, now.router)
            task = asyncio.create_task(poller.run())
            while not poller.healthy():  # noqa: ASYNC110 - it is no event of asyncio's
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.run(cancelled())
        now.threaded(takeover=False).run_until_caught_up(30)

    @pytest.mark.parametrize("turns", range(6))
    def test_a_result_that_comes_together_with_the_cancelling_does_not_undo_it(self, turns):
        async def cancelled():
            workers = LoopWorkers(1)
            task = asyncio.create_task(workers.wait_soon(20))
            await asyncio.sleep(0)
            workers.wake()
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.cancel():  # else it had ended before
                with pytest.raises(asyncio.CancelledError):
                    await task
            workers.close()

        self.run(cancelled())

    def test_asyncio_is_not_loaded_by_those_who_do_not_use_it(self):
        program = "import sys, ddbstream.poller; print('asyncio' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout == "False\n"
