"""``ddbstream dev``: a function or router on a DynamoDB of this machine, while it is written."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ddbstream import Change, Insert, Modify, Remove, StreamRouter
from ddbstream.cli._aws import boto3_client, environment, need, reported
from ddbstream.cli._completion import complete_names, complete_tables
from ddbstream.cli._dev_api import serving_api
from ddbstream.cli._dev_function import FunctionRun
from ddbstream.cli._dev_target import Target, find_target
from ddbstream.cli._http import LOOPBACK
from ddbstream.cli._local_dynamodb import REGION, dynamodb, serving_dynamodb
from ddbstream.cli._mapping_settings import MappingSettings, mapping_options
from ddbstream.cli._parameters import Loaded, json_option, profile_option
from ddbstream.cli._poller_run import run
from ddbstream.cli._reload import run_reloading
from ddbstream.cli._render import Output
from ddbstream.cli._signals import Stop, say_stopping, stopping_on_signals
from ddbstream.cli._standard_streams import complain, complain_of
from ddbstream.cli._templates import LAMBDA_SECONDS
from ddbstream.exceptions import DDBStreamError
from ddbstream.metrics import BatchEvent, HandlerEvent
from ddbstream.poller import StreamPoller
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dev"]

_TABLE = "dev"
_PORT = 8000
_API_PORT = 3000  # as `sam local start-api` and serverless-offline have it
_GRACE = 5.0  # seconds for a running handler, at the end and at a reload


class _Options(NamedTuple):
    """What is the same in the process that reloads and the one that is reloaded.

    Attributes:
        app: The router or function, or None for the template's.
        template: The file that has the function, or None.
        function: The function's name in it, or None for the only one.
        table: The table's name.
        settings: What the command line says of the mapping.
    """

    app: str | None
    template: Path | None
    function: str | None
    table: str
    region_name: str | None
    settings: MappingSettings
    timeout: float | None
    failures: Path | None
    api_port: int
    once: bool
    as_json: bool


@click.command(short_help="Run a function, or a router, on a DynamoDB of this machine.")
@click.argument(
    "app",
    metavar="[APP]",
    required=False,
    shell_complete=lambda _ctx, _param, incomplete: complete_names(incomplete),
)
@click.option(
    "--table",
    metavar="NAME",
    shell_complete=complete_tables,
    help=f"The table; without --endpoint-url {_TABLE!r}.",
)
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
    help="DynamoDB Local, or AWS, with a table that is there. Without it, one in this process.",
)
@click.option("--region", "region_name", metavar="NAME", help="AWS region.")
@mapping_options
@click.option(
    "--on-failure",
    "failures",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append what is given up to a file, as a queue would get it, for ddbstream replay.",
)
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A SAM template.yaml or a serverless.yml: the function, its mapping, tables and API.",
)
@click.option("--function", metavar="NAME", help="Which function of the template.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="The function's.")
@click.option(
    "--api-port",
    type=click.IntRange(0, 65535),
    default=_API_PORT,
    show_default=True,
    help="Where the template's HTTP functions answer.",
)
@click.option("--reload", is_flag=True, help="Start again when a Python file here changes.")
@click.option("--once", is_flag=True, help="Handle what the stream holds now, and end.")
@profile_option
@json_option
def dev(
    app: str | None,
    table: str | None,
    keys: tuple[str, ...],
    port: int,
    endpoint_url: str | None,
    *,
    reload: bool,
    **options: Any,
) -> None:
    """Run APP on a DynamoDB of this machine, as its event source mapping would.

    APP is a function (module:handler), with the mapping's settings from the options or from a
    template, and AWS's own for the rest: batches, retries, windows, and what is given up at the
    end. Without APP it is the template's function. Each record is shown, how its handlers ended,
    and every traceback. Log lines and prints of the function go to standard error.

    APP may also be a router. Without settings of a mapping it runs as under a poller: a record that
    a handler fails on is left out after its traceback.

    No position is kept. Clients of DynamoDB that the code makes go to the same place. With --reload
    the embedded table is kept, and its changes are handled again from the start.
    """
    if len(keys) > 2 or len(set(keys)) < len(keys):
        raise click.UsageError("--key is for a partition key and a sort key")
    said = {field.name: options.pop(field.name, None) for field in fields(MappingSettings)}
    settings = _Options(app, table=table or "", settings=MappingSettings(**said), **options)
    target = find_target(app, settings.template, settings.function, settings.settings)
    table = table or target.table or (_TABLE if endpoint_url is None else None)
    if table is None:
        raise click.UsageError("--endpoint-url needs --table")
    settings = settings._replace(table=table)
    output = Output(as_json=settings.as_json)
    with _somewhere(endpoint_url, settings, target, keys or ("PK", "SK"), port) as url:
        if endpoint_url is None:  # the table is new, so that is LATEST too, and nothing is missed
            target = target.beginning("TRIM_HORIZON")
        if reload:
            raise SystemExit(_reloading(settings, target, url, output))
        _run(settings, target, output)


@contextmanager
def _somewhere(
    endpoint_url: str | None,
    settings: _Options,
    target: Target,
    keys: tuple[str, ...],
    port: int,
) -> Iterator[str]:
    """boto3's clients at the endpoint, or at an embedded DynamoDB; gives its URL."""
    if endpoint_url is not None:
        region = {"AWS_DEFAULT_REGION": settings.region_name} if settings.region_name else {}
        with environment(region), dynamodb(endpoint_url):
            yield endpoint_url
        return
    with dynamodb(None):
        with reported():
            client = boto3_client("dynamodb")
            for request in target.tables.values():
                client.create_table(**request)
            if settings.table not in target.tables:
                make_table(client, settings.table, keys)
        with serving_dynamodb(port) as url:
            # For every reader whole in one line, which a console would break.
            complain(f"DynamoDB table {settings.table} at {url}, region {REGION}")
            yield url


def _reloading(options: _Options, target: Target, url: str, output: Output) -> int:
    command = [
        *(sys.executable, "-m", "ddbstream", "dev", *((options.app,) if options.app else ())),
        *("--endpoint-url", url, "--table", options.table),
        *(("--template", str(target.path)) if target.path else ()),
        *(("--function", options.function) if options.function else ()),
        *(("--region", options.region_name) if options.region_name else ()),
        *(("--timeout", str(options.timeout)) if options.timeout is not None else ()),
        *(("--on-failure", str(options.failures)) if options.failures else ()),
        *("--api-port", str(options.api_port)),
        *options.settings.over(
            MappingSettings(starting_position=target.settings.starting_position)
        ).arguments(),
        *(("--once",) if options.once else ()),
        *(("--json",) if options.as_json else ()),
    ]
    # What keeps other settings out of this process would keep the endpoint out of that one; and a
    # source changed twice within a second looks the same to a bytecode cache.
    child = {k: v for k, v in os.environ.items() if k != "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    child |= {"PYTHONDONTWRITEBYTECODE": "1"}
    if url.startswith(f"http://{LOOPBACK}"):
        child |= {"NO_PROXY": LOOPBACK}
    stop = Stop()
    with stopping_on_signals(stop.set):
        return run_reloading(
            command,
            child,
            folder=Path.cwd(),
            more=target.files,
            stop=stop,
            note=lambda text: output.note(text, "dim"),
        )


def _run(options: _Options, target: Target, output: Output) -> None:
    need("boto3", "cli", "dev")
    function = target.function
    with ExitStack() as stack:
        if function is not None:
            for one in (*target.others, function):
                stack.enter_context(environment(dict(one.environment)))
            sys.path.insert(0, str(function.folder))
        app = Loaded("router").convert(target.app, None, None)
        if isinstance(app, StreamRouter):
            if app.has_folds and not target.settings.tumbling_window:
                raise click.ClickException(
                    "its folds need a tumbling window: --tumbling-window SECONDS"
                )
            if not replace(target.settings, starting_position=None).said and function is None:
                _run_router(app, options, target.settings, output)
                return
        elif not callable(app):
            raise click.UsageError(
                f"ROUTER is a {type(app).__name__}, and no StreamRouter, nor a function"
            )
        if target.others:
            stack.enter_context(serving_api(target.others, options.api_port))
        default = function.timeout if function is not None else LAMBDA_SECONDS
        FunctionRun(
            target.app.replace(":", "-") if function is None else function.name,
            app,
            options.table,
            options.region_name,
            target.settings,
            default if options.timeout is None else options.timeout,
            options.failures,
            options.once,
        ).run(output)


def _run_router(
    router: StreamRouter, options: _Options, settings: MappingSettings, output: Output
) -> None:
    shown = Shown(router, output)
    poller = StreamPoller(
        options.table,
        shown.router,
        start=settings.starting_position or "LATEST",
        region_name=options.region_name,
        on_failure="skip",
        on_gap="continue",
        grace=_GRACE,
        max_workers=1,  # what two shards' handlers do would be told in a jumble
    )
    shown.stop = poller.stop
    logging.getLogger("ddbstream").addHandler(logging.NullHandler())  # `Shown` says what matters
    run(poller, once=options.once, say=say_stopping)


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
        self._output.outcome(event.route, event.seconds, failed)
        if event.error is not None:
            self._told = event.error
            self._trace(event.error)

    def _no_route(self) -> None:
        if self._unwanted:
            self._unwanted = False
            self._output.note("  no route wants it", "dim")

    def _trace(self, error: BaseException) -> None:
        complain_of(error, colour="red")
