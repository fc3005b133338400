"""Filter patterns as an event source mapping sees them: evaluate one, or find what can never match.

`Pattern` evaluates EventBridge's syntax over wire records. `lint` finds what Lambda accepts and
never matches, such as ``numeric`` on an ``N``. ``StreamRouter.filter_criteria()`` derives a
mapping's filters.
"""

from __future__ import annotations

from ddbstream._filters import Pattern, Problem, lint
from ddbstream._filters.criteria import Filter, FilterCriteria

__all__ = ["Filter", "FilterCriteria", "Pattern", "Problem", "lint"]
