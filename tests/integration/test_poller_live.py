"""The poller on AWS's engine behind a proxy that breaks calls, killed at random moments."""

from __future__ import annotations

import pytest

from tests.support.poller_live import Live, Troubles

pytestmark = [pytest.mark.dynamodb_local, pytest.mark.slow]


def test_every_write_is_delivered_in_order_whatever_breaks(dynamodb_local, tmp_path):
    """Both pollers, with msgspec and without: one kind takes over from another at each start."""
    live = Live(
        writes=1_000,
        troubles=Troubles(kills=2, stops=1, restarts=1, enabled_again=2),
        chance=0.3,
        seed=1,
        folder=tmp_path,
        readers=("threads", "async-plain", "coroutine", "threads-plain"),
        items=50,
    )
    report = live.run(dynamodb_local)
    report.check()
    assert report.delivered == report.written == 1_000
    assert (report.kills, report.stops, report.restarts) == (2, 1, 1)
    assert report.enabled_again > 2
    assert report.enabled_again_while_down > 0
    assert report.rollovers > 0
    assert sum(report.faults.values()) > 3
