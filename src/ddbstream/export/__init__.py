"""A whole table through a router: from its exports to S3, or from the live table.

`open_export` reads an export's manifests, from a folder or S3; `load` hands its records to a
router, `read_records` gives the records of one file to your own loop. `backfill` scans the table
itself. All three hold one batch at a time. `load` and `backfill` go on where they stopped if they
are given a `Progress`.
"""

from __future__ import annotations

from ddbstream.export._backfill import backfill
from ddbstream.export._files import read_records
from ddbstream.export._load import LoadProgress, LoadReport, load
from ddbstream.export._manifest import Export, ExportFile, open_export
from ddbstream.progress import MemoryProgress, Progress, SQLiteProgress

__all__ = [
    "Export",
    "ExportFile",
    "LoadProgress",
    "LoadReport",
    "MemoryProgress",
    "Progress",
    "SQLiteProgress",
    "backfill",
    "load",
    "open_export",
    "read_records",
]
