"""A clock that moves only when it is told to."""

from __future__ import annotations

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """Both clocks of a machine, standing still: for pollers and streams in tests.

    A `ddbstream.poller.StreamPoller` that is given one runs in one thread and never waits: a day of
    polling takes as long as its work.

    Args:
        time: The wall clock's first reading, in epoch seconds.
    """

    def __init__(self, time: float = 1_700_000_000.0) -> None:
        self._wall = time
        self._mono = 1_000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._mono

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def sleep(self, seconds: float) -> None:
        """Let time pass, at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both clocks on.

        Raises:
            ValueError: ``seconds`` is negative: see `jump`.
        """
        if seconds < 0:
            raise ValueError("time does not go back; use jump() for a wall clock that is set")
        with self._lock:
            self._wall += seconds
            self._mono += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP may."""
        with self._lock:
            self._wall += seconds
