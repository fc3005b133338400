"""What drives the core: threads, a plain loop, an event loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ddbstream.exceptions import PollerError
from ddbstream.poller import (
    AsyncStreamPoller,
    BatchFailed,
    MemoryCheckpoints,
    PollContext,
    Settings,
    StreamPoller,
)
from ddbstream.poller._async import LoopWorkers
from ddbstream.testing import FakeClock, FakeStream

QUICK = Settings(idle=0.01, idle_max=0.02)


@pytest.fixture
def now(make_bench):
    """A bench whose stream lives in the present, for drivers that use the machine's clock."""
    bench = make_bench(clock=FakeClock(time.time()))
    bench.store = MemoryCheckpoints()
    return bench


def threaded(bench, router=None, **options):
    options = {"checkpoints": bench.store, "settings": QUICK, **options}
    return StreamPoller("Product", router or bench.router, client=bench.stream, **options)


def wait_until(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


class TestThreads:
    """`run` and `run_until_caught_up`."""

    def test_everything_is_delivered_in_order(self, now):
        written = now.write(50)
        now.stream.roll_over()
        written += now.write(50)
        assert threaded(now).run_until_caught_up(30).reason == "caught_up"
        assert now.router.values == written

    def test_shards_are_handled_at_once(self, make_bench):
        bench = make_bench(clock=FakeClock(time.time()), shards=4)
        for key in range(60):
            bench.write(1, key=str(key))
        together = threading.Barrier(4)
        dispatch = bench.router.dispatch

        class Meeting:
            def dispatch(self, payload, **kwargs):
                together.wait(timeout=10)  # breaks, and fails the batch, unless all four come
                return dispatch(payload, **kwargs)

        poller = StreamPoller("Product", Meeting(), client=bench.stream, settings=QUICK)
        assert poller.run_until_caught_up(30).reason == "caught_up"
        assert sorted(bench.router.attempts) == list(range(60))

    def test_a_save_does_not_queue_behind_pages_that_are_slow_to_come(self, now):
        now.write(1)
        saved = threading.Event()
        in_time = []

        class Store(MemoryCheckpoints):
            def save(self, *args):
                super().save(*args)
                saved.set()

        get_records, pages = now.stream.get_records, itertools.count()

        def slow(**kwargs):
            if next(pages):  # the first page has the record
                in_time.append(saved.wait(30))
            return get_records(**kwargs)

        now.stream.get_records = slow
        poller = threaded(now, checkpoints=Store(), max_workers=1)
        assert poller.run_until_caught_up(60).reason == "caught_up"
        assert all(in_time)

    def test_stop_lets_a_handler_finish_and_saves_what_it_did(self, now):
        now.write(3)
        started, go_on = threading.Event(), threading.Event()
        dispatch = now.router.dispatch

        class Slow:
            def dispatch(self, payload, **kwargs):
                started.set()
                assert go_on.wait(10)
                return dispatch(payload, **kwargs)

        poller = threaded(now, Slow())
        results = []
        thread = threading.Thread(target=lambda: results.append(poller.run()))
        thread.start()
        assert started.wait(10)
        poller.stop()
        poller.stop()
        go_on.set()
        thread.join(10)
        assert [result.reason for result in results] == ["stopped"]
        later = now.write(1)
        now.router.records.clear()
        threaded(now).run_until_caught_up(30)
        assert now.router.values == later

    def test_a_handler_that_outlasts_the_grace_is_left_behind_and_its_batch_comes_again(self, now):
        written = now.write(3)
        hung = threading.Event()

        class Hanging:
            def dispatch(self, payload, **kwargs):
                hung.wait(30)
                raise AssertionError

        poller = threaded(now, Hanging(), grace=0.05)
        thread = threading.Thread(target=poller.run)
        thread.start()
        wait_until(lambda: poller.metrics.streams and poller.metrics.streams[0].in_flight)
        poller.stop()
        thread.join(10)
        assert not thread.is_alive()
        hung.set()
        threaded(now).run_until_caught_up(30)
        assert now.router.values == written

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_what_is_no_exception_ends_the_poller_and_saves_nothing_of_the_batch(
        self, now, interrupt
    ):
        written = now.write(3)

        class Interrupted:
            def dispatch(self, payload, **kwargs):
                raise interrupt

        with pytest.raises(interrupt):
            threaded(now, Interrupted()).run()
        threaded(now).run_until_caught_up(30)
        assert now.router.values == written

    def test_the_lease_is_given_back(self, now):
        threaded(now).run_until_caught_up(30)
        threaded(now, takeover=False).run_until_caught_up(30)

    def test_one_poller_runs_once_at_a_time(self, now):
        poller = threaded(now)
        thread = threading.Thread(target=poller.run)
        thread.start()
        wait_until(poller.healthy)
        with pytest.raises(PollerError, match="running"):
            poller.run()
        poller.stop()
        thread.join(10)
        assert poller.exit.reason == "stopped"

    def test_a_listener_that_fails_is_logged_and_harms_nothing(self, now, caplog):
        written = now.write(2)

        def listen(event):
            raise ValueError("listener")

        threaded(now, on_event=listen).run_until_caught_up(30)
        assert now.router.values == written
        assert "on_event failed" in caplog.text

    def test_a_timeout_ends_it(self, now):
        class Failing:
            def dispatch(self, payload, **kwargs):
                raise ValueError

        now.write(1)
        began = time.monotonic()
        assert threaded(now, Failing()).run_until_caught_up(0.3).reason == "deadline"
        assert time.monotonic() - began < 5

    def test_without_a_router_there_is_nothing_to_run(self, now):
        poller = StreamPoller("Product", client=now.stream)
        with pytest.raises(PollerError, match="iterated"):
            poller.run()

    def test_sigterm_drains_and_saves(self, tmp_path):
        program = textwrap.dedent(
            """
            import sys, time
            from types import SimpleNamespace
            from ddbstream.poller import FileCheckpoints, StreamPoller
            from ddbstream.testing import FakeClock, FakeStream

            stream = FakeStream("T", clock=FakeClock(time.time()))
            stream.put({"PK": {"S": "a"}})

            class Router:
                def dispatch(self, payload, **kwargs):
                    print("handling", flush=True)
                    time.sleep(0.5)
                    return SimpleNamespace(processed=1, failures=(), checkpoint=None)

            poller = StreamPoller(
                "T", Router(), client=stream, checkpoints=FileCheckpoints(sys.argv[1])
            )
            print(poller.run(install_signals=True).reason, flush=True)
            """
        )
        path = tmp_path / "positions.json"
        with subprocess.Popen(
            [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline() == "handling\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read() == "stopped\n"
            assert process.wait(20) == 0
        assert '"at": "after"' in path.read_text()


class TestLoop:
    """``for batch in poller``."""

    def test_what_is_committed_is_saved_and_the_rest_comes_again(self, make_bench):
        bench = make_bench(page_records=2)
        written = bench.write(6)
        got = []
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            if len(got) <= 4:
                batch.commit()
        assert got == written
        assert bench.catch_up() == written[4:]

    def test_a_commit_covers_what_came_before_it(self, make_bench):
        bench = make_bench(page_records=2)
        bench.write(6)
        batches = list(bench.poller(router=None).batches(until_caught_up=True))
        assert len(batches) == 3
        poller = bench.poller(router=None)
        held = []
        for batch in poller.batches(until_caught_up=True):
            held.append(batch)
            if len(held) == 3:
                batch.commit()
        assert bench.catch_up() == []

    def test_leaving_the_loop_gives_the_lease_back(self, bench):
        bench.write(1)
        batches = bench.poller(router=None).batches()
        next(batches)
        batches.close()
        bench.catch_up(takeover=False)

    def test_an_error_in_the_loop_saves_nothing_of_the_batch(self, bench):
        written = bench.write(2)

        def handle():
            for _ in bench.poller(router=None):
                raise ValueError("in the loop")

        with pytest.raises(ValueError, match="in the loop"):
            handle()
        assert bench.catch_up() == written

    def test_children_wait_for_the_commit_and_to_forget_it_is_an_error(self, bench):
        bench.write(2)
        bench.stream.roll_over()
        bench.write(2)
        poller = bench.poller(router=None)
        with pytest.raises(PollerError, match="commit"):
            list(poller.batches(until_caught_up=True))

    def test_children_come_after_the_commit(self, bench):
        written = bench.write(2)
        bench.stream.roll_over()
        written += bench.write(2)
        got = []
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            batch.commit()
        assert got == written

    def test_stop_ends_the_loop(self, bench):
        bench.write(2)
        poller = bench.poller(router=None)
        for batch in poller:
            batch.commit()
            poller.stop()
        assert poller.exit.reason == "stopped"
        assert bench.catch_up() == []

    def test_it_works_on_the_machines_clock_too(self, now):
        written = now.write(3)
        poller = StreamPoller("Product", client=now.stream, settings=QUICK)
        got = []
        for batch in poller.batches(until_caught_up=True, timeout=30):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            batch.commit()
        assert got == written
        assert poller.exit.reason == "caught_up"


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
        threaded(now, takeover=False).run_until_caught_up(30)

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


class TestSeveralStreams:
    """One poller, several tables."""

    def test_all_are_read(self, make_bench):
        clock = FakeClock()
        one, two = FakeStream("One", clock=clock), FakeStream("Two", clock=clock)
        one.put({"PK": {"S": "a"}, "n": {"N": "1"}})
        two.put({"PK": {"S": "a"}, "n": {"N": "2"}})

        class Both:
            def __getattr__(self, name):
                def call(**kwargs):
                    return getattr(one if "/One/" in kwargs["StreamArn"] else two, name)(**kwargs)

                return call

            def get_records(self, **kwargs):
                stream = one if "/One/" in kwargs["ShardIterator"] else two
                return stream.get_records(**kwargs)

        bench = make_bench()
        poller = StreamPoller([one.arn, two.arn], bench.router, client=Both(), clock=clock)
        assert poller.run_until_caught_up(60).reason == "caught_up"
        assert sorted(bench.router.values) == [1, 2]

    def test_the_failure_of_one_drains_the_others(self, make_bench):
        clock = FakeClock()
        one = FakeStream("One", clock=clock)
        bench = make_bench()
        missing = one.arn.replace("One", "Two")
        poller = StreamPoller([one.arn, missing], bench.router, client=one, clock=clock)
        with pytest.raises(PollerError, match="no such stream"):
            poller.run()


class TestHealth:
    """`healthy`, `problem` and the metrics."""

    def test_a_poller_that_does_not_run_is_not_healthy(self, bench):
        poller = bench.poller()
        assert poller.problem() == "not running"
        poller.run_until_caught_up(60)
        assert not poller.healthy()

    def test_a_poller_that_reads_is_healthy(self, bench):
        bench.write(3)
        poller = bench.poller()
        seen = []
        poller._listener = lambda event: seen.append(poller.problem())
        poller.run_until_caught_up(60)
        assert None in seen

    def test_an_enabled_stream_without_a_shard_to_read_is_a_problem(self, bench):
        bench.stream.roll_over()
        child = bench.stream.open_shards()[0]
        bench.stream._streams[0].shards[child].listed_from = float("inf")
        poller = bench.poller()
        poller.run_until_caught_up(timeout=30)
        status = poller.metrics.streams[0]
        assert status.exit == "stopped"
        problems = []
        poller._listener = lambda event: problems.append(poller.problem())
        poller.run_until_caught_up(timeout=120)
        assert "no shard of an enabled stream is read" in problems

    def test_a_lag_beyond_the_limit_is_a_problem(self, bench):
        bench.write(1)
        bench.clock.advance(7_200)
        bench.router.failing[0] = 10**9
        poller = bench.poller(max_lag=3_600)
        problems = set()
        poller._listener = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=300)
        assert "the lag is too large" in problems
        assert poller.metrics.streams[0].lag > 7_200

    def test_a_shard_that_cannot_be_read_is_a_problem(self, bench):
        bench.catch_up()
        bench.stream.fail("GetRecords", "ThrottlingException", times=10**4)
        poller = bench.poller()
        problems = set()
        poller._listener = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=900)
        assert "a shard does not get on" in problems

    def test_a_record_that_blocks_its_shard_is_a_problem(self, bench):
        bench.write(1)
        bench.router.failing[0] = 10**9
        poller = bench.poller()
        problems = set()
        poller._listener = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=240)
        assert "a shard does not get on" not in problems
        poller.run_until_caught_up(timeout=600)
        assert "a shard does not get on" in problems

    def test_everything_is_counted(self, bench):
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

    def test_prometheus_gets_text(self, bench):
        bench.write(2)
        poller = bench.poller()
        poller.run_until_caught_up(60)
        lines = poller.metrics.prometheus().splitlines()
        assert "ddbstream_poller_records_done_total 2" in lines
        assert f'ddbstream_poller_lag_seconds{{stream="{bench.stream.arn}"}} 0.000' in lines


def test_no_log_line_and_no_event_holds_a_stored_value(bench, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "hunter2"
    bench.stream.put({"PK": {"S": secret}, "n": {"N": "0"}})
    bench.router.failing[0] = 2
    bench.stream.fail("GetRecords", "ThrottlingException")
    bench.stream.roll_over()
    bench.catch_up()
    assert bench.of(BatchFailed)
    assert caplog.records
    assert secret not in caplog.text
    assert secret not in repr(bench.events)
