"""``ddbstream tail``: the changes of tables as they happen."""

from __future__ import annotations

import logging
import re
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from ddbstream import Change, StreamRouter, by_key_prefix
from ddbstream._values.paths import parse_path
from ddbstream.cli._aws import need
from ddbstream.cli._completion import complete_tables
from ddbstream.cli._parameters import Loaded, LoadedModel, StartingPoint, aws_options, json_option
from ddbstream.cli._poller_run import run
from ddbstream.cli._render import Output, change_as_json, change_as_lines
from ddbstream.cli._standard_streams import complain
from ddbstream.cli._tail_view import Condition, Kinds, Seen, View, without
from ddbstream.exceptions import DDBStreamError
from ddbstream.poller import BatchFailed, Gap, StreamPoller

if TYPE_CHECKING:
    from ddbstream.cli._parameters import Start
    from ddbstream.poller import Event

__all__ = ["tail"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration, such as 90s, 15m, 1h or 1d")
    return datetime.now(timezone.utc) - timedelta(**{_UNITS[found[2]]: int(found[1])})


def _paths(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str | int, ...]]:
    try:
        return [tuple(parse_path(value)) for value in values]
    except (DDBStreamError, ValueError) as error:
        raise click.BadParameter(str(error)) from None


@click.command(short_help="Show the changes of tables as they happen.")
@click.argument(
    "tables", metavar="TABLE...", nargs=-1, required=True, shell_complete=complete_tables
)
@click.option(
    "--app",
    type=Loaded("router"),
    metavar="MODULE:NAME",
    help="Name and read items as this router would, or this handler's.",
)
@click.option(
    "--model",
    "models",
    type=LoadedModel(),
    metavar="MODULE:CLASS",
    multiple=True,
    help="Read items as this class; with --key, those of the entity of that name. Several are "
    "told apart by their @keys.",
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
@click.option(
    "--since", callback=_since, metavar="DURATION", help="Begin so long ago: 90s, 15m, 1h, 1d."
)
@click.option(
    "--where",
    type=Condition(),
    metavar="CONDITION",
    multiple=True,
    help="Only changes of items with PATH=VALUE (or !=, <, <=, >, >=), of event=INSERT, or for "
    "which module:function is true. All of several.",
)
@click.option(
    "--changed",
    metavar="PATH",
    callback=_paths,
    multiple=True,
    help="Only changes at this path; at one of several.",
)
@click.option("--images", is_flag=True, help="Show the whole item, too.")
@click.option("--keys-only", is_flag=True, help="Show no values but the keys.")
@click.option(
    "--redact",
    "hidden",
    metavar="PATH",
    callback=_paths,
    multiple=True,
    help="Show *** in place of this path's values.",
)
@click.option("--once", is_flag=True, help="Show what the stream holds now, and end.")
@aws_options
@json_option
def tail(
    tables: tuple[str, ...],
    app: object,
    models: tuple[type[Any], ...],
    key: str | None,
    start: Start | None,
    since: datetime | None,
    *,
    once: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show the changes of TABLEs (names, or streams' ARNs) as they happen.

    Each with its time, entity and keys, and what has changed in it. An item that does not fit its
    class is shown as it is stored, with a note.

    It keeps no position and takes none away from anybody, but a shard has room for two readers:
    beside a Lambda trigger, this is the second.
    """
    if start is not None and since is not None:
        raise click.UsageError("--start and --since say the same thing; give one")
    need("boto3", "cli", "tail")
    output = Output(as_json=as_json)
    kinds = Kinds(app, models, by_key_prefix(key) if key else None)
    view = View(kinds, options["where"], options["changed"], options["hidden"])
    shown = _Shown(view, output, options, several=len(tables) > 1)
    router = StreamRouter(classify=lambda _: None)
    router.on_change()(shown.show)
    begin = since or start or ("TRIM_HORIZON" if once else "LATEST")
    poller = StreamPoller(
        list(dict.fromkeys(tables)),
        router,
        start=begin,
        endpoint_url=options["endpoint_url"],
        region_name=options["region_name"],
        on_failure="skip",
        on_gap="continue",
        on_event=_report,
    )
    shown.stop = poller.stop
    logging.getLogger("ddbstream").addHandler(logging.NullHandler())  # `_report` says what matters
    if sys.stderr.isatty():  # a program that reads both has asked for it
        place = options["endpoint_url"] or options["region_name"]
        where = f" at {place}" if place else ""
        complain(f"following {', '.join(tables)}{where} from {_moment(begin)}; Ctrl-C ends it")
    run(poller, once=once)


def _moment(begin: Start) -> str:
    if isinstance(begin, datetime):
        return f"{begin.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    return {"LATEST": "now on (LATEST)", "TRIM_HORIZON": "its oldest record (TRIM_HORIZON)"}[begin]


class _Shown:
    """Shows each change that is wanted."""

    stop: Any = None

    def __init__(
        self, view: View, output: Output, options: dict[str, Any], *, several: bool
    ) -> None:
        self._view = view
        self._output = output
        self._images = options["images"]
        self._keys_only = options["keys_only"]
        self._several = several
        self._noted: set[str] = set()

    def show(self, record: Change[Any]) -> None:
        """Show one, if it is wanted."""
        try:
            seen = self._view.see(record)
            if seen is not None:
                self._tell(seen)
        except DDBStreamError as error:  # a stream is full of surprises; show the next
            complain(error)
        if self._output.closed:
            self.stop()

    def _tell(self, seen: Seen) -> None:
        line = change_as_json(seen.record, seen.entity)
        if self._several:
            line = {"table": seen.record.table_name, **line}
        if self._keys_only:
            line = {name: part for name, part in line.items() if name not in _VALUES}
        elif seen.hidden:
            line = without(line, seen.hidden)
        if seen.note is not None:
            self._note(seen)
            line["note"] = seen.note
        if self._output.as_json:
            self._output.line(line)
        else:
            self._output.show(change_as_lines(seen.record, line, images=self._images))

    def _note(self, seen: Seen) -> None:
        """Say it once of a kind, unless it is of this item."""
        note = seen.note or ""
        if note not in self._noted and self._output.as_json:
            complain(f"record {seen.record.sequence_number}: {note}")
        if len(self._noted) < 1000:
            self._noted.add(note)


_VALUES = ("old", "new", "diff")


def _report(event: Event) -> None:
    """Say on standard error what keeps a change from being shown; the rest is in the log."""
    if isinstance(event, BatchFailed):
        complain(f"record {event.sequence_number}: {event.error}")
    elif isinstance(event, Gap):
        complain(f"records left the stream unread: {event.reason}")
