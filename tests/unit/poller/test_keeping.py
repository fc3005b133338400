"""What is kept: when positions are saved, what a crash repeats, and how long a lease is trusted."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest

from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller import (
    After,
    AsyncStreamPoller,
    CallFailed,
    DynamoDBCheckpoints,
    End,
    MemoryCheckpoints,
    SaveFailed,
    Settings,
    SQLiteCheckpoints,
)
from ddbstream.testing import FakeClock
from ddbstream.testing.fake_stream._errors import client_error

HOUR = 3600.0
ENDLESS = {"caught_up_pages": 10**9}  # runs until its timeout


class Noting(MemoryCheckpoints):
    """Notes what is saved; fails where a test puts a failure."""

    def __init__(self, bench):
        super().__init__(clock=bench.clock.time)
        self.saved = []
        self.renewals = 0

    def save(self, lease, shard_id, position):
        super().save(lease, shard_id, position)
        self.saved.append(position)

    def renew(self, lease, alive_at):
        super().renew(lease, alive_at)
        self.renewals += 1

    @property
    def numbers(self):
        return [int(position.sequence_number) for position in self.saved if type(position) is After]


def numbers_of(bench):
    shard = next(iter(bench.stream._streams[0].shards.values()))
    return list(shard.numbers)


class TestSaving:
    """When a position is saved."""

    def test_each_batch_by_default(self, make_bench):
        bench = make_bench(page_records=2)
        store = Noting(bench)
        bench.write(6)
        bench.catch_up(checkpoints=store)
        assert store.numbers == numbers_of(bench)[1::2]

    def test_every_so_many_records_if_asked_to_and_the_rest_when_it_stops(self, make_bench):
        bench = make_bench(page_records=1)
        store = Noting(bench)
        bench.write(25)
        settings = Settings(save_records=10, save_seconds=10**6)
        bench.poller(checkpoints=store, settings=settings).run_until_caught_up(HOUR)
        numbers = numbers_of(bench)
        assert store.numbers == [numbers[9], numbers[19], numbers[24]]

    def test_or_every_so_many_seconds(self, make_bench):
        bench = make_bench(page_records=1)
        store = Noting(bench)
        bench.write(60)
        dispatch = bench.router.dispatch

        def slow(payload, **kwargs):
            bench.clock.advance(1)
            return dispatch(payload, **kwargs)

        bench.router.dispatch = slow
        bench.catch_up(checkpoints=store, settings=Settings(save_records=10**6, save_seconds=5))
        assert 10 <= len(store.numbers) <= 14

    def test_a_parents_end_before_its_childrens_first_record_is_handled(self, bench):
        log = []

        class Logging(MemoryCheckpoints):
            def save(self, lease, shard_id, position):
                super().save(lease, shard_id, position)
                if isinstance(position, End):
                    log.append(("ended", shard_id))

        bench.write(2)
        (parent,) = bench.stream.open_shards()
        bench.stream.split()
        for key in map(str, range(20)):
            bench.write(1, key=key)
        dispatch = bench.router.dispatch

        def noted(payload, **kwargs):
            log.append(("handled", kwargs["context"].shard_id))
            return dispatch(payload, **kwargs)

        bench.router.dispatch = noted
        bench.catch_up(checkpoints=Logging(clock=bench.clock.time))
        children = [log.index(("handled", shard)) for shard in bench.stream.open_shards()]
        assert log.index(("ended", parent)) < min(children)

    def test_a_save_whose_answer_was_lost_is_made_again_and_repeats_nothing(self, make_bench):
        bench = make_bench(page_records=2)
        lost = [3]

        class Deaf(Noting):
            def save(self, lease, shard_id, position):
                super().save(lease, shard_id, position)
                if lost[0]:
                    lost[0] -= 1
                    raise ConnectionError("saved, but nobody hears of it")

        store = Deaf(bench)
        written = bench.write(6)
        assert bench.catch_up(checkpoints=store) == written
        assert bench.router.attempts == written
        assert len(bench.of(SaveFailed)) == 3
        assert store.numbers[-1] == numbers_of(bench)[-1]

    def test_a_crash_between_handling_and_saving_repeats_what_was_not_saved(self, make_bench):
        bench = make_bench(page_records=2)

        class Crashing(Noting):
            def save(self, lease, shard_id, position):
                if len(self.numbers) == 1:
                    raise SystemExit
                super().save(lease, shard_id, position)

        store = Crashing(bench)
        written = bench.write(8)
        with pytest.raises(SystemExit):
            bench.poller(checkpoints=store).run()
        handled = list(bench.router.values)
        assert handled == written[: len(handled)]
        assert len(handled) >= 4
        bench.router.records.clear()
        store.saved.clear()  # no more crashes
        Crashing.save = Noting.save
        assert bench.catch_up(checkpoints=store) == written[2:]


class TestLease:
    """Nobody delivers once another poller may have begun."""

    def test_it_is_renewed_three_times_as_often_as_it_has_to_be(self, bench):
        store = Noting(bench)
        settings = Settings(lease=30, **ENDLESS)
        bench.poller(checkpoints=store, settings=settings).run_until_caught_up(300)
        assert 28 <= store.renewals <= 33

    def slow_bench(self, make_bench, down_for):
        bench = make_bench(page_records=1)
        until = bench.clock.time() + down_for
        self.handled_at = []

        class Unreachable(Noting):
            def renew(self, lease, alive_at):
                if bench.clock.time() < until:
                    raise ConnectionError("down")
                super().renew(lease, alive_at)

        bench.store = Unreachable(bench)
        dispatch = bench.router.dispatch
        began = bench.clock.time()

        def slow(payload, **kwargs):
            self.handled_at.append(bench.clock.time() - began)
            bench.clock.advance(1)
            return dispatch(payload, **kwargs)

        bench.router.dispatch = slow
        return bench

    def test_delivery_stops_before_a_lease_that_cannot_be_renewed_ends(self, make_bench):
        bench = self.slow_bench(make_bench, down_for=10**9)
        bench.write(100)
        assert bench.poller().run_until_caught_up(200).reason == "deadline"
        assert 20 < max(self.handled_at) < 30

    def test_delivery_goes_on_when_it_is_renewed_after_all(self, make_bench):
        bench = self.slow_bench(make_bench, down_for=90)
        written = bench.write(60)
        assert bench.catch_up() == written

    def test_it_is_given_back_when_the_positions_cannot_be_loaded(self, bench):
        class Damaged(MemoryCheckpoints):
            damaged = True

            def load(self, lease):
                if self.damaged:
                    raise CheckpointError("unreadable")
                return super().load(lease)

        store = Damaged(clock=bench.clock.time)
        with pytest.raises(CheckpointError):
            bench.poller(checkpoints=store).run()
        store.damaged = False
        bench.catch_up(checkpoints=store, takeover=False)

    def test_it_is_given_back_when_the_event_loop_gives_up_while_it_is_taken(self, make_bench):
        bench = make_bench(clock=FakeClock(time.time()))
        asked, go_on = threading.Event(), threading.Event()

        class Slow(MemoryCheckpoints):
            def acquire(self, *args, **kwargs):
                asked.set()
                assert go_on.wait(30)
                return super().acquire(*args, **kwargs)

        store = Slow()

        async def cancelled():
            poller = AsyncStreamPoller(
                "Product", bench.router, client=bench.stream, checkpoints=store
            )
            task = asyncio.create_task(poller.run())
            while not asked.is_set():  # noqa: ASYNC110 - it is no event of asyncio's
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go_on.set()

        asyncio.run(cancelled())  # waits for the thread
        MemoryCheckpoints.acquire(store, bench.stream.arn, "other", ttl=60, takeover=False)


class TestStoreThatFails:
    """What a store raises that is no ddbstream error."""

    def test_at_the_start_it_is_a_checkpoint_error(self, bench, tmp_path):
        path = tmp_path / "positions.db"
        store = SQLiteCheckpoints(path, timeout=0.0)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(CheckpointError, match="OperationalError") as caught:
                bench.poller(checkpoints=store).run()
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        finally:
            other.close()
        bench.catch_up(checkpoints=store)
        store.close()

    @pytest.mark.parametrize("method", ["update_item", "query"])
    def test_so_is_a_refusal_of_dynamodb(self, bench, method):
        class Client:
            def __init__(self):
                self.released = []

            def update_item(self, **kwargs):
                if "REMOVE lease_owner" in kwargs["UpdateExpression"]:
                    self.released.append(kwargs)
                elif method == "update_item":
                    raise client_error("ThrottlingException", "UpdateItem")
                return {"Attributes": {"epoch": {"N": "1"}}}

            def query(self, **kwargs):
                raise client_error("ThrottlingException", "Query")

        client = Client()
        with pytest.raises(CheckpointError, match="ThrottlingException"):
            bench.poller(checkpoints=DynamoDBCheckpoints("t", client=client)).run()
        assert len(client.released) == (method == "query")

    def test_a_locked_file_is_a_failed_save_that_is_made_again(self, bench, tmp_path):
        path = tmp_path / "positions.db"
        store = SQLiteCheckpoints(path, timeout=0.0)
        other = sqlite3.connect(path, isolation_level=None)
        written = bench.write(3)
        poller = bench.poller(checkpoints=store)
        dispatch = bench.router.dispatch

        def locking(payload, **kwargs):
            other.execute("BEGIN IMMEDIATE")
            return dispatch(payload, **kwargs)

        def unlock(event):
            if isinstance(event, SaveFailed):
                other.execute("ROLLBACK")

        bench.router.dispatch = locking
        bench.listen = unlock
        try:
            assert poller.run_until_caught_up(HOUR).reason == "caught_up"
        finally:
            other.close()
            store.close()
        assert bench.router.attempts == written
        failed = [(event.code, event.reason) for event in bench.of(SaveFailed)]
        assert failed == [("OperationalError", "database is locked")]

    def reopened(self, bench):
        written = bench.write(2)
        bench.stream.disable()
        old = bench.stream.arn
        bench.clock.advance(10)
        bench.stream.enable()
        return old, written + bench.write(2)

    def test_while_a_stream_is_followed_it_is_a_failed_call(self, bench):
        class Failing(MemoryCheckpoints):
            failures = 2

            def acquire(self, stream_arn, *args, **kwargs):
                if stream_arn == bench.stream.arn and self.failures:
                    self.failures -= 1
                    raise ConnectionError("down")
                return super().acquire(stream_arn, *args, **kwargs)

        old, written = self.reopened(bench)
        store = Failing(clock=bench.clock.time)
        bench.poller(old, follow=True, checkpoints=store).run_until_caught_up(HOUR)
        assert bench.router.values == written
        failed = [event for event in bench.of(CallFailed) if event.operation == "Follow"]
        assert len(failed) == 2

    def test_so_is_a_table_that_cannot_be_described_just_then(self, bench):
        old, written = self.reopened(bench)
        describe, failures = bench.stream.describe_table, [2]

        def failing(**kwargs):
            if failures[0]:
                failures[0] -= 1
                raise client_error("ThrottlingException", "DescribeTable")
            return describe(**kwargs)

        bench.stream.describe_table = failing
        bench.poller(old, follow=True).run_until_caught_up(HOUR)
        assert bench.router.values == written
        assert [e.kind for e in bench.of(CallFailed) if e.operation == "Follow"] == [
            "throttled"
        ] * 2

    def test_a_stream_that_another_poller_has_is_not_followed(self, bench):
        old, _ = self.reopened(bench)
        bench.store.acquire(bench.stream.arn, "other", ttl=10**6)
        with pytest.raises(FencedError):
            bench.poller(old, follow=True, takeover=False).run_until_caught_up(HOUR)
