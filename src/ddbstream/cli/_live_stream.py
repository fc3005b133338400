"""A table's stream and this machine's clock, as a simulated event source mapping takes them.

The mapping and its rules are those of ``ddbstream.testing``; only time and the records are real. A
poller in a thread of its own reads, and what it has read is taken by the mapping in its own.

Rules

* A poller hands out a shard's records when its parent's are handed out; the mapping holds them back
  until the parent's are done. So the parents of each shard are asked for once.
* A record that was just made counts from when it arrives: DynamoDB tells whole seconds, and a
  batching window is shorter than their error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Queue
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any, Final

from ddbstream import parse
from ddbstream.cli._signals import Stop
from ddbstream.exceptions import DDBStreamError
from ddbstream.poller import PollContext, StreamPoller
from ddbstream.testing import FakeClock

__all__ = ["LiveClock", "LiveStream"]

_JUST_MADE: Final = 2.0  # seconds


class LiveClock(FakeClock):
    """The machine's clock, in the place of one that a test moves.

    Args:
        stop: What ends every wait.
    """

    def __init__(self, stop: Stop) -> None:
        super().__init__(time.time())
        self._stop = stop

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Wait, unless it is time to stop."""
        self._stop.wait(seconds)


class LiveStream:
    """The records of a stream as they come.

    Args:
        make_poller: Makes the poller, with this for its router.
        parents_in: Tells the parent of each shard, or None, by the stream's ARN.
    """

    def __init__(
        self,
        make_poller: Callable[[LiveStream], StreamPoller],
        parents_in: Callable[[str], Mapping[str, str | None]],
    ) -> None:
        self._poller = make_poller(self)
        self._parents_in = parents_in
        self._parents: dict[str, str | None] = {}
        self._arrived: Queue[tuple[str, dict[str, Any], float]] = Queue()
        self._error: BaseException | None = None
        self._thread: Thread | None = None
        self._lock = Lock()

    def start(self, *, once: bool) -> None:
        """Begin to read; with ``once``, to the end of what the stream holds now."""
        self._thread = Thread(target=self._read, args=(once,), name="ddbstream-dev", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._poller.stop()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        alive = self._thread is not None and self._thread.is_alive()
        return not alive and self._arrived.empty()

    def arrivals(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """What has come since the last call: shard id, record, and epoch seconds.

        Raises:
            BaseException: What has ended the reading.
        """
        while not self._arrived.empty():  # nobody else takes any
            yield self._arrived.get_nowait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def parent_of(self, shard_id: str) -> str | None:
        """The shard that a shard came out of; None if it has none that is known."""
        with self._lock:
            return self._parents.get(shard_id)

    def dispatch(
        self, records: Sequence[Any], /, *, stream_arn: str | None = None, context: Any = None
    ) -> Any:
        """Take records from the poller."""
        given: PollContext = context
        shard_id, arn = given.shard_id, given.stream_arn
        if shard_id not in self._parents:
            parents = self._parents_in(arn)
            with self._lock:
                self._parents |= {shard_id: None, **parents}
        now = time.time()
        for record in records:
            raw = {**record, "eventSourceARN": arn}
            self._arrived.put((shard_id, raw, _arrived_at(raw, now)))
        return SimpleNamespace(processed=len(records), failures=(), checkpoint=None)

    def _read(self, once: bool) -> None:
        try:
            if once:
                self._poller.run_until_caught_up()
            else:
                self._poller.run()
        except BaseException as error:  # noqa: BLE001 - raised in the mapping's thread
            self._error = error


def _arrived_at(raw: dict[str, Any], now: float) -> float:
    try:
        created = next(iter(parse([raw]))).approximate_creation_datetime
    except DDBStreamError:  # its handler will be told
        return now
    if created is None or now - created.timestamp() < _JUST_MADE:
        return now
    return created.timestamp()
