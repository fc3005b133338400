"""Source text as ``ruff format`` and Black leave it: quotes, brackets, imports, 88 columns.

What is too long for a line is written with one part a line and a comma behind the last, a form that
formatters keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

__all__ = ["WIDTH", "bracketed", "columns", "import_lines", "quoted", "union_lines"]

WIDTH: Final = 88

_STANDARD: Final = frozenset({"dataclasses", "datetime", "decimal", "typing", "uuid"})


def quoted(text: str) -> str:
    """A string literal, with the quotes that a formatter chooses."""
    inner = "".join(map(_escaped, text))
    if inner.count('"') > inner.count("'"):
        return "'" + inner.replace("'", "\\'") + "'"
    return '"' + inner.replace('"', '\\"') + '"'


def _escaped(character: str) -> str:
    if character in "\"'":
        return character
    # A lone surrogate has no place in a file, and other unprintable characters hide what is there.
    return character if character.isprintable() and character != "\\" else repr(character)[1:-1]


def columns(text: str) -> int:
    """How many columns a text takes, as formatters count: two for a wide character."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else not combining(c) for c in text)


def bracketed(
    opening: str, parts: Sequence[str], closing: str, *, indent: int = 0, rest: str = ""
) -> list[str]:
    """Lines of a bracket: one if it fits, else one a part.

    Args:
        opening: What stands before the parts, the bracket included.
        parts: What stands between commas; at least two if it is a subscript.
        closing: The closing bracket and what comes after it.
        indent: Columns to the left.
        rest: What follows on the same line and counts into its width, such as a comment.
    """
    space = " " * indent
    line = f"{space}{opening}{', '.join(parts)}{closing}"
    if columns(line) + columns(rest) <= WIDTH:
        return [line]
    return [f"{space}{opening}", *(f"{space}    {part}," for part in parts), f"{space}{closing}"]


def union_lines(name: str, parts: Sequence[str]) -> list[str]:
    """Lines of ``name = a | b``."""
    text = " | ".join(parts)
    if len(f"{name} = {text}") <= WIDTH:
        return [f"{name} = {text}"]
    if len(text) + 4 <= WIDTH:
        return [f"{name} = (", f"    {text}", ")"]
    return [f"{name} = (", f"    {parts[0]}", *(f"    | {part}" for part in parts[1:]), ")"]


def import_lines(
    names: Mapping[str, Collection[str]], modules: Collection[str] = (), *, local: str = ""
) -> list[str]:
    """Lines that import names from modules, and modules, in the order that isort gives them.

    Args:
        names: Names by module.
        modules: Modules that are imported as such.
        local: A module beside the one that imports it.
    """
    joined: list[str] = []
    for group in range(3):
        lines = [f"import {module}" for module in sorted(modules) if _group(module, local) == group]
        for module in sorted(names):
            if _group(module, local) == group:
                lines += _from_import(module, names[module])
        joined += [*([""] if joined and lines else []), *lines]
    return joined


def _group(module: str, local: str) -> int:
    return 0 if module in _STANDARD else 2 if module == local else 1


def _from_import(module: str, names: Collection[str]) -> list[str]:
    ordered = sorted(names, key=lambda name: (not _is_constant(name), name[:1].islower(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in ordered), ")"]


def _is_constant(name: str) -> bool:
    return name.isupper() and len(name) > 1
