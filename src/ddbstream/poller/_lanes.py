"""A batch as lanes: each item's records in one of them, in order, so that lanes may run at once.

Pure. For handlers that take many records; a router has lanes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddbstream._values.item_keys import item_with
from ddbstream.poller._core.commands import Delivered, RawRecord
from ddbstream.poller._core.shard import record_at

__all__ = ["joined", "split_by_item"]


def split_by_item(records: Sequence[RawRecord], count: int) -> list[list[int]]:
    """Indexes of the records in at most ``count`` lanes, an item's records all in one.

    Items are dealt out in the order in which they first come.
    """
    lane_of: dict[object, int] = {}
    lanes: list[list[int]] = []
    for index in range(len(records)):
        item = _item_of(record_at(records, index))
        lane = lane_of.setdefault(item, len(lane_of) % count)
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append(index)
    return lanes


def joined(lanes: Sequence[Sequence[int]], done: Sequence[Delivered]) -> Delivered:
    """What came of a batch, from what came of its lanes: up to the first record not done."""
    failed = [
        (lane[result.done], result)
        for lane, result in zip(lanes, done, strict=True)
        if result.done < len(lane)
    ]
    if not failed:
        return Delivered(sum(map(len, lanes)))
    index, first = min(failed, key=lambda pair: pair[0])
    return Delivered(index, first.error, first.located, first.route, first.fatal)


def _item_of(record: RawRecord) -> object:
    # Records without readable keys share one lane: they may be of one item.
    given: Any = record  # nothing is taken for granted: it may be damaged
    body = given.get("dynamodb") if isinstance(given, Mapping) else None
    return item_with(body.get("Keys")) if isinstance(body, Mapping) else None
