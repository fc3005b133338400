"""What can be made to go wrong with a fake stream: by order, or by chance."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Literal

__all__ = ["Answer", "Faults", "Troubles"]

Answer = str
"""An AWS error code, ``reset`` (the connection breaks), or ``cut``: a 200 whose body is cut off, of
which botocore makes ``{}``."""

# The first two fail by order alone: what a seed does must not depend on who asks for the table.
_CALLS = ("ListStreams", "DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords")
_ERRORS: tuple[Answer, ...] = (
    "ThrottlingException",
    "LimitExceededException",
    "InternalServerError",
    "ExpiredTokenException",
    "reset",
    "cut",
)


@dataclass
class Faults:
    """How often what goes wrong, each as a chance per call. All zero: the service at its best.

    Attributes:
        error: A call fails: throttled, 5xx, reset, cut off.
        expired: An iterator is refused as expired though it is young.
        empty_page: `GetRecords` gives nothing although there is something.
        short_page: It gives only a part of what there is.
        hidden_shard: A listing leaves a shard out.
        open_shard: A listing shows a closed shard as open.
        bare_end: The last page comes without records, one call after those.
        listing_delay: Seconds, at most, until a new shard, or an ending, is listed.
    """

    error: float = 0.0
    expired: float = 0.0
    empty_page: float = 0.0
    short_page: float = 0.0
    hidden_shard: float = 0.0
    open_shard: float = 0.0
    bare_end: float = 0.0
    listing_delay: float = 0.0


class Troubles:
    """Decides call by call, from a seed."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._planned: dict[str, deque[Answer]] = {call: deque() for call in _CALLS}

    def plan(self, operation: str, answer: Answer, times: int) -> None:
        """Have the next calls fail."""
        if operation not in self._planned:
            raise ValueError(f"operation is one of {', '.join(_CALLS)}")
        self._planned[operation].extend([answer] * times)

    def next_answer(self, operation: str) -> Answer | None:
        """What goes wrong with this call, if anything."""
        planned = self._planned[operation]
        if planned:
            return planned.popleft()
        if operation not in _CALLS[:2] and self.strikes("error"):
            return self._random.choice(_ERRORS)
        return None

    def strikes(
        self,
        what: Literal[
            "error", "expired", "empty_page", "short_page", "hidden_shard", "open_shard", "bare_end"
        ],
    ) -> bool:
        """Whether a fault happens this time."""
        chance: float = getattr(self.faults, what)
        return chance > 0 and self._random.random() < chance

    def delay(self) -> float:
        """How long a change of the shards takes to be listed."""
        longest = self.faults.listing_delay
        return self._random.uniform(0, longest) if longest else 0.0

    def up_to(self, count: int) -> int:
        """A number from 1 to ``count``."""
        return self._random.randint(1, count)
