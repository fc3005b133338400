"""What changed between two items, exactly: see `diff` and `Diff`."""

from __future__ import annotations

from ddbstream._diff.changes import Added, Change, Removed, Replaced, SetChanged
from ddbstream._diff.compare import changed_between
from ddbstream._diff.edits import Diff
from ddbstream._diff.make import diff, diff_images
from ddbstream._values.paths import Parts, Path, parse_path

__all__ = [
    "Added",
    "Change",
    "Diff",
    "Parts",
    "Path",
    "Removed",
    "Replaced",
    "SetChanged",
    "changed_between",
    "diff",
    "diff_images",
    "parse_path",
]
