"""SIGINT and SIGTERM, for whatever has to finish before its process ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ddbstream._values.callables import check_function
from ddbstream.exceptions import PollerArgumentError

__all__ = ["stop_on_signals"]


@contextmanager
def stop_on_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Have SIGINT and SIGTERM call ``stop`` while the block runs.

    A second one does what it did before the block: by default it ends the process at once. For the
    main thread only, as Python's `signal` is.

    ```python
    with stop_on_signals(poller.stop):
        for batch in poller:
            ...
    ```

    Args:
        stop: Must return at once, and may be called between any two steps of the main thread.

    Raises:
        PollerArgumentError: ``stop`` would have to be awaited.
    """
    check_function(stop, "stop", PollerArgumentError, arguments=0)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        put_back()
        stop()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        put_back()
