"""A poller in threads: `run` and `run_until_caught_up` by the machine's clock."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ddbstream.exceptions import PollerError
from ddbstream.poller import (
    MemoryCheckpoints,
    StreamPoller,
)
from ddbstream.poller._keeper import LeaseKeeper
from ddbstream.testing import FakeClock
from tests.support.poller_bench import QUICK, wait_until


class TestThreads:
    """`run` and `run_until_caught_up`."""

    def test_everything_is_delivered_in_order(self, now):
        written = now.write(50)
        now.stream.roll_over()
        written += now.write(50)
        assert now.threaded().run_until_caught_up(30).reason == "caught_up"
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
        dispatch, reading = now.router.dispatch, threading.Event()

        def slow(**kwargs):
            if next(pages):  # the first page has the record
                reading.set()
                in_time.append(saved.wait(30))
            return get_records(**kwargs)

        def handle(*args, **kwargs):
            assert reading.wait(30)  # the save comes while the next page is asked for
            return dispatch(*args, **kwargs)

        now.stream.get_records, now.router.dispatch = slow, handle
        poller = now.threaded(checkpoints=Store(), max_workers=1)
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

        poller = now.threaded(Slow())
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
        now.threaded().run_until_caught_up(30)
        assert now.router.values == later

    def test_a_handler_that_outlasts_the_grace_is_left_behind_and_its_batch_comes_again(self, now):
        written = now.write(3)
        hung = threading.Event()

        class Hanging:
            def dispatch(self, payload, **kwargs):
                hung.wait(30)
                raise AssertionError

        poller = now.threaded(Hanging(), grace=0.05)
        thread = threading.Thread(target=poller.run)
        thread.start()
        wait_until(lambda: poller.metrics.streams and poller.metrics.streams[0].in_flight)
        poller.stop()
        thread.join(10)
        assert not thread.is_alive()
        hung.set()
        now.threaded().run_until_caught_up(30)
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
            now.threaded(Interrupted()).run()
        now.threaded().run_until_caught_up(30)
        assert now.router.values == written

    def test_the_lease_is_given_back(self, now):
        now.threaded().run_until_caught_up(30)
        now.threaded(takeover=False).run_until_caught_up(30)

    def test_one_poller_runs_once_at_a_time(self, now):
        poller = now.threaded()
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

        now.threaded(on_event=listen).run_until_caught_up(30)
        assert now.router.values == written
        assert "on_event failed" in caplog.text

    def test_a_timeout_ends_it(self, now):
        class Failing:
            def dispatch(self, payload, **kwargs):
                raise ValueError

        now.write(1)
        began = time.monotonic()
        assert now.threaded(Failing()).run_until_caught_up(0.3).reason == "deadline"
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


def test_a_loop_that_ends_at_once_leaves_no_thread_that_keeps_leases():
    keeper = LeaseKeeper(FakeClock(), 60.0)
    with keeper._changed:  # its thread comes to nothing before it is closed
        keeper.begin(())
        keeper.close()
    thread = keeper._thread
    thread.join(10)
    assert not thread.is_alive()
