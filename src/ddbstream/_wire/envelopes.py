"""Messages around a payload: SQS, SNS, EventBridge, one in another.

The outermost message decides what a batch response names: for SQS the message id, whatever is
inside.

Sources: `SQS event`_, `ReceiveMessage`_, `SNS event`_, `SNS notification`_, `EventBridge event`_.

.. _SQS event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
.. _ReceiveMessage: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
.. _SNS event: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
.. _SNS notification: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
.. _EventBridge event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ddbstream._records import Origin

__all__ = ["Contents", "contents"]


class Contents(NamedTuple):
    """What a message holds: the payload, where it was, and what is known of its records."""

    payload: object
    path: str
    origin: Origin


def contents(entry: Mapping[str, Any], origin: Origin) -> Contents | None:
    """What is inside a message; ``None`` if the entry is no message."""
    return next((found for look in _LOOKS if (found := look(entry, origin)) is not None), None)


def _sqs(entry: Mapping[str, Any], origin: Origin) -> Contents | None:
    # Lambda and Pipes spell the keys in camelCase, boto3 in PascalCase.
    for name, identifier in (("body", "messageId"), ("Body", "MessageId")):
        if name in entry and identifier in entry:
            return Contents(entry[name], name, origin.inside("sqs", entry, entry[identifier]))
    return None


def _sns(entry: Mapping[str, Any], origin: Origin) -> Contents | None:
    notification = entry.get("Sns")
    if isinstance(notification, Mapping) and "Message" in notification:
        return Contents(notification["Message"], "Sns.Message", origin.inside("sns", entry))
    if "Message" in entry and "TopicArn" in entry:
        return Contents(entry["Message"], "Message", origin.inside("sns", entry))
    return None


def _eventbridge(entry: Mapping[str, Any], origin: Origin) -> Contents | None:
    if "detail" in entry and "detail-type" in entry:
        return Contents(entry["detail"], "detail", origin.inside("eventbridge", entry))
    return None


_LOOKS: Final[tuple[Callable[[Mapping[str, Any], Origin], Contents | None], ...]] = (
    _sqs,
    _sns,
    _eventbridge,
)
