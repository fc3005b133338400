"""``ddbstream poll`` on a terminal is a table, and elsewhere log lines."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
from rich.console import Console

from ddbstream.cli._local_dynamodb import dynamodb, serving_dynamodb
from ddbstream.cli._poll_screen import Screen
from ddbstream.poller import Metrics, ShardStatus, StreamStatus
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")

APP = """
from ddbstream import StreamRouter
router = StreamRouter()

@router.on_insert()
def added(record):
    print("handled", record.keys["PK"])
"""


@pytest.fixture
def poll(tmp_path: Path) -> Iterator[list[str]]:
    """The command on a table with an item, on moto."""
    (tmp_path / "app.py").write_text(APP)
    with dynamodb(None):
        client: Any = boto3.client("dynamodb")
        make_table(client, "Catalogue", ["PK", "SK"])
        client.put_item(TableName="Catalogue", Item={"PK": {"S": "1"}, "SK": {"S": "-"}})
        with serving_dynamodb(0) as url:
            yield [
                *("poll", "app:router", "Catalogue", "--checkpoints", "p.db"),
                *("--endpoint-url", url, "--region", "us-east-1"),
            ]


ENVIRONMENT = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}


def test_on_a_terminal_it_draws_a_table_and_says_that_it_is_stopping(
    poll: list[str], on_a_terminal: Callable[..., str]
) -> None:
    seen = on_a_terminal(*poll, columns=80, env=ENVIRONMENT, until="1 record done")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert "polling Catalogue as default" in plain
    assert re.search(r"shard +stage +lag +failing for", plain)
    assert "handled 1\r\n" in plain
    assert re.search(r"1 record done  \d+\.\d/s  lag [\d.]+ s  0 failures  1 shard", plain)
    assert "INFO" not in plain


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_where_nothing_can_be_drawn_it_logs_lines(
    poll: list[str], on_a_terminal: Callable[..., str], environment: dict[str, str]
) -> None:
    seen = on_a_terminal(*poll, "--once", columns=80, env={**ENVIRONMENT, **environment})
    assert "\x1b" not in seen
    assert "handled 1\r\n" in seen
    assert " INFO ddbstream.poller " in seen


def status(number: int, **more: Any) -> ShardStatus:
    return ShardStatus(f"shardId-{number:032}", "reading", **{"lag": 0.0, "failing": 0.0, **more})


def test_what_lags_and_fails_is_on_top_and_many_shards_are_counted() -> None:
    metrics = Metrics()
    metrics.counters["handler_failures", ""] = 3
    metrics.counters["records_given_up", "skip"] = 2
    shards = [*map(status, range(20)), status(98, lag=4000.0), status(99, failing=30.0)]
    metrics._streams = (StreamStatus("arn", "ENABLED", 1.0, tuple(shards), 0, 0, 60.0, None),)
    poller: Any = SimpleNamespace(metrics=metrics, problem=lambda: "the lag is too large")
    screen = Screen(poller, "polling")
    screen.say_stopping()
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(screen.render())
    lines = captured.get().splitlines()
    assert lines[2].split()[-2:] == ["30", "s"]
    assert "67 min" in lines[3]
    assert "… and 10 more shards" in lines
    (summary,) = [line for line in lines if "failures" in line]
    assert "3 failures  2 given up  22 shards" in summary
    assert lines[-2:] == ["! the lag is too large", "stopping, press again to end now"]
