"""Types of the wire: attribute values, items, stream records, batch responses, and two protocols.

Shapes follow AWS's documentation of `AttributeValue`_, of a `Record`_ as ``GetRecords`` and Lambda
give it, and of the `batch response`_.

.. _AttributeValue: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html
.. _Record: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
.. _batch response: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, TypedDict

__all__ = [
    "AttributeValue",
    "BatchItemFailure",
    "BatchResponse",
    "Item",
    "LambdaContext",
    "LambdaEvent",
    "StreamsClient",
    "WireChange",
    "WireRecord",
    "WireUserIdentity",
]


class AttributeValue(TypedDict, total=False):
    """One DynamoDB value: exactly one of the ten keys is present.

    ``B`` and the members of ``BS`` are ``bytes`` from boto3 and base64 text in Lambda's JSON.
    """

    S: str
    N: str
    B: bytes | str
    SS: list[str]
    NS: list[str]
    BS: list[bytes] | list[str]
    M: dict[str, AttributeValue]
    L: list[AttributeValue]
    NULL: bool
    BOOL: bool


Item = dict[str, AttributeValue]
"""An item or image: attribute names to attribute values."""


class WireUserIdentity(TypedDict, total=False):
    """``userIdentity``: camelCase in Lambda's JSON, PascalCase from boto3."""

    type: str
    principalId: str
    Type: str
    PrincipalId: str


class WireChange(TypedDict, total=False):
    """What a stream record carries under ``dynamodb``."""

    ApproximateCreationDateTime: float | int | str | datetime
    ApproximateCreationDateTimePrecision: Literal["MILLISECOND", "MICROSECOND"]
    Keys: Item
    NewImage: Item
    OldImage: Item
    SequenceNumber: str
    SizeBytes: int
    StreamViewType: Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]


class WireRecord(TypedDict, total=False):
    """A stream record as Lambda or ``GetRecords`` gives it."""

    eventID: str
    eventName: Literal["INSERT", "MODIFY", "REMOVE"]
    eventVersion: str
    eventSource: str
    awsRegion: str
    eventSourceARN: str
    userIdentity: WireUserIdentity | None
    tableName: str
    recordFormat: str
    dynamodb: WireChange


class LambdaEvent(TypedDict):
    """What a DynamoDB event source mapping passes to a function."""

    Records: list[WireRecord]


class BatchItemFailure(TypedDict):
    """One entry of a partial batch response."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The answer to an event source mapping that has ``ReportBatchItemFailures``."""

    batchItemFailures: list[BatchItemFailure]


class LambdaContext(Protocol):
    """The part of Lambda's context object that ddbstream reads."""

    @property
    def aws_request_id(self) -> str:
        """The invocation's request id."""
        ...

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before Lambda ends the invocation."""
        ...


class StreamsClient(Protocol):
    """The part of boto3's ``dynamodbstreams`` client that ddbstream calls.

    Attributes that can be called, and not methods: the stubs of boto3 name every keyword argument,
    and a method of ``**kwargs: Any`` would refuse them.
    """

    @property
    def list_streams(self) -> Callable[..., Mapping[str, Any]]:
        """`ListStreams` of the DynamoDB Streams API."""
        ...

    @property
    def describe_stream(self) -> Callable[..., Mapping[str, Any]]:
        """`DescribeStream` of the DynamoDB Streams API."""
        ...

    @property
    def get_shard_iterator(self) -> Callable[..., Mapping[str, Any]]:
        """`GetShardIterator` of the DynamoDB Streams API."""
        ...

    @property
    def get_records(self) -> Callable[..., Mapping[str, Any]]:
        """`GetRecords` of the DynamoDB Streams API."""
        ...
