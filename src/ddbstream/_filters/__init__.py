"""EventBridge patterns: evaluating, linting, and deriving them from routes."""

from __future__ import annotations
