"""A fake stream, a router that remembers, and pollers over both that never wait."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ddbstream.poller import MemoryCheckpoints, StreamPoller
from ddbstream.testing import FakeStream


class Recorder:
    """A router: keeps what it was given, fails where it is told to."""

    def __init__(self):
        self.records = []
        self.contexts = []
        self.failing = {}  # value -> how often it still fails
        self.attempts = []

    @property
    def values(self):
        return [value_of(record) for record in self.records]

    def dispatch(self, payload, /, *, stream_arn=None, context=None):
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


def value_of(record):
    image = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
    return int(image["n"]["N"])


class Bench:
    """One table's fake stream, one store, one recorder; and as many pollers as are wanted."""

    def __init__(self, **options):
        self.stream = FakeStream("Product", **options)
        self.clock = self.stream.clock
        self.store = MemoryCheckpoints(clock=self.clock.time)
        self.router = Recorder()
        self.events = []
        self._next = 0

    def write(self, count=1, *, key="a"):
        first = self._next
        for _ in range(count):
            self.stream.put({"PK": {"S": key}, "n": {"N": str(self._next)}})
            self._next += 1
        return list(range(first, self._next))

    def poller(self, table="Product", *, router=True, **options):
        options = {"client": self.stream, "checkpoints": self.store, **options}
        return StreamPoller(
            table,
            self.router if router is True else router,
            clock=self.clock,
            on_event=self.events.append,
            **options,
        )

    def catch_up(self, timeout=7 * 86_400.0, **options):
        exit_ = self.poller(**options).run_until_caught_up(timeout)
        assert exit_.reason in ("caught_up", "stream_ended"), exit_
        return self.router.values

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def make_bench():
    return Bench


@pytest.fixture
def bench():
    return Bench()
