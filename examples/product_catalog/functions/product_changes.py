"""Follows the table's stream and logs each captured change as one line of structured JSON.

Lambda's event source mapping calls ``handler``; the same ``router`` runs under
``ddbstream.poller.StreamPoller``. With ``LogFormat: JSON`` Lambda writes the fields given as
``extra`` as fields of the line, so CloudWatch Logs Insights can query them:
``filter event = "MODIFY" and entity = "Product"``.
"""

from __future__ import annotations

import logging
from typing import Any

from models import Product

from ddbstream import Change, Diff, LambdaHandler, Remove, StreamRouter, by_key_prefix

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


def plain(diff: Diff) -> list[dict[str, Any]]:
    """A diff for a log: ``[{"path": "price", "old": "1299.99", "new": "1199"}]``.

    Values are text: a JSON number is a float to most of what reads logs, and loses digits.
    """
    return [
        {
            "path": str(change.path),
            **{
                side: str(getattr(change, attribute))
                for side, attribute in (("old", "old"), ("new", "new"), ("new", "value"))
                if hasattr(change, attribute)
            },
        }
        for change in diff
    ]


# True here needs FunctionResponseTypes: [ReportBatchItemFailures] on the event source mapping,
# as in template.yaml: without it Lambda takes the answer for a success and the failures are lost.
handler = LambdaHandler(router, report_batch_item_failures=True)
