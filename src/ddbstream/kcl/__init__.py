"""A router as a record processor of the Kinesis Client Library: a fleet, over Kinesis.

```python
# worker.py: what a MultiLangDaemon starts for each shard
from app import router
from ddbstream.kcl import run

run(router)
```

The Kinesis Client Library (KCL) has the leases, the rebalancing and the shards; its MultiLangDaemon
starts this process for each shard that it leases, and talks with it in lines of JSON. `run` is the
whole process. `RecordProcessor` is its part that is about records, for a process of your own: it
has the methods of amazon-kclpy's version 3 interface.

At least once, in order within an item, as far as the Kinesis stream keeps it: see
``ddbstream.kinesis``.

Needs msgspec (the extra ``kcl``).
"""

from __future__ import annotations

from importlib import import_module

from ddbstream._values.extras import missing_extra

try:
    import_module("msgspec")  # here, so that a missing extra is named at once
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "msgspec", "kcl", "ddbstream.kcl") from None

from ddbstream.kcl._processor import ProcessorContext, RecordProcessor
from ddbstream.kcl._protocol import CheckpointError
from ddbstream.kcl._run import run

__all__ = ["CheckpointError", "ProcessorContext", "RecordProcessor", "run"]
