"""Different items at once, one item in order, and what a batch reports when it stops."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from ddbstream import Disposition, Insert, LambdaHandler, StreamRouter
from ddbstream._router import event_loop
from ddbstream._router.concurrent_batch import ItemOrder, item_of
from ddbstream._wire import read
from ddbstream.exceptions import BatchError
from ddbstream.poller._lanes import split_by_item
from tests.support.stream_records import sequence_number, wire_record

Dispatch = Callable[..., Any]


class OtherText(str):
    """Text that says of itself something else in its ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<text at {id(self)}>"


def number_of(record: Insert[Any]) -> int:
    return int(record.sequence_number or "")


def items(*keys: str) -> list[dict[str, Any]]:
    """One record for each key, numbered from 1."""
    return [wire_record(number=n, key=key) for n, key in enumerate(keys, 1)]


class Gate:
    """Holds handlers until so many are inside at once; fails if that never happens."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count)

    def wait(self) -> None:
        self._barrier.wait(timeout=10)


class TestTheOrderOfItems:
    """The scheduler itself: pure."""

    def test_offers_the_lowest_record_whose_item_is_free(self) -> None:
        order = ItemOrder("aabac")
        assert [order.take(), order.take(), order.take(), order.take()] == [0, 2, 4, None]
        order.done(0)
        assert [order.take(), order.take()] == [1, None]
        order.done(1)
        assert order.take() == 3

    def test_offers_nothing_behind_a_failure(self) -> None:
        order = ItemOrder("abcde")
        assert [order.take(), order.take(), order.take()] == [0, 1, 2]
        order.failed(1)
        assert order.take() is None

    def test_still_offers_what_stands_before_a_failure(self) -> None:
        order = ItemOrder("aab")
        assert [order.take(), order.take()] == [0, 2]
        order.failed(2)
        order.done(0)
        assert order.take() == 1
        order.done(1)
        assert order.first_not_done == 2

    def test_the_checkpoint_is_the_first_that_is_not_done(self) -> None:
        order = ItemOrder("abc")
        for _ in range(3):
            order.take()
        order.done(1)
        order.done(2)
        assert (order.first_not_done, order.count_done) == (0, 2)
        order.done(0)
        assert order.first_not_done is None

    def test_an_item_is_identified_by_table_and_keys_and_not_by_the_order_of_its_keys(self) -> None:
        one, other, same = (wire_record(), wire_record(key="Product#2"), wire_record(number=2))
        one["dynamodb"]["Keys"] = {"PK": {"S": "a"}, "SK": {"S": "b"}}
        same["dynamodb"]["Keys"] = {"SK": {"S": "b"}, "PK": {"S": "a"}}
        elsewhere = {**one, "eventSourceARN": "arn:aws:dynamodb:eu-west-1:1:table/Other/stream/x"}
        found = [item_of(record) for record in read([one, other, same, elsewhere])]
        assert found[0] == found[2]
        assert len(set(found)) == 3

    @pytest.mark.parametrize(
        "spellings",
        [
            [{"S": "a"}, MappingProxyType({"S": "a"}), {"S": OtherText("a")}],
            [{"N": "1"}, {"N": "1.0"}, {"N": "10e-1"}],
            [{"B": "AAE="}, *({"B": form(b"\0\1")} for form in (bytes, bytearray, memoryview))],
            # None of these is an item's key. They may be of one item.
            [{"L": [{"S": "a"}]}, {"M": {}}, {"S": 1}, {"B": memoryview}, {"S": "a", "N": "1"}, []],
        ],
        ids=["S", "N", "B", "none"],
    )
    def test_an_item_is_the_same_however_its_keys_are_spelled(self, spellings: list[Any]) -> None:
        records = [wire_record(number=number) for number in range(len(spellings))]
        for record, spelled in zip(records, spellings, strict=True):
            record["dynamodb"]["Keys"] = {"PK": spelled}
        assert len(set(map(item_of, read(records)))) == 1
        assert split_by_item(records, 9) == [list(range(len(records)))]

    def test_keys_of_another_type_or_name_are_of_another_item(self) -> None:
        keys: list[Any] = [{}, {"PK": {"S": "1"}}, {"PK": {"N": "1"}}, {"PK": {"B": b"1"}}]
        keys += [{"SK": {"S": "1"}}, {"PK": {"BOOL": True}}, {"PK": {"S": "1"}, "SK": {"S": "1"}}]
        records = [wire_record(number=number) for number in range(len(keys))]
        for record, each in zip(records, keys, strict=True):
            record["dynamodb"]["Keys"] = each
        assert len(set(map(item_of, read(records)))) == len(keys)
        assert split_by_item(records, 9) == [[number] for number in range(len(keys))]


class TestDifferentItems:
    def test_run_at_once_in_threads(self) -> None:
        router, gate = StreamRouter(), Gate(3)
        router.on_insert()(lambda record: gate.wait())
        assert router.dispatch(items("a", "b", "c"), concurrency=3) == (3, (), None)

    def test_run_at_once_as_tasks_on_one_loop(self) -> None:
        router, seen, everybody = StreamRouter(), [], asyncio.Event()

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            seen.append(threading.current_thread())
            if len(seen) == 50:
                everybody.set()
            await asyncio.wait_for(everybody.wait(), 10)

        keys = [str(n) for n in range(50)]
        assert router.dispatch(items(*keys), concurrency=50) == (50, (), None)
        assert len(set(seen)) == 1

    def test_run_at_once_where_a_record_reaches_both_kinds_of_handler(self) -> None:
        router, gate, seen = StreamRouter(), Gate(2), []
        router.on_insert()(lambda record: gate.wait())

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            await asyncio.sleep(0)
            seen.append(number_of(record))

        assert router.dispatch(items("a", "b"), concurrency=2) == (2, (), None)
        assert sorted(seen) == [1, 2]

    def test_never_run_more_than_asked_for_at_once(self) -> None:
        router, inside, most = StreamRouter(), [], []

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.001)
            inside.pop()

        router.dispatch(items(*(str(n) for n in range(40))), concurrency=4)
        assert 1 < max(most) <= 4


@pytest.mark.parametrize("kind", ["sync", "async", "mixed"])
def test_one_items_records_run_in_order(kind: str) -> None:
    router = StreamRouter()
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def note(record: Insert[Any]) -> None:
        seen[record.keys["PK"]].append(number_of(record))

    @router.on_insert(where=lambda r: kind == "sync" or (kind == "mixed" and number_of(r) % 3))
    def handle(record: Insert[Any]) -> None:
        time.sleep(0.002 * (number_of(record) % 3))
        note(record)

    @router.on_insert(where=lambda r: kind == "async" or (kind == "mixed" and not number_of(r) % 3))
    async def handle_later(record: Insert[Any]) -> None:
        await asyncio.sleep(0.002 * (number_of(record) % 3))
        note(record)

    router.dispatch(items(*"abaabbabab"), concurrency=5)
    assert seen == {"a": [1, 3, 4, 7, 9], "b": [2, 5, 6, 8, 10]}


class TestAFailureAmongOthers:
    def test_lets_what_stands_before_it_finish_and_nothing_behind_it_start(self) -> None:
        router, seen = StreamRouter(), []
        failed = threading.Event()

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            number = number_of(record)
            if number == 3:
                failed.set()
                raise ValueError
            if number == 1:
                failed.wait(10)
                time.sleep(0.05)  # the failure is known by now
            seen.append(number)

        # Records 1 and 2 are of one item, 3 fails at once, 4 to 9 are behind it.
        result = router.dispatch(items("a", "a", *"bcdefgh"), concurrency=2)
        assert seen == [1, 2]
        assert result.checkpoint == sequence_number(3)
        assert result.processed == 2

    def test_is_reported_with_the_others_and_the_checkpoint_is_the_lowest(self) -> None:
        router, gate = StreamRouter(), Gate(3)

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            gate.wait()
            if number_of(record) != 2:
                raise ValueError(number_of(record))

        result = router.dispatch(items("a", "b", "c"), concurrency=3)
        assert [failure.error.args[0] for failure in result.failures] == [1, 3]
        assert result.processed == 1
        assert result.checkpoint == sequence_number(1)

    def test_of_a_malformed_record_is_one_too(self) -> None:
        router, seen = StreamRouter(), []
        router.on_insert()(seen.append)
        batch = items("a", "b")
        batch[1]["eventName"] = "UPSERT"
        result = router.dispatch(batch, concurrency=4)
        assert result.checkpoint == sequence_number(2)
        assert len(seen) == 1

    @pytest.mark.parametrize("kind", ["sync", "async"])
    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    def test_that_is_no_exception_passes_through_when_nothing_runs_any_more(
        self, kind: str, fatal: type[BaseException]
    ) -> None:
        router, ended = StreamRouter(), []
        entered = threading.Event()

        def handle(record: Insert[Any]) -> None:
            if number_of(record) == 2:
                entered.wait(10)
                raise fatal
            entered.set()
            time.sleep(0.05)
            ended.append(1)

        async def handle_later(record: Insert[Any]) -> None:
            if number_of(record) == 2:
                raise fatal
            await asyncio.sleep(0.05)
            ended.append(1)

        router.on_insert()(handle if kind == "sync" else handle_later)
        with pytest.raises(fatal):
            router.dispatch(items("a", "b"), concurrency=2)
        assert ended == [1]
        # The event loop has survived it.
        assert kind == "sync" or StreamRouter().dispatch([]) == (0, (), None)

    def test_of_a_record_without_keys_holds_up_others_without_keys(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            if number_of(record) == 1:
                raise ValueError
            seen.append(number_of(record))

        batch = items("a", "b", "c")
        for record in batch[:2]:
            del record["dynamodb"]["Keys"]
        assert router.dispatch(batch, concurrency=3).checkpoint == sequence_number(1)
        assert 2 not in seen

    def test_decided_to_be_skipped_lets_its_item_go_on(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            if number_of(record) == 1:
                raise ValueError
            seen.append(number_of(record))

        router.on_error(ValueError)(lambda failure: Disposition.SKIP)
        assert router.dispatch(items("a", "a", "b"), concurrency=2) == (3, (), None)
        assert sorted(seen) == [2, 3]


class TestADeadline:
    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_starts_nothing_more_and_reports_the_rest(self, concurrency: int) -> None:
        router, seen = StreamRouter(), []
        router.on_insert()(lambda record: seen.append(number_of(record)))
        result = router.dispatch(
            items(*"aaaaa"), concurrency=concurrency, stop_when=lambda: len(seen) >= 2
        )
        assert seen == [1, 2]
        assert result == (2, (), sequence_number(3))

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_that_is_over_at_once_still_makes_progress(self, concurrency: int) -> None:
        router, seen = StreamRouter(), []
        router.on_insert()(seen.append)
        result = router.dispatch(items(*"abc"), concurrency=concurrency, stop_when=lambda: True)
        assert len(seen) == 1
        assert result.checkpoint == sequence_number(2)

    def test_waits_for_what_runs(self) -> None:
        router, ended = StreamRouter(), []
        started = threading.Event()

        @router.on_insert()
        def handle(record: Insert[Any]) -> None:
            started.set()
            time.sleep(0.05)
            ended.append(number_of(record))

        result = router.dispatch(items("a", "a"), concurrency=2, stop_when=started.is_set)
        assert ended == [1]
        assert result.checkpoint == sequence_number(2)

    class Context:
        def __init__(self, *remaining: int) -> None:
            self._remaining = list(remaining)

        def get_remaining_time_in_millis(self) -> int:
            return self._remaining.pop(0)

    def test_comes_from_lambdas_remaining_time(self) -> None:
        router, seen = StreamRouter(), []
        router.on_insert()(seen.append)
        handler = LambdaHandler(router, report_batch_item_failures=True, deadline_margin=2)
        answer = handler({"Records": items("a", "b", "c")}, self.Context(2000, 1999))
        assert len(seen) == 2
        assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_number(3)}]}

    def test_raises_where_no_response_can_report_the_rest(self) -> None:
        router = StreamRouter()
        router.on_insert()(lambda record: None)
        handler = LambdaHandler(router, deadline_margin=2)
        with pytest.raises(BatchError, match="1 records done"):
            handler({"Records": items("a", "b")}, self.Context(0))

    @pytest.mark.parametrize("margin", [-1, "2", True, float("nan")])
    def test_margin_is_a_time(self, margin: Any) -> None:
        with pytest.raises(ValueError, match="deadline_margin"):
            LambdaHandler(StreamRouter(), deadline_margin=margin)


class TestAsyncHandlers:
    def test_run_one_after_another_without_concurrency(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            await asyncio.sleep(0.001 * (3 - number_of(record)))
            seen.append(number_of(record))

        assert router.dispatch(items("a", "b", "c")) == (3, (), None)
        assert seen == [1, 2, 3]

    def test_fail_with_their_own_exception(self) -> None:
        router, error = StreamRouter(), ValueError()

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            raise error

        for concurrency in (1, 2):
            (failure,) = router.dispatch(items("a"), concurrency=concurrency).failures
            assert failure.error is error
            assert failure.route is not None

    def test_get_the_context(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_insert()
        async def handle(record: Insert[Any], context: Any) -> None:
            seen.append(context)

        for concurrency in (1, 2):
            router.dispatch(items("a"), concurrency=concurrency, context="c")
        assert seen == ["c", "c"]

    def test_may_be_anything_that_gives_something_to_await(self) -> None:
        router, seen = StreamRouter(), []

        async def later(record: Insert[Any]) -> None:
            seen.append(1)

        class Later:
            async def __call__(self, record: Insert[Any]) -> None:
                seen.append(2)

        def sooner(record: Insert[Any]) -> Any:
            return later(record)

        for handler in (sooner, Later()):
            router.on_insert()(handler)
        for concurrency in (1, 2):
            assert router.dispatch(items("a"), concurrency=concurrency) == (1, (), None)
        assert seen == [1, 2, 1, 2]

    def test_work_inside_a_running_loop(self) -> None:
        router, seen = StreamRouter(), []

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            seen.append(number_of(record))

        async def application() -> None:
            router.dispatch(items("a"))
            router.dispatch(items("b"), concurrency=2)

        asyncio.run(application())
        assert seen == [1, 1]

    def test_keep_one_loop_from_batch_to_batch(self) -> None:
        router, loops = StreamRouter(), []

        @router.on_insert()
        async def handle(record: Insert[Any]) -> None:
            loops.append(asyncio.get_running_loop())

        for concurrency in (1, 1, 3):
            router.dispatch(items("a"), concurrency=concurrency)
        assert loops[0] is loops[1] is loops[2]

    @pytest.mark.parametrize("kind", ["async def", "object"])
    def test_that_dispatch_are_told_not_to_instead_of_waiting_for_ever(self, kind: str) -> None:
        inner, outer = StreamRouter(), StreamRouter()

        class Later:
            def __await__(self) -> Any:
                raise AssertionError("nobody awaits it")

        async def handle(record: Insert[Any]) -> None: ...

        inner.on_insert()(handle if kind == "async def" else lambda record: Later())

        @outer.on_insert()
        async def nested(record: Insert[Any]) -> None:
            (failure,) = inner.dispatch([record]).failures
            raise failure.error

        (failure,) = outer.dispatch(items("a")).failures
        assert isinstance(failure.error, RuntimeError)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.mark.parametrize("concurrency", [1, 2])
def test_handlers_see_the_callers_context_variables(concurrency: int) -> None:
    router, seen = StreamRouter(), []
    router.on_insert()(lambda record: seen.append(variable.get()))

    @router.on_insert("Shop")
    async def handle(record: Insert[Any]) -> None:
        seen.append(variable.get())

    token = variable.set("set")
    try:
        router.dispatch(items("a"), concurrency=concurrency)
    finally:
        variable.reset(token)
    assert seen == ["set", "set"]


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "2", True, None])
def test_concurrency_is_a_whole_number_above_0(concurrency: Any) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        StreamRouter().dispatch([], concurrency=concurrency)
    with pytest.raises(ValueError, match="concurrency"):
        LambdaHandler(StreamRouter(), concurrency=concurrency)


def test_many_threads_may_dispatch_at_once() -> None:
    router, seen = StreamRouter(), []
    router.on_insert()(lambda record: seen.append(record.event_id))
    threads = [
        threading.Thread(target=router.dispatch, args=([wire_record(number=n)] * 50,))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {seen.count(f"event-{n}") for n in range(8)} == {50}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("router.dispatch([record])", ["asyncio", "concurrent.futures"]),
        ("router.dispatch([record], concurrency=2)", ["asyncio"]),
    ],
)
def test_modules_are_imported_only_by_what_needs_them(code: str, absent: list[str]) -> None:
    program = f"""
import sys
from ddbstream import StreamRouter
router, seen = StreamRouter(), []
router.on_insert()(seen.append)
record = {wire_record()!r}
{code}
assert len(seen) == 1
print([name for name in {absent!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_event_loop_does_not_hold_up_the_end_of_the_process() -> None:
    program = f"""
from ddbstream import StreamRouter
router = StreamRouter()
@router.on_insert()
async def handle(record): print("handled")
router.dispatch([{wire_record()!r}])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "handled\n", "")


def running_in_the_main_thread() -> list[str]:
    """The functions that are inside of `Future.result` there, outermost last."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    names: list[str] = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names[names.index("result") :] if "result" in names else []


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot interrupt itself there")
def test_a_caller_that_is_interrupted_leaves_nothing_running() -> None:
    router, cancelled = StreamRouter(), threading.Event()

    @router.on_insert()
    async def handle(record: Insert[Any]) -> None:
        while "wait_for" not in running_in_the_main_thread():  # noqa: ASYNC110 - not ours to tell
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        router.dispatch(items("a"))
    assert cancelled.wait(10)


def test_the_event_loop_ends_with_the_process_and_is_made_anew_if_need_be() -> None:
    first = event_loop.loop()
    event_loop._close()
    assert first.is_closed()
    event_loop._close()  # there is none
    busy = event_loop.loop()
    assert busy is not first
    release, thread = threading.Event(), event_loop._running
    busy.call_soon_threadsafe(release.wait)
    event_loop._close()
    assert not busy.is_closed()  # something on it goes on: that is not waited for
    release.set()
    assert thread is not None
    thread[1].join(10)
    busy.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_forked_process_has_an_event_loop_of_its_own() -> None:
    program = f"""
import os
from ddbstream import StreamRouter
router = StreamRouter()
@router.middleware
async def around(record, call_next):
    await call_next(record)
@router.on_insert()
def handle(record): pass
@router.on_insert()
async def handle_later(record): print("handled", flush=True)
record = {wire_record()!r}
router.dispatch([record])
if os.fork() == 0:
    router.dispatch([record])
    router.dispatch([record], concurrency=2)
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "handled\n" * 3, "")
