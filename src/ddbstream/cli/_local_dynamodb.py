"""The DynamoDB that ``demo`` and ``dev`` work on: moto in this process, or a given endpoint.

moto answers only in the process that it runs in. For other processes a request is passed on to moto
as it came, except for its signature: the body is DynamoDB's own JSON protocol, and the header
``X-Amz-Target`` names the call.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from ddbstream.cli._aws import boto3_session, environment, need
from ddbstream.cli._http import LOOPBACK, Request, Response, message, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PORT_TAKEN", "REGION", "dynamodb", "serving_dynamodb"]

REGION = "us-east-1"
PORT_TAKEN = "port {port}: {reason}; try --port"

_CONTENT_TYPE = {"Content-Type": "application/x-amz-json-1.0"}
_LONGEST_BODY = 64 * 1024 * 1024  # bytes; more than DynamoDB takes in any call
# moto takes this iterator type and then fails on the iterator: refused as by a service without it.
_NO_TIMESTAMPS = (
    b'{"__type": "com.amazon.coral.validate#ValidationException", '
    b'"message": "Invalid ShardIteratorType"}'
)

# moto answers for the hosts of AWS only, so nothing in this process may point boto3 elsewhere; and
# it has no account-based hosts, which boto3 would otherwise choose for these credentials.
_EMBEDDED = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_SESSION_TOKEN": "embedded",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_PROFILE": None,
    "AWS_DEFAULT_PROFILE": None,
}


@contextmanager
def dynamodb(endpoint_url: str | None) -> Iterator[None]:
    """Where boto3's clients go while this is open: moto in this process, or the endpoint given.

    Any code in between makes its clients as it would in Lambda, with ``boto3.client("dynamodb")``.
    Only this process sees the change, and closing undoes it.
    """
    need("boto3", "demo", "the demo")
    if endpoint_url is None:
        moto = need("moto", "demo", "an embedded DynamoDB (without --endpoint-url)")
        with environment(_EMBEDDED), moto.mock_aws():
            yield
        return
    with environment(_pointing_at(endpoint_url)):
        yield


def _pointing_at(endpoint_url: str) -> dict[str, str | None]:
    """Environment for an endpoint; an emulator wants credentials and a region, and takes any."""
    session = boto3_session()
    changes: dict[str, str | None] = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": endpoint_url.replace(
            "//dynamodb.", "//streams.dynamodb."
        ),
    }
    if session.region_name is None:
        changes["AWS_DEFAULT_REGION"] = REGION
    if session.get_credentials() is None:
        changes |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return changes


@contextmanager
def serving_dynamodb(port: int) -> Iterator[str]:
    """Serve the DynamoDB that moto has in this process to this machine; gives its URL.

    Args:
        port: To listen on; 0 for any free one.
    """
    one_at_a_time = Lock()

    def respond(request: Request) -> Response:
        target = request.headers.get("X-Amz-Target", "")
        if request.method != "POST" or not target.startswith("DynamoDB"):
            return message(400, "this is a DynamoDB endpoint")
        if target.endswith(".GetShardIterator") and b'"AT_TIMESTAMP"' in request.body:
            return Response(400, _NO_TIMESTAMPS, _CONTENT_TYPE)
        try:
            with one_at_a_time:
                answer = _asked_moto(target, request.body)
        except NotImplementedError:  # what an emulator of AWS's own would say of it
            unknown = b'{"__type": "com.amazon.coral.service#UnknownOperationException"}'
            return Response(400, unknown, _CONTENT_TYPE)
        return Response(answer.status_code, answer.content, _CONTENT_TYPE)

    with serving(respond, (LOOPBACK, port), longest_body=_LONGEST_BODY, refusal=PORT_TAKEN) as url:
        yield url


def _asked_moto(target: str, body: bytes) -> Any:
    host = "streams.dynamodb" if target.startswith("DynamoDBStreams") else "dynamodb"
    requests = need("requests", "demo", "an embedded DynamoDB")
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: this stays in the process
        headers = {"X-Amz-Target": target, **_CONTENT_TYPE}
        return session.post(f"https://{host}.{REGION}.amazonaws.com/", data=body, headers=headers)
