"""``ddbstream invoke``: a Lambda handler and an event, on this machine."""

from __future__ import annotations

import sys
import time
import traceback
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import click

from ddbstream.cli._documents import whole_document
from ddbstream.cli._json import dumps
from ddbstream.cli._parameters import Loaded
from ddbstream.cli._records_given import event_of, record_options
from ddbstream.cli._standard_streams import complain_of, prints_apart, write_out
from ddbstream.exceptions import PayloadError
from ddbstream.testing._lambda_context import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["invoke"]


@click.command(short_help="Call a Lambda handler with an event, as Lambda would.")
@click.argument("handler", type=Loaded("function"))
@click.argument("event", type=click.File("rb"), required=False)
@record_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=3.0,
    show_default=True,
    help="Seconds that the context says are left. Nothing stops the handler after them.",
)
def invoke(
    handler: Callable[..., Any], event: IO[bytes] | None, timeout: float, **given: Any
) -> None:
    """Call HANDLER (module:name) with EVENT, a JSON file or standard input, as Lambda would.

    In place of EVENT, `--insert`, `--modify` and `--remove` make one from items; each can be given
    several times.

    Prints the response as Lambda encodes it. If the handler raises, prints Lambda's error document,
    the traceback goes to standard error, and the exit code is 1.
    """
    if not callable(handler):
        raise click.UsageError("HANDLER cannot be called")
    payload = event_of(given)
    if payload is not None and event is not None:
        raise click.UsageError("give EVENT, or items with --insert, --modify and --remove")
    if payload is None:
        try:
            payload = whole_document(event or sys.stdin.buffer)
        except PayloadError as error:
            raise click.ClickException(f"the event is {error}") from None
    name = getattr(handler, "__name__", type(handler).__name__)
    try:
        with prints_apart():  # standard output is for the response
            response = handler(payload, LambdaContext(name, timeout, time.monotonic))
        text = _encoded(response)
    except Exception as error:  # noqa: BLE001 -- whatever it is, Lambda reports it like this
        complain_of(error)
        frames = traceback.format_tb(error.__traceback__)
        document = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": frames,
        }
        write_out(dumps(document))
        raise SystemExit(1) from None
    write_out(text)


def _encoded(response: object) -> str:
    """The response as JSON; Lambda's own encoder takes these types and Decimal, and no others."""
    _refuse_others(response)
    return dumps(response)


def _refuse_others(value: object) -> None:
    if value is None or isinstance(value, (str, bool, int, float, Decimal)):
        return
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_others(key)
            _refuse_others(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _refuse_others(each)
    else:
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
