"""A child process that is started anew when Python files change."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ddbstream.cli._signals import Stop
from ddbstream.cli._standard_streams import own_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["python_files", "run_reloading"]

_PERIOD = 0.3  # seconds between two looks at the files
_PATIENCE = 10  # seconds for a handler to end; what is left is handled again
_NOT_THE_USERS = {"__pycache__", "node_modules", "site-packages", "venv"}

Files = dict[str, tuple[int, int]]


def python_files(folder: Path) -> Files:
    """The Python files under a folder, each with its time of change and size.

    Hidden folders are left out, and those of virtual environments and packages.
    """
    found: Files = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if name not in _NOT_THE_USERS and not name.startswith(".")
        ]
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(place, name)  # noqa: PTH118 -- os.walk gives text
                try:
                    state = os.stat(path)  # noqa: PTH116
                except OSError:  # gone since it was listed: an editor's
                    continue
                found[path] = (state.st_mtime_ns, state.st_size)
    return found


def _watched(places: Sequence[Path]) -> Files:
    found: Files = {}
    for place in places:
        if place.is_dir():
            found |= python_files(place)
        else:
            with suppress(OSError):  # gone, as an editor does while it saves
                state = place.stat()
                found[str(place)] = (state.st_mtime_ns, state.st_size)
    return found


def run_reloading(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path,
    stop: Stop,
    note: Callable[[str], object],
    more: Sequence[Path] = (),
) -> int:
    """Run a command until ``stop`` is set, and start it anew when a file changes.

    One that fails is started again when a file has changed; one that ends well ends this.

    Args:
        command: What to run. It ends at SIGTERM.
        environment: Of the child.
        folder: Whose Python files are watched.
        stop: Ends it, with the child.
        note: Is told what happens.
        more: Other folders to watch, and files that are no Python files.

    Returns:
        An exit code.
    """
    while not stop.is_set():
        files = _watched([folder, *more])
        # In a session of its own a terminal's Ctrl-C does not reach it: it is told once, by us.
        child = subprocess.Popen(  # noqa: S603 -- no shell, and the user's own arguments
            command, env=dict(environment), start_new_session=True, stdout=own_output()
        )
        try:
            failed = False
            while _watched([folder, *more]) == files and not stop.wait(_PERIOD):
                if child.poll() == 0:
                    return 0
                if child.returncode and not failed:
                    failed = True
                    note("it has failed; it starts again when a file changes")
        finally:
            _end(child)
        if not stop.is_set():
            note("a file has changed; starting again")
    return 0


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()  # which does nothing to one that has ended
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
