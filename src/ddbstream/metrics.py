"""What ``@router.observe`` is told: of each handler that ran, and of each batch that ended."""

from __future__ import annotations

from ddbstream._router.observers import BatchEvent, HandlerEvent

__all__ = ["BatchEvent", "HandlerEvent"]
