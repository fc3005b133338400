"""``ddbstream doctor``: what is wrong between a table's stream and what handles it."""

from __future__ import annotations

import platform
import re
import sys
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ddbstream import LambdaHandler, StreamRouter, __version__
from ddbstream.cli._aws import aws_errors, boto3_client, boto3_session
from ddbstream.cli._doctor_checks import (
    App,
    Check,
    check_kinesis,
    check_mapping,
    check_readers,
    check_view_type,
)
from ddbstream.cli._kinesis_destinations import destinations
from ddbstream.cli._parameters import Loaded, aws_options, json_option
from ddbstream.cli._remedies import enabling
from ddbstream.cli._render import Output, styled
from ddbstream.exceptions import StreamNotFoundError
from ddbstream.poller._client import resolve_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["doctor"]

_FAST_BOTOCORE = (1, 35, 16)
"""The first that lets the poller read pages with its own parser."""
_EXTRAS = {
    "poller": "boto3",
    "kcl": "msgspec",
    "cli": "rich",
    "testing": "hypothesis",
    "demo": "moto",
}
_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}


class _Failed(Exception):
    """A check that those after it need has failed."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.message)
        self.check = check


class _Where(NamedTuple):
    endpoint_url: str | None
    region_name: str | None


class _Stream(NamedTuple):
    arn: str
    keys: list[str]


def _loaded_app(ctx: click.Context, param: click.Parameter, value: str | None) -> App | None:
    """The router that ``--app`` names, and how its handler answers, if that is in its module."""
    if value is None:
        return None
    found = Loaded("router").convert(value, param, ctx)
    if isinstance(found, LambdaHandler):
        return App(found.router, found.report_batch_item_failures)
    if not isinstance(found, StreamRouter):
        raise click.BadParameter(
            f"{value} is a {type(found).__name__}, and no StreamRouter or LambdaHandler", ctx, param
        )
    module = value.partition(":")[0] if ":" in value else value.rpartition(".")[0]
    handlers = [one for one in vars(sys.modules[module]).values() if isinstance(one, LambdaHandler)]
    reports = {one.report_batch_item_failures for one in handlers if one.router is found}
    return App(found, reports.pop() if len(reports) == 1 else None)


@click.command()
@click.argument("table", required=False)
@click.option("--function", metavar="NAME", help="A Lambda function that handles the stream.")
@click.option(
    "--app",
    callback=_loaded_app,
    metavar="MODULE:NAME",
    help="The function's LambdaHandler, or its router.",
)
@aws_options
@json_option
def doctor(
    table: str | None,
    function: str | None,
    app: App | None,
    *,
    as_json: bool,
    endpoint_url: str | None,
    region_name: str | None,
) -> None:
    """Check the installation, the stream of TABLE, and a function's event source mapping.

    TABLE is a table's name, or a stream's ARN. Nothing is changed, no record is read, and no
    credentials are printed.

    Exit codes: 0 no problem, at most warnings; 1 a problem; 2 wrong usage.
    """
    if function is not None and table is None:
        raise click.UsageError("--function needs TABLE")
    output = Output(as_json=as_json)
    problems = 0
    try:
        for check in _checks(table, function, app, _Where(endpoint_url, region_name)):
            _show(check, output)
            problems += check.status == "problem"
    except _Failed as failed:
        _show(failed.check, output)
        problems += 1
    if problems:
        raise SystemExit(1)


def _show(check: Check, output: Output) -> None:
    if output.as_json:
        line = dict(zip(("check", "status", "message", "remedy"), check, strict=True))
        output.line(line)
        return
    sign, style = _SIGNS[check.status]
    output.note(styled((f"{sign} {check.name}", style), f": {check.message}"))
    if check.remedy is not None:
        output.note(f"    {check.remedy}", "dim")


def _checks(
    table: str | None, function: str | None, app: App | None, where: _Where
) -> Iterator[Check]:
    yield Check("python", "ok", platform.python_version())
    yield Check("ddbstream", "ok", __version__)
    yield from _boto3(needed=table is not None)
    extras = ", ".join(extra for extra, module in _EXTRAS.items() if find_spec(module))
    yield Check("extras", "ok", extras)
    if find_spec("boto3") is None:
        return
    checks, where = _access(table, where)
    yield from checks
    if table is None:
        return
    client = _client("dynamodbstreams", where)
    with _asking("stream", "dynamodb:DescribeTable and dynamodb:DescribeStream"):
        description = _description(table, client, where)
    yield _status(description)
    yield from check_view_type(str(description.get("StreamViewType")), app)
    name = description["TableName"]
    with _asking("kinesis", "dynamodb:DescribeKinesisStreamingDestination"):
        found = destinations(_client("dynamodb", where), name)
    if found is not None:
        yield from check_kinesis(name, found)
    if function is not None:
        keys = [key["AttributeName"] for key in description.get("KeySchema") or ()]
        yield from _of_function(function, _Stream(description["StreamArn"], keys), app, where)


def _boto3(*, needed: bool) -> Iterator[Check]:
    for name in ("boto3", "botocore"):
        try:
            found = version(name)
        except PackageNotFoundError:
            remedy = 'pip install "ddbstream[poller]"'
            yield Check(name, "problem" if needed else "warning", "not installed", remedy)
            continue
        if name == "botocore" and tuple(map(int, re.findall(r"\d+", found)[:3])) < _FAST_BOTOCORE:
            oldest = ".".join(map(str, _FAST_BOTOCORE))
            message = f"{found}: before {oldest} the poller is slower"
            yield Check(name, "warning", message, 'pip install --upgrade "boto3"')
        else:
            yield Check(name, "ok", found)


def _access(table: str | None, where: _Where) -> tuple[list[Check], _Where]:
    """Region and credentials, and where to ask from here on."""
    checks = []
    with _asking("credentials", "it"):
        session = boto3_session()
        credentials = session.get_credentials()
    region = where.region_name or session.region_name
    named = table.split(":")[3] if table and table.startswith("arn:") else None
    if named and where.endpoint_url is None and region != named:
        message = f"{region or 'none'}, but the stream is in {named}"
        checks.append(Check("region", "problem", message, f"--region {named}, or AWS_REGION"))
        region = named
    elif region is None:
        status = Check("region", "problem", "none found", "--region, or set AWS_DEFAULT_REGION")
        if table is not None:
            raise _Failed(status)
        checks.append(status)
    else:
        checks.append(Check("region", "ok", region))
    if credentials is None:
        check = Check("credentials", "problem", "none found", "aws configure, or an IAM role")
        if table is not None:
            raise _Failed(check)
        checks.append(check)
    else:
        checks.append(Check("credentials", "ok", f"found ({credentials.method})"))
    return checks, where._replace(region_name=region)


def _client(service: str, where: _Where) -> Any:
    return boto3_client(service, **where._asdict())


def _description(table: str, client: Any, where: _Where) -> dict[str, Any]:
    try:
        arn = resolve_stream(table, client, _client("dynamodb", where))
    except StreamNotFoundError as error:
        raise _Failed(Check("stream", "problem", str(error), enabling("TABLE"))) from None
    description: dict[str, Any] = client.describe_stream(StreamArn=arn)["StreamDescription"]
    return description


def _status(description: dict[str, Any]) -> Check:
    table, status = description["TableName"], description["StreamStatus"]
    if status.startswith("DISABL"):
        message = f"{description['StreamArn']} is off: nothing new comes"
        return Check("stream", "problem", message, enabling(table))
    return Check("stream", "ok", f"{description['StreamArn']} is {status}")


def _of_function(function: str, stream: _Stream, app: App | None, where: _Where) -> Iterator[Check]:
    client = _client("lambda", where._replace(endpoint_url=None))  # no emulator of DynamoDB has it
    with _asking("mapping", "lambda:ListEventSourceMappings"):
        own = list(_mappings(client, FunctionName=function))
        readers = list(_mappings(client, EventSourceArn=stream.arn))
    found = [one for one in own if one.get("EventSourceArn") == stream.arn]
    if not found:
        table = stream.arn.partition("/stream/")[0]
        old = any(str(one.get("EventSourceArn")).startswith(f"{table}/stream/") for one in own)
        message = "is mapped to an older stream of the table" if old else "is not mapped to it"
        remedy = f"aws lambda create-event-source-mapping --event-source-arn {stream.arn} ..."
        yield Check("mapping", "problem", f"{function} {message}", remedy)
    for mapping in found:
        yield from check_mapping(mapping, app, stream.keys)
    yield check_readers(readers)


def _mappings(client: Any, **of: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_event_source_mappings").paginate(**of):
        yield from page["EventSourceMappings"]


@contextmanager
def _asking(name: str, permission: str) -> Iterator[None]:
    """What AWS refuses, as a problem: its code only, as a message may quote a signed request."""
    refused, unreachable = aws_errors()
    try:
        yield
    except refused as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        remedy = f"allow {permission}" if "Denied" in code else None
        message = f"{error.operation_name}: {code}"
        raise _Failed(Check(name, "problem", message, remedy)) from None
    except unreachable as error:
        message = f"{type(error).__name__}: AWS could not be asked"
        remedy = "look at --endpoint-url, --region and the AWS configuration"
        raise _Failed(Check(name, "problem", message, remedy)) from None
