"""The benches that the poller's tests work on."""

from __future__ import annotations

import time

import pytest

from ddbstream.poller import MemoryCheckpoints
from ddbstream.testing import FakeClock
from tests.support.poller_bench import Bench


@pytest.fixture
def make_bench():
    return Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def now(make_bench):
    """A bench whose stream lives in the present, for pollers that use the machine's clock."""
    bench = make_bench(clock=FakeClock(time.time()))
    bench.store = MemoryCheckpoints()
    return bench
