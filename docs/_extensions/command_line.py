"""The reference of the command line, made from the click commands themselves."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Each command with its whole name, groups opened."""
    context = click.Context(group, info_name=prefix)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        whole = f"{prefix} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, whole)
        else:
            yield whole, command, click.Context(command, info_name=whole)


def words(text: str) -> list[str]:
    """A help text's lines; ``\\b`` begins what click leaves as it is."""
    out: list[str] = []
    for paragraph in inspect.cleandoc(text.partition("\f")[0]).split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            out += ["::", "", *(f"   {line}" for line in lines[1:]), ""]
        else:
            out += [escaped(line) for line in lines] + [""]
    return out


def escaped(text: str) -> str:
    """A help text as it is meant: `code` in single backticks, and no other markup."""
    parts = re.split(r"`([^`\n]+)`", text)
    plain = [re.sub(r"([\\*`|_])", r"\\\1", part) for part in parts[::2]]
    code = [f"``{part}``" for part in parts[1::2]]
    return "".join(word for pair in zip(plain, [*code, ""], strict=True) for word in pair)


def parameters(command: click.Command, context: click.Context) -> list[str]:
    out: list[str] = []
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            left, right = parameter.get_help_record(context) or ("", "")
            meaning = escaped(right) or "(no more to say)"
            out += [f"``{left}``", f"   {meaning}", ""]
    return out


class Commands(SphinxDirective):
    """``.. command-line::``: a section for each command of ``ddbstream``."""

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module("ddbstream.cli._app")
        out: list[nodes.Node] = []
        for whole, command, context in commands(module.cli, "ddbstream"):
            section = nodes.section(ids=[nodes.make_id(whole)], names=[whole])
            section += nodes.title(whole, whole)
            usage = " ".join([whole, *command.collect_usage_pieces(context)])
            lines = [".. code-block:: text", "", f"   {usage}", ""]
            lines += words(command.help or "") + parameters(command, context)
            self.state.nested_parse(StringList(lines, whole), 0, section)
            out.append(section)
        return out


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-line", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
