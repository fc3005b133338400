"""Pictures of the terminal: a command is run while the site is built, and shown as it looks.

::

    :::{terminal} ddbstream decode page.json
    What a reader who does not see the picture reads.
    :::

The command runs in ``docs/_terminal``, which has the files that it reads, on a terminal of 88
columns. A command that fails breaks the build, so no picture is older than the program.
"""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "_terminal"
COLUMNS = 88

# Rich's own format loads a font from another server; a page of ours loads nothing from anywhere.
SVG = """\
<svg viewBox="0 0 {width} {height}" role="img" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: monospace; font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def printed(command: str) -> str:
    """What ``command`` writes on a terminal."""
    terminal, program = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")},
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(FILES)]),
        "AWS_DEFAULT_REGION": "us-east-1",
        "TZ": "UTC",
    }
    with subprocess.Popen(  # noqa: S603 - the commands are the documentation's own
        [sys.executable, "-m", *shlex.split(command)],
        cwd=FILES,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=program,
        stderr=program,
    ) as running:
        os.close(program)
        parts = []
        while part := read(terminal):
            parts.append(part)
        os.close(terminal)
    text = b"".join(parts).decode().replace("\r\n", "\n")
    if running.returncode:
        raise RuntimeError(f"{command} exits with {running.returncode}:\n{text}")
    return text


def read(terminal: int) -> bytes:
    """The next bytes, or none at the end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def svg(command: str, text: str) -> str:
    """A picture of a terminal with ``command`` and what it has printed."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(f"[bold green]$[/] {command}", highlight=False)
    console.print(Text.from_ansi(text.rstrip("\n")))
    return console.export_svg(
        title="",
        theme=DIMMED_MONOKAI,
        code_format=SVG,
        unique_id="t" + sha256(command.encode()).hexdigest()[:8],
    )


class Terminal(SphinxDirective):
    """``terminal``: the command is the argument, and the caption the content."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        command = self.arguments[0]
        try:
            picture = svg(command, printed(command))
        except RuntimeError as error:
            raise self.error(str(error)) from error
        caption, messages = self.parse_inline(" ".join(self.content))
        figure = nodes.container(classes=["terminal"])
        figure += nodes.raw("", picture, format="html")
        figure += nodes.paragraph("", "", *caption)
        return [figure, *messages]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("terminal", Terminal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
