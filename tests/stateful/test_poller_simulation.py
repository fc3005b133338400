"""The poller keeps its promises in hundreds of simulated worlds, and those have teeth.

``DDBSTREAM_SIMULATION_SEEDS=10000 pytest tests/stateful/test_poller_simulation.py`` is the long
run. A failure names its seed; ``DDBSTREAM_SIMULATION_FIRST=<seed> DDBSTREAM_SIMULATION_SEEDS=1``
runs that one again.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.support.poller_mutants import ABOUT_TRIMS, MUTANTS, make, module_patches
from tests.support.poller_simulation import Violation, run

FIRST = int(os.environ.get("DDBSTREAM_SIMULATION_FIRST", "0"))
SEEDS = int(os.environ.get("DDBSTREAM_SIMULATION_SEEDS", "300"))
CHUNK = 20
# Enough for each kind of trouble to come up in some seed, and short enough for CI. The long run
# lets each world live on.
STEPS = 2_000 if SEEDS <= 300 else 12_000
TRIES = 60  # seeds a mutant may survive


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_nothing_is_lost_out_of_order_saved_early_or_stuck(first, record_property):
    totals: Counter[str] = Counter()
    broken = []
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            result = run(seed, max_steps=STEPS)
        except Violation as violation:
            broken.append(str(violation))
            continue
        for name in ("steps", "hours", "written", "delivered", "duplicates", "lost", "gaps"):
            totals[name] += round(getattr(result, name))
    for name, total in totals.items():
        record_property(name, total)
    assert broken == []
    assert totals["delivered"] > 0


def test_a_seed_decides_everything():
    assert run(4, max_steps=1_000) == run(4, max_steps=1_000)


def test_the_worlds_have_the_troubles_they_are_for():
    results = [run(seed, max_steps=STEPS) for seed in range(60)]
    assert sum(result.crashes for result in results) > 100
    assert sum(result.duplicates for result in results) > 100
    assert sum(result.gaps for result in results) > 5


@pytest.mark.parametrize("name", MUTANTS)
def test_each_broken_poller_is_caught(name):
    with module_patches(name):
        for seed in range(TRIES):
            try:
                run(seed, core=make(name), max_steps=STEPS, outages=name in ABOUT_TRIMS or None)
            except Violation:  # noqa: PERF203 - that is what is looked for
                return
    pytest.fail(f"{name} survived {TRIES} seeds")
