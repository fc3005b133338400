"""What an AWS SAM, CloudFormation or Serverless Framework file says of functions and tables.

It is read for what runs on this machine: a function's code, its environment, the settings of its
event source mappings, the paths it answers over HTTP, and the tables of the file. Nothing is
deployed or checked; what only AWS could resolve keeps its own name.

Sources: `SAM's DynamoDB event`_, `Serverless streams`_, and their defaults.

.. _SAM's DynamoDB event: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-dynamodb.html
.. _Serverless streams: https://www.serverless.com/framework/docs/providers/aws/events/streams
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from ddbstream.cli._mapping_settings import MappingSettings
from ddbstream.cli._template_values import TABLE_TYPES, TemplateValues
from ddbstream.cli._yaml import load_yaml

__all__ = [
    "LAMBDA_SECONDS",
    "TEMPLATES",
    "Function",
    "StreamEvent",
    "Template",
    "find_template",
    "read_template",
]

TEMPLATES: Final = ("serverless.yml", "serverless.yaml", "template.yaml", "template.yml")
_OF_A_TABLE: Final = (
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)
LAMBDA_SECONDS: Final = 3.0  # a function's timeout if nothing is said: AWS's
_SERVERLESS_SECONDS: Final = 6.0  # ... and the Serverless Framework's
_SERVERLESS_BATCH: Final = 10


@dataclass(frozen=True)
class StreamEvent:
    """An event source mapping of a function.

    Attributes:
        table: The table whose stream it reads; None if the file does not say it in words that can
            be resolved here.
        settings: What the file says of the mapping.
    """

    table: str | None
    settings: MappingSettings


@dataclass(frozen=True)
class Function:
    """A function of the file.

    Attributes:
        name: Its name in the file.
        handler: ``module.name``.
        folder: What its code is in: the first of ``sys.path``.
        environment: Its variables, as far as they can be told here.
        timeout: In seconds.
        streams: Its event source mappings.
        paths: What it answers over HTTP: method and path.
    """

    name: str
    handler: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = LAMBDA_SECONDS
    streams: Sequence[StreamEvent] = ()
    paths: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Template:
    """A file's functions and tables.

    Attributes:
        path: The file.
        functions: By name.
        tables: What `create_table` takes, by the name of the table.
    """

    path: Path
    functions: Mapping[str, Function]
    tables: Mapping[str, dict[str, Any]]

    def function(self, name: str | None) -> Function:
        """The function of a name; without a name, the only one that has a stream.

        Raises:
            click.UsageError: There is none, or there are several.
        """
        if name is not None:
            if name not in self.functions:
                names = ", ".join(self.functions) or "none"
                raise click.UsageError(
                    f"{self.path.name} has no function {name!r}; it has: {names}"
                )
            return self.functions[name]
        found = [one for one in self.functions.values() if one.streams]
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "none"
            raise click.UsageError(
                f"{self.path.name}: say by --function which one; those with a stream: {names}"
            )
        return found[0]


def find_template(folder: Path) -> Path | None:
    """The file in a folder that its framework would take."""
    return next((folder / name for name in TEMPLATES if (folder / name).is_file()), None)


def read_template(path: Path) -> Template:
    """Read a file of either framework, in YAML or JSON.

    Raises:
        click.ClickException: It cannot be read, or is neither.
    """
    try:
        document = load_yaml(path.read_text(encoding="utf-8"), "the template")
    except (OSError, UnicodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    if isinstance(document, dict) and isinstance(document.get("functions"), dict):
        return _serverless(path, document)
    if isinstance(document, dict) and isinstance(document.get("Resources"), dict):
        return _cloudformation(path, document)
    raise click.ClickException(f"{path.name} has neither functions nor Resources: see --template")


def _tables(resources: Mapping[str, Any], values: TemplateValues) -> dict[str, dict[str, Any]]:
    """The tables of the file, as `create_table` takes them."""
    made = {}
    for logical_id, resource in resources.items():
        if not isinstance(resource, Mapping) or resource.get("Type") not in TABLE_TYPES:
            continue
        properties = resource.get("Properties") or {}
        request = {name: properties[name] for name in _OF_A_TABLE if name in properties}
        for index in request.get("GlobalSecondaryIndexes", ()):
            index.pop("ProvisionedThroughput", None)
        name = values.table_name(logical_id)
        stream = properties.get("StreamSpecification") or {}
        if "StreamViewType" in stream:
            view_type = stream["StreamViewType"]
            specification = {"StreamEnabled": True, "StreamViewType": view_type}
            request["StreamSpecification"] = specification
        made[name] = {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **request}
    return made


# --- the Serverless Framework -------------------------------------------------------------------


def _serverless(path: Path, document: Mapping[str, Any]) -> Template:
    parts = document.get("resources") or {}
    resources: dict[str, Any] = {}
    for part in parts if isinstance(parts, list) else [parts]:
        resources |= (part.get("Resources") or {}) if isinstance(part, Mapping) else {}
    values = TemplateValues(document, resources)
    provider = document.get("provider") or {}
    functions = {}
    for name, said in document["functions"].items():
        events = list(_events(said))
        folder, handler = _code(path.parent / (said.get("module") or ""), said.get("handler"))
        functions[name] = Function(
            name,
            handler,
            folder,
            _environment(values, provider.get("environment"), said.get("environment")),
            float(said.get("timeout") or provider.get("timeout") or _SERVERLESS_SECONDS),
            [_serverless_stream(event, values) for kind, event in events if kind == "stream"],
            [_path(event) for kind, event in events if kind in ("http", "httpApi")],
        )
    return Template(path, functions, _tables(resources, values))


def _events(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for event in said.get("events") or ():
        if isinstance(event, Mapping):
            yield from event.items()


def _serverless_stream(event: Any, values: TemplateValues) -> StreamEvent:
    said: Mapping[str, Any] = event if isinstance(event, Mapping) and "arn" in event else {}
    response = said.get("functionResponseType")
    destination = (said.get("destinations") or {}).get("onFailure")
    patterns = said.get("filterPatterns")
    settings = MappingSettings(
        batch_size=values.of(said.get("batchSize", _SERVERLESS_BATCH)),
        batch_window=values.of(said.get("batchWindow")),
        starting_position=values.of(said.get("startingPosition", "TRIM_HORIZON")),
        maximum_retry_attempts=values.of(said.get("maximumRetryAttempts")),
        maximum_record_age=values.of(said.get("maximumRecordAgeInSeconds")),
        bisect=said.get("bisectBatchOnFunctionError"),
        report_batch_item_failures=response == "ReportBatchItemFailures",
        parallelization=values.of(said.get("parallelizationFactor")),
        tumbling_window=values.of(said.get("tumblingWindowInSeconds")),
        filters=tuple(json.dumps(one) for one in patterns) if patterns else None,
        failures_with_payload=isinstance(destination, Mapping) and destination.get("type") == "s3",
    )
    return StreamEvent(values.table_of(said.get("arn", event)), settings)


def _path(event: Any) -> tuple[str, str]:
    if isinstance(event, Mapping):
        method, path = event.get("method", "*"), event.get("path", "/")
    else:
        method, _, path = str(event).partition(" ")
    return str(method).upper(), "/" + str(path or "*").strip("/")


# --- AWS SAM and CloudFormation -----------------------------------------------------------------


def _cloudformation(path: Path, document: Mapping[str, Any]) -> Template:
    resources = document["Resources"]
    values = TemplateValues(document, resources)
    common = (document.get("Globals") or {}).get("Function") or {}
    functions = {}
    for name, resource in resources.items():
        kind = resource.get("Type")
        if kind not in ("AWS::Serverless::Function", "AWS::Lambda::Function"):
            continue
        said = {**common, **(resource.get("Properties") or {})}
        events = [one for one in (said.get("Events") or {}).values() if isinstance(one, Mapping)]
        code = said.get("CodeUri") if kind == "AWS::Serverless::Function" else None
        folder, handler = _code(
            path.parent / (code if isinstance(code, str) else ""), said.get("Handler")
        )
        functions[name] = Function(
            name,
            handler,
            folder,
            _environment(values, *(_variables_of(one) for one in (common, said))),
            float(values.of(said.get("Timeout")) or LAMBDA_SECONDS),
            [
                _aws_stream(one.get("Properties") or {}, "Stream", values)
                for one in events
                if one.get("Type") == "DynamoDB"
            ]
            + list(_mappings_of(name, resources, values)),
            [
                (str(one["Properties"].get("Method", "*")).upper(), str(one["Properties"]["Path"]))
                for one in events
                if one.get("Type") in ("Api", "HttpApi") and "Path" in (one.get("Properties") or {})
            ],
        )
    return Template(path, functions, _tables(resources, values))


def _variables_of(said: Mapping[str, Any]) -> Any:
    return (said.get("Environment") or {}).get("Variables")


def _mappings_of(
    function: str, resources: Mapping[str, Any], values: TemplateValues
) -> Iterator[StreamEvent]:
    for resource in resources.values():
        properties = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::Lambda::EventSourceMapping":
            named = values.text(properties.get("FunctionName"))
            if named is not None and named.partition(".")[0] == function:
                yield _aws_stream(properties, "EventSourceArn", values)


def _aws_stream(said: Mapping[str, Any], source: str, values: TemplateValues) -> StreamEvent:
    destination = (said.get("DestinationConfig") or {}).get("OnFailure") or {}
    filters = (said.get("FilterCriteria") or {}).get("Filters") or ()
    settings = MappingSettings(
        batch_size=values.of(said.get("BatchSize")),
        batch_window=values.of(said.get("MaximumBatchingWindowInSeconds")),
        starting_position=values.of(said.get("StartingPosition")),
        maximum_retry_attempts=values.of(said.get("MaximumRetryAttempts")),
        maximum_record_age=values.of(said.get("MaximumRecordAgeInSeconds")),
        bisect=values.of(said.get("BisectBatchOnFunctionError")),
        report_batch_item_failures="ReportBatchItemFailures"
        in (said.get("FunctionResponseTypes") or ()),
        parallelization=values.of(said.get("ParallelizationFactor")),
        tumbling_window=values.of(said.get("TumblingWindowInSeconds")),
        filters=tuple(one["Pattern"] for one in filters) or None,
        failures_with_payload=destination.get("Type") == "S3",
    )
    return StreamEvent(values.table_of(said.get(source)), settings)


def _code(folder: Path, handler: Any) -> tuple[Path, str]:
    """Where the code is, and the handler as ``module.name``: a path in it is a package's."""
    named = handler if isinstance(handler, str) else ""
    return folder.resolve(), named.removeprefix("./").replace("/", ".")


def _environment(values: TemplateValues, *levels: Any) -> dict[str, str]:
    told: dict[str, str] = {}
    for level in levels:
        for name, value in (level or {}).items() if isinstance(level, Mapping) else ():
            text = values.text(value)
            if text is not None:
                told[str(name)] = text
    return told
