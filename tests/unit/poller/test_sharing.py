"""What shards and pollers share: calls, memory, and the lease of one store."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from ddbstream.exceptions import FencedError, PollerArgumentError, StreamNotFoundError
from ddbstream.poller import Settings, StreamPoller
from ddbstream.poller._core.budget import Budget
from tests.support.poller_bench import QUICK, Recorder, wait_until


class Late(Recorder):
    """Notes how long after the last write each batch comes."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.late, self.wrote = clock, [], []

    def dispatch(self, payload, **options):
        self.late.append(self.clock.monotonic() - self.wrote[-1])
        return super().dispatch(payload, **options)


class TestCalls:
    @pytest.mark.parametrize(
        ("since", "until", "least", "most"),
        [(1070, 1120, 15, 25), (1700, 2300, 3, 6)],
        ids=["at first", "in the end"],
    )
    def test_many_idle_shards_share_a_few_calls_a_second(
        self, make_bench, since, until, least, most
    ):
        bench = make_bench(shards=100)
        assert bench.clock.monotonic() == 1000
        poller = bench.poller()
        counted = []

        def listen(event):
            if not counted and bench.clock.monotonic() > since:
                counted.append((bench.clock.monotonic(), bench.stream.calls["GetRecords"]))
            if bench.clock.monotonic() > until:
                poller.stop()

        bench.listen = listen
        poller.run()
        began, calls = counted[0]
        rate = (bench.stream.calls["GetRecords"] - calls) / (bench.clock.monotonic() - began)
        assert least < rate < most

    @pytest.mark.parametrize("silence", [100, 200, 400])
    def test_a_record_waits_for_a_twentieth_of_the_silence_before_it(self, make_bench, silence):
        bench = make_bench(shards=60)
        router = Late(bench.clock)
        late, wrote = router.late, router.wrote
        poller = bench.poller(router=router)

        def listen(event):
            now = bench.clock.monotonic()
            if now > 1000 + silence and not wrote:
                wrote.append(now)
                for number in range(600):
                    bench.write(1, key=f"k{number}")
            if now > 1000 + silence + 60:
                poller.stop()

        bench.listen = listen
        poller.run()
        assert len(late) == 60
        assert max(late) <= silence / 20 + 1
        assert max(late) <= 60 / 4

    def test_a_child_does_not_wait_for_a_parent_that_has_long_been_empty(self, make_bench):
        bench = make_bench(shards=40)
        router = Late(bench.clock)
        late, wrote = router.late, router.wrote
        poller = bench.poller(router=router, settings=Settings(idle_calls=0.2))

        def listen(event):
            now = bench.clock.monotonic()
            if now > 6000 and not wrote:
                wrote.append(now)
                bench.stream.roll_over()
                for number in range(400):
                    bench.write(1, key=f"k{number}")
            if now > 6300:
                poller.stop()

        bench.listen = listen
        poller.run()
        assert len(late) == 40
        assert max(late) <= 68  # until the next listing, and not for up to 200 seconds

    def test_a_few_idle_shards_are_asked_as_often_as_ever(self, make_bench):
        bench = make_bench(shards=3)
        poller = bench.poller()

        def listen(event):
            if bench.clock.monotonic() > 2000:
                poller.stop()

        bench.listen = listen
        poller.run()
        assert bench.stream.calls["GetRecords"] > 2900

    def test_a_busy_shard_among_many_idle_ones_is_asked_at_once(self, make_bench):
        bench = make_bench(shards=100)
        router = Late(bench.clock)
        late, wrote = router.late, router.wrote
        poller = bench.poller(router=router)

        def listen(event):
            now = bench.clock.monotonic()
            if now > 1500 and (not wrote or now - wrote[-1] >= 2):
                wrote.append(now)
                bench.write(1)
            if now > 1700:
                poller.stop()

        bench.listen = listen
        poller.run()
        assert sorted(late)[len(late) // 2] <= 1.5


class TestMemory:
    def test_pages_in_memory_stay_within_the_bound_and_all_are_read(self, make_bench):
        bench = make_bench(shards=20, page_records=10)
        for number in range(600):
            bench.write(1, key=f"k{number}")
        settings = Settings(max_page_bytes=50_000, full_size=10_240)
        most = []
        poller = bench.poller(settings=settings)
        bench.listen = lambda _: most.append(poller._setup._budget.held)
        poller.run_until_caught_up(7200)
        assert sorted(bench.router.values) == list(range(600))
        assert max(most) <= 50_000

    def test_shards_that_fail_do_not_keep_the_others_from_reading(self, make_bench):
        bench = make_bench(shards=20, page_records=100)
        for number in range(2000):
            bench.write(1, key=f"k{number % 200}")
        shards = {}

        class Router(Recorder):
            def dispatch(self, payload, *, stream_arn=None, context=None):
                shards.setdefault(context.shard_id, len(shards))
                if shards[context.shard_id] % 20 < 10:
                    raise ValueError
                return super().dispatch(payload)

        router = Router()
        settings = Settings(max_page_bytes=300_000, full_size=102_400)
        poller = bench.poller(router=router, settings=settings)
        poller.run_until_caught_up(60)
        good = [s for s, number in shards.items() if number % 20 >= 10]
        assert len(good) == 10
        wanted = sum(len(bench.stream.stored_shards()[s].numbers) for s in good)
        assert len(router.records) == wanted

    def test_what_a_run_still_held_when_its_time_was_up_is_not_counted_in_the_next(
        self, make_bench
    ):
        bench = make_bench(shards=4, page_records=20)
        for number in range(400):
            bench.write(1, key=f"k{number}")
        bench.router.failing = dict.fromkeys(range(400), 10**6)
        settings = Settings(max_page_bytes=50_000, full_size=20_480)
        poller = bench.poller(settings=settings)
        for _ in range(3):
            assert poller.run_until_caught_up(10).reason == "deadline"
        bench.router.failing = {}
        assert poller.run_until_caught_up(600).reason == "caught_up"
        assert sorted(bench.router.values) == list(range(400))

    def test_one_page_may_always_be_asked_for(self):
        assert Budget(Settings(max_page_bytes=1)).has_room_for(1_000_000)


class TestLease:
    def test_a_poller_waits_for_one_that_is_alive(self, now):
        now.write(1)
        settings = replace(QUICK, lease=1.0)
        first, second = now.threaded(settings=settings), now.threaded(settings=settings)
        threads = [threading.Thread(target=one.run, daemon=True) for one in (first, second)]
        threads[0].start()
        wait_until(lambda: len(now.router.values) == 1)
        threads[1].start()
        wait_until(lambda: second._setup.waits)
        time.sleep(1.5)
        assert first.healthy()
        assert second.healthy()
        first.stop()
        threads[0].join(30)
        assert first.exit.reason == "stopped"
        now.write(1)
        wait_until(lambda: len(now.router.values) == 2)
        second.stop()
        threads[1].join(30)
        assert second.exit.reason == "stopped"

    def test_one_that_waits_can_be_stopped_and_has_a_deadline(self, now):
        now.store.acquire(now.stream.arn, "other", ttl=600)
        assert now.threaded().run_until_caught_up(0.1).reason == "deadline"
        poller = now.threaded()
        thread = threading.Thread(target=poller.run, daemon=True)
        thread.start()
        wait_until(lambda: poller._setup.waits)
        poller.stop()
        thread.join(30)
        assert poller.exit.reason == "stopped"

    def test_two_that_take_over_and_start_again_do_not_do_so_for_ever(self, now):
        fences, over = [], threading.Event()
        settings = replace(QUICK, lease=0.6)
        current = {}

        def keep_running(name):
            while not over.is_set():
                current[name] = now.threaded(takeover=True, settings=settings)
                try:
                    current[name].run()
                except FencedError:
                    fences.append(name)

        threads = [threading.Thread(target=keep_running, args=(n,), daemon=True) for n in "ab"]
        for thread in threads:
            thread.start()
        time.sleep(4)
        over.set()
        for thread in threads:
            while thread.is_alive():
                for poller in list(current.values()):
                    poller.stop()
                thread.join(0.1)
        assert len(fences) <= 7


class TestSeveral:
    def test_one_of_several_that_is_missing_fails_the_start_unless_told_otherwise(self, bench):
        bench.write(1)
        names = ["Product", "Missing"]
        with pytest.raises(StreamNotFoundError, match="Missing"):
            bench.poller(names).run_until_caught_up(600)
        bench.poller(names, on_missing="skip").run_until_caught_up(600)
        assert bench.router.values == [0]

    def test_so_does_a_stream_by_its_arn(self, bench):
        bench.write(1)
        names = [bench.stream.arn, bench.stream.arn.replace("Product", "Missing")]
        bench.poller(names, on_missing="skip").run_until_caught_up(600)
        assert bench.router.values == [0]

    def test_all_of_them_missing_fails_whatever_was_told(self, bench):
        with pytest.raises(StreamNotFoundError, match="Missing"):
            bench.poller("Missing", on_missing="skip").run_until_caught_up(600)

    def test_another_choice_is_refused(self, bench):
        with pytest.raises(PollerArgumentError, match="on_missing"):
            StreamPoller("T", bench.router, client=bench.stream, on_missing="wait")


def test_a_consumer_that_is_rewound_begins_at_start(bench):
    written = bench.write(3)
    bench.catch_up()
    bench.catch_up(consumer="other")
    bench.router.records.clear()
    bench.poller().rewind()
    assert bench.catch_up() == written
    bench.router.records.clear()
    assert bench.catch_up(consumer="other") == []


def test_one_that_is_fenced_while_it_begins_says_so(bench):
    class Taken(type(bench.store)):
        def load(self, lease):
            self.acquire(lease.stream_arn, "other", ttl=60)
            return super().load(lease)

    poller = bench.poller(checkpoints=Taken(clock=bench.clock.time))
    with pytest.raises(FencedError):
        poller.run()
    assert poller.exit.reason == "fenced"
