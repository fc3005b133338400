"""``dev.py`` makes an environment once, anew when its lock changes, and says what is missing."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import dev

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stands in scripts for programs")


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose locks say little, on a machine whose pip only notes what it is told."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "test.txt").write_text("one==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "LOCKS", tmp_path / "requirements")
    monkeypatch.setattr(dev, "VENVS", tmp_path / "venv")
    (tmp_path / "pip").write_text(f'echo "$*" >> {tmp_path}/installed')

    def make(home: Path) -> None:
        shutil.rmtree(home, ignore_errors=True)
        script(home / "bin" / "python", f'case "$*" in *--version*) ;; *) . {tmp_path}/pip ;; esac')

    monkeypatch.setattr(dev, "_make_venv", make)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without uv
    return tmp_path


def installed(project: Path) -> list[str]:
    return (project / "installed").read_text().splitlines()


def test_an_environment_is_made_from_hashes_and_only_once(project: Path):
    first = dev._environment("test")
    assert dev._environment("test") == first
    locked, itself = installed(project)
    assert f"--require-hashes -r {project}/requirements/test.txt" in locked
    assert f"--no-deps --no-build-isolation --editable {project}" in itself


def test_an_environment_is_made_anew_when_its_lock_changes(project: Path):
    dev._environment("test")
    (project / "requirements" / "test.txt").write_text("two==2\n")
    dev._environment("test")
    assert len(installed(project)) == 4


def test_a_change_of_the_projects_metadata_installs_only_the_project(project: Path):
    dev._environment("test")
    (project / "pyproject.toml").write_text("[project]\n")
    dev._environment("test")
    assert len(installed(project)) == 3
    assert "--editable" in installed(project)[-1]


def test_an_environment_that_could_not_be_finished_is_not_taken_for_one(project: Path):
    (project / "pip").write_text("exit 1")
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError):
            dev._environment("test")


def test_a_python_that_cannot_install_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python = script(tmp_path / "python3", "exit 1")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="python3-venv"):
        dev._installer(python)


def test_where_there_is_uv_it_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    uv = script(tmp_path / "uv", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    python = tmp_path / "python"
    assert dev._installer(python) == [str(uv), "pip", "install", "--python", python]


def test_without_ensurepip_another_pip_installs_into_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python = script(
        tmp_path / "python3",
        'case "$*" in *--without-pip*|*--python*--version*) exit 0;; *) exit 1;; esac',
    )
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    dev._make_venv(tmp_path / "home")
    made = script(tmp_path / "home" / "bin" / "python", "exit 1")
    assert dev._installer(made) == [str(python), "-m", "pip", "--python", str(made), "install"]


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["tset"], 2), (["--help"], 0)])
def test_what_it_does_not_know_is_answered_with_what_it_does(arguments: list[str], code: int):
    done = subprocess.run(
        [sys.executable, ROOT / "dev.py", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "python3 dev.py test" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "parallel"),
    [
        ([], True),
        (["-q", "-k", "router"], True),
        (["tests/house/test_dev.py::test_x"], False),
        (["--pdb"], False),
        (["-n", "0"], False),
    ],
)
def test_the_whole_suite_takes_every_core_and_a_chosen_file_does_not(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], parallel: bool
):
    ran: list[list[object]] = []
    monkeypatch.setattr(dev, "_environment", lambda kind: Path("bin"))
    monkeypatch.setattr(dev, "_run", lambda command: ran.append(command) or 0)
    monkeypatch.chdir(ROOT)
    dev.test(arguments)
    assert (ran[0][3:5] == ["-n", "auto"]) is parallel


def test_the_exit_code_is_the_tools_own(monkeypatch: pytest.MonkeyPatch):
    assert dev._run([sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_the_tests_that_are_measured_are_there():
    assert {ROOT / "tests" / path for path in dev._COVERING} <= set((ROOT / "tests").rglob("*"))
    for path in dev._NOT_COVERING:
        file, *names = path.split("::")
        text = (ROOT / file).read_text()
        assert all(re.search(rf"^ *(def|class) {name}\b", text, re.MULTILINE) for name in names)


@pytest.mark.parametrize(("tests", "report", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 2)])
def test_coverage_fails_where_a_test_or_a_branch_is_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch, tests: int, report: int, code: int
):
    codes = {"run": tests, "combine": 0, "report": report}
    ran: list[list[object]] = []
    monkeypatch.setattr(dev, "_environment", lambda kind: Path("bin"))
    monkeypatch.setattr(
        dev, "_run", lambda command, environment=None: ran.append(command) or codes[command[3]]
    )
    assert dev.coverage(["-x"]) == code
    assert [command[3] for command in ran] == list(codes)[: 1 if tests else 3]
    assert "-x" in ran[0]
