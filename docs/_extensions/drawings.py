"""Drawings from text: box-drawing characters become SVG in the colours of the page.

The source is a block of text, which is what GitHub shows, below a comment with its caption::

    <!-- drawing: A parent is read to its end before its children. -->
    ```text
    ┌────────┐     ┌─────────┐
    │ parent │────▶│ child 1 │
    └────────┘     └─────────┘
    ```
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

WIDTH, HEIGHT = 8, 18  # of a character's cell, in SVG's units

# The sides that a character's lines go to: up, right, down, left.
SIDES = {
    "─": "rl", "│": "ud", "┌": "rd", "┐": "dl", "└": "ur", "┘": "ul", "├": "urd", "┤": "udl",
    "┬": "rdl", "┴": "url", "┼": "urdl", "╌": "rl", "╎": "ud",
}  # fmt: skip
HEADS = {"▶": "0,4 8,9 0,14", "◀": "8,4 0,9 8,14", "▼": "0,6 8,6 4,16", "▲": "0,12 8,12 4,2"}


def svg(text: str, label: str) -> str:
    """The drawing of ``text`` as an SVG element."""
    rows = text.rstrip("\n").splitlines()
    width, height = max(map(len, rows)) * WIDTH, len(rows) * HEIGHT
    parts = [*lines(rows), *heads(rows), *writing(rows)]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def lines(rows: list[str]) -> Iterator[str]:
    steps = []
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            middle = (x * WIDTH + WIDTH / 2, y * HEIGHT + HEIGHT / 2)
            for side in SIDES.get(character, ""):
                dx, dy = {"u": (0, -9), "r": (4, 0), "d": (0, 9), "l": (-4, 0)}[side]
                steps.append(f"M{middle[0]:g} {middle[1]:g}l{dx} {dy}")
    yield f'<path class="line" stroke-width="1.3" d="{"".join(steps)}"/>'


def heads(rows: list[str]) -> Iterator[str]:
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            if character in HEADS:
                at = f"translate({x * WIDTH} {y * HEIGHT})"
                yield f'<polygon class="head" transform="{at}" points="{HEADS[character]}"/>'


def writing(rows: list[str]) -> Iterator[str]:
    """Each run of letters is one text, stretched to its cells so that it stands in its box."""
    for y, row in enumerate(rows):
        drawn = "".join(" " if one in SIDES or one in HEADS else one for one in row)
        start = 0
        for run in drawn.split("  "):  # two spaces part two texts
            word = run.strip()
            if word:
                x = (start + len(run) - len(run.lstrip())) * WIDTH
                yield (
                    f'<text class="code" x="{x}" y="{y * HEIGHT + 13}" '
                    f'textLength="{len(word) * WIDTH}" lengthAdjust="spacingAndGlyphs">'
                    f"{escape(word)}</text>"
                )
            start += len(run) + 2


class Drawings(SphinxPostTransform):
    """Puts the SVG where the text is, for HTML; any other format keeps the text."""

    default_priority = 6
    formats = ("html",)

    def run(self, **_options: Any) -> None:
        for comment in list(self.document.findall(nodes.raw)):
            caption = comment.astext().strip().removeprefix("<!--").removesuffix("-->").strip()
            if not caption.startswith("drawing:"):
                continue
            block = comment.next_node(nodes.literal_block, descend=False, siblings=True)
            if block is None:
                raise ValueError(f"a drawing without a block of text: {caption}")
            caption = caption.removeprefix("drawing:").strip()
            html = (
                f'<figure class="drawing">{svg(block.astext(), caption)}'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
            block.replace_self(nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(Drawings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
