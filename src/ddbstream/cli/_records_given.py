"""Stream records from items on the command line: ``--insert``, ``--modify``, ``--remove``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import click

from ddbstream.exceptions import DDBStreamError
from ddbstream.testing import insert, lambda_event, modify, remove
from ddbstream.testing._record_forms import ViewType

__all__ = ["event_of", "record_options"]

_FORMS = "JSON, DynamoDB's or plain, or a file of it"


def record_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options from which `event_of` makes an event; all go into one argument, ``given``."""
    options = [
        click.option(
            "--insert", "inserted", metavar="ITEM", multiple=True, help=f"A new item: {_FORMS}."
        ),
        click.option(
            "--modify",
            "modified",
            metavar="OLD NEW",
            nargs=2,
            multiple=True,
            help="An item before and after its change.",
        ),
        click.option(
            "--remove", "removed", metavar="ITEM", multiple=True, help="An item that was deleted."
        ),
        click.option("--ttl", is_flag=True, help="Time to Live deleted the items of --remove."),
        click.option(
            "--table", metavar="NAME", help="The table that the records say they are of [Table]."
        ),
        click.option(
            "--key",
            "keys",
            metavar="ATTRIBUTE",
            multiple=True,
            help="A key attribute of the table; give each. By default PK and SK, or the first.",
        ),
        click.option(
            "--view-type",
            type=click.Choice(list(get_args(ViewType))),
            help="What the records carry. [NEW_AND_OLD_IMAGES]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def event_of(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The Lambda event that the options of `record_options` describe; None if there are none.

    It has the inserts first, then the modifies, then the removes.

    Raises:
        UsageError: An item is no JSON object, or no item; or an option says something of records,
            and there are none.
    """
    fields: dict[str, Any] = {}
    for name, value in (("table_name", "table"), ("keys", "keys"), ("view_type", "view_type")):
        if given[value]:
            fields[name] = given[value]
    records = list(_records(given, fields))
    if records:
        return lambda_event(records)
    if fields or given["ttl"]:
        raise click.UsageError("--table, --key, --view-type and --ttl need an item, as of --insert")
    return None


def _records(given: Mapping[str, Any], fields: dict[str, Any]) -> Iterator[Any]:
    for option, make, items in (
        ("--insert", lambda one: insert(one, **fields), [(one,) for one in given["inserted"]]),
        ("--modify", lambda old, new: modify(old, new, **fields), given["modified"]),
        (
            "--remove",
            lambda one: remove(one, ttl=given["ttl"], **fields),
            [(one,) for one in given["removed"]],
        ),
    ):
        for texts in items:
            read = [_item(option, text) for text in texts]
            try:
                yield make(*read)
            except (DDBStreamError, ValueError, TypeError) as error:
                raise click.UsageError(f"{option}: {error}") from None


def _item(option: str, text: str) -> dict[str, Any]:
    """An item: the JSON itself, or what is in a file of that name."""
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise click.UsageError(
                f"{option} takes {_FORMS}; there is no such file: {reason}"
            ) from None
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{option}: this is not JSON: {error}") from None
    if isinstance(found, dict) and found.keys() == {"Item"} and isinstance(found["Item"], dict):
        found = found["Item"]  # as `aws dynamodb get-item` prints it
    if not isinstance(found, dict) or not found:
        raise click.UsageError(f"{option} takes an item: an object with attributes")
    return found
