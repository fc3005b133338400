"""Python 3.14 evaluates annotations late; models are read there as anywhere.

There is no 3.14 on every machine, but npm has one: Pyodide, CPython for WebAssembly. It is fetched
when first needed, into ``.cache/`` (ignored by git). ``DDBSTREAM_PYODIDE`` names a folder that
holds it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.missing import missing

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("python_314")
PACKAGE = "pyodide@314.0.7"
CACHE = ROOT / ".cache" / "pyodide" / "314.0.7"


def fetch() -> Path:
    """The folder of the npm package, fetched the first time."""
    if given := os.environ.get("DDBSTREAM_PYODIDE"):
        return Path(given)
    found = CACHE / "node_modules" / "pyodide"
    if not (found / "pyodide.mjs").exists():
        npm = shutil.which("npm")
        if npm is None:
            missing("Pyodide is fetched with npm, which is not on the PATH")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), PACKAGE]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            missing(f"npm could not fetch {PACKAGE}: {done.stderr[-500:]}")
    return found


@pytest.mark.slow
def test_deferred_annotations_are_evaluated_when_a_model_is_bound() -> None:
    node = shutil.which("node")
    if node is None:
        missing("Pyodide runs in node, which is not on the PATH")
    done = subprocess.run(
        [node, SCRIPTS / "run.mjs", fetch(), ROOT / "src", SCRIPTS, "deferred_annotations.py.txt"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "deferred annotations: ok" in done.stdout
