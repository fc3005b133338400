"""``ddbstream export load`` and ``backfill``: whole tables, interrupted and taken up again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
from click.testing import CliRunner, Result
from moto import mock_aws

from ddbstream.cli._app import cli
from tests.unit.export.exports import EXPORT_ID, lines_of, write_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.dynamodb_local import DynamoDBLocal, Table

    Run = Callable[..., subprocess.CompletedProcess[str]]

APP = """
import os, time
from pathlib import Path
from ddbstream import StreamRouter

router = StreamRouter()

@router.on_insert()
def handle(record):
    if Path("fail").exists() and record.new["PK"] == Path("fail").read_text():
        raise ValueError("not this one")
    time.sleep(float(os.environ.get("SLOW", 0)))
    with open("handled.txt", "a") as file:
        print(record.new["PK"], file=file)

not_a_router = 7
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the command runs in, with the module ``shelf_app``."""
    (tmp_path / "shelf_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    yield tmp_path
    sys.modules.pop("shelf_app", None)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["export", *arguments], catch_exceptions=False)


def handled(app: Path) -> list[str]:
    path = app / "handled.txt"
    return path.read_text().splitlines() if path.exists() else []


def books(start: int, end: int) -> list[str]:
    return [f"Book#{number:05d}" for number in range(start, end)]


def report(records: int, **more: int) -> dict[str, int]:
    return {"records": records, "skipped": 0, "finished": 2, "total": 2, "failures": 0, **more}


class InFolder:
    """Two files of books, ``size`` each; for a process, which moto does not reach."""

    def __init__(self, app: Path, size: int) -> None:
        files = [lines_of(size), lines_of(size, size)]
        self.location = str(write_export(app / "bucket", files))


@pytest.mark.parametrize("manifest", ["", "/manifest-summary.json"])
def test_an_export_in_a_folder_is_loaded_and_the_report_is_one_line_of_json(
    app: Path, manifest: str
) -> None:
    export = InFolder(app, 3)
    result = invoke("load", "shelf_app:router", export.location + manifest)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == report(6)
    assert handled(app) == books(0, 6)


def test_an_export_in_s3_is_loaded(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    InFolder(app, 3)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="exports")
        for path in (app / "bucket").rglob("*.*"):
            key = path.relative_to(app / "bucket").as_posix()
            s3.upload_file(str(path), "exports", key)
        url = f"s3://exports/daily/AWSDynamoDB/{EXPORT_ID}"
        result = invoke("load", "shelf_app:router", url)
        missing = invoke("load", "shelf_app:router", "s3://exports/weekly")
    assert (result.exit_code, json.loads(result.stdout)) == (0, report(6))
    assert handled(app) == books(0, 6)
    assert missing.exit_code == 1
    assert missing.stderr == "Error: manifest-summary.json cannot be read: NoSuchKey\n"


def test_key_attributes_that_are_named_are_the_records_keys(app: Path) -> None:
    (app / "shelf_app.py").write_text(APP.replace('record.new["PK"], file', "record.keys, file"))
    result = invoke("load", "shelf_app:router", InFolder(app, 1).location, "--key", "PK")
    assert result.exit_code == 0
    assert handled(app) == ["{'PK': 'Book#00000'}", "{'PK': 'Book#00001'}"]


def test_a_record_that_fails_is_named_and_the_next_run_goes_on_with_it(app: Path) -> None:
    location = InFolder(app, 3).location
    arguments = ["load", "shelf_app:router", location, "--progress", "p.db", "--batch-size", "2"]
    (app / "fail").write_text("Book#00004")
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == report(4, finished=1, failures=1)
    assert re.fullmatch(
        r"AWSDynamoDB/\S+/data/file0+1\.json\.gz:2: ValueError: not this one\n", result.stderr
    )
    (app / "fail").unlink()
    result = invoke(*arguments)
    assert (result.exit_code, json.loads(result.stdout)) == (0, report(2, skipped=4))
    assert handled(app) == books(0, 6)


def test_a_damaged_file_is_one_line_and_the_exit_code_is_1(app: Path) -> None:
    location = InFolder(app, 3).location
    (damaged,) = Path(location).rglob("*1.json.gz")
    damaged.write_bytes(damaged.read_bytes()[:-12])
    result = invoke("load", "shelf_app:router", location)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(r"Error: file0+1\.json\.gz is damaged .*\n", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["load", "shelf_app:not_a_router", "."], 2, "ROUTER is a int, and no StreamRouter"),
        (["backfill", "shelf_app:not_a_router", "T"], 2, "ROUTER is a int, and no StreamRouter"),
        (["load", "shelf_app:router", "."], 1, "manifest-summary.json cannot be read"),
        (["load", "shelf_app:router", ".", "--batch-size", "0"], 2, "--batch-size"),
        (["backfill", "shelf_app:router", "T", "--segments", "0"], 2, "--segments"),
        (["backfill", "shelf_app:router", "T"], 1, "You must specify a region"),
        (
            ["backfill", "shelf_app:router", "T", "--region", "x-1", "--endpoint-url", "nonsense"],
            1,
            "Invalid endpoint: nonsense",
        ),
    ],
)
def test_what_cannot_work_is_said_in_words(
    app: Path, arguments: list[str], code: int, said: str
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""


def test_a_progress_file_that_is_none_is_named(app: Path) -> None:
    location = InFolder(app, 1).location
    result = invoke("load", "shelf_app:router", location, "--progress", "shelf_app.py")
    assert (result.exit_code, handled(app)) == (1, [])
    assert result.stderr == "Error: shelf_app.py: file is not a database\n"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_load_that_is_stopped_goes_on_where_it_was(app: Path, run: Run, number: int) -> None:
    arguments = ["export", "load", "shelf_app:router", InFolder(app, 30).location]
    arguments += ["--progress", "p.db", "--batch-size", "10"]
    code, told = stopped(app, arguments, number, after=35)
    before = len(handled(app))
    assert before < 60
    if number == signal.SIGKILL:
        assert code == -number
        done = before // 10 * 10
    else:
        assert code == 130
        assert (
            told == "stopping, press again to end now\n"
            f"stopped after {before} records; run it again to go on\n"
        )
        done = before
    assert done % 10 == 0
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == report(60 - done, skipped=done)
    assert handled(app) == books(0, before) + books(done, 60)


def stopped(app: Path, arguments: list[str], number: int, *, after: int) -> tuple[int, str]:
    """Run the command until so many records are handled and then stop it; its code and stderr."""
    with subprocess.Popen(
        [sys.executable, "-m", "ddbstream", *arguments],
        env={**os.environ, "SLOW": "0.02"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=app,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while len(handled(app)) < after and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert output == ""  # a report is of a run that came to its end
    return process.returncode, errors


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")
def test_on_a_terminal_there_is_a_bar_and_then_the_report_in_words(
    app: Path, on_a_terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "0.02")
    location = InFolder(app, 10).location
    text = on_a_terminal("export", "load", "shelf_app:router", location, "--batch-size", "5")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "━" in plain
    assert "loading" in plain
    assert re.search(r" 0/20\b", plain), "the count is there before the first batch is done"
    assert re.search(r" (5|10|15)/20\b", plain)
    assert plain.strip().endswith("20 records, 2 of 2 parts done")


@pytest.mark.dynamodb_local
def test_a_table_is_backfilled_and_what_is_done_is_not_scanned_again(
    app: Path, run: Run, local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    put(local_table, 40)
    arguments = scan_of(local_table, dynamodb_local, "--segments", "2", "--consistent")
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == report(40)
    assert sorted(handled(app)) == books(0, 40)
    assert json.loads(run(*arguments).stdout) == report(0)
    assert len(handled(app)) == 40


@pytest.mark.dynamodb_local
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_backfill_that_is_stopped_finishes_its_pages_and_goes_on_behind_them(
    app: Path, run: Run, local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    put(local_table, 60)
    arguments = scan_of(local_table, dynamodb_local, "--segments", "2", "--page-size", "5")
    code, told = stopped(app, arguments, signal.SIGINT, after=15)
    before = len(handled(app))
    assert before < 60
    assert (code, told) == (130, f"stopped after {before} records; run it again to go on\n")
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == report(60 - before)
    assert sorted(handled(app)) == books(0, 60)  # none twice: the pages under way were done


@pytest.mark.dynamodb_local
def test_an_item_that_fails_is_named_by_its_key(
    app: Path, run: Run, local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    put(local_table, 3)
    (app / "fail").write_text("Book#00001")
    result = run(*scan_of(local_table, dynamodb_local, "--segments", "1"))
    assert result.returncode == 1
    assert result.stderr == "{'PK': 'Book#00001', 'SK': '-'}: ValueError: not this one\n"
    assert json.loads(result.stdout)["failures"] == 1


@pytest.mark.dynamodb_local
def test_a_table_that_is_not_there_is_one_line(
    app: Path, run: Run, dynamodb_local: DynamoDBLocal
) -> None:
    aws = ["--endpoint-url", dynamodb_local.endpoint_url, "--region", dynamodb_local.region]
    result = run("export", "backfill", "shelf_app:router", "Nowhere", *aws)
    assert (result.returncode, result.stderr) == (1, "Error: there is no table Nowhere\n")


def put(table: Table, count: int) -> None:
    for book in books(0, count):
        table.put({"PK": {"S": book}, "SK": {"S": "-"}})


def scan_of(table: Table, server: DynamoDBLocal, *options: Any) -> list[str]:
    aws = ["--endpoint-url", server.endpoint_url, "--region", server.region]
    command = ["export", "backfill", "shelf_app:router", table.name, "--progress", "p.db"]
    return [*command, *aws, *options]
