"""How often this process was fenced, and how long it waits before it takes a lease over again."""

from __future__ import annotations

import threading

__all__ = ["fenced", "patience"]

_LONGEST = 10  # times the lease
_FREE = 3  # a replacement of a replacement is no circle yet
_lock = threading.Lock()
_fenced: dict[str, tuple[int, float]] = {}  # how often in a row, and when last


def fenced(key: str, now: float) -> None:
    """Note that a poller of this process lost its lease to another."""
    with _lock:
        count, _ = _fenced.get(key, (0, now))
        _fenced[key] = (count + 1, now)


def patience(key: str, now: float, lease: float) -> float:
    """Seconds to wait for the other before taking over: none at first, then ever more."""
    with _lock:
        count, when = _fenced.get(key, (0, now))
        longest = _LONGEST * lease
        # Long ago, or by the clock of another test: it is forgotten.
        if not 0.0 <= now - when < 2 * longest:
            _fenced.pop(key, None)
            return 0.0
        again = count - _FREE
        return min(longest, lease * 2.0**again) if again >= 0 else 0.0
