"""An export through a router: every record, once if nothing breaks, from where it stopped if it
does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream import Insert, StreamRecord, StreamRouter
from ddbstream.exceptions import ExportError
from ddbstream.export import (
    ExportFile,
    LoadProgress,
    LoadReport,
    MemoryProgress,
    Progress,
    SQLiteProgress,
    load,
    open_export,
    read_records,
)
from ddbstream.export._files import RecordMaker
from tests.support.missing import missing
from tests.unit.export.exports import EXPORT_ID, lines_of, write_export

OPEN = Path("/proc/self/fd")


class Seen:
    """A router that notes the numbers of the items it was given, and fails on one."""

    def __init__(self, fail_on: int | None = None) -> None:
        self.numbers: list[int] = []
        self.fail_on = fail_on
        self.router = StreamRouter()
        self.router.on_insert()(self.take)

    def take(self, record: StreamRecord[Any]) -> None:
        number = int(record.new["n"])  # type: ignore[attr-defined]
        if number == self.fail_on:
            raise RuntimeError("no")
        self.numbers.append(number)


@pytest.fixture(params=["memory", "sqlite"])
def progress(request: pytest.FixtureRequest, tmp_path: Path) -> Progress:
    return MemoryProgress() if request.param == "memory" else SQLiteProgress(tmp_path / "p.db")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_export(tmp_path, [lines_of(7), lines_of(5, 7), [], lines_of(3, 12)])


def test_every_record_of_every_file_is_handled(folder: Path) -> None:
    seen = Seen()
    report = load(open_export(folder), seen.router)
    assert seen.numbers == list(range(15))
    assert report == LoadReport(records=15, finished=4, total=4)
    assert report.ok
    assert str(report) == "15 records, 4 of 4 parts done"


def test_a_line_is_read_when_its_record_is_due(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make = RecordMaker.__call__

    def noted(self: RecordMaker, number: int, *others: Any) -> Any:
        made.append(number)
        return make(self, number, *others)

    monkeypatch.setattr(RecordMaker, "__call__", noted)
    seen = Seen(fail_on=3)
    assert load(open_export(folder), seen.router).records == 3
    assert made == [1, 2, 3, 4]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_item_is_read_once_for_all_its_handlers(folder: Path, concurrency: int) -> None:
    router, seen = StreamRouter(), []

    def read(record: Insert[dict[str, Any]]) -> None:
        seen.append(record.new)

    router.on_insert()(read)
    router.on_insert()(read)
    load(open_export(folder), router, keys=["pk"], concurrency=concurrency)
    assert len(seen) == 30
    assert len({id(item) for item in seen}) == 15


def test_the_table_is_the_entity_as_in_a_stream(folder: Path) -> None:
    router, seen = StreamRouter(), []
    router.on_insert("Shelf")(seen.append)
    load(open_export(folder), router)
    assert len(seen) == 15


def test_some_files_or_one_may_be_loaded(folder: Path) -> None:
    files, seen = open_export(folder).files, Seen()
    load(files[1], seen.router)
    load([files[3], files[0]], seen.router)
    assert seen.numbers == [*range(7, 15), *range(7)]


@pytest.mark.parametrize("source", ["s3://bucket/export", Path(), ["data/a.json.gz"], None, 5])
def test_what_was_not_opened_is_told_to_be(source: Any) -> None:
    with pytest.raises(ExportError, match=r"expected an ExportFile, got .*: open_export\(\) has"):
        load(source, StreamRouter())
    with pytest.raises(ExportError, match="expected an ExportFile"):
        list(read_records(source))


def test_a_router_that_has_to_be_awaited_is_refused_before_anything_is_read(folder: Path) -> None:
    class Awaited(StreamRouter):
        async def dispatch(self, *_: Any, **__: Any) -> Any:
            raise AssertionError

    with pytest.raises(ExportError, match=r"router has dispatch\(\) as a coroutine function"):
        load(open_export(folder), Awaited())


def test_a_second_run_does_nothing(folder: Path, progress: Progress) -> None:
    seen = Seen()
    export = open_export(folder)
    load(export, seen.router, progress=progress)
    for file in export.files:
        Path(file.location).unlink()  # Done is done: nothing is downloaded again.
    again = load(export, seen.router, progress=progress)
    assert seen.numbers == list(range(15))
    assert (again.records, again.skipped, again.finished) == (0, 15, 4)
    assert again.ok


@pytest.mark.skipif(not OPEN.exists(), reason="no /proc/self/fd on this system")
def test_a_failure_that_is_kept_keeps_no_file_open(folder: Path) -> None:
    report = load(open_export(folder), Seen(fail_on=0).router, batch_size=1)
    assert report.failures
    still_open = [os.path.realpath(one) for one in OPEN.iterdir()]
    assert not [path for path in still_open if path.endswith(".gz")]


@pytest.mark.parametrize("fail_on", [0, 1, 6, 7, 10, 14])
@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_a_failure_stops_and_the_next_run_goes_on_with_it(
    folder: Path, progress: Progress, fail_on: int, batch_size: int
) -> None:
    seen = Seen(fail_on=fail_on)
    go = partial(load, router=seen.router, progress=progress, batch_size=batch_size)
    report = go(open_export(folder))
    assert not report.ok
    assert [str(failure.error) for failure in report.failures] == ["no"]
    assert seen.numbers == list(range(fail_on))
    assert go(open_export(folder)).records == 0
    seen.fail_on = None
    assert go(open_export(folder)).ok
    assert seen.numbers == list(range(15))


@pytest.mark.parametrize("fail_on", [0, 3, 7])
def test_with_several_items_at_once_the_next_run_goes_on_with_the_failure_too(
    tmp_path: Path, progress: Progress, fail_on: int
) -> None:
    """Records behind it may be done: they come again, and it does."""
    folder, router, seen = write_export(tmp_path, [lines_of(8)]), StreamRouter(), []
    behind = threading.Barrier(4)  # as many records at once
    broken = True

    @router.on_insert()
    def read(record: Insert[dict[str, Any]]) -> None:
        number = int(record.new["n"])
        if broken and number < 4:
            behind.wait(30)
        if broken and number == fail_on:
            raise ValueError("no")
        seen.append(number)

    go = partial(load, router=router, progress=progress, keys=["PK"], concurrency=4)
    report = go(open_export(folder))
    assert len(report.failures) == 1
    assert report.records == len(seen)
    broken = False
    assert go(open_export(folder)).ok
    assert set(seen) == set(range(8))


def test_a_malformed_line_is_a_failure_like_any_other(tmp_path: Path) -> None:
    folder, seen = write_export(tmp_path, [[*lines_of(2), "hunter2"]]), Seen()
    report = load(open_export(folder), seen.router)
    assert seen.numbers == [0, 1]
    assert report.failures[0].record.item_identifier is not None
    assert report.failures[0].record.item_identifier.endswith(":3")


def test_a_damaged_file_is_raised_and_what_came_before_is_kept(
    tmp_path: Path, progress: Progress
) -> None:
    folder, seen = write_export(tmp_path, [lines_of(10)]), Seen()
    export = open_export(folder)
    path = Path(export.files[0].location)
    whole = path.read_bytes()
    path.write_bytes(whole + b"!")
    with pytest.raises(ExportError):
        load(export, seen.router, progress=progress, batch_size=4)
    assert len(seen.numbers) == 8
    path.write_bytes(whole)
    assert load(export, seen.router, progress=progress).ok
    assert seen.numbers == list(range(10))


def test_progress_is_told_batch_by_batch(folder: Path) -> None:
    told: list[LoadProgress] = []
    load(open_export(folder), Seen().router, batch_size=4, on_progress=told.append)
    assert [(step.records, step.total) for step in told] == [
        (4, 15),
        (7, 15),
        (11, 15),
        (12, 15),
        (15, 15),
    ]
    assert told[0].where.endswith(".json.gz")


def test_a_context_reaches_the_handlers(folder: Path) -> None:
    router, contexts = StreamRouter(), set()

    @router.on_insert()
    def take(record: StreamRecord[Any], context: Any) -> None:
        contexts.add(context)

    load(open_export(folder), router, context="context")
    assert contexts == {"context"}


def test_two_exports_do_not_share_progress(tmp_path: Path, progress: Progress) -> None:
    first = open_export(write_export(tmp_path / "1", [lines_of(2)]))
    second = open_export(write_export(tmp_path / "2", [lines_of(2)], exportArn="another"))
    assert load(first, Seen().router, progress=progress).records == 2
    assert load(second, Seen().router, progress=progress).records == 2


def test_s3_is_streamed_and_resumed(tmp_path: Path, progress: Progress) -> None:
    write_export(tmp_path, [lines_of(7), lines_of(8, 7)])
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="exports")
        for path in tmp_path.rglob("*.*z"):
            client.upload_file(str(path), "exports", path.relative_to(tmp_path).as_posix())
        for path in tmp_path.rglob("*.json"):
            client.upload_file(str(path), "exports", path.relative_to(tmp_path).as_posix())
        export = open_export(f"s3://exports/daily/AWSDynamoDB/{EXPORT_ID}", s3_client=client)
        seen = Seen(fail_on=9)
        go = partial(load, export, seen.router, progress=progress, s3_client=client, batch_size=2)
        assert not go().ok
        seen.fail_on = None
        assert go().ok
    assert seen.numbers == list(range(15))


def test_a_large_export_takes_little_memory(tmp_path: Path) -> None:
    export = open_export(write_export(tmp_path, [lines_of(10_000)] * 2))
    router = StreamRouter()
    router.on_insert()(lambda record: None)
    tracemalloc.start()
    report = load(export, router)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.records == 20_000
    assert peak < 3_000_000


KILLED = """
import os, sys
from pathlib import Path
from ddbstream import StreamRouter
from ddbstream.export import SQLiteProgress, load, open_export

folder, store, out, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
router, handled = StreamRouter(), 0
log = open(out, "a", buffering=1)

@router.on_insert()
def take(record):
    global handled
    if handled == limit:
        os._exit(9)
    handled += 1
    log.write(f"{record.new['n']}\\n")

report = load(open_export(folder), router, progress=SQLiteProgress(store), batch_size=10)
log.close()
print(report)
"""


def test_a_run_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "bucket", [lines_of(60), lines_of(60, 60)])
    script = tmp_path / "load.py"
    script.write_text(KILLED)
    arguments = [str(folder), str(tmp_path / "p.db"), str(tmp_path / "out.txt")]
    codes = []
    for limit in (0, 25, 13, 47, 1000):
        run = [sys.executable, str(script), *arguments, str(limit)]
        codes.append(subprocess.run(run, check=False, capture_output=True).returncode)
    assert codes == [9, 9, 9, 9, 0]
    handled = [int(line) for line in (tmp_path / "out.txt").read_text().split()]
    assert sorted(set(handled)) == list(range(120))
    # Each of the kills repeats what its last batch had done, and no more.
    assert len(handled) <= 120 + 4 * 10


def load_one(store: str, out: str, file: ExportFile) -> tuple[int, int]:
    """What a worker does with its share; module level, to be sent to another process."""
    router = StreamRouter()
    path = Path(out) / Path(file.location).name

    @router.on_insert()
    def take(record: StreamRecord[Any]) -> None:
        with path.open("a") as log:
            log.write(f"{json.dumps(int(record.new['n']))}\n")  # type: ignore[attr-defined]

    report = load(file, router, progress=SQLiteProgress(store))
    if not report.ok:
        raise report.failures[0].error
    return report.records, report.skipped


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_an_engine_splits_an_export_over_workers(tmp_path: Path, scheduler: str) -> None:
    """Dask here, on one machine; the same function runs on a cluster, and as a distributed map."""
    try:
        import dask.bag
    except ImportError:
        missing("Dask is not installed: pip install dask")
    out = tmp_path / "out"
    out.mkdir()
    folder = write_export(tmp_path / "bucket", [lines_of(50, start) for start in range(0, 400, 50)])
    work = partial(load_one, str(tmp_path / "p.db"), str(out))
    for expected in ((50, 0), (0, 50)):
        shares = dask.bag.from_sequence(open_export(folder).files, npartitions=4).map(work)
        assert shares.compute(scheduler=scheduler, num_workers=2) == [expected] * 8
    handled = [int(line) for path in out.iterdir() for line in path.read_text().split()]
    assert sorted(handled) == list(range(400))


def test_a_line_of_the_manifest_is_enough_for_a_worker(tmp_path: Path) -> None:
    """A Step Functions distributed map hands each worker one line of manifest-files.json."""
    folder, seen = write_export(tmp_path, [lines_of(3)]), Seen()
    entry = json.loads((folder / "manifest-files.json").read_text())
    location = tmp_path / entry["dataFileS3Key"]
    file = ExportFile(str(location), entry["itemCount"], entry["md5Checksum"])
    assert load(file, seen.router).records == 3
