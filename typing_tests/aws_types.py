"""What AWS's own packages are typed as fits where ddbstream takes it."""

from __future__ import annotations

from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

from ddbstream.typing import LambdaContext, StreamsClient


def the_client_that_boto3_makes_is_a_streams_client(client: DynamoDBStreamsClient) -> StreamsClient:
    return client


class Context:
    """As awslambdaric has it: plain attributes, set in ``__init__``."""

    def __init__(self) -> None:
        self.aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 1


def the_context_that_lambda_gives_is_a_lambda_context() -> LambdaContext:
    return Context()


class NoContext:
    aws_request_id: str


def something_else_is_not() -> LambdaContext:
    return NoContext()  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # ty: ignore[invalid-explicit-return]
