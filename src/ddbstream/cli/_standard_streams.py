"""Standard output and standard error, which every command writes through here.

Rules:

* What people read is printable: a key with control characters in it does not act on a terminal.
* Standard output that cannot be written, on a full disk for example, ends the command with an
  error. Who no longer reads a pipe, as ``head`` does, ends the command, and is no error.
* What cannot be told on standard error is not told; the exit code still says it.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress

import click

from ddbstream.exceptions import printable

__all__ = ["LogFormatter", "Unwritten", "complain", "complain_of", "drop_output", "write_out"]


class Unwritten(click.ClickException):
    """Standard output could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror or error}")


def write_out(text: str, *, newline: bool = True) -> None:
    """Write a text to standard output, flushed: what reads a pipe wants it now.

    Raises:
        BrokenPipeError: Nobody reads it any more. Click ends the command for that, silently.
        Unwritten: It cannot be written.
    """
    try:
        click.echo(text, nl=newline)
    except OSError as error:
        drop_output()
        if isinstance(error, BrokenPipeError):
            raise
        raise Unwritten(error) from None


def drop_output() -> None:
    """Let go of a standard output that failed.

    The interpreter flushes it at exit, and would fail there once more.
    """
    with suppress(OSError, ValueError):  # a test's standard output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: object, *, lines: bool = False, colour: str | None = None) -> None:
    """Tell something on standard error, printable; in one line, unless several are meant."""
    with suppress(OSError):
        click.secho(printable(str(text), lines=lines), err=True, fg=colour)


def complain_of(error: BaseException, *, colour: str | None = None) -> None:
    """Show an error with its traceback."""
    shown = "".join(traceback.format_exception(error)).rstrip()
    complain(shown, lines=True, colour=colour)


class LogFormatter(logging.Formatter):
    """Log lines, and the tracebacks in them, for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """As usual, printable."""
        return printable(super().format(record), lines=True)
