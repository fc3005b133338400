"""An export through a router: file by file, in batches, from where an earlier run stopped.

Rules:

* Progress is saved after each batch, as the number of lines that are done: a run that is killed
  repeats one batch at most, and skips none.
* A run stops at the first failure. What it has done is saved; the next run goes on with the record
  that failed.
* The text of one batch is held at a time, whatever the size of the table, and one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function, check_methods
from ddbstream.exceptions import ExportError
from ddbstream.export._files import (
    MOST_FILE_BYTES,
    MOST_LINE_BYTES,
    RecordMaker,
    SomeLines,
    check_file,
    read_lines,
)
from ddbstream.export._manifest import Export, ExportFile
from ddbstream.progress import MemoryProgress, Progress

if TYPE_CHECKING:
    from ddbstream._router.results import Failure
    from ddbstream._router.router import StreamRouter

__all__ = ["LoadProgress", "LoadReport", "load"]

_DONE: Final = "done"


class LoadProgress(NamedTuple):
    """How far a load or backfill has come.

    Attributes:
        records: Records done, in this run and before.
        total: How many there are; an estimate for a live table, ``None`` if not known.
        where: What was worked on: a file, or a segment of a table.
    """

    records: int
    total: int | None
    where: str


@dataclass
class LoadReport:
    """What became of a load or backfill.

    Attributes:
        records: How many records this run handled.
        skipped: How many an earlier run had done.
        finished: How many files or segments are done, in this run or before.
        total: How many of them there are.
        failures: What stopped the run; at most one for each file or segment.
    """

    records: int = 0
    skipped: int = 0
    finished: int = 0
    total: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is done."""
        return self.finished == self.total and not self.failures

    def __str__(self) -> str:
        parts = [f"{self.records} records", f"{self.finished} of {self.total} parts done"]
        if self.skipped:
            parts.append(f"{self.skipped} records done before")
        if self.failures:
            parts.append(f"{len(self.failures)} failures")
        return ", ".join(parts)


def load(  # noqa: PLR0913 - each is a choice of its own
    source: Export | ExportFile | Iterable[ExportFile],
    router: StreamRouter,
    *,
    progress: Progress | None = None,
    keys: Sequence[str] = (),
    batch_size: int = 500,
    concurrency: int = 1,
    context: object = None,
    s3_client: Any = None,
    max_line_bytes: int = MOST_LINE_BYTES,
    max_file_bytes: int = MOST_FILE_BYTES,
    on_progress: Callable[[LoadProgress], object] | None = None,
) -> LoadReport:
    """Hand an export's records to a router.

    Files are independent of each other: any number of processes and machines may each load some of
    them, if the handlers tolerate that. Within a file, records keep their order.

    Args:
        source: An export, or some of its files.
        router: Where the records go.
        progress: Remembers which lines are done, by file.
        keys: As in `read_records`; with ``concurrency`` they tell one item from another.
        batch_size: How many records to hand over at once, and to repeat at most after a crash.
        concurrency: How many items' records to handle at once.
        context: What handlers with a second parameter get there.
        s3_client: boto3's ``s3`` client, for files in S3; made if not given.
        max_line_bytes: As in `read_records`.
        max_file_bytes: As in `read_records`.
        on_progress: Told of each batch that is done. It may be async.

    Raises:
        ExportError: A file is missing, damaged, incomplete or over a limit. What came before in it
            is done and saved. Or what is given would have to be awaited, and is not.
    """
    check_methods(router, "router", ExportError, "dispatch")
    check_methods(progress, "progress=", ExportError, "load", "save")
    if on_progress is not None:
        check_function(on_progress, "on_progress=", ExportError, arguments=1, awaited=True)
    if batch_size < 1:
        raise ExportError("batch_size= is from 1 on: without one nothing would be loaded")
    files = _files(source)
    store = progress or MemoryProgress()
    report = LoadReport(total=len(files))
    total = sum(file.item_count for file in files)
    for file in files:
        key = f"{file.export_arn or ''} {file.key or file.location}"
        state = store.load(key)
        if state == _DONE:
            report.finished += 1
            report.skipped += file.item_count
            continue
        done = _lines_done(state, key)
        report.skipped += done
        make = RecordMaker(file, keys)
        # An error that is kept keeps this frame, and would keep the file open.
        with closing(read_lines(file, done, s3_client, (max_line_bytes, max_file_bytes))) as lines:
            while batch := list(islice(lines, batch_size)):
                result = router.dispatch(
                    SomeLines(make, batch),
                    stream_arn=file.table_arn,
                    context=context,
                    concurrency=concurrency,
                )
                # Not `processed`: with several items at once, records behind a failure may be done.
                rest = result.checkpoint
                done = batch[-1][0] if rest is None else make.line_of(rest) - 1
                report.records += result.processed
                store.save(key, str(done))
                if on_progress is not None:
                    seen = report.records + report.skipped
                    finish(on_progress(LoadProgress(seen, total, file.location)))
                if rest is not None:
                    report.failures.extend(result.failures)
                    return report
        store.save(key, _DONE)
        report.finished += 1
    return report


def _lines_done(state: str | None, key: str) -> int:
    if state is None or (state.isdecimal() and len(state) < 19):
        return int(state or 0)
    raise ExportError(f"the progress of {key} is no number of lines")


def _files(source: Export | ExportFile | Iterable[ExportFile]) -> list[ExportFile]:
    if isinstance(source, Export):
        return list(source.files)
    files: list[Any]
    if isinstance(source, (str, ExportFile)) or not isinstance(source, Iterable):
        files = [source]  # text too, though it can be iterated over
    else:
        files = list(source)
    for file in files:
        check_file(file)
    return files
