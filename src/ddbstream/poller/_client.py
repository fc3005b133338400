"""The four calls of the Streams API: made, checked, and their failures named.

Every answer is checked for what it must have. botocore reports a cut-off body, or a proxy's HTML
page with status 200, as an empty success: a page without a ``Records`` key is a failed call, not an
empty page. boto3 is imported only if a client has to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ddbstream._values.json_values import has_part
from ddbstream._values.service_errors import code_of
from ddbstream._wire.pages import Page
from ddbstream.exceptions import PollerArgumentError, PollerError, StreamNotFoundError
from ddbstream.poller._core.commands import (
    CommandFailed,
    Describe,
    FailedKind,
    GetIterator,
    GetRecords,
    ListedShard,
    RecordsPage,
    StreamPage,
)
from ddbstream.poller._core.positions import After, AtTime
from ddbstream.poller._fast_records import install
from ddbstream.typing import StreamsClient

__all__ = [
    "GarbledAnswerError",
    "Request",
    "StreamsApi",
    "checked",
    "failure_of",
    "knows_timestamps",
    "list_streams",
    "make_client",
    "resolve_stream",
]

_KINDS: dict[str, FailedKind] = {
    "ExpiredIteratorException": "expired",
    "TrimmedDataAccessException": "trimmed",
    "ResourceNotFoundException": "gone",
    "LimitExceededException": "throttled",
    "ThrottlingException": "throttled",
    "Throttling": "throttled",
    "ProvisionedThroughputExceededException": "throttled",
    "RequestLimitExceeded": "throttled",
    "RequestThrottled": "throttled",
    "TooManyRequestsException": "throttled",
    "SlowDown": "throttled",
    "AccessDeniedException": "denied",
    "AccessDenied": "denied",
    "UnrecognizedClientException": "denied",
    "ExpiredToken": "denied",
    "ExpiredTokenException": "denied",
    "InvalidClientTokenId": "denied",
    "InvalidSignatureException": "denied",
    "SignatureDoesNotMatch": "denied",
    "IncompleteSignature": "denied",
    "MissingAuthenticationToken": "denied",
    "MissingAuthenticationTokenException": "denied",
    "NotAuthorized": "denied",
    "OptInRequired": "denied",
    "NoCredentialsError": "denied",
    "PartialCredentialsError": "denied",
    "ValidationException": "invalid",
    "ValidationError": "invalid",
    "SerializationException": "invalid",
    "UnknownOperationException": "invalid",
    "ParamValidationError": "invalid",
}


def failure_of(error: Exception) -> CommandFailed:
    """Name what a client raised, by AWS's error code.

    Anything unknown counts as transient: it is tried again, and reported.
    """
    if isinstance(error, GarbledAnswerError):
        return _GARBLED
    code = code_of(error) or type(error).__name__
    return CommandFailed(_KINDS.get(code, "transient"), code, error)


def knows_timestamps(client: object) -> bool:
    """Whether the client's SDK has the iterator type AT_TIMESTAMP (in botocore since 2026)."""
    model = getattr(getattr(client, "meta", None), "service_model", None)
    if model is None:
        return bool(getattr(client, "supports_at_timestamp", False))
    shape = model.operation_model("GetShardIterator").input_shape
    return "AT_TIMESTAMP" in shape.members["ShardIteratorType"].enum


class GarbledAnswerError(PollerError):
    """An answer that is not of its form. It may pass, as a failed call does."""


Answer = Mapping[str, Any]
_GARBLED = CommandFailed("transient", "GarbledAnswer")


class Request(NamedTuple):
    """A call of the client that is not made yet, so that it can be made in a thread or awaited.

    Attributes:
        method: Of the client.
        arguments: Of that method.
        check: Makes the result from an answer, which is believed only if it has what it must have.
    """

    method: str
    arguments: dict[str, Any]
    check: Callable[[Answer], StreamPage | str | RecordsPage | CommandFailed]


class StreamsApi:
    """The calls for one stream.

    Args:
        client: boto3's ``dynamodbstreams`` client, or anything like it.
        stream_arn: Of the stream.
        page_limit: Records a page.
    """

    def __init__(self, client: StreamsClient, stream_arn: str, *, page_limit: int = 1000) -> None:
        self.client: Any = client
        self._arn = stream_arn
        self._limit = page_limit

    def describe(self, command: Describe) -> Request:
        """A page of the listing."""
        cursor = {"ExclusiveStartShardId": command.cursor} if command.cursor else {}
        return Request("describe_stream", {"StreamArn": self._arn, **cursor}, _stream_page)

    def get_iterator(self, command: GetIterator) -> Request:
        """An iterator."""
        arguments = {"StreamArn": self._arn, "ShardId": command.shard_id, **_place(command)}
        return Request("get_shard_iterator", arguments, _iterator)

    def get_records(self, command: GetRecords) -> Request:
        """A page of records."""
        arguments = {"ShardIterator": command.iterator, "Limit": self._limit}
        return Request("get_records", arguments, _records_page)

    def make(self, request: Request) -> StreamPage | str | RecordsPage | CommandFailed:
        """Make a call: a checked result or a `CommandFailed`; no Exception is raised."""
        try:
            answer = getattr(self.client, request.method)(**request.arguments)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed call
            return failure_of(error)
        return checked(request, answer)


def checked(request: Request, answer: object) -> StreamPage | str | RecordsPage | CommandFailed:
    """What an answer says; one that is not of its form is a failed call, whatever it is."""
    return request.check(answer) if isinstance(answer, Mapping) else _GARBLED


def _records_page(answer: Answer) -> RecordsPage | CommandFailed:
    records = answer.get("Records")
    if not isinstance(records, (list, Page)):
        return _GARBLED
    size = _headers(answer).get("content-length", "")
    iterator = answer.get("NextShardIterator") or None
    return RecordsPage(records, iterator, int(size) if size.isdecimal() and len(size) < 16 else 0)


def _iterator(answer: Answer) -> str | CommandFailed:
    token = answer.get("ShardIterator")
    return token if isinstance(token, str) else _GARBLED


def _place(command: GetIterator) -> dict[str, Any]:
    if isinstance(command.position, After):
        number = command.position.sequence_number
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
    if isinstance(command.position, AtTime) and command.timestamp:
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": command.position.time}
    return {"ShardIteratorType": "TRIM_HORIZON"}


def _stream_page(answer: Answer) -> StreamPage | CommandFailed:
    description = answer.get("StreamDescription")
    if not isinstance(description, Mapping) or not isinstance(description.get("Shards"), list):
        return _GARBLED
    shards = []
    for shard in description["Shards"]:
        if not isinstance(shard, Mapping) or not isinstance(shard.get("ShardId"), str):
            return _GARBLED
        numbers = shard.get("SequenceNumberRange")
        shards.append(
            ListedShard(
                shard["ShardId"],
                shard.get("ParentShardId") or None,
                numbers.get("EndingSequenceNumber") if isinstance(numbers, Mapping) else None,
            )
        )
    status = description.get("StreamStatus") or "ENABLED"
    cursor = description.get("LastEvaluatedShardId") or None
    return StreamPage(status, shards, cursor, _service_time(answer))


def _headers(answer: Answer) -> Mapping[str, str]:
    metadata = answer.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    return headers if isinstance(headers, Mapping) else {}


def _service_time(answer: Answer) -> float | None:
    date = _headers(answer).get("date")
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def make_client(
    *,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    service: str = "dynamodbstreams",
    connections: int = 10,
) -> Any:
    """A boto3 client with limits that suit a poller.

    Args:
        endpoint_url: For DynamoDB Local and other stand-ins.
        region_name: As boto3's.
        service: ``dynamodbstreams`` or ``dynamodb``.
        connections: Calls that can run at once.

    Raises:
        PollerArgumentError: No client can be made of what is given, or set in the environment.
        PollerError: boto3 is not installed, or nothing tells the region.
    """
    # boto3 is an extra; who brings a client of their own needs none.
    try:
        from ddbstream.poller._own_client import NoRegionError, own_client
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise PollerError(
            'this needs boto3, or a client of your own: pip install "ddbstream[poller]"'
        ) from None

    try:
        client = own_client(
            service,
            endpoint_url=endpoint_url,
            region_name=region_name,
            connections=connections,
        )
    except NoRegionError:
        raise PollerError("no AWS region: give region_name=, or set AWS_DEFAULT_REGION") from None
    except ValueError as error:  # botocore's for an endpoint that is no URL, "localhost:8000" say
        raise PollerArgumentError(
            f"endpoint_url=, region_name= or the environment: {error}"
        ) from None
    if service == "dynamodbstreams":
        install(client)
    return client


def resolve_stream(name: str, client: Any, tables: Any = None) -> str:
    """The ARN of a table's newest stream; a stream's ARN is returned as it is.

    Args:
        name: A stream's ARN, a table's name, or a table's ARN.
        client: A ``dynamodbstreams`` client: `ListStreams` is called if there is nothing better.
        tables: A ``dynamodb`` client: `DescribeTable` gives the ARN in one call.

    Raises:
        GarbledAnswerError: Its answers are cut off, or are no such service's.
        StreamNotFoundError: No such table, or it has no stream.
    """
    if name.startswith("arn:") and "/stream/" in name:
        return name
    table = name.rpartition("table/")[2] if name.startswith("arn:") else name
    tables = client if tables is None and hasattr(client, "describe_table") else tables
    if tables is not None:
        try:
            answer = _whole_answer(tables.describe_table, "Table", Mapping, TableName=table)
            arn = answer["Table"].get("LatestStreamArn")
        except Exception as error:
            if failure_of(error).kind != "gone":
                raise
            raise StreamNotFoundError(f"there is no table {table!r}") from error
    else:
        arn = next(reversed(list_streams(client, table)), None)
    if not arn:
        raise StreamNotFoundError(f"the table {table!r} has no stream")
    return str(arn)


def list_streams(client: Any, table: str) -> list[str]:
    """The ARNs of a table's streams that can still be read, oldest first.

    Raises:
        GarbledAnswerError: Its answers are cut off, or are no such service's.
    """
    streams: list[Mapping[str, Any]] = []
    arguments: dict[str, str] = {}
    while True:
        answer = _whole_answer(client.list_streams, "Streams", list, TableName=table, **arguments)
        streams += [stream for stream in answer["Streams"] if stream["TableName"] == table]
        last = answer.get("LastEvaluatedStreamArn")
        if not last:
            break
        if last == arguments.get("ExclusiveStartStreamArn"):
            raise GarbledAnswerError("ListStreams goes in circles: its pages end where they began")
        arguments["ExclusiveStartStreamArn"] = last
    # A label is the moment the stream was enabled, in ISO 8601: the newest sorts last.
    streams.sort(key=lambda stream: str(stream.get("StreamLabel", "")))
    return [str(stream["StreamArn"]) for stream in streams]


# A list of streams without its streams would have them skipped in silence.
def _whole_answer(call: Callable[..., object], key: str, kind: type, /, **arguments: Any) -> Answer:
    """What a call answers, if that has what it must have."""
    answer = call(**arguments)
    if has_part(answer, key, kind):
        return answer
    raise GarbledAnswerError(f"an answer has no {key}: it was cut off, or is no such service's")
