"""What the tests of the command line share."""

from __future__ import annotations

import json
import os
import select
import signal
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


@pytest.fixture
def on_a_terminal(tmp_path: Path) -> Callable[..., str]:
    """``on_a_terminal("demo")``: the command on a pseudo-terminal; all that it wrote there.

    ``columns=80``, ``env={…}``, ``code=1`` for the exit code that it has to have, ``until="…"`` for
    a text upon which it gets Ctrl-C.
    """

    def on_a_terminal(
        *arguments: str,
        columns: int = 150,
        env: dict[str, str] | None = None,
        code: int = 0,
        until: str | None = None,
    ) -> str:
        import pty

        here, there = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
        environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "ddbstream", *arguments]
        with subprocess.Popen(
            command,
            stdin=there,
            stdout=there,
            stderr=there,
            cwd=tmp_path,
            env={**environment, **(env or {})},
            close_fds=True,
        ) as process:
            os.close(there)
            seen, interrupted = b"", False
            while select.select([here], [], [], 60)[0]:
                try:
                    chunk = os.read(here, 65536)
                except OSError:  # Linux's way to say that the other side has closed
                    break
                if not chunk:
                    break
                seen += chunk
                if until is not None and until.encode() in seen and not interrupted:
                    interrupted = True
                    process.send_signal(signal.SIGINT)
            os.close(here)
        assert process.returncode == code, seen
        return seen.decode()

    return on_a_terminal


def lines(text: str) -> list[Any]:
    """NDJSON, each number as the text that it was written as."""
    return [json.loads(line, parse_float=str, parse_int=str) for line in text.splitlines()]
