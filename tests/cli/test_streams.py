"""``ddbstream streams``, ``tail`` and ``poll`` on the real streams of DynamoDB Local."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")

from tests.cli.conftest import lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.dynamodb_local import DynamoDBLocal, Table

    Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.dynamodb_local

MODELS = """
from dataclasses import dataclass
from decimal import Decimal
from ddbstream import StreamRouter, by_key_prefix, keys

@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: str
    price: Decimal

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_change(Product)
def handle(record):
    with open("handled.txt", "a") as file:
        print(record.event_name, record.new.id, file=file)

failing = StreamRouter(classify=by_key_prefix("PK"))

@failing.on_insert(Product)
def fail(record):
    raise ValueError(record.new.id)

not_a_router = 7
"""


@pytest.fixture
def aws(dynamodb_local: DynamoDBLocal) -> list[str]:
    return ["--endpoint-url", dynamodb_local.endpoint_url, "--region", dynamodb_local.region]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(MODELS)
    return tmp_path


def product(number: int, price: str = "1.50") -> dict[str, Any]:
    return {
        "PK": {"S": f"Product#{number}"},
        "SK": {"S": "User#Product"},
        "price": {"N": price},
    }


def test_streams_lists_a_tables_stream_with_its_shards(
    run: Run, aws: list[str], local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    local_table.put(product(1))
    dynamodb_local.control.rollover()
    local_table.put(product(2))
    result = run("streams", local_table.name, "--shards", *aws)
    assert result.returncode == 0, result.stderr
    (stream,) = lines(result.stdout)
    shards = stream.pop("shards")
    assert stream == {
        "table": local_table.name,
        "stream_arn": local_table.stream_arn,
        "status": "ENABLED",
        "view_type": "NEW_AND_OLD_IMAGES",
        "open_shards": "1",
    }
    assert len(shards) >= 2
    assert [shard["parent"] for shard in shards[1:]] == [s["shard_id"] for s in shards[:-1]]
    assert [shard["to"] is None for shard in shards] == [False] * (len(shards) - 1) + [True]


def test_describe_shows_every_shard_whole_on_a_terminal_of_80_columns(
    on_a_terminal: Callable[..., str],
    aws: list[str],
    local_table: Table,
    dynamodb_local: DynamoDBLocal,
) -> None:
    local_table.put(product(1))
    for _ in range(3):
        dynamodb_local.control.rollover()
    seen = on_a_terminal("streams", "describe", local_table.name, *aws, columns=80)
    description = dynamodb_local.streams.describe_stream(StreamArn=local_table.stream_arn)
    shards = description["StreamDescription"]["Shards"]
    assert len(shards) >= 3
    assert all(shard["ShardId"] in seen for shard in shards)
    assert local_table.stream_arn in seen
    assert seen.count("oldest record") == 1  # the others are empty
    assert "* NEW_AND_OLD_IMAGES" in seen


def test_streams_without_a_table_lists_every_stream(
    run: Run, aws: list[str], local_table: Table
) -> None:
    listed = {stream["stream_arn"]: stream for stream in lines(run("streams", *aws).stdout)}
    assert listed[local_table.stream_arn]["shards"].isdecimal()


def test_streams_of_a_table_without_one_says_so(run: Run, aws: list[str]) -> None:
    result = run("streams", "nothing-of-this-name", *aws)
    assert result.returncode == 1
    assert result.stderr == "Error: table nothing-of-this-name has no stream here\n"


def test_what_the_service_refuses_is_one_line(run: Run) -> None:
    result = run("streams", "--endpoint-url", "http://127.0.0.1:1", "--region", "us-east-1")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Could not connect")
    assert "Traceback" not in result.stderr


def test_no_region_is_one_line(run: Run) -> None:
    result = run("streams")
    assert result.returncode == 1
    assert result.stderr == (
        "Error: You must specify a region: give --region, or set AWS_DEFAULT_REGION\n"
    )


def test_tail_once_shows_what_the_stream_holds_over_its_shards_and_ends(
    run: Run, aws: list[str], local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    local_table.put(product(1))
    dynamodb_local.control.rollover()
    local_table.put(product(1, "0.10"))
    local_table.delete("Product#1", "User#Product")
    result = run("tail", local_table.name, "--once", *aws)
    assert result.returncode == 0, result.stderr
    changes = lines(result.stdout)
    assert [change["event"] for change in changes] == ["INSERT", "MODIFY", "REMOVE"]
    assert {change["entity"] for change in changes} == {local_table.name}
    assert changes[1]["diff"] == [{"path": "price", "old": "1.5", "new": "0.1"}]


def test_tail_types_the_entity_of_its_model_and_shows_others_and_misfits_too(
    app: Path, run: Run, aws: list[str], local_table: Table
) -> None:
    local_table.put(product(1))
    local_table.put({"PK": {"S": "Order#1"}, "SK": {"S": "-"}, "total": {"N": "2"}})
    local_table.put({**product(2), "price": {"S": "secret"}})
    local_table.put(product(3))
    result = run(
        *("tail", local_table.stream_arn, "--once", "--key", "PK", "--model", "app:Product"), *aws
    )
    assert result.returncode == 0, result.stderr
    shown = [(change["entity"], change["new"]) for change in lines(result.stdout)]
    assert shown == [
        ("Product", {"id": "1", "price": "1.5"}),
        ("Order", {"PK": "Order#1", "SK": "-", "total": "2"}),
        ("Product", {"PK": "Product#2", "SK": "User#Product", "price": "secret"}),  # as stored
        ("Product", {"id": "3", "price": "1.5"}),
    ]
    assert "NewImage.price" in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
def test_tail_ends_with_one_error_when_it_cannot_write(
    tmp_path: Path, aws: list[str], local_table: Table
) -> None:
    for number in range(3):
        local_table.put(product(number))
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "ddbstream", "tail", local_table.name, "--once", *aws],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == "Error: standard output cannot be written: No space left on device\n"


def test_tail_of_a_table_that_is_not_there_is_one_line(run: Run, aws: list[str]) -> None:
    result = run("tail", "nothing-of-this-name", "--once", *aws)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert "nothing-of-this-name" in result.stderr


@pytest.mark.parametrize("start", ["yesterday", "2026-13-01", ""])
def test_a_start_that_is_no_time_is_wrong_usage(run: Run, start: str) -> None:
    result = run("tail", "Product", "--start", start)
    assert result.returncode == 2
    assert "is neither TRIM_HORIZON, LATEST nor a time" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_shows_changes_as_they_happen_until_it_is_stopped(
    tmp_path: Path, aws: list[str], local_table: Table, number: int
) -> None:
    with started("tail", local_table.name, "--start", "TRIM_HORIZON", *aws, cwd=tmp_path) as tail:
        assert tail.stdout is not None
        for count in (1, 2):
            local_table.put(product(count))
            (change,) = lines(tail.stdout.readline())
            assert change["new"]["PK"] == f"Product#{count}"
        tail.send_signal(number)
        assert tail.wait(timeout=20) == 0
        assert tail.stderr is not None
        assert tail.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a broken pipe is POSIX")
def test_tail_ends_quietly_when_its_reader_has_gone(
    tmp_path: Path, aws: list[str], local_table: Table
) -> None:
    with started("tail", local_table.name, "--start", "TRIM_HORIZON", *aws, cwd=tmp_path) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        local_table.put(product(1))
        assert tail.stdout.readline()
        tail.stdout.close()
        local_table.put(product(2))
        assert tail.wait(timeout=20) == 0
        assert tail.stderr.read() == ""


class started(subprocess.Popen[str]):  # noqa: N801 -- read as `with started(...)`
    """The command running in the background; killed at the end if it has not ended."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        command = [sys.executable, "-m", "ddbstream", *arguments]
        super().__init__(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, text=True
        )

    def __exit__(self, *exception: object) -> None:
        self.kill()
        super().__exit__(*exception)


def handled(app: Path) -> list[str]:
    path = app / "handled.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_poll_goes_on_where_it_was_and_handles_nothing_twice(
    app: Path, run: Run, aws: list[str], local_table: Table
) -> None:
    arguments = ["poll", "app:router", local_table.name, "--checkpoints", "positions.db", "--once"]
    local_table.put(product(1))
    first = run(*arguments, *aws)
    assert first.returncode == 0, first.stderr
    assert "INFO ddbstream.poller" in first.stderr
    local_table.put(product(2))
    second = run(*arguments, "--quiet", *aws)
    assert (second.returncode, second.stderr) == (0, "")
    assert handled(app) == ["INSERT 1", "INSERT 2"]
    sqlite3.connect(app / "positions.db").close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_poll_drains_and_ends_with_0_at_sigterm(
    app: Path, run: Run, aws: list[str], local_table: Table
) -> None:
    arguments = ["poll", "app:router", local_table.name, "--checkpoints", "positions.db", *aws]
    local_table.put(product(1))
    with started(*arguments, cwd=app) as poll:
        deadline = time.monotonic() + 30
        while not handled(app):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        poll.send_signal(signal.SIGTERM)
        assert poll.wait(timeout=20) == 0
    again = run(*arguments, "--once")
    assert again.returncode == 0, again.stderr
    assert handled(app) == ["INSERT 1"]


def test_poll_ends_with_1_at_a_failure_that_it_is_told_to_stop_at(
    app: Path, run: Run, aws: list[str], local_table: Table
) -> None:
    local_table.put(product(1))
    result = run(
        *("poll", "app:failing", local_table.name, "--checkpoints", "positions.db"),
        *("--on-failure", "stop", "--once"),
        *aws,
    )
    assert result.returncode == 1
    assert "Error: " in result.stderr


def test_poll_ends_with_3_when_another_poller_takes_its_file_over(
    app: Path, aws: list[str], local_table: Table
) -> None:
    arguments = ["poll", "app:router", local_table.name, "--checkpoints", "positions.db", *aws]
    local_table.put(product(1))
    with started(*arguments, cwd=app) as first:
        assert first.stderr is not None
        assert any("reading from" in line for line in first.stderr)
        with started(*arguments, "--takeover", "--once", cwd=app) as second:
            second.communicate(timeout=30)
            assert second.returncode == 0
            local_table.put(product(2))
            assert first.wait(timeout=30) == 3


def test_poll_of_what_is_no_router_is_wrong_usage(app: Path, run: Run) -> None:
    result = run("poll", "app:not_a_router", "Product", "--checkpoints", "x.db")
    assert result.returncode == 2
    assert "ROUTER is a int, and no StreamRouter" in result.stderr


@pytest.mark.parametrize(
    ("checkpoints", "message"),
    [("missing/x.db", "unable to open database file"), ("app.py", "file is not a database")],
)
def test_poll_says_in_one_line_what_is_wrong_with_its_checkpoint_file(
    app: Path, run: Run, aws: list[str], checkpoints: str, message: str
) -> None:
    result = run("poll", "app:router", "Product", "--checkpoints", checkpoints, *aws)
    assert result.returncode == 1
    assert result.stderr == f"Error: cannot keep positions in {checkpoints}: {message}\n"


def test_poll_needs_a_place_for_its_positions(app: Path, run: Run) -> None:
    result = run("poll", "app:router", "Product")
    assert result.returncode == 2
    assert "--checkpoints" in result.stderr
