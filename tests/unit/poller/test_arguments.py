"""What cannot work is refused where it is said, in ddbstream's own error, with the remedy."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from ddbstream import Disposition, StreamRouter
from ddbstream.aws_lambda import LambdaHandler
from ddbstream.dead_letters import JSONLinesSink
from ddbstream.exceptions import PollerArgumentError, PollerError
from ddbstream.poller import AsyncStreamPoller, StreamPoller, retry


def routed():
    router = StreamRouter()
    router.on_change()(lambda record: None)
    return router


@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "was given none"),
        ("", "not empty"),
        (["  "], "not empty"),
        ([None], "not empty"),
        (None, "by its name"),
        (["T", "T"], "T is given twice"),
    ],
)
def test_what_names_no_stream(bench, kind, names, says):
    with pytest.raises(PollerArgumentError, match=says):
        kind(names, bench.router, client=bench.stream)


def test_one_stream_under_two_names(bench):
    poller = bench.poller(["Product", bench.stream.arn])
    with pytest.raises(PollerArgumentError, match="given twice, by two names"):
        poller.run()


@pytest.mark.parametrize(
    ("router", "says"),
    [
        (LambdaHandler(routed()), r"handler\.router"),
        (lambda record: None, "decorate the function"),
        (object(), "StreamRouter"),
        (StreamRouter, "StreamRouter"),
    ],
)
def test_what_is_no_router(bench, router, says):
    with pytest.raises(PollerArgumentError, match=says):
        StreamPoller("Product", router, client=bench.stream, clock=bench.clock)


def test_a_lambda_handler_is_no_handler_of_an_async_poller_either(bench):
    with pytest.raises(PollerArgumentError, match=r"handler\.router"):
        AsyncStreamPoller("Product", LambdaHandler(routed()), client=bench.stream)


def test_a_router_with_folds(bench):
    router = StreamRouter()
    poller = StreamPoller("Product", router, client=bench.stream, clock=bench.clock)

    @router.fold(initial=int)
    def count(total, record):
        return total + 1

    with pytest.raises(PollerArgumentError, match="LambdaHandler"):
        poller.run_until_caught_up()
    with pytest.raises(PollerArgumentError, match="LambdaHandler"):
        StreamPoller("Product", router, client=bench.stream)


def _with_an_empty_one_inside():
    router = StreamRouter()
    router.include(StreamRouter())
    return router


@pytest.mark.parametrize("empty", [StreamRouter, _with_an_empty_one_inside])
@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
def test_a_router_without_routes_reads_nothing(bench, kind, empty):
    """Its modules were never imported: its records must neither fail for ever nor be put aside."""
    bench.write(1)
    router, letters = empty(), []
    options = {"client": bench.stream, "on_failure": retry(0, then=letters.append)}
    poller = kind("Product", router, **options)
    for _ in range(2):  # and what was refused is not running
        with pytest.raises(PollerArgumentError, match=r"no route.*import the modules"):
            ended(poller.run_until_caught_up(60))
    assert letters == []

    seen = []
    router.on_change()(seen.append)
    assert ended(poller.run_until_caught_up(60)).reason == "caught_up"
    assert len(seen) == 1


def ended(exit_):
    return asyncio.run(exit_) if asyncio.iscoroutine(exit_) else exit_


def test_what_is_refused_at_the_start_is_not_running(bench):
    router = StreamRouter()
    poller = bench.poller(router=router)

    @router.fold(initial=int)
    def count(total, record):
        return total + 1

    for _ in range(2):
        with pytest.raises(PollerArgumentError, match="folds"):
            poller.run_until_caught_up()


def putting_aside():
    router = StreamRouter()

    @router.on_change()
    def refuse(record):
        raise ValueError

    @router.on_error
    def decide(failure):
        return Disposition.DEAD_LETTER

    return router


def test_a_router_that_puts_aside_needs_a_sink(bench):
    bench.write(2)
    with pytest.raises(PollerArgumentError, match="dead_letter=sink"):
        bench.poller(router=putting_aside()).run_until_caught_up(600)


def test_a_router_puts_aside_into_the_pollers_sink(bench):
    bench.write(2)
    letters = []
    bench.poller(router=putting_aside(), dead_letter=letters.append).run_until_caught_up(600)
    assert len(letters) == 2


def test_what_a_shipped_sink_is_given_it_can_write(bench, tmp_path):
    bench.write(2)
    bench.router.failing[0] = 99
    path = tmp_path / "letters.jsonl"
    bench.catch_up(on_failure=retry(0, then=JSONLinesSink(path)))
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["ddbstream"]["eventId"]


def test_a_sink_that_is_a_coroutine_function_is_awaited(bench):
    bench.write(1)
    bench.router.failing[0] = 99
    letters = []

    async def sink(letter):
        letters.append(letter.attempts)

    bench.catch_up(on_failure=retry(0, then=sink))
    assert letters == [1]


def test_a_dead_letter_prints_no_stored_value(bench):
    bench.write(1, key="secret")
    bench.router.failing[0] = 99
    letters = []
    bench.catch_up(on_failure=retry(0, then=letters.append))
    assert "secret" not in repr(letters)


def test_a_handler_of_an_async_poller_that_is_no_coroutine_function(now):
    now.write(1)
    poller = AsyncStreamPoller("Product", lambda records, context: None, client=now.stream)
    with pytest.raises(PollerArgumentError, match="async def"):
        asyncio.run(poller.run())


def test_a_missing_boto3_is_said_with_what_to_install(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    # As in a process of its own: another test may have made a client.
    monkeypatch.delitem(sys.modules, "ddbstream.poller._own_client", raising=False)
    with pytest.raises(PollerError, match=r'pip install "ddbstream\[poller\]"'):
        StreamPoller("Product", bench.router).run()


def test_a_missing_region_is_said_with_how_to_give_one(bench, monkeypatch, tmp_path):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(PollerError, match="region_name="):
        StreamPoller("Product", bench.router).run()


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint_url": "localhost:8000"},
        {"endpoint_url": "http://[::1"},
        {"region_name": "eu west"},
        {"region_name": "x\x1b[2J"},
    ],
)
@pytest.mark.parametrize("kind", [StreamPoller, AsyncStreamPoller])
def test_what_boto3_makes_no_client_of_is_named(kind, given):
    poller = kind("Product", routed(), **{"region_name": "eu-west-1", **given})

    async def run():
        await poller.run()

    with pytest.raises(PollerArgumentError, match=next(iter(given))) as raised:
        poller.run() if kind is StreamPoller else asyncio.run(run())
    assert str(raised.value).isprintable()


def test_an_environment_that_boto3_makes_no_client_in_is_named(bench, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:8000")
    with pytest.raises(PollerArgumentError, match="environment"):
        StreamPoller("Product", bench.router, region_name="eu-west-1").run()


@pytest.mark.parametrize(
    "options", [{"start": "NOW"}, {"on_failure": "explode"}, {"dead_letter": 1}]
)
def test_other_arguments_say_what_they_may_be(bench, options):
    with pytest.raises(PollerArgumentError, match=r"start|on_failure|dead_letter"):
        StreamPoller("Product", bench.router, client=bench.stream, **options)
