"""Functions of every kind: what can be awaited is awaited or refused; what can be called counts."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from ddbstream import (
    Disposition,
    Insert,
    LambdaHandler,
    Modify,
    StreamRecord,
    StreamRouter,
    by_key_prefix,
)
from ddbstream.exceptions import RouteDefinitionError
from ddbstream.metrics import BatchEvent
from tests.support.stream_records import wire_record

if TYPE_CHECKING:
    from somewhere import Client  # type: ignore[import-not-found]


@dataclass
class Product:
    PK: str


@pytest.fixture
def router() -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("PK"))


seen: list[object] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


async def later(*arguments: object) -> None:
    await asyncio.sleep(0)
    seen.append(arguments[0])


class AsyncCall:
    async def __call__(self, *arguments: object) -> None:
        await later(*arguments)

    async def method(self, *arguments: object) -> None:
        await later(*arguments)


class Awaitable:
    """What is no coroutine and can be awaited."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Any:
        yield from later(self.value).__await__()


def around(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function that gives what an async one gives, and says nothing of it."""

    def plain(*arguments: Any) -> Any:
        return function(*arguments)

    return plain


async def gives_another(*arguments: object) -> Any:
    return later(*arguments)


def async_mock() -> AsyncMock:
    return AsyncMock(side_effect=later)


ASYNC: dict[str, Callable[..., Any]] = {
    "async def": later,
    "partial": functools.partial(later),
    "partial of partial": functools.partial(functools.partial(later)),
    "object": AsyncCall(),
    "bound method": AsyncCall().method,
    "lambda": plainly(later),
    "decorated": around(later),
    "a coroutine that gives another": gives_another,
    "an object to await": lambda *arguments: Awaitable(arguments[0]),
    "AsyncMock": async_mock(),
}
each_async = pytest.mark.parametrize("function", ASYNC.values(), ids=ASYNC.keys())
each_concurrency = pytest.mark.parametrize("concurrency", [1, 2])


class TestWhatCanBeAwaitedIsAwaited:
    @each_concurrency
    @each_async
    def test_a_handler(
        self, router: StreamRouter, function: Callable[..., Any], concurrency: int
    ) -> None:
        router.on_insert()(function)
        assert router.dispatch([wire_record()], concurrency=concurrency).processed == 1
        assert len(seen) == 1

    @each_concurrency
    @each_async
    def test_a_dead_letter_sink(
        self, router: StreamRouter, function: Callable[..., Any], concurrency: int
    ) -> None:
        @router.on_insert()
        def fails(record: StreamRecord[Any]) -> None:
            raise ValueError

        router.on_error(lambda failure: Disposition.DEAD_LETTER)
        result = router.dispatch([wire_record()], dead_letter=function, concurrency=concurrency)
        assert (result.processed, len(seen)) == (1, 1)

    def test_a_dead_letter_sink_that_fails_late_leaves_the_record_undone(
        self, router: StreamRouter
    ) -> None:
        async def sink(letter: object) -> None:
            await asyncio.sleep(0)
            raise OSError

        @router.on_insert()
        def fails(record: StreamRecord[Any]) -> None:
            raise ValueError

        router.on_error(lambda failure: Disposition.DEAD_LETTER)
        handler = LambdaHandler(router, report_batch_item_failures=True, dead_letter=sink)
        response = handler({"Records": [wire_record()]})
        assert response["batchItemFailures"], "the sink failed, so the record is not done"

    @each_concurrency
    @each_async
    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_an_observer(
        self, router: StreamRouter, function: Callable[..., Any], concurrency: int, kind: str
    ) -> None:
        async def handle_async(record: StreamRecord[Any]) -> None: ...

        router.on_insert()(handle_async if kind == "async" else lambda record: None)
        router.observe(function)
        router.dispatch([wire_record()], concurrency=concurrency)
        assert len(seen) == 2, "one handler and one batch"
        assert isinstance(seen[1], BatchEvent)

    @each_concurrency
    @each_async
    def test_an_on_error_function(
        self, router: StreamRouter, function: Callable[..., Any], concurrency: int
    ) -> None:
        @router.on_insert()
        def fails(record: StreamRecord[Any]) -> None:
            raise ValueError

        router.on_error(function)
        router.on_error(lambda failure: asyncio.sleep(0, Disposition.SKIP))
        result = router.dispatch([wire_record()], concurrency=concurrency)
        assert (result.processed, len(seen)) == (1, 1)

    @each_concurrency
    @each_async
    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_middleware(
        self, router: StreamRouter, function: Callable[..., Any], concurrency: int, kind: str
    ) -> None:
        """It does not go on, so the record is its own to handle."""

        async def handle_async(record: StreamRecord[Any]) -> None:
            raise AssertionError

        def handle(record: StreamRecord[Any]) -> None:
            raise AssertionError

        router.on_insert()(handle_async if kind == "async" else handle)
        router.middleware(function)
        assert router.dispatch([wire_record()], concurrency=concurrency).processed == 1
        assert len(seen) == 1

    def test_a_wait_condition(self, router: StreamRouter) -> None:
        router.on_insert()(print)

        async def stop() -> bool:
            return False

        assert router.dispatch([wire_record(), wire_record()], stop_when=stop).processed == 2


def goes_on_async(kind: str) -> Callable[..., Any]:
    async def middleware(record: Any, call_next: Any) -> None:
        seen.append("before")
        await call_next(record)
        seen.append("after")

    async def gives(record: Any, call_next: Any) -> Any:
        seen.append("before")
        return call_next(record)

    async def makes_a_task(record: Any, call_next: Any) -> None:
        seen.append("before")
        await asyncio.create_task(call_next(record))
        seen.append("after")

    return {
        "async def": middleware,
        "decorated": around(middleware),
        "lambda": plainly(middleware),
        "partial": functools.partial(middleware),
        "gives what call_next gave": gives,
        "task": makes_a_task,
    }[kind]


class TestMiddlewareThatGoesOn:
    @each_concurrency
    @pytest.mark.parametrize("handlers", ["sync", "async"])
    @pytest.mark.parametrize(
        "kind",
        ["async def", "decorated", "lambda", "partial", "gives what call_next gave", "task"],
    )
    def test_runs_the_handler_inside(
        self, router: StreamRouter, kind: str, handlers: str, concurrency: int
    ) -> None:
        async def handle_async(record: StreamRecord[Any]) -> None:
            seen.append("handler")

        def handle(record: StreamRecord[Any]) -> None:
            seen.append("handler")

        router.on_insert()(handle_async if handlers == "async" else handle)
        router.middleware(goes_on_async(kind))
        router.middleware(goes_on_async("async def"))
        result = router.dispatch([wire_record()], concurrency=concurrency)
        assert result.processed == 1
        assert [one for one in seen if one == "handler"] == ["handler"]
        assert seen.index("handler") > 1

    @each_concurrency
    @pytest.mark.parametrize("handlers", ["sync", "async"])
    @pytest.mark.parametrize("how", ["dropped", "task", "lambda"])
    def test_without_awaiting_has_failed(
        self, router: StreamRouter, handlers: str, concurrency: int, how: str
    ) -> None:
        tasks = []

        async def handle_async(record: StreamRecord[Any]) -> None:
            await asyncio.sleep(0.001)
            seen.append("handler")

        def handle(record: StreamRecord[Any]) -> None:
            seen.append("handler")

        async def middleware(record: Any, call_next: Any) -> None:
            if how == "task":
                tasks.append(asyncio.create_task(call_next(record)))
            else:
                call_next(record)

        router.on_insert()(handle_async if handlers == "async" else handle)
        router.middleware((plainly(middleware)) if how == "lambda" else middleware)
        result = router.dispatch([wire_record()], concurrency=concurrency)
        assert result.processed == 0
        assert isinstance(result.failures[0].error, RouteDefinitionError)
        assert "await" in str(result.failures[0].error)
        if how == "task":
            assert seen == ["handler"], "what had begun was seen to its end"

    def test_and_fails_lets_what_it_began_end(self, router: StreamRouter) -> None:
        tasks = []

        async def middleware(record: Any, call_next: Any) -> None:
            tasks.append(asyncio.create_task(call_next(record)))
            await asyncio.sleep(0)
            raise ValueError("mine")

        async def handle(record: StreamRecord[Any]) -> None:
            await asyncio.sleep(0.001)
            seen.append("handler")

        router.on_insert()(handle)
        router.middleware(middleware)
        result = router.dispatch([wire_record()])
        assert str(result.failures[0].error) == "mine"
        assert seen == ["handler"]

    def test_and_gives_up_waits_for_a_thread(self, router: StreamRouter) -> None:
        started, cancelled = threading.Event(), threading.Event()

        async def middleware(record: Any, call_next: Any) -> None:
            task = asyncio.create_task(call_next(record))
            await asyncio.to_thread(started.wait)
            task.cancel()
            cancelled.set()
            await task

        def handle(record: StreamRecord[Any]) -> None:
            started.set()
            cancelled.wait(10)
            seen.append("handler")

        router.on_insert()(handle)
        router.middleware(middleware)
        with pytest.raises(asyncio.CancelledError):
            router.dispatch([wire_record()])
        assert seen == ["handler"]


class TestWhatHasToAnswerAtOnce:
    @pytest.mark.parametrize(
        "name", ["async def", "partial", "object", "bound method", "AsyncMock"]
    )
    def test_is_refused_where_it_can_be_seen_to_be_async(
        self, router: StreamRouter, name: str
    ) -> None:
        with pytest.raises(RouteDefinitionError, match="classify"):
            StreamRouter(classify=ASYNC[name])
        with pytest.raises(RouteDefinitionError, match="where"):
            router.on_insert(where=ASYNC[name])(print)

    @each_concurrency
    @pytest.mark.parametrize("name", ["lambda", "decorated", "an object to await"])
    def test_fails_the_record_where_it_cannot(self, name: str, concurrency: int) -> None:
        by_where, by_name = StreamRouter(), StreamRouter(classify=ASYNC[name])
        by_where.on_insert(where=ASYNC[name])(print)
        by_name.on_insert("Product")(print)
        for router in (by_where, by_name):
            (failure,) = router.dispatch([wire_record()], concurrency=concurrency).failures
            assert isinstance(failure.error, RouteDefinitionError)
            assert "await" in str(failure.error)
            assert router.explain(wire_record()).problem

    @each_concurrency
    @pytest.mark.parametrize("observed", [False, True])
    @pytest.mark.parametrize("answer", [3, b"x", ["Product"], {"Product": 1}, {1}, ("x", [])])
    def test_names_an_entity_as_text_or_not_at_all(
        self, answer: Any, concurrency: int, *, observed: bool
    ) -> None:
        router = StreamRouter(classify=lambda record: answer)
        router.on_insert("Product")(print)
        if observed:
            router.observe(print)
        (failure,) = router.dispatch([wire_record()], concurrency=concurrency).failures
        assert type(failure.error) is RouteDefinitionError
        assert type(answer).__name__ in str(failure.error)
        assert "text" in str(failure.error)

    def test_also_with_two_classifiers(self) -> None:
        outer, inner = StreamRouter(), StreamRouter(classify=ASYNC["lambda"])
        outer.on_insert("Other")(print)
        inner.on_insert("Product")(print)
        outer.include(inner)
        (failure,) = outer.dispatch([wire_record()]).failures
        assert "await" in str(failure.error)

    def test_a_fold(self, router: StreamRouter) -> None:
        router.fold(name="sum")(lambda state, record: later(record))
        window = {"window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"}}
        batch = router.dispatch_window({**window, "Records": [wire_record()]})
        assert "await" in str(batch.result.failures[0].error)


def generator(*arguments: object) -> Any:
    yield


async def async_generator(*arguments: object) -> Any:
    yield


class GeneratorCall:
    def __call__(self, *arguments: object) -> Any:
        yield


class TestGenerators:
    @pytest.mark.parametrize(
        "function",
        [generator, async_generator, functools.partial(generator), GeneratorCall()],
    )
    def test_are_refused_at_declaration(
        self, router: StreamRouter, function: Callable[..., Any]
    ) -> None:
        for register in (
            router.on_insert(),
            router.middleware,
            router.observe,
            router.on_error,
            router.on_insert(where=function),
        ):
            with pytest.raises(RouteDefinitionError, match="generator"):
                register(function)

    @pytest.mark.parametrize("function", [generator, async_generator])
    def test_fail_the_record_where_they_come_out_of_a_function(
        self, router: StreamRouter, function: Callable[..., Any]
    ) -> None:
        router.on_insert()(around(function))
        assert "generator" in str(router.dispatch([wire_record()]).failures[0].error)


# What counts is what can be called.


def injecting(place: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def one(record: Any) -> Any:
            return function(record, "client")

        @functools.wraps(function)
        def any_number(*args: Any, **kwargs: Any) -> Any:
            return function(*args, "client", **kwargs)

        @functools.wraps(function)
        def first(*args: Any, **kwargs: Any) -> Any:
            return function("client", *args, **kwargs)

        @functools.wraps(function)
        async def asynchronous(*args: Any) -> Any:
            return function("client", *args)

        return {"one": one, "any": any_number, "first": first, "async": asynchronous}[place]

    return decorate


class TestDecoratorsThatInject:
    @pytest.mark.parametrize("place", ["one", "any"])
    def test_behind_the_record(self, router: StreamRouter, place: str) -> None:
        @router.on_insert("Product")
        @injecting(place)
        def added(record: Insert[Product], client: Client) -> None:
            seen.append((type(record.new), client))

        assert router.dispatch([wire_record()]).processed == 1
        assert seen == [(Product, "client")]

    @pytest.mark.parametrize("place", ["first", "async"])
    def test_before_the_record(self, router: StreamRouter, place: str) -> None:
        @router.on_insert("Product")
        @injecting(place)
        def added(client: Client, record: Insert[Product]) -> None:
            seen.append((type(record.new), client))

        assert router.dispatch([wire_record()]).processed == 1
        assert seen == [(Product, "client")]

    def test_with_the_context(self, router: StreamRouter) -> None:
        @router.on_insert()
        @injecting("first")
        def added(client: Client, record: Insert[Product], context: object) -> None:
            seen.append((client, context))

        assert router.dispatch([wire_record()], context="context").processed == 1
        assert seen == [("client", "context")]

    def test_three_arguments_at_once(self, router: StreamRouter) -> None:
        def inject(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def wrapper(record: Any) -> Any:
                return function(record, 1, 2)

            return wrapper

        @router.on_insert()
        @inject
        def added(record: Insert[Product], one: int, two: int) -> None:
            seen.append((one, two))

        assert router.dispatch([wire_record()]).processed == 1
        assert seen == [(1, 2)]

    def test_a_mistaken_annotation_of_the_record_is_still_refused(
        self, router: StreamRouter
    ) -> None:
        @around
        def added(record: Insert[Prodct]) -> None: ...  # type: ignore[name-defined] # noqa: F821

        with pytest.raises(RouteDefinitionError, match="Prodct"):
            router.on_insert()(added)
        with pytest.raises(RouteDefinitionError, match="Modify"):
            router.on_insert()(around(takes_modify))


def takes_modify(record: Modify[Product]) -> None: ...


class TestDecoratorsThatHandOn:
    def test_the_context_that_the_handler_names(self, router: StreamRouter) -> None:
        @router.on_insert()
        @around
        def added(record: Insert[Product], context: object) -> None:
            seen.append(context)

        router.dispatch([wire_record()], context="context")
        assert seen == ["context"]

    def test_what_on_error_takes(self, router: StreamRouter) -> None:
        @router.on_error
        @around
        def decide(record: object, error: Exception) -> Disposition:
            return Disposition.SKIP

        @router.on_insert()
        def fails(record: StreamRecord[Any]) -> None:
            raise ValueError

        assert router.dispatch([wire_record()]).processed == 1


class Collecting:
    def __call__(self, record: StreamRecord[Any]) -> None:
        seen.append(record)

    @classmethod
    def of_class(cls, record: StreamRecord[Any]) -> None:
        seen.append(record)

    @staticmethod
    def static(record: StreamRecord[Any]) -> None:
        seen.append(record)


class Made:
    def __init__(self, record: StreamRecord[Any]) -> None:
        seen.append(record)


@functools.singledispatch
def dispatched(record: object) -> None:
    raise AssertionError


@dispatched.register
def _(record: Insert) -> None:  # type: ignore[type-arg]
    seen.append(record)


@functools.lru_cache
def cached(record: object) -> None:
    seen.append(record)


def with_keyword(record: object, *, client: str) -> None:
    seen.append(record)


def with_first(client: str, record: Insert[Product]) -> None:
    seen.append(record)


CALLABLES: dict[str, Callable[..., Any]] = {
    "function": lambda record: seen.append(record) or None,
    "bound method": Collecting().__call__,
    "class method": Collecting.of_class,
    "static method": Collecting.static,
    "object": Collecting(),
    "class": Made,
    "builtin": seen.append,
    "partial keyword": functools.partial(with_keyword, client=""),
    "partial argument": functools.partial(with_first, ""),
    "singledispatch": dispatched,
    "lru_cache": cached,
    "decorated": around(Collecting().__call__),
    "decorated twice": around(injecting("first")(with_first)),
    "Mock": Mock(side_effect=seen.append),
    "MagicMock": MagicMock(side_effect=seen.append),
    "Mock around a function": Mock(wraps=seen.append),
    "autospec": create_autospec(lambda record: None, side_effect=seen.append),
}


class TestEveryCallable:
    @pytest.mark.parametrize("function", CALLABLES.values(), ids=CALLABLES.keys())
    def test_handles_records(self, router: StreamRouter, function: Callable[..., Any]) -> None:
        router.on_insert("Product")(function)
        assert router.dispatch([wire_record()]).processed == 1
        assert len(seen) == 1

    def test_a_mock_works_everywhere(self) -> None:
        classify = Mock(return_value="Product")
        router = StreamRouter(classify=classify)
        where, handler, observer = Mock(return_value=True), Mock(), Mock()
        decide = Mock(return_value=Disposition.DEAD_LETTER)
        middleware = Mock(side_effect=lambda record, call_next: call_next(record))
        sink = Mock()
        router.on_insert(Product, where=where, middleware=[middleware])(handler)
        router.middleware(middleware)
        router.observe(observer)
        router.on_error(decide)
        handler.side_effect = ValueError
        assert router.dispatch([wire_record()], dead_letter=sink).processed == 1
        for mock in (classify, where, handler, observer, decide, middleware, sink):
            mock.assert_called()
        router.filter_criteria()

    def test_a_function_of_wrong_arity_is_refused_where_it_is_given(
        self, router: StreamRouter
    ) -> None:
        def three(a: object, b: object, c: object) -> None: ...

        for register in (
            router.on_insert(),
            router.middleware,
            router.observe,
            router.on_error,
            router.on_insert(where=three),
        ):
            with pytest.raises(RouteDefinitionError, match="three"):
                register(three)
        with pytest.raises(RouteDefinitionError, match="three"):
            StreamRouter(classify=three)  # type: ignore[arg-type]

    def test_needs_no_keyword(self, router: StreamRouter) -> None:
        with pytest.raises(RouteDefinitionError, match="client"):
            router.on_insert()(functools.partial(with_keyword))


def test_no_awaitable_is_left_over(caplog: pytest.LogCaptureFixture) -> None:
    """An observer that fails late is logged, as one that fails at once."""

    async def fails(event: object) -> None:
        await asyncio.sleep(0)
        raise ValueError

    router = StreamRouter()
    router.on_insert()(later)
    router.observe(fails)
    with caplog.at_level(logging.ERROR):
        assert router.dispatch([wire_record()], concurrency=2).processed == 1
    assert caplog.text.count("an observer failed") == 2
