"""What the commands need of AWS: clients, and a DynamoDB in this process for who has no account."""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["aws_options", "boto3_client", "dynamodb", "environment", "need", "reported"]


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--endpoint-url`` and ``--region``, as boto3's ``endpoint_url`` and ``region_name``."""
    command = click.option("--region", "region_name", metavar="NAME", help="AWS region.")(command)
    return click.option(
        "--endpoint-url", metavar="URL", help="DynamoDB Local, or another than the region's."
    )(command)


class MissingDependency(click.ClickException):
    """Something is not installed: one line, and the exit code of wrong usage."""

    exit_code = 2


def need(module: str, extra: str, purpose: str) -> Any:
    """Import a module that an extra brings.

    Raises:
        MissingDependency: It is not installed; says how to.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingDependency(
            f'{purpose} needs {module}: pip install "ddbstream[{extra}]"'
        ) from None


def boto3_client(
    service: str, *, endpoint_url: str | None = None, region_name: str | None = None
) -> Any:
    """A boto3 client for a command: a missing region or endpoint is the user's to mend."""
    boto3 = need("boto3", "cli", "this command")
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.client(service, endpoint_url=endpoint_url, region_name=region_name)
    except (BotoCoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def reported() -> Iterator[None]:
    """What AWS refuses, or cannot be asked, in one line instead of a traceback."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from None


# moto answers for the hosts of AWS only, so nothing in this process may point boto3 elsewhere; and
# it has no account-based hosts, which boto3 would otherwise choose for these credentials.
_EMBEDDED = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_SESSION_TOKEN": "embedded",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
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
    import boto3

    session: Any = boto3.Session()
    changes: dict[str, str | None] = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": endpoint_url.replace(
            "//dynamodb.", "//streams.dynamodb."
        ),
    }
    if session.region_name is None:
        changes["AWS_DEFAULT_REGION"] = "us-east-1"
    if session.get_credentials() is None:
        changes |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return changes


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
