"""``ddbstream diff``: what changed between two items."""

from __future__ import annotations

from typing import IO, Any, Literal

import click

from ddbstream import diff as diff_of
from ddbstream.cli._documents import documents, items_of, name_of
from ddbstream.cli._parameters import json_option
from ddbstream.cli._render import Output
from ddbstream.exceptions import DDBStreamError

__all__ = ["diff"]

Form = Literal["changes", "patch", "update"]


@click.command(short_help="Show what changed from one item to another.")
@click.argument("old", type=click.File("rb"))
@click.argument("new", type=click.File("rb"))
@click.option(
    "--as",
    "form",
    type=click.Choice(["changes", "patch", "update"]),
    default="changes",
    show_default=True,
    help="The changes; a JSON Patch (RFC 6902); or the arguments of update-item that make them.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the items differ, as diff(1).")
@json_option
def diff(old: IO[bytes], new: IO[bytes], form: Form, *, exit_code: bool, as_json: bool) -> None:
    """Show what changed from the item in OLD to the item in NEW; one of them may be - for stdin.

    Each file holds one item: DynamoDB JSON as `aws dynamodb get-item` prints it or bare, or an
    image cut out of a stream record. An empty object is no item.
    """
    if old is new or name_of(old) == name_of(new) == "<stdin>":
        raise click.UsageError("standard input can be one of the two, and not both")
    items = _item_in(old), _item_in(new)
    output = Output(as_json=as_json or form != "changes")
    try:
        found = diff_of(*items, wire=True)
        if form == "patch":
            output.line(found.to_json_patch())
        elif form == "update":
            output.line(found.to_update_expression(keys=()))
        elif output.as_json:
            output.line(found.to_dict())
        else:
            output.note(str(found) if found else "no change")
    except DDBStreamError as error:
        raise click.ClickException(str(error)) from None
    if exit_code and found:
        raise SystemExit(1)


def _item_in(file: IO[bytes]) -> dict[str, Any] | None:
    for document in documents(file):
        if document.error:
            raise click.ClickException(f"{name_of(file)}: {document.error}")
        items = [{}] if document.value == {} else items_of(document.value)
        if items is None or len(items) != 1:
            break
        return items[0] or None
    raise click.ClickException(f"{name_of(file)}: one item in DynamoDB JSON is wanted")
