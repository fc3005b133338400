"""``ddbstream check``: which items the models of a router cannot read, before it meets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ddbstream import LambdaHandler
from ddbstream.cli._item_report import Group, ItemReport
from ddbstream.cli._json import dumps
from ddbstream.cli._parameters import Loaded, json_option
from ddbstream.cli._render import Output
from ddbstream.cli._sources import Found, in_one_line, open_source, reading, source_options
from ddbstream.cli._standard_streams import plural
from ddbstream.exceptions import DDBStreamError, ModelDefinitionError

__all__ = ["check"]


@click.command(short_help="Find the items that a router, or a class, cannot read.")
@click.argument("target", type=Loaded("router or class"))
@click.argument("source", default="-")
@click.option("--round-trip", is_flag=True, help="Also write each item back, and compare.")
@click.option("--strict", is_flag=True, help="Unknown attributes and unwanted items fail it too.")
@source_options
@json_option
def check(
    target: Any, source: str, *, round_trip: bool, strict: bool, as_json: bool, **options: Any
) -> None:
    """Read every item of SOURCE as TARGET, a router or a class (module:name), would.

    SOURCE is a table's name, with --stream or by its ARN a table's stream, an export (a folder or
    s3://...), a file of NDJSON or of what `aws dynamodb scan` prints, or standard input (-, or
    nothing).

    The report has what does not fit by model, path and fault, items that no route wants, and
    attributes that the models do not know: each with a count and the keys of some items, and
    otherwise no stored value.

    Exit codes: 0 everything fits; 1 something does not, or AWS refused; 2 wrong usage; 130 stopped.
    """
    if isinstance(target, LambdaHandler):
        target = target.router
    output = Output(as_json=as_json)
    with in_one_line(source):
        opened = open_source(source, options)
        try:
            report = ItemReport(target, opened.keys, table=opened.stem, round_trip=round_trip)
        except ModelDefinitionError as error:
            raise click.UsageError(f"TARGET is no router and no model: {error}") from None
        with reading(opened, "checking", options["sample"]) as advance:

            def take(found: Found) -> None:
                advance()
                if found.item is None or found.error is not None:
                    error = found.error or DDBStreamError("it is no item")
                    report.unreadable(error, found.where)
                else:
                    report.add(found.item, found.where)

            opened.read(take, options["sample"])
    _tell(report, output)
    failing = report.groups("unreadable", "fault", "changed")
    if failing or (strict and report.groups("unknown", "unwanted")):
        raise SystemExit(1)


def _tell(report: ItemReport, output: Output) -> None:
    if output.as_json:
        for group in report.groups():
            output.line(_as_json(group))
        counts = {kind: _count(report, kind) for kind in _TITLES}
        output.line({"kind": "summary", "items": report.items, "fitting": report.fitting, **counts})
        return
    model = ""
    for group in report.groups():
        if group.model != model:
            model = group.model
            output.note(model, "bold")
        output.note(_as_text(group), _STYLES.get(group.kind, "red"))
    if not report.items:
        output.note("there are no items", "yellow")
        return
    style = "green" if report.fitting == report.items else "yellow"
    output.note(f"{report.fitting:,} of {report.items:,} items fit", style)


_TITLES = {
    "unreadable": "cannot be read: ",
    "fault": "",
    "changed": "",
    "unknown": "",
    "unwanted": "no route wants ",
}
_STYLES = {"unknown": "yellow", "unwanted": "yellow"}


def _count(report: ItemReport, kind: Any) -> int:
    return sum(group.count for group in report.groups(kind))


def _as_json(group: Group) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "model": group.model or None,
        "path": group.path or None,
        "problem": group.words,
        "count": group.count,
        # What they are is said: this is all that is stored that a report shows.
        "keys": [one for one in group.examples if isinstance(one, dict)],
        "at": [one for one in group.examples if isinstance(one, str)],
    }


def _as_text(group: Group) -> str:
    path = f"{group.path}: " if group.path else ""
    times = plural(group.count, "item")
    text = f"  {path}{_TITLES[group.kind]}{group.words}: {times}"
    if group.examples:
        text += f"; {', '.join(map(_example, group.examples))}"
    return text


def _example(example: str | Mapping[str, Any]) -> str:
    if isinstance(example, str):
        return example
    # As JSON, which has no control character that could draw on a terminal.
    return f"key {dumps(example)}"
