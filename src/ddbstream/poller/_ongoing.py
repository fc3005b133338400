"""What runs in the user's code at this moment, and since when: so that what hangs has a name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["Ongoing", "Running"]


class Running(NamedTuple):
    """A call that has not returned.

    Attributes:
        what: Who was called: ``a handler``, ``the checkpoint store``.
        shard_id: For which shard, or None.
        since: When, on the monotonic clock.
    """

    what: str
    shard_id: str | None
    since: float

    def described(self, now: float) -> str:
        """It in a few words."""
        where = f" for shard {self.shard_id}" if self.shard_id else ""
        return f"{self.what} has not returned for {now - self.since:.0f} seconds{where}"


class Ongoing:
    """Calls that have not returned. Safe in any thread.

    Args:
        now: The monotonic clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._calls: dict[object, Running] = {}

    @contextmanager
    def doing(self, what: str, shard_id: str | None = None) -> Iterator[None]:
        """Note a call for as long as it takes."""
        key = object()
        with self._lock:
            self._calls[key] = Running(what, shard_id, self._now())
        try:
            yield
        finally:
            with self._lock:
                del self._calls[key]

    def calls(self, what: str | None = None) -> list[Running]:
        """Those that run now, longest first; of one kind, if that is asked."""
        with self._lock:
            found = [call for call in self._calls.values() if what in (None, call.what)]
        return sorted(found, key=lambda call: call.since)

    def hung(self, seconds: float) -> str | None:
        """The call that has run longest, if that is longer than so many seconds."""
        now = self._now()
        call = next(iter(self.calls()), None)
        return None if call is None or now - call.since <= seconds else call.described(now)
