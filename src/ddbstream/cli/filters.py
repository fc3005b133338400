"""``ddbstream filters``: what an event source mapping may leave out."""

from __future__ import annotations

import json

import click

from ddbstream.cli._parameters import Loaded, stream_router
from ddbstream.cli._standard_streams import complain, write_out

__all__ = ["filters"]


@click.command()
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
def filters(router: object, keys: tuple[str, ...], max_filters: int) -> None:
    """Print the FilterCriteria of an event source mapping for ROUTER (module:name).

    Every record that a route wants passes them, and so do some that none wants. They are JSON, for
    aws lambda update-event-source-mapping --filter-criteria, SAM and CloudFormation. Derive them
    anew with every deployment: what the filters leave out is gone for the function.
    """
    router = stream_router(router)
    if not router.routes() and not router.folds():
        raise click.ClickException(
            "the router has no route: import the modules that register its handlers"
        )
    criteria = router.filter_criteria(keys=keys or None, max_filters=max_filters)
    if criteria is None:
        complain("this router wants every record: there is nothing to leave out")
    write_out(json.dumps(criteria or {"Filters": []}, indent=2))
