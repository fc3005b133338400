"""Read a table's stream in a process of your own: at least once, in order, nothing silently lost.

```python
from ddbstream.poller import SQLiteCheckpoints, StreamPoller

StreamPoller("Product", router, checkpoints=SQLiteCheckpoints("product.db")).run()
```

Needs boto3 (the extra ``poller``) unless a client is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddbstream.poller._batches import Batch
from ddbstream.poller._core.events import (
    BatchDelivered,
    BatchFailed,
    CallFailed,
    Event,
    Exit,
    Gap,
    PageRead,
    PositionSaved,
    RecordGivenUp,
    SaveFailed,
    ShardEnded,
    ShardStarted,
    StreamListed,
    StreamStarted,
)
from ddbstream.poller._core.policies import (
    Backoff,
    FailurePolicy,
    Settings,
    block,
    retry,
    skip,
    stop,
)
from ddbstream.poller._core.positions import After, AtStart, AtTime, End, Position, Start, State
from ddbstream.poller._handlers import DeadLetter, PollContext
from ddbstream.poller._metrics import Metrics, ShardStatus, StreamStatus
from ddbstream.poller._poller import StreamPoller
from ddbstream.poller._signals import stop_on_signals
from ddbstream.poller._stores.contract import CheckpointStore, Lease
from ddbstream.poller._stores.dynamodb import DynamoDBCheckpoints
from ddbstream.poller._stores.file import FileCheckpoints
from ddbstream.poller._stores.memory import MemoryCheckpoints
from ddbstream.poller._stores.sqlite import SQLiteCheckpoints

if TYPE_CHECKING:
    from ddbstream.poller._async import AsyncBatch, AsyncStreamPoller

__all__ = [
    "After",
    "AsyncBatch",
    "AsyncStreamPoller",
    "AtStart",
    "AtTime",
    "Backoff",
    "Batch",
    "BatchDelivered",
    "BatchFailed",
    "CallFailed",
    "CheckpointStore",
    "DeadLetter",
    "DynamoDBCheckpoints",
    "End",
    "Event",
    "Exit",
    "FailurePolicy",
    "FileCheckpoints",
    "Gap",
    "Lease",
    "MemoryCheckpoints",
    "Metrics",
    "PageRead",
    "PollContext",
    "Position",
    "PositionSaved",
    "RecordGivenUp",
    "SQLiteCheckpoints",
    "SaveFailed",
    "Settings",
    "ShardEnded",
    "ShardStarted",
    "ShardStatus",
    "Start",
    "State",
    "StreamListed",
    "StreamPoller",
    "StreamStarted",
    "StreamStatus",
    "block",
    "retry",
    "skip",
    "stop",
    "stop_on_signals",
]


if not TYPE_CHECKING:  # for a checker, a name that is not there is an error

    def __getattr__(name: str) -> object:
        # asyncio is loaded by those who use it.
        if name in ("AsyncBatch", "AsyncStreamPoller"):
            from ddbstream.poller import _async

            return getattr(_async, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
