"""Adds up what was sold in every five minutes, by category, in Lambda's tumbling windows.

Lambda keeps the totals from batch to batch. A window's totals are written once it has ended, under
the shard and the window's start: a last invocation that is repeated writes the same again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import boto3

from ddbstream import Insert, LambdaHandler, StreamRouter, by_key_prefix, keys, to_item
from ddbstream.aws_lambda import Window


@keys(PK="Sale#{id}")
@dataclass(frozen=True)
class Sale:
    """One sale."""

    id: str
    category: str
    price: Decimal


@dataclass
class Totals:
    """What a window has so far."""

    count: int = 0
    by_category: dict[str, Decimal] = field(default_factory=dict)


@keys(PK="Totals#{start}", SK="{shard_id}")
@dataclass(frozen=True)
class WindowTotals:
    """What is written of a window: one item for each shard, to be added up by the reader."""

    start: str
    shard_id: str
    count: int
    by_category: dict[str, Decimal]


router = StreamRouter(classify=by_key_prefix("PK"))


@router.fold(Sale)
def add(state: Totals, record: Insert[Sale]) -> Totals:
    """Add one sale. Only computes: it may be called again for the same record."""
    sold = state.by_category.get(record.new.category, Decimal(0)) + record.new.price
    return Totals(state.count + 1, {**state.by_category, record.new.category: sold})


@router.on_window_end
def write(state: Totals, window: Window) -> None:
    """Write the totals of a window."""
    if state.count:
        totals = WindowTotals(
            window.start.isoformat(), str(window.shard_id), state.count, state.by_category
        )
        dynamodb().put_item(TableName=os.environ["TOTALS"], Item=to_item(totals))


@cache
def dynamodb() -> Any:
    """The client, made when the first window ends."""
    return boto3.client("dynamodb")


handler = LambdaHandler(router, report_batch_item_failures=True)
