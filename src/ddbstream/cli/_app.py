"""The command ``ddbstream``: its subcommands, each imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

import click

from ddbstream import __version__
from ddbstream.cli._signals import STOPPED
from ddbstream.cli._standard_streams import complain
from ddbstream.exceptions import printable

_COMMANDS = (
    "demo",
    "decode",
    "diff",
    "invoke",
    "streams",
    "tail",
    "poll",
    "dev",
    "replay",
    "export",
    "filters",
    "explain",
    "doctor",
    "infer",
    "check",
    "kcl",
)
"""Each is a module of this package, which has the command under the same name."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"ddbstream.cli.{cmd_name}"), cmd_name)
        return cast("click.Command", command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it ends with may quote a name or key, and is printed.

        One that Ctrl-C has cut short exits with 130.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("stopped")
            raise SystemExit(STOPPED) from None
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc] # what is shown later
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ddbstream %(version)s")
def cli() -> None:
    """Typed DynamoDB stream records: see them, route them, run what handles them."""
