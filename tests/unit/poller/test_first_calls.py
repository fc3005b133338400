"""The calls before there is a core: what may pass is waited out, the rest is told at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ddbstream.exceptions import StreamNotFoundError
from ddbstream.poller import AsyncStreamPoller, Gap, MemoryCheckpoints, StreamPoller
from ddbstream.testing.fake_stream._errors import client_error
from tests.support.poller_bench import QUICK, wait_until

SNAKE = {"DescribeTable": "describe_table", "ListStreams": "list_streams"}
CALLS = list(SNAKE)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("answer", ["ThrottlingException", "InternalServerError", "reset", "cut"])
def test_what_may_pass_is_waited_out(bench, operation, answer):
    written = bench.write(2)
    bench.stream.fail(operation, answer, times=3)
    assert bench.catch_up() == written
    assert bench.stream.calls[operation] == 4


@pytest.mark.parametrize("on_missing", ["fail", "skip"])
def test_it_is_so_whatever_is_done_about_missing_tables(bench, on_missing):
    written = bench.write(2)
    bench.stream.fail("DescribeTable", "ThrottlingException", times=3)
    bench.stream.fail("DescribeStream", "ThrottlingException", times=3)
    assert bench.catch_up(on_missing=on_missing) == written


@pytest.mark.parametrize("tables", ["Product", ["Product"]])
@pytest.mark.parametrize("operation", CALLS)
def test_now_is_when_the_run_began_and_not_when_the_first_calls_were_through(
    bench, operation, tables
):
    bench.write(1)
    bench.clock.advance(60)
    call, waited_for = getattr(bench.stream, SNAKE[operation]), []

    def throttled(**options):
        if len(waited_for) < 5:
            waited_for.extend(bench.write(1))
            raise client_error("ThrottlingException", operation)
        return call(**options)

    setattr(bench.stream, SNAKE[operation], throttled)
    bench.poller(tables, start="LATEST").run_until_caught_up(600)
    assert bench.router.values == waited_for
    assert len(waited_for) == 5


def test_now_is_when_the_lease_was_had_where_it_was_waited_for(bench):
    bench.store.acquire(bench.stream.arn, "other", ttl=2 * 86_400)
    bench.write(1)
    assert bench.catch_up(start="LATEST") == []
    assert bench.clock.monotonic() > 2 * 86_400
    assert not bench.of(Gap)


@pytest.mark.parametrize("operation", CALLS)
def test_what_lasts_is_raised_as_it_came(bench, operation):
    began = bench.clock.monotonic()
    bench.stream.fail(operation, "ThrottlingException", times=100)
    with pytest.raises(bench.stream.exceptions.ClientError, match="ThrottlingException"):
        bench.catch_up()
    assert bench.stream.calls[operation] == 8
    assert 10 < bench.clock.monotonic() - began < 60


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", None), ("ResourceNotFoundException", StreamNotFoundError)],
)
def test_what_will_not_pass_is_told_at_once(bench, code, error):
    bench.stream.fail("DescribeTable", code, times=100)
    with pytest.raises(error or bench.stream.exceptions.ClientError):
        bench.catch_up()
    assert bench.stream.calls["DescribeTable"] == 1


def test_so_is_a_server_that_is_not_there(bench):
    calls = []

    def refused(**options):
        calls.append(options)
        raise ConnectionRefusedError

    bench.stream.describe_table = refused
    with pytest.raises(ConnectionRefusedError):
        bench.catch_up()
    assert len(calls) == 1


def test_calls_that_take_long_are_waited_out_no_longer(bench):
    began = bench.clock.monotonic()

    def slow(**options):
        bench.clock.sleep(60)  # as three tries of botocore's may
        raise TimeoutError

    bench.stream.describe_table = slow
    with pytest.raises(TimeoutError):
        bench.catch_up()
    assert bench.clock.monotonic() - began < 120


def test_the_time_that_a_run_has_ends_the_waiting(bench):
    bench.stream.fail("DescribeTable", "ThrottlingException", times=100)
    began = bench.clock.monotonic()
    assert bench.poller().run_until_caught_up(1.7).reason == "deadline"
    assert bench.clock.monotonic() == pytest.approx(began + 1.7)
    assert bench.stream.calls["DescribeTable"] < 8


def test_it_ends_the_waiting_for_a_lease_just_as_soon(bench):
    bench.store.acquire(bench.stream.arn, "other", ttl=600)
    began = bench.clock.monotonic()
    assert bench.poller().run_until_caught_up(1.7).reason == "deadline"
    assert bench.clock.monotonic() == pytest.approx(began + 1.7)


@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
def test_a_stop_ends_the_waiting(now, kind):
    asked = threading.Event()

    def throttled(**options):
        asked.set()
        raise client_error("ThrottlingException", "DescribeTable")

    now.stream.describe_table = throttled
    poller = kind("Product", now.router, client=now.stream, settings=QUICK)

    def run():
        ended = poller.run()
        return asyncio.run(ended) if asyncio.iscoroutine(ended) else ended

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert asked.wait(10)
    poller.stop()
    thread.join(30)
    wait_until(lambda: poller.exit is not None)
    assert poller.exit.reason == "stopped"


def test_a_run_that_was_cancelled_takes_no_lease_from_the_next(now):
    written, asked, go_on = now.write(1), threading.Event(), threading.Event()
    describe, through = now.stream.describe_table, threading.Event()

    def slow(**options):
        if asked.is_set():
            return describe(**options)
        asked.set()
        assert go_on.wait(10)
        return describe(**options)

    class Store(MemoryCheckpoints):
        def acquire(self, *arguments, **options):
            if go_on.is_set():
                through.set()
            return super().acquire(*arguments, **options)

    now.stream.describe_table = slow
    options = {"client": now.stream, "settings": QUICK, "checkpoints": Store()}
    poller = AsyncStreamPoller("Product", now.router, **options)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(poller.run(), 0.2)
        again = asyncio.create_task(poller.run())
        await asyncio.to_thread(wait_until, lambda: now.router.values == written)
        go_on.set()
        await asyncio.to_thread(through.wait, 0.5)
        written.extend(now.write(1))
        await asyncio.to_thread(wait_until, lambda: now.router.values == written)
        poller.stop()
        return await again

    assert asyncio.run(main()).reason == "stopped"
    assert not through.is_set()
