"""SIGINT and SIGTERM, for every command that does not simply die of them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["STOPPED", "Stop", "interrupted_by_signals", "say_stopping", "stopping_on_signals"]

STOPPED = 130
"""The exit code of a command that was cut short, as a shell has it for one that Ctrl-C ended."""


_STEP: Final = 0.05  # seconds


class Stop:
    """A flag that a signal handler sets while the main thread may be waiting for it.

    `threading.Event` is not made for that: a handler that runs just when ``wait`` has its lock
    waits in ``set`` for the thread that it has interrupted.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Have every wait end."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds, or until it is set; whether it is."""
        ends = time.monotonic() + seconds
        while not self._is_set and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))
        return self._is_set


def say_stopping() -> None:
    """Say that a signal has come, from its handler: at once, under whatever is being written."""
    with suppress(OSError):
        after_the_key = b"\n" if os.isatty(2) else b""  # a terminal shows ^C
        os.write(2, after_the_key + b"stopping, press again to end now\n")


@contextmanager
def stopping_on_signals(
    stop: Callable[[], object], *, say: Callable[[], object] | None = None
) -> Iterator[None]:
    """``SIGINT`` and ``SIGTERM`` call ``stop``; a second one ends the process at once.

    Args:
        stop: Makes an end of what runs, which may take time.
        say: Tells the user so; None where there is nothing to wait for.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def once(_number: int, _frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        if say is not None:
            say()
        stop()

    for number in before:
        signal.signal(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """``SIGTERM`` raises ``KeyboardInterrupt`` as Ctrl-C does; a second one ends the process."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with stopping_on_signals(interrupt):
        yield
