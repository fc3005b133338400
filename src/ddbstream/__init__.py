"""Typed DynamoDB stream records: dataclasses in, exact diffs, one router for Lambda and for a poller."""

from __future__ import annotations

__version__ = "0.1.0"
