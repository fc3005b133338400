"""What ``tail`` and ``poll`` share: the options of a poller, and how it ends."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from ddbstream.exceptions import FencedError, RecordsTrimmedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ddbstream.poller import StreamPoller

__all__ = ["FENCED", "TRIMMED", "StartingPoint", "run", "stopping_on_signals"]

# Exit codes beside 0, 1 and click's 2, for what a supervisor must not answer by starting it again.
FENCED = 3
TRIMMED = 4


class Fenced(click.ClickException):
    """Another poller has taken over."""

    exit_code = FENCED


class Trimmed(click.ClickException):
    """Records left the stream unread."""

    exit_code = TRIMMED


if TYPE_CHECKING:
    Start = Literal["TRIM_HORIZON", "LATEST"] | datetime
    _ParamType = click.ParamType[Start]
else:  # older versions of click have it without parameters
    _ParamType = click.ParamType


class StartingPoint(_ParamType):
    """``TRIM_HORIZON``, ``LATEST``, or a time in ISO 8601; without an offset it is local time."""

    name = "TRIM_HORIZON|LATEST|TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Start:
        """Read the argument."""
        if isinstance(value, datetime):
            return value
        if value.upper() in ("TRIM_HORIZON", "LATEST"):
            return cast("Literal['TRIM_HORIZON', 'LATEST']", value.upper())
        try:
            # Python 3.10 does not read the Z yet.
            return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone()
        except ValueError:
            self.fail(f"{value!r} is neither TRIM_HORIZON, LATEST nor a time", param, ctx)


@contextmanager
def stopping_on_signals(stop: Callable[[], object]) -> Iterator[None]:
    """``SIGINT`` and ``SIGTERM`` call ``stop``; a second one ends the process at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def once(_number: int, _frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stop()

    for number in before:
        signal.signal(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(poller: StreamPoller, *, once: bool) -> None:
    """Run until stopped, or caught up; what ends it otherwise becomes one line and an exit code."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ddbstream.exceptions import PollerError

    with stopping_on_signals(poller.stop):
        try:
            if once:
                poller.run_until_caught_up()
            else:
                poller.run()
        except (PollerError, BotoCoreError, ClientError) as error:
            raise _ended_by(error) from None


def _ended_by(error: Exception) -> click.ClickException:
    if isinstance(error, FencedError):
        return Fenced(str(error))
    if isinstance(error, RecordsTrimmedError):
        return Trimmed(str(error))
    return click.ClickException(str(error))
