"""The settings of an event source mapping: from options, from a template, or AWS's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

import click

from ddbstream.cli._parameters import StartingPoint
from ddbstream.cli._standard_streams import plural

__all__ = ["MappingSettings", "mapping_options"]


@dataclass(frozen=True)
class MappingSettings:
    """A mapping's settings, each None if nobody has said it.

    Their names are those of the options; AWS's are `keyword_arguments`.
    """

    batch_size: int | None = None
    batch_window: float | None = None
    starting_position: Any = None
    maximum_retry_attempts: int | None = None
    maximum_record_age: int | None = None
    bisect: bool | None = None
    report_batch_item_failures: bool | None = None
    parallelization: int | None = None
    tumbling_window: int | None = None
    filters: tuple[str, ...] | None = None
    failures_with_payload: bool | None = None  # no option: a bucket's documents have it

    @property
    def said(self) -> dict[str, Any]:
        """The settings that somebody has said."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}

    def over(self, other: MappingSettings) -> MappingSettings:
        """These settings, and the other's where these say nothing."""
        return replace(other, **self.said)

    def keyword_arguments(self) -> dict[str, Any]:
        """As `ddbstream.testing.EventSourceMapping` takes them, which are AWS's names."""
        arguments = {
            _AWS_NAMES[name]: value for name, value in self.said.items() if name in _AWS_NAMES
        }
        if self.report_batch_item_failures:
            arguments["function_response_types"] = ["ReportBatchItemFailures"]
        if self.filters:
            arguments["filter_criteria"] = {"Filters": [{"Pattern": one} for one in self.filters]}
        return arguments

    def arguments(self) -> list[str]:
        """What is said, as the command's options."""
        made: list[str] = []
        for name, value in self.said.items():
            option = f"--{name.replace('_', '-')}"
            if name == "filters":
                made += [word for pattern in value for word in ("--filter", pattern)]
            elif name == "failures_with_payload":
                continue
            elif isinstance(value, bool):
                made.append(option if value else option.replace("--", "--no-", 1))
            else:
                made += [option, value.isoformat() if isinstance(value, datetime) else str(value)]
        return made

    def __str__(self) -> str:
        """As one line for people: what differs from AWS's own settings."""
        retries = -1 if self.maximum_retry_attempts is None else self.maximum_retry_attempts
        parts = [
            f"batches of {self.batch_size or 100} at most",
            f"a window of {self.batch_window:g} s" if self.batch_window else "",
            plural(retries, "retry") if retries >= 0 else "",
            f"no record older than {self.maximum_record_age} s" if self._gives_up_old else "",
            "bisected on errors" if self.bisect else "",
            "partial responses" if self.report_batch_item_failures else "",
            f"{self.parallelization} batches of a shard at once" if self._is_parallel else "",
            f"tumbling windows of {self.tumbling_window} s" if self.tumbling_window else "",
            plural(len(self.filters), "filter") if self.filters else "",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def _gives_up_old(self) -> bool:
        return self.maximum_record_age is not None and self.maximum_record_age >= 0

    @property
    def _is_parallel(self) -> bool:
        return self.parallelization is not None and self.parallelization > 1


_AWS_NAMES: Final = {
    "batch_size": "batch_size",
    "batch_window": "maximum_batching_window_in_seconds",
    "maximum_retry_attempts": "maximum_retry_attempts",
    "maximum_record_age": "maximum_record_age_in_seconds",
    "bisect": "bisect_batch_on_function_error",
    "parallelization": "parallelization_factor",
    "tumbling_window": "tumbling_window_in_seconds",
    "failures_with_payload": "on_failure_payload",
}


def _patterns(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...] | None:
    for value in values:
        try:
            pattern = json.loads(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is not JSON: {error}") from None
        if not isinstance(pattern, Mapping):
            raise click.BadParameter(f"{value!r} is no pattern: it has to be a JSON object")
    return values or None


# The ranges are those of AWS Lambda's CreateEventSourceMapping.
_OPTIONS: Final = (
    click.option("--batch-size", type=click.IntRange(1, 10_000), help="Records at once, at most."),
    click.option(
        "--batch-window",
        type=click.FloatRange(0, 300),
        metavar="SECONDS",
        help="How long to wait for a batch to fill.",
    ),
    click.option(
        "--starting-position",
        "--start",
        type=StartingPoint(),
        help="Where to begin: TRIM_HORIZON, LATEST, or a time. With --endpoint-url LATEST.",
    ),
    click.option(
        "--maximum-retry-attempts",
        type=click.IntRange(-1, 10_000),
        metavar="N",
        help="How often a batch is tried again; -1, AWS's own: until the stream has lost it.",
    ),
    click.option(
        "--maximum-record-age",
        type=click.IntRange(-1, 604_800),
        metavar="SECONDS",
        help="Give up records that are older; -1, AWS's own: none.",
    ),
    click.option(
        "--bisect/--no-bisect", default=None, help="Split a batch in two when the function fails."
    ),
    click.option(
        "--report-batch-item-failures/--no-report-batch-item-failures",
        default=None,
        help="Whether the answer says what is done. Without either: as the handler does.",
    ),
    click.option(
        "--parallelization",
        type=click.IntRange(1, 10),
        metavar="N",
        help="Batches of a shard at once; one item's records keep their order.",
    ),
    click.option(
        "--tumbling-window",
        type=click.IntRange(0, 900),
        metavar="SECONDS",
        help="For folds: how long a window is.",
    ),
    click.option(
        "--filter",
        "filters",
        metavar="PATTERN",
        multiple=True,
        callback=_patterns,
        help="An event filter, as JSON; what no filter wants is not handled. May be repeated.",
    ),
)


def mapping_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the command that are a mapping's; `MappingSettings` takes them all."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
