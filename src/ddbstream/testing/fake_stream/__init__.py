"""DynamoDB Streams in memory: splits, rollovers, lags, trims and failures to order."""

from __future__ import annotations

from ddbstream.testing.fake_stream._faults import Faults
from ddbstream.testing.fake_stream._stream import FakeStream

__all__ = ["FakeStream", "Faults"]
