"""A shell completes tables, streams and the names in the user's modules."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
import click

from ddbstream.cli._app import cli
from ddbstream.cli._completion import complete_names, complete_tables
from ddbstream.cli._local_dynamodb import dynamodb
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """
from dataclasses import dataclass
from ddbstream import LambdaHandler, StreamRouter

print("at import")
router = StreamRouter()
handler = LambdaHandler(router)
_hidden = router
NUMBER = 7

def function(event, context): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "completed.py").write_text(APP)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *sys.path])
    yield tmp_path
    sys.modules.pop("completed", None)


def test_modules_and_the_names_that_they_have_made(folder: Path) -> None:
    assert [one.value for one in complete_names("")] == [
        "broken:",
        "completed:",
        "shop:",
        "shop.models:",
    ]
    assert [one.value for one in complete_names("shop.")] == ["shop.models:"]
    assert [one.value for one in complete_names("completed:")] == [
        "completed:function",
        "completed:handler",
        "completed:router",
    ]
    assert [one.value for one in complete_names("completed:ro")] == ["completed:router"]
    assert complete_names("broken:") == []
    assert complete_names("nothing:") == []


def test_tables_and_streams() -> None:
    command: Any = cli.get_command(click.Context(cli), "tail")
    context = click.Context(command)
    parameter = command.params[0]
    with dynamodb(None):
        client: Any = boto3.client("dynamodb")
        for table in ("Catalogue", "Catalogue-2", "Orders"):
            make_table(client, table, ["PK"])
        names = [one.value for one in complete_tables(context, parameter, "Cat")]
        assert names == ["Catalogue", "Catalogue-2"]
        streams = [one.value for one in complete_tables(context, parameter, "arn:")]
        assert sorted(arn.split("/")[1] for arn in streams) == [
            "Catalogue",
            "Catalogue-2",
            "Orders",
        ]


def test_where_aws_cannot_be_asked_nothing_is_completed() -> None:
    command: Any = cli.get_command(click.Context(cli), "tail")
    context = click.Context(command)
    context.params = {"endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}
    assert complete_tables(context, command.params[0], "") == []


def test_a_shell_gets_lines_and_nothing_that_a_module_prints(folder: Path) -> None:
    environment = {
        **os.environ,
        "_DDBSTREAM_COMPLETE": "bash_complete",
        "COMP_WORDS": "ddbstream explain completed:",
        "COMP_CWORD": "2",
    }
    result = subprocess.run(
        [sys.executable, "-c", "from ddbstream.cli import main; main()"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert result.stdout.splitlines() == [
        "plain,completed:function",
        "plain,completed:handler",
        "plain,completed:router",
    ]
