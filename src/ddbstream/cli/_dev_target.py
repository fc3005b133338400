"""What ``ddbstream dev`` is to run: from its arguments and a template, before any import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from ddbstream.cli._mapping_settings import MappingSettings
from ddbstream.cli._templates import TEMPLATES, Function, StreamEvent, find_template, read_template

__all__ = ["Target", "find_target"]


class Target(NamedTuple):
    """What is to be run, by name: nothing of the user's is imported yet.

    Attributes:
        app: ``module:name``.
        function: The template's function, if there is a template.
        others: The template's functions that answer over HTTP.
        tables: The template's tables.
        table: The table whose stream the function follows, if the template says it.
        settings: Of the mapping: the command line's, then the template's.
        path: The template.
    """

    app: str
    function: Function | None
    others: Sequence[Function]
    tables: Mapping[str, dict[str, Any]]
    table: str | None
    settings: MappingSettings
    path: Path | None = None

    @property
    def files(self) -> list[Path]:
        """What it is made of besides the current folder: the template, and its function's code."""
        return [one for one in (self.path, self.function and self.function.folder) if one]

    def beginning(self, position: str) -> Target:
        """From the start of a table in which there is nothing yet: TIME apart, that is all."""
        if isinstance(self.settings.starting_position, datetime):
            return self
        return self._replace(settings=replace(self.settings, starting_position=position))


def find_target(
    app: str | None, path: Path | None, function_name: str | None, said: MappingSettings
) -> Target:
    """What a command line means.

    Args:
        app: ``module:name``, or None for the template's function.
        path: The template, or None for the current folder's, where one is needed.
        function_name: Which function of the template, or None for the only one with a stream.
        said: What is said of the mapping.

    Raises:
        click.UsageError: It means nothing, or several things.
        click.ClickException: The template cannot be read.
    """
    if path is None and (app is None or function_name is not None):
        path = find_template(Path.cwd())
        if path is None:
            raise click.UsageError(
                f"give APP, or --template: there is no {' or '.join(TEMPLATES)} here"
            )
    if path is None:
        assert app is not None
        return Target(app, None, (), {}, None, said)
    template = read_template(path)
    name = function_name
    if name is None and app is not None:
        handler = app.replace(":", ".")
        name = next((n for n, one in template.functions.items() if one.handler == handler), None)
    function = template.function(name)
    event = function.streams[0] if function.streams else StreamEvent(None, MappingSettings())
    return Target(
        app or function.handler,
        function,
        [one for one in template.functions.values() if one.paths],
        template.tables,
        event.table,
        said.over(event.settings),
        path,
    )
