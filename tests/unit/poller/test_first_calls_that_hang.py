"""A first call that hangs keeps no stop waiting, no deadline and no other table."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ddbstream.exceptions import FencedError, PollerArgumentError, StreamNotFoundError
from ddbstream.poller import AsyncStreamPoller, MemoryCheckpoints, StreamPoller, _driver
from ddbstream.testing import FakeStream
from tests.support.poller_bench import QUICK, Recorder, wait_until

KINDS = pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
OF_THE_SERVICE = ["describe_table", "list_streams", "describe_stream"]
OF_THE_STORE = ["acquire", "load"]


class Hanging:
    """Calls of some object, of which one hangs until the test is over."""

    def __init__(self, of: object, name: str) -> None:
        self.inside, self.go_on, self.back = (threading.Event() for _ in range(3))
        call = getattr(of, name)

        def hang(*arguments: object, **options: object) -> object:
            self.inside.set()
            assert self.go_on.wait(60)
            try:
                return call(*arguments, **options)
            finally:
                self.back.set()

        setattr(of, name, hang)


def in_a_thread(poller, **options):
    def run():
        ended = poller.run_until_caught_up(**options) if options else poller.run()
        return asyncio.run(ended) if asyncio.iscoroutine(ended) else ended

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@KINDS
@pytest.mark.parametrize("call", OF_THE_SERVICE + OF_THE_STORE)
def test_a_stop_is_not_kept_waiting(now, kind, call):
    now.write(1)
    of = now.stream if call in OF_THE_SERVICE else now.store
    hanging = Hanging(of, call)
    poller = kind(
        ["Product"],
        now.router,
        client=now.stream,
        checkpoints=now.store,
        settings=QUICK,
        on_missing="skip" if call == "describe_stream" else "fail",
    )
    thread = in_a_thread(poller)
    assert hanging.inside.wait(30)
    poller.stop()
    thread.join(30)
    assert not thread.is_alive()  # while the call still hangs
    assert not hanging.back.is_set()
    assert poller.exit.reason == "stopped"
    # What it had begun is given back, and keeps nobody else waiting.
    hanging.go_on.set()
    assert hanging.back.wait(30)
    wait_until(lambda: is_free(now))
    assert now.router.values == []


def is_free(bench):
    try:
        lease = bench.store.acquire(bench.stream.arn, "another", ttl=60, takeover=False)
    except FencedError:
        return False
    bench.store.release(lease)
    return True


@KINDS
def test_neither_is_a_deadline(now, kind):
    hanging = Hanging(now.stream, "describe_table")
    poller = kind("Product", now.router, client=now.stream, settings=QUICK)
    thread = in_a_thread(poller, timeout=0.1)
    thread.join(30)
    assert not thread.is_alive()
    assert poller.exit.reason == "deadline"
    hanging.go_on.set()


def test_nor_is_the_stop_of_a_loop_over_batches(now):
    hanging = Hanging(now.stream, "describe_table")
    poller = StreamPoller("Product", client=now.stream, settings=QUICK)
    thread = threading.Thread(target=lambda: list(poller.batches()), daemon=True)
    thread.start()
    assert hanging.inside.wait(30)
    poller.stop()
    thread.join(30)
    assert not thread.is_alive()
    hanging.go_on.set()


@KINDS
@pytest.mark.parametrize("first", [0, 1])
def test_a_table_whose_lease_is_waited_for_keeps_no_other_from_being_read(now, kind, first):
    orders = FakeStream("Order")
    now.store.acquire(orders.arn, "another", ttl=600)
    now.write(2)
    both = Both(now.stream, orders)
    poller = kind(
        [now.stream.arn, orders.arn][:: 1 if first else -1],
        now.router,
        client=both,
        checkpoints=now.store,
        settings=QUICK,
    )
    thread = in_a_thread(poller)
    wait_until(lambda: now.router.values == [0, 1])
    assert poller.exit is None
    wait_until(poller.healthy)
    poller.stop()
    thread.join(30)
    assert poller.exit.reason == "stopped"
    assert is_free(now)


class Both:
    """One client for two tables' streams."""

    def __init__(self, *streams):
        self._streams = streams

    def __getattr__(self, name):
        def call(**arguments):
            for stream in self._streams:
                if stream.arn in (arguments.get("StreamArn") or arguments["ShardIterator"]):
                    return getattr(stream, name)(**arguments)
            raise AssertionError(arguments)

        return call


def test_who_stands_by_for_long_is_healthy_and_its_thread_has_its_turns(now, monkeypatch):
    monkeypatch.setattr(_driver, "_SIGN_OF_LIFE", 0.01)
    now.store.acquire(now.stream.arn, "another", ttl=3600)
    poller = now.threaded()
    thread = in_a_thread(poller)
    wait_until(poller.healthy)
    began = poller._driver.turned_at
    wait_until(lambda: poller._driver.turned_at > began + 0.05)
    assert poller.healthy()
    poller.stop()
    thread.join(30)
    assert poller.exit.reason == "stopped"


def test_what_one_table_has_done_is_saved_when_another_is_not_there(now):
    missing, failed = now.stream.arn + "9", threading.Event()
    now.write(3)

    class Router(Recorder):
        def dispatch(self, payload, **options):
            result = super().dispatch(payload, **options)
            failed.set()
            return result

    router = Router()
    resolve = now.stream.describe_table

    def describe_table(**options):
        if options["TableName"] == "Product":
            return resolve(**options)
        assert failed.wait(30)
        raise now.stream.exceptions.ResourceNotFoundException(
            {"Error": {"Code": "ResourceNotFoundException", "Message": missing}}, "DescribeTable"
        )

    now.stream.describe_table = describe_table
    poller = StreamPoller(
        ["Product", "Order"], router, client=now.stream, checkpoints=now.store, settings=QUICK
    )
    with pytest.raises(StreamNotFoundError):
        poller.run()
    assert poller.exit.reason == "failed"
    assert router.values == [0, 1, 2]
    now.threaded().run_until_caught_up(30)
    assert now.router.values == []


def test_a_stream_that_is_given_by_two_names_is_refused_and_its_lease_given_back(now):
    poller = StreamPoller(
        ["Product", now.stream.arn],
        now.router,
        client=now.stream,
        checkpoints=now.store,
        settings=QUICK,
    )
    with pytest.raises(PollerArgumentError, match="given twice"):
        poller.run()
    assert is_free(now)


class Interrupted(MemoryCheckpoints):
    """Whose poller is interrupted once, while it gives its lease back."""

    interrupted = False

    def release(self, lease):
        super().release(lease)
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt


def test_a_poller_that_is_interrupted_while_it_ends_can_be_run_again(bench):
    bench.store = Interrupted(clock=bench.clock.time)
    bench.write(1)
    poller = bench.poller()
    with pytest.raises(KeyboardInterrupt):
        poller.run_until_caught_up()
    assert poller.run_until_caught_up().reason == "caught_up"
