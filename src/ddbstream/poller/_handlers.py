"""What the poller gives the user's code: contexts, and dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ddbstream._wire.on_failure import failure_details, on_failure_document
from ddbstream.poller._core.commands import RawRecord

__all__ = ["DeadLetter", "PollContext", "Router"]


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
        epoch: A fencing token: the number of this poller's lease. Whoever takes over has a higher
            one, so a write of yours that is conditional on ``epoch <= :epoch``, and keeps it,
            cannot come after a successor's.
        consumer: Whose positions the poller keeps.
    """

    stream_arn: str
    shard_id: str
    attempt: int
    epoch: int = 0
    consumer: str = "default"


class DeadLetter(dict[str, Any]):
    """A record that is given up, as a dead-letter sink gets it.

    It is the document that Lambda's on-failure messages are, so that `json.dumps` and every sink of
    ``ddbstream.dead_letters`` take it; and it has what a sink may want to know besides.

    Attributes:
        stream_arn: Of its stream.
        shard_id: Of its shard.
        record: The wire record.
        error: What its handler raised, or why it cannot be decoded.
        attempts: How often it was delivered.
        route: The name of the handler that failed, if one did.
    """

    def __init__(
        self,
        stream_arn: str,
        shard_id: str,
        record: RawRecord,
        error: Exception,
        attempts: int,
        route: str | None = None,
    ) -> None:
        self.stream_arn = stream_arn
        self.shard_id = shard_id
        self.record = record
        self.error = error
        self.attempts = attempts
        self.route = route
        super().__init__(
            on_failure_document(
                [record], stream_arn=stream_arn, shard_id=shard_id, invocations=attempts
            )
        )
        self["ddbstream"] = failure_details(record, error, route)

    def document(self) -> dict[str, Any]:
        """It as JSON, in the shape of Lambda's on-failure messages: one tool replays both."""
        return dict(self)

    def __repr__(self) -> str:
        # A dict's own would print stored values.
        return f"<DeadLetter of {self.shard_id}, after {self.attempts} attempts>"
