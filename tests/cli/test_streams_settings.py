"""``ddbstream streams describe``, ``enable`` and ``disable``, against moto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
from click.testing import CliRunner, Result
from moto import mock_aws

from ddbstream.cli import streams as module
from ddbstream.cli._app import cli
from ddbstream.cli._render import Output
from ddbstream.testing.strategies import shard_trees
from tests.cli.test_doctor import REGION, make_table

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    monkeypatch.setattr(module, "_EVERY_SECONDS", 0.0)
    with mock_aws():
        yield


def run(*arguments: str, stdin: str = "") -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(cli, ["streams", *arguments], input=stdin)
    line = result.stdout.strip()
    return result, json.loads(line) if line.startswith("{") else {}


def specification(table: str = "Catalogue") -> dict[str, Any]:
    found = boto3.client("dynamodb", region_name=REGION).describe_table(TableName=table)["Table"]
    return dict(found.get("StreamSpecification") or {})


def test_describe_shows_the_specification_and_each_shard_with_its_lag() -> None:
    arn = make_table(view_type="NEW_IMAGE")
    client = boto3.client("dynamodb", region_name=REGION)
    client.put_item(TableName="Catalogue", Item={"PK": {"S": "1"}})
    for named in ("Catalogue", arn):
        result, line = run("describe", named)
        assert result.exit_code == 0, result.output
        assert line["stream_arn"] == arn
        assert (line["status"], line["view_type"]) == ("ENABLED", "NEW_IMAGE")
        assert line["carries"] == "the item as it is after the change"
        assert line["keys"] == ["PK"]
        assert [shard["lag_seconds"] is None for shard in line["shards"]] == [False]
        assert line["kinesis"] == []
    _, line = run("describe", "Catalogue", "--no-lag")
    assert "lag_seconds" not in line["shards"][0]


def test_describe_names_what_is_not_there_and_the_remedy() -> None:
    make_table("Plain", None)
    for table, remedy in (("Plain", "turn it on"), ("Nothing", "--region")):
        result, _ = run("describe", table)
        assert result.exit_code == 1
        assert remedy in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.parametrize("view_type", ["NEW_AND_OLD_IMAGES", "KEYS_ONLY"])
def test_enable_switches_a_stream_on_once(view_type: str) -> None:
    make_table(view_type=None)
    result, line = run("enable", "Catalogue", "--view-type", view_type)
    assert result.exit_code == 0, result.output
    assert specification() == {"StreamEnabled": True, "StreamViewType": view_type}
    assert "/stream/" in line["stream_arn"]
    assert (line["view_type"], line["changed"]) == (view_type, True)
    again, line = run("enable", "Catalogue", "--view-type", view_type)
    assert (again.exit_code, line["changed"]) == (0, False)


def test_enable_does_not_change_the_view_type_of_a_stream_that_is_on() -> None:
    make_table(view_type="KEYS_ONLY")
    result, _ = run("enable", "Catalogue")
    assert result.exit_code == 1
    assert "ddbstream streams disable Catalogue" in result.stderr
    assert specification()["StreamViewType"] == "KEYS_ONLY"


def test_disable_asks_first_and_switches_off_once() -> None:
    arn = make_table()
    for answer in ("n\n", ""):
        refused, _ = run("disable", "Catalogue", stdin=answer)
        assert refused.exit_code == 1
        assert specification()["StreamEnabled"] is True
    result, line = run("disable", "Catalogue", stdin="y\n")
    assert result.exit_code == 0, result.output
    assert "Switch the stream of Catalogue off?" in result.stderr
    assert (line["stream_arn"], line["changed"]) == (arn, True)
    assert specification().get("StreamEnabled", False) is False
    again, line = run("disable", "Catalogue", "--yes")
    assert (again.exit_code, line["changed"]) == (0, False)


@pytest.mark.parametrize("command", [["enable"], ["disable", "--yes"]])
def test_a_table_that_is_not_there_is_one_line(command: list[str]) -> None:
    result, _ = run(*command, "Nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


def test_a_name_that_is_no_subcommand_is_a_table_as_before() -> None:
    arn = make_table()
    for arguments in (["Catalogue"], ["list", "Catalogue"], [], ["--shards"]):
        _, line = run(*arguments)
        assert line["stream_arn"] == arn


class OnATerminal(Output):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        self.as_json = False


def test_on_a_terminal_the_view_types_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(view_type="OLD_IMAGE")
    client = boto3.client("dynamodb", region_name=REGION)
    client.put_item(TableName="Catalogue", Item={"PK": {"S": "1"}})
    client.delete_item(TableName="Catalogue", Key={"PK": {"S": "1"}})
    monkeypatch.setattr(module, "Output", OnATerminal)
    result = CliRunner().invoke(cli, ["streams", "describe", "Catalogue"])
    text = result.output
    assert "* OLD_IMAGE           the item as it was before the change" in text
    assert "  KEYS_ONLY           the key attributes alone" in text
    assert "oldest record" in text
    assert "Catalogue" in CliRunner().invoke(cli, ["streams", "enable", "Catalogue", "--view-type",
                                                   "OLD_IMAGE"]).output  # fmt: skip


def test_every_shard_of_any_tree_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    from hypothesis import given, settings

    @settings(max_examples=40, deadline=None)
    @given(shard_trees())
    def shown(tree: Any) -> None:
        shards = [module._shard(shard) for shard in tree]
        for shard in shards:
            shard["lag_seconds"] = 7384.0
        output = OnATerminal(as_json=False)
        about = {"table": "T", "stream_arn": "arn", "status": "ENABLED", "view_type": "KEYS_ONLY"}
        output.stream({**about, "open_shards": 1, "shards": shards})
        text = capsys.readouterr()
        both = text.out + text.err
        assert all(both.count(shard["shard_id"]) == 1 for shard in shards)
        assert both.count("oldest record 2 h 3 min old") == len(shards)

    shown()
