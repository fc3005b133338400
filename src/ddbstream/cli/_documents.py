"""DynamoDB JSON in any of its forms, out of files of any size: documents, and the items in them.

A file is NDJSON, or one document over many lines, such as ``aws dynamodb scan`` prints. The items
of such a document are read one at a time, and the text before them is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TextIO

import click

from ddbstream._values.tags import TAGS

__all__ = ["documents", "items_of"]

_ITEMS: Final = re.compile(r'\s*\{\s*"Items"\s*:\s*\[')
_LONGEST_OPENING: Final = 256  # with all the blanks that a printer may put into it
_NEXT: Final = re.compile(r"\s*,?\s*")
_CHUNK: Final = 1 << 16
#: Of the tokens that a chunk's end can cut in two, texts apart: escapes and ``-Infinity``.
_LONGEST_TOKEN: Final = 16


def items_of(document: Any) -> list[Any] | None:
    """The items of a document that holds items, and no records; None if it holds something else."""
    match document:
        case {"Item": dict(item)}:
            return [item]
        case {"Items": list(items)}:
            return items
        case dict() if document and all(map(_is_attribute_value, document.values())):
            return [document]
        case _:
            return None


def _is_attribute_value(value: object) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= TAGS


def documents(file: TextIO) -> Iterator[tuple[int, Any]]:
    """The JSON documents of a text, each with its number.

    One a line, as they come, or over many lines; each item of an ``{"Items": [...]}`` over many
    lines is a document of its own.

    Raises:
        click.ClickException: The text is not JSON; says where.
    """
    number = 0
    for line in file:
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError:
            yield from enumerate(_over_lines(_Text(file, line)), number + 1)
            return
        number += 1
        yield number, document


class _Text:
    """The part of a text that is not read yet, as much of it as the next document needs."""

    def __init__(self, file: TextIO, start: str) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._read = 0
        self.rest = start

    def more(self) -> bool:
        """Take in more of the text; whether there was any. Doubles what is there."""
        chunk = self._file.read(max(_CHUNK, len(self.rest)))
        self.rest += chunk
        return bool(chunk)

    def skip(self, count: int) -> None:
        """Forget what has been read."""
        self._read += count
        self.rest = self.rest[count:]

    def document(self, position: int = 0) -> tuple[Any, int]:
        """The document at a position, and where it ends."""
        while True:
            try:
                found, end = self._decoder.raw_decode(self.rest, position)
            except json.JSONDecodeError as error:
                problem = error
                # What is cut off fails at the end of what is here, or in a text without an end;
                # for anything else, the rest of a large file need not be taken in first.
                cut_off = error.pos > len(self.rest) - _LONGEST_TOKEN or "Unterm" in error.msg
            else:
                # A number may go on in what has not been taken in.
                if end < len(self.rest) or not self.more():
                    return found, end
                continue
            if not cut_off or not self.more():
                place = f"character {self._read + problem.pos}"
                raise click.ClickException(f"not JSON: {problem.msg}, at {place}") from None


def _over_lines(text: _Text) -> Iterator[Any]:
    while True:
        text.skip(len(text.rest) - len(text.rest.lstrip()))
        if not text.rest:
            if not text.more():
                return
            continue
        opening = _ITEMS.match(text.rest)
        if opening is None and len(text.rest) < _LONGEST_OPENING and text.more():
            continue
        if opening is None:
            document, end = text.document()
            yield document
            text.skip(end)
            continue
        text.skip(opening.end())
        yield from _members(text)
        # What is behind the items is a small object again: {"Items": [], "Count": 2, ...}.
        text.rest = '{"Items": []' + text.rest
        _, end = text.document()
        text.skip(end)


def _members(text: _Text) -> Iterator[Any]:
    """The items of a list, whose opening bracket is read; reads its closing bracket too."""
    position = 0
    while True:
        start = _next_position(text, position)
        if text.rest.startswith("]", start):
            text.skip(start + 1)
            return
        document, position = text.document(start)
        yield {"Item": document}
        if position > _CHUNK:
            text.skip(position)
            position = 0


def _next_position(text: _Text, position: int) -> int:
    """Where the next member, or the closing bracket, begins."""
    while True:
        match = _NEXT.match(text.rest, position)
        assert match is not None
        if match.end() < len(text.rest) or not text.more():
            return match.end()
