"""Keeps every change of a table as one JSON object in a bucket, without what nobody may read.

An object's key is the record's event id: a record that comes twice writes the same object twice.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import boto3

from ddbstream import Change, LambdaHandler, StreamRouter, by_key_prefix

HIDDEN = ("password", "card.number", "cards[*].number")

router = StreamRouter(classify=by_key_prefix("PK"))


@cache
def s3() -> Any:
    """The client, made at the first record and kept by the execution environment."""
    return boto3.client("s3")


@router.on_change()
def audit(record: Change[dict[str, Any]]) -> None:
    """Write one entry: when, what happened, to which item, and the difference."""
    moment = record.approximate_creation_datetime
    entry = {
        "event_id": record.event_id,
        "at": moment.isoformat() if moment else None,
        "event": record.event_name,
        "keys": record.keys,
        "by_ttl": record.is_ttl_removal,
        **record.diff.redact(*HIDDEN).to_dict(),
    }
    s3().put_object(
        Bucket=os.environ["BUCKET"],
        Key=f"{moment:%Y/%m/%d}/{record.event_id}.json",
        Body=json.dumps(entry, default=str).encode(),
        ContentType="application/json",
    )


handler = LambdaHandler(router, report_batch_item_failures=True, concurrency=8)
