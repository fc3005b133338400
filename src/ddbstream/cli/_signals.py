"""SIGINT and SIGTERM, for every command that does not simply die of them."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["interrupted_by_signals", "stopping_on_signals"]


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


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """``SIGTERM`` raises ``KeyboardInterrupt`` as Ctrl-C does; a second one ends the process."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with stopping_on_signals(interrupt):
        yield
