"""The filters that a file gives to event source mappings of DynamoDB streams.

A file is of AWS SAM or CloudFormation, of the Serverless Framework, of Terraform, or JSON:
``FilterCriteria``, a pattern, or an answer of the Lambda API. Filters of other sources (queues,
Kinesis, Kafka) have other patterns, and are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from ddbstream.cli._hcl import filter_blocks
from ddbstream.cli._yaml import load_yaml

__all__ = ["FilterSet", "filter_sets"]

_OTHER_EVENTS: Final = frozenset(
    {"Kinesis", "SQS", "MSK", "SelfManagedKafka", "MQ", "DocumentDB", "Kafka"}
)
_OTHER_SERVERLESS: Final = frozenset({"sqs", "msk", "kafka", "activemq", "rabbitmq"})
_OTHER_ARNS: Final = (":sqs:", ":kinesis:", ":kafka:", ":mq:")
_OF_A_PATTERN: Final = frozenset({"eventName", "dynamodb", "userIdentity", "eventID", "$or"})


class FilterSet(NamedTuple):
    """The filters of one mapping.

    Attributes:
        where: Where they are in the file.
        patterns: Each pattern: JSON text or an object; None for what only the tool can work out.
        wrong: What is wrong with the set itself, in words; None if nothing is.
    """

    where: str
    patterns: list[Any]
    wrong: str | None = None


def filter_sets(path: Path, text: str) -> list[FilterSet]:
    """The filters in a file.

    Args:
        path: The file, whose name's ending says what it is.
        text: What is in it.

    Raises:
        ClickException: It is neither JSON nor YAML.
    """
    if path.suffix in (".tf", ".hcl"):
        return [FilterSet(block.where, [*block.patterns]) for block in filter_blocks(text)]
    document = _document(path, text)
    found = list(_within(document, ()))
    if found or not isinstance(document, Mapping):
        if not found and isinstance(document, list) and all(map(_is_filter, document)):
            return [_set("Filters", {"Filters": document})]
        return found
    if "Filters" in document:
        return [_set("FilterCriteria", document)]
    return [FilterSet("pattern", [document])] if document.keys() & _OF_A_PATTERN else []


def _document(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        if path.suffix == ".json":
            raise click.ClickException(f"{path} is not JSON: {error}") from None
    except RecursionError:
        raise click.ClickException(f"{path} is nested too deeply") from None
    return load_yaml(text, str(path))


def _within(value: Any, path: tuple[str, ...]) -> Iterator[FilterSet]:
    """The filters inside a value, wherever they are."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _within(one, (*path, str(index)))
    if not isinstance(value, Mapping) or _is_of_another_source(value):
        return
    for name, inner in value.items():
        where = ".".join((*path, str(name)))
        if name == "FilterCriteria":
            yield _set(where, inner)
        elif name == "filterPatterns":
            wrong = None if isinstance(inner, list) else "it is a list of patterns"
            yield FilterSet(where, inner if isinstance(inner, list) else [], wrong)
        elif name not in _OTHER_SERVERLESS:
            yield from _within(inner, (*path, str(name)))


def _is_of_another_source(value: Mapping[str, Any]) -> bool:
    if value.get("Type") in _OTHER_EVENTS or value.get("type") == "kinesis":
        return True
    arn = value.get("EventSourceArn", value.get("arn", value.get("Stream")))
    return isinstance(arn, str) and any(service in arn for service in _OTHER_ARNS)


def _is_filter(value: object) -> bool:
    return isinstance(value, Mapping) and "Pattern" in value


def _set(where: str, criteria: Any) -> FilterSet:
    filters = criteria.get("Filters") if isinstance(criteria, Mapping) else None
    if filters is None and isinstance(criteria, Mapping) and not criteria:
        return FilterSet(where, [])
    if not isinstance(filters, list) or not all(map(_is_filter, filters)):
        return FilterSet(where, [], 'it is {"Filters": [{"Pattern": "..."}, ...]}')
    patterns: list[Any] = []
    wrong = None
    for one in filters:
        pattern = one["Pattern"]
        if isinstance(pattern, Mapping) and len(pattern) == 1 and next(iter(pattern)) in _UNKNOWN:
            patterns.append(None)
        elif isinstance(pattern, str):
            patterns.append(pattern)
        else:
            wrong = "a Pattern is JSON text: put it in quotes"
    return FilterSet(where, patterns, wrong)


_UNKNOWN: Final = frozenset({"Ref", "Fn::Sub", "Fn::Join", "Fn::ToJsonString"})
