"""Wire records for tests of the router and its hosts: small, and spelled as Lambda spells them."""

from __future__ import annotations

from typing import Any

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Shop/stream/2026-01-01T00:00:00.000"


def wire_record(
    event: str = "INSERT",
    number: int = 1,
    *,
    key: str = "Product#1",
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    view: str = "NEW_AND_OLD_IMAGES",
    **extra: Any,
) -> dict[str, Any]:
    """A record of an item whose only key is ``PK``; images hold ``PK`` and what is given.

    An image that the event has by its nature is there unless the view type leaves it out.
    """
    keys = {"PK": {"S": key}}
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": 1_790_000_000.0 + number,
        "Keys": keys,
        "SequenceNumber": f"{number:021d}",
        "SizeBytes": 100,
        "StreamViewType": view,
    }
    if event != "REMOVE" and view in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}:
        change["NewImage"] = {**keys, **(new or {})}
    if event != "INSERT" and view in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}:
        change["OldImage"] = {**keys, **(old or {})}
    return {
        "eventID": f"event-{number}",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": change,
        "eventSourceARN": ARN,
        **extra,
    }


def sequence_number(number: int) -> str:
    """What `wire_record` writes as the sequence number of its ``number``."""
    return f"{number:021d}"


TTL = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
"""What a deletion by Time to Live carries."""
