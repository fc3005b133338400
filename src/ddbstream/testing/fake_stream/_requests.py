"""What is refused of a call's parameters before the stream is looked at.

Rules, from botocore's model of the Streams API and from DynamoDB Local

* botocore refuses by itself what the operation does not have, what it needs and lacks, what is of
  the wrong type, and what is too short or too low (``ParamValidationError``).
* The service refuses what is too long or too high (``ValidationException``).
* An iterator is the service's own text. Any other is invalid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ddbstream.testing.fake_stream._errors import client_error, parameter_error

__all__ = ["Iterator", "check_parameters", "read_iterator"]


class _Parameter(NamedTuple):
    """A parameter: its type, and its length or value."""

    type: type
    least: int | None = None
    most: int | None = None


_ARN: Final = _Parameter(str, 37, 1024)
_SHARD_ID: Final = _Parameter(str, 28, 65)
_ANYTHING: Final = _Parameter(object)

_OPERATIONS: Final[Mapping[str, Mapping[str, _Parameter]]] = {
    "ListStreams": {
        "TableName": _Parameter(str, 3, 255),
        "Limit": _Parameter(int, 1, 100),
        "ExclusiveStartStreamArn": _ARN,
    },
    "DescribeTable": {"TableName": _Parameter(str, 1, 1024)},
    "DescribeStream": {
        "StreamArn": _ARN,
        "Limit": _Parameter(int, 1, 100),
        "ExclusiveStartShardId": _SHARD_ID,
        "ShardFilter": _Parameter(Mapping),
    },
    "ShardFilter": {"Type": _Parameter(str), "ShardId": _SHARD_ID},
    "GetShardIterator": {
        "StreamArn": _ARN,
        "ShardId": _SHARD_ID,
        "ShardIteratorType": _Parameter(str),
        # botocore wants 21 digits, and a fake stream's numbers may be shorter.
        "SequenceNumber": _Parameter(str, None, 40),
        "Timestamp": _ANYTHING,
    },
    "GetRecords": {"ShardIterator": _Parameter(str, 1, 2048), "Limit": _Parameter(int, 1, 1000)},
}

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "DescribeTable": ("TableName",),
    "DescribeStream": ("StreamArn",),
    "GetShardIterator": ("StreamArn", "ShardId", "ShardIteratorType"),
    "GetRecords": ("ShardIterator",),
}


def check_parameters(operation: str, given: Mapping[str, Any], *, own: str | None = None) -> None:
    """Raise what boto3 raises for parameters that the operation cannot have.

    Args:
        operation: Such as ``GetRecords``; ``ShardFilter`` for what is in one.
        given: The parameters.
        own: A text of the fake's that passes, however short it is.

    Raises:
        Exception: botocore's ``ParamValidationError``, or a ``ClientError`` of the code
            ``ValidationException``.
    """
    known = _OPERATIONS[operation]
    missing = [name for name in _REQUIRED.get(operation, ()) if name not in given]
    if missing:
        raise parameter_error(f'Missing required parameter in input: "{missing[0]}"')
    for name, value in given.items():
        if name not in known:
            raise parameter_error(
                f'Unknown parameter in input: "{name}", must be one of: {", ".join(known)}'
            )
        if own is None or value != own:
            _check_one(operation, name, value, known[name])


def _check_one(operation: str, name: str, value: Any, parameter: _Parameter) -> None:
    wrong = not isinstance(value, parameter.type) or (parameter.type is int and value is True)
    if wrong:
        raise parameter_error(
            f"Invalid type for parameter {name}, type: {type(value)}, valid types: {parameter.type}"
        )
    size: int = len(value) if isinstance(value, str) else value
    what = "length" if parameter.type is str else "value"
    if parameter.least is not None and size < parameter.least:
        raise parameter_error(
            f"Invalid {what} for parameter {name}, value: {size}, "
            f"valid min {what}: {parameter.least}"
        )
    if parameter.most is not None and size > parameter.most:
        raise client_error(
            "ValidationException",
            operation,
            f"the {what} of {name} has to be less than or equal to {parameter.most}",
        )


class Iterator(NamedTuple):
    """What a shard iterator says.

    Attributes:
        arn: Of the stream.
        shard: The shard's id.
        after: The sequence number that it stands behind.
        explicit: Whether that number was read, or asked for.
        made: When it was made, in epoch seconds.
    """

    arn: str
    shard: str
    after: int
    explicit: bool
    made: float

    def text(self) -> str:
        """As the service hands it out."""
        return json.dumps(self._asdict())


def read_iterator(text: str) -> Iterator:
    """Read what `Iterator.text` wrote.

    Raises:
        Exception: A ``ClientError`` of the code ``ValidationException``: it is no such text.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        after, made = fields["after"], fields["made"]
        if isinstance(after, int) and isinstance(made, (int, float)):
            return Iterator(**fields)
    except (ValueError, TypeError, LookupError, RecursionError):  # no JSON, or of something else
        pass
    raise client_error("ValidationException", "GetRecords", "Invalid ShardIterator")
