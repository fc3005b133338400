"""Shards that have long been empty: seldom asked, but before their iterators expire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ddbstream.poller import Gap, Settings
from tests.support.poller_bench import value_of

HOUR = 3600.0
# As four calls a second are for twenty thousand shards: one call in 5,000 seconds for each.
MANY = Settings(idle_calls=0.004)


@pytest.fixture
def idle(make_bench):
    """Twenty shards of which half have had a record."""
    bench = make_bench(shards=20)
    for number in range(10):
        bench.write(1, key=f"k{number}")
    return bench


def run(bench, hours, **options):
    poller = bench.poller(**options)

    def listen(_):
        if bench.clock.monotonic() > hours * HOUR:
            poller.stop()

    bench.listen = listen
    assert poller.run().reason == "stopped"
    return poller


def test_no_iterator_expires_however_many_shards_are_idle(idle):
    poller = run(idle, 12, settings=MANY)
    counters = poller.metrics.counters
    assert not counters["expired_iterators", ""]
    assert idle.stream.calls["GetShardIterator"] == 20
    # Each minute at first, and then less and less often, down to each ten minutes.
    assert 20 * 12 * 6 < idle.stream.calls["GetRecords"] < 20 * 12 * 20


def test_where_they_do_expire_nothing_is_lost_and_no_gap_reported(idle):
    # By a setting of the user's; in 12 hours each has expired many times.
    settings = replace(MANY, idle_max=2_000.0, quiet_pages=1)
    poller = idle.poller(settings=settings)
    written = []

    def listen(_):
        now = idle.clock.monotonic()
        if len(written) < now // HOUR < 12:
            written.extend(idle.write(1, key=f"late{len(written)}"))
        if now > 14 * HOUR:
            poller.stop()

    idle.listen = listen
    assert poller.run().reason == "stopped"
    assert poller.metrics.counters["expired_iterators", ""] > 100
    assert len(written) == 11
    assert sorted(map(value_of, idle.router.records)) == sorted([*range(10), *written])
    assert not idle.of(Gap)
