"""Every block of the README, of ``docs/`` and of the examples' READMEs does what it says.

A document is one story: its Python blocks run in order, in one namespace, against moto. Its other
blocks are for a shell (``bash``), which runs them, or data (``json``, ``yaml``), which must parse;
``output`` is what the blocks above it have printed; ``text`` is anything else. What cannot
run says why, in a comment above it that no reader sees::

    <!--- skip: next "needs an AWS account" -->

and what a story needs but its reader does not::

    <!--- invisible-code-block: python
    from documents import demo_table
    -->
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import pytest

sybil = pytest.importorskip("sybil")
pytest.importorskip("moto")
from moto import mock_aws  # noqa: E402
from sybil.parsers.markdown import (  # noqa: E402
    CodeBlockParser,
    PythonCodeBlockParser,
    SkipParser,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Example

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
LANGUAGES = {"{eval-rst}", "python", "output", "bash", "json", "yaml", "text"}


def run_shell(example: Example) -> None:
    for command in example.parsed.strip().splitlines():
        if shell := stand_in(command):
            done = subprocess.run(shell, check=False, timeout=60, capture_output=True, text=True)
            where = f"{example.path}, line {example.line}: {command}"
            assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"
            sys.stdout.write(done.stdout)  # for the block with the output


def stand_in(command: str) -> list[str] | None:
    """The command to run for one of a document: the same, in the environment that the tests run in.

    ``dev.py`` and ``pip install`` would make or change an environment; what they come to is run
    instead, and tests/house has the rest.
    """
    if command == "python3 dev.py test":
        return [sys.executable, "-m", "pytest", "--collect-only", "-q", str(Path(__file__).parent)]
    if match := re.fullmatch(r"python3 dev\.py (demo.*)", command):
        return [sys.executable, "-m", "ddbstream", *match[1].split()]
    if match := re.fullmatch(r'pip install "?ddbstream(\[\w+\])?"?', command):
        assert_extra_exists((match[1] or "").strip("[]"))
        return None
    ours = f'ddbstream() {{ "{sys.executable}" -m ddbstream "$@"; }}'
    return [shutil.which("bash") or "bash", "-c", f"set -euo pipefail; {ours}; {command}"]


def assert_extra_exists(extra: str) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]\n")[2].partition("\n[project.")[0]
    assert not extra or f"\n{extra} = [" in f"\n{extras}"


def compare_output(example: Example) -> None:
    assert example.namespace["printed"]() == example.parsed


def parse_json(example: Example) -> None:
    json.loads(example.parsed)


def parse_yaml(example: Example) -> None:
    pytest.importorskip("yaml").safe_load(example.parsed)


PARSERS = [
    PythonCodeBlockParser(),
    CodeBlockParser("output", compare_output),
    CodeBlockParser("bash", run_shell),
    CodeBlockParser("json", parse_json),
    CodeBlockParser("yaml", parse_yaml),
    SkipParser(),
]


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder, a DynamoDB and a shell of its own for each document."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")  # moto has no such hosts
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    started: list[Any] = []

    def recorded(*arguments: Any, **options: Any) -> Any:
        mock = mock_aws(*arguments, **options)
        start, stop = mock.start, mock.stop
        mock.start = lambda *each, **named: (started.append(mock), start(*each, **named))
        mock.stop = lambda: (started.remove(mock), stop())
        return mock

    # A reader's script may leave moto running; the tests after this one must not find its tables.
    monkeypatch.setattr("moto.mock_aws", recorded)
    with mock_aws():
        yield
        for mock in [*started]:
            mock.stop()
    # Another document's `shop.py` is another module.
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(p.relative_to(ROOT)) for p in DOCUMENTS])
def test_every_block_of_the_document_runs(
    path: Path, story: None, capsys: pytest.CaptureFixture[str]
) -> None:
    document = sybil.Sybil(PARSERS).parse(path)
    # Classes and functions of a block belong to a module; it is this document's.
    document.namespace["__name__"] = "__document__"
    document.namespace["printed"] = lambda: capsys.readouterr().out
    for example in document.examples():
        with contextlib.suppress(SkipTest):
            example.evaluate()


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(p.relative_to(ROOT)) for p in DOCUMENTS])
def test_every_block_of_the_document_says_what_it_is(path: Path) -> None:
    fences = re.findall(r"^[ ]*```(.*)$", path.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert set(fences[::2]) <= LANGUAGES


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(p.relative_to(ROOT)) for p in DOCUMENTS])
def test_every_link_of_the_document_to_a_file_of_the_project_finds_it(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), target


def test_the_readme_shows_the_commands_that_a_new_user_needs() -> None:
    text = (ROOT / "README.md").read_text()
    for command in (
        "python3 dev.py demo",
        "python3 dev.py test",
        "pip install ddbstream",
        'pip install "ddbstream[poller]"',
    ):
        assert f"```bash\n{command}\n```" in text
