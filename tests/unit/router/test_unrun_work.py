"""What a handler gives is done when its record counts as done, or the record has failed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from ddbstream import LambdaHandler, StreamRouter
from ddbstream.exceptions import RouteDefinitionError
from ddbstream.testing import insert, lambda_event

RECORDS = [insert({"PK": str(number)}) for number in range(3)]


async def send(record: Any) -> None:
    await asyncio.sleep(0)


def retried(times: int) -> Callable[[Any], Any]:
    """A decorator of a decorator: ``@retried`` without parentheses gives a function a record."""

    def decorate(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            return function(*arguments)

        return call

    return decorate


@contextlib.contextmanager
def session(record: Any) -> Iterator[None]:
    yield


class Sender:
    def send(self) -> None: ...


UNRUN: dict[str, Callable[[Any], Any]] = {
    "map": lambda record: map(print, [record]),
    "filter": lambda record: filter(None, [record]),
    "zip": lambda record: zip([record], [record], strict=True),
    "starmap": lambda record: itertools.starmap(print, [(record,)]),
    "chain": lambda record: itertools.chain(map(print, [record])),
    "generator expression": lambda record: (str(one) for one in [record]),
    "list of coroutines": lambda record: [send(record), send(record)],
    "tuple of coroutines": lambda record: (send(record),),
    "list of futures": lambda record: [Future()],
    "context manager": session,
    "decorator without parentheses": retried(lambda record: None),  # type: ignore[arg-type]
    "partial": lambda record: functools.partial(print, record),
    "async function, not called": lambda record: send,
    "method, not called": lambda record: Sender().send,
}


def in_async(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def handle(record: Any) -> Any:
        await asyncio.sleep(0)
        return handler(record)

    return handle


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("shaped", [lambda handler: handler, in_async])
@pytest.mark.parametrize("name", UNRUN)
def test_work_that_nobody_does_fails_its_record(name: str, shaped: Any, concurrency: int) -> None:
    router = StreamRouter()
    router.on_change()(shaped(UNRUN[name]))
    result = router.dispatch(RECORDS, concurrency=concurrency)
    assert result.checkpoint == RECORDS[0]["dynamodb"]["SequenceNumber"]
    assert type(result.failures[0].error) is RouteDefinitionError
    with pytest.raises(RouteDefinitionError, match="nothing in that ever runs"):
        LambdaHandler(router, concurrency=concurrency)(lambda_event(RECORDS), None)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("name", UNRUN)
def test_an_answer_that_is_such_work_is_none(name: str, concurrency: int) -> None:
    # Else it would be taken for a yes: `where=lambda record: record.new.is_paid`, a method.
    asking, classifying = StreamRouter(), StreamRouter(classify=UNRUN[name])
    asking.on_change(where=UNRUN[name])(print)
    classifying.on_change("Product")(print)
    for router in (asking, classifying):
        (failure, *_) = router.dispatch(RECORDS, concurrency=concurrency).failures
        assert type(failure.error) is RouteDefinitionError
        assert "nothing in that ever runs" in str(failure.error)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("shaped", [lambda handler: handler, in_async])
def test_a_pools_future_is_waited_for(shaped: Any, concurrency: int) -> None:
    done: list[str] = []

    def work(record: Any) -> None:
        time.sleep(0.01)
        if record.keys["PK"] == "2":
            raise ValueError
        done.append(record.keys["PK"])

    with ThreadPoolExecutor(2) as pool:
        router = StreamRouter()
        router.on_change()(shaped(lambda record: pool.submit(work, record)))
        result = router.dispatch(RECORDS, concurrency=concurrency)
        assert sorted(done) == ["0", "1"]
    assert [type(failure.error) for failure in result.failures] == [ValueError]


@pytest.mark.parametrize(
    "value", [True, 5, "x", {}, {"a": 1}, [], [1, "x"], (), {1}, ValueError(), Sender(), object]
)
def test_what_is_only_a_value_is_ignored(value: object) -> None:
    router = StreamRouter()
    router.on_change()(lambda record: value)
    assert router.dispatch(RECORDS).processed == 3
