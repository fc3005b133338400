"""``ddbstream explain``: why a record does or does not get to a handler."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from ddbstream._model import codec_for
from ddbstream._wire import read_with
from ddbstream.cli._documents import documents
from ddbstream.cli._parameters import Loaded, json_option, stream_router
from ddbstream.cli._render import Output
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import PayloadError

if TYPE_CHECKING:
    from ddbstream._router.descriptions import Explanation, RouteDescription

__all__ = ["explain"]


@click.command(short_help="Say which routes take a record, and why others do not.")
@click.argument("router", type=Loaded("router"))
@click.argument("event", type=click.File("rb"), default="-")
@json_option
def explain(router: object, event: IO[bytes], *, as_json: bool) -> None:
    """Say which routes of ROUTER (module:name) take each record of EVENT, and why others do not.

    EVENT is a JSON file, or standard input, with stream records in any form: Lambda events,
    GetRecords pages, on-failure messages, one document or many. No handler runs.

    Exits with 1 if a document holds no stream records.
    """
    router = stream_router(router, runs=False)
    output = Output(as_json=as_json)
    unread = 0
    for document in documents(event):
        problem = document.error
        try:
            # Malformed records as well: a router does not take those either, and says why.
            for record in () if problem else read_with(document.value, None, codec_for(None)):
                explanation = router.explain(record)
                if output.as_json:
                    output.line(_as_json(explanation))
                else:
                    output.note(str(explanation))
                if output.closed:
                    return
        except PayloadError as error:
            problem = error
        if problem:
            unread += 1
            complain(f"document {document.number}: {problem}")
    if unread:
        raise SystemExit(1)


def _as_json(explanation: Explanation) -> dict[str, Any]:
    record = explanation.record
    return {
        "eventID": record.event_id,
        "sequence_number": record.sequence_number,
        "event": record.event_name,
        "entity": explanation.entity,
        "chosen": [_route(route) for route in explanation.chosen],
        "rejected": [{**_route(route), "reason": reason} for route, reason in explanation.rejected],
        "problem": explanation.problem,
    }


def _route(route: RouteDescription) -> dict[str, Any]:
    return {
        "route": route.name,
        "events": sorted(route.events),
        "entity": route.entity,
        "conditions": list(route.conditions),
    }
