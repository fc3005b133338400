"""The poller as an iterator: ``for batch in poller: …; batch.commit()``.

Rules

* A batch is done when it is committed, and only then may its position be saved. Committing one
  commits what was before it in its shard.
* The next batch of a shard may come before the last is committed. A shard's children come when all
  of the shard is committed; if nothing else is left to give, that is an error and no endless wait.
* While the loop's body runs, nothing else does but the reading that is under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ddbstream.exceptions import PollerError
from ddbstream.poller._core.commands import Command, Deliver, Delivered, Record
from ddbstream.poller._core.events import Exit
from ddbstream.poller._core.positions import Position, rank
from ddbstream.poller._driver import Driver
from ddbstream.poller._stream import Stream
from ddbstream.poller._workers import Clock, instant

__all__ = ["Batch", "Batches"]


class Batch:
    """Records of one shard, in order.

    Attributes:
        records: Wire records: hand them to `ddbstream.parse` or to a router's ``dispatch``.
        stream_arn: Of their stream.
        shard_id: Of their shard.
    """

    def __init__(self, owner: Batches, stream: Stream, command: Deliver) -> None:
        self.records: Sequence[Record] = command.records
        self.stream_arn = stream.arn
        self.shard_id = command.shard_id
        self._owner = owner
        self._stream = stream
        self._command = command
        self._position: Position | None = None

    def commit(self) -> None:
        """Let the records count as done; returns when their position is saved.

        With ``Settings(save_records=…)`` above 1 it is saved when its turn comes.

        Raises:
            PollerError: The poller has failed meanwhile, or another one has taken the store over.
        """
        self._owner.commit(self)


class Batches:
    """An iterator of batches; ends when the poller does.

    Args:
        clock: Both clocks.
        until_caught_up: End when everything that the streams hold has been given.
        timeout: Seconds after which to end anyway.
    """

    def __init__(
        self, clock: Clock, *, until_caught_up: bool = False, timeout: float | None = None
    ) -> None:
        self._clock = clock
        self._until_caught_up = until_caught_up
        self._deadline = None if timeout is None else clock.monotonic() + timeout
        self._waiting: deque[Batch] = deque()
        self._current: Batch | None = None
        self.driver: Driver | None = None
        self.exit: Exit | None = None

    def take(self, stream: Stream, command: Command) -> bool:
        """Take a delivery from the driver; other commands are not for a loop's body."""
        if not isinstance(command, Deliver):
            return False
        self._waiting.append(Batch(self, stream, command))
        return True

    def __iter__(self) -> Iterator[Batch]:
        while True:
            self._finish_current()
            self._turn()
            if self.exit is not None:
                return
            if self._waiting:
                self._current = self._waiting.popleft()
                yield self._current
            else:
                self._refuse_to_hang()
                self._wait()

    def commit(self, batch: Batch) -> None:
        """Commit a batch and have its position saved."""
        self._begin_commit(batch)
        while self._is_saving(batch):
            self._wait()
            self._turn()
        self._raise_failure()

    def _begin_commit(self, batch: Batch) -> None:
        self._deliver(batch)
        assert batch._position is not None
        batch._stream.core.commit(batch.shard_id, batch._position, len(batch.records))
        self._turn()

    def _is_saving(self, batch: Batch) -> bool:
        shard = batch._stream.core.lineage.shards.get(batch.shard_id)
        if shard is None or self.exit is not None:
            return False
        pending = shard.saving or shard.save_attempts > 0
        return pending and rank(shard.saved) < rank(batch._position)

    def _raise_failure(self) -> None:
        if self.exit is not None and self.exit.error is not None:
            raise self.exit.error

    def _finish_current(self) -> None:
        if self._current is not None:
            self._deliver(self._current)
            self._current = None

    def _deliver(self, batch: Batch) -> None:
        if batch._position is None:
            core = batch._stream.core
            done = Delivered(len(batch.records))
            core.receive(batch._command, done, instant(self._clock))
            batch._position = core.lineage.shards[batch.shard_id].done

    def _turn(self) -> None:
        assert self.driver is not None
        self.exit = self.exit or self.driver.turn(
            until_caught_up=self._until_caught_up and not self._waiting, deadline=self._deadline
        )
        if self.driver.draining:
            self._give_back()

    def _give_back(self) -> None:
        # What the loop has not got yet will not be done.
        while self._waiting:
            batch = self._waiting.popleft()
            batch._stream.core.receive(batch._command, Delivered(0), instant(self._clock))

    def _wait(self) -> None:
        assert self.driver is not None
        self.driver.wait(self._deadline)

    def _refuse_to_hang(self) -> None:
        assert self.driver is not None
        for stream in self.driver.streams:
            shard_id = stream.core.awaits_commit()
            if shard_id is not None:
                raise PollerError(
                    f"shard {shard_id} is read to its end, but its last batch is not committed; "
                    "call commit() on each batch"
                )
