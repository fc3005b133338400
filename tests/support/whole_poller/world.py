"""A run: what the world is like, the poller's lives in it, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from ddbstream import StreamRouter
from ddbstream._router import concurrent_batch
from ddbstream.exceptions import DDBStreamError, RecordsTrimmedError
from ddbstream.poller import (
    AsyncStreamPoller,
    MemoryCheckpoints,
    Settings,
    StreamPoller,
    _async,
    _base,
    _fences,
    _setup,
    retry,
)
from ddbstream.poller._core.events import Gap, RecordGivenUp
from ddbstream.poller._core.positions import After, End
from ddbstream.poller._keeper import LeaseKeeper
from ddbstream.poller._listening import Listening
from ddbstream.poller._ongoing import Ongoing
from ddbstream.testing import FakeClock, Faults
from tests.support.roads import TextClient
from tests.support.whole_poller.ledger import Ledger, Violation
from tests.support.whole_poller.schedule import (
    Handlers,
    Lane,
    Loop,
    ReadersClock,
    Schedule,
    Workers,
    at_once,
)
from tests.support.whole_poller.service import Service

HOUR = 3600.0
GRACE = 30.0
MODES = ("run", "until", "batches", "async", "async_until", "async_batches")


class Crash(BaseException):
    """The process is killed."""


class OfTheUsers(Exception):
    """The user's code fails. No error of another kind may come out of a poller for it."""


@dataclass
class Result:
    """What a run came to."""

    seed: int
    steps: int = 0
    hours: float = 0.0
    written: int = 0
    delivered: int = 0
    duplicates: int = 0
    given_up: int = 0
    lost: int = 0
    silent: int = 0  # of those, with no gap: see `Ledger._looked_finished`
    gaps: int = 0
    lives: int = 0
    crashes: int = 0
    stops: int = 0
    trimmed: int = 0  # lives that ended for a gap, with ``on_gap="fail"``
    hangs: int = 0
    lies: int = 0
    streams: int = 0
    digest: str = ""  # of all that was handled, given up and saved, in order
    modes: Counter[str] = field(default_factory=Counter)


class LifesStore:
    """The world's store, as one process sees it."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._real = life.world.store
        self._loaded_at = 0.0

    def streams_of(self, table_arn: str, *, consumer: str) -> list[str]:
        return self._real.streams_of(table_arn, consumer=consumer)

    def acquire(self, stream_arn: str, owner: str, **options: Any) -> Any:
        self._may_fail()
        return self._real.acquire(stream_arn, owner, **options)

    def load(self, lease: Any) -> Any:
        self._may_fail()
        self._loaded_at = self._life.world.clock.time()  # it has waited for its lease before
        return self._real.load(lease)

    def fix_start(self, lease: Any, start: Any) -> None:
        self._may_fail()
        self._real.fix_start(lease, start)
        self._life.ledger.fixes(lease.stream_arn, start, self._loaded_at)

    def save(self, lease: Any, shard_id: str, position: Any) -> None:
        self._may_fail()
        self._real.save(lease, shard_id, position)
        self._life.ledger.saves(lease.stream_arn, lease.epoch, shard_id, position)
        self._may_fail()

    def renew(self, lease: Any, alive_at: float) -> None:
        self._may_fail()
        self._real.renew(lease, alive_at)

    def forget(self, lease: Any, shard_ids: Any) -> None:
        self._may_fail()
        self._real.forget(lease, shard_ids)

    def release(self, lease: Any) -> None:
        if self._life.alive:
            self._real.release(lease)

    def _may_fail(self) -> None:
        if not self._life.alive or self._life.world.chance("store"):
            self._life.troubled = True
            self._life.ledger.loose = True
            raise ConnectionError("the store does not answer")


class Life:
    """A process with one poller, which may run more than once."""

    def __init__(self, world: World, ledger: Ledger, mode: str) -> None:
        self.world, self.ledger, self.mode = world, ledger, mode
        self.schedule = world.schedule
        self.rng = world.rng
        self.alive = True
        self.troubled = False  # the store failed or hung, or something of the user's did
        self.stopped_at: float | None = None
        self.task: asyncio.Task[Any] | None = None
        self.poller: Any = self._make()

    def _make(self) -> Any:
        world, profile = self.world, self.world.profile
        options: dict[str, Any] = {
            # Every other world's pages are text, as those of the poller's own client are.
            "client": TextClient(world.service) if world.seed % 2 else world.service,
            "clock": world.readers_clock,
            "checkpoints": LifesStore(self),
            "settings": profile.settings,
            "start": profile.start,
            "on_failure": self._policy(),
            "on_event": self.hear,
            "on_gap": "continue" if world.calm else self.rng.choice(["continue", profile.on_gap]),
            "follow": profile.follow,
            "grace": GRACE,
            "consumer": self.ledger.name,
            "concurrency": profile.concurrency,
            "takeover": self.rng.choice([None, None, True]),
        }
        names = list(world.service.tables)
        if self.mode.startswith("async"):
            handler: Any = None if self.mode.endswith("batches") else self.handle_async
            if handler is not None and profile.routed:
                handler = self._router()
            return AsyncStreamPoller(names, handler, **options)
        return _Simulated(self, names, self._router() if self.mode != "batches" else None, options)

    def _policy(self) -> Any:
        name = self.world.profile.policy
        if name == "sink":
            return retry(1, then=self.sink)
        return retry(1, then="skip") if name == "retry" else name

    def _router(self) -> StreamRouter:
        router = StreamRouter()

        @router.on_change()
        def handle(record: Any, context: Any) -> None:
            # With several items at once another one may have begun just now.
            if self.stopped_at is not None and self.world.profile.concurrency == 1:
                raise Violation("a handler was started after the stop")
            self.handle(record.keys["PK"], int(record.sequence_number), context)

        return router

    # The user's code

    def handle(self, item: str, number: int, context: Any) -> None:
        world = self.world
        if world.fails(self.ledger.name, number):
            self.ledger.loose = True
            raise OfTheUsers("the handler fails")
        self.ledger.delivers(context.stream_arn, context.shard_id, item, number, context.epoch)
        if world.draw(number, "stop") < world.profile.stop_inside and not world.calm:
            self.stop()

    async def handle_async(self, records: Any, context: Any) -> None:
        if self.stopped_at is not None:
            raise Violation("a handler was started after the stop")
        first = int(records[0]["dynamodb"]["SequenceNumber"])
        if self.world.draw(first, "cancelled") < 0.02 and not self.world.calm:
            self.ledger.loose = True
            nested = asyncio.ensure_future(asyncio.sleep(10))
            nested.cancel()
            await nested
        await asyncio.sleep(self.takes("handle"))
        for record in records:
            change = record["dynamodb"]
            self.handle(change["Keys"]["PK"]["S"], int(change["SequenceNumber"]), context)

    def sink(self, letter: Any) -> None:
        if self.world.chance("store"):
            raise ConnectionError("the sink does not answer")
        number = int(letter.record["dynamodb"]["SequenceNumber"])
        self.ledger.gives_up(letter.stream_arn, letter.shard_id, number)

    def hear(self, event: Any) -> None:
        if isinstance(event, Gap):
            self.ledger.reports(event)
        if isinstance(event, RecordGivenUp) and event.how == "skip":
            self.ledger.gives_up(event.stream_arn, event.shard_id, int(event.sequence_number or 0))
        if self.world.chance("store"):
            raise OfTheUsers("the listener fails")

    # What happens to it

    def takes(self, pool: str) -> float:
        """Seconds that work takes."""
        world = self.world
        usual = self.rng.choice([0.005, 0.02, 0.2, 2.0])
        if not world.chance("slow"):
            return usual
        world.result.hangs += 1
        if pool != "read":
            self.troubled = self.ledger.loose = True
        return self.rng.choice([60.0, 400.0, 2 * HOUR])

    def answers_in(self) -> float:
        return self.rng.choice([0.0, 0.0, 0.01, 0.5])

    def step(self) -> None:
        """Between any two things that happen."""
        world = self.world
        if not self.alive or world.calm:
            return
        if self.rng.random() < world.profile.crash:
            self.crash()
        elif self.stopped_at is None and (
            self.rng.random() < world.profile.stop or self.schedule.steps > world.max_steps
        ):
            self.stop()

    def stop(self) -> None:
        self.world.result.stops += self.stopped_at is None
        self.stopped_at = self.stopped_at or self.schedule.clock.monotonic()
        if self.world.profile.concurrency > 1:
            self.ledger.loose = True  # what is done behind one that is not started comes again
        self.poller.stop()

    def crash(self) -> None:
        self.alive = False
        self.ledger.loose = True
        self.world.result.crashes += 1
        if self.task is None:
            raise Crash
        self.task.cancel()

    def probe(self) -> None:
        """A look from outside, as a supervisor's."""
        poller, world = self.poller, self.world
        if not self.alive or poller._driver is None or self.stopped_at is not None:
            return
        limit = world.profile.settings.slow_after
        ongoing: Ongoing = poller._ongoing
        if ongoing.hung(limit) is not None and poller.problem() is None:
            raise Violation("something hangs, and the poller says that it is well")
        if not self.troubled and "batches" not in self.mode and poller._driver.streams:
            for stream in poller._driver.streams:
                kept = world.store._streams[stream._lease.key]
                if stream.core.exit is None and kept.expires < world.clock.time():
                    raise Violation("the lease lapsed, and nothing was wrong with the store")
        self.schedule.after(self.rng.uniform(30, 600), self.probe)

    # A life

    def live(self, timeout: float | None = None) -> str:
        """Run the poller until it ends; why."""
        try:
            reason = self._live(timeout)
        except Crash:
            return "crashed"
        except RecordsTrimmedError:
            self.world.result.trimmed += 1
            self.ledger.loose = True
            return "trimmed"
        except (DDBStreamError, ConnectionError, OfTheUsers) as error:
            self.ledger.loose = True
            return type(error).__name__
        except Exception as error:
            if hasattr(error, "response"):  # the service refused while it was opened
                return "refused"
            raise
        finally:
            self._check_stop()
            self.alive = self.alive and self.mode == "run"  # what hangs may outlast its run
        return reason

    def _check_stop(self) -> None:
        if self.stopped_at is None or not self.alive:
            return
        took = self.schedule.clock.monotonic() - self.stopped_at
        # An open() that waits for the store, and a loop's body, are not the poller's to end.
        if took > GRACE + 60.0 and "batches" not in self.mode:
            raise Violation(f"a stop took {took:.0f} seconds")

    def _live(self, timeout: float | None) -> str:
        if self.mode.startswith("async"):
            return self._live_async(timeout)
        if self.mode == "batches":
            for batch in self.poller.batches(until_caught_up=timeout is not None, timeout=timeout):
                self._body(batch)
                if self._commits():
                    batch.commit()
                    self._check_committed(batch)
        elif self.mode == "until" or timeout is not None:
            return str(self.poller.run_until_caught_up(timeout or self._some_time()).reason)
        else:
            return str(self.poller.run().reason)
        return str(self.poller.exit.reason)

    def _live_async(self, timeout: float | None) -> str:
        loop = Loop(self)
        try:
            with (
                mock.patch.object(_async, "Lane", lambda *a: Lane(self, *a)),
                mock.patch.object(_async, "in_thread", at_once),
            ):
                self.task = loop.create_task(self._main(timeout))
                loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            if self.alive:
                raise Violation("the poller was cancelled by nobody") from None
            return "crashed"
        finally:
            loop.close()
        return "crashed" if not self.alive else str(self.poller.exit.reason)

    async def _main(self, timeout: float | None) -> None:
        poller = self.poller
        if self.mode == "async_batches":
            options: Any = {"until_caught_up": timeout is not None, "timeout": timeout}
            async with contextlib.aclosing(poller.batches(**options)) as batches:
                async for batch in batches:
                    self._body(batch)
                    await asyncio.sleep(self._body_takes())
                    if self._commits():
                        await batch.commit()
                        self._check_committed(batch)
        elif self.mode == "async_until" or timeout is not None:
            await poller.run_until_caught_up(timeout or self._some_time())
        else:
            await poller.run()

    def _some_time(self) -> float:
        return self.rng.choice([60.0, HOUR, 10 * HOUR])

    def _body(self, batch: Any) -> None:
        context = SimpleNamespace(stream_arn=batch.stream_arn, shard_id=batch.shard_id, epoch=1e9)
        for record in batch.records:
            change = record["dynamodb"]
            self.handle(change["Keys"]["PK"]["S"], int(change["SequenceNumber"]), context)
        if self.mode == "batches":
            self.schedule.pass_time(self._body_takes())

    def _body_takes(self) -> float:
        return self.rng.choice([0.0, 0.1, 5.0, 5.0 if self.world.calm else 700.0])

    def _commits(self) -> bool:
        if self.world.calm or self.rng.random() < 0.9:
            return True
        self.ledger.loose = True
        return False

    def _check_committed(self, batch: Any) -> None:
        if self.world.profile.settings.save_records > 1 or not self.alive:
            return
        saved = self.ledger.saved.get((batch.stream_arn, batch.shard_id))
        last = int(batch.records[-1]["dynamodb"]["SequenceNumber"])
        durable = isinstance(saved, End) or (
            isinstance(saved, After) and int(saved.sequence_number) >= last
        )
        if not durable:
            raise Violation("commit() returned, and the position is not saved")


class _Simulated(StreamPoller):
    """A poller whose workers live in the world's time."""

    def __init__(self, life: Life, names: Any, router: Any, options: dict[str, Any]) -> None:
        super().__init__(names, router, **options)
        self.life = life

    def _make_workers(self) -> Any:
        return Workers(self.life, self._max_workers)


@dataclass
class Profile:
    """What a seed's world is like."""

    hours: float
    writes: float  # seconds between writes, on average
    changes: float  # hours between changes of the shards
    reenabled: float  # hours between the times when the stream is disabled
    crash: float
    stop: float
    stop_inside: float
    outage: float
    handler: float
    slow: float
    store: float
    lies: float
    jumps: float  # chance, per write, that the reader's clock is set
    disorder: float  # chance that a record's time is before the last one's
    policy: str
    on_gap: str
    follow: bool
    routed: bool
    concurrency: int
    start: Any
    consumers: int
    tables: int
    faults: Faults
    settings: Settings

    @classmethod
    def draw(cls, rng: random.Random) -> Profile:
        """From the seed."""
        calm = rng.random() < 0.2
        outage = rng.random() < 0.15

        def some(*values: Any) -> Any:
            return 0 if calm else rng.choice(values)

        faults = Faults(
            error=some(0, 0.02, 0.1),
            expired=some(0, 0.02),
            empty_page=some(0, 0.3),
            short_page=some(0, 0.3),
            hidden_shard=some(0, 0.05, 0.4),
            open_shard=some(0, 0.2),
            bare_end=some(0, 0.5),
            listing_delay=some(0, 2, 30),
        )
        long = outage or rng.random() < 0.1
        return cls(
            hours=60 if outage else 12 if long else rng.choice([1, 2]),
            writes=1800 if outage else 400 if long else rng.choice([30, 90]),
            changes=8 if long else rng.choice([0.3, 1]),
            reenabled=rng.choice([1e9, 20 if long else 0.4]),
            crash=some(0, 0, 0.01),
            stop=rng.choice([0, 0.005, 0.03]),
            stop_inside=rng.choice([0, 0, 0.02]),
            outage=0.6 if outage else 0,
            handler=some(0, 0, 0.03),
            slow=some(0, 0, 0.01),
            store=some(0, 0, 0.04),
            lies=some(0, 0, 0.03),
            jumps=some(0, 0, 0.03),
            disorder=some(0, 0, 0.1),
            policy=rng.choice(["block", "block", "skip", "stop", "retry", "sink"]),
            on_gap=rng.choice(["continue", "fail"]),
            follow=rng.random() < 0.5,
            routed=rng.random() < 0.3,
            concurrency=rng.choice([1, 1, 1, 4]),
            start=rng.choice(["TRIM_HORIZON", "TRIM_HORIZON", "LATEST"]),
            consumers=rng.choice([1, 1, 2]),
            tables=rng.choice([1, 1, 2]),
            faults=faults,
            settings=Settings(
                idle=60 if long else rng.choice([5, 20]),
                idle_max=600 if long else 120,
                quiet_pages=rng.choice([5, 60]),
                page_limit=rng.choice([3, 20]),
                discovery=1800 if long else rng.choice([120, 600]),
                lease=rng.choice([60, 300]),
                save_records=rng.choice([1, 1, 10]),
                save_seconds=rng.choice([5, 60]),
                max_unsaved=rng.choice([1, 2]),
                prefetch=rng.random() < 0.7,
                caught_up_pages=30 if faults.empty_page else 2,
                retention_slack=300.0,
                gone_after=2.0 * max(7.5, faults.listing_delay),
            ),
        )


class World:
    """A seeded run; `run` it."""

    def __init__(self, seed: int, *, max_steps: int = 1_500) -> None:
        self.seed, self.max_steps = seed, max_steps
        self.rng = random.Random(f"whole {seed}")
        self.profile = Profile.draw(self.rng)
        self.clock = FakeClock()
        self.schedule = Schedule(self.clock)
        self.readers_clock: Any = ReadersClock(self.schedule)
        self.service = Service(
            self.clock,
            self.rng,
            ["One", "Two"][: self.profile.tables],
            self.profile.lies,
            faults=self.profile.faults,
            shards=self.rng.choice([1, 1, 3]),
            page_shards=self.rng.choice([2, 100]),
            page_records=self.rng.choice([3, 10, 100]),
            shuffled=self.rng.random() < 0.5,
            supports_at_timestamp=self.rng.random() < 0.5,
        )
        self.store = MemoryCheckpoints(clock=self.clock.time)
        names = ["default", "other"][: self.profile.consumers]
        self.ledgers = [Ledger(self.service, name) for name in names]
        self.result = Result(seed)
        self.calm = False
        self.over = False
        self._failures: dict[tuple[str, int], int] = {}

    # Chance

    def chance(self, what: str) -> bool:
        return not self.calm and self.rng.random() < getattr(self.profile, what)

    def draw(self, number: int, what: str) -> float:
        """A chance of one record: the same in whichever thread."""
        return random.Random(f"{self.seed} {what} {number}").random()

    def fails(self, consumer: str, number: int) -> bool:
        if self.calm or not self.profile.handler:
            return False
        key = (consumer, number)
        if key not in self._failures:
            drawn = self.draw(number, "handler")
            share = drawn / self.profile.handler
            self._failures[key] = 0 if share >= 1 else 1 + int(share * 4)
        self._failures[key] -= 1
        return self._failures[key] >= 0

    # The world

    def run(self) -> Result:
        profile, schedule = self.profile, self.schedule
        for table in self.service.tables.values():
            self._write(table)
            self._after(profile.changes * HOUR, self._change_shards, table)
            self._after(profile.reenabled * HOUR, self._disable, table)
        with _seeded(self.rng, Handlers(random.Random(f"handlers {self.seed}"))):
            end = self.clock.monotonic() + profile.hours * HOUR
            before = None
            while self.clock.monotonic() < end and schedule.steps <= self.max_steps:
                before = self._one_life(before)
            self._settle()
        self._sum_up()
        return self.result

    def _after(self, mean: float, what: Callable[[Any], None], table: Any) -> None:
        seconds = self.rng.expovariate(1 / mean)
        self.schedule.after(seconds, lambda: None if self.over else what(table))

    def _write(self, table: Any) -> None:
        if table._streams[-1].status == "ENABLED":
            early = self.rng.uniform(0, 150) if self.chance("disorder") else 0.0
            self.clock.jump(-early)
            for _ in range(self.rng.choice([1, 1, 1, 6])):
                key = f"k{self.rng.randrange(9)}"
                table.put({"PK": {"S": key}, "n": {"N": str(self.result.written)}})
                self.result.written += 1
            self.clock.jump(early)
        if self.chance("jumps"):
            self.readers_clock.ahead = self.rng.choice([0.0, -200.0, 200.0, 30.0])
        self._after(self.profile.writes, self._write, table)

    def _change_shards(self, table: Any) -> None:
        if table._streams[-1].status == "ENABLED":
            if self.rng.random() < 0.4 and len(table.open_shards()) < 4:
                table.split(self.rng.choice(table.open_shards()))
            else:
                table.roll_over()
        self._after(self.profile.changes * HOUR, self._change_shards, table)

    def _disable(self, table: Any) -> None:
        if table._streams[-1].status == "ENABLED":
            table.disable()
            away = self.rng.choice([1, 60, 600])
            self.schedule.after(away, lambda: None if self.over else table.enable())
        self._after(self.profile.reenabled * HOUR + 1000, self._disable, table)

    # The poller's lives

    def _one_life(self, before: Life | None) -> Life | None:
        ledger = self.rng.choice(self.ledgers)
        if before is not None and before.alive and self.rng.random() < 0.4:
            life = before  # the poller is run again, with what it has left behind
            life.stopped_at = None
        else:
            life = Life(self, ledger, self.rng.choice(MODES))
            if before is not None:
                before.alive = False
        self.result.lives += 1
        self.result.modes[life.mode] += 1
        self.schedule.after(self.rng.uniform(30, 600), life.probe)
        limited = self.profile.consumers > 1 or self.rng.random() < 0.2
        if limited and not life.mode.endswith("until"):
            self.schedule.after(self._turn(), lambda: life.stop() if self._runs(life) else None)
        reason = life.live()
        outage = self.rng.random() < self.profile.outage
        if outage:
            for one in self.ledgers:
                one.outages = True
        pause = self.rng.uniform(20, 40) * HOUR if outage else self.rng.choice([0, 1, 30, 300])
        self.schedule.pass_time(max(1.0, pause))
        return life if reason == "stopped" and life.mode == "run" else None

    def _turn(self) -> float:
        return self.rng.uniform(0.1, 0.5) * HOUR * (12 if self.profile.hours > 10 else 1)

    def _runs(self, life: Life) -> bool:
        return life.alive and life.poller._driver is not None

    def _settle(self) -> None:
        """No more trouble: every consumer has to get to the end."""
        self.calm = self.over = True
        self.readers_clock.ahead = 0.0
        self.service.calm()
        self.schedule.pass_time(2 * self.profile.settings.discovery + 300)
        for ledger in self.ledgers:
            reason = ""
            for _ in range(8):
                life = Life(self, ledger, self.rng.choice(MODES))
                reason = life.live(timeout=30 * HOUR)
                life.alive = False
                if reason in ("caught_up", "deadline"):
                    break
            if reason not in ("caught_up", "stream_ended"):
                raise Violation(f"no progress: the reader does not catch up ({reason})")
            ledger.check_end()

    def _sum_up(self) -> None:
        result = self.result
        result.steps = self.schedule.steps
        result.hours = (self.clock.monotonic() - 1000.0) / HOUR
        result.lies = self.service.told
        result.streams = sum(len(table._streams) for table in self.service.tables.values())
        for ledger in self.ledgers:
            result.delivered += ledger.delivered
            result.duplicates += ledger.duplicates
            result.given_up += ledger.given_up
            result.lost += ledger.lost
            result.silent += ledger.silent
            result.gaps += len(ledger.gaps)
            result.digest += ledger.digest.hexdigest()


def _asleep(clock: Any, _seconds: float) -> LeaseKeeper:
    return LeaseKeeper(clock, 1e9)  # its thread goes by the machine's time


def _listening_on_the_spot(*arguments: Any, threaded: bool) -> Listening:
    return Listening(*arguments, threaded=False)


@contextlib.contextmanager
def _seeded(rng: random.Random, handlers: Handlers) -> Iterator[None]:
    """The poller's own chances come from the seed too, and so does what its threads do first."""
    threads = contextlib.nullcontext(handlers)
    with (
        mock.patch.object(concurrent_batch, "ThreadPoolExecutor", return_value=threads),
        mock.patch.object(concurrent_batch, "SimpleQueue", return_value=handlers),
        mock.patch.object(_setup, "random", SimpleNamespace(Random=lambda: rng)),
        mock.patch.object(_fences, "_fenced", {}),
        mock.patch.object(_base, "Listening", _listening_on_the_spot),
        mock.patch.object(_base, "LeaseKeeper", _asleep),
        mock.patch.object(
            _setup, "secrets", SimpleNamespace(token_hex=lambda _: f"{rng.getrandbits(32):x}")
        ),
    ):
        yield


def run(seed: int, **options: Any) -> Result:
    """Run a seed; a Violation names it."""
    try:
        return World(seed, **options).run()
    except Violation as violation:
        raise Violation(f"seed {seed}: {violation}") from violation
