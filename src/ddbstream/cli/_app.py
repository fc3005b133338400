"""The command ``ddbstream``: its subcommands, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from traceback import walk_tb
from typing import Any, cast

import click

from ddbstream import __version__
from ddbstream.cli._signals import STOPPED
from ddbstream.cli._standard_streams import Unwritten, complain, drop_output
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

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; help that cannot be written is no traceback."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if not _is_clicks(error):
                raise
            drop_output()
            unwritten = Unwritten(error)
            _show(unwritten.show)
            raise SystemExit(unwritten.exit_code) from None

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options that stand before a command."""
        with _told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; one that Ctrl-C has cut short exits with 130."""
        try:
            with _told():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("stopped")
            raise SystemExit(STOPPED) from None


@contextmanager
def _told() -> Iterator[None]:
    """What ends a command is printable, whatever it quotes; unseen, it leaves the exit code."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc] # what is shown later
        error.show = partial(_show, error.show)  # type: ignore[method-assign]
        raise


def _show(show: Callable[[Any], None], file: Any = None) -> None:
    with suppress(OSError):
        show(file)


def _is_clicks(error: BaseException) -> bool:
    """Whether it was raised where click writes: commands tell what they write themselves."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") == "click.utils"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ddbstream %(version)s")
def cli() -> None:
    """Typed DynamoDB stream records: see them, route them, run what handles them."""
