"""A line of a benchmark: what was measured, its goal, and whether the garbage collector ran."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Row", "shown"]

OFF = "the collector off"
ON = "the collector on"


class Row(NamedTuple):
    """One measurement.

    Attributes:
        what: What is compared with what.
        value: The ratio, or a number in the unit that ``goal`` names.
        goal: ``>= 60``, ``<= 2 ms``; empty for what has none.
        collector: Whether it runs, as users have it, while this is measured.
    """

    what: str
    value: float
    goal: str = ""
    collector: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        found = re.fullmatch(r"([<>]=) ([\d.]+)(?: \w+)?", self.goal)
        if found is None:
            assert not self.goal, f"no goal: {self.goal}"
            return None
        limit = float(found[2])
        return self.value >= limit if found[1] == ">=" else self.value <= limit

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, or nothing where there is no goal."""
        return {True: "met", False: "not met", None: ""}[self.met]

    def __str__(self) -> str:
        collector = ON if self.collector else OFF
        return f"{self.what:<72} {self.value:8.3g}  {self.goal:9} {self.verdict:8} {collector}"


def shown(rows: Iterable[Row]) -> list[Row]:
    """The rows, each printed as soon as it is there."""
    found = []
    for row in rows:
        print(row, flush=True)
        found.append(row)
    return found


def heading() -> str:
    """What stands above rows."""
    return f"CPython {sys.version.split()[0]}{'':<55} {'here':>16}  goal"
