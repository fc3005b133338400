"""One stream's core, with the client, the store and the router that its commands go to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ddbstream._wire.on_failure import failure_details, on_failure_document
from ddbstream.exceptions import FencedError
from ddbstream.poller._client import StreamsApi
from ddbstream.poller._core.commands import (
    Command,
    Deliver,
    Delivered,
    Describe,
    Discard,
    Fault,
    FixStart,
    Forget,
    GetIterator,
    GetRecords,
    Record,
    Renew,
    Result,
    Save,
)
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.shard import sequence_number
from ddbstream.poller._stores.contract import CheckpointStore, Lease

__all__ = ["DeadLetter", "PollContext", "Router", "Stream", "outcome"]

logger = logging.getLogger("ddbstream.poller")


class Router(Protocol):
    """What the poller asks of a router: `ddbstream.StreamRouter` has it."""

    def dispatch(
        self, payload: Any, /, *, stream_arn: str | None = None, context: Any = None
    ) -> Any:
        """Handle records; return an object with ``processed``, ``failures`` and ``checkpoint``."""
        ...


@dataclass(frozen=True, slots=True)
class PollContext:
    """What a handler's second argument is when a poller calls it.

    Attributes:
        stream_arn: Of the stream that the records come from.
        shard_id: Of their shard.
        attempt: 1 for the first delivery of the batch's first record, counted up while it fails.
    """

    stream_arn: str
    shard_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is given up, as a dead-letter sink gets it.

    Attributes:
        stream_arn: Of its stream.
        shard_id: Of its shard.
        record: The wire record.
        error: What its handler raised, or why it cannot be decoded.
        attempts: How often it was delivered.
    """

    stream_arn: str
    shard_id: str
    record: Record
    error: Exception
    attempts: int

    def document(self) -> dict[str, Any]:
        """It as JSON, in the shape of Lambda's on-failure messages: one tool replays both."""
        document = on_failure_document(
            [self.record],
            stream_arn=self.stream_arn,
            shard_id=self.shard_id,
            invocations=self.attempts,
        )
        document["ddbstream"] = failure_details(self.record, self.error)
        return document


class Stream:
    """A core, and everything its commands need.

    Args:
        core: Decides.
        api: Makes the calls.
        store: Keeps positions, under ``lease``.
        lease: The right to do so.
        router: Handles records; None if a driver delivers them itself.
        sink: Takes records that are given up.
    """

    def __init__(
        self,
        core: StreamCore,
        api: StreamsApi,
        store: CheckpointStore,
        lease: Lease,
        router: Router | None,
        sink: Callable[[DeadLetter], object] | None,
    ) -> None:
        self.core = core
        self.api = api
        self.store = store
        self.lease = lease
        self._router = router
        self._sink = sink

    @property
    def arn(self) -> str:
        """The stream's ARN."""
        return self.lease.stream_arn

    def run(self, command: Command) -> Result:
        """Do what the core asks for. Blocks; safe in any thread."""
        if isinstance(command, (GetRecords, GetIterator, Describe)):
            return self.api.run(command)
        if isinstance(command, Deliver):
            return self.deliver(command)
        return self.write(command)

    def write(self, command: Save | FixStart | Renew | Forget | Discard) -> Fault | None:
        """Do what goes to the store, or to the sink."""
        try:
            if isinstance(command, Save):
                self.store.save(self.lease, command.shard_id, command.position)
            elif isinstance(command, FixStart):
                self.store.fix_start(self.lease, command.start)
            elif isinstance(command, Renew):
                self.store.renew(self.lease, command.alive_at)
            elif isinstance(command, Forget):
                self.store.forget(self.lease, command.shard_ids)
            elif self._sink is not None:
                self._sink(self.dead_letter(command))
        except FencedError as error:
            return Fault("fenced", "FencedError", error)
        except Exception as error:
            logger.debug("%s failed", type(command).__name__, exc_info=True)
            return Fault("failed", type(error).__name__, error)
        return None

    def dead_letter(self, command: Discard) -> DeadLetter:
        """What the sink gets."""
        return DeadLetter(
            self.arn, command.shard_id, command.record, command.error, command.attempts
        )

    def context(self, command: Deliver) -> PollContext:
        """What handlers get beside the record."""
        return PollContext(self.arn, command.shard_id, command.attempt)

    def deliver(self, command: Deliver) -> Delivered:
        """Have the router handle records."""
        assert self._router is not None
        records = list(command.records)
        try:
            result = self._router.dispatch(
                records, stream_arn=self.arn, context=self.context(command)
            )
            return outcome(result, records)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            return Delivered(0, error, located=len(records) == 1)

    def release(self) -> None:
        """Give the lease back."""
        try:
            self.store.release(self.lease)
        except Exception:  # the lease ends by itself
            logger.warning("the lease of %s could not be released", self.arn, exc_info=True)


def outcome(result: Any, records: Sequence[Record]) -> Delivered:
    """What a `ddbstream.BatchResult` means for the records it was made of."""
    if result.checkpoint is None:
        return Delivered(len(records))
    error: Exception = (
        result.failures[0].error if result.failures else RuntimeError("the batch was cut short")
    )
    for index, record in enumerate(records):
        if result.checkpoint and sequence_number(record) == result.checkpoint:
            return Delivered(index, error)
    # The record that is not done has no number to be named by.
    if not result.checkpoint and sequence_number(records[result.processed]) is None:
        return Delivered(result.processed, error)
    return Delivered(0, error, located=len(records) == 1)
