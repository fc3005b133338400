"""How a command runs a poller, and the exit codes that it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ddbstream.cli._aws import aws_errors
from ddbstream.cli._signals import stopping_on_signals
from ddbstream.exceptions import FencedError, PollerError, RecordsTrimmedError

if TYPE_CHECKING:
    from ddbstream.poller import StreamPoller

__all__ = ["TRIMMED", "run"]

# Exit codes beside 0, 1 and click's 2, for what a supervisor must not answer by starting it again.
FENCED = 3
TRIMMED = 4


class _Fenced(click.ClickException):
    """Another poller has taken over."""

    exit_code = FENCED


class _Trimmed(click.ClickException):
    """Records left the stream unread."""

    exit_code = TRIMMED


def run(poller: StreamPoller, *, once: bool, rewind: bool = False) -> None:
    """Run until stopped, or caught up; what ends it otherwise becomes one line and an exit code."""
    with stopping_on_signals(poller.stop):
        try:
            if rewind:
                poller.rewind()
            if once:
                poller.run_until_caught_up()
            else:
                poller.run()
        except FencedError as error:
            raise _Fenced(str(error)) from None
        except RecordsTrimmedError as error:
            raise _Trimmed(str(error)) from None
        except (PollerError, *aws_errors()) as error:
            raise click.ClickException(str(error)) from None
