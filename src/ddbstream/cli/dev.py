"""``ddbstream dev``: a router on a DynamoDB of this machine, while it is written."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ddbstream import Change, Insert, Modify, Remove, StreamRouter
from ddbstream.cli._aws import boto3_client, environment, need, reported
from ddbstream.cli._http import LOOPBACK
from ddbstream.cli._local_dynamodb import (
    REGION,
    dynamodb,
    make_table,
    serving_dynamodb,
)
from ddbstream.cli._parameters import (
    Loaded,
    StartingPoint,
    json_option,
    profile_option,
    stream_router,
)
from ddbstream.cli._poller_run import run
from ddbstream.cli._reload import run_reloading
from ddbstream.cli._render import Output, styled
from ddbstream.cli._signals import stopping_on_signals
from ddbstream.cli._standard_streams import complain, complain_of
from ddbstream.exceptions import DDBStreamError
from ddbstream.metrics import BatchEvent, HandlerEvent
from ddbstream.poller import StreamPoller

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dev"]

_TABLE = "dev"
_PORT = 8000
_GRACE = 5.0  # seconds for a running handler, at the end and at a reload


class _Options(NamedTuple):
    """What is the same in the process that reloads and the one that is reloaded."""

    app: str
    table: str
    start: str | datetime
    region_name: str | None
    once: bool
    as_json: bool


@click.command()
@click.argument("app", metavar="APP")
@click.option("--table", metavar="NAME", help=f"The table; without --endpoint-url {_TABLE!r}.")
@click.option(
    "--key",
    "keys",
    metavar="ATTRIBUTE",
    multiple=True,
    help="The embedded table's partition and sort key; PK and SK if none is given.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="Where the embedded DynamoDB takes writes.",
)
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="DynamoDB Local, with a table that is there. Without it, one inside this process.",
)
@click.option("--region", "region_name", metavar="NAME", help="AWS region.")
@click.option(
    "--start",
    type=StartingPoint(),
    help="Where to begin: TRIM_HORIZON, or with --endpoint-url LATEST.",
)
@click.option("--reload", is_flag=True, help="Start again when a Python file here changes.")
@click.option("--once", is_flag=True, help="Handle what the stream holds now, and end.")
@profile_option
@json_option
def dev(
    app: str,
    table: str | None,
    keys: tuple[str, ...],
    port: int,
    endpoint_url: str | None,
    start: Any,
    *,
    reload: bool,
    **options: Any,
) -> None:
    """Run APP, a router (module:router), on a DynamoDB of this machine.

    Shows each change, and how each of its handlers ended. A record that a handler fails on is left
    out after its traceback. No position is kept. Handlers' own clients of DynamoDB go to the same
    place.

    With --reload the embedded table is kept, and its changes are handled again from the start.
    """
    if endpoint_url is not None and table is None:
        raise click.UsageError("--endpoint-url needs --table")
    if len(keys) > 2 or len(set(keys)) < len(keys):
        raise click.UsageError("--key is for a partition key and a sort key")
    begin = start or ("TRIM_HORIZON" if endpoint_url is None else "LATEST")
    settings = _Options(app, table or _TABLE, begin, **options)
    output = Output(as_json=settings.as_json)
    with _somewhere(endpoint_url, settings, keys or ("PK", "SK"), port) as url:
        if reload:
            raise SystemExit(_reloading(settings, url, output))
        _run(settings, output)


@contextmanager
def _somewhere(
    endpoint_url: str | None, settings: _Options, keys: tuple[str, ...], port: int
) -> Iterator[str]:
    """boto3's clients at the endpoint, or at an embedded DynamoDB; gives its URL."""
    if endpoint_url is not None:
        region = {"AWS_DEFAULT_REGION": settings.region_name} if settings.region_name else {}
        with environment(region), dynamodb(endpoint_url):
            yield endpoint_url
        return
    with dynamodb(None):
        with reported():
            make_table(boto3_client("dynamodb"), settings.table, keys)
        with serving_dynamodb(port) as url:
            # For every reader whole in one line, which a console would break.
            complain(f"DynamoDB table {settings.table} at {url}, region {REGION}")
            yield url


def _reloading(settings: _Options, url: str, output: Output) -> int:
    start = settings.start
    command = [
        *(sys.executable, "-m", "ddbstream", "dev", settings.app),
        *("--endpoint-url", url, "--table", settings.table),
        *("--start", start.isoformat() if isinstance(start, datetime) else start),
        *(("--region", settings.region_name) if settings.region_name else ()),
        *(("--once",) if settings.once else ()),
        *(("--json",) if settings.as_json else ()),
    ]
    # What keeps other settings out of this process would keep the endpoint out of that one; and a
    # source changed twice within a second looks the same to a bytecode cache.
    child = {k: v for k, v in os.environ.items() if k != "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    child |= {"PYTHONDONTWRITEBYTECODE": "1"}
    if url.startswith(f"http://{LOOPBACK}"):
        child |= {"NO_PROXY": LOOPBACK}
    stop = Event()
    with stopping_on_signals(stop.set):
        return run_reloading(
            command,
            child,
            folder=Path.cwd(),
            stop=stop,
            note=lambda text: output.note(text, "dim"),
        )


def _run(settings: _Options, output: Output) -> None:
    need("boto3", "cli", "dev")
    router = stream_router(Loaded("router").convert(settings.app, None, None))
    if router.has_folds:
        raise click.ClickException(
            "its folds need a tumbling window: test them with ddbstream.testing.EventSourceMapping"
        )
    shown = Shown(router, output)
    poller = StreamPoller(
        settings.table,
        shown.router,
        start=settings.start,  # type: ignore[arg-type] # StartingPoint gives nothing else
        region_name=settings.region_name,
        on_failure="skip",
        on_gap="continue",
        grace=_GRACE,
        max_workers=1,  # what two shards' handlers do would be told in a jumble
    )
    shown.stop = poller.stop
    logging.getLogger("ddbstream").addHandler(logging.NullHandler())  # `Shown` says what matters
    run(poller, once=settings.once)


class Shown:
    """A router, with all that it does shown: records, handlers' outcomes, tracebacks.

    Attributes:
        router: For a poller to drive, one batch at a time.
        stop: Called when nobody reads the output any more.
    """

    def __init__(self, router: StreamRouter, output: Output) -> None:
        self._output = output
        self._classify = router.classify
        self._last: str | None = None
        self._own = False
        self._unwanted = False
        self._told: BaseException | None = None
        self.stop: Any = None
        self.router = StreamRouter(classify=self._classify)
        self.router.on_change()(self._record)
        self.router.include(router)
        self.router.observe(self._observed)

    def _record(self, record: Change[Any]) -> None:
        self._no_route()
        self._own = self._unwanted = True
        self._show(record)

    def _show(self, record: Change[Any]) -> None:
        self._last = record.event_id
        try:
            entity = self._classify(record)
        except Exception:  # noqa: BLE001 -- its handlers' failure, told there
            entity = None
        try:
            self._output.change(record, entity)
        except DDBStreamError as error:
            self._output.note(str(error), "red")
        if self._output.closed and self.stop is not None:
            self.stop()

    def _observed(self, event: HandlerEvent | BatchEvent) -> None:
        if isinstance(event, HandlerEvent):
            if self._own:  # the handler is `_record`
                self._own = False
                return
            self._unwanted = False
            self._outcome(event)
            return
        for record, error in event.result.failures:
            self._unwanted = False
            if record.event_id != self._last and isinstance(record, Insert | Modify | Remove):
                self._show(record)
            if error is not self._told:  # no handler's: a predicate's, or of a value that misfits
                self._trace(error)
        self._no_route()

    def _outcome(self, event: HandlerEvent) -> None:
        failed = None if event.error is None else type(event.error).__name__
        if self._output.as_json:
            line = {"handler": event.route, "seconds": event.seconds, "error": failed}
            self._output.line(line)
        else:
            sign = ("  ✓ ", "green") if failed is None else ("  ✗ ", "bold red")
            took = (f"  {event.seconds * 1000:.1f} ms  {failed or ''}", "dim")
            self._output.note(styled(sign, event.route, took))
        if event.error is not None:
            self._told = event.error
            self._trace(event.error)

    def _no_route(self) -> None:
        if self._unwanted:
            self._unwanted = False
            self._output.note("  no route wants it", "dim")

    def _trace(self, error: BaseException) -> None:
        complain_of(error, colour="red")
