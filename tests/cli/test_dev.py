"""``ddbstream dev`` shows what a router does on a DynamoDB of this machine, and reloads it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
from click.testing import CliRunner

from ddbstream import StreamRouter, by_key_prefix
from ddbstream.cli._app import cli
from ddbstream.cli._local_dynamodb import dynamodb, serving_dynamodb
from ddbstream.cli._reload import python_files
from ddbstream.cli._render import Output
from ddbstream.cli.dev import Shown
from ddbstream.testing import insert
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.dynamodb_local import DynamoDBLocal, Table

    Run = Callable[..., subprocess.CompletedProcess[str]]

posix = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")

APP = """
from ddbstream import StreamRouter, by_key_prefix

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_insert("Product")
def VERSION(record):
    record.new["price"] + 1

not_a_router = 7
folding = StreamRouter()

@folding.fold()
def total(state: dict, record) -> dict:
    return state
"""


def edit(folder: Path, source: str) -> None:
    """Write the app at once: half a file would be reloaded as well."""
    (folder / "app.new").write_text(source)
    (folder / "app.new").replace(folder / "app.py")


def put(client: Any, table: str, key: str, **attributes: Any) -> None:
    client.put_item(TableName=table, Item={"PK": {"S": key}, "SK": {"S": "-"}, **attributes})


def shown(capsys: pytest.CaptureFixture[str], router: StreamRouter, *records: Any) -> Any:
    """What is said of records: the lines of standard output, and standard error."""
    Shown(router, Output(as_json=True)).router.dispatch(list(records))
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def product(number: int) -> Any:
    return insert({"PK": f"Product#{number}", "SK": "-"})


def test_each_record_is_followed_by_how_its_handlers_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_insert("Product")
    def first(record: Any) -> None: ...

    @router.on_change("Product")
    def second(record: Any) -> None:
        raise ValueError("out of stock")

    lines, errors = shown(capsys, router, product(1))
    assert (lines[0]["event"], lines[0]["entity"]) == ("INSERT", "Product")
    assert [line["handler"].rpartition(".")[2] for line in lines[1:]] == ["first", "second"]
    assert [line["error"] for line in lines[1:]] == [None, "ValueError"]
    assert errors.count("Traceback") == 1
    assert "out of stock" in errors
    assert "no route" not in errors


def test_a_record_that_no_route_wants_is_shown_and_called_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_insert("Order")
    def ordered(record: Any) -> None: ...

    lines, errors = shown(capsys, router, product(1), product(2))
    assert [line["event"] for line in lines] == ["INSERT", "INSERT"]
    assert errors.count("no route wants it") == 2


def test_what_fails_before_any_handler_is_shown_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_insert("Product", where=lambda record: 1 / 0)
    def never(record: Any) -> None: ...

    lines, errors = shown(capsys, router, product(1))
    assert [line["event"] for line in lines] == ["INSERT"]
    assert errors.count("ZeroDivisionError") == 1
    assert "no route" not in errors


@pytest.fixture
def endpoint() -> Iterator[str]:
    with dynamodb(None):
        make_table(boto3.client("dynamodb"), "Catalogue", ["PK", "SK"])
        with serving_dynamodb(0) as url:
            yield url


@pytest.mark.parametrize("command", ["doctor", "streams"])
def test_doctor_and_streams_ask_the_embedded_dynamodb_what_it_does_not_know(
    endpoint: str, command: str
) -> None:
    arguments = ["Catalogue"] if command == "doctor" else ["describe", "Catalogue"]
    where = ["--endpoint-url", endpoint, "--region", "us-east-1"]
    result = subprocess.run(
        [sys.executable, "-m", "ddbstream", command, *arguments, *where],
        env={**os.environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "NEW_AND_OLD_IMAGES" in result.stdout


def test_the_embedded_dynamodb_answers_other_processes_and_says_what_it_refuses(
    endpoint: str,
) -> None:
    program = (
        "import boto3, sys; url = sys.argv[1]; c = boto3.client('dynamodb', endpoint_url=url);"
        "c.put_item(TableName='Catalogue', Item={'PK': {'S': 'a'}, 'SK': {'B': b'1'}})"
    )
    environment = {**os.environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}
    result = subprocess.run(
        [sys.executable, "-c", program, endpoint],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert "Type mismatch for key" in result.stderr
    program = program.replace("{'B': b'1'}", "{'S': 'b'}")
    subprocess.run(
        [sys.executable, "-c", program, endpoint], env=environment, check=True, timeout=60
    )
    client: Any = boto3.client("dynamodb")
    assert client.scan(TableName="Catalogue")["Items"] == [{"PK": {"S": "a"}, "SK": {"S": "b"}}]


def test_files_of_others_are_not_watched(tmp_path: Path) -> None:
    for name in ("app.py", "shop/models.py", ".venv/x.py", "venv/x.py", "app.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    files = python_files(tmp_path)
    assert sorted(files) == [str(tmp_path / "app.py"), str(tmp_path / "shop/models.py")]
    (tmp_path / "app.py").write_text("12")
    assert python_files(tmp_path) != files


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint-url", "http://127.0.0.1:1"],
        ["--key", "A", "--key", "B", "--key", "C"],
        ["--key", "A", "--key", "A"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["dev", "app:router", *arguments]).exit_code == 2


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("not_a_router", 2, "no StreamRouter"),
        ("folding", 1, "its folds need a tumbling window"),
        ("missing", 2, "has no router 'missing'"),
    ],
)
def test_what_cannot_run_is_one_line(
    run: Run, tmp_path: Path, name: str, code: int, message: str
) -> None:
    (tmp_path / "app.py").write_text(APP)
    result = run("dev", f"app:{name}", "--port", "0")
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.dynamodb_local
def test_with_an_endpoint_it_runs_on_a_table_that_is_there(
    run: Run, tmp_path: Path, dynamodb_local: DynamoDBLocal, local_table: Table
) -> None:
    (tmp_path / "app.py").write_text(APP)
    local_table.put({"PK": {"S": "Product#1"}, "SK": {"S": "-"}, "price": {"N": "1"}})
    result = run(
        *("dev", "app:router", "--endpoint-url", dynamodb_local.endpoint_url),
        *("--region", dynamodb_local.region, "--table", local_table.name),
        *("--start", "TRIM_HORIZON", "--once"),
    )
    assert result.returncode == 0, result.stderr
    record, outcome = [json.loads(line) for line in result.stdout.splitlines()]
    assert record["keys"]["PK"] == "Product#1"
    assert (outcome["handler"], outcome["error"]) == ("app.VERSION", None)


class Running:
    """``dev`` in a process, and a client for the DynamoDB in it."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ddbstream", "dev", "app:router", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        match = re.fullmatch(r"DynamoDB table dev at (\S+), region us-east-1\n", line)
        assert match is not None, line
        self.client: Any = boto3.client("dynamodb", endpoint_url=match[1], region_name="us-east-1")

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def error(self, text: str) -> None:
        """Read standard error up to a text."""
        assert self.process.stderr is not None
        while text not in (line := self.process.stderr.readline()):
            assert line, f"it never said {text!r}"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    processes = []

    def started(*arguments: str) -> Running:
        (tmp_path / "app.py").write_text(APP.replace("VERSION", "first"))
        running = Running(tmp_path, *arguments)
        processes.append(running.process)
        return running

    yield started
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_after_a_handler_fails_and_ends_cleanly(
    started: Callable[..., Running], number: int
) -> None:
    dev = started()
    for key, attributes, error in (
        ("Product#1", {}, "KeyError"),
        ("Product#2", {"price": {"N": "1"}}, None),
    ):
        put(dev.client, "dev", key, **attributes)
        assert dev.line()["keys"]["PK"] == key
        assert dev.line()["error"] == error
    dev.process.send_signal(number)
    assert dev.process.wait(timeout=30) == 0


@posix
def test_it_reloads_what_changed_keeps_the_table_and_waits_where_the_app_is_broken(
    started: Callable[..., Running], tmp_path: Path
) -> None:
    dev = started("--reload")
    put(dev.client, "dev", "Product#1", price={"N": "1"})
    assert dev.line()["keys"]["PK"] == "Product#1"
    assert dev.line()["handler"] == "app.first"
    edit(tmp_path, "this is no Python")
    dev.error("it has failed")
    edit(tmp_path, APP.replace("VERSION", "changed"))
    assert dev.line()["keys"]["PK"] == "Product#1"
    assert dev.line()["handler"] == "app.changed"
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait(timeout=30) == 0
