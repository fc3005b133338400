"""The command itself: its help, its version, and what it says where something is not installed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ddbstream.cli
from ddbstream import __version__

pytest.importorskip("click")
from click.testing import CliRunner

from ddbstream.cli._app import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = [
    "demo",
    "decode",
    "diff",
    "invoke",
    "streams",
    "tail",
    "poll",
    "dev",
    "replay",
    "export",
    "filters",
    "explain",
    "doctor",
    "infer",
    "check",
    "kcl",
]


def without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process that cannot import ``module``."""
    program = (
        "import sys; sys.modules[sys.argv[1]] = None; sys.argv = ['ddbstream', *sys.argv[2:]]; "
        "from ddbstream.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, module, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )


def test_the_version_is_the_packages() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert result.output == f"ddbstream {__version__}\n"


def test_help_lists_every_command_with_a_line_about_it() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    listed = [line.split() for line in result.output.partition("Commands:")[2].splitlines()]
    assert [words[0] for words in listed if words] == COMMANDS
    assert all(len(words) > 3 for words in listed if words)


@pytest.mark.parametrize("group", [[], ["streams"], ["export"], ["filters"], ["kcl"]])
def test_no_line_about_a_command_is_cut_off(group: list[str]) -> None:
    result = CliRunner().invoke(cli, [*group, "--help"])
    lines = result.output.partition("Commands:\n")[2].splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("...")]
    assert all(line[:2] == "  " != line[2:4] for line in lines)  # none goes on in a second


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "-h"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: cli {command} ")


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(cli, ["dance"])
    assert result.exit_code == 2
    assert "No such command 'dance'" in result.output


def test_python_m_is_the_same_command(run: Run) -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"ddbstream {__version__}\n")


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_click_or_rich_it_says_in_one_line_what_to_install(module: str) -> None:
    result = without(module, "--version")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f'ddbstream: the command line needs {module}: pip install "ddbstream[cli]"\n'
    )


def test_without_moto_the_demo_says_in_one_line_what_to_install() -> None:
    result = without("moto", "demo")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "Error: an embedded DynamoDB (without --endpoint-url) needs moto: "
        'pip install "ddbstream[demo]"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["demo"], "demo"),
        (["streams"], "cli"),
        (["tail", "Product"], "cli"),
        (["poll", "json:loads", "Product", "--checkpoints", "x.db"], "poller"),
        (["export", "load", "ddbstream:default_router", "s3://exports/daily"], "cli"),
        (["export", "backfill", "ddbstream:default_router", "Product"], "cli"),
    ],
)
def test_without_boto3_a_command_that_needs_it_says_what_to_install(
    arguments: list[str], extra: str
) -> None:
    result = without("boto3", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f'needs boto3: pip install "ddbstream[{extra}]"' in result.stderr


@pytest.mark.parametrize(
    ("statement", "module", "extra"),
    [
        ("import ddbstream.testing.strategies", "hypothesis", "testing"),
        ("import ddbstream.kcl", "msgspec", "kcl"),
        ("from ddbstream.dead_letters import SQSSink; SQSSink('https://q')({})", "boto3", "poller"),
        (
            "from ddbstream.kinesis import DynamoDBNewest; DynamoDBNewest('t').load(['a'])",
            "boto3",
            "poller",
        ),
    ],
)
def test_a_module_without_its_extra_says_which_to_install(
    statement: str, module: str, extra: str
) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; {statement}"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.stderr.splitlines()[-1].endswith(
        f' needs {module}: pip install "ddbstream[{extra}]"'
    )


def test_decode_and_invoke_need_no_boto3() -> None:
    for command in ("decode", "invoke"):
        assert without("boto3", command, "--help").returncode == 0


def test_ctrl_c_while_the_commands_are_loaded_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ddbstream.cli, "import_module", interrupted)
    with pytest.raises(SystemExit) as ended:
        ddbstream.cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_a_broken_installation_is_not_called_a_missing_dependency() -> None:
    result = without("ddbstream.cli._app", "--version")
    assert "ModuleNotFoundError" in result.stderr
    assert "pip install" not in result.stderr


def test_a_broken_dependency_is_not_called_a_missing_one() -> None:
    program = (
        "import sys; sys.modules['requests'] = None; sys.argv = ['ddbstream', 'demo']; "
        "from ddbstream.cli import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=30
    )
    assert "ModuleNotFoundError" in result.stderr
    assert "pip install" not in result.stderr
