"""``ddbstream replay``: what an event source mapping gave up, once more."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ddbstream import Insert, Modify, Remove
from ddbstream.cli._aws import reported
from ddbstream.cli._documents import documents
from ddbstream.cli._parameters import Loaded, aws_options, json_option, stream_router
from ddbstream.cli._poller_run import TRIMMED
from ddbstream.cli._render import Output
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import DDBStreamError
from ddbstream.replay import SQLiteProgress
from ddbstream.replay import replay as replay_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ddbstream import StreamRecord
    from ddbstream.replay import ReplayReport

__all__ = ["replay"]


@click.command(short_help="Hand the records of failed batches to a router once more.")
@click.argument("router", type=Loaded("router"))
@click.argument("messages", type=click.File("rb"), default="-")
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
    messages: IO[bytes],
    progress: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Hand the records of failed batches to ROUTER (module:name) once more.

    MESSAGES, a file or standard input, are what Lambda or EventBridge Pipes sent to the failure
    destination: a queue's messages, a topic's notifications or a bucket's objects, one JSON
    document or one a line, also compressed (.gz). One that cannot be read is reported with its line
    and keeps no other back. Records that they do not carry are read from the stream, which keeps
    them for 24 hours.

    Exit codes: 0 all is done; 1 something is not, and says so; 4 all is done but what the stream no
    longer has.
    """
    router = stream_router(router)
    output = Output(as_json=as_json)

    def show(record: StreamRecord[Any]) -> None:
        if dry_run and isinstance(record, Insert | Modify | Remove):  # a malformed one is reported
            output.change(record)

    readable, unread = [], 0
    for document in documents(messages):
        if document.error:
            unread += 1
            complain(f"document {document.number}: {document.error}")
        else:
            readable.append(document.value)
    if not readable and not unread:
        raise click.ClickException("there are no messages: the text is empty")
    try:
        with reported():
            report = replay_batches(
                readable,
                router,
                progress=SQLiteProgress(progress) if progress else None,
                dry_run=dry_run,
                on_record=show,
                **options,
            )
    except sqlite3.Error as error:
        raise click.ClickException(f"{progress}: {error}") from None
    except DDBStreamError as error:
        raise click.ClickException(str(error)) from None
    for line in _faults(report):
        complain(line)
    complain(report)
    if unread or not report.ok:
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
