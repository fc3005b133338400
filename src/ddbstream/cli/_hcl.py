"""The values of ``pattern`` in Terraform's filters: the part of HCL that they are written in.

A value is a text in quotes or a heredoc, or ``jsonencode(…)`` of an object. What only Terraform can
work out (a variable, a function, ``${…}`` in a text) is not worked out.

Source: `HCL's syntax`_.

.. _HCL's syntax: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

__all__ = ["Block", "filter_blocks"]

_FILTERS: Final = re.compile(r"^[ \t]*filter_criteria\s*\{", re.MULTILINE)
_RESOURCE: Final = re.compile(r'^resource\s+"([^"]+)"\s+"([^"]+)"', re.MULTILINE)
_PATTERN: Final = re.compile(r"\bpattern\s*=\s*")
_BLANK: Final = re.compile(r"(?:[\s,]|#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_COMMENT: Final = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXT: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_HEREDOC: Final = re.compile(r"<<-?(\w+)\n(.*?)\n[ \t]*\1\b", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TEMPLATE: Final = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_WORDS: Final = {"true": True, "false": False, "null": None}


class _Unreadable(Exception):
    """Terraform alone knows what it is."""


class Block(NamedTuple):
    """A ``filter_criteria`` block.

    Attributes:
        where: The resource that it is in.
        patterns: The JSON text of each pattern; None for one that only Terraform can work out.
    """

    where: str
    patterns: list[str | None]


def filter_blocks(text: str) -> list[Block]:
    """The ``filter_criteria`` blocks of a Terraform file."""
    found = []
    for opening in _FILTERS.finditer(text):
        resources = list(_RESOURCE.finditer(text, 0, opening.start()))
        where = f"{resources[-1][1]}.{resources[-1][2]}" if resources else "filter_criteria"
        end = _closing(text, opening.end())
        patterns = [
            _pattern(text, one.end()) for one in _PATTERN.finditer(text, opening.end(), end)
        ]
        found.append(Block(where, patterns))
    return found


def _closing(text: str, at: int) -> int:
    """Where the block ends whose brace is open at a place; those in text and comments are none."""
    depth = 1
    while at < len(text):
        skipped = _TEXT.match(text, at) or _HEREDOC.match(text, at) or _COMMENT.match(text, at)
        if skipped:
            at = skipped.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1
    return at


def _pattern(text: str, at: int) -> str | None:
    try:
        if (call := re.compile(r"jsonencode\s*\(").match(text, at)) is not None:
            value, _ = _value(text, call.end())
            return json.dumps(value)
        value, _ = _value(text, at)
    except _Unreadable:
        return None
    return value if isinstance(value, str) else None


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at a place, and where it ends; raises _Unreadable."""
    at = _past_blanks(text, at)
    if (heredoc := _HEREDOC.match(text, at)) is not None:
        return _plain(heredoc[2]), heredoc.end()
    if (quoted := _TEXT.match(text, at)) is not None:
        return _unquoted(quoted[1]), quoted.end()
    if text.startswith("{", at):
        return _object(text, at + 1)
    if text.startswith("[", at):
        return _list(text, at + 1)
    if (number := _NUMBER.match(text, at)) is not None:
        return json.loads(number[0]), number.end()
    word = _WORD.match(text, at)
    if word is None or word[0] not in _WORDS:
        raise _Unreadable
    return _WORDS[word[0]], word.end()


def _list(text: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _past_blanks(text, at)
    while not text.startswith("]", at):
        one, at = _value(text, at)
        found.append(one)
        at = _past_blanks(text, at)
    return found, at + 1


def _object(text: str, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    at = _past_blanks(text, at)
    while not text.startswith("}", at):
        if (word := _WORD.match(text, at)) is not None:
            name, at = word[0], word.end()
        elif (quoted := _TEXT.match(text, at)) is not None:
            name, at = _unquoted(quoted[1]), quoted.end()
        else:
            raise _Unreadable
        at = _past_blanks(text, at)
        if text[at : at + 1] not in ("=", ":"):
            raise _Unreadable
        found[name], at = _value(text, at + 1)
        at = _past_blanks(text, at)
    return found, at + 1


def _past_blanks(text: str, at: int) -> int:
    blanks = _BLANK.match(text, at)
    return at if blanks is None else blanks.end()


def _unquoted(text: str) -> str:
    plain = _plain(text)
    try:
        return str(json.loads(f'"{plain}"'))
    except ValueError:
        raise _Unreadable from None


def _plain(text: str) -> str:
    if _TEMPLATE.search(text):
        raise _Unreadable
    return text.replace("$${", "${").replace("%%{", "%{")
