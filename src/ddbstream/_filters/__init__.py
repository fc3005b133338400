"""EventBridge patterns: evaluating and linting them, and deriving them from what routes want."""

from __future__ import annotations

from ddbstream._filters.lint import Problem, lint, never_for
from ddbstream._filters.patterns import Pattern

__all__ = ["Pattern", "Problem", "lint", "never_for"]
