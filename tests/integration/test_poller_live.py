"""The poller on AWS's engine behind a proxy that breaks calls, killed at random moments."""

from __future__ import annotations

import pytest

from tests.support.poller_live import Live

pytestmark = [pytest.mark.dynamodb_local, pytest.mark.slow]


def test_every_write_is_delivered_in_order_whatever_breaks(dynamodb_local, tmp_path):
    live = Live(writes=1_000, kills=2, chance=0.5, seed=1, folder=tmp_path, items=50)
    report = live.run(dynamodb_local)
    report.check()
    assert report.delivered == report.written == 1_000
    assert report.kills == 2
    assert report.rollovers > 0
    assert sum(report.faults.values()) > 3
