"""What of the user's hangs has a name, and stops nothing but itself; what was promised holds."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from ddbstream.exceptions import FencedError, PollerError
from ddbstream.poller import (
    AsyncStreamPoller,
    BatchDelivered,
    MemoryCheckpoints,
    StreamPoller,
)
from ddbstream.testing import FakeClock
from tests.support.poller_bench import QUICK, Recorder, wait_until

WATCHFUL = replace(QUICK, slow_after=0.05)


def run(poller):
    ended = poller.run_until_caught_up(60)
    return asyncio.run(ended) if asyncio.iscoroutine(ended) else ended


class Running:
    """A poller in a thread, stopped at the end."""

    def __init__(self, poller):
        self.poller = poller
        self.thread = threading.Thread(target=poller.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.poller

    def __exit__(self, *_):
        self.poller.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


class TestHealth:
    def test_a_listener_that_hangs_is_named_and_stops_nothing(self, now, gate):
        now.write(3)
        poller = StreamPoller(
            "Product",
            now.router,
            client=now.stream,
            settings=WATCHFUL,
            grace=0.2,
            on_event=lambda event: gate.wait(60),
        )
        with Running(poller):
            wait_until(lambda: len(now.router.values) == 3)
            wait_until(lambda: "on_event has not returned" in (poller.problem() or ""))
            now.write(2)
            wait_until(lambda: len(now.router.values) == 5)
            assert not poller.healthy()
            gate.set()

    @pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
    @pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt()])
    def test_a_listener_that_ends_the_process_ends_the_poller(self, now, kind, error):
        def leave(event):
            raise error

        now.write(1)
        poller = kind(
            "Product", now.router, client=now.stream, settings=QUICK, grace=0.2, on_event=leave
        )
        with pytest.raises(type(error)):
            run(poller)
        assert poller.problem() == "not running"

    def test_a_handler_that_hangs_is_named_with_its_shard_and_others_go_on(self, make_bench, gate):
        bench = make_bench(clock=FakeClock(time.time()), shards=2)
        bench.store = MemoryCheckpoints()
        hung = []

        class Router(Recorder):
            def dispatch(self, payload, *, stream_arn=None, context=None):
                if not hung or hung[0] == context.shard_id:
                    hung.append(context.shard_id)
                    gate.wait(60)
                return super().dispatch(payload)

        for number in range(20):
            bench.write(1, key=f"k{number}")
        poller = bench.threaded(Router(), settings=WATCHFUL, grace=0.2)
        with Running(poller):
            wait_until(lambda: "a handler has not returned" in (poller.problem() or ""))
            assert hung[0] in poller.problem()
            wait_until(lambda: poller.metrics.counters["records_done", ""] > 0)
            gate.set()

    def test_a_store_that_hangs_is_named_and_does_not_keep_the_run_from_ending(self, now, gate):
        class Hanging(MemoryCheckpoints):
            def save(self, lease, shard_id, position):
                gate.wait(60)

        now.write(1)
        now.store = Hanging()
        poller = now.threaded(settings=WATCHFUL, grace=0.2)
        with Running(poller):
            wait_until(lambda: "the checkpoint store has not returned" in (poller.problem() or ""))

    def test_saves_that_fail_for_long_are_a_problem(self, bench):
        class Failing(MemoryCheckpoints):
            def save(self, lease, shard_id, position):
                raise ConnectionError

        bench.write(1)
        problems = set()
        poller = bench.poller(checkpoints=Failing(clock=bench.clock.time))
        bench.listen = lambda _: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=1000)
        assert "the position of a shard cannot be saved" in problems

    def test_a_lease_that_has_run_out_is_a_problem(self, bench):
        class Failing(MemoryCheckpoints):
            def renew(self, lease, alive_at):
                raise ConnectionError

        problems = set()
        poller = bench.poller(checkpoints=Failing(clock=bench.clock.time))

        def listen(_):
            problems.add(poller.problem())
            if len(problems) > 2 or bench.clock.monotonic() > 1500:
                poller.stop()

        bench.listen = listen
        poller.run()
        assert "the lease has run out, and could not be renewed" in problems


class TestCommit:
    def test_it_saves_though_the_body_outlasts_the_lease(self, bench):
        bench.write(2)
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            bench.clock.advance(300)
            batch.commit()
        assert bench.catch_up() == []

    def test_the_lease_is_renewed_while_the_body_runs(self, now):
        now.write(1)
        poller = StreamPoller(
            "Product",
            client=now.stream,
            checkpoints=now.store,
            settings=replace(QUICK, lease=0.6),
        )
        for batch in poller.batches(until_caught_up=True):
            time.sleep(1.2)
            with pytest.raises(FencedError):
                now.store.acquire(batch.stream_arn, "other", ttl=1, takeover=False)
            batch.commit()

    def test_it_raises_if_another_poller_has_taken_over(self, bench):
        bench.write(1)
        batches = bench.poller(router=None).batches()
        batch = next(batches)
        bench.store.acquire(bench.stream.arn, "other", ttl=600)
        bench.clock.advance(300)
        with pytest.raises(FencedError):
            batch.commit()

    def test_it_raises_when_the_loop_is_over(self, bench):
        bench.write(1)
        (batch,) = bench.poller(router=None).batches(until_caught_up=True)
        with pytest.raises(PollerError, match="the loop is over"):
            batch.commit()

    def test_it_is_no_error_to_commit_again_what_is_saved(self, bench):
        bench.write(1)
        batches = []
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            batch.commit()
            batches.append(batch)
        batches[0].commit()


class TestEventLoop:
    def make(self, bench, handler, **options):
        options = {"client": bench.stream, "checkpoints": bench.store, "settings": QUICK, **options}
        return AsyncStreamPoller("Product", handler, **options)

    def test_a_handler_that_awaits_what_was_cancelled_has_failed(self, now):
        now.write(1)
        tries = []

        async def handle(records, context):
            tries.append(1)
            if len(tries) < 3:
                task = asyncio.ensure_future(asyncio.sleep(60))
                task.cancel()
                await task

        exit_ = asyncio.run(self.make(now, handle).run_until_caught_up(60))
        assert exit_.reason == "caught_up"
        assert len(tries) == 3

    @pytest.mark.parametrize("call", ["describe_stream", "get_shard_iterator", "get_records"])
    def test_a_call_that_awaits_what_was_cancelled_is_made_again(self, now, call):
        written, made = now.write(2), []

        class Client:
            async def describe_stream(self, **options):
                return await self._answer("describe_stream", options)

            async def get_shard_iterator(self, **options):
                return await self._answer("get_shard_iterator", options)

            async def get_records(self, **options):
                return await self._answer("get_records", options)

            def list_streams(self, **options):
                return now.stream.list_streams(**options)

            async def _answer(self, name, options):
                made.append(name)
                if made.count(call) == 1 and name == call:
                    task = asyncio.ensure_future(asyncio.sleep(60))
                    task.cancel()
                    await task
                return getattr(now.stream, name)(**options)

        async def handle(records, context):
            now.router.dispatch(records)

        poller = AsyncStreamPoller(
            now.stream.arn, handle, client=Client(), checkpoints=now.store, settings=QUICK
        )
        assert asyncio.run(poller.run_until_caught_up(60)).reason == "caught_up"
        assert made.count(call) > 1
        assert now.router.values == written

    @pytest.mark.parametrize("call", ["fix_start", "save", "renew"])
    @pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
    def test_so_is_one_of_the_store(self, now, kind, call):
        written, cancelled = now.write(2), []
        real = getattr(now.store, call)

        def failing(*arguments):
            if not cancelled:
                cancelled.append(1)
                raise asyncio.CancelledError
            return real(*arguments)

        setattr(now.store, call, failing)
        poller = kind(
            "Product", now.router, client=now.stream, checkpoints=now.store, settings=QUICK
        )
        assert run(poller).reason == "caught_up"
        assert cancelled
        assert now.router.values == written

    @pytest.mark.parametrize("call", ["acquire", "load"])
    @pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
    def test_at_the_start_it_is_the_error_that_ends_the_poller(self, now, kind, call):
        def failing(*arguments, **options):
            raise asyncio.CancelledError

        setattr(now.store, call, failing)
        poller = kind(
            "Product", now.router, client=now.stream, checkpoints=now.store, settings=QUICK
        )
        with pytest.raises(PollerError, match="was cancelled"):
            run(poller)

    def test_no_more_handlers_run_than_there_are_workers(self, make_bench):
        bench = make_bench(clock=FakeClock(time.time()), shards=12)
        bench.store = MemoryCheckpoints()
        for number in range(60):
            bench.write(1, key=f"k{number}")
        running, most = [0], [0]

        async def handle(records, context):
            running[0] += 1
            most[0] = max(most[0], running[0])
            await asyncio.sleep(0.01)
            running[0] -= 1

        asyncio.run(self.make(bench, handle, max_workers=3).run_until_caught_up(60))
        assert 1 < most[0] <= 3

    def test_nothing_runs_on_when_the_run_has_returned(self, now):
        now.write(1)
        inside, ended = [], []

        async def handle(records, context):
            inside.append(1)
            try:
                await asyncio.sleep(600)
            finally:
                await asyncio.sleep(0)
                ended.append(1)

        async def both():
            poller = self.make(now, handle, grace=0.05)
            task = asyncio.create_task(poller.run())
            while not inside:  # noqa: ASYNC110 - it is no event of asyncio's
                await asyncio.sleep(0.01)
            poller.stop()
            exit_ = await task
            return exit_.reason, list(ended)

        assert asyncio.run(both()) == ("stopped", [1])

    def test_events_are_told_while_a_router_hangs(self, now, gate):
        seen = []
        now.write(1)

        class Router(Recorder):
            def dispatch(self, payload, **options):
                gate.wait(60)
                return super().dispatch(payload, **options)

        async def both():
            poller = self.make(now, Router(), grace=0.05, settings=WATCHFUL, on_event=seen.append)
            task = asyncio.create_task(poller.run())
            while "a handler has not" not in (poller.problem() or ""):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            poller.stop()
            return (await task).reason

        assert asyncio.run(both()) == "stopped"
        assert seen
        assert not any(isinstance(event, BatchDelivered) for event in seen)
        gate.set()
