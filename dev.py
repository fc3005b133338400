#!/usr/bin/env python3
"""The one command for contributors. It needs Python 3.10 or newer and nothing else.

    python3 dev.py demo [ARG ...]          what ddbstream does, on this machine, without AWS
    python3 dev.py test [PYTEST ARG ...]   the tests
    python3 dev.py strict [TEST ...]       the suite's core under -bb -X dev -W error, and under -OO
    python3 dev.py coverage [PYTEST ARG ...]   the branches of the core that no test takes: none
    python3 dev.py lint                    ruff, import-linter, four type checkers, cfn-lint
    python3 dev.py docs [SPHINX ARG ...]   the documentation site, into .cache/docs/
    python3 dev.py dist                    a wheel and an sdist into dist/, checked and tried out
    python3 dev.py bench [NAME] [ARG ...]  the programs in bench/, or one of them
    python3 dev.py fuzz [NAME] [ARG ...]   the programs in fuzz/, or one of them
    python3 dev.py matrix [NOX ARG ...] [-- PYTEST ARG ...]   the tests on every Python there is
    python3 dev.py lock [UV ARG ...]       write requirements/*.txt anew (--upgrade for newer ones)

Each command first makes the virtual environment that it needs, in .cache/venv/, from the hashed
lock in requirements/, and makes it anew when that lock changes. A .venv of your own stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCKS = ROOT / "requirements"
VENVS = ROOT / ".cache" / "venv"
OLDEST = "3.10"


def main(arguments: list[str]) -> int:
    """Run the command that ``arguments`` start with; the exit code is the tool's own."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this is what tells the user
        return _fail(f"ddbstream needs Python 3.10 or newer; this is {sys.version.split()[0]}")
    commands = {
        "demo": demo,
        "test": test,
        "strict": strict,
        "coverage": coverage,
        "lint": lint,
        "docs": docs,
        "dist": dist,
        "bench": bench,
        "fuzz": fuzz,
        "matrix": matrix,
        "lock": lock,
    }
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        asked_for_help = arguments[:1] in (["-h"], ["--help"], ["help"])
        return 0 if asked_for_help else 2
    try:
        return commands[arguments[0]](arguments[1:])
    except subprocess.CalledProcessError as error:
        return _fail(f"{' '.join(map(str, error.cmd[:6]))} … failed ({error.returncode})")
    except KeyboardInterrupt:
        return 130


def demo(arguments: list[str]) -> int:
    """Run ``ddbstream demo`` as a user would, with the packages of the ``demo`` extra alone."""
    return _run([_environment("demo") / "python", "-m", "ddbstream", "demo", *arguments])


def test(arguments: list[str]) -> int:
    """Run pytest; over every core unless the arguments choose files, workers or a debugger."""
    chosen = any(
        not argument.startswith("-") and Path(argument.split("::")[0]).exists()
        for argument in arguments
    )
    alone = chosen or any(
        argument.startswith(("-n", "--numprocesses", "--pdb", "--trace", "-p", "-s"))
        for argument in arguments
    )
    workers = [] if alone else ["-n", "auto", "--dist", "worksteal"]
    return _run([_environment("dev") / "python", "-m", "pytest", *workers, *arguments])


def strict(arguments: list[str]) -> int:
    """Run the suite's core with Python at its strictest, and without asserts and docstrings.

    The core is what reads and routes records: all that works with the standard library alone. Of
    each property there are ten examples; the tests themselves run on more.
    """
    python = _environment("dev") / "python"
    unit = ROOT / "tests" / "unit"
    parts = ("", "wire/", "diff/", "router/", "replay/", "export/")
    tests = [path for part in parts for path in sorted(unit.glob(f"{part}test_*.py"))]
    core = [path for path in tests if path.stem not in _NOT_STRICT]
    # Without asserts and docstrings less can differ: what has no folder, and the wire forms.
    without = [path for path in core if path.parent.name in ("unit", "wire")]
    worst = 0
    for how, quiet, chosen in (
        # Hypothesis compares what it keeps of bytes and of texts.
        (
            ["-bb", "-X", "dev", "-W", "error"],
            "ignore::BytesWarning:hypothesis.internal.cache",
            core,
        ),
        # Without asserts pytest warns that those outside of test modules do nothing.
        (["-OO"], "ignore::pytest.PytestConfigWarning", without),
    ):
        print(f"--- python {' '.join(how)}", flush=True)
        start = time.monotonic()
        command: list[str | Path] = [python, *how, "-m", "pytest", "-q", "-W", quiet]
        command += ["-m", "not slow and not dynamodb_local", *(arguments or chosen)]
        worst = max(worst, _run(command, {**os.environ, "HYPOTHESIS_PROFILE": "quick"}))
        print(f"    {time.monotonic() - start:.1f} s", flush=True)
    return worst


#: What takes long, and is not about what Python is strict about: simulations, sizes and times.
_NOT_STRICT = {"test_kinesis_order", "test_costs", "test_files", "test_load", "test_backfill"}


def coverage(arguments: list[str]) -> int:
    """Run the core's tests, and fail unless they take every branch of it.

    ``[tool.coverage.*]`` in pyproject.toml says what the core is. The tests draw the same examples
    every time, and no random ones: a branch is taken by the tests, and not by luck. The simulator
    plays a fifth of its worlds.
    """
    python = _environment("dev") / "python"
    tests = [ROOT / "tests" / path for path in _COVERING]
    shutil.rmtree(ROOT / ".cache" / "coverage", ignore_errors=True)
    measured: list[str | Path] = [python, "-m", "coverage"]
    command = [*measured, "run", "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal"]
    command += ["-m", "not slow and not dynamodb_local", *arguments, *tests]
    for path in _NOT_COVERING:
        command.append(f"--deselect={path}")
    environment = {
        **os.environ,
        "DDBSTREAM_SIMULATION_SEEDS": "60",
        "HYPOTHESIS_PROFILE": "repeatable",
    }
    if code := _run(command, environment):
        return code
    return _run([*measured, "combine", "-q"]) or _run([*measured, "report"])


#: The tests of the core, that is of what `[tool.coverage.run]` names.
_COVERING = (
    *("unit/model", "unit/diff", "unit/wire", "unit/router", "unit/poller"),
    *("unit/test_attribute_value.py", "unit/test_callables.py", "unit/test_creation_time.py"),
    *("unit/test_kinesis_order.py", "unit/test_outside_bytes.py", "unit/test_printable.py"),
    *("unit/test_records.py", "unit/test_traits.py", "unit/test_wire_form.py"),
    *("unit/test_wrong_numbers.py", "property/test_roads.py"),
    "stateful/test_poller_simulation.py",
)

#: Those among them that take long: others take the same branches.
_NOT_COVERING = (
    "tests/unit/diff/test_costs.py",  # it traces what it counts, and coverage sees nothing then
    "tests/unit/poller/test_broken_pollers.py",
    "tests/unit/poller/test_faults.py::test_ten_thousand_shards_are_listed_within_the_budget_and_read",
    "tests/unit/poller/test_sharing.py::TestCalls::test_many_idle_shards_share_a_few_calls_a_second",
    "tests/unit/router/test_event_source_mapping.py",
    "tests/stateful/test_poller_simulation.py::test_the_worlds_have_the_troubles_they_are_for",
    "tests/stateful/test_poller_simulation.py::test_each_broken_poller_is_caught",
)


def lint(arguments: list[str]) -> int:
    """Run every checker, also after one has failed, and say which did."""
    bin_ = _environment("dev")
    templates = sorted((ROOT / "examples").glob("**/template.y*ml"))
    checks: dict[str, list[str | Path]] = {
        "ruff check": [bin_ / "ruff", "check", "--output-format", "concise", "."],
        "ruff format": [bin_ / "ruff", "format", "--check", "."],
        "import-linter": [bin_ / "lint-imports", "--no-cache"],
        "mypy": [bin_ / "mypy"],
        "pyright": [bin_ / "pyright", "--pythonpath", bin_ / "python"],
        # Young ones: what users see with them, and not yet the whole project.
        "ty": [bin_ / "ty", "check", "--python", bin_ / "python", "typing_tests"],
        "pyrefly": [
            bin_ / "pyrefly",
            "check",
            "--python-interpreter-path",
            bin_ / "python",
            "typing_tests",
        ],
    }
    if templates:
        checks["cfn-lint"] = [bin_ / "cfn-lint", *templates]
    failed = []
    for name, command in checks.items():
        if arguments and name.split()[0] not in arguments and name not in arguments:
            continue
        print(f"--- {name}", flush=True)
        start = time.monotonic()
        if _run(command):
            failed.append(name)
        print(f"    {time.monotonic() - start:.1f} s", flush=True)
    return _fail(f"lint: {', '.join(failed)} failed") if failed else 0


def docs(arguments: list[str]) -> int:
    """Build the documentation site, a warning being an error, and follow every link inside it."""
    python, site = _environment("docs") / "python", ROOT / ".cache" / "docs"
    strict: list[str | Path] = ["-n", "-W", "--keep-going", "-q", "-b", "html"]
    sphinx = [python, "-m", "sphinx", *strict, "-d", f"{site}.doctrees", *arguments]
    check: list[str | Path] = [python, ROOT / "docs" / "_extensions" / "check_links.py", site]
    if code := _run([*sphinx, ROOT / "docs", site]) or _run(check):
        return code
    print(f"Open {site / 'index.html'}")
    return 0


def dist(arguments: list[str]) -> int:
    """Build a release, and try it as a user gets it."""
    return _run([_environment("release") / "python", ROOT / ".ci" / "check_dist.py", *arguments])


def bench(arguments: list[str]) -> int:
    """Run the programs in ``bench/``."""
    return _programs("bench", arguments)


def fuzz(arguments: list[str]) -> int:
    """Run the programs in ``fuzz/``."""
    return _programs("fuzz", arguments)


def matrix(arguments: list[str]) -> int:
    """Run nox, whose sessions are the supported Pythons; arguments after ``--`` are pytest's."""
    environment = dict(os.environ)
    if pyenv := shutil.which("pyenv"):
        # pyenv's python3.X commands answer only for the versions that are switched on, and this
        # very process may have come from one that switched on its own version alone.
        listed = subprocess.run(
            [pyenv, "versions", "--bare"], capture_output=True, text=True, check=False
        ).stdout.split()
        ours = [name for name in listed if re.match(r"3\.1[0-3]\.\d+$", name)]
        on = [name for name in environment.get("PYENV_VERSION", "").split(":") if name]
        environment["PYENV_VERSION"] = ":".join(dict.fromkeys(on + ours))
    nox: list[str | Path] = [
        _environment("dev") / "nox",
        "--session",
        "tests",
        "lowest",
        *arguments,
    ]
    return _run(nox, environment)


def lock(arguments: list[str]) -> int:
    """Resolve the groups of pyproject.toml, for every supported Python at once, with hashes."""
    uv = _environment("dev") / "uv"
    # The larger one first: the others then take the same versions.
    for group in ("dev", "test", "demo", "docs", "release"):
        output = LOCKS / f"{group}.txt"
        command: list[str | Path] = [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--generate-hashes",
        ]
        command += ["--python-version", OLDEST, "--no-annotate"]
        command += ["--group", f"pyproject.toml:{group}", "--output-file", output]
        command += ["--custom-compile-command", "python3 dev.py lock"]
        if group not in {
            "dev",
            "docs",
            "release",
        }:  # Sphinx's tools want other versions on Python 3.10
            command += ["--constraints", LOCKS / "dev.txt"]
        subprocess.run([*command, *arguments], cwd=ROOT, check=True)
        if "://" in output.read_text(encoding="utf-8"):
            return _fail(f"{output.name} names the host of a package index; take that line out")
    return 0


def _programs(folder: str, arguments: list[str]) -> int:
    programs = {
        path.stem: path
        for path in sorted((ROOT / folder).glob("*.py"))
        if not path.stem.startswith("_")
    }
    if not programs:
        return _fail(f"there is nothing in {folder}/")
    if arguments and arguments[0] in programs:
        programs = {arguments[0]: programs[arguments[0]]}
        arguments = arguments[1:]
    python = _environment("dev") / "python"
    worst = 0
    for path in programs.values():
        print(f"--- {path.relative_to(ROOT)}", flush=True)
        worst = max(worst, _run([python, path, *arguments]))
    return worst


def _environment(kind: str) -> Path:
    """The folder of commands of the virtual environment for ``requirements/<kind>.txt``."""
    locked = LOCKS / f"{kind}.txt"
    home = VENVS / f"{kind}-{sys.version_info.major}.{sys.version_info.minor}"
    bin_ = home / ("Scripts" if os.name == "nt" else "bin")
    python = bin_ / ("python.exe" if os.name == "nt" else "python")
    packages = f"{sys.version} {sys.base_prefix} {locked.read_text(encoding='utf-8')}"
    project = f"{ROOT} {(ROOT / 'pyproject.toml').read_text(encoding='utf-8')}"  # its commands
    steps: list[tuple[str, str, list[str | Path]]] = [
        ("packages", packages, ["--require-hashes", "-r", locked]),
        # Without build isolation, since hatchling is in the lock too.
        ("project", project, ["--no-deps", "--no-build-isolation", "--editable", ROOT]),
    ]
    for name, made_from, what in steps:
        stamp = home / f"{name}.sha256"
        digest = hashlib.sha256(made_from.encode()).hexdigest()
        if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
            continue
        if name == "packages":
            print(f"Making {home.relative_to(ROOT)} from {locked.relative_to(ROOT)} …", flush=True)
            _make_venv(home)
        environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        command = [*_installer(python), "-qq", *what]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        stamp.write_text(digest, encoding="utf-8")
    return bin_


def _make_venv(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    venv: list[str | Path] = [sys.executable, "-m", "venv"]
    if subprocess.run([*venv, home], capture_output=True, check=False).returncode:
        # Debian and Ubuntu keep ensurepip in a package of its own. Without it there may still be a
        # pip that installs into another environment, or uv.
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([*venv, "--without-pip", home], check=True)


def _installer(python: Path) -> list[str | Path]:
    """What installs packages for ``python``: uv, which takes a tenth of the time, or a pip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", python]
    for pip in (
        [python, "-m", "pip"],
        [sys.executable, "-m", "pip", "--python", str(python)],
    ):
        if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
            return [*pip, "install"]
    raise SystemExit(
        "dev.py: this Python has no pip, and cannot put one into a virtual environment. On Debian "
        "and Ubuntu `apt install python3-venv` mends that; so does installing uv."
    )


def _run(command: list[str | Path], environment: dict[str, str] | None = None) -> int:
    """Run ``command`` in the project's folder, on this terminal; its exit code."""
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # noqa: PERF203 - no hot loop
                continue  # the terminal told the child too, and how it ends is its own affair


def _fail(message: str) -> int:
    print(f"dev.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
