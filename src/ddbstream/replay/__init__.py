"""Batches that failed for good, back through a router.

Lambda and EventBridge Pipes tell a failure destination which batch they gave up. `replay` makes the
records of such messages again, from the message where it carries them, else from the stream, for as
long as the stream keeps them (24 hours), and hands them to a router. What is gone is in the report.

`ReplayHandler` is the same as a Lambda function on the failure queue, topic or bucket.
"""

from __future__ import annotations

from ddbstream.progress import MemoryProgress, Progress, SQLiteProgress
from ddbstream.replay._handler import ReplayHandler
from ddbstream.replay._messages import FailedBatch, Unreadable, failed_batches
from ddbstream.replay._replay import BatchFailure, ReplayReport, replay
from ddbstream.replay._reread import Gap

__all__ = [
    "BatchFailure",
    "FailedBatch",
    "Gap",
    "MemoryProgress",
    "Progress",
    "ReplayHandler",
    "ReplayReport",
    "SQLiteProgress",
    "Unreadable",
    "failed_batches",
    "replay",
]
