"""What a JSON value is, in words that type checkers follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

__all__ = ["is_map"]


def is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping, whose keys the wire promises to be text."""
    return isinstance(value, Mapping)
