"""``ddbstream poll``: a router on a table's stream, as a service."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbstream.cli._aws import need
from ddbstream.cli._completion import complete_tables
from ddbstream.cli._http import Request, Response, serving
from ddbstream.cli._parameters import Address, Loaded, StartingPoint, aws_options, stream_router
from ddbstream.cli._poll_screen import Screen, is_for_a_screen
from ddbstream.cli._poller_run import run
from ddbstream.cli._signals import say_stopping
from ddbstream.cli._standard_streams import LogFormatter
from ddbstream.exceptions import CheckpointError, PollerArgumentError, printable
from ddbstream.poller import SQLiteCheckpoints, StreamPoller

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["health_of", "poll"]


@click.command(short_help="Run a router on a table's stream.")
@click.argument("router", type=Loaded("router"))
@click.argument("table", shell_complete=complete_tables)
@click.option(
    "--checkpoints",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The SQLite file that keeps the positions; made if there is none.",
)
@click.option(
    "--start",
    type=StartingPoint(),
    default="TRIM_HORIZON",
    show_default=True,
    help="Where to begin if the file knows nothing of the stream.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["block", "skip", "stop"]),
    default="block",
    show_default=True,
    help="A record that a handler fails on: try it again and again, leave it out, or end.",
)
@click.option(
    "--on-gap",
    type=click.Choice(["fail", "continue"]),
    default="fail",
    show_default=True,
    help="Records that left the stream unread: end with exit code 4, or log it and read on.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds that running handlers get to finish.",
)
@click.option(
    "--consumer",
    default="default",
    show_default=True,
    help="Whose positions: services with different names share one file, and see every record.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Items of a shard that are handled at once; one item's records keep their order.",
)
@click.option(
    "--takeover/--no-takeover",
    default=None,
    help="While another poller is alive: stop it, or end with code 3. Without either: wait for it.",
)
@click.option(
    "--rewind", is_flag=True, help="Forget the consumer's positions first, and begin at --start."
)
@click.option("--once", is_flag=True, help="End when everything in the stream is handled.")
@click.option(
    "--listen",
    type=Address(),
    help="Answer /healthy and /metrics (Prometheus) over HTTP; without HOST for this machine only.",
)
@aws_options
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def poll(
    router: object,
    table: str,
    checkpoints: Path,
    *,
    once: bool,
    rewind: bool,
    listen: tuple[str, int] | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Run ROUTER (module:name) on the stream of TABLE (a name, or a stream's ARN).

    SIGTERM and Ctrl-C stop it after the running handlers have finished and their positions are
    saved; a second one ends it at once. Log lines go to standard error. On a terminal that is a
    table of shards, lag, rate and failures, with warnings and errors above it.

    Exit codes: 0 stopped, caught up or the stream has ended; 1 failed; 2 wrong usage; 3 another
    poller has taken over the file; 4 records left the stream unread.
    """
    need("boto3", "poller", "poll")
    router = stream_router(router)
    try:
        store = SQLiteCheckpoints(checkpoints)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    with ExitStack() as stack:
        stack.callback(store.close)
        try:
            poller = StreamPoller(table, router, checkpoints=store, **options)
        except PollerArgumentError as error:
            raise click.UsageError(str(error)) from None
        if listen is not None:
            stack.enter_context(serving(health_of(poller), listen))
        say = say_stopping
        has_screen = is_for_a_screen() and not quiet
        if has_screen:
            screen = Screen(poller, f"polling {table} as {options['consumer']}")
            say = stack.enter_context(screen).say_stopping
        _log(logging.WARNING if quiet or has_screen else logging.INFO)
        run(poller, once=once, rewind=rewind, say=say)


def _log(level: int) -> None:
    """Log to standard error; above the table, if there is one."""
    shown = logging.StreamHandler()
    shown.setFormatter(LogFormatter())
    logging.basicConfig(level=level, handlers=[shown])
    # What the AWS client does at this level is of no use to who watches a poller.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def health_of(poller: StreamPoller) -> Callable[[Request], Response]:
    """What ``--listen`` answers about a poller.

    ``/healthy`` answers 200 or 503 with a few words, for whoever restarts what does not get on;
    ``/metrics`` answers in Prometheus's text format.
    """

    def respond(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _text(405, "only GET is answered\n")
        if request.path == "/healthy":
            problem = poller.problem()
            return _text(200 if problem is None else 503, printable(problem or "ok") + "\n")
        if request.path == "/metrics":
            healthy = f"ddbstream_poller_healthy {int(poller.healthy())}\n"
            return _text(200, healthy + poller.metrics.prometheus())
        return _text(404, "there are /healthy and /metrics\n")

    return respond


def _text(status: int, text: str) -> Response:
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return Response(status, text.encode(), {"Content-Type": kind})
