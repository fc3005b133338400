"""``ddbstream export``: a whole table through a router, from an export or the table itself."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ddbstream.cli._aws import aws_errors, boto3_client, reported
from ddbstream.cli._completion import complete_tables
from ddbstream.cli._parameters import Loaded, aws_options, profile_option, stream_router
from ddbstream.cli._render import Output
from ddbstream.cli._signals import (
    STOPPED,
    Stop,
    interrupted_by_signals,
    say_stopping,
    stopping_on_signals,
)
from ddbstream.cli._standard_streams import complain, console, plural
from ddbstream.exceptions import ExportError, MissingImageError, printable
from ddbstream.export import SQLiteProgress, open_export
from ddbstream.export import backfill as scan_table
from ddbstream.export import load as load_export
from ddbstream.export._files import MOST_FILE_BYTES, MOST_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from ddbstream import Failure
    from ddbstream.export import LoadProgress, LoadReport

__all__ = ["export"]


@click.group(short_help="Hand a whole table to a router.")
def export() -> None:
    """Hand a whole table to a router: from an export to S3, or from the live table."""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--json", "as_json", is_flag=True, help="The report as in a pipe.")(
        command
    )
    return click.option(
        "--progress",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A SQLite file that remembers what is done: the next run goes on from there.",
    )(command)


@export.command(short_help="Hand the records of an export to S3 to a router.")
@click.argument("router", type=Loaded("router"))
@click.argument("location")
@_common
@click.option(
    "--key",
    "keys",
    metavar="ATTRIBUTE",
    multiple=True,
    help="A key attribute of the table; give each. A full export does not say them.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Records handed over at once; after a crash as many are repeated at most.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many items' records to handle at once.",
)
@click.option(
    "--max-line-bytes",
    type=click.IntRange(min=1),
    default=MOST_LINE_BYTES,
    show_default=True,
    help="How long an unpacked line may be.",
)
@click.option(
    "--max-file-bytes",
    type=click.IntRange(min=1),
    default=MOST_FILE_BYTES,
    show_default=True,
    help="How much a file may unpack to.",
)
@click.option("--endpoint-url", metavar="URL", help="Another S3 than the region's.")
@click.option("--region", "region_name", metavar="NAME", help="AWS region.")
@profile_option
def load(
    router: object,
    location: str,
    progress: Path | None,
    *,
    as_json: bool,
    endpoint_url: str | None,
    region_name: str | None,
    **options: Any,
) -> None:
    """Hand the records of an export to ROUTER (module:name).

    LOCATION is the folder that has manifest-summary.json, or that file, on this machine or in S3
    (s3://bucket/prefix). A full export's items are inserts.

    SIGTERM and Ctrl-C stop it when the batch under way is done and saved; a second one ends it at
    once. Standard output gets the report; in a pipe, what handlers print goes to standard error.

    Exit codes: 0 all is done; 1 something is not, and says so; 2 wrong usage; 130 stopped.
    """
    router = stream_router(router)
    output = Output(as_json=as_json)
    stop = Stop()
    in_s3 = location.startswith("s3://")

    def show(now: LoadProgress) -> None:
        bar.show(now)
        if stop.is_set():
            raise KeyboardInterrupt

    with (
        _Bar("loading") as bar,
        _ending(bar, progress),
        reported() if in_s3 else nullcontext(),  # which needs boto3
        stopping_on_signals(stop.set, say=say_stopping),
    ):
        client = (
            boto3_client("s3", endpoint_url=endpoint_url, region_name=region_name)
            if in_s3
            else None
        )
        opened = open_export(location, s3_client=client)
        bar.expect(opened.item_count)
        report = load_export(
            opened,
            router,
            progress=_remembered(progress),
            s3_client=client,
            on_progress=show,
            **options,
        )
    _tell(report, output)


@export.command(short_help="Hand every item of a live table to a router.")
@click.argument("router", type=Loaded("router"))
@click.argument("table", shell_complete=complete_tables)
@_common
@click.option(
    "--segments",
    type=click.IntRange(1, 1_000_000),  # DynamoDB's, for TotalSegments
    default=4,
    show_default=True,
    help="Parts to scan at once, each in a thread. Keep it between runs with --progress.",
)
@click.option("--page-size", type=click.IntRange(min=1), help="Items a page, at most.")
@click.option("--consistent", is_flag=True, help="Read consistently, at twice the price.")
@aws_options
def backfill(
    router: object, table: str, progress: Path | None, *, as_json: bool, **options: Any
) -> None:
    """Hand every item of TABLE to ROUTER (module:name), as inserts, by a parallel scan.

    It costs the table's read capacity. Start the consumer of the table's stream first: what is
    written meanwhile may be seen or not.

    SIGTERM and Ctrl-C stop it when the pages under way are done and saved; a second one ends it at
    once. Standard output gets the report; in a pipe, what handlers print goes to standard error.

    Exit codes: 0 all is done; 1 something is not, and says so; 2 wrong usage; 130 stopped.
    """
    router = stream_router(router)
    output = Output(as_json=as_json)
    # What is wrong with the endpoint or region is said here; the scan makes a more patient client.
    where = {name: options[name] for name in ("endpoint_url", "region_name")}
    client = boto3_client("dynamodb", **where)
    with (
        _Bar(f"scanning {table}") as bar,
        _ending(bar, progress),
        reported(),
        interrupted_by_signals(),
    ):
        if sys.stderr.isatty():
            with suppress(aws_errors()[0]):  # who may scan may not always ask this
                bar.expect(client.describe_table(TableName=table)["Table"].get("ItemCount"))
        report = scan_table(
            table, router, progress=_remembered(progress), on_progress=bar.show, **options
        )
    _tell(report, output)


def _remembered(path: Path | None) -> SQLiteProgress | None:
    return None if path is None else SQLiteProgress(path)


class _Bar:
    """A progress bar on a terminal's standard error; nothing anywhere else.

    Attributes:
        records: How many records are done.
    """

    def __init__(self, what: str) -> None:
        self.records = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
            redirect_stdout=sys.stdout.isatty(),  # what handlers print goes where it would
        )
        self._task = self._progress.add_task(printable(what), total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, items: int | None) -> None:
        """Show from the beginning how many there are."""
        self._progress.update(self._task, total=items or None, refresh=True)

    def show(self, now: LoadProgress) -> None:
        """Show how much is done."""
        self.records = now.records
        # A live table's number of items is some hours old.
        total = None if not now.total else max(now.total, now.records)
        self._progress.update(self._task, completed=now.records, total=total)


@contextmanager
def _ending(bar: _Bar, progress: Path | None) -> Iterator[None]:
    """What ends it early, in one line and an exit code."""
    try:
        yield
    except ExportError as error:
        raise click.ClickException(str(error)) from None
    except sqlite3.Error as error:
        raise click.ClickException(f"{progress}: {error}") from None
    except KeyboardInterrupt:
        advice = "run it again to go on" if progress else "without --progress it begins anew"
        complain(f"stopped after {plural(bar.records, 'record')}; {advice}")
        raise SystemExit(STOPPED) from None


def _tell(report: LoadReport, output: Output) -> None:
    for failure in report.failures:
        complain(_fault(failure))
    if output.as_json:
        output.line(
            {
                "records": report.records,
                "skipped": report.skipped,
                "finished": report.finished,
                "total": report.total,
                "failures": len(report.failures),
            }
        )
    else:
        output.note(str(report), "green" if report.ok else "bold red")
    if not report.ok:
        raise SystemExit(1)


def _fault(failure: Failure) -> str:
    record, error = failure
    where: object = record.item_identifier  # a file and line; a live table has keys only
    if where is None:
        try:
            where = record.keys
        except MissingImageError:
            where = record.event_name
    return f"{where}: {type(error).__name__}: {error}"
