"""What the commands need of boto3: clients, and one line in place of a traceback.

Every import of boto3 and botocore in the command line is here, inside a function: ``decode``,
``invoke`` and ``filters`` work without them, and the others say what to install.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ddbstream._values.extras import missing_extra
from ddbstream.cli._remedies import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "aws_errors",
    "boto3_client",
    "boto3_session",
    "described_stream",
    "environment",
    "need",
    "reported",
    "use_profile",
]


class MissingDependency(click.ClickException):
    """Something is not installed: one line, and the exit code of wrong usage."""

    exit_code = 2


class _NeverRaised(Exception):
    """In the place of errors that cannot come, for want of a library."""


def need(module: str, extra: str, purpose: str) -> Any:
    """Import a module that an extra brings.

    Raises:
        MissingDependency: It is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingDependency(str(missing_extra(error, module, extra, purpose))) from None


def boto3_client(
    service: str, *, endpoint_url: str | None = None, region_name: str | None = None
) -> Any:
    """A boto3 client; a missing region or a bad endpoint is told in one line.

    Its calls raise a ``BotoCoreError`` for an answer that was cut off.
    """
    boto3 = need("boto3", "cli", "this command")
    try:
        client = boto3.client(service, endpoint_url=endpoint_url, region_name=region_name)
    except (*aws_errors(), ValueError) as error:
        raise click.ClickException(in_words(error)) from None
    client.meta.events.register("after-call", _refuse_cut_off)
    return client


def _refuse_cut_off(http_response: Any, parsed: Mapping[str, Any], **_: object) -> None:
    """Raise for a body that is no JSON, of which botocore makes an answer without anything."""
    if not set(parsed) <= {"ResponseMetadata"} or http_response.raw is None:
        return
    try:
        json.loads(http_response.content or b"{}")
    except ValueError:
        exceptions = import_module("botocore.exceptions")
        raise exceptions.ConnectionClosedError(endpoint_url=http_response.url) from None


def boto3_session() -> Any:
    """A boto3 session, to ask for its region and credentials."""
    return need("boto3", "cli", "this command").Session()


def aws_errors() -> tuple[Any, Any]:
    """``ClientError``, which is what AWS refuses, and ``BotoCoreError``: AWS could not be asked."""
    try:
        exceptions = import_module("botocore.exceptions")
    except ModuleNotFoundError:
        return _NeverRaised, _NeverRaised
    return exceptions.ClientError, exceptions.BotoCoreError


@contextmanager
def reported() -> Iterator[None]:
    """What AWS refuses, or cannot be asked, in one line in place of a traceback."""
    try:
        yield
    except aws_errors() as error:
        raise click.ClickException(in_words(error)) from None


def described_stream(client: Any, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A stream's description, and its shards from every page of it."""
    shards: list[dict[str, Any]] = []
    request = {"StreamArn": arn}
    while True:
        description = client.describe_stream(**request)["StreamDescription"]
        shards += description["Shards"]
        last = description.get("LastEvaluatedShardId")
        if not last or last == request.get("ExclusiveStartShardId"):
            return description, shards
        request["ExclusiveStartShardId"] = last


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Environment variables of this process while this is open; ``None`` takes one away."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def use_profile(name: str) -> Iterator[None]:
    """Have every client in this process be of an AWS profile, whoever makes it.

    As with the AWS CLI's ``--profile``, credentials in the environment do not count then.
    """
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    with environment({"AWS_PROFILE": name, **dict.fromkeys(keys)}):
        yield
