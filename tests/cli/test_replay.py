"""``ddbstream replay`` and ``filters``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import insert, on_failure_message

pytest.importorskip("click")

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.dynamodb_local import DynamoDBLocal, Table

    Run = Callable[..., subprocess.CompletedProcess[str]]

APP = """
from ddbstream import StreamRouter, by_key_prefix

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_insert("Product")
def handle(record):
    if "bad" in record.new:
        raise ValueError("not this one")
    with open("handled.txt", "a") as file:
        print(record.new["PK"], file=file)

everything = StreamRouter()

@everything.on_change()
def any_change(record):
    pass

not_a_router = 7
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def handled(app: Path) -> list[str]:
    path = app / "handled.txt"
    return path.read_text().splitlines() if path.exists() else []


def message(*items: dict[str, Any], **fields: Any) -> str:
    records = [insert({"SK": "-", **item}) for item in items]
    return json.dumps(on_failure_message(records, payload="object", **fields))


def test_records_that_a_message_carries_are_handled_again(app: Path, run: Run) -> None:
    result = run("replay", "app:router", stdin=message({"PK": "Product#1"}, {"PK": "Product#2"}))
    assert result.returncode == 0, result.stderr
    assert handled(app) == ["Product#1", "Product#2"]
    assert result.stderr == "2 records of 1 batches replayed\n"


def test_messages_one_a_line_are_all_read_from_a_file(app: Path, run: Run) -> None:
    lines = [message({"PK": "Product#1"}), message({"PK": "Product#2"})]
    (app / "failed.ndjson").write_text("\n".join(lines))
    result = run("replay", "app:router", "failed.ndjson")
    assert result.returncode == 0, result.stderr
    assert handled(app) == ["Product#1", "Product#2"]


def test_a_dry_run_shows_the_records_and_handles_none(app: Path, run: Run) -> None:
    result = run("replay", "app:router", "--dry-run", stdin=message({"PK": "Product#1"}))
    assert result.returncode == 0, result.stderr
    (change,) = map(json.loads, result.stdout.splitlines())
    assert (change["event"], change["new"]["PK"]) == ("INSERT", "Product#1")
    assert handled(app) == []


def test_a_batch_that_fails_again_is_named_and_the_exit_code_is_1(app: Path, run: Run) -> None:
    failing = message({"PK": "Product#1"}, {"PK": "Product#2", "bad": True})
    result = run("replay", "app:router", stdin=failing)
    assert result.returncode == 1
    assert "ValueError: not this one" in result.stderr
    assert "1 batches failed" in result.stderr


def test_what_is_done_is_not_done_again_by_a_second_run(app: Path, run: Run) -> None:
    text = message({"PK": "Product#1"})
    for _ in range(2):
        result = run("replay", "app:router", "--progress", "done.db", stdin=text)
        assert result.returncode == 0, result.stderr
    assert "1 batches done before" in result.stderr
    assert handled(app) == ["Product#1"]


@pytest.mark.dynamodb_local
def test_what_the_stream_no_longer_has_is_named_and_the_exit_code_is_4(
    app: Path, run: Run, local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    text = json.dumps(
        on_failure_message(
            [insert({"PK": "Product#1"}), insert({"PK": "Product#2"})],
            shard_id="shardId-00000001767225600000-0a1b2c3d",
            stream_arn=local_table.stream_arn,
        )
    )
    aws = ["--endpoint-url", dynamodb_local.endpoint_url, "--region", dynamodb_local.region]
    result = run("replay", "app:router", *aws, stdin=text)
    assert result.returncode == 4, result.stderr
    assert "2 records are lost (gone)" in result.stderr
    assert handled(app) == []


def test_what_is_no_message_is_named_and_the_exit_code_is_1(app: Path, run: Run) -> None:
    result = run("replay", "app:router", stdin='{"hello": "world"}')
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr


@pytest.mark.dynamodb_local
def test_records_that_a_message_does_not_carry_come_from_the_stream_or_are_reported_lost(
    app: Path, run: Run, local_table: Table, dynamodb_local: DynamoDBLocal
) -> None:
    local_table.put({"PK": {"S": "Product#1"}, "SK": {"S": "-"}})
    (record,) = dynamodb_local.read_all(local_table.stream_arn)
    (shard,) = dynamodb_local.streams.describe_stream(StreamArn=local_table.stream_arn)[
        "StreamDescription"
    ]["Shards"]
    text = json.dumps(
        on_failure_message(
            [json.loads(json.dumps(record, default=str))],
            shard_id=shard["ShardId"],
            stream_arn=local_table.stream_arn,
        )
    )
    aws = ["--endpoint-url", dynamodb_local.endpoint_url, "--region", dynamodb_local.region]
    result = run("replay", "app:router", *aws, stdin=text)
    assert result.returncode == 0, result.stderr
    assert handled(app) == ["Product#1"]


@pytest.mark.parametrize("command", ["replay", "filters"])
def test_what_is_no_router_is_wrong_usage(app: Path, run: Run, command: str) -> None:
    result = run(command, "app:not_a_router")
    assert result.returncode == 2
    assert "ROUTER is a int, and no StreamRouter" in result.stderr


def test_filters_let_pass_what_a_route_wants(app: Path, run: Run) -> None:
    result = run("filters", "app:router", "--key", "PK", "--key", "SK")
    assert (result.returncode, result.stderr) == (0, "")
    (criterion,) = json.loads(result.stdout)["Filters"]
    pattern = json.loads(criterion["Pattern"])
    assert pattern["eventName"] == ["INSERT"]
    assert pattern["dynamodb"]["Keys"]["PK"]["S"] == [{"prefix": "Product#"}]


def test_filters_of_a_router_that_wants_everything_leave_nothing_out(app: Path, run: Run) -> None:
    result = run("filters", "app:everything")
    assert json.loads(result.stdout) == {"Filters": []}
    assert "nothing to leave out" in result.stderr
