"""What the tests of the command line share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run("decode", "--json", stdin="…", env={…})``: the command in a process of its own."""

    def run(
        *arguments: str, stdin: str = "", env: dict[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ddbstream", *arguments],
            input=stdin,
            env={**os.environ, **(env or {})},
            cwd=tmp_path,
            capture_output=True,
            check=False,
            text=True,
            timeout=timeout,
        )

    return run


def lines(text: str) -> list[Any]:
    """NDJSON, each number as the text that it was written as."""
    return [json.loads(line, parse_float=str, parse_int=str) for line in text.splitlines()]
