"""Follows the table's stream and logs each captured change as one line of structured JSON.

Lambda's event source mapping calls ``handler``; the same ``router`` runs under
``ddbstream.poller.StreamPoller``. With ``LogFormat: JSON`` Lambda writes the fields given as
``extra`` as fields of the line, so CloudWatch Logs Insights can query them:
``filter event = "MODIFY" and entity = "Product"``.
"""

from __future__ import annotations

import logging

from models import Product

from ddbstream import (
    Added,
    Change,
    Diff,
    LambdaHandler,
    Remove,
    Removed,
    Replaced,
    SetChanged,
    StreamRouter,
    by_key_prefix,
)

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

router = StreamRouter(classify=by_key_prefix("PK"))  # PK "Product#42" -> entity "Product"


@router.on_change(Product)
def log_change(record: Change[Product]) -> None:
    """Log what happened to one product."""
    product = record.old if isinstance(record, Remove) else record.new
    logger.info(
        "%s Product %s",
        record.event_name,
        product.id,
        extra={
            "event": record.event_name,
            "entity": "Product",
            "id": str(product.id),
            "diff": plain(record.diff),
            "event_id": record.event_id,
            "sequence_number": record.sequence_number,
        },
    )


def plain(diff: Diff) -> list[dict[str, str]]:
    """A diff for a log: ``[{"path": "price", "old": "1299.99", "new": "1149.95"}]``.

    Values are text: a JSON number is a float to most of what reads logs, and loses digits.
    """
    lines = []
    for change in diff:
        line = {"path": str(change.path)}
        match change:
            case Added():
                line["new"] = str(change.value)
            case Removed():
                line["old"] = str(change.value)
            case Replaced():
                line["old"], line["new"] = str(change.old), str(change.new)
            case SetChanged():  # a product has no sets yet
                line["new"] = str(sorted(change.added))
                line["old"] = str(sorted(change.removed))
        lines.append(line)
    return lines


# True here needs FunctionResponseTypes: [ReportBatchItemFailures] on the event source mapping,
# as in template.yaml: without it Lambda takes the answer for a success and the failures are lost.
handler = LambdaHandler(router, report_batch_item_failures=True)
