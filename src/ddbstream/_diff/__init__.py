"""What changed between two items, exactly: see `diff` and `Diff`."""

from __future__ import annotations

from ddbstream._diff.changes import Added, DiffChange, Removed, Replaced, SetChanged
from ddbstream._diff.document_diff import Diff, diff, diff_images

__all__ = [
    "Added",
    "Diff",
    "DiffChange",
    "Removed",
    "Replaced",
    "SetChanged",
    "diff",
    "diff_images",
]
