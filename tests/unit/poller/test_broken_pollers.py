"""Pollers that are broken in one way each: the example that is to catch it does.

Each row has an example, which the poller passes, and a mistake, with which it must fail. The first
nine are mistakes that a simulation of the core alone did not see.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timezone
from unittest import mock

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import PollerError, RecordsTrimmedError
from ddbstream.poller import (
    AsyncStreamPoller,
    AtStart,
    BatchFailed,
    CallFailed,
    Gap,
    MemoryCheckpoints,
    PollContext,
    Settings,
    Start,
    State,
    StreamPoller,
    _async,
    _client,
    _setup,
)
from ddbstream.poller import _fences as fences
from ddbstream.poller._batches import BatchLoop
from ddbstream.poller._core import shard as shard_module
from ddbstream.poller._core.budget import Budget
from ddbstream.poller._core.commands import Delivered
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.delivery import Delivery
from ddbstream.poller._core.discovery import Discovery
from ddbstream.poller._core.lease import LeaseRenewal
from ddbstream.poller._core.lineage import Lineage, Listing
from ddbstream.poller._core.reading import Reader
from ddbstream.poller._core.shared import Shared
from ddbstream.poller._core.start import Starting
from ddbstream.poller._dispatching import Dispatcher
from ddbstream.poller._driver import Driver
from ddbstream.poller._ongoing import Ongoing
from ddbstream.poller._stores import memory
from ddbstream.poller._stream import Stream
from ddbstream.testing import FakeClock, FakeStream, Faults
from ddbstream.testing.fake_stream._errors import client_error
from tests.support.poller_bench import (
    QUICK,
    Bench,
    Both,
    Recorder,
    stopped_while_the_next_stream_is_opened,
)

# Examples


def lease():
    bench = Bench(page_records=1)

    class Failing(MemoryCheckpoints):
        def renew(self, lease, alive_at):
            raise ConnectionError

    began, late = bench.clock.monotonic(), []

    class Slow(Recorder):
        def dispatch(self, payload, **options):
            late.append(bench.clock.monotonic() - began)
            bench.clock.advance(10)
            return super().dispatch(payload)

    bench.write(20)
    poller = bench.poller(router=Slow(), checkpoints=Failing(clock=bench.clock.time))
    poller.run_until_caught_up(120)
    assert max(late) < 30


def back_pressure():
    class Broken(MemoryCheckpoints):
        def save(self, lease, shard_id, position):
            raise ConnectionError

    bench = Bench(page_records=2)
    bench.write(20)
    bench.poller(checkpoints=Broken()).run_until_caught_up(600)
    assert bench.router.values == [0, 1, 2, 3]


def durable_start():
    bench, read = Bench(), []

    class Late(MemoryCheckpoints):
        tries = 0

        def fix_start(self, lease, start):
            self.tries += 1
            read.append(bench.stream.calls.get("GetRecords", 0))
            if self.tries < 4:
                raise ConnectionError
            super().fix_start(lease, start)

    bench.write(2)
    bench.catch_up(checkpoints=Late(clock=bench.clock.time))
    assert read == [0, 0, 0, 0]


def open_parent():
    bench = Bench(faults=Faults(open_shard=1.0))
    written = bench.write(3)
    bench.stream.roll_over()
    written += bench.write(3)
    bench.poller().run_until_caught_up(3600)
    assert bench.router.values == written


def sibling():
    bench = Bench()
    bench.write(1)
    bench.stream.split()
    written = [n for key in map(str, range(20)) for n in bench.write(1, key=key)]
    late = bench.stream._streams[0].shards[bench.stream.open_shards()[1]]
    late.listed_from = bench.clock.time() + 0.9
    assert sorted(bench.catch_up()) == [0, *written]


def times_out_of_order():
    _times_out_of_order(1)
    _times_out_of_order(100)


def _times_out_of_order(page):
    bench = Bench(page_records=page)
    start = datetime.fromtimestamp(bench.clock.time() + 100, timezone.utc)
    bench.clock.advance(200)
    written = bench.write(1)
    bench.clock.jump(-150)
    written += bench.write(1)
    bench.clock.jump(150)
    assert bench.catch_up(start=start) == written


def sign_of_life():
    bench, kept = Bench(), []

    class Noting(MemoryCheckpoints):
        def renew(self, lease, alive_at):
            kept.append(alive_at)
            super().renew(lease, alive_at)

    began = bench.clock.time()
    bench.write(1)
    bench.router.failing[0] = 10**9
    store = Noting(clock=bench.clock.time)
    bench.poller(checkpoints=store).run_until_caught_up(7200)
    assert max(kept) < began + 600


def denied_once():
    bench = Bench()
    bench.write(2)
    bench.stream.fail("GetShardIterator", "ResourceNotFoundException")
    assert bench.catch_up() == [0, 1]
    assert bench.of(Gap) == []


def one_shard_fails():
    bench = Bench(shards=2, page_records=1)
    for number in range(20):
        bench.write(1, key=f"k{number}")
    bench.router.failing[0] = 10**9
    bench.poller().run_until_caught_up(600)
    failing = bench.of(BatchFailed)[0].shard_id
    assert len(bench.router.values) == 20 - len(bench.stream.stored_shards()[failing].numbers)


def stream_denied():
    bench = Bench()
    bench.write(1)
    bench.catch_up()
    bench.stream.fail("DescribeStream", "ResourceNotFoundException", times=2)
    get_records, cut = bench.stream.get_records, []

    def bare(**options):
        answer = dict(get_records(**options))
        if not cut:
            cut.append(answer.pop("NextShardIterator"))
        return answer

    bench.stream.get_records = bare
    bench.poller().run_until_caught_up(600)
    bench.write(1)
    bench.poller().run_until_caught_up(600)
    assert bench.router.values == [0, 1]


def open_shard_denied():
    bench = Bench()
    bench.write(1)
    bench.stream.fail("GetShardIterator", "ResourceNotFoundException", times=12)
    assert bench.catch_up() == [0]


def implausible_birth():
    assert shard_module.birth_of("shardId-00000000000000000123-abcdef12") is None


def idle_calls():
    bench = Bench(shards=100)
    bench.poller()
    poller = bench.poller()
    bench.listen = lambda _: bench.clock.monotonic() > 1600 and poller.stop()
    poller.run()
    assert bench.stream.calls["GetRecords"] < 100 * 100 + 500 * 25


def bounded_pages():
    bench = Bench(shards=20, page_records=10)
    for number in range(400):
        bench.write(1, key=f"k{number}")
    most = []
    poller = bench.poller(settings=Settings(max_page_bytes=50_000, full_size=10_240))
    bench.listen = lambda _: most.append(poller._setup._budget.held)
    poller.run_until_caught_up(600)
    assert max(most) <= 50_000


def last_of_its_kind():
    bench = Bench()
    bench.write(1)
    bench.catch_up()
    (shard,) = bench.stream.stored_shards().values()
    bench.clock.advance(23 * 3600)
    bench.write(1)
    bench.stream._close(shard)
    bench.clock.advance(2 * 3600)
    assert bench.poller(on_gap="continue").run_until_caught_up(600).reason == "caught_up"


def re_enabled():
    bench = Bench()
    bench.catch_up()
    written = bench.write(2)
    bench.enable_again()
    written += bench.write(1)
    assert bench.catch_up(start="LATEST") == written


def _handled_until_the_first_stops(bench):
    got, router = [], StreamRouter()
    poller = bench.poller(router=router)

    @router.on_change()
    def handle(record):
        got.append(record)
        poller.stop()

    poller.run()
    return got


def stop_in_a_batch():
    bench = Bench()
    bench.write(5)
    assert len(_handled_until_the_first_stops(bench)) == 1


def stop_with_a_broken_store():
    class Broken(MemoryCheckpoints):
        def save(self, lease, shard_id, position):
            raise ConnectionError

    bench = Bench()
    bench.write(2)
    bench.router.failing[1] = 1
    poller = bench.poller(checkpoints=Broken(), on_failure="stop")
    with pytest.raises(PollerError, match="cannot be handled"):
        poller.run_until_caught_up(600)
    assert bench.clock.monotonic() < 1100


def commit_saves():
    bench = Bench()
    bench.write(1)
    poller = bench.poller(router=None)
    for batch in poller.batches(until_caught_up=True):
        bench.clock.advance(300)
        batch.commit()
        state = next(iter(bench.store._streams.values()))
        assert state.positions


def two_consumers():
    bench = Bench()
    bench.write(2)
    bench.catch_up(consumer="one")
    bench.router.records.clear()
    assert bench.catch_up(consumer="two") == [0, 1]


def lowest_not_done():
    bench, router, tries = Bench(), StreamRouter(), []
    bench.write(1, key="a")
    bench.write(1, key="b")

    @router.on_change()
    def handle(record):
        if int(record.new["n"]) == 0:
            tries.append(1)
            if len(tries) < 3:
                raise ValueError

    bench.poller(router=router, concurrency=2).run_until_caught_up(600)
    assert len(tries) == 3


def stop_with_more_on_the_way():
    bench = Bench(shards=4)
    for number in range(20):
        bench.write(1, key=f"k{number}")
    assert len(_handled_until_the_first_stops(bench)) == 1


def stop_while_the_next_stream_is_opened():
    values, seconds = stopped_while_the_next_stream_is_opened(grace=1.0)
    assert sorted(values) == [0, 1]
    assert seconds < 0.9


def _listings_of(*answers):
    bench, left = Bench(), list(answers)
    bench.write(2)
    describe = bench.stream.describe_stream
    bench.stream.describe_stream = lambda **options: left.pop() if left else describe(**options)
    assert bench.catch_up() == [0, 1]
    assert len(bench.of(CallFailed)) == len(answers)


def empty_listing():
    _listings_of({"StreamDescription": {"StreamStatus": "ENABLED", "Shards": []}})


def no_answer():
    _listings_of(None)


def never_renewed(times=0):
    bench = Bench()
    bench.write(1)
    lease = bench.store.acquire(bench.stream.arn, "old", ttl=30)
    bench.store.fix_start(lease, Start(AtStart(), bench.clock.time()))
    bench.stream.roll_over()
    for _ in range(times):
        bench.enable_again()
    bench.clock.advance(30 * 3600)
    with pytest.raises(RecordsTrimmedError, match="stopped_too_long"):
        bench.catch_up()


def dropped_before_it_was_read():
    never_renewed(2)


def begun_a_day_after_it_was_enabled():
    bench = Bench()
    bench.write(1)
    bench.catch_up()
    bench.stream.disable()
    bench.poller().run()
    bench.stream.enable()
    bench.write(1)
    bench.clock.advance(30 * 3600)
    with pytest.raises(RecordsTrimmedError, match="trimmed_before_first_read"):
        bench.catch_up()


def between_a_dropped_stream_and_the_newest():
    bench = Bench()
    bench.write(1)
    bench.catch_up()
    bench.stream.disable()
    bench.poller().run()
    bench.stream.enable()
    bench.clock.advance(20 * 3600)
    bench.write(2)
    bench.enable_again()
    bench.clock.advance(5 * 3600)
    assert bench.catch_up(on_gap="continue") == [0, 1, 2]


def re_enabled_twice_while_it_is_read():
    bench = Bench()
    bench.write(1)

    class Router(Recorder):
        def dispatch(self, payload, **options):
            if not self.records:
                for _ in range(2):
                    bench.enable_again()
                    bench.write(1)
            return super().dispatch(payload, **options)

    bench.router = Router()
    bench.poller(follow=True).run_until_caught_up(3600)
    assert bench.router.values == [0, 1, 2]


def cancelled_below():
    bench = Bench(clock=FakeClock(time.time()))
    bench.write(1)
    tries = []

    async def handle(records, context):
        tries.append(1)
        if len(tries) == 1:
            nested = asyncio.ensure_future(asyncio.sleep(10))
            nested.cancel()
            await nested

    poller = AsyncStreamPoller("Product", handle, client=bench.stream, settings=QUICK)
    asyncio.run(poller.run_until_caught_up(20))
    assert len(tries) == 2


def hung_has_a_name():
    bench, said, router = Bench(), [], StreamRouter()
    bench.write(1)
    poller = bench.poller(router=router)

    @router.on_change()
    def handle(record):
        bench.clock.advance(400)
        said.append(poller.problem())

    poller.run_until_caught_up(3600)
    assert "a handler has not returned for 400 seconds" in said[0]


def fencing_token():
    bench = Bench()
    for _ in range(2):
        bench.write(1)
        bench.catch_up()
    first, second = (context.epoch for context in bench.router.contexts)
    assert 0 < first < second


def takeover_backs_off():
    bench = Bench()
    arn = bench.stream.arn
    for _ in range(6):
        fences.fenced(f"{arn}#default", bench.clock.monotonic())
    bench.store.acquire(arn, "other", ttl=1e9)
    began = bench.clock.monotonic()
    try:
        bench.catch_up(takeover=True)
    finally:
        fences._fenced.clear()
    assert bench.clock.monotonic() - began > 60


def waits_for_a_live_lease():
    bench = Bench()
    bench.write(1)
    bench.store.acquire(bench.stream.arn, "other", ttl=100)
    began = bench.clock.monotonic()
    bench.catch_up()
    assert bench.clock.monotonic() - began >= 100


def late_streams_are_read_from_their_beginning():
    bench = Bench()
    bench.catch_up(start="LATEST")
    bench.enable_again(5)
    bench.write(1)
    bench.clock.advance(5)
    assert bench.catch_up(start="LATEST") == [0]


def hidden_from_a_listing():
    bench = Bench(shards=2)
    written = bench.write(2)
    read = bench.stream.get_records

    def without(**options):
        answer = read(**options)
        if answer["Records"] and bench.stream.get_records is not read:
            bench.stream.get_records = read
            bench.hide(bench.written_to(), 1)
            del answer["NextShardIterator"]
        return answer

    bench.stream.get_records = without
    bench.catch_up()
    written += bench.write(2)
    assert bench.catch_up() == written


def hidden_and_denied():
    bench = Bench(shards=2)
    written = bench.write(2)
    bench.catch_up()
    written += bench.write(2)
    shard_id = bench.written_to()
    get, denials = bench.stream.get_shard_iterator, [1, 2, 3, 4]

    def denying(**options):
        if options["ShardId"] == shard_id and denials:
            if denials.pop() == 1:
                bench.hide(shard_id, 2)
            raise client_error("ResourceNotFoundException", "GetShardIterator")
        return get(**options)

    bench.stream.get_shard_iterator = denying
    assert bench.catch_up() == written


def hidden_from_the_last_listing():
    bench = Bench(shards=2)
    written = bench.write(3)
    bench.hide(bench.written_to(), 1)
    bench.stream.disable()
    bench.poller().run()
    assert bench.router.values == written


def throttled_after_a_denial():
    bench = Bench()
    written = bench.write(2)
    bench.catch_up()
    written += bench.write(2)
    bench.stream.roll_over()
    written += bench.write(1)
    bench.stream.fail("GetShardIterator", "ResourceNotFoundException")
    bench.stream.fail("GetShardIterator", "ThrottlingException", times=12)
    assert bench.catch_up() == written


def throttled_before_a_trim():
    bench = Bench()
    written = bench.write(2)
    bench.stream.roll_over()
    written += bench.write(1)
    bench.stream.fail("GetRecords", "ThrottlingException", times=3)
    bench.stream.fail("GetRecords", "TrimmedDataAccessException")
    assert bench.catch_up() == written


def slow_successor():
    clock = FakeClock()
    one, two = FakeStream("One", clock=clock), FakeStream("Two", clock=clock)

    def put(stream, number):
        stream.put({"PK": {"S": "a"}, "n": {"N": str(number)}})

    put(one, 1)
    one.disable()
    clock.advance(1)
    old = one.arn
    one.enable()
    put(one, 2)
    for number in range(10, 30):
        put(two, number)

    class Slow(Recorder):
        def dispatch(self, payload, **options):
            clock.advance(100)  # more than the time between two looks
            return super().dispatch(payload, **options)

    router = Slow()
    options = {"client": Both(one, two), "clock": clock, "settings": Settings(page_limit=1)}
    poller = StreamPoller([old, "Two"], router, follow=True, **options)
    assert poller.run_until_caught_up(36_000).reason == "caught_up"
    assert sorted(router.values) == [1, 2, *range(10, 30)]


# Mistakes


def begins_whatever(real):
    def broken(self, records, context):
        asks, self._stop_when = self._stop_when, None
        try:
            return real(self, records, context)
        finally:
            self._stop_when = asks

    return broken


def _drains_once(self, now):
    if self._give_up_at is None:
        self._give_up_at = now + self._grace
        for stream in self.streams:
            stream.core.stop()


def _left_only(newest, states, listed, **_):
    left = [arn for arn, state in states.items() if state.start and arn in listed]
    return sorted({*left, newest})


def _all_denials(self, shard, operation, failed, at, real=Reader._on_failed):
    real(self, shard, operation, failed, at)
    shard.gone_answers = shard.attempts


def _all_trims(self, shard, operation, failed, at, real=Reader._on_failed):
    shard.trimmed_answers = shard.attempts
    real(self, shard, operation, failed, at)


def _looks_again(self, now, real=Driver._look_for_successors):
    waiting = real(self, now)
    for arn, when in self._looking.items():
        self._looking[arn] = now + 60 if when is None else when
    return waiting


def always(value):
    return lambda *_, **__: value


def _apply(real):
    def broken(self, listing, at):
        real(self, listing, at)
        for shard in self.shards.values():
            listed = listing.shards.get(shard.shard_id)
            shard.closed = listed is not None and listed.ending is not None

    return broken


def _take(real):
    def broken(self, shard, *arguments):
        before = shard.drop_before
        real(self, shard, *arguments)
        shard.drop_before = before

    return broken


def _advance(real):
    def broken(self, shard, at, out):
        if all(one.deliveries_fail_since is None for one in self._lineage.shards.values()):
            real(self, shard, at, out)

    return broken


def _gone_when_listed_open(self, shard, at):
    return shard.attempts > 3


ROWS = [
    ("the lease is ignored", lease, Shared, "lease_valid", always(True)),
    ("delivery outruns the store", back_pressure, Delivery, "_store_is_behind", always(False)),
    (
        "reads before the start is durable",
        durable_start,
        Starting,
        "done",
        property(lambda self: self._shared.start is not None),
    ),
    ("a parent with a child is left open", open_parent, Lineage, "apply", _apply(Lineage.apply)),
    ("a sibling is not waited for", sibling, Discovery, "expects_sibling", always(False)),
    (
        "what is older is dropped for ever",
        times_out_of_order,
        Reader,
        "_take_records",
        _take(Reader._take_records),
    ),
    (
        "the sign of life is always now",
        sign_of_life,
        LeaseRenewal,
        "_alive_at",
        lambda _, at: at.wall,
    ),
    ("gone is believed at once", denied_once, Reader, "_is_gone", always(True)),
    (
        "one failing shard stops the others",
        one_shard_fails,
        Delivery,
        "_advance_delivery",
        _advance(Delivery._advance_delivery),
    ),
    ("a stream is gone at once", stream_denied, Discovery, "_is_gone", always(True)),
    (
        "an open shard is gone after a while",
        open_shard_denied,
        Reader,
        "_is_gone",
        _gone_when_listed_open,
    ),
    ("any digits are milliseconds", implausible_birth, shard_module, "_FIRST_STREAM", 0.0),
    ("idle shards are asked every second", idle_calls, Budget, "idle_pause", always(1.0)),
    ("there is always room", bounded_pages, Budget, "has_room_for", always(True)),
    (
        "every child is waited for",
        last_of_its_kind,
        Lineage,
        "expects_children",
        lambda self, _: bool(self.awaits_children()),
    ),
    (
        "the newest stream is the only one",
        re_enabled,
        _setup,
        "chain_of",
        lambda newest, *_, **__: [newest],
    ),
    ("a stop does not reach the router", stop_in_a_batch, Driver, "is_stopping", always(False)),
    (
        "a stop waits for the store",
        stop_with_a_broken_store,
        StreamCore,
        "leaving",
        property(lambda self: self.exit),
    ),
    ("a commit returns at once", commit_saves, BatchLoop, "has_to_wait", always(False)),
    (
        "consumers are one",
        two_consumers,
        memory.Lease,
        "key",
        property(lambda self: self.stream_arn),
    ),
    (
        "what failed counts as done",
        lowest_not_done,
        Dispatcher,
        "_read",
        lambda _, __, records: Delivered(len(records)),
    ),
    (
        "what waits for a thread begins after the stop",
        stop_with_more_on_the_way,
        Dispatcher,
        "handle",
        begins_whatever(Dispatcher.handle),
    ),
    (
        "a stream that is opened during a stop runs on",
        stop_while_the_next_stream_is_opened,
        Driver,
        "_drain",
        _drains_once,
    ),
    ("a listing of nothing is believed", empty_listing, Listing, "shows_nothing", always(False)),
    (
        "an answer is believed whatever it is",
        no_answer,
        _client,
        "checked",
        lambda request, answer: request.check(answer),
    ),
    (
        "what was never renewed was always alive",
        never_renewed,
        State,
        "alive_until",
        property(lambda self: self.last_alive),
    ),
    (
        "a stream that was dropped is done",
        dropped_before_it_was_read,
        _setup,
        "chain_of",
        _left_only,
    ),
    (
        "a stream behind one that was dropped is skipped",
        between_a_dropped_stream_and_the_newest,
        _setup,
        "chain_of",
        _left_only,
    ),
    (
        "a stream that follows is owed from when it is begun",
        begun_a_day_after_it_was_enabled,
        _setup,
        "beginning_of",
        always(AtStart()),
    ),
    (
        "only the newest stream follows",
        re_enabled_twice_while_it_is_read,
        _setup.Setup,
        "_listed",
        always([]),
    ),
    (
        "what was cancelled below ends the poller",
        cancelled_below,
        _async,
        "failure_in",
        lambda error: error if isinstance(error, Exception) else None,
    ),
    ("what hangs has no name", hung_has_a_name, Ongoing, "hung", always(None)),
    (
        "handlers get no token",
        fencing_token,
        Stream,
        "context",
        lambda self, command: PollContext(self.arn, command.shard_id, command.attempt),
    ),
    ("a takeover never waits", takeover_backs_off, fences, "patience", always(0.0)),
    (
        "a starting poller takes over",
        waits_for_a_live_lease,
        _setup.Setup,
        "_patience",
        lambda self, _: 0.0,
    ),
    (
        "every stream begins at LATEST",
        late_streams_are_read_from_their_beginning,
        _setup.Setup,
        "_make",
        lambda self, lease, state, _, over=None, real=_setup.Setup._make: real(
            self, lease, state, self._begin, over
        ),
    ),
    (
        "one listing ends a shard",
        hidden_from_a_listing,
        Lineage,
        "is_absent",
        lambda self, shard: not self.is_listed(shard),
    ),
    (
        "one listing proves that a shard is gone",
        hidden_and_denied,
        Lineage,
        "is_absent",
        lambda self, shard: not self.is_listed(shard),
    ),
    ("a stream is over at once", hidden_from_the_last_listing, Lineage, "shows_all", always(True)),
    ("whatever fails denies", throttled_after_a_denial, Reader, "_on_failed", _all_denials),
    ("whatever fails is a trim", throttled_before_a_trim, Reader, "_on_failed", _all_trims),
    (
        "a next stream is looked for again before there is an answer",
        slow_successor,
        Driver,
        "_look_for_successors",
        _looks_again,
    ),
]


@pytest.mark.parametrize(
    ("example", "owner", "name", "mistake"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_example_passes_and_catches_its_mistake(example, owner, name, mistake):
    example()
    with mock.patch.object(owner, name, mistake), pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever breaks
        example()
    # These come of a slip in this file, which breaks nothing that the row is about.
    assert not isinstance(caught.value, (TypeError, NameError))
    slipped = isinstance(caught.value, AttributeError)
    assert not (slipped and str(caught.traceback[-1].path) == __file__)
