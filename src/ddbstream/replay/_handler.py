"""A Lambda function that replays the batches that its failure queue, topic or bucket names.

Rules:

* With an SQS queue, what a response does not name is deleted. So every message that is not done is
  named, those never tried included, or the whole invocation fails.
* What a response makes AWS send again, and what nobody can read any more, would leave no trace
  otherwise: it is logged.

Source: `SQS partial batch responses`_.

.. _SQS partial batch responses: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbstream._router.awaiting import finish
from ddbstream._router.log import log
from ddbstream._values.callables import check_function
from ddbstream.exceptions import BatchError, PollerArgumentError
from ddbstream.replay._replay import ReplayReport, check_arguments, replay

if TYPE_CHECKING:
    from ddbstream._router.router import StreamRouter
    from ddbstream.progress import Progress
    from ddbstream.replay._reread import Clock
    from ddbstream.typing import BatchResponse, StreamsClient

__all__ = ["ReplayHandler"]


class ReplayHandler:
    """The handler of a function on a failure queue, topic or bucket.

    Args:
        router: Where the records go.
        report_batch_item_failures: Set it if, and only if, the queue's event source mapping has
            ``FunctionResponseTypes: [ReportBatchItemFailures]``: messages that are not done are
            then named in the response. Otherwise the first failure is raised, and all messages come
            again.
        client: As in `replay`.
        endpoint_url: As in `replay`.
        region_name: As in `replay`.
        s3_client: As in `replay`.
        clock: As in `replay`.
        progress: As in `replay`. A queue delivers a message more than once now and then, so one
            that outlives an invocation keeps handlers from seeing a batch twice.
        on_report: Called with each invocation's report: the place to record gaps. It may be async.

    Raises:
        PollerArgumentError: ``router`` is none; or what is given would have to be awaited, and is
            not.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own
        self,
        router: StreamRouter,
        *,
        report_batch_item_failures: bool = False,
        client: StreamsClient | None = None,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        s3_client: Any = None,
        progress: Progress | None = None,
        on_report: Callable[[ReplayReport], object] | None = None,
        clock: Clock = time,
    ) -> None:
        check_arguments(router, client=client, s3_client=s3_client, progress=progress, clock=clock)
        if on_report is not None:
            check_function(on_report, "on_report=", PollerArgumentError, arguments=1, awaited=True)
        self._router = router
        self._report = report_batch_item_failures
        self._on_report = on_report
        self._options: dict[str, Any] = {
            "client": client,
            "endpoint_url": endpoint_url,
            "region_name": region_name,
            "s3_client": s3_client,
            "progress": progress,
            "clock": clock,
        }

    def __call__(self, event: Any, context: Any = None) -> BatchResponse:
        """Handle one invocation.

        Args:
            event: What the queue's mapping, the topic or the bucket sends.
            context: Lambda's context object; handlers with a second parameter get it.

        Returns:
            The messages that are not done; none, if all are.

        Raises:
            Exception: The first failure's own, in the default mode; with
                ``report_batch_item_failures`` only if a message that is not done has no id.
        """
        report = replay(event, self._router, context=context, **self._options)
        if self._on_report is not None:
            finish(self._on_report(report))
        named = report.unfinished_identifiers
        can_be_named = self._report and all(isinstance(name, str) and name for name in named)
        raised = _reason(report) if named and not can_be_named else None
        _log(report, raised)
        if raised is not None:
            raise raised
        return {"batchItemFailures": [{"itemIdentifier": str(name)} for name in named]}


def _log(report: ReplayReport, raised: Exception | None) -> None:
    """Log what is not done, but for what is raised, and what is gone."""
    for batch, error, _ in report.failures:
        if error is not raised:
            log("error", "batch failed", error=error, shard_id=batch.shard_id)
    for message in report.unreadable:
        if message.error is not raised:
            log("error", "no on-failure message", error=message.error)
    for gap in report.gaps:
        log("warning", "records of a failed batch can no longer be read", **gap._asdict())


def _reason(report: ReplayReport) -> Exception:
    if report.failures:
        return report.failures[0].error
    if report.unreadable:
        return report.unreadable[0].error
    return BatchError("a batch is not done, and no message can be named for it")
