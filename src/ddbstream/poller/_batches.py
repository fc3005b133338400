"""The poller as an iterator: ``for batch in poller: …; batch.commit()``.

Rules

* A batch is done when it is committed, and only then may its position be saved. Committing one
  commits what was before it in its shard.
* The next batch of a shard may come before the last is committed. A shard's children come when all
  of the shard is committed. If nothing else is left to give, that is an error: the loop would wait
  for ever.
* `commit` saves, or raises. With ``Settings(save_records=…)`` above 1 a position may wait its turn.
* While the loop's body runs, nothing new is begun: only the reading that is under way goes on. The
  lease is renewed meanwhile, however long that takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ddbstream.exceptions import PollerError
from ddbstream.poller._core.commands import Deliver, Delivered, RawRecord
from ddbstream.poller._core.events import Exit
from ddbstream.poller._core.positions import Position, rank
from ddbstream.poller._core.shard import Shard
from ddbstream.poller._driver import Driver
from ddbstream.poller._keeper import LeaseKeeper
from ddbstream.poller._ongoing import Ongoing
from ddbstream.poller._stream import Stream
from ddbstream.poller._workers import Clock, instant

__all__ = ["BODY", "Batch", "BatchLoop", "HandedOut"]

BODY = "the body of the loop"


@dataclass(eq=False)
class HandedOut:
    """A delivery that the body of a loop has, or is to have.

    Attributes:
        stream: Whose core asked for it.
        command: What it asked for.
        position: After its records, once they are done.
    """

    stream: Stream
    command: Deliver
    position: Position | None = None


class Batch:
    """Records of one shard, in order.

    Attributes:
        records: Wire records: hand them to `ddbstream.parse` or to a router's ``dispatch``.
        stream_arn: Of their stream.
        shard_id: Of their shard.
    """

    def __init__(self, loop: BatchLoop, handed_out: HandedOut) -> None:
        self.records: Sequence[RawRecord] = handed_out.command.records
        self.stream_arn = handed_out.stream.arn
        self.shard_id = handed_out.command.shard_id
        self._loop = loop
        self._handed_out = handed_out

    def commit(self) -> None:
        """Let the records count as done; returns when their position is saved.

        With ``Settings(save_records=…)`` above 1 it is saved when its turn comes.

        Raises:
            PollerError: It is not saved: the poller has failed, another one has taken the store
                over, or the loop is over.
        """
        loop = self._loop
        loop.begin_commit(self._handed_out)
        while loop.has_to_wait(self._handed_out):
            loop.driver.wait(loop.deadline)
            loop.turn()


class BatchLoop:
    """The state of a loop over batches. It never waits: the two kinds of loops do that.

    Args:
        clock: Both clocks.
        ongoing: Is told of each run of the loop's body.
        keeper: Renews the leases meanwhile; None if time is a fake.
        at_once: Whether each commit is saved at once.
        until_caught_up: End when everything that the streams hold has been given.
        timeout: Seconds after which to end anyway.

    Attributes:
        driver: Drives the streams; set before the loop begins.
        deadline: When to end anyway, on the monotonic clock.
        exit: Why the loop is over; None while it is not.
    """

    driver: Driver

    def __init__(
        self,
        clock: Clock,
        ongoing: Ongoing,
        keeper: LeaseKeeper | None,
        *,
        at_once: bool = True,
        until_caught_up: bool = False,
        timeout: float | None = None,
    ) -> None:
        self._clock = clock
        self._ongoing = ongoing
        self._keeper = keeper
        self._at_once = at_once
        self._closed = False
        self._until_caught_up = until_caught_up
        self._waiting: deque[HandedOut] = deque()
        self._current: HandedOut | None = None
        self.deadline = None if timeout is None else clock.monotonic() + timeout
        self.exit: Exit | None = None

    def take(self, stream: Stream, command: Deliver) -> None:
        """Take a delivery from the driver."""
        self._waiting.append(HandedOut(stream, command))

    def next(self) -> HandedOut | None:
        """What the loop's body gets next; None to wait for more, or if the loop is over.

        Raises:
            PollerError: Nothing else will come before a batch is committed that has been given.
        """
        if self._current is not None:
            self._deliver(self._current)
            self._current = None
        self.turn()
        if self.exit is not None:
            return None
        if self._waiting:
            self._current = self._waiting.popleft()
            return self._current
        self._refuse_to_hang()
        return None

    def batches(self) -> Iterator[Batch]:
        """Batches for a loop that may block."""
        while True:
            handed_out = self.next()
            if self.exit is not None:
                return
            if handed_out is None:
                self.driver.wait(self.deadline)
            else:
                with self.body():
                    yield Batch(self, handed_out)

    @contextmanager
    def body(self) -> Iterator[None]:
        """While the loop's body runs."""
        with self._ongoing.doing(BODY):
            if self._keeper is not None:
                self._keeper.begin(self.driver.streams)
            try:
                yield
            finally:
                if self._keeper is not None:
                    self._keeper.end()

    def close(self) -> None:
        """The loop is over; the leases are given back."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.close()

    def turn(self) -> None:
        """Have the driver set everything on its way that is due."""
        self.exit = self.exit or self.driver.turn(
            until_caught_up=self._until_caught_up and not self._waiting, deadline=self.deadline
        )
        if self.driver.draining:
            self._give_back()

    def begin_commit(self, handed_out: HandedOut) -> None:
        """Let a delivery be saved, and what came before it in its shard."""
        if self._closed:
            if not self._is_saved(handed_out):
                raise PollerError("the loop is over: this batch was not committed in time")
            return
        if self._keeper is not None:
            self._keeper.end()  # what it has renewed; it goes on with the next body
        self._deliver(handed_out)
        assert handed_out.position is not None
        command = handed_out.command
        handed_out.stream.core.commit(command.shard_id, handed_out.position, len(command.records))
        self.turn()

    def has_to_wait(self, handed_out: HandedOut) -> bool:
        """Whether its position is on its way to the store.

        Raises:
            PollerError: It is not saved, and will not be.
        """
        if self._is_saved(handed_out):
            return False
        if self._closed or self.exit is not None:
            if self.exit is not None and self.exit.error is not None:
                raise self.exit.error
            raise PollerError("the poller was stopped before the position could be saved")
        shard = self._shard(handed_out)
        return self._at_once or shard is None or shard.saving or shard.save_attempts > 0

    def _is_saved(self, handed_out: HandedOut) -> bool:
        if handed_out.position is None:
            return False
        shard = self._shard(handed_out)
        # A shard that is not known any more is ended, and that was saved.
        return shard is None or rank(shard.saved) >= rank(handed_out.position)

    def _shard(self, handed_out: HandedOut) -> Shard | None:
        return handed_out.stream.core.lineage.shards.get(handed_out.command.shard_id)

    def _deliver(self, handed_out: HandedOut) -> None:
        if handed_out.position is None:
            core, command = handed_out.stream.core, handed_out.command
            core.receive(command, Delivered(len(command.records)), instant(self._clock))
            handed_out.position = core.lineage.shards[command.shard_id].done

    def _give_back(self) -> None:
        # What the loop's body has not been given will not be done.
        while self._waiting:
            handed_out = self._waiting.popleft()
            core = handed_out.stream.core
            core.receive(handed_out.command, Delivered(0), instant(self._clock))

    def _refuse_to_hang(self) -> None:
        for stream in self.driver.streams:
            shard_id = stream.core.awaits_commit()
            if shard_id is not None:
                raise PollerError(
                    f"shard {shard_id} is read to its end, but its last batch is not committed; "
                    "call commit() on each batch"
                )
