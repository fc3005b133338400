"""``ddbstream filters``: what an event source mapping may leave out, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from ddbstream._filters.criteria import MAX_PATTERN
from ddbstream.cli._default_command import WithDefault
from ddbstream.cli._filter_files import FilterSet, filter_sets
from ddbstream.cli._filter_formats import FORMATS
from ddbstream.cli._parameters import Loaded, json_option, stream_router
from ddbstream.cli._render import Output, styled
from ddbstream.cli._standard_streams import complain, plural, write_out
from ddbstream.exceptions import RouteDefinitionError
from ddbstream.filters import lint as faults_of

__all__ = ["filters"]

_MOST: Final = 10  # "You can request a quota increase for up to 10 filters"


@click.group(
    cls=WithDefault,
    default="derive",
    short_help="Derive a mapping's filters, or find what is wrong with some.",
)
def filters() -> None:
    """Derive the filters of an event source mapping, or find what is wrong with those in a file.

    `ddbstream filters app:router` derives, as `ddbstream filters derive app:router` does.
    """


@filters.command(short_help="Print the filters that a router's routes come to.")
@click.argument("router", type=Loaded("router"))
@click.option(
    "--key",
    "keys",
    metavar="ATTRIBUTE",
    multiple=True,
    help="A key attribute of the table; give each. Knowing them makes the filters simpler.",
)
@click.option(
    "--max",
    "max_filters",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many the mapping may have; AWS grants up to 10.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="json",
    show_default=True,
    help="As the API, SAM and CloudFormation, Serverless, CDK for Python or Terraform has them.",
)
def derive(router: object, keys: tuple[str, ...], max_filters: int, form: str) -> None:
    """Print the FilterCriteria of an event source mapping for ROUTER (module:name).

    Every record that a route wants passes them, and so do some that none wants. As JSON they are
    for `aws lambda update-event-source-mapping --filter-criteria`. Derive them anew with every
    deployment: what the filters leave out is gone for the function.
    """
    router = stream_router(router, runs=False)
    if not router.routes() and not router.folds():
        raise click.ClickException(
            "the router has no route: import the modules that register its handlers"
        )
    criteria = router.filter_criteria(keys=keys or None, max_filters=max_filters)
    if criteria is None:
        complain("this router wants every record: there is nothing to leave out")
    write_out(FORMATS[form](criteria or {"Filters": []}))


class _Fault(NamedTuple):
    """Something wrong: where in the file, in which filter, at which path of it."""

    where: str
    filter: int | None
    path: str | None
    message: str


@filters.command(short_help="Find what is wrong with the filters in a file.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--max",
    "max_filters",
    type=click.IntRange(1, _MOST),
    default=5,
    show_default=True,
    help="How many filters the account's quota allows; AWS grants up to 10.",
)
@json_option
def lint(file: Path, max_filters: int, *, as_json: bool) -> None:
    """Find what is wrong with the filters in FILE, which Lambda would accept without a word.

    FILE is a template of SAM or CloudFormation, a serverless.yml, a Terraform file, or JSON:
    FilterCriteria, one pattern, or what `aws lambda list-event-source-mappings` prints. Filters of
    other sources than DynamoDB streams are left out.

    Exit codes: 0 nothing is wrong; 1 something is, or there are no filters; 2 wrong usage.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise click.ClickException(f"{file} cannot be read: {reason}") from None
    try:
        sets = filter_sets(file, text)
    except RecursionError:
        raise click.ClickException(f"{file} is nested too deeply") from None
    if not sets:
        raise click.ClickException(
            f"{file} has no filters of a DynamoDB stream: no FilterCriteria, no filterPatterns"
        )
    output = Output(as_json=as_json)
    count = 0
    for one in sets:
        for fault in _faults(one, max_filters):
            count += 1
            _show(output, file, fault)
    patterns = [pattern for one in sets for pattern in one.patterns]
    if unread := patterns.count(None):
        complain(f"{plural(unread, 'pattern')} not checked: only the tool knows the value")
    if not output.as_json:
        output.note(f"{plural(len(patterns), 'filter')}, {plural(count, 'problem')}")
    if count:
        raise SystemExit(1)


def _show(output: Output, file: Path, fault: _Fault) -> None:
    if output.as_json:
        output.line({"file": str(file), **fault._asdict()})
        return
    number = "" if fault.filter is None else f", filter {fault.filter}"
    at = f" at {fault.path}" if fault.path else ""
    output.note(styled(("✗ ", "bold red"), f"{fault.where}{number}{at}: {fault.message}"))


def _faults(found: FilterSet, max_filters: int) -> Iterator[_Fault]:
    if found.wrong is not None:
        yield _Fault(found.where, None, None, found.wrong)
    count = len(found.patterns)
    if count > max_filters:
        more = "a mapping has at most 10" if count > _MOST else "more than 5 need a higher quota"
        yield _Fault(found.where, None, None, f"{count} filters: {more}")
    for number, pattern in enumerate(found.patterns, 1):
        for path, message in _faults_of(pattern):
            yield _Fault(found.where, number, path, message)


def _faults_of(pattern: Any) -> Iterator[tuple[str | None, str]]:
    if pattern is None:
        return
    if isinstance(pattern, str):
        try:
            parsed = json.loads(pattern)
        except (ValueError, RecursionError):
            yield None, "the pattern is not JSON, and Lambda refuses it"
            return
        text = pattern
    else:
        parsed, text = pattern, json.dumps(pattern, separators=(",", ":"))
    if len(text) > MAX_PATTERN:
        yield None, f"{len(text):,} characters: Lambda takes {MAX_PATTERN:,}"
    if not isinstance(parsed, Mapping) or not parsed:
        yield None, "a pattern is an object with something in it"
        return
    try:
        problems = faults_of(parsed)
    except RecursionError:
        yield None, "the pattern is nested too deeply"
        return
    except RouteDefinitionError as error:
        yield (str(error.path) if error.path else None), error.problem
        return
    for problem in problems:
        ending = "; so the filter never matches" if problem.fatal else ""
        yield problem.path, problem.message + ending
