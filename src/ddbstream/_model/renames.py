"""Rename policies: field names to attribute names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def renamer(policy: Any) -> Callable[[str], str]:
    """The function of a policy, or the user's own."""
    if policy is None:
        return str
    own: Callable[[str], str] | None = None if isinstance(policy, str) else policy
    return own or _POLICIES[policy]


def _camel(name: str) -> str:
    pascal = _pascal(name)
    return pascal[:1].lower() + pascal[1:]


def _pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _kebab(name: str) -> str:
    return name.strip("_").replace("_", "-")


_POLICIES: dict[str, Callable[[str], str]] = {
    "camelCase": _camel,
    "PascalCase": _pascal,
    "kebab-case": _kebab,
    "SCREAMING_SNAKE_CASE": str.upper,
}
