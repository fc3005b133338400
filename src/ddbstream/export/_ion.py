r"""Ion text, as far as DynamoDB's exports use it, read into attribute values.

A line is ``$ion_1_0 {Item:{Id:103.,Tags:$dynamodb_SS::["a"]}}``. Strings are ``S``, decimals ``N``,
blobs ``B``, lists ``L`` or, annotated, sets; structs ``M``. What DynamoDB never writes (timestamps,
symbols as values, s-expressions, clobs) is refused.

Sources: `export output`_, `Ion text`_.

.. _export output: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
.. _Ion text: https://amazon-ion.github.io/ion-docs/docs/spec.html
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final, NoReturn

from ddbstream.exceptions import PayloadError

__all__ = ["read_ion_line"]

_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[dDeE][-+]?[0-9]+)?")
# DynamoDB's numbers have 38 digits, and up to 126 of them in front of the point.
_WHOLE: Final = re.compile(
    r"([-+]?)0(?:[xX]([0-9a-fA-F](?:_?[0-9a-fA-F]){0,127})|[bB]([01](?:_?[01]){0,511}))"
    r"(?![0-9a-zA-Z_])"
)
_BLOB: Final = re.compile(r"\{\{([A-Za-z0-9+/=\s]*)\}\}")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x08\x0a-\x1f]*')
_LONG: Final = re.compile(r"(?:[^'\\]|'(?!''))*")

_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "v": "\v",
    '"': '"',
    "'": "'",
    "?": "?",
    "\\": "\\",
    "/": "/",
    "0": "\0",
    "\n": "",
}
_CODES: Final = {"x": 2, "u": 4, "U": 8}
_SETS: Final = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}
_MEMBERS: Final = {"SS": "S", "NS": "N", "BS": "B"}


def read_ion_line(line: str) -> dict[str, Any]:
    """One line of an Ion export, in the shape of a line in DynamoDB JSON; binaries are base64 text.

    Raises:
        PayloadError: It is not such Ion; the message says at which column, and never what was
            there.
    """
    reader = _Reader(line)
    reader.skip("$ion_1_0")
    value: dict[str, Any] = {}
    with suppress(RecursionError):
        value = reader.value()
    reader.end()
    if "M" not in value:
        reader.refuse("a struct")
    members: dict[str, Any] = value["M"]
    # An incremental export wraps each line once more.
    if len(members) == 1 and "M" in members.get("Record", {}):
        members = members["Record"]["M"]
    return {
        name: part["M"] if "M" in part else reader.refuse(f"a struct under {name}")
        for name, part in members.items()
    }


class _Reader:
    """Reads values one behind the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._space()

    def refuse(self, expected: str) -> NoReturn:
        raise PayloadError(
            f"not Ion as DynamoDB exports it: expected {expected} at column {self._at + 1}"
        )

    def skip(self, word: str) -> None:
        """Pass a word, if it is next."""
        if self._text.startswith(word, self._at):
            self._at += len(word)
            self._space()

    def end(self) -> None:
        if self._at != len(self._text):
            self.refuse("the end")

    def value(self) -> dict[str, Any]:
        """The next value, as an attribute value."""
        char = self._text[self._at : self._at + 1]
        made: dict[str, Any]
        if char == '"' or self._text.startswith("'''", self._at):
            made = {"S": self._string()}
        elif self._text.startswith("{{", self._at):
            made = {"B": "".join(self._match(_BLOB, "a blob").group(1).split())}
        elif char == "{":
            made = {"M": self._struct()}
        elif char == "[":
            made = {"L": self._list()}
        elif char in "+-0123456789" and char:
            made = {"N": self._number()}
        elif char == "'":
            return self._annotated(self._quoted("'"))
        else:
            name = self._match(_NAME, "a value").group()
            self._space()
            if self._text.startswith("::", self._at):
                return self._annotated(name)
            made = self._word(name)
        self._space()
        return made

    def _word(self, name: str) -> dict[str, Any]:
        if name in {"true", "false"}:
            return {"BOOL": name == "true"}
        if name == "null":
            # A typed null: null.string
            if self._text.startswith(".", self._at):
                self._at += 1
                self._match(_NAME, "a type")
            return {"NULL": True}
        return self.refuse("a value that DynamoDB has")

    def _annotated(self, annotation: str) -> dict[str, Any]:
        self._space()
        if not self._text.startswith("::", self._at):
            self.refuse("a value that DynamoDB has")
        self._at += 2
        self._space()
        value = self.value()
        tag = _SETS.get(annotation)
        if tag is None:
            return value
        member = _MEMBERS[tag]
        if "L" not in value or any(member not in part for part in value["L"]):
            self.refuse(f"a list of {member}")
        return {tag: [part[member] for part in value["L"]]}

    def _struct(self) -> dict[str, Any]:
        self._open("{")
        made: dict[str, Any] = {}
        while not self._closed("}", first=not made):
            if self._closed("}", first=True):
                break
            name = self._field()
            self._open(":")
            made[name] = self.value()
        return made

    def _list(self) -> list[dict[str, Any]]:
        self._open("[")
        made: list[dict[str, Any]] = []
        while not self._closed("]", first=not made):
            if self._closed("]", first=True):
                break
            made.append(self.value())
        return made

    def _open(self, char: str) -> None:
        if not self._text.startswith(char, self._at):
            self.refuse(char)
        self._at += 1
        self._space()

    def _closed(self, char: str, *, first: bool) -> bool:
        """Whether a container ends here; else the comma behind a member is passed."""
        if self._text.startswith(char, self._at):
            self._at += 1
            self._space()
            return True
        if not first:
            self._open(",")
        return False

    def _field(self) -> str:
        char = self._text[self._at : self._at + 1]
        if char == '"' or self._text.startswith("'''", self._at):
            name = self._string()
        elif char == "'":
            name = self._quoted("'")
        else:
            name = self._match(_NAME, "a field name").group()
        self._space()
        return name

    def _string(self) -> str:
        if not self._text.startswith("'''", self._at):
            return self._quoted('"')
        parts: list[str] = []
        while self._text.startswith("'''", self._at):
            self._at += 3
            parts.append(self._characters(_LONG, "'''"))
            self._space()
        return "".join(parts)

    def _quoted(self, quote: str) -> str:
        self._at += 1
        plain = _PLAIN if quote == '"' else _SYMBOL
        return self._characters(plain, quote)

    def _characters(self, plain: re.Pattern[str], close: str) -> str:
        parts: list[str] = []
        while True:
            parts.append(self._match(plain, "text").group())
            if self._text.startswith(close, self._at):
                self._at += len(close)
                # Characters above U+FFFF may come as two escapes, as in JSON.
                text = "".join(parts)
                return text if text.isascii() else _joined(text)
            if not self._text.startswith("\\", self._at):
                self.refuse("the end of the text")
            parts.append(self._escape())

    def _escape(self) -> str:
        char = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if char in _ESCAPES and char:
            return _ESCAPES[char]
        size = _CODES.get(char)
        digits = self._text[self._at : self._at + (size or 0)]
        if size is None or len(digits) != size or not re.fullmatch("[0-9a-fA-F]+", digits):
            self.refuse("an escape")
        self._at += size
        code = int(digits, 16)
        return chr(code) if code < 0x110000 else self.refuse("a character")

    def _number(self) -> str:
        whole = _WHOLE.match(self._text, self._at)
        if whole is not None:
            self._at = whole.end()
            sign, hexadecimal, binary = whole.groups()
            digits, base = (hexadecimal, 16) if hexadecimal else (binary, 2)
            return f"{'-' if sign == '-' else ''}{int(digits.replace('_', ''), base)}"
        text = self._match(_NUMBER, "a number").group().replace("_", "")
        following = self._text[self._at : self._at + 1]
        if following and (following.isalnum() or following in "-:_$"):
            self.refuse("a number that DynamoDB has")  # A timestamp begins like a number.
        number = text.replace("d", "E").replace("D", "E").replace(".E", "E")
        return number.removesuffix(".")

    def _match(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            self.refuse(expected)
        self._at = found.end()
        return found

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found is not None:
            self._at = found.end()


_SYMBOL: Final = re.compile(r"[^'\\\x00-\x08\x0a-\x1f]*")


def _joined(text: str) -> str:
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        pass
    raise PayloadError("not Ion as DynamoDB exports it: half a character")
