"""The events that ``@router.observe`` gets: one for each handler that ran, one for each batch."""

from __future__ import annotations

from ddbstream._router.observers import BatchEvent, HandlerEvent

__all__ = ["BatchEvent", "HandlerEvent"]
