"""DynamoDB JSON in any of its forms, out of files of any size: documents, and the items in them.

A file is NDJSON, or one document over many lines, such as ``aws dynamodb scan`` prints. The items
of such a document are read one at a time, and the text before them is forgotten.

Rules:

* What is no document does not hide the others: it is told, and reading goes on with the next line
  that a document can begin with.
* Reading takes time in proportion to the text, and memory for one document, which may have 256
  million characters: a megabyte of gzip can be a gigabyte of text.
* gzip is unpacked, and text may be in any encoding that JSON may have.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, NamedTuple, TextIO, cast

from ddbstream._values.tags import TAGS
from ddbstream._wire.text import DECODER
from ddbstream.exceptions import PayloadError

__all__ = ["Document", "documents", "items_of", "name_of", "whole_document"]

_ITEMS: Final = re.compile(r'\s*\{\s*"Items"\s*:\s*\[')
_BLANKS: Final = re.compile("[ \\t\\r\\n\ufeff]*")
_START: Final = re.compile(r"\n(?=[{\[])")
_NO_TEXT: Final = re.compile("[\udc80-\udcff]")  # what bytes become that are no UTF-8
_CUT_OFF: Final = object()
_NEXT: Final = re.compile(r"\s*,?\s*")
_CHUNK: Final = 1 << 16
_LONGEST_DOCUMENT: Final = 1 << 28
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


class Document(NamedTuple):
    """A document of a text.

    Attributes:
        number: Which it is, from 1 on.
        value: The document, if it could be read.
        error: Why it could not be read; None if it could.
    """

    number: int
    value: Any
    error: PayloadError | None = None


def documents(file: IO[bytes]) -> Iterator[Document]:
    """The JSON documents of a text, one a line, as they come, or over many lines.

    Each item of an ``{"Items": [...]}`` over many lines is a document of its own.
    """
    number = 0
    try:
        with _opened(file) as lines:
            for found in _found(_Text(lines)):
                number += 1
                if isinstance(found, PayloadError):
                    yield Document(number, None, found)
                else:
                    yield Document(number, found)
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        problem = f"the rest cannot be read: {_reason(error)}"
        yield Document(number + 1, None, PayloadError(problem))


def whole_document(file: IO[bytes]) -> Any:
    """The one JSON document of a text, with the types that ``json`` gives.

    Raises:
        PayloadError: There is none, or more than one.
    """
    # Raised outside every `except`: the decoder's own error holds the whole text.
    try:
        with _opened(file) as lines:
            text = lines.read(_LONGEST_DOCUMENT + 1)
        if len(text) > _LONGEST_DOCUMENT:
            problem = "it is longer than a document may be"
        elif not _NO_TEXT.search(text):
            return json.loads(text)
        else:
            problem = "it is not in UTF-8"
    except json.JSONDecodeError as error:
        problem = f"{error.msg}, line {error.lineno}, column {error.colno}"
    except RecursionError:
        problem = "it is nested too deeply"
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        problem = f"it cannot be read: {_reason(error)}"
    except ValueError:  # there is one more
        problem = "an integer of more than 4,300 digits, which Python does not read"
    raise PayloadError(f"not JSON: {problem}")


def name_of(file: IO[bytes]) -> str:
    """What a file is called; a test's standard input has no name."""
    return str(getattr(file, "name", "<stdin>"))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[TextIO]:
    """The text of a file, unpacked if it is gzip; bytes that are no text become surrogates."""
    # Pipes and files can be peeked into; a test's standard input cannot.
    source = file if hasattr(file, "peek") else io.BufferedReader(cast("Any", file))
    if cast("Any", source).peek(2)[:1] == b"\x1f":  # no JSON begins with that
        source = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=source)))
    start = cast("Any", source).peek(4)[:4]
    encoding = json.detect_encoding(start) if len(start) == 4 else "utf-8-sig"
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    text = io.TextIOWrapper(cast("Any", source), encoding, errors)
    try:
        yield text
    finally:
        text.detach()  # who opened the file closes it


class _Text:
    """The part of a text that is not read yet, as much of it as the next document needs.

    Attributes:
        held: The part of the text that is in memory.
        at: How much of that is read.
    """

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._line = 1
        self.held = ""
        self.at = 0

    def more(self) -> bool:
        """Take in more of the text, at least as much again as is unread; whether there was any."""
        if self.at > len(self.held) // 2:
            self._line += self.held.count("\n", 0, self.at)
            self.held, self.at = self.held[self.at :], 0
        taken: list[str] = []
        missing = max(1, len(self.held) - self.at)
        while missing > 0:
            # By lines, for a pipe: whole documents must not wait for those to come.
            line = self._lines.readline(_CHUNK)
            if not line:
                break
            taken.append(line)
            missing -= len(line)
        self.held += "".join(taken)
        return bool(taken)

    def skip_blanks(self) -> bool:
        """Pass what is between documents; whether there is another one."""
        while True:
            blanks = _BLANKS.match(self.held, self.at)
            self.at = blanks.end() if blanks else self.at
            if self.at < len(self.held):
                return True
            if not self.more():
                return False

    def skip_to_next(self) -> None:
        """Pass the rest of what is no document: up to a line that one can begin with."""
        while True:
            start = _START.search(self.held, self.at)
            if start is not None:
                self.at = start.end()
                return
            # A line's end may be the last character that is here.
            self.at = max(self.at, len(self.held) - 1)
            if not self.more():
                self.at = len(self.held)
                return

    def document(self) -> Any:
        """Read the document that begins here: its value, or why it cannot be read.

        Raises:
            PayloadError: It is no JSON, and so nobody knows where it ends.
        """
        found = self.attempt()
        while found is _CUT_OFF:
            found = self.attempt(is_whole=not self.more())
        return found

    def attempt(self, *, is_whole: bool = False) -> Any:
        """As `document`; gives `_CUT_OFF` if it goes on behind what is here, unless that is all."""
        # Raised outside every `except`: the decoder's own error holds the whole text.
        problem, place, end = "", self.at, self.at
        found: Any = None
        try:
            found, end = DECODER.raw_decode(self.held, self.at)
        except json.JSONDecodeError as error:
            problem, place = error.msg, error.pos
        except RecursionError:
            problem = "it is nested too deeply"
        if problem:
            # What is cut off fails at the end of what is here, or in a text without an end; for
            # anything else, the rest of a large file need not be taken in first.
            near = place > len(self.held) - _LONGEST_TOKEN and place > self.at
            if not is_whole and (near or place == len(self.held) or "Unterm" in problem):
                if len(self.held) - self.at <= _LONGEST_DOCUMENT:
                    return _CUT_OFF
                problem, place = "it is longer than a document may be", self.at
            raise PayloadError(f"not JSON: {problem}, {self._place(place)}{self._begun(place)}")
        if end == len(self.held) and isinstance(found, (int, float)) and not is_whole:
            return _CUT_OFF  # a number may go on
        start, self.at = self.at, end
        if _NO_TEXT.search(self.held, start, end):
            return PayloadError(f"it is not in UTF-8, {self._place(start)}")
        return found

    def _begun(self, at: int) -> str:
        """Where the document begins, if that is a line of its own."""
        before = self.held.count("\n", self.at, at)
        line = self._line + self.held.count("\n", 0, self.at)
        return f", of a document that begins in line {line}" if before else ""

    def _place(self, at: int) -> str:
        line = self._line + self.held.count("\n", 0, at)
        return f"line {line}, column {at - self.held.rfind(chr(10), 0, at)}"


def _found(text: _Text) -> Iterator[Any]:
    """Each document, or the error in its place."""
    while text.skip_blanks():
        try:
            found, opening = text.attempt(), None
            while found is _CUT_OFF and opening is None:
                opening = _ITEMS.match(text.held, text.at)
                if opening is None:
                    found = text.attempt(is_whole=not text.more())
            if opening is None:
                yield found
                continue
            text.at = opening.end()
            yield from _members(text)
            # What is behind the items is a small object again: {"Items": [], "Count": 2, ...}.
            text.held, text.at = '{"Items": []' + text.held[text.at :], 0
            text.document()
        except PayloadError as error:
            yield error
            text.skip_to_next()


def _members(text: _Text) -> Iterator[Any]:
    """The items of a list, whose opening bracket is read; reads its closing bracket too."""
    while True:
        between = _NEXT.match(text.held, text.at)
        text.at = between.end() if between else text.at
        if text.at == len(text.held) and text.more():
            continue
        if text.held.startswith("]", text.at):
            text.at += 1
            return
        found = text.document()
        yield found if isinstance(found, PayloadError) else {"Item": found}
