"""A fake stream, a router that remembers, and pollers over both that never wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ddbstream.poller import MemoryCheckpoints, Settings, StreamPoller
from ddbstream.testing import FakeClock, FakeStream

QUICK = Settings(idle=0.01, idle_max=0.02, gone_after=0.1)


class Recorder:
    """A router: keeps what it was given, fails where it is told to."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.contexts: list[Any] = []
        self.failing: dict[int, int] = {}  # value -> how often it still fails
        self.attempts: list[int] = []

    @property
    def values(self) -> list[int]:
        return [value_of(record) for record in self.records]

    def dispatch(
        self, payload: Any, /, *, stream_arn: str | None = None, context: Any = None
    ) -> Any:
        self.contexts.append(context)
        for index, record in enumerate(payload):
            value = value_of(record)
            self.attempts.append(value)
            if self.failing.get(value, 0) > 0:
                self.failing[value] -= 1
                failure = SimpleNamespace(record=record, error=ValueError("handler"))
                number = record["dynamodb"]["SequenceNumber"]
                return SimpleNamespace(processed=index, failures=(failure,), checkpoint=number)
            self.records.append(record)
        return SimpleNamespace(processed=len(payload), failures=(), checkpoint=None)


def value_of(record: Any) -> int:
    image = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
    return int(image["n"]["N"])


class Bench:
    """One table's fake stream, one store, one recorder; and as many pollers as are wanted."""

    def __init__(self, **options: Any) -> None:
        self.stream = FakeStream("Product", **options)
        self.clock = self.stream.clock
        self.store = MemoryCheckpoints(clock=self.clock.time)
        self.router = Recorder()
        self.events: list[Any] = []
        self.listen: Callable[[Any], object] | None = None  # called with every event, besides
        self._next = 0

    def on_event(self, event: Any) -> None:
        self.events.append(event)
        if self.listen is not None:
            self.listen(event)

    def write(self, count: int = 1, *, key: str = "a") -> list[int]:
        first = self._next
        for _ in range(count):
            self.stream.put({"PK": {"S": key}, "n": {"N": str(self._next)}})
            self._next += 1
        return list(range(first, self._next))

    def enable_again(self, seconds: float = 1.0) -> str:
        """Disable the stream, and so long after that enable the table's next one; its ARN."""
        self.stream.disable()
        self.clock.advance(seconds)
        return self.stream.enable()

    def end_and_enable_again(self) -> None:
        """Have the stream disabled and its end durable, and the next one enabled a minute later."""
        self.write(1)
        self.catch_up()
        self.stream.disable()
        assert self.poller().run().reason == "stream_ended"
        self.router.records.clear()
        self.clock.advance(60)
        self.stream.enable()

    def written_to(self) -> str:
        """The only shard that has records."""
        (shard,) = (one for one in self.stream.stored_shards().values() if one.numbers)
        return shard.shard_id

    def hide(self, shard_id: str, listings: int) -> None:
        """Have the next listings leave a shard out."""
        describe, left = self.stream.describe_stream, [listings]

        def hiding(**options: Any) -> Any:
            answer = describe(**options)
            shards = answer["StreamDescription"]["Shards"]
            if left[0] and any(shard["ShardId"] == shard_id for shard in shards):
                left[0] -= 1
                shards[:] = [shard for shard in shards if shard["ShardId"] != shard_id]
            return answer

        self.stream.describe_stream = hiding  # type: ignore[method-assign]

    def poller(self, table: Any = "Product", *, router: Any = True, **options: Any) -> StreamPoller:
        options = {"client": self.stream, "checkpoints": self.store, **options}
        return StreamPoller(
            table,
            self.router if router is True else router,
            clock=self.clock,
            on_event=self.on_event,
            **options,
        )

    def threaded(self, router: Any = None, **options: Any) -> StreamPoller:
        """A poller by the machine's clock, in threads."""
        options = {"checkpoints": self.store, "settings": QUICK, **options}
        return StreamPoller("Product", router or self.router, client=self.stream, **options)

    def catch_up(self, timeout: float = 7 * 86_400.0, **options: Any) -> list[int]:
        exit_ = self.poller(**options).run_until_caught_up(timeout)
        assert exit_.reason in ("caught_up", "stream_ended"), exit_
        return self.router.values

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Both:
    """A client for two tables."""

    def __init__(self, *streams: FakeStream) -> None:
        self._streams = streams

    def _of(self, text: str) -> FakeStream:
        return next(s for s in self._streams if s.table in text)

    def list_streams(self, **kwargs: Any) -> Any:
        return self._of(kwargs["TableName"]).list_streams(**kwargs)

    def describe_table(self, **kwargs: Any) -> Any:
        return self._of(kwargs["TableName"]).describe_table(**kwargs)

    def describe_stream(self, **kwargs: Any) -> Any:
        return self._of(kwargs["StreamArn"]).describe_stream(**kwargs)

    def get_shard_iterator(self, **kwargs: Any) -> Any:
        return self._of(kwargs["StreamArn"]).get_shard_iterator(**kwargs)

    def get_records(self, **kwargs: Any) -> Any:
        return self._of(kwargs["ShardIterator"]).get_records(**kwargs)


def stopped_while_the_next_stream_is_opened(grace: float) -> tuple[list[int], float]:
    """What is handled, and the seconds that the stop takes, while another table's handler runs."""
    clock = FakeClock(time.time())
    one, two = FakeStream("One", clock=clock), FakeStream("Two", clock=clock)
    for number, stream in enumerate((one, two)):
        stream.put({"PK": {"S": "a"}, "n": {"N": str(number)}})
    one.disable()
    describe_table = one.describe_table
    values: list[int] = []
    stopped: list[float] = []

    def stopping(**options: Any) -> Any:
        if one.calls.get("GetRecords") and not stopped:
            one.enable()
            one.put({"PK": {"S": "b"}, "n": {"N": "2"}})
            wait_until(lambda: 1 in values)
            stopped.append(time.monotonic())
            poller.stop()
            wait_until(lambda: poller._driver.draining)  # type: ignore[union-attr]
        return describe_table(**options)

    one.describe_table = stopping  # type: ignore[method-assign]

    def opened() -> bool:
        driver = poller._driver
        return bool(stopped) and any(s.arn == one.arn for s in driver.streams)  # type: ignore[union-attr]

    class Slow(Recorder):
        def dispatch(self, payload: Any, /, **options: Any) -> Any:
            values.extend(map(value_of, payload))
            if 1 in map(value_of, payload):
                wait_until(opened)
            return super().dispatch(payload)

    poller = StreamPoller(
        ["One", "Two"], Slow(), client=Both(one, two), settings=QUICK, follow=True, grace=grace
    )
    poller.run()
    return values, time.monotonic() - stopped[0]


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)
