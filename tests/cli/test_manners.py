"""What every command does alike: where it writes, how it ends, what it says of an error."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
pytest.importorskip("boto3")
import boto3
import click
from click.testing import CliRunner

from ddbstream.cli._app import cli
from ddbstream.cli._aws import environment, use_profile
from ddbstream.cli._json import dumps
from ddbstream.cli._remedies import in_words
from ddbstream.cli._sources import open_source
from ddbstream.cli._standard_streams import plural, prints_apart, short_traceback, write_out
from ddbstream.exceptions import StreamNotFoundError
from ddbstream.testing import insert, lambda_event, modify, on_failure_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

posix = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")

NOISY = """
import os, subprocess
print("at import")

def handler(event, context):
    print("by print")
    subprocess.run(["echo", "by a child"])
    return {"ok": True}
"""


@posix
def test_what_a_function_prints_is_never_in_the_output(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(NOISY)
    result = run("invoke", "app:handler", stdin="{}")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"ok": True}
    assert result.stderr.splitlines() == ["at import", "by print", "by a child"]


def test_prints_are_apart_where_standard_output_is_no_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with prints_apart(), prints_apart():
        print("the user's")  # noqa: T201
        write_out("the command's")
    print("after")  # noqa: T201
    said = capsys.readouterr()
    assert (said.out, said.err) == ("the command's\nafter\n", "the user's\n")


CLOSING = """
import os, sys
for number in sys.argv[1].split(","):
    os.close(int(number))
os.execv(sys.executable, [sys.executable, "-m", "ddbstream", *sys.argv[2:]])
"""
PRINTING = """
from ddbstream import StreamRouter
router = StreamRouter()

@router.on_insert
def added(record):
    print("x" * 100_000, flush=True)

def handler(event, context):
    print("x" * 100_000, flush=True)
    return router.dispatch(event).processed
"""
BAD = "Bad file descriptor"


@posix
@pytest.mark.parametrize(
    ("closed", "command", "code", "output", "errors"),
    [
        ("0", ["decode"], 1, "", f"document 1: the rest cannot be read: {BAD}\n"),
        ("0", ["decode", "item.json"], 0, '{"a": "x"}\n', ""),
        ("0", ["check", "app:router", "-"], 1, '"unreadable": 1', ""),
        ("0", ["invoke", "app:handler"], 1, "", f"it cannot be read: {BAD}"),
        ("1", ["decode", "item.json"], 1, "", f"standard output cannot be written: {BAD}"),
        ("1", ["filters", "app:router"], 1, "", f"standard output cannot be written: {BAD}"),
        ("1", ["invoke", "app:handler", "event.json"], 1, "", f"cannot be written: {BAD}"),
        ("2", ["decode", "item.json"], 0, '{"a": "x"}\n', ""),
        ("2", ["decode", "broken.json"], 1, "", ""),
        ("2", ["invoke", "app:handler", "event.json"], 0, "1\n", ""),
        ("0,1,2", ["decode", "item.json"], 1, "", ""),
        ("0,1,2", ["replay", "app:router", "failed.json"], 0, "", ""),
    ],
)
def test_a_standard_stream_that_is_closed_from_the_start_is_one_that_fails(
    closed: str, command: list[str], code: int, output: str, errors: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(PRINTING)
    (tmp_path / "item.json").write_text('{"a": {"S": "x"}}')
    (tmp_path / "broken.json").write_text("{")
    records = [insert({"PK": "1"})]
    (tmp_path / "event.json").write_text(json.dumps(lambda_event(records)))
    (tmp_path / "failed.json").write_text(json.dumps(on_failure_message(records, payload="text")))
    result = subprocess.run(
        [sys.executable, "-c", CLOSING, closed, *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == code, result.stderr
    assert output in result.stdout
    assert errors in result.stderr
    assert "Traceback" not in result.stderr


@posix
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_the_terminals_encoding_does_not_have_is_escaped(
    on_a_terminal: Callable[..., str], tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "event.json").write_text(json.dumps(lambda_event([modify(*TWO)])))
    (tmp_path / "models.py").write_text(MODEL)
    seen = on_a_terminal(
        *("decode", "event.json", "--model", "models:Product"),
        env={"PYTHONIOENCODING": encoding, "NO_COLOR": "1"},
    )
    assert r"name='\u65e5\u672c'" in seen
    assert r"price  1 \u2192 2" in seen


TWO = [{"id": "1", "name": "日本", "price": price} for price in (1, 2)]
MODEL = """
from dataclasses import dataclass

@dataclass
class Product:
    id: str
    name: str
    price: int
"""


NAMED = """
from ddbstream import LambdaHandler, StreamRouter, by_key_prefix
router = StreamRouter(classify=by_key_prefix("PK"))
router.on_insert("Product")(lambda record: None)
handler = LambdaHandler(router)
"""


@pytest.mark.parametrize(
    "command", [["filters"], ["explain"], ["check"]], ids=lambda words: words[0]
)
def test_a_command_that_runs_no_handler_takes_a_lambda_handlers_router(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "app.py").write_text(NAMED)
    text = '{"Item": {"PK": {"S": "Customer#1"}}}'
    if command == ["explain"]:
        text = json.dumps(lambda_event([insert({"PK": "1"})]))
    by_name = [run(*command, f"app:{name}", stdin=text) for name in ("handler", "router")]
    assert [one.returncode for one in by_name] == [0, 0], by_name[0].stderr
    assert by_name[0].stdout == by_name[1].stdout != ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("poll app:handler T --checkpoints x.db", "name the StreamRouter that is in it"),
        ("replay app:handler item.json", "name the StreamRouter that is in it"),
        ("export load app:handler .", "name the StreamRouter that is in it"),
        ("decode item.json --model json:dumps", "json:dumps is no model: "),
        ("tail T --model json:dumps", "json:dumps is no model: "),
        ("infer items.json", "there is no file or folder items.json"),
        ("check app:router data/items", "there is no file or folder data/items"),
        ("dev", "there is no serverless.yml or serverless.yaml or template.yaml or template.yml"),
    ],
)
def test_what_a_command_cannot_take_is_wrong_usage_that_says_what_it_can(
    run: Run, tmp_path: Path, command: str, says: str
) -> None:
    (tmp_path / "app.py").write_text(NAMED)
    (tmp_path / "item.json").write_text('{"Item": {"PK": {"S": "1"}}}')
    result = run(*command.split())
    assert result.returncode == 2, result.stderr
    assert says in " ".join(result.stderr.split())


@pytest.mark.parametrize("source", ["Products", "my.table", "json", "arn:aws:x:1:table/a.json"])
def test_a_tables_name_is_no_files(source: str) -> None:
    with pytest.raises(click.ClickException, match="region"), environment(NOWHERE):
        open_source(source, {**NOTHING, "keys": (), "stream": False, "rate": 1})


NOTHING = {"endpoint_url": None, "region_name": None}
NOWHERE = dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"))


def test_an_error_in_the_users_module_is_a_short_traceback_of_their_own(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "models.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "app.py").write_text("import models\n")
    result = run("explain", "app:router")
    assert result.returncode == 1
    assert re.findall('File "(.+?)"', result.stderr) == [
        str(tmp_path / "app.py"),
        str(tmp_path / "models.py"),
    ]
    assert "No module named 'nothing_of_that_name'" in result.stderr
    assert result.stderr.endswith("Error: app cannot be imported: ModuleNotFoundError\n")


def test_a_syntax_error_is_shown_with_its_line_and_nothing_of_ours(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("router = )\n")
    result = run("filters", "app:router")
    assert result.returncode == 1
    assert "router = )" in result.stderr
    assert "importlib" not in result.stderr
    assert "ddbstream/" not in result.stderr


def test_a_traceback_keeps_frames_of_ours_where_there_are_no_others() -> None:
    try:
        dumps({"a": _Unprintable()})
    except ZeroDivisionError as error:
        shown = short_traceback(error)
    assert "test_manners.py" in shown
    assert "_json.py" not in shown


class _Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


@posix
@pytest.mark.parametrize("command", [["decode"], ["explain", "ddbstream:default_router"]])
def test_ctrl_c_ends_a_command_that_reads_with_130(command: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ddbstream", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write('{"Item": {"a": {"S": "x"}}}\n')
    process.stdin.flush()
    assert process.stdout.readline()  # it waits for more
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "stopped\n")


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")], ids=["NO_COLOR", "dumb"]
)
@posix
def test_without_colour_a_terminal_gets_plain_text(
    on_a_terminal: Callable[..., str], tmp_path: Path, variable: str, value: str
) -> None:
    (tmp_path / "items.json").write_text('{"Item": {"name": {"S": "x"}}}')
    seen = on_a_terminal("decode", "items.json", env={variable: value}, columns=80)
    assert seen == '{"name": "x"}\r\n'


@posix
def test_json_on_a_terminal_is_coloured_and_indented_where_it_is_long(
    on_a_terminal: Callable[..., str], tmp_path: Path
) -> None:
    item = {f"attribute_{number}": {"N": str(number)} for number in range(9)}
    (tmp_path / "items.json").write_text(json.dumps({"Item": item}))
    seen = on_a_terminal("decode", "items.json", columns=80)
    assert "\x1b[" in seen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen).replace("\r", "")
    assert plain.startswith('{\n  "attribute_0": 0,\n')
    assert json.loads(plain) == {f"attribute_{number}": number for number in range(9)}


def test_nested_json_is_indented_as_the_standard_library_does() -> None:
    value = {"a": [1, {"b": []}, {}], "c": {"d": None}}
    assert dumps(value, indented=True) == json.dumps(value, indent=2)
    assert dumps(value) == json.dumps(value)


def test_one_is_no_plural() -> None:
    assert [plural(count, "shard") for count in (0, 1, 1024)] == [
        "0 shards",
        "1 shard",
        "1,024 shards",
    ]
    assert [plural(count, "retry") for count in (1, 2)] == ["1 retry", "2 retries"]
    assert plural(2, "key") == "2 keys"


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "config").write_text("[profile shop]\nregion = eu-west-3\n")
    (tmp_path / "credentials").write_text(
        "[shop]\naws_access_key_id = AKIASHOP\naws_secret_access_key = secret\n"
    )
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECRET_ACCESS_KEY": "other",
    }
    with environment(files):
        yield


def test_a_profile_has_its_region_and_its_credentials_before_the_environments(
    configured: None,
) -> None:
    with use_profile("shop"):
        session = boto3.Session()
        credentials = session.get_credentials()
        assert credentials is not None
        assert (session.region_name, credentials.access_key) == ("eu-west-3", "AKIASHOP")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIAOTHER"
    assert "AWS_PROFILE" not in os.environ


OF_AWS = [
    ["demo"],
    ["tail", "Product"],
    ["poll", "ddbstream:default_router", "Product", "--checkpoints", "x.db"],
    ["streams", "list"],
    ["streams", "describe", "Product"],
    ["streams", "enable", "Product"],
    ["streams", "disable", "Product"],
    ["doctor"],
    ["dev", "app:router"],
    ["export", "load", "ddbstream:default_router", "s3://a/b"],
    ["export", "backfill", "ddbstream:default_router", "Product"],
    ["replay", "ddbstream:default_router", "x.json"],
    ["infer", "Product"],
    ["check", "ddbstream:default_router", "Product"],
]


@pytest.mark.parametrize("command", OF_AWS, ids=" ".join)
def test_every_command_that_asks_aws_takes_a_profile(command: list[str]) -> None:
    with cli.make_context("ddbstream", ["--help"], resilient_parsing=True) as context:
        found: click.Command | None = cli
        for word in command[: 2 if command[0] in ("export", "streams") else 1]:
            assert isinstance(found, click.Group)
            found = found.get_command(context, word)
    assert found is not None
    assert any("--profile" in parameter.opts for parameter in found.params)


def test_a_profile_that_is_not_there_is_told_with_what_lists_them(configured: None) -> None:
    result = CliRunner().invoke(cli, ["streams", "Product", "--profile", "shpo"])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The config profile (shpo) could not be found: "
        "`aws configure list-profiles` lists those that there are\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "streams Product",
        "tail Product",
        "poll app:router Product --checkpoints x.db",
        "infer Product",
        "export backfill app:router Product",
        "doctor Product",
        "demo",
    ],
)
def test_an_endpoint_that_is_no_url_is_told_with_one_that_is(
    run: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "app.py").write_text(NAMED)
    region = {"AWS_DEFAULT_REGION": "us-east-1"}
    result = run(*command.split(), "--endpoint-url", "localhost:8000", env=region)
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert said == (
        "Error: Invalid endpoint: localhost:8000: a URL is wanted, as http://localhost:8000"
    )


def refused(code: str) -> Exception:
    errors = pytest.importorskip("botocore.exceptions")
    error: Exception = errors.ClientError({"Error": {"Code": code, "Message": "no."}}, "Scan")
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (refused("ExpiredTokenException"), "aws sso login"),
        (refused("AccessDeniedException"), "--profile"),
        (refused("ResourceNotFoundException"), "--region"),
        (refused("SomethingElse"), "no."),
        (
            StreamNotFoundError("the table 'Product' has no stream"),
            "aws dynamodb update-table --table-name Product --stream-specification Stream",
        ),
        (StreamNotFoundError("there is no table 'Product'"), "--region"),
    ],
)
def test_an_error_names_its_remedy(error: Exception, remedy: str) -> None:
    said = in_words(error)
    assert said.endswith(remedy) or remedy in said
    assert "\n" not in said


@pytest.mark.parametrize("command", [["tail", "Product"], ["streams", "Product"]])
def test_without_a_region_it_says_how_to_give_one(run: Run, command: list[str]) -> None:
    result = run(*command)
    assert result.returncode == 1
    assert "--region" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["tail", "Product", "--once"], ["streams", "Product"]])
def test_without_credentials_it_says_how_to_give_some(run: Run, command: list[str]) -> None:
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    result = run(*command, "--region", "eu-west-1", env=nothing)
    assert result.returncode == 1
    assert "--profile" in result.stderr
    assert result.stderr.count("\n") == 1
