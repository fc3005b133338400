"""From a record to the handlers that want it, one batch at a time."""

from __future__ import annotations
