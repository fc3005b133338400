"""The poller without clock, client or thread: shards, lineage, reading, delivery, policies."""

from __future__ import annotations
