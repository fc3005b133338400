"""The whole poller keeps its promises in simulated worlds: its driver, both kinds, loops, stops.

``DDBSTREAM_WHOLE_SEEDS=10000 pytest tests/stateful/test_whole_poller_simulation.py`` is the long
run, and ``python -m tests.support.whole_poller 10000`` the same with its figures. A failure names
its seed; ``DDBSTREAM_WHOLE_FIRST=<seed> DDBSTREAM_WHOLE_SEEDS=1`` runs that one again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.whole_poller import Violation, run

FIRST = int(os.environ.get("DDBSTREAM_WHOLE_FIRST", "0"))
SEEDS = int(os.environ.get("DDBSTREAM_WHOLE_SEEDS", "40"))
CHUNK = 10
TROUBLES = ("crashes", "stops", "trimmed", "hangs", "lies", "duplicates", "given_up", "streams")
AT_ONCE = [2, 3]  # their routers handle several items at once
ELSEWHERE = f"""
import sys
sys.setswitchinterval(1e-6)  # threads, if there were any, would take other turns
from tests.support.whole_poller import run
print([run(seed, max_steps=200) for seed in {AT_ONCE}], end="")
"""


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_nothing_is_lost_out_of_order_saved_early_or_stuck(first):
    broken = []
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            run(seed)
        except Violation as violation:  # noqa: PERF203 - one world after the other
            broken.append(str(violation))
    assert broken == []


def test_a_seed_decides_everything():
    assert run(4, max_steps=400) == run(4, max_steps=400)
    results = [run(seed, max_steps=200) for seed in AT_ONCE]
    assert all(result.delivered for result in results)
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], env=environment, capture_output=True, check=True
    )
    assert elsewhere.stdout.decode() == repr(results)


def test_the_worlds_have_the_troubles_they_are_for():
    totals: Counter[str] = Counter()
    for seed in range(80):
        result = run(seed, max_steps=300)
        totals.update({f"mode {mode}": count for mode, count in result.modes.items()})
        for name in TROUBLES:
            totals[name] += getattr(result, name)
    modes = ("run", "until", "batches", "async", "async_until", "async_batches")
    assert all(totals[f"mode {mode}"] > 20 for mode in modes)
    assert totals["crashes"] > 10
    assert totals["stops"] > 50
    assert totals["trimmed"] > 0
    assert totals["hangs"] > 5
    assert totals["lies"] > 20
    assert totals["duplicates"] > 20
    assert totals["given_up"] > 0
    assert totals["streams"] > 40
