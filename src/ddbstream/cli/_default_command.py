"""A command that has subcommands, and does the first of them where none is named."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["WithDefault"]


class WithDefault(click.Group):
    """``ddbstream filters app:router`` is ``ddbstream filters derive app:router``.

    Args:
        default: The subcommand that is meant by any first argument which names none.
        attributes: As for a group of click's.
    """

    def __init__(self, *arguments: Any, default: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default's name before arguments that begin with no subcommand's."""
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = [self._default, *args]
        return super().parse_args(ctx, args)
