"""``ddbstream tail``: the changes of a table as they happen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from ddbstream import Change, StreamRouter, by_key_prefix, by_table_name
from ddbstream.cli._aws import need
from ddbstream.cli._parameters import Loaded, StartingPoint, aws_options, json_option
from ddbstream.cli._poller_run import run
from ddbstream.cli._render import Output
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import DDBStreamError
from ddbstream.poller import BatchFailed, Gap, StreamPoller

if TYPE_CHECKING:
    from datetime import datetime

    from ddbstream.poller import Event

__all__ = ["tail"]


@click.command()
@click.argument("table")
@click.option(
    "--model",
    type=Loaded("class"),
    metavar="MODULE:CLASS",
    help="Read items as this class; with --key, those of the entity of that name.",
)
@click.option(
    "--key",
    metavar="ATTRIBUTE",
    help='Name entities by this key\'s prefix: PK "Product#42" is a Product. Else by the table.',
)
@click.option(
    "--start",
    type=StartingPoint(),
    help="Where to begin. LATEST, or with --once TRIM_HORIZON, which is a day ago.",
)
@click.option("--once", is_flag=True, help="Show what the stream holds now, and end.")
@aws_options
@json_option
def tail(
    table: str,
    model: type[Any] | None,
    key: str | None,
    start: Literal["TRIM_HORIZON", "LATEST"] | datetime | None,
    *,
    once: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Show the changes of TABLE (a name, or a stream's ARN) as they happen.

    It keeps no position and takes none away from anybody, but a shard has room for two readers:
    beside a Lambda trigger, this is the second.
    """
    need("boto3", "cli", "tail")
    output = Output(as_json=as_json)
    classify = by_key_prefix(key) if key else by_table_name()
    router = StreamRouter(classify=classify)

    def show(record: Change[Any]) -> None:
        try:
            output.change(record, classify(record))
        except DDBStreamError as error:  # a stream is full of surprises; show the next
            complain(error)
        if output.closed:
            poller.stop()

    if model is None:
        router.on_change()(show)
    elif key is None:
        show.__annotations__["record"] = cast("Any", Change)[model]
        router.on_change()(show)
    else:
        name = model.__name__
        router.on_change(model)(show)
        router.on_change(where=lambda record: classify(record) != name)(show)
    poller = StreamPoller(
        table,
        router,
        start=start or ("TRIM_HORIZON" if once else "LATEST"),
        endpoint_url=options["endpoint_url"],
        region_name=options["region_name"],
        on_failure="skip",
        on_gap="continue",
        on_event=_report,
    )
    logging.getLogger("ddbstream").addHandler(logging.NullHandler())  # `_report` says what matters
    run(poller, once=once)


def _report(event: Event) -> None:
    """Say on standard error what keeps a change from being shown; the rest is in the log."""
    if isinstance(event, BatchFailed):
        complain(f"record {event.sequence_number}: {event.error}")
    elif isinstance(event, Gap):
        complain(f"records left the stream unread: {event.reason}")
