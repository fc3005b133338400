"""``ddbstream poll``: a router on a table's stream, as a service."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ddbstream.cli._aws import aws_options, need
from ddbstream.cli._health import Address, serving
from ddbstream.cli._load import Loaded, stream_router
from ddbstream.cli._polling import StartingPoint, run
from ddbstream.exceptions import CheckpointError

__all__ = ["poll"]


@click.command()
@click.argument("router", type=Loaded("router"))
@click.argument("table")
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
    listen: tuple[str, int] | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Run ROUTER (module:name) on the stream of TABLE (a name, or a stream's ARN).

    SIGTERM and Ctrl-C stop it after the running handlers have finished and their positions are
    saved; a second one ends it at once. Log lines go to standard error.

    Exit codes: 0 stopped, caught up or the stream has ended; 1 failed; 2 wrong usage; 3 another
    poller has taken over the file; 4 records left the stream unread.
    """
    need("boto3", "poller", "poll")
    from ddbstream.poller import SQLiteCheckpoints, StreamPoller

    router = stream_router(router)
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # What the AWS client does at this level is of no use to who watches a poller.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        store = SQLiteCheckpoints(checkpoints)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    poller = StreamPoller(table, router, checkpoints=store, **options)
    with ExitStack() as stack:
        if listen is not None:
            stack.enter_context(serving(poller, listen))
        run(poller, once=once)
