"""Stream records: what happened, to which item, and where the record came from."""

from __future__ import annotations

from ddbstream._records.changes import (
    EVENTS,
    Change,
    Insert,
    MalformedRecord,
    Modify,
    Origin,
    Remove,
    StreamRecord,
    UserIdentity,
)

__all__ = [
    "EVENTS",
    "Change",
    "Insert",
    "MalformedRecord",
    "Modify",
    "Origin",
    "Remove",
    "StreamRecord",
    "UserIdentity",
]
