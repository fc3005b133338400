"""pydantic, attrs and msgspec classes: recognised by their attributes, never imported."""

from __future__ import annotations

from typing import Any

from ddbstream._model._shapes import Shape


def foreign_shape(cls: type, open_classes: tuple[Any, ...]) -> Shape | None:
    """The shape of another library's class, or None."""
    return None
