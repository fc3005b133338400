"""The tag of an attribute value, and how errors name what stands in its place.

An attribute value is a map of one tag and its payload: ``{"S": "x"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream.exceptions import DDBStreamError, DecodeError, EncodeError

if TYPE_CHECKING:
    from ddbstream._values.paths import Parts

__all__ = [
    "MAX_DEPTH",
    "SET_TAGS",
    "TAGS",
    "StoredAs",
    "Unreadable",
    "decode_error",
    "guarded",
    "path_of",
    "placed",
    "tag_of",
    "tag_words",
    "type_words",
]

#: The payload of each is a list of payloads of the tag that is its first letter.
SET_TAGS: Final = frozenset({"SS", "NS", "BS"})

#: The types that are not the usual one of a kind, and may be asked for.
StoredAs = Literal["L", "SS", "NS", "BS"]

#: All ten tags.
TAGS: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M"}) | SET_TAGS

#: AWS, "Service, account, and table quotas": nested attributes go up to 32 levels deep. DynamoDB
#: counts the innermost value too. Only containers are counted here, which refuses nothing that
#: DynamoDB accepts.
MAX_DEPTH = 32


class Unreadable(Exception):
    """The fast path cannot read this; no caller of the package sees it."""


def path_of(path: Parts) -> str | None:
    """Print a place as a document path, for an error; None for the whole item."""
    # Late: only errors and diffs print paths.
    from ddbstream._values import paths

    return paths.path_text(path) or None


def decode_error(path: Parts, expected: str, found: str) -> DecodeError:
    """The usual DecodeError: ``expected N, got S at dims.w``."""
    return DecodeError(path=path_of(path), expected=expected, found=found)


def placed(error: EncodeError, part: str | int) -> EncodeError:
    """Put the place of a member in front of its error's path."""
    error.located(path_of((part,)))
    return error


def type_words(value: Any) -> str:
    """How an error names a value that is not an attribute value: by its Python type."""
    return "nothing" if value is None else f"Python {type(value).__name__}"


def tag_of(value: Any, path: Parts = (), expected: str = "an attribute value") -> str:
    """The one tag of an attribute value.

    Raises:
        DecodeError: There is not exactly one, or DynamoDB has no such tag.
    """
    if not isinstance(value, Mapping):
        raise decode_error(path, expected, type_words(value))
    names = list(value)
    if len(names) == 1 and isinstance(names[0], str) and names[0] in TAGS:
        return names[0]
    if len(names) == 1:
        raise decode_error(path, expected, "an unknown tag")
    known = sorted(name for name in names if isinstance(name, str) and name in TAGS)
    words = f"{len(names) or 'no'} tags"
    raise decode_error(path, expected, f"{words} ({', '.join(known)})" if known else words)


def tag_words(value: Any) -> str:
    """How an error names an attribute value: its tag, or what is wrong with it."""
    try:
        return tag_of(value)
    except DecodeError as error:
        return error.found or "something else"


def guarded(read: Any, value: Any, what: str) -> Any:
    """Run a slow reader on outside data, so that whatever it raises is a DDBStreamError.

    Args:
        read: Called with ``value`` and an empty path.
        value: What was given.
        what: What it should have been, for the error.
    """
    try:
        return read(value, ())
    except DDBStreamError:
        raise
    except RecursionError:
        problem = f"nested deeper than DynamoDB's {MAX_DEPTH} levels"
    except Exception as error:  # noqa: BLE001 - a Mapping of the caller's own may raise anything
        problem = f"unreadable: {type(error).__name__}"
    raise DecodeError(problem, expected=what, found=type_words(value))
