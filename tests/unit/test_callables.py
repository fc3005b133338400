"""Whatever of the user's can be called is awaited, or refused where it is declared.

`found` looks for the parameters of the public API that take something to call: by annotation, by
name, and by what their docstring says. Each has a case here, which gives it async functions of
every shape, or a reason why it has none. A new parameter fails the first test until it has one.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import re
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ddbstream
from ddbstream import Attribute, Disposition, LambdaHandler, StreamRouter
from ddbstream.dead_letters import S3Sink, SNSSink, SQSSink
from ddbstream.exceptions import DDBStreamError
from ddbstream.export import backfill, load, open_export, read_records
from ddbstream.kcl import RecordProcessor
from ddbstream.kinesis import DynamoDBNewest, arrange
from ddbstream.models import Registry, model, retyped, upgrade, versioned
from ddbstream.poller import (
    AsyncStreamPoller,
    DynamoDBCheckpoints,
    FailurePolicy,
    FileCheckpoints,
    MemoryCheckpoints,
    SQLiteCheckpoints,
    StreamPoller,
    retry,
    stop_on_signals,
)
from ddbstream.replay import ReplayHandler, failed_batches, replay
from ddbstream.testing import (
    EventSourceMapping,
    FakeStream,
    insert,
    kinesis_event,
    lambda_event,
    on_failure_message,
    tumbling_window_event,
)
from tests.unit.export.exports import lines_of, write_export

Function = Callable[..., Any]

# What takes something to call

MODULES = [
    "ddbstream",
    *(
        name
        for _, name, _ in pkgutil.walk_packages(ddbstream.__path__, "ddbstream.")
        if not name.startswith("ddbstream.cli")
        and name != "ddbstream.testing.pytest"  # loaded by pytest, which calls its fixtures
        and not any(part.startswith("_") for part in name.split("."))
    ),
]
ANNOTATIONS = re.compile(
    r"Callable|Classifier|Sink\b|Observer|Handler\b|\bF\b|AnyStep|Fetch\b|Clock\b|CheckpointStore\b"
    r"|StreamsClient|NewestStore|\bProgress\b|\bRouter\b|FailurePolicy"
)
NAMES = re.compile(r"client$|^clock$|^handler$|^function$")
SAID = re.compile(r"\b(function|functions|callable|predicate|called|calls?)\b", re.IGNORECASE)


def public() -> Iterator[tuple[str, Any]]:
    """Every public function, class and method of one."""
    seen: set[int] = set()
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if id(thing) in seen or not callable(thing):
                continue
            seen.add(id(thing))
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for inner, method in vars(thing).items():
                    if inspect.isroutine(method) and not inner.startswith("_"):
                        yield f"{module.__name__}.{name}.{inner}", getattr(thing, inner)


def said_of(thing: Any, parameter: str) -> str:
    """What a docstring says about a parameter."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(thing) or "", re.MULTILINE)
    about = re.search(
        rf"^    {parameter}: ((?:.*\n?)(?:        .*\n?)*)",
        section[1] if section else "",
        re.MULTILINE,
    )
    return about[1] if about else ""


def found() -> set[str]:
    """The parameters that take something to call."""
    names = set()
    for name, thing in public():
        try:
            parameters = inspect.signature(thing).parameters.values()
        except (TypeError, ValueError):  # a typed dict, an alias
            continue
        for one in parameters:
            untyped = one.annotation in ("Any", "object", one.empty)
            if (
                ANNOTATIONS.search(str(one.annotation))
                or NAMES.search(one.name)
                or (untyped and SAID.search(said_of(thing, one.name)))
            ):
                names.add(f"{name}:{one.name}")
    return names


# What gives something to await


class Probe:
    """Makes async functions of one shape, and counts what runs of them."""

    def __init__(self, shape: str, folder: Path) -> None:
        self.shape = shape
        self.folder = folder
        self.ran = 0
        self.loops: set[Any] = set()

    def function(self, answer: Any = None) -> Function:
        async def function(*arguments: Any) -> Any:
            await asyncio.sleep(0)
            self.loops.add(asyncio.get_running_loop())
            self.ran += 1
            return answer

        class Calling:
            async def __call__(self, *arguments: Any) -> Any:
                return await function(*arguments)

        def generator(*arguments: Any) -> Iterator[Any]:
            self.ran += 1
            yield answer

        async def async_generator(*arguments: Any) -> AsyncIterator[Any]:
            self.ran += 1
            yield answer

        async def another(*arguments: Any) -> Any:
            return function(*arguments)

        def seven(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> Any:
            self.ran += 1
            return answer

        def keyword(*arguments: Any, client: Any) -> Any:
            self.ran += 1
            return answer

        itself = partial(seven)
        itself.__setstate__((itself, (), {}, {}))
        shapes: dict[str, Function] = {
            "seven arguments": seven,
            "a keyword": keyword,
            "a partial of itself": itself,
            "static method": staticmethod(function),
            "generator": generator,
            "async generator": async_generator,
            "async def": function,
            "partial": partial(function),
            "object": Calling(),
            "gives another": another,
            "gives a coroutine": lambda *arguments: function(*arguments),  # noqa: PLW0108 - a plain one
        }
        return shapes[self.shape]

    def thing(self, *methods: str) -> Any:
        """An object with async methods."""
        return SimpleNamespace(**dict.fromkeys(methods, self.function()))


RECORDS = [insert({"PK": str(number)}, table_name="T") for number in range(2)]
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026-01-01T00:00:00.000"
STORE = ("acquire", "load", "fix_start", "save", "renew", "forget", "release")
CLIENT = ("describe_stream", "get_shard_iterator", "get_records", "list_streams")


def fail(record: Any) -> None:
    raise ValueError


def failing(*, puts_aside: bool = False) -> StreamRouter:
    router = StreamRouter()
    router.on_change()(fail)
    if puts_aside:
        router.on_error(lambda failure: Disposition.DEAD_LETTER)
    return router


def working() -> StreamRouter:
    router = StreamRouter()
    router.on_change()(lambda record: None)
    return router


def folding() -> StreamRouter:
    router = failing(puts_aside=True)

    @router.fold()
    def count(state: int, record: Any) -> int:
        return state + 1

    return router


def polled(
    *, router: Any = None, is_async: bool = False, probe: Probe | None = None, **options: Any
) -> Callable[[], None]:
    stream = FakeStream("T")
    stream.put({"PK": {"S": "1"}})
    if is_async:
        later = AsyncStreamPoller("T", router, client=stream, **options)

        async def run() -> None:
            await later.run_until_caught_up(30)
            assert probe is not None
            assert probe.loops == {asyncio.get_running_loop()}  # the user's own

        return lambda: asyncio.run(run())
    options = {"client": stream, "clock": stream.clock, **options}
    poller = StreamPoller("T", router if router is not None else working(), **options)
    return lambda: poller.run_until_caught_up(30) and None


def both(**options: Function) -> Callable[[Probe], Callable[[], None]]:
    """A case of both pollers, and what they are given."""

    def case(probe: Probe) -> Callable[[], None]:
        def made() -> dict[str, Any]:
            return {name: make(probe) for name, make in options.items()}

        runs = [polled(**made()), polled(**made(), is_async=True, probe=probe)]

        def use() -> None:
            runs[0]()
            assert probe.ran
            probe.loops.clear()
            runs[1]()

        return use

    return case


def handled(handler: Any, event: Any) -> Callable[[], None]:
    return lambda: handler(event, None)


def dispatched(router: StreamRouter | None = None, **options: Any) -> Callable[[], None]:
    taken = router or working()
    return lambda: taken.dispatch(RECORDS, **options) and None


def declared(router: StreamRouter, declare: Callable[[StreamRouter], object]) -> Callable[[], None]:
    declare(router)
    return dispatched(router)


def around(name: str) -> Callable[[Probe], Callable[[], None]]:
    """A case of a route's middleware."""

    def case(probe: Probe) -> Callable[[], None]:
        router = StreamRouter()
        getattr(router, name)(middleware=[probe.function()])(lambda record: None)
        return dispatched(router)

    return case


def bare(name: str) -> Callable[[Probe], Callable[[], None]]:
    """A case of a decorator without parentheses."""
    return lambda p: declared(StreamRouter(), lambda r: getattr(r, name)(p.function()))


def replayed(name: str, parameter: str) -> Callable[[Probe], object]:
    methods = {"client": CLIENT, "s3_client": ("get_object",), "progress": ("load", "save")}
    used = methods.get(parameter, ("time", "sleep"))
    uses: dict[str, Function] = {
        "replay": lambda **given: replay([], working(), **given),
        "ReplayHandler": lambda **given: ReplayHandler(working(), **given),
    }
    return lambda p: uses[name](**{parameter: p.thing(*used)})


def windowed(router: StreamRouter, **options: Any) -> Callable[[], None]:
    event = tumbling_window_event(RECORDS)
    return lambda: router.dispatch_window(event, **options) and None


def ending(probe: Probe) -> Callable[[], None]:
    router = folding()
    router.on_window_end(probe.function())
    event = tumbling_window_event([], final=True, stream_arn=ARN)
    return handled(LambdaHandler(router), event)


def delivered(**options: Any) -> Callable[[], None]:
    processor = RecordProcessor(failing(puts_aside="dead_letter" in options), **options)
    processor.initialize(SimpleNamespace(shard_id="shardId-000000000000"))  # type: ignore[arg-type]
    (record,) = kinesis_event(RECORDS[:1])["Records"]
    given = SimpleNamespace(
        binary_data=b64decode(record["kinesis"]["data"]),
        partition_key="p",
        sequence_number="1",
        sub_sequence_number=0,
        timestamp_millis=1,
    )
    checkpointer = SimpleNamespace(checkpoint=lambda *_: None)
    batch = SimpleNamespace(records=[given], checkpointer=checkpointer, millis_behind_latest=0)
    return lambda: processor.process_records(batch)  # type: ignore[arg-type]


def scanned(**options: Any) -> Callable[[], None]:
    table = {"TableName": "T", "TableArn": ARN, "KeySchema": [{"AttributeName": "PK"}]}
    client = SimpleNamespace(
        describe_table=lambda **_: {"Table": table},
        scan=lambda **_: {"Items": [{"PK": {"S": "1"}}]},
    )
    return lambda: backfill("T", working(), **{"client": client, "segments": 1, **options}) and None


def loaded(probe: Probe, **options: Any) -> None:
    folder = write_export(probe.folder, [lines_of(1)])
    load(open_export(folder), working(), **options)


def messages() -> list[Any]:
    return [on_failure_message(RECORDS, payload="object", stream_arn=ARN)]


def notified(fetch: Function) -> None:
    notice = {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}
    assert list(failed_batches(notice, fetch=fetch))


def given_up(probe: Probe) -> Callable[[], None]:
    mapping = EventSourceMapping(
        lambda event, context: 1 / 0,
        RECORDS,
        maximum_retry_attempts=0,
        on_failure=probe.function(),
    )
    return lambda: mapping.run() and None


def async_router(probe: Probe) -> Any:
    return SimpleNamespace(dispatch=probe.function())


AWAITED: dict[str, Callable[[Probe], Callable[[], None]]] = {
    "ddbstream.StreamRouter.middleware:function": lambda p: declared(
        working(), lambda r: r.middleware(p.function())
    ),
    "ddbstream.StreamRouter.observe:function": lambda p: declared(
        working(), lambda r: r.observe(p.function())
    ),
    "ddbstream.StreamRouter.on_window_end:function": ending,
    "ddbstream.StreamRouter.dispatch:stop_when": lambda p: dispatched(
        stop_when=p.function(answer=False)
    ),
    "ddbstream.StreamRouter.dispatch:dead_letter": lambda p: dispatched(
        failing(puts_aside=True), dead_letter=p.function()
    ),
    "ddbstream.StreamRouter.dispatch:on_handled": lambda p: dispatched(on_handled=p.function()),
    "ddbstream.StreamRouter.dispatch_window:stop_when": lambda p: windowed(
        folding(), stop_when=p.function(answer=False), dead_letter=lambda letter: None
    ),
    "ddbstream.StreamRouter.dispatch_window:dead_letter": lambda p: windowed(
        folding(), dead_letter=p.function()
    ),
    "ddbstream.LambdaHandler:dead_letter": lambda p: handled(
        LambdaHandler(failing(puts_aside=True), dead_letter=p.function()), lambda_event(RECORDS)
    ),
    "ddbstream.LambdaHandler:other": lambda p: handled(
        LambdaHandler(working(), other=p.function()), {"health": "check"}
    ),
    "ddbstream.poller.AsyncStreamPoller:handler": lambda p: polled(
        router=p.function(), is_async=True, probe=p
    ),
    "ddbstream.poller.StreamPoller:on_event": both(
        router=lambda p: working(), on_event=lambda p: p.function()
    ),
    "ddbstream.poller.StreamPoller:dead_letter": both(
        router=lambda p: failing(puts_aside=True), dead_letter=lambda p: p.function()
    ),
    "ddbstream.poller.StreamPoller:on_failure": both(
        router=lambda p: failing(),
        on_failure=lambda p: FailurePolicy(0, "dead_letter", p.function()),
    ),
    "ddbstream.poller.FailurePolicy:sink": both(
        router=lambda p: failing(puts_aside=True),
        on_failure=lambda p: FailurePolicy(0, "dead_letter", sink=p.function()),
    ),
    "ddbstream.poller.retry:then": both(
        router=lambda p: failing(), on_failure=lambda p: retry(0, then=p.function())
    ),
    "ddbstream.kcl.RecordProcessor:dead_letter": lambda p: delivered(dead_letter=p.function()),
    "ddbstream.kcl.RecordProcessor:on_failure": lambda p: delivered(
        on_failure=retry(0, then=p.function())
    ),
    "ddbstream.replay.replay:on_record": lambda p: (
        lambda: replay(messages(), working(), on_record=p.function()) and None
    ),
    "ddbstream.replay.ReplayHandler:on_report": lambda p: handled(
        ReplayHandler(working(), on_report=p.function()), messages()[0]
    ),
    "ddbstream.replay.failed_batches:fetch": lambda p: lambda: notified(p.function(answer=b"{}")),
    "ddbstream.export.load:on_progress": lambda p: lambda: loaded(p, on_progress=p.function()),
    "ddbstream.export.backfill:on_progress": lambda p: scanned(on_progress=p.function()),
    "ddbstream.testing.EventSourceMapping:on_failure": given_up,
    "ddbstream.StreamRouter.on_error:types": lambda p: declared(
        failing(), lambda r: r.on_error(p.function(answer=Disposition.SKIP))
    ),
    **{
        f"ddbstream.StreamRouter.{name}:entity_or_model": bare(name)
        for name in ("on_insert", "on_change")
    },
    **{
        f"ddbstream.StreamRouter.{name}:middleware": around(name)
        for name in ("on_insert", "on_change")
    },
}

REFUSED: dict[str, Callable[[Probe], object]] = {
    "ddbstream.StreamRouter:classify": lambda p: StreamRouter(classify=p.function()),
    "ddbstream.StreamRouter.fold:initial": lambda p: StreamRouter().fold(initial=p.function())(
        lambda state, record: state
    ),
    "ddbstream.StreamRouter.fold:where": lambda p: StreamRouter().fold(where=p.function())(
        lambda state, record: state
    ),
    **{
        f"ddbstream.StreamRouter.{name}:where": lambda p, name=name: getattr(StreamRouter(), name)(
            where=p.function()
        )(lambda record: None)
        for name in ("on_insert", "on_modify", "on_remove", "on_change")
    },
    "ddbstream.LambdaHandler:newest": lambda p: LambdaHandler(
        working(), newest=p.thing("load", "save")
    ),
    "ddbstream.Attribute:structure": lambda p: Attribute(structure=p.function()),
    "ddbstream.Attribute:unstructure": lambda p: Attribute(unstructure=p.function()),
    **{
        f"ddbstream.models.model:{name}": lambda p, name=name: model(**{name: p.function()})
        for name in ("rename", "structure", "unstructure")
    },
    **{
        f"ddbstream.models.Registry.register:{name}": lambda p, name=name: Registry().register(
            Probe, **{name: [p.function()] if name == "upgrades" else p.function()}
        )
        for name in ("rename", "structure", "unstructure", "upgrades")
    },
    "ddbstream.models.retyped:function": lambda p: retyped("a", "S", p.function()),
    "ddbstream.models.upgrade:steps": lambda p: upgrade(p.function()),
    "ddbstream.models.versioned:steps": lambda p: versioned("v", {1: p.function()}),
    "ddbstream.dead_letters.SQSSink:client": lambda p: SQSSink("q", client=p.thing("send_message")),
    "ddbstream.dead_letters.SNSSink:client": lambda p: SNSSink("t", client=p.thing("publish")),
    "ddbstream.dead_letters.S3Sink:client": lambda p: S3Sink("b", client=p.thing("put_object")),
    "ddbstream.kinesis.DynamoDBNewest:client": lambda p: DynamoDBNewest(
        "t", client=p.thing("batch_get_item", "update_item")
    ),
    "ddbstream.kinesis.arrange:store": lambda p: arrange(
        kinesis_event(RECORDS), p.thing("load", "save")
    ),
    "ddbstream.kcl.RecordProcessor:newest": lambda p: RecordProcessor(
        working(), newest=p.thing("load", "save")
    ),
    "ddbstream.kcl.RecordProcessor:clock": lambda p: RecordProcessor(
        working(), clock=p.thing("monotonic", "time", "sleep")
    ),
    "ddbstream.poller.StreamPoller:router": lambda p: polled(router=async_router(p)),
    "ddbstream.poller.StreamPoller:checkpoints": lambda p: polled(checkpoints=p.thing(*STORE)),
    "ddbstream.poller.StreamPoller:client": lambda p: polled(client=p.thing(*CLIENT)),
    "ddbstream.poller.StreamPoller:clock": lambda p: polled(
        clock=p.thing("monotonic", "time", "sleep")
    ),
    "ddbstream.poller.MemoryCheckpoints:clock": lambda p: MemoryCheckpoints(clock=p.function()),
    "ddbstream.poller.FileCheckpoints:clock": lambda p: FileCheckpoints(
        p.folder / "positions", clock=p.function()
    ),
    "ddbstream.poller.SQLiteCheckpoints:clock": lambda p: SQLiteCheckpoints(
        p.folder / "positions", clock=p.function()
    ),
    "ddbstream.poller.DynamoDBCheckpoints:clock": lambda p: DynamoDBCheckpoints(
        "t", client=SimpleNamespace(), clock=p.function()
    ),
    "ddbstream.poller.DynamoDBCheckpoints:client": lambda p: DynamoDBCheckpoints(
        "t", client=p.thing("get_item", "update_item", "query")
    ),
    "ddbstream.poller.stop_on_signals:stop": lambda p: stop_on_signals(p.function()).__enter__(),
    **{
        f"ddbstream.replay.{name}:{parameter}": replayed(name, parameter)
        for name in ("replay", "ReplayHandler")
        for parameter in ("client", "s3_client", "progress", "clock")
    },
    "ddbstream.export.load:progress": lambda p: load(
        [], working(), progress=p.thing("load", "save")
    ),
    "ddbstream.export.load:s3_client": lambda p: loaded(p, s3_client=p.thing("get_object")),
    "ddbstream.export.open_export:s3_client": lambda p: open_export(
        "s3://b/x", s3_client=p.thing("get_object")
    ),
    "ddbstream.export.read_records:s3_client": lambda p: list(
        read_records(
            open_export(write_export(p.folder, [lines_of(1)])).files[0],
            s3_client=p.thing("get_object"),
        )
    ),
    "ddbstream.export.backfill:client": lambda p: scanned(
        client=p.thing("describe_table", "scan")
    )(),
    "ddbstream.export.backfill:progress": lambda p: scanned(progress=p.thing("load", "save"))(),
    "ddbstream.testing.EventSourceMapping:handler": lambda p: EventSourceMapping(p.function()),
}

OTHERS = {
    "ddbstream.poller.AsyncStreamPoller:options": "StreamPoller's, each tried with both pollers",
    "ddbstream.routing.RouteDescription:classify": "made by a router, of what it was given",
    "ddbstream.routing.RouteDescription:handler": "made by a router, of what it was given",
    "ddbstream.kinesis.Arranged:store": "made by arrange()",
    "ddbstream.testing.EventSourceMapping:clock": "a FakeClock",
    "ddbstream.testing.FakeStream:clock": "a FakeClock",
    "ddbstream.StreamRouter.on_modify:middleware": "as on_insert's",
    "ddbstream.StreamRouter.on_remove:middleware": "as on_insert's",
}

# Where a function is recognised although it has no annotation or docstring that says so.
BESIDES = {
    "ddbstream.StreamRouter.on_insert:entity_or_model",
    "ddbstream.StreamRouter.on_change:entity_or_model",
    "ddbstream.StreamRouter.on_error:types",
}


def of_the_default_router(name: str) -> bool:
    return re.match(r"ddbstream\.on_(insert|modify|remove|change):", name) is not None


@pytest.mark.skipif(sys.flags.optimize > 1, reason="it reads docstrings, which -OO takes away")
def test_every_parameter_that_takes_something_to_call_has_a_case() -> None:
    known = AWAITED.keys() | REFUSED.keys() | OTHERS.keys()
    assert {name for name in found() if not of_the_default_router(name)} | BESIDES == known


@pytest.mark.parametrize(
    "shape",
    ["async def", "partial", "object", "static method", "gives another", "gives a coroutine"],
)
@pytest.mark.parametrize("name", AWAITED)
def test_it_is_awaited(name: str, shape: str, tmp_path: Path) -> None:
    probe = Probe(shape, tmp_path)
    AWAITED[name](probe)()
    assert probe.ran


@pytest.mark.parametrize("shape", ["async def", "partial", "object", "static method"])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_where_it_is_declared(name: str, shape: str, tmp_path: Path) -> None:
    probe = Probe(shape, tmp_path)
    error = TypeError if name.startswith("ddbstream.testing") else DDBStreamError
    with pytest.raises(error, match=r"async|await|coroutine|plain function"):
        REFUSED[name](probe)
    assert probe.ran == 0


# What is no function, but has methods.
OBJECTS = re.compile(
    r":(client|s3_client|newest|store|checkpoints|progress|router)$"
    r"|(StreamPoller|RecordProcessor|replay|ReplayHandler):clock$"
)


@pytest.mark.parametrize("shape", ["seven arguments", "a keyword", "a partial of itself"])
@pytest.mark.parametrize("name", [n for n in (*AWAITED, *REFUSED) if not OBJECTS.search(n)])
def test_what_no_call_can_run_is_refused_where_it_is_declared(
    name: str, shape: str, tmp_path: Path
) -> None:
    probe = Probe(shape, tmp_path)
    error = TypeError if name.startswith("ddbstream.testing") else DDBStreamError
    with pytest.raises(error, match=r"argument|needs the keyword|partial of itself|seven takes a "):
        AWAITED[name](probe)() if name in AWAITED else REFUSED[name](probe)
    assert probe.ran == 0


@pytest.mark.parametrize("shape", ["generator", "async generator"])
@pytest.mark.parametrize("name", [*AWAITED, *REFUSED])
def test_a_generator_is_refused_where_it_is_declared(name: str, shape: str, tmp_path: Path) -> None:
    probe = Probe(shape, tmp_path)
    error = (DDBStreamError, TypeError) if name.startswith("ddbstream.testing") else DDBStreamError
    with pytest.raises(error, match=r"generator|nothing to await"):
        AWAITED[name](probe)() if name in AWAITED else REFUSED[name](probe)
    assert probe.ran == 0
