"""Repeats every change of one table on another, writing only what changed."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from ddbstream import Change, LambdaHandler, Remove, StreamRouter, to_item

router = StreamRouter()


@cache
def dynamodb() -> Any:
    """The client of the copy's region, made at the first record."""
    return boto3.client("dynamodb", region_name=os.environ.get("COPY_REGION"))


@router.on_change()
def repeat(record: Change[dict[str, Any]]) -> None:
    """Make one change on the copy. The expression sets what is, so it may be made twice."""
    where = {"TableName": os.environ["COPY"], "Key": to_item(record.keys)}
    if isinstance(record, Remove):
        dynamodb().delete_item(**where)
    else:
        dynamodb().update_item(**where, **record.diff.to_update_expression())


# One item's changes stay in their order; different items are written at once.
handler = LambdaHandler(router, report_batch_item_failures=True, concurrency=16)
