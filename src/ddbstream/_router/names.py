"""What to call a handler."""

from __future__ import annotations

from functools import partial

__all__ = ["name_of", "plain_name_of"]


def name_of(handler: object) -> str:
    """A handler's name for notes, logs and errors: ``module.qualname``."""
    target = handler.func if isinstance(handler, partial) else handler
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    module = getattr(target, "__module__", None) or type(target).__module__
    return f"{module}.{name}"


def plain_name_of(handler: object) -> str:
    """A handler's own name, as it was written: ``added``; of an object, its class's name."""
    target = handler
    while isinstance(target, partial):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) and name else type(target).__name__
