"""How a command runs a poller, and the exit codes that it ends with."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import click

from ddbstream.cli._aws import aws_errors
from ddbstream.cli._remedies import in_words
from ddbstream.cli._signals import STOPPED, stopping_on_signals
from ddbstream.exceptions import FencedError, PollerError, RecordsTrimmedError

if TYPE_CHECKING:
    from collections.abc import Callable

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


def run(
    poller: StreamPoller,
    *,
    once: bool,
    rewind: bool = False,
    say: Callable[[], object] | None = None,
) -> None:
    """Run until stopped, or caught up; what ends it otherwise becomes one line and an exit code.

    Args:
        poller: What to run.
        once: Whether to end when it has caught up. A signal before that has cut it short.
        rewind: Whether to begin at its start.
        say: As `stopping_on_signals`.
    """
    signalled = Event()

    def stop() -> None:
        signalled.set()
        poller.stop()

    with stopping_on_signals(stop, say=say):
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
            raise click.ClickException(in_words(error)) from None
    if once and signalled.is_set():
        raise SystemExit(STOPPED)
