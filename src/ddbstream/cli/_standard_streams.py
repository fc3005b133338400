"""Standard output and standard error, which every command writes through here.

Rules:

* What people read is printable: a key with control characters in it does not act on a terminal.
* Standard output that cannot be written, on a full disk for example, ends the command with an
  error. Who no longer reads a pipe, as ``head`` does, ends the command, and is no error.
* What cannot be told on standard error is not told; the exit code still says it.
* Standard output is the command's: what the user's code prints while `prints_apart` is open goes to
  standard error, also where it is written by a child process.
* A stream that the process was started without, as by ``>&-``, is one that cannot be read or
  written. A character that a stream's encoding does not have is escaped.
* ``NO_COLOR`` and ``TERM=dumb`` leave plain text: no colour, and no bold or dim either.
* What nothing here shows is printable all the same, in a process of the command's own: errors that
  end it or one of its threads, log lines of commands that set no log up.
* A traceback is of the user's code: frames of ddbstream and of the import system are left out.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, cast

import click
from rich.console import Console

from ddbstream._router.log import PrintableFormatter
from ddbstream.exceptions import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = [
    "LogFormatter",
    "Unwritten",
    "complain",
    "complain_of",
    "complete",
    "console",
    "drop_errors",
    "drop_output",
    "guard",
    "is_plain",
    "own_output",
    "plural",
    "prints_apart",
    "short_traceback",
    "write_out",
]

_OURS: Final = str(Path(__file__).parents[1])
_GENERATED: Final = "<ddbstream "  # a model's decoder
_IMPORTING: Final = ("<frozen importlib", str(Path(traceback.__file__).parent / "importlib"))

_kept: list[TextIO] = []
"""Standard output, while `prints_apart` is open."""

_missing: list[OSError] = []
"""Why standard output cannot be written, if there was none from the start."""


class Unwritten(click.ClickException):
    """Standard output could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror or error}")


def complete() -> None:
    """Have all three standard streams, and none that fails for a character.

    What the user's code prints to one that was missing goes nowhere, as in Python itself.
    """
    # In this order each gets its own number, which else the next file of the user's would get.
    if sys.stdin is None:
        sys.stdin = _nowhere("r")  # reading it fails
    if sys.stdout is None:
        sys.stdout = _nowhere("w")
        _missing.append(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    if sys.stderr is None:
        sys.stderr = _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere(mode: str) -> TextIO:
    return cast("TextIO", open(os.open(os.devnull, os.O_WRONLY), mode, encoding="utf-8"))  # noqa: PTH123 - a number


def write_out(text: str, *, newline: bool = True) -> None:
    """Write a text to standard output, flushed: what reads a pipe wants it now.

    Raises:
        BrokenPipeError: Nobody reads it any more. Click ends the command for that, silently.
        Unwritten: It cannot be written.
    """
    if _missing:
        raise Unwritten(_missing[0])
    try:
        click.echo(text, nl=newline, file=own_output())
    except OSError as error:
        drop_output()
        if isinstance(error, BrokenPipeError):
            raise
        raise Unwritten(error) from None


def drop_output() -> None:
    """Let go of a standard output that failed.

    The interpreter flushes it at exit, and would fail there once more.
    """
    _into_nothing(own_output())


def drop_errors() -> None:
    """At the end, let go of a standard error that fails: its flush would change the exit code."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _into_nothing(sys.stderr)


def _into_nothing(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # a test's is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def own_output() -> TextIO:
    """Standard output as the command was given it, whatever `prints_apart` has put in its place."""
    return _kept[0] if _kept else sys.stdout


@contextmanager
def prints_apart() -> Iterator[None]:
    """What is printed while this is open goes to standard error, except by `write_out`."""
    if _kept:
        yield
        return
    before = sys.stdout
    with _apart(before) as kept:
        _kept.append(kept)
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            sys.stdout = before
            _kept.clear()


@contextmanager
def _apart(stream: TextIO) -> Iterator[TextIO]:
    """Standard output under another number, while its own number is standard error's."""
    try:
        numbers = stream.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):  # a test's is no file
        numbers = -1, -1
    if numbers != (1, 2):
        yield stream
        return
    stream.flush()
    with open(os.dup(1), "w", encoding=stream.encoding, errors=stream.errors) as kept:  # noqa: PTH123 - a number
        os.dup2(2, 1)
        try:
            yield kept
        finally:
            with suppress(OSError):  # told where it was written
                kept.flush()
            os.dup2(kept.fileno(), 1)


def is_plain() -> bool:
    """Whether the user wants text without any style: see https://no-color.org."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error."""
    return Console(
        stderr=stderr,
        highlight=False,
        emoji=False,  # a key ":bug:" stays what it is
        color_system=None if is_plain() else "auto",
    )


def plural(count: int, noun: str) -> str:
    """A count and its noun: ``1 shard``, ``1,024 shards``, ``2 retries``."""
    return f"{count:,} {noun if count == 1 else re.sub('(?<![aeiou])y$', 'ie', noun) + 's'}"


def complain(text: object, *, lines: bool = False, colour: str | None = None) -> None:
    """Tell something on standard error, printable; in one line, unless several are meant."""
    with suppress(OSError):
        shown = printable(str(text), lines=lines)
        click.secho(shown, err=True, fg=None if is_plain() else colour)


def complain_of(error: BaseException, *, colour: str | None = None) -> None:
    """Show an error with its traceback."""
    complain(short_traceback(error), lines=True, colour=colour)


def short_traceback(error: BaseException) -> str:
    """A traceback without frames that are not the user's, unless it has no others."""
    told = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()
    left: list[traceback.TracebackException | None] = [told]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        theirs = [
            frame
            for frame in one.stack
            if not frame.filename.startswith((_OURS, _GENERATED, *_IMPORTING))
        ]
        if theirs or isinstance(error, ImportError | SyntaxError):
            one.stack[:] = theirs
        left += [one.__cause__, one.__context__]
    return "".join(told.format()).rstrip()


def guard() -> None:
    """Have the rest of what this process writes be printable: see the rules."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PrintableFormatter())


def _uncaught(
    kind: type[BaseException], error: BaseException | None, where: TracebackType | None
) -> None:
    complain("".join(traceback.format_exception(kind, error, where)).rstrip(), lines=True)


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_type is not SystemExit:  # which ends a thread in silence
        _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


class LogFormatter(PrintableFormatter):
    """Log lines, and the tracebacks in them, for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
