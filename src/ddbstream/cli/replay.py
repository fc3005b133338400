"""``ddbstream replay``: what an event source mapping gave up, once more."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ddbstream import Insert, Modify, Remove
from ddbstream.cli._aws import reported
from ddbstream.cli._parameters import Loaded, aws_options, json_option, stream_router
from ddbstream.cli._poller_run import TRIMMED
from ddbstream.cli._render import Output
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import PayloadError
from ddbstream.replay import SQLiteProgress
from ddbstream.replay import replay as replay_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ddbstream import StreamRecord
    from ddbstream.replay import ReplayReport

__all__ = ["replay"]


@click.command()
@click.argument("router", type=Loaded("router"))
@click.argument("messages", type=click.File(encoding="utf-8-sig"), default="-")
@click.option("--dry-run", is_flag=True, help="Show the records and run no handler.")
@click.option(
    "--progress",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A SQLite file that remembers what is done: a second run does nothing twice.",
)
@aws_options
@json_option
def replay(
    router: object,
    messages: TextIO,
    progress: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Hand the records of failed batches to ROUTER (module:name) once more.

    MESSAGES, a file or standard input, are what Lambda or EventBridge Pipes sent to the failure
    destination: a queue's messages, a topic's notifications or a bucket's objects, one JSON
    document or one a line. Records that they do not carry are read from the stream, which keeps
    them for 24 hours.

    Exit codes: 0 all is done; 1 something is not, and says so; 4 all is done but what the stream no
    longer has.
    """
    router = stream_router(router)
    output = Output(as_json=as_json)

    def show(record: StreamRecord[Any]) -> None:
        if dry_run and isinstance(record, Insert | Modify | Remove):  # a malformed one is reported
            output.change(record)

    try:
        done = SQLiteProgress(progress) if progress else None
    except sqlite3.Error as error:
        raise click.ClickException(f"{progress}: {error}") from None
    try:
        with reported():
            report = replay_batches(
                messages.read(),
                router,
                progress=done,
                dry_run=dry_run,
                on_record=show,
                **options,
            )
    except PayloadError as error:
        raise click.ClickException(str(error)) from None
    for line in _faults(report):
        complain(line)
    complain(report)
    if not report.ok:
        raise SystemExit(1)
    if report.gaps:
        raise SystemExit(TRIMMED)


def _faults(report: ReplayReport) -> Iterator[str]:
    for failure in report.failures:
        batch = failure.batch
        where = f"shard {batch.shard_id} from {batch.start_sequence_number}"
        yield f"{where}: {type(failure.error).__name__}: {failure.error}"
    for batch in report.deferred:
        yield f"shard {batch.shard_id} from {batch.start_sequence_number}: behind a failed batch"
    for message in report.unreadable:
        yield f"unreadable message: {message.error}"
    for gap in report.gaps:
        count = "some" if gap.missing is None else f"{gap.missing}"
        yield (
            f"shard {gap.shard_id} from {gap.start_sequence_number} to {gap.end_sequence_number}: "
            f"{count} records are lost ({gap.reason})"
        )
