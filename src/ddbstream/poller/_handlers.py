"""What the poller gives the user's code, and what comes back: contexts, results, dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ddbstream._wire.on_failure import failure_details, on_failure_document
from ddbstream.poller._core.commands import Delivered, RawRecord
from ddbstream.poller._core.shard import sequence_number

__all__ = ["DeadLetter", "PollContext", "Router", "outcome"]


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
        route: The name of the handler that failed, if one did.
    """

    stream_arn: str
    shard_id: str
    record: RawRecord
    error: Exception
    attempts: int
    route: str | None = None

    def document(self) -> dict[str, Any]:
        """It as JSON, in the shape of Lambda's on-failure messages: one tool replays both."""
        document = on_failure_document(
            [self.record],
            stream_arn=self.stream_arn,
            shard_id=self.shard_id,
            invocations=self.attempts,
        )
        document["ddbstream"] = failure_details(self.record, self.error, self.route)
        return document


def outcome(result: Any, records: Sequence[RawRecord]) -> Delivered:
    """What a `ddbstream.BatchResult` says about the records that were dispatched."""
    if result.checkpoint is None:
        return Delivered(len(records))
    error: Exception = RuntimeError("the batch was cut short")
    route = None
    if result.failures:
        error, route = result.failures[0].error, getattr(result.failures[0], "route", None)
    for index, record in enumerate(records):
        if result.checkpoint and sequence_number(record) == result.checkpoint:
            return Delivered(index, error, route=route)
    # The record that is not done has no number to be named by.
    if not result.checkpoint and sequence_number(records[result.processed]) is None:
        return Delivered(result.processed, error, route=route)
    return Delivered(0, error, located=len(records) == 1, route=route)
