"""Signals, and how a poller says why it ended."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap

import pytest

from ddbstream.exceptions import FencedError, PollerError
from ddbstream.poller import AsyncStreamPoller, BatchDelivered, StreamPoller, stop_on_signals

PROGRAM = textwrap.dedent(
    """
    import sys, threading, time
    from ddbstream.poller import StreamPoller
    from ddbstream.testing import FakeClock, FakeStream

    class Router:
        def dispatch(self, payload, **kwargs):
            print("handling", flush=True)
            threading.Event().wait()

    class Poller(StreamPoller):
        def stop(self):
            super().stop()
            print("stopping", flush=True)

    stream = FakeStream("T", clock=FakeClock(time.time()))
    stream.put({"PK": {"S": "a"}})
    Poller("T", Router(), client=stream, grace=600).run(install_signals=True)
    """
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(number):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "handling\n"
            process.send_signal(number)
            assert process.stdout.readline() == "stopping\n"
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
    assert process.returncode in (-number, 130)


def handlers():
    return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)


def run(poller, method, **options):
    result = getattr(poller, method)(**options)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
@pytest.mark.parametrize("method", ["run", "run_until_caught_up"])
@pytest.mark.parametrize("install", [False, True])
def test_every_way_to_run_takes_signals_only_if_asked(now, kind, method, install):
    before, during = signal.getsignal(signal.SIGTERM), []

    def listen(event):
        during.append(signal.getsignal(signal.SIGTERM))
        if install and len(during) == 1:
            signal.raise_signal(signal.SIGTERM)
        else:
            poller.stop()

    poller = kind("Product", now.router, client=now.stream, on_event=listen)
    assert run(poller, method, install_signals=install).reason == "stopped"
    assert (during[0] != before) is install
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_loop_of_ones_own_stops_on_signals_too(bench):
    before = handlers()
    bench.write(3)
    poller = bench.poller(router=None)
    with stop_on_signals(poller.stop):
        for batch in poller:
            batch.commit()
            signal.raise_signal(signal.SIGINT)
    assert poller.exit.reason == "stopped"
    assert handlers() == before


@pytest.mark.parametrize("install", [False, True])
def test_signals_are_taken_only_if_asked_and_given_back(bench, install):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    during = set()
    poller = bench.poller()

    def listen(event):
        during.add((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))
        poller.stop()

    bench.listen = listen
    assert poller.run(install_signals=install).reason == "stopped"
    assert (before not in during) is install
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_nothing_is_fetched_after_a_stop(make_bench):
    bench = make_bench(page_records=1)
    bench.write(20)
    poller = bench.poller()
    calls = []

    def listen(event):
        if isinstance(event, BatchDelivered) and not calls:
            poller.stop()
            calls.append(dict(bench.stream.calls))

    bench.listen = listen
    assert poller.run().reason == "stopped"
    # What was asked for when it was stopped may still have come.
    assert bench.stream.calls["GetRecords"] <= calls[0]["GetRecords"] + 1
    assert len(bench.router.values) <= 2


def test_a_stop_before_the_start_is_a_stop(bench):
    bench.write(2)
    poller = bench.poller()
    poller.stop()
    assert poller.run().reason == "stopped"
    assert bench.router.values == []


class TestExit:
    """Why it ended is a value, also where an error is raised."""

    def test_fenced(self, bench):
        poller = bench.poller()
        bench.listen = lambda _: bench.store.acquire(bench.stream.arn, "other", ttl=60)
        bench.write(1)
        with pytest.raises(FencedError):
            poller.run()
        assert poller.exit.reason == "fenced"

    def test_failed(self, bench):
        bench.write(1)
        bench.router.failing[0] = 1
        poller = bench.poller(on_failure="stop")
        with pytest.raises(PollerError) as caught:
            poller.run()
        assert poller.exit.reason == "failed"
        assert poller.exit.error is caught.value

    def test_none_before_the_first_run(self, bench):
        assert StreamPoller("Product", client=bench.stream).exit is None
