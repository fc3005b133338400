"""Words for what a payload is, when it is no stream records: names and types, never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ddbstream._values.tags import TAGS

__all__ = ["looks_like"]

# The first whose names are all there. What to do instead is part of the answer, where there is
# such.
_SHAPES: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("s3", "eventSource"), "an S3 notification, which names objects and does not hold them"),
    (("ses", "eventSource"), "an SES event"),
    (("batchItemFailures",), "a batch response"),
    (("StreamDescription",), "an answer of DescribeStream"),
    (("Shards",), "a description of a stream"),
    (("ShardIterator",), "an answer of GetShardIterator"),
    (("Streams",), "an answer of ListStreams"),
    (("Table",), "an answer of DescribeTable"),
    (("Items",), "an answer of Query or Scan; ddbstream.from_item reads its items"),
    (("Item",), "an answer of GetItem; ddbstream.from_item reads its item"),
    (("deliveryStreamArn", "records"), "a Firehose transformation event"),
    (("awslogs",), "a CloudWatch Logs event"),
    (("httpMethod",), "an API Gateway request"),
    (("rawPath",), "an HTTP request from API Gateway or a function URL"),
    (("exportArn",), "the summary manifest of an S3 export; ddbstream.export reads it"),
    (("dataFileS3Key",), "a line of an S3 export's manifest; ddbstream.export reads it"),
    (("requestPayload",), "the record of an asynchronous invocation"),
    (("requestContext", "responseContext"), "an on-failure message that names no batch"),
)


def looks_like(payload: object) -> str:
    """A few words on what this is: ``an S3 notification``, ``a mapping with the keys a, b``."""
    if not isinstance(payload, Mapping):
        return "nothing" if payload is None else f"a {type(payload).__name__}"
    if not payload:
        return "an empty mapping, which is also what boto3 makes of an answer that was cut off"
    for names, words in _SHAPES:
        if all(name in payload for name in names):
            return words
    if all(isinstance(value, Mapping) and len(value) == 1 for value in payload.values()) and all(
        next(iter(value)) in TAGS for value in payload.values()
    ):
        return "one DynamoDB item; ddbstream.from_item reads it"
    return f"a mapping with the keys {_some(payload)}"


def _some(names: Iterable[object]) -> str:
    listed = sorted((name if isinstance(name, str) else repr(name))[:40] for name in names)
    return ", ".join(listed[:8]) + (" and others" if len(listed) > 8 else "")
