"""The command group. A command's module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from ddbstream import __version__

_FAMILIES = {
    "demo": "demo",
    "decode": "decode",
    "invoke": "invoke",
    "streams": "streams",
    "tail": "tail",
    "poll": "poll",
    "dev": "dev",
    "replay": "replay",
    "export": "export",
    "filters": "filters",
    "doctor": "doctor",
}
"""Command -> the module of its family, which has it under the same name."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_FAMILIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        family = _FAMILIES.get(cmd_name)
        if family is None:
            return None
        command = getattr(import_module(f"ddbstream.cli.{family}"), cmd_name)
        return cast("click.Command", command)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ddbstream %(version)s")
def cli() -> None:
    """Typed DynamoDB stream records: see them, route them, run what handles them."""
