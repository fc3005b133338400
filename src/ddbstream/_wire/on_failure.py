"""What Lambda, Pipes and the poller send away about a batch that failed for good.

An S3 destination gets the batch itself, as ``payload.Records``; SQS and SNS only its place in the
stream, for `ddbstream.replay` to read again. ``payload`` is a map in what AWS was recorded to
write, and text in what its documentation says; both are read.

Sources: `Lambda`_, `Pipes`_.

.. _Lambda: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
.. _Pipes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ddbstream._records import Origin
from ddbstream._values.shape import is_map
from ddbstream.exceptions import PayloadError

__all__ = ["BATCH_INFO", "batch_info", "failed_payload"]

BATCH_INFO: Final = ("DDBStreamBatchInfo", "KinesisBatchInfo")
"""Where a message says which batch it means: from a DynamoDB stream, from a Kinesis stream."""


def batch_info(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an on-failure message says of its batch; ``None`` if this is no such message."""
    found = next((message[name] for name in BATCH_INFO if name in message), None)
    return found if is_map(found) else None


def failed_payload(message: Mapping[str, Any], origin: Origin, at: str) -> tuple[object, Origin]:
    """The batch that an on-failure message carries, and what it says of the batch's records.

    Raises:
        PayloadError: It carries none.
    """
    info = batch_info(message) or {}
    payload = message.get("payload")
    if payload is None:
        raise PayloadError(
            "no stream records here: an on-failure message without its records, which only names "
            "their place in the stream; read them again with ddbstream.replay",
            path=at or None,
        )
    form = origin.form if origin.envelope is not None else "on-failure"
    inside = Origin(form, origin.stream_arn, origin.item_identifier, origin.envelope)
    return payload, inside.with_stream(info.get("streamArn"))
