"""The poller's core in a simulated world: every call takes its time, fails, or is lost in a crash.

A run is decided by its seed alone. A world has a `FakeStream` with a writer that puts, rolls over
and splits; processes that run the core, crash at any step, come back after seconds or days, or are
replaced while they still run; a store that fails; handlers that are slow or raise. Everything that
happens is checked as it happens, and once the world has calmed down the reader must catch up with
nothing lost that was not reported.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from ddbstream.poller import MemoryCheckpoints, Settings
from ddbstream.poller._client import StreamsApi
from ddbstream.poller._core.commands import Deliver, Describe, GetRecords, Instant, RecordsPage
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.events import Gap
from ddbstream.poller._core.policies import Backoff, FailurePolicy
from ddbstream.poller._core.positions import After, AtStart, AtTime, End, State
from ddbstream.poller._dispatching import Dispatcher
from ddbstream.poller._stream import Stream
from ddbstream.testing import FakeClock, FakeStream, Faults

HOUR = 3600.0


class Violation(BaseException):
    """A promise of the poller is broken. No Exception: the poller would take it for a handler's."""


@dataclass
class Profile:
    """What a seed's world is like; drawn from the seed."""

    hours: float
    writes: float  # seconds between writes, on average
    rollovers: float  # hours between changes of the shards
    crash: float  # chance per step
    outage: float  # chance that a crash is followed by more than a day of silence
    zombie: float  # chance that a crash is a replacement while the old process runs on
    handler: float  # chance that a record fails
    slow: float  # chance that a handler takes very long
    store: float  # chance that the store fails
    skew: float  # seconds the reader's wall clock is ahead
    faults: Faults
    begin: AtStart | AtTime | None
    settings: Settings
    start_after: float
    shards: int

    @classmethod
    def draw(cls, rng: random.Random, *, outages: bool) -> Profile:
        profile = cls._draw(rng)
        if not outages:
            return profile
        return replace(
            profile,
            hours=rng.choice([40, 60]),
            writes=rng.choice([600, 1800]),
            rollovers=rng.choice([1, 4, 30]),
            crash=rng.choice([0, 0.01]),
            outage=0.7,
            slow=rng.choice([0, 0.02]),
            start_after=rng.choice([0, 0.5, 20]),
            begin=AtStart(),
            settings=replace(profile.settings, idle=60, idle_max=600, lease=3600, discovery=1800),
        )

    @classmethod
    def _draw(cls, rng: random.Random) -> Profile:
        calm = rng.random() < 0.2
        faults = Faults(
            error=rng.choice([0, 0.02, 0.15]),
            expired=rng.choice([0, 0.01, 0.05]),
            empty_page=rng.choice([0, 0.2, 0.6]),
            short_page=rng.choice([0, 0.3]),
            hidden_shard=rng.choice([0, 0.05, 0.2]),
            open_shard=rng.choice([0, 0.2]),
            bare_end=rng.choice([0, 0.5]),
            listing_delay=rng.choice([0, 2, 30, 200]),
        )
        rollovers = rng.choice([0.2, 1, 4])
        hours = rng.choice([1, 3]) if rollovers < 1 else rng.choice([2, 6, 12, 40])
        return cls(
            hours=hours,
            writes=rng.choice([15, 60, 240]) if hours < 6 else rng.choice([60, 240, 900]),
            rollovers=rollovers,
            crash=0 if calm else rng.choice([0, 0.002, 0.02]),
            outage=rng.choice([0, 0, 0.1, 0.3]),
            zombie=rng.choice([0, 0.3]),
            handler=0 if calm else rng.choice([0, 0, 0.02]),
            slow=rng.choice([0, 0, 0.005]),
            store=0 if calm else rng.choice([0, 0.05]),
            skew=rng.choice([0, 0, -20, 20, 240]),
            faults=Faults() if calm else faults,
            begin=rng.choice([AtStart(), AtStart(), None]),
            settings=Settings(
                idle=rng.choice([5, 30]),
                idle_max=rng.choice([120, 300]),
                page_limit=rng.choice([3, 20, 100]),
                discovery=rng.choice([120, 900]),
                lease=rng.choice([300, 1800]),
                save_records=rng.choice([1, 1, 10]),
                save_seconds=rng.choice([5, 300]),
                max_unsaved=rng.choice([1, 2, 5]),
                prefetch=rng.random() < 0.7,
                on_gap="continue",
                caught_up_pages=30 if faults.empty_page and not calm else 2,
                retention_slack=300.0,
            ),
            start_after=rng.choice([0, 0.5, 3] if rollovers < 1 else [0, 0.5, 6, 30]),
            shards=rng.choice([1, 1, 3]),
        )


@dataclass
class Result:
    """What a run came to."""

    seed: int
    steps: int = 0
    hours: float = 0.0
    written: int = 0
    delivered: int = 0
    duplicates: int = 0
    lost: int = 0
    gaps: int = 0
    crashes: int = 0
    calls: dict[str, int] = field(default_factory=dict)


class CheckedStore(MemoryCheckpoints):
    """A store that fails at times, and tells the world of every save."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=world.clock.time)
        self.world = world

    def save(self, lease: Any, shard_id: str, position: Any) -> None:
        before, after = self.world.chance("store"), self.world.chance("store")
        if before:
            raise ConnectionError("the save never arrived")
        super().save(lease, shard_id, position)
        self.world.on_saved(lease.epoch, shard_id, position)
        if after:
            raise ConnectionError("the answer to the save was lost")

    def renew(self, lease: Any, alive_at: float) -> None:
        if self.world.chance("store"):
            raise ConnectionError("the renewal never arrived")
        super().renew(lease, alive_at)

    def fix_start(self, lease: Any, start: Any) -> None:
        if self.world.chance("store"):
            raise ConnectionError("the start never arrived")
        super().fix_start(lease, start)
        self.world.on_start_fixed(start)


class Process:
    """One incarnation of the reader."""

    def __init__(self, world: World, stream: Stream) -> None:
        self.world = world
        self.stream = stream
        self.alive = True
        self.wake: float | None = None

    def turn(self) -> None:
        """Poll, and set everything that comes back on its way."""
        core, world = self.stream.core, self.world
        for command in core.poll(world.now()):
            world.start_command(self, command)
        for event in core.events():
            if isinstance(event, Gap):
                world.on_gap(event)
        if core.exit is not None:
            self.alive = False
            if core.exit.reason != "fenced":
                raise Violation(f"the poller gave up: {core.exit}")
            return
        wake = core.wake_at()
        if wake is not None and (self.wake is None or wake < self.wake):
            self.wake = max(wake, world.clock.monotonic())
            world.at(self.wake, partial(self._woken, self.wake))

    def _woken(self, when: float) -> None:
        if self.alive and self.wake == when:
            self.wake = None
            self.turn()


class World:
    """A seeded run; `run` it. ``core`` may be a broken variant, to see that it is caught."""

    def __init__(
        self,
        seed: int,
        *,
        core: Callable[..., StreamCore] = StreamCore,
        max_steps: int = 12_000,
        outages: bool | None = None,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.profile = Profile.draw(self.rng, outages=seed % 4 == 3 if outages is None else outages)
        self.make_core = core
        self.max_steps = max_steps
        self.clock = FakeClock()
        self.born = self.clock.monotonic()
        self.service = FakeStream(
            "T",
            clock=self.clock,
            seed=seed,
            faults=self.profile.faults,
            shards=self.profile.shards,
            page_shards=self.rng.choice([2, 5, 100]),
            page_records=self.rng.choice([3, 10, 100]),
            shuffled=self.rng.random() < 0.5,
            supports_at_timestamp=self.rng.random() < 0.5,
        )
        self.store = CheckedStore(self)
        self.result = Result(seed)
        self.calm = False
        self.stop_writes = False
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self.processes: list[Process] = []
        self.start: Any = None
        # What is known to have happened.
        self.shard_of: dict[str, str] = {}
        self.first_time: dict[str, int] = {}  # sequence number -> order of its first delivery
        self.item_front: dict[str, int] = {}
        self.done: dict[str, set[int]] = {}
        self.saved: dict[str, Any] = {}
        self.first_saved: dict[str, float] = {}
        self.last_epoch = 0
        self.gaps: list[tuple[Gap, float]] = []
        self.describes: list[float] = []
        self.poison: dict[str, int] = {}
        self.repeats_allowed = False
        self.outages = 0
        self.slow: dict[int, Any] = {}
        self.fruitless: dict[Any, list[float]] = {}
        self.finished_early: dict[int, Any] = {}

    # The world's clockwork

    def now(self) -> Instant:
        return Instant(self.clock.monotonic(), self.clock.time() + self.profile.skew)

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._count), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.clock.monotonic() + seconds, what)

    def chance(self, what: str) -> bool:
        return not self.calm and self.rng.random() < getattr(self.profile, what)

    def run(self) -> Result:
        profile = self.profile
        end = self.born + profile.start_after * HOUR + profile.hours * HOUR
        self.after(0, self._write)
        self.after(self.rng.expovariate(1 / (profile.rollovers * HOUR)), self._change_shards)
        self.after(profile.start_after * HOUR, self._start_process)
        while self._heap and self._heap[0][0] < end and self.result.steps < self.max_steps:
            self._step()
        self._settle()
        self._check_end()
        self.result.hours = (self.clock.monotonic() - self.born) / HOUR
        self.result.calls = dict(self.service.calls)
        return self.result

    def _step(self) -> None:
        when, _, what = heapq.heappop(self._heap)
        self.clock.advance(max(0.0, when - self.clock.monotonic()))
        what()
        self.result.steps += 1
        if not self.calm and self.processes and self.rng.random() < self.profile.crash:
            self._crash()

    def _settle(self) -> None:
        """No more trouble: the reader has to get to the end."""
        self.calm = self.stop_writes = True
        self.service.faults = Faults()
        self.poison.clear()
        for process, command in list(self.slow.values()):
            self._do(process, command)
            self.finished_early[id(command)] = command
        for process in self.processes:
            for shard in process.stream.core.lineage.shards.values():
                shard.empties = 0  # what was the tip then need not be the tip now
        if not any(process.alive for process in self.processes):
            self._start_process()
        limit, steps = self.clock.monotonic() + 30 * HOUR, self.result.steps + 100_000
        # A second child may be listed late, and nothing tells that it is coming.
        listed = self.clock.monotonic() + 2 * self.profile.settings.discovery + 300
        while self._heap:
            alive = [process for process in self.processes if process.alive]
            if not alive:
                self._start_process()
                continue
            late = self.clock.monotonic() > listed
            if late and len(alive) == 1 and alive[0].stream.core.caught_up():
                return
            if self.clock.monotonic() > limit or self.result.steps > steps:
                raise Violation("no progress: the reader does not catch up")
            self._step()
        raise Violation("no progress: nothing is left to happen")

    # The writer

    def _write(self) -> None:
        if self.stop_writes:
            return
        for _ in range(self.rng.choice([1, 1, 1, 8])):
            key = f"k{self.rng.randrange(12)}"
            self.service.put({"PK": {"S": key}, "n": {"N": str(self.result.written)}})
            self.result.written += 1
        self.after(self.rng.expovariate(1 / self.profile.writes), self._write)

    def _change_shards(self) -> None:
        if self.stop_writes:
            return
        if self.rng.random() < 0.4 and len(self.service.open_shards()) < 5:
            self.service.split(self.rng.choice(self.service.open_shards()))
        else:
            self.service.roll_over()
        self.after(self.rng.expovariate(1 / (self.profile.rollovers * HOUR)), self._change_shards)

    # The reader

    def _start_process(self) -> None:
        owner = f"p{len(self.processes)}"
        if self.start is None:
            self.began_at = self.clock.time()
        settings = self.profile.settings
        lease = self.store.acquire(self.service.arn, owner, ttl=settings.lease)
        state: State = self.store.load(lease)
        core = self.make_core(
            self.service.arn,
            state,
            begin=self.profile.begin,
            at=self.now(),
            settings=settings,
            policy=FailurePolicy(backoff=Backoff(0.5, 60)),
            chance=self.rng.random,
            timestamps=self.service.supports_at_timestamp,
        )
        api = StreamsApi(self.service, self.service.arn, page_limit=settings.page_limit)
        router: Any = SimpleNamespace(dispatch=partial(self.dispatch, len(self.processes)))
        process = Process(self, Stream(core, api, self.store, lease, Dispatcher(router), None))
        self.processes.append(process)
        process.turn()

    def _crash(self) -> None:
        process = self.processes[-1]
        if not process.alive:
            return
        self.result.crashes += 1
        self.repeats_allowed = True
        if self.chance("zombie"):
            self._start_process()  # the old one goes on until the store stops it
            return
        process.alive = False
        if self.chance("outage"):
            self.outages += 1
            self.after(self.rng.uniform(20, 40) * HOUR, self._start_process)
        else:
            self.after(self.rng.choice([0, 1, 30]), self._start_process)

    def start_command(self, process: Process, command: Any) -> None:
        if isinstance(command, Describe):
            self.describes.append(self.clock.monotonic())
        shard = getattr(command, "shard_id", None)
        if isinstance(command, GetRecords) and shard is not None:
            known = process.stream.core.lineage.shards[shard]
            if known.page is not None and known.next_page is not None:
                raise Violation("more than one page is read ahead")
        latency = self.rng.choice([0.005, 0.02, 0.2, 2.0])
        if isinstance(command, Deliver) and self.chance("slow"):
            latency = self.rng.choice([20 * 60.0, 2 * HOUR, 26 * HOUR])
            self.slow[id(command)] = (process, command)
        self.after(latency, lambda: self._do(process, command))

    def _do(self, process: Process, command: Any) -> None:
        if not process.alive or (self.calm and id(command) in self.finished_early):
            return
        self.slow.pop(id(command), None)
        result = process.stream.run(command)
        if isinstance(command, GetRecords):
            self._check_pace(process, command, result)

        def answer() -> None:
            if process.alive:
                process.stream.core.receive(command, result, self.now())
                process.turn()

        if self.rng.random() < 0.5:
            answer()
        else:  # a crash may come between the effect and the answer
            self.after(self.rng.choice([0.0, 0.01, 0.5]), answer)

    # The handlers

    def dispatch(self, process: int, records: list[Any], *, stream_arn: str, context: Any) -> Any:
        shard_id = context.shard_id
        if (
            process == len(self.processes) - 1
        ):  # a replaced one cannot know what its successor saved
            self._check_not_durable(shard_id, records[0])
        service = self.service._streams[0].shards[shard_id]
        self._check_parent(service)
        for record in records:
            number = record["dynamodb"]["SequenceNumber"]
            if self.chance("handler") and number not in self.poison:
                self.poison[number] = self.rng.choice([1, 2, 5])
            if self.poison.get(number, 0) > 0 and not self.calm:
                self.poison[number] -= 1
                self.repeats_allowed = True
                if self.rng.random() < 0.2:
                    raise ValueError("no record is named")
                failure = SimpleNamespace(record=record, error=ValueError("handler"))
                return SimpleNamespace(failures=(failure,), checkpoint=number)
            self._delivered(shard_id, record, number)
        return SimpleNamespace(failures=(), checkpoint=None)

    def _delivered(self, shard_id: str, record: Any, number: str) -> None:
        value = int(number)
        done = self.done.setdefault(shard_id, set())
        if value in done:
            self.result.duplicates += 1
            if not self.repeats_allowed:
                raise Violation("a record came twice, and nothing had gone wrong")
            return
        done.add(value)
        self.result.delivered += 1
        key = record["dynamodb"]["Keys"]["PK"]["S"]
        if value < self.item_front.get(key, 0):
            raise Violation("changes of one item came out of order")
        self.item_front[key] = value

    # Checks as it goes

    def _check_pace(self, process: Process, command: GetRecords, result: Any) -> None:
        """A shard that gives nothing is not asked again and again."""
        shard = self.service._streams[0].shards[command.shard_id]
        key = (id(process), command.shard_id)
        if shard.ending is not None or (isinstance(result, RecordsPage) and result.records):
            self.fruitless.pop(key, None)
            return
        times = self.fruitless.setdefault(key, [])
        times.append(self.clock.monotonic())
        if len(times) > 30 and times[-1] - times[-31] < 60:
            raise Violation("a shard is asked again without a pause")

    def _check_not_durable(self, shard_id: str, record: Any) -> None:
        saved = self.saved.get(shard_id)
        number = int(record["dynamodb"]["SequenceNumber"])
        if isinstance(saved, End) or (
            isinstance(saved, After) and number <= int(saved.sequence_number)
        ):
            raise Violation("a record came again though its position was durable")

    def _check_parent(self, shard: Any) -> None:
        parent = self.service._streams[0].shards.get(shard.parent_id)
        if parent is None or not self._wanted_numbers(parent):
            return
        if isinstance(self.saved.get(parent.shard_id), End):
            return
        if self._is_covered_parent(parent):
            return
        raise Violation("a child was delivered before its parent's end was durable")

    def _is_covered_parent(self, parent: Any) -> bool:
        return any(
            gap.shard_id == parent.shard_id and gap.reason == "parent_missing"
            for gap, _ in self.gaps
        ) or parent.is_gone(self.clock.time() - 86_400)

    def on_saved(self, epoch: int, shard_id: str, position: Any) -> None:
        if epoch < self.last_epoch:
            raise Violation("an older epoch saved after a newer one")
        self.last_epoch = epoch
        self.saved[shard_id] = position
        self.first_saved.setdefault(shard_id, self.clock.time())
        shard = self.service._streams[0].shards[shard_id]
        if isinstance(position, End):
            if shard.ending is None:
                raise Violation("an open shard was marked as ended")
            limit = shard.ending
        elif isinstance(position, After):
            limit = int(position.sequence_number)
        else:
            return
        done = self.done.get(shard_id, set())
        for number in self._wanted_numbers(shard):
            if number <= limit and number not in done and not self._may_be_lost(shard, number):
                raise Violation("a position was saved ahead of delivery")

    def on_start_fixed(self, start: Any) -> None:
        if self.start is not None:
            return
        self.start = start
        if self.profile.begin is None and start.position.time > self.began_at + 1.001:
            raise Violation("LATEST begins later than the reader did")

    def _wanted_numbers(self, shard: Any) -> list[int]:
        """What the reader owes of a shard: not what was trimmed, or too old, when it began."""
        if self.start is None:
            return []
        since = self.start.fixed_at - 86_400 - self.profile.skew + 900
        if isinstance(self.start.position, AtTime):
            since = max(since, self.start.position.time)
        return [n for n, t in zip(shard.numbers, shard.times, strict=True) if t >= since]

    def _may_be_lost(self, shard: Any, number: int) -> bool:
        """Whether the service has dropped it."""
        kept = shard.first_kept(self.clock.time() - 86_400)
        trimmed = kept > 0 and number <= shard.numbers[kept - 1]
        return trimmed or bool(shard.is_gone(self.clock.time() - 86_400))

    def on_gap(self, gap: Gap) -> None:
        self.gaps.append((gap, self.clock.time()))
        self.result.gaps += 1
        horizon = self.clock.time() - 86_400
        if gap.shard_id is None:
            if not self.outages and not self._is_something_at_the_edge():
                raise Violation("a gap was reported without an outage")
            return
        shard = self.service._streams[0].shards[gap.shard_id]
        if not shard.is_gone(horizon) and shard.created_at > horizon + 600:
            raise Violation(f"a gap was reported where nothing can be lost: {gap.reason}")

    def _is_something_at_the_edge(self) -> bool:
        """Whether a shard that was unread is so old that it may have lost records by now.

        A restart cannot tell that from having been away. What was read since the last renewal of
        the lease it does not know either.
        """
        now = self.clock.time()
        edge = now + self.profile.skew - 86_400 + 600
        since = now - self.profile.settings.lease
        return any(
            shard.created_at < edge and self.first_saved.get(shard.shard_id, now) >= since
            for shard in self.service._streams[0].shards.values()
            # One that was gone when the reader began does not look it while its child is hidden.
            if shard.closed_at is None
            or shard.closed_at > self.start.fixed_at - 86_400
            or now - self.start.fixed_at < 2 * HOUR
        )

    # Checks at the end

    def _check_end(self) -> None:
        for shard in self.service._streams[0].shards.values():
            done = self.done.get(shard.shard_id, set())
            for number, time in zip(shard.numbers, shard.times, strict=True):
                if number in done or number not in self._wanted_set(shard):
                    continue
                self.result.lost += 1
                if not self._may_be_lost(shard, number):
                    raise Violation("a record is lost that the service still has")
                if not any(self._covers(gap, when, shard, number, time) for gap, when in self.gaps):
                    raise Violation("a record is lost without a gap")
            if done and not shard.is_gone(self.clock.time() - 86_400):
                self._check_saved(shard, max(done))
        self._check_budget()

    def _check_saved(self, shard: Any, last: int) -> None:
        saved = self.saved.get(shard.shard_id)
        if isinstance(saved, End) or (
            isinstance(saved, After) and int(saved.sequence_number) >= last
        ):
            return
        raise Violation("what is delivered was never saved")

    def _wanted_set(self, shard: Any) -> set[int]:
        return set(self._wanted_numbers(shard))

    def _is_ancestor(self, shard: Any, shard_id: str | None) -> bool:
        shards = self.service._streams[0].shards
        while shard_id is not None:
            if shard_id == shard.shard_id:
                return True
            shard_id = shards[shard_id].parent_id
        return False

    def _covers(self, gap: Gap, when: float, shard: Any, number: int, time: float) -> bool:
        if gap.shard_id is None:
            return time < when - 86_400 + 600
        if gap.reason == "parent_missing":
            return self._is_ancestor(shard, gap.shard_id)
        if gap.shard_id != shard.shard_id:
            return False
        after = int(gap.after.sequence_number) if isinstance(gap.after, After) else 0
        until = int(gap.until) if gap.until is not None else None
        return number > after and (until is None or number < until)

    def _check_budget(self) -> None:
        times = self.describes
        for first, later in zip(times, times[6 * max(1, len(self.processes)) :], strict=False):
            if later - first < 1.0:
                raise Violation("DescribeStream is called too often")
        limit = 40 + 40 * len(self.service._streams[0].shards) + 3 * self.result.steps
        if sum(self.service.calls.values()) > limit:
            raise Violation("the service is called too often")


def run(seed: int, **kwargs: Any) -> Result:
    """Run a seed; a Violation names it."""
    world = World(seed, **kwargs)
    try:
        return world.run()
    except Violation as violation:
        raise Violation(f"seed {seed}: {violation}") from violation
