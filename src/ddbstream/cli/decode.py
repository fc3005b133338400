"""``ddbstream decode``: DynamoDB JSON in, plain or typed JSON out."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from ddbstream import from_item, parse
from ddbstream.cli._documents import documents, items_of
from ddbstream.cli._parameters import LoadedModel, json_option
from ddbstream.cli._render import Output
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import DDBStreamError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode"]


@click.command(short_help="Turn DynamoDB JSON into plain JSON.")
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--model", type=LoadedModel(), metavar="MODULE:CLASS", help="Read items as this class."
)
@json_option
def decode(file: IO[bytes], model: type[Any] | None, *, as_json: bool) -> None:
    """Turn DynamoDB JSON into plain JSON, one line for each record or item.

    FILE, or standard input, has one JSON document or many: Lambda events and every other form that
    carries stream records, items as `aws dynamodb get-item`, `query` and `scan` print them, or bare
    items. gzip is unpacked.

    What cannot be read is reported on standard error, the rest is read, and the exit code is 1.
    """
    output = Output(as_json=as_json)
    unread = 0
    for document in documents(file):
        problems = [str(document.error)] if document.error else _show(document.value, model, output)
        for problem in problems:
            unread += 1
            complain(f"document {document.number}: {problem}")
        if output.closed:
            return
    if unread:
        raise SystemExit(1)


def _show(document: Any, model: type[Any] | None, output: Output) -> Iterator[str]:
    """Write what a document holds; gives what could not be read in it."""
    items = items_of(document)
    if items is not None:
        for item in items:
            try:
                output.item(from_item(item, model))
            except DDBStreamError as error:  # noqa: PERF203 -- the others are still to be read
                yield str(error)
        return
    try:
        records = parse(document, model)
    except PayloadError as error:
        yield str(error)
        return
    while True:
        try:
            record = next(records, None)
            if record is None:
                return
            output.change(record)
        except DDBStreamError as error:  # noqa: PERF203 -- the others are still to be read
            yield str(error)
