"""Where a record came from: what its payload knows of it, and what an ARN and an identity say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Origin", "UserIdentity", "table_of"]


class UserIdentity(NamedTuple):
    """Who made the change, where DynamoDB says so: today, its TTL process only."""

    type: str | None
    principal_id: str | None


class Origin:
    """What a payload knows about its records that they do not say themselves.

    All records of a payload share one object, except where an envelope says more of each.

    Args:
        form: What carried the record here, outermost: ``dynamodb``, ``kinesis``, ``sqs``, ``sns``,
            ``eventbridge``, ``on-failure`` or ``export``.
        stream_arn: The stream or table the record came from, if the record does not say so.
        item_identifier: What a batch response names the record by, where that is not its sequence
            number.
        envelope: The Kinesis record or message that the record was wrapped in.
    """

    __slots__ = ("envelope", "form", "item_identifier", "stream_arn")

    def __init__(
        self,
        form: str,
        stream_arn: str | None = None,
        item_identifier: str | None = None,
        envelope: Mapping[str, Any] | None = None,
    ) -> None:
        self.form = form
        self.stream_arn = stream_arn
        self.item_identifier = item_identifier
        self.envelope = envelope

    def with_stream(self, arn: object) -> Origin:
        """The same origin, with the ARN that a payload gives, unless one is known already."""
        if self.stream_arn is not None or not isinstance(arn, str):
            return self
        return Origin(self.form, arn, self.item_identifier, self.envelope)

    def inside(
        self, form: str, message: Mapping[str, Any], identifier: str | None = None
    ) -> Origin:
        """The origin of what a message holds: the outermost message is the one that counts."""
        if self.envelope is not None:
            return self
        return Origin(form, self.stream_arn, identifier, message)

    def inside_kinesis(self, entry: Mapping[str, Any], identifier: Any) -> Origin:
        """The origin of what a Kinesis record holds, of which its envelope may say the stream."""
        arn = entry.get("eventSourceARN") if self.stream_arn is None else self.stream_arn
        if self.envelope is not None:
            return self.with_stream(arn)
        return Origin("kinesis", arn if isinstance(arn, str) else None, identifier, entry)


def table_of(arn: object) -> str | None:
    """The table name in the ARN of a table or stream; ``None`` if it is no such ARN."""
    # arn:partition:dynamodb:region:account:table/Name/stream/label, and the label has colons.
    if not isinstance(arn, str):
        return None
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("table/"):
        return None
    return parts[5].split("/", 2)[1] or None
