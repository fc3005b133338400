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
from ddbstream.cli._aws import aws_errors, boto3_client, boto3_session, described_stream
from ddbstream.cli._completion import complete_tables
from ddbstream.cli._doctor_checks import (
    App,
    Check,
    check_kinesis,
    check_mapping,
    check_readers,
    check_timeout,
    check_view_type,
)
from ddbstream.cli._doctor_routes import check_filters, check_routes
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
    "poller": ("boto3", "msgspec"),
    "fast": ("msgspec",),
    "kcl": ("boto3", "msgspec"),
    "cli": ("boto3", "click", "rich"),
    "testing": ("hypothesis",),
    "demo": ("boto3", "click", "rich", "moto", "py_partiql_parser", "yaml"),
}
# Enough to see each kind of record that is written at all often, in a few calls.
_RECORDS_READ, _SHARDS_READ, _PAGES_READ = 500, 8, 4
_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}


class _Failed(Exception):
    """A check that those after it need has failed."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.message)
        self.check = check


class _Where(NamedTuple):
    endpoint_url: str | None
    region_name: str | None


class _Asked(NamedTuple):
    """What the command line names."""

    table: str | None
    function: str | None
    app: App | None
    tries_routes: bool


class _Stream(NamedTuple):
    arn: str
    keys: list[str]


def _loaded_app(ctx: click.Context, param: click.Parameter, value: str | None) -> App | None:
    """The router that ``--app`` names, and how its handler answers, if that is in its module."""
    if value is None:
        return None
    found = Loaded("router").convert(value, param, ctx)
    if isinstance(found, LambdaHandler):
        return App(found.router, found.report_batch_item_failures, found.deadline_margin)
    if not isinstance(found, StreamRouter):
        raise click.BadParameter(
            f"{value} is a {type(found).__name__}, and no StreamRouter or LambdaHandler", ctx, param
        )
    module = value.partition(":")[0] if ":" in value else value.rpartition(".")[0]
    handlers = [one for one in vars(sys.modules[module]).values() if isinstance(one, LambdaHandler)]
    own = [one for one in handlers if one.router is found]
    reports = {one.report_batch_item_failures for one in own}
    margin = own[0].deadline_margin if len(own) == 1 else None
    return App(found, reports.pop() if len(reports) == 1 else None, margin)


@click.command(short_help="Check the installation, a stream, and a function's mapping.")
@click.argument("table", required=False, shell_complete=complete_tables)
@click.option("--function", metavar="NAME", help="A Lambda function that handles the stream.")
@click.option(
    "--app",
    callback=_loaded_app,
    metavar="MODULE:NAME",
    help="The function's LambdaHandler, or its router.",
)
@click.option("--no-records", is_flag=True, help="Do not try the routes on the stream's records.")
@aws_options
@json_option
def doctor(
    table: str | None,
    function: str | None,
    app: App | None,
    *,
    no_records: bool,
    as_json: bool,
    endpoint_url: str | None,
    region_name: str | None,
) -> None:
    """Check the installation, the stream of TABLE, and a function's event source mapping.

    TABLE is a table's name, or a stream's ARN; without it, --function finds the tables whose
    streams the function is mapped to. Nothing is changed, and no credentials are printed. With
    --app some records of the stream are read, and the router's classifier and predicates are asked
    about them; no handler runs.

    Exit codes: 0 no problem, at most warnings; 1 a problem; 2 wrong usage.
    """
    output = Output(as_json=as_json)
    problems = 0
    try:
        asked = _Asked(table, function, app, tries_routes=app is not None and not no_records)
        for check in _checks(asked, _Where(endpoint_url, region_name)):
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


def _checks(asked: _Asked, where: _Where) -> Iterator[Check]:
    yield Check("python", "ok", platform.python_version())
    yield Check("ddbstream", "ok", __version__)
    table = asked.table
    yield from _boto3(needed=table is not None or asked.function is not None)
    extras = ", ".join(extra for extra, modules in _EXTRAS.items() if all(map(find_spec, modules)))
    yield Check("extras", "ok", extras)
    if find_spec("boto3") is None:
        return
    checks, where = _access(asked, where)
    yield from checks
    if table is not None:
        yield from _of_table(table, asked, where)
    elif asked.function is not None:
        for arn in _streams_of(asked.function, where):
            yield from _of_table(arn, asked, where)


def _streams_of(function: str, where: _Where) -> list[str]:
    """The streams that a function is mapped to."""
    client = _client("lambda", where._replace(endpoint_url=None))
    with _asking("mapping", "lambda:ListEventSourceMappings"):
        arns = [str(one.get("EventSourceArn")) for one in _mappings(client, FunctionName=function)]
    found = sorted({arn for arn in arns if ":dynamodb:" in arn})
    if not found:
        others = f"; it is mapped to {', '.join(arns)}" if arns else ""
        message = f"{function} is mapped to no DynamoDB stream{others}"
        raise _Failed(Check("mapping", "problem", message, "name its TABLE, or map it to a stream"))
    return found


def _of_table(table: str, asked: _Asked, where: _Where) -> Iterator[Check]:
    client = _client("dynamodbstreams", where)
    with _asking("stream", "dynamodb:DescribeTable and dynamodb:DescribeStream"):
        description = _description(table, client, where)
    yield _status(description)
    yield from check_view_type(str(description.get("StreamViewType")), asked.app)
    name = description["TableName"]
    with _asking("kinesis", "dynamodb:DescribeKinesisStreamingDestination"):
        found = destinations(_client("dynamodb", where), name)
    if found is not None:
        yield from check_kinesis(name, found)
    if asked.app is not None and asked.tries_routes:
        arn = description["StreamArn"]
        with _asking("routes", "dynamodb:GetShardIterator and dynamodb:GetRecords"):
            records = _recent(client, description)
        yield from check_routes(asked.app.router, records, arn)
    if asked.function is not None:
        keys = [key["AttributeName"] for key in description.get("KeySchema") or ()]
        stream = _Stream(description["StreamArn"], keys)
        yield from _of_function(asked.function, stream, asked.app, where)


def _recent(client: Any, description: dict[str, Any]) -> list[Any]:
    """Some of the records that the newest shards hold."""
    found: list[Any] = []
    shards = sorted(description["Shards"], key=lambda shard: shard["ShardId"], reverse=True)
    for shard in shards[:_SHARDS_READ]:
        iterator = client.get_shard_iterator(
            StreamArn=description["StreamArn"],
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        for _ in range(_PAGES_READ):
            page = client.get_records(ShardIterator=iterator, Limit=_RECORDS_READ)
            found += page["Records"]
            iterator = page.get("NextShardIterator")
            if not iterator or len(found) >= _RECORDS_READ:
                break
        if len(found) >= _RECORDS_READ:
            break
    return found


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


def _access(asked: _Asked, where: _Where) -> tuple[list[Check], _Where]:
    """Region and credentials, and where to ask from here on."""
    checks = []
    table, goes_on = asked.table, (asked.table or asked.function) is not None
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
        if goes_on:
            raise _Failed(status)
        checks.append(status)
    else:
        checks.append(Check("region", "ok", region))
    if credentials is None:
        check = Check("credentials", "problem", "none found", "aws configure, or an IAM role")
        if goes_on:
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
    description, shards = described_stream(client, arn)
    return {**description, "Shards": shards}


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
    seconds = _timeout(client, function) if found else None
    for mapping in found:
        yield from check_mapping(mapping, app)
        if seconds is not None:
            yield check_timeout(mapping, app, seconds)
        if app is not None:
            yield from check_filters(mapping, app, stream.keys)
    yield check_readers(readers)


def _timeout(client: Any, function: str) -> float | None:
    """A function's timeout in seconds; None where that may not be asked."""
    try:
        found = client.get_function_configuration(FunctionName=function).get("Timeout")
    except aws_errors():
        return None
    return None if found is None else float(found)


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
