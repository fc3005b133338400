"""Router, mapping and poller with functions of every kind, sync and async mixed: nothing is lost.

Each round draws the kinds of a handler, a middleware, an ``on_error``, an observer and a sink,
which records fail and what is decided about them. Then every record ends handled, skipped, in the
dead letters, or given up by the mapping.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbstream import Disposition, LambdaHandler, StreamRouter
from ddbstream.exceptions import PollerArgumentError, RouteDefinitionError
from ddbstream.poller import (
    AsyncStreamPoller,
    Backoff,
    MemoryCheckpoints,
    Settings,
    StreamPoller,
    block,
)
from ddbstream.testing import EventSourceMapping, FakeStream
from tests.support.stream_records import wire_record

Body = Callable[..., Any]


def as_async(body: Body) -> Body:
    async def function(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return body(*arguments)

    return function


def injected(body: Body) -> Body:
    @functools.wraps(body)
    def wrapper(*arguments: Any) -> Any:
        return body("client", *arguments)

    return wrapper


def behind_client(body: Body) -> Body:
    def function(client: str, *arguments: Any) -> Any:
        assert client == "client"
        return body(*arguments)

    return injected(function)


class Calling:
    def __init__(self, body: Body) -> None:
        self._body = body

    def __call__(self, *arguments: Any) -> Any:
        return self._body(*arguments)

    def method(self, *arguments: Any) -> Any:
        return self._body(*arguments)


def as_static(body: Body) -> Body:
    class Holding:
        @staticmethod
        def function(*arguments: Any) -> Any:
            return body(*arguments)

    return Holding.function


def as_class_method(body: Body) -> Body:
    class Holding:
        @classmethod
        def function(cls, *arguments: Any) -> Any:
            return body(*arguments)

    return Holding.function


def behind_async(body: Body) -> Body:
    @functools.wraps(body)
    async def wrapper(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return body(*arguments)

    return wrapper


class CallingLater(Calling):
    async def __call__(self, *arguments: Any) -> Any:
        await asyncio.sleep(0)
        return self._body(*arguments)


KINDS: dict[str, Callable[[Body], Body]] = {
    "function": lambda body: body,
    "lambda": lambda body: lambda *arguments: body(*arguments),  # noqa: PLW0108 - a kind
    "static method": as_static,
    "class method": as_class_method,
    "bound method": lambda body: Calling(body).method,
    "object": Calling,
    "partial": functools.partial,
    "injected": behind_client,
    "Mock": lambda body: Mock(side_effect=body),
    "async def": as_async,
    "decorated async": behind_async,
    "async bound method": lambda body: CallingLater(body).__call__,
    "partial of async": lambda body: functools.partial(as_async(body)),
    "async object": CallingLater,
    "AsyncMock": lambda body: AsyncMock(side_effect=body),
    "gives a coroutine": lambda body: Calling(as_async(body)).method,
    "singledispatch": functools.singledispatch,
}
kinds = st.sampled_from(sorted(KINDS))


@st.composite
def rounds(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 12))
    return {
        "count": count,
        "bad": draw(
            st.dictionaries(
                st.integers(0, count - 1), st.sampled_from(["skip", "dead", "retry"]), max_size=4
            )
        ),
        "kinds": {
            name: draw(kinds)
            for name in ("handler", "middleware", "decide", "observer", "sink", "on_event")
        },
        "concurrency": draw(st.sampled_from([1, 3])),
        "around": draw(st.booleans()),
        "late_middleware": draw(st.booleans()),
    }


class Ends:
    """A router of the drawn kinds, and where each record ended."""

    def __init__(self, drawn: dict[str, Any], number_of: Callable[[Any], int]) -> None:
        self.handled: set[int] = set()
        self.letters: set[int] = set()
        self.observed = 0
        bad, made = drawn["bad"], drawn["kinds"]
        attempts: dict[int, int] = {}

        def handle(record: Any) -> None:
            number = number_of(record.raw)
            attempts[number] = attempts.get(number, 0) + 1
            if number in bad and (bad[number] != "retry" or attempts[number] == 1):
                raise ValueError(bad[number])
            self.handled.add(number)

        def decide(failure: Any) -> Disposition:
            return {
                "skip": Disposition.SKIP,
                "dead": Disposition.DEAD_LETTER,
                "retry": Disposition.RETRY,
            }[str(failure.error)]

        def observe(event: Any) -> None:
            self.observed += 1

        def sink(letter: Any) -> None:
            self.letters.add(number_of(letter["payload"]["Records"][0]))

        def go_on(record: Any, call_next: Any) -> None:
            call_next(record)

        async def go_on_later(record: Any, call_next: Any) -> None:
            await call_next(record)

        self.router = StreamRouter()
        self.router.on_change()(KINDS[made["handler"]](handle))
        if drawn["around"]:
            middleware = go_on_later
            if not drawn["late_middleware"]:
                plain = ("function", "lambda", "static method", "class method", "bound method")
                plain += ("object", "partial", "injected", "Mock")
                kind = made["middleware"] if made["middleware"] in plain else "function"
                middleware = KINDS[kind](go_on)  # type: ignore[assignment]
            self.router.middleware(middleware)
        self.router.on_error(KINDS[made["decide"]](decide))
        self.router.observe(KINDS[made["observer"]](observe))
        self.sink = KINDS[made["sink"]](sink)
        self.events: list[Any] = []
        self.on_event = KINDS[made["on_event"]](self.events.append)

    def check(self, drawn: dict[str, Any]) -> None:
        skipped = {number for number, kind in drawn["bad"].items() if kind == "skip"}
        dead = {number for number, kind in drawn["bad"].items() if kind == "dead"}
        assert self.handled == set(range(drawn["count"])) - skipped - dead
        assert self.letters == dead
        assert self.observed > 0


@settings(max_examples=60)
@given(rounds())
def test_every_record_ends_somewhere_under_a_mapping(drawn: dict[str, Any]) -> None:
    ends = Ends(drawn, lambda raw: int(raw["dynamodb"]["SequenceNumber"]))
    handler = LambdaHandler(
        ends.router,
        report_batch_item_failures=True,
        concurrency=drawn["concurrency"],
        dead_letter=ends.sink,
    )
    records = [wire_record("MODIFY", n, key=f"P#{n % 4}") for n in range(drawn["count"])]
    mapping = EventSourceMapping(
        handler, records, batch_size=5, function_response_types=["ReportBatchItemFailures"]
    )
    mapping.run()
    assert mapping.given_up == mapping.lost == []
    ends.check(drawn)


def polled(drawn: dict[str, Any]) -> tuple[Ends, FakeStream, dict[str, Any]]:
    """A stream with records, where they end, and what a poller of it is told."""
    stream = FakeStream()
    for number in range(drawn["count"]):
        stream.put({"PK": {"S": f"P#{number}"}})
    ends = Ends(drawn, lambda raw: int(raw["dynamodb"]["Keys"]["PK"]["S"].partition("#")[2]))
    options = {
        "checkpoints": MemoryCheckpoints(),
        "client": stream,
        "concurrency": drawn["concurrency"],
        "dead_letter": ends.sink,
        "on_event": ends.on_event,
    }
    return ends, stream, options


@settings(max_examples=25)
@given(rounds())
def test_every_record_ends_somewhere_under_a_poller(drawn: dict[str, Any]) -> None:
    ends, stream, options = polled(drawn)
    StreamPoller(stream.arn, ends.router, clock=stream.clock, **options).run_until_caught_up()
    ends.check(drawn)
    assert ends.events


SOON = Settings(idle=0.01, idle_max=0.01, caught_up_pages=1)


@settings(max_examples=20)
@given(rounds())
def test_every_record_ends_somewhere_under_a_poller_in_an_event_loop(drawn: dict[str, Any]) -> None:
    ends, stream, options = polled(drawn)
    policy = block(backoff=Backoff(0.01, 0.01))

    async def run() -> None:
        poller = AsyncStreamPoller(
            stream.arn, ends.router, settings=SOON, on_failure=policy, **options
        )
        await poller.run_until_caught_up(timeout=60)

    asyncio.run(run())
    ends.check(drawn)
    assert ends.events


def lost(*arguments: Any) -> Any:
    """A generator where a function is meant: a ``yield`` too many."""
    yield


async def lost_later(*arguments: Any) -> Any:
    yield


@pytest.mark.parametrize("mistake", [lost, lost_later])
@pytest.mark.parametrize("wrapped", [lambda body: body, functools.partial, KINDS["object"]])
def test_a_generator_is_refused_or_fails_its_record_and_nothing_is_lost(
    mistake: Body, wrapped: Callable[[Body], Body]
) -> None:
    function = wrapped(mistake)
    for declare in (
        lambda router: router.on_change()(function),
        lambda router: router.middleware(function),
        lambda router: router.on_error(function),
        lambda router: router.observe(function),
    ):
        router, handled = StreamRouter(), []
        router.on_change()(handled.append)
        with contextlib.suppress(RouteDefinitionError):
            declare(router)
            # Only a call shows it: the record fails, unless that was an observer.
            result = router.dispatch([wire_record("MODIFY", 1)])
            assert result.failures or handled
    stream, router = FakeStream(), StreamRouter()
    router.on_change()(lambda record: 1 / 0)
    router.on_error(lambda failure: Disposition.DEAD_LETTER)
    stream.put({"PK": {"S": "1"}})
    for option in ("dead_letter", "on_event"):
        with contextlib.suppress(PollerArgumentError):
            options: dict[str, Any] = {option: function}
            poller = StreamPoller(stream.arn, router, client=stream, clock=stream.clock, **options)
            if option == "dead_letter":  # blocked, and not lost
                assert poller.run_until_caught_up(timeout=5).reason == "deadline"
