"""Checks of a payload's values, which may be of any type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

__all__ = ["is_map", "text_of"]


def is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping, whose keys the wire promises to be text."""
    return isinstance(value, Mapping)


def text_of(value: object) -> str | None:
    """An identifier that an error may print; None if it is not text."""
    return value if isinstance(value, str) else None
