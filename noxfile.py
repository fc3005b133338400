"""The tests on each supported Python: ``python3 dev.py matrix``, or ``nox`` where there is one."""

from __future__ import annotations

import os

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"  # what a run tests is what the machine has
nox.options.sessions = ["tests", "lint"]
# In CI a Python that is missing is a failure; on a laptop it is a skip that nox shows.
nox.options.error_on_missing_interpreters = bool(os.environ.get("CI"))


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the tests; more arguments go to pytest."""
    session.install("--require-hashes", "-r", "requirements/test.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, import-linter, four type checkers and cfn-lint."""
    session.run("python", "dev.py", "lint", external=True)


@nox.session(python="3.10")
def lowest(session: nox.Session) -> None:
    """Run the tests on the oldest versions that the extras promise to work with."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    promised = {package for name in ("poller", "cli", "testing") for package in extras[name]}
    session.install("--require-hashes", "-r", "requirements/test.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.install(*sorted(package.replace(">=", "==") for package in promised))
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)
