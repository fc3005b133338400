"""Document paths: where in an item, as text and as parts. Errors and diffs print the same ones.

A path prints as DynamoDB writes it in expressions: ``dims.w``, ``tags[2]``. A name that could be
read as something else (one with a dot, a bracket, a space, a quote, a control character) is quoted
as JSON quotes it: the attribute ``a.b`` prints as ``"a.b"``, and ``"a.b".c`` is ``c`` in the map
``a.b``. Each list of parts has one text and each text one list of parts, so equal text means the
same place.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from ddbstream.exceptions import DiffError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Parts", "Path", "parse_path", "path_text"]

Parts = tuple[str | int, ...]
"""A path taken apart: attribute names and map keys as ``str``, list positions as ``int``."""

_ODD: Final = frozenset(' ."[]\\')


@cache
def _token() -> re.Pattern[str]:
    # Compiled at first use: most programs parse no path but bare names.
    return re.compile(
        r"""
        (?P<index> \[ (?P<position> 0 | [1-9][0-9]{0,8} ) \] )
      | (?P<dot> \. )? (?:
            (?P<quoted> " (?: [^"\\] | \\. )* " )
          | (?P<bare> [^\s."\[\]\\]+ )
        )
        """,
        re.VERBOSE | re.DOTALL,
    )


# The same few places change in record after record. The bound keeps items whose map keys are data
# from filling the memory.
_known: Final[dict[Parts, Path]] = {}
_MOST_KNOWN: Final = 4096


class Path(str):
    """A place in an item: the text of the path, with its parts as an attribute.

    It is a ``str``, so it compares, hashes and prints as the text: ``change.path == "dims.w"``.

    Attributes:
        parts: ``("dims", "w")``; list positions are ``int``: ``("tags", 2)``.
    """

    __slots__ = ("parts",)

    parts: Parts

    @classmethod
    def of(cls, parts: Iterable[str | int]) -> Path:
        """The path with these parts."""
        parts = tuple(parts)
        path = _known.get(parts)
        if path is None:
            path = Path(path_text(parts))
            path.parts = parts
            if len(_known) < _MOST_KNOWN:
                _known[parts] = path
        return path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.of, (self.parts,)

    def __repr__(self) -> str:
        """The text's own, so that a change shows as it could be typed."""
        return str.__repr__(str(self))

    def __str__(self) -> str:
        """The text alone, as a plain ``str``."""
        return str.__str__(self)


def path_text(parts: Parts) -> str:
    """Print a path as a document path; that of the whole item is the empty text."""
    text = ""
    for part in parts:
        if part.__class__ is int:
            text += f"[{part}]"
        else:
            name = part if _needs_no_quotes(part) else _quoted(part)  # type: ignore[arg-type]
            text = f"{text}.{name}" if text else f"{name}"
    return text


def parse_path(text: str | Parts) -> Parts:
    """Take a document path apart: ``"tags[2].name"`` gives ``("tags", 2, "name")``.

    Args:
        text: The path as text; a `Path` or a tuple of parts is taken as it is.

    Raises:
        DiffError: The text is no document path.
    """
    if isinstance(text, Path):
        return text.parts
    if isinstance(text, tuple):
        if not text or not all(_is_part(part) for part in text) or isinstance(text[0], int):
            raise DiffError("not a document path: a tuple of names and positions, name first")
        return text
    if not isinstance(text, str):
        raise DiffError(expected="a document path", found=type(text).__name__)
    if text.isidentifier():
        return (text,)
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _token().match(text, position)
        if match is None:
            break
        if match["index"]:
            if not parts:
                break
            parts.append(int(match["position"]))
        elif bool(match["dot"]) != bool(parts):
            break
        else:
            parts.append(match["bare"] or _unquoted(match["quoted"], text))
        position = match.end()
    if position < len(text) or not parts:
        raise DiffError(
            f"not a document path: {text!r} (expected something like dims.w or tags[2]; "
            'a name with a dot or a bracket in it is quoted: "a.b".c)'
        )
    return tuple(parts)


def _is_part(part: object) -> bool:
    if isinstance(part, int):
        return part >= 0 and not isinstance(part, bool)
    return isinstance(part, str)


def _needs_no_quotes(name: str) -> bool:
    return name.isidentifier() or (bool(name) and name.isprintable() and _ODD.isdisjoint(name))


def _quoted(name: str) -> str:
    return '"' + printable(name.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _unquoted(quoted: str, text: str) -> str:
    # Late: quoted names are rare, and a program may not have loaded json.
    import json

    try:
        name = json.loads(quoted, strict=False)
    except ValueError:
        raise DiffError(f"not a document path: bad escape in {text!r}") from None
    assert isinstance(name, str)
    return name
