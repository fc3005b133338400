"""What is done of a shard, what the KCL has stored of it, and when to have more stored.

What the KCL's errors mean, from its `interface of checkpointers`_: ``ThrottlingException`` and
``KinesisClientLibDependencyException`` pass, so the checkpoint is tried again later;
``ShutdownException`` is a lost lease; ``InvalidStateException`` and everything else does not heal.

.. _interface of checkpointers: https://github.com/awslabs/amazon-kinesis-client/blob/master/amazon-kinesis-client/src/main/java/software/amazon/kinesis/processor/RecordProcessorCheckpointer.java
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final, TypeAlias

from ddbstream.poller import Backoff

if TYPE_CHECKING:
    from ddbstream.kcl._protocol import Checkpointer

__all__ = ["CannotGoOnError", "Checkpoints", "LeaseLostError", "Place"]

logger = logging.getLogger("ddbstream.kcl")

Place: TypeAlias = tuple[str, "int | None"]
"""A record of the shard: its sequence number and sub-sequence number."""

_HEALING: Final = frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})
_LEASE_LOST: Final = "ShutdownException"
_BACKOFF: Final = Backoff(0.2, 10.0)


class CannotGoOnError(Exception):
    """Why this process has to end."""


class LeaseLostError(CannotGoOnError):
    """The KCL refuses a checkpoint because another worker has the shard."""


class Checkpoints:
    """The checkpoints of one shard.

    Args:
        records: Checkpoint when so many are done since the last one.
        seconds: ... or when the last one is so long ago.

    Attributes:
        not_before: No checkpoint is tried before this moment: the KCL was throttled.
    """

    def __init__(self, records: int, seconds: float) -> None:
        self._every_records = records
        self._every_seconds = seconds
        self._done: Place | None = None
        self._stored: Place | None = None
        self._records = 0  # done since the last checkpoint
        self._at = 0.0  # when that was
        self._refusals = 0
        self.not_before = 0.0

    def begin(self, now: float) -> None:
        """The shard is ours from now on."""
        self._at = now

    def advance(self, place: Place | None, count: int) -> None:
        """So many more records are done, the last of them at that place."""
        if place is not None:
            self._done = place
        self._records += count

    def seconds_are_up(self, now: float) -> bool:
        """Whether the last checkpoint is long enough ago."""
        return now - self._at >= self._every_seconds and now >= self.not_before

    def is_due(self, now: float) -> bool:
        """Whether to checkpoint."""
        return self._records >= self._every_records or self.seconds_are_up(now)

    def save(self, checkpointer: Checkpointer, now: float, *, at_end: bool = False) -> bool:
        """Checkpoint what is done, or the end of the shard; False if it is to be tried later.

        Raises:
            LeaseLostError: Another worker has the shard.
            CannotGoOnError: The KCL is in no state to store any checkpoint, or is gone.
        """
        if not at_end and self._done == self._stored:
            self._at = now
            return True
        if now < self.not_before:
            return False
        try:
            if at_end:
                checkpointer.checkpoint()
            else:
                assert self._done is not None
                checkpointer.checkpoint(*self._done)
        except Exception as error:  # noqa: BLE001 - the daemon's word, or that it is gone
            self._refused(error, now)
            return False
        self._stored, self._records, self._at = self._done, 0, now
        self._refusals, self.not_before = 0, 0.0
        return True

    def _refused(self, error: Exception, now: float) -> None:
        reason = getattr(error, "value", None)
        if reason == _LEASE_LOST:
            raise LeaseLostError("the lease is lost") from None
        if reason not in _HEALING:
            raise CannotGoOnError(
                f"no checkpoint can be stored: {reason or type(error).__name__}"
            ) from error
        self._refusals += 1
        self.not_before = now + _BACKOFF.after(self._refusals, random.random())  # noqa: S311 - jitter
        logger.warning("a checkpoint is put off: %s", reason)
