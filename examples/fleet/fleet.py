"""A router, which Lambda and a poller could run as well, and how a fleet runs it."""

from __future__ import annotations

from ddbstream import Change, StreamRouter
from ddbstream.kcl import RecordProcessor
from ddbstream.kinesis import MemoryNewest
from ddbstream.poller import retry

router = StreamRouter()


@router.on_change()
def changed(record: Change[dict[str, object]]) -> None:
    print(record.event_name, record.keys)


# What `ddbstream kcl run fleet:processor` runs in each shard's process.
processor = RecordProcessor(
    router,
    concurrency=8,
    on_failure=retry(5, then="stop"),
    newest=MemoryNewest(),
)
