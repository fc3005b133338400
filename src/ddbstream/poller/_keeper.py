"""Renewing the leases while the body of a loop over batches runs, and nothing else does."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ddbstream.poller._core.commands import CommandFailed, Renew
from ddbstream.poller._stream import Stream
from ddbstream.poller._workers import Clock, instant

__all__ = ["LeaseKeeper"]


class LeaseKeeper:
    """Renews leases in a thread, between `begin` and `end`.

    Args:
        clock: Both clocks.
        seconds: Between renewals.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._changed = threading.Condition()
        self._streams: Sequence[Stream] = ()
        self._renewed: list[tuple[Stream, float, CommandFailed | None]] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, streams: Sequence[Stream]) -> None:
        """A body begins: these streams' leases are nobody else's to renew."""
        with self._changed:
            self._streams = tuple(streams)
            if self._thread is None:
                name = "ddbstream-poller-lease"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """A body has ended: tell the cores what was renewed meanwhile."""
        with self._changed:
            self._streams = ()
            renewed, self._renewed = self._renewed, []
        for stream, asked_at, result in renewed:
            stream.core.lease_was_renewed(asked_at, result, instant(self._clock))

    def close(self) -> None:
        """Renew nothing more."""
        with self._changed:
            self._closed = True
            self._streams = ()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, self._seconds):
                    return
                streams = self._streams
            for stream in streams:
                alive_at = stream.core.alive_at
                if alive_at is None:
                    continue
                asked_at = self._clock.monotonic()
                result = stream.renew(Renew(alive_at))
                with self._changed:
                    self._renewed.append((stream, asked_at, result))
