"""Two real MultiLangDaemons over shards that split and merge, one of them killed."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("click")

from click import ClickException

from ddbstream.cli import _kcl_jars
from tests.support.kcl_live import ROOT, Live
from tests.support.missing import missing

pytestmark = [pytest.mark.dynamodb_local, pytest.mark.kinesis, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _jars() -> None:
    try:
        _kcl_jars.fetch(ROOT / ".cache" / f"kcl-{_kcl_jars.KCL}")
    except ClickException as error:
        missing(f"the MultiLangDaemon's jars: {error.message}")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="it finds processes in /proc")  # noqa: PTH112
def test_every_change_is_handled_in_order_whatever_ends(dynamodb_local, tmp_path):
    # A handler slow enough that the processor is killed in the middle of its work.
    live = Live(changes=400, kills=1, seed=1, folder=tmp_path, items=40, broken=3.0, pause=0.03)
    report = live.run(dynamodb_local)
    report.check()
    assert report.handled == report.written == 400
    assert report.kills == {"daemon": 0, "processor": 1}
    assert report.restarts >= 1  # a daemon ends with its processor
    assert report.shards == 7  # four, two of a split, one of a merge
