"""A fake stream, a router that remembers, and pollers over both that never wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ddbstream.poller import MemoryCheckpoints, Settings, StreamPoller
from ddbstream.testing import FakeStream

QUICK = Settings(idle=0.01, idle_max=0.02)


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


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)
