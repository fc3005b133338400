"""Names for generated code: classes in PascalCase, fields in snake case, rename policies."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Final

from ddbstream._model.markers import renamer

__all__ = ["class_name", "field_name", "policy_of", "singular"]

#: A class that is nested takes the names around it into its own, which has to end somewhere.
_LONGEST: Final = 32
_NO_WORD: Final = re.compile(r"\W+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_POLICIES: Final = ("camelCase", "PascalCase", "SCREAMING_SNAKE_CASE", "kebab-case")

#: Names that generated modules import or use, which no class may take.
_TAKEN: Final = frozenset(
    {
        "Annotated",
        "Any",
        "Attribute",
        "BaseModel",
        "Change",
        "Decimal",
        "Epoch",
        "Field",
        "Literal",
        "StreamRouter",
        "UUID",
    }
)

#: Names that mean something else in the body of a class, or that each class has: ``mro`` looks to
#: dataclasses like a field with a default.
_NO_FIELDS: Final = frozenset({"cls", "mro", "self"})


def _words(text: str) -> list[str]:
    # NFKC: Python reads identifiers in this form, and so would find other names than were written.
    plain = unicodedata.normalize("NFKC", text)
    spaced = _NO_WORD.sub("_", _HUMP.sub("_", plain))
    return [word for word in spaced.split("_") if word]


def class_name(text: str) -> str:
    """A name for a class: ``order-line`` and ``ORDER_LINE`` give ``OrderLine``."""
    words = [
        word.capitalize() if word.isupper() or word.islower() else word for word in _words(text)
    ]
    name = "".join(word[:1].upper() + word[1:] for word in words)[:_LONGEST]
    if not name.isidentifier():
        name = f"Item{name}"
    if not name.isidentifier():
        return "Item"
    return f"{name}Item" if name in _TAKEN or keyword.iskeyword(name) else name


def field_name(text: str) -> str:
    """A name for a field: ``customerId`` and ``Customer-ID`` give ``customer_id``."""
    name = "_".join(word.lower() for word in _words(text))[:_LONGEST].strip("_")
    if not name.isidentifier():
        name = f"field_{name}".rstrip("_")
    if not name.isidentifier():
        return "field_"
    return f"{name}_" if keyword.iskeyword(name) or name in _NO_FIELDS else name


def singular(word: str) -> str:
    """One of several: ``lines`` gives ``line``."""
    lower = word.lower()
    if lower.endswith("ies") and len(word) > 4:
        return word[:-3] + ("Y" if word.isupper() else "y")
    if lower.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if lower.endswith("s") and not lower.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return word


def policy_of(names: dict[str, str]) -> str | None:
    """The rename policy that gives the most attribute names of field names; None: most are equal.

    Args:
        names: Field name to attribute name.
    """
    best, most = None, sum(field == attribute for field, attribute in names.items())
    for policy in _POLICIES:
        rename = renamer(policy)
        given = sum(rename(field) == attribute for field, attribute in names.items())
        if given > most:
            best, most = policy, given
    return best
