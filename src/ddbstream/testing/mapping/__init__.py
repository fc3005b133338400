"""Lambda's event source mapping for DynamoDB streams, simulated: for tests of functions."""

from __future__ import annotations

from ddbstream.testing.mapping._mapping import EventSourceMapping, Invocation
from ddbstream.testing.mapping._source import RecordSource

__all__ = ["EventSourceMapping", "Invocation", "RecordSource"]
