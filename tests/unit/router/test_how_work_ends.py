"""However a handler's work ends, and wherever it runs: its batch ends, with that very outcome.

What is an `Exception` is its record's failure; all else passes through. The next batch is handled.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from ddbstream import BatchResult, StreamRouter
from ddbstream.exceptions import RouteDefinitionError
from ddbstream.testing import insert

RECORD = insert({"PK": "1"}, table_name="T")
Function = Callable[..., Any]


class Ended(BaseException):
    """What is no `Exception`, and not one of Python's own either."""


ENDS: dict[str, type[BaseException] | None] = {
    "it returns": None,
    "ValueError": ValueError,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "a pool's CancelledError": concurrent.futures.CancelledError,
    "asyncio's CancelledError": asyncio.CancelledError,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "a BaseException": Ended,
}


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def function_that_ends(with_what: type[BaseException] | None) -> Function:
    def function(*_: Any) -> None:
        if with_what is not None:
            raise with_what

    return function


def cancelled() -> Future[None]:
    future: Future[None] = Future()
    future.cancel()
    return future


def handlers(end: Function, pool: ThreadPoolExecutor) -> dict[str, Function]:
    """The same work in every place where it can be done."""

    async def later(*_: Any) -> None:
        await asyncio.sleep(0)
        end()

    async def in_task(record: Any) -> None:
        await asyncio.create_task(later())

    async def in_gather(record: Any) -> None:
        await asyncio.gather(later(), asyncio.sleep(0))

    async def in_wait_for(record: Any) -> None:
        await asyncio.wait_for(later(), 30)

    async def gives_future(record: Any) -> Any:
        return pool.submit(end)

    async def gives_task(record: Any) -> Any:
        return asyncio.create_task(later())

    return {
        "plain": end,
        "async def": later,
        "gives a coroutine": lambda record: later(record),  # noqa: PLW0108 - a plain function
        "in a task": in_task,
        "in a gather": in_gather,
        "in a wait_for": in_wait_for,
        "gives a task": gives_task,
        "gives a future": lambda record: pool.submit(end),
        "async def, gives a future": gives_future,
    }


def middlewares(pool: ThreadPoolExecutor) -> dict[str, Function | None]:
    def plain(record: Any, call_next: Any) -> None:
        call_next(record)

    async def later(record: Any, call_next: Any) -> None:
        await call_next(record)

    async def in_task(record: Any, call_next: Any) -> None:
        await asyncio.create_task(call_next(record))

    return {
        "none": None,
        "plain": plain,
        "async def": later,
        "gives a coroutine": lambda record, call_next: later(record, call_next),  # noqa: PLW0108
        "in a task": in_task,
        "gives a future": lambda record, call_next: pool.submit(call_next, record),
    }


def ended(run: Callable[[], BatchResult]) -> BatchResult:
    """What a call gives or raises, which it does: nothing waits for ever."""
    outcome: list[BatchResult | BaseException] = []

    def noted() -> None:
        try:
            outcome.append(run())
        except BaseException as error:  # noqa: BLE001 - raised again
            outcome.append(error)

    thread = threading.Thread(target=noted, daemon=True)
    thread.start()
    thread.join(30)
    assert outcome, "it never ended"
    (found,) = outcome
    if isinstance(found, BaseException):
        raise found
    return found


HANDLERS = list(handlers(print, ThreadPoolExecutor(1)))
MIDDLEWARES = list(middlewares(ThreadPoolExecutor(1)))


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("around", MIDDLEWARES)
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("end", ENDS)
def test_a_batch_ends_as_its_work_does(
    end: str, handler: str, around: str, concurrency: int, pool: ThreadPoolExecutor
) -> None:
    error, router, after = ENDS[end], StreamRouter(), []
    middleware = middlewares(pool)[around]
    router.on_change(middleware=[middleware] if middleware else [])(
        handlers(function_that_ends(error), pool)[handler]
    )

    def run() -> BatchResult:
        return router.dispatch([RECORD], concurrency=concurrency)

    if error is None:
        assert ended(run).processed == 1
    elif issubclass(error, Exception):
        result = ended(run)
        assert result.processed == 0
        (failure,) = result.failures
        # Python makes a RuntimeError of these two where they leave a coroutine (PEP 479).
        turned = isinstance(failure.error, RuntimeError) and "raised Stop" in str(failure.error)
        assert type(failure.error) is error or (
            error in (StopIteration, StopAsyncIteration) and turned
        )
    else:
        with pytest.raises(error):
            ended(run)

    async def handle(record: Any) -> None:
        after.append(record)

    next_router = StreamRouter()
    next_router.on_change()(handle)
    assert ended(lambda: next_router.dispatch([RECORD], concurrency=concurrency)).processed == 1
    assert len(after) == 1


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("around", ["none", "async def"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_future_that_somebody_cancelled_is_a_failure(
    around: str, concurrency: int, pool: ThreadPoolExecutor, *, is_async: bool
) -> None:
    async def later(record: Any) -> Any:
        return cancelled()

    router, middleware = StreamRouter(), middlewares(pool)[around]
    router.on_change(middleware=[middleware] if middleware else [])(
        later if is_async else lambda record: cancelled()
    )
    result = ended(lambda: router.dispatch([RECORD], concurrency=concurrency))
    (failure,) = result.failures
    assert type(failure.error) is concurrent.futures.CancelledError


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("how", ["forgets", "gives up", "a coroutine gives up"])
def test_nothing_inside_of_middleware_runs_when_its_record_is_done_or_failed(
    how: str, concurrency: int, pool: ThreadPoolExecutor
) -> None:
    """What runs in a thread of the middleware's own is waited for, and its error not lost."""
    begun, given_up, ended = threading.Event(), threading.Event(), []

    def handle(record: Any) -> None:
        begun.set()
        given_up.wait(30)
        ended.append(record)
        raise ValueError

    def middleware(record: Any, call_next: Any) -> None:
        pool.submit(call_next, record)
        begun.wait(30)
        given_up.set()
        if how == "gives up":
            raise TimeoutError

    async def later(record: Any, call_next: Any) -> None:
        tasks.append(asyncio.create_task(call_next(record)))
        await asyncio.to_thread(begun.wait, 30)
        given_up.set()
        raise TimeoutError

    tasks: list[Any] = []
    router = StreamRouter()
    router.on_change()(handle)
    router.middleware(
        middleware if how != "a coroutine gives up" else lambda record, go: later(record, go)  # noqa: PLW0108
    )
    result = router.dispatch([RECORD], concurrency=concurrency)
    assert len(ended) == 1
    assert result.processed == 0
    (failure,) = result.failures
    assert type(failure.error) is (RouteDefinitionError if how == "forgets" else TimeoutError)
    for task in tasks:
        assert type(task.exception()) is ValueError


def test_what_middleware_begins_when_its_record_is_done_never_runs(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    done, late = threading.Event(), []

    def middleware(record: Any, call_next: Any) -> None:
        late.append(pool.submit(lambda: done.wait(30) and call_next(record)))

    router = StreamRouter()
    router.on_change(middleware=[middleware])(lambda record: pytest.fail("its record is done"))
    assert router.dispatch([RECORD]).processed == 1
    done.set()
    assert type(late[0].exception(30)) is RouteDefinitionError
    assert "too late" in caplog.text


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_future_is_no_answer(concurrency: int, pool: ThreadPoolExecutor) -> None:
    """It would be taken for a yes: `where=lambda record: pool.submit(is_paid, record)`."""
    router = StreamRouter()
    router.on_change(where=lambda record: pool.submit(bool))(print)
    (failure,) = router.dispatch([RECORD], concurrency=concurrency).failures
    assert type(failure.error) is RouteDefinitionError
    assert "await" in str(failure.error)
