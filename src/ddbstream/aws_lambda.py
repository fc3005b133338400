"""The Lambda function: an event source mapping's events in, its responses out.

Rules, from AWS's `partial batch response`_ for DynamoDB streams and recordings of it:

* A response that is malformed, or names what is not in the batch, makes the whole batch come again.
  A response of success, be it empty, means that no record of the batch comes again.
* A mapping without ``ReportBatchItemFailures`` takes every response as success. So a failure is
  raised unless told otherwise: `LambdaHandler` cannot see how its mapping is set.

.. _partial batch response: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._router import StreamRouter, default_router
from ddbstream.exceptions import BatchError

if TYPE_CHECKING:
    from ddbstream._batch import BatchResult
    from ddbstream.typing import BatchResponse

__all__ = ["LambdaHandler", "lambda_handler"]


class LambdaHandler:
    """A Lambda function's handler over a router.

    Args:
        router: Where the records go.
        report_batch_item_failures: Set it if, and only if, the event source mapping has
            ``FunctionResponseTypes: [ReportBatchItemFailures]``: a failure is then answered with
            the first record that is not done. Otherwise the handler's exception is raised, and the
            whole batch comes again.
        concurrency: How many items' records to handle at once; one item's records keep their order.
    """

    def __init__(
        self,
        router: StreamRouter,
        *,
        report_batch_item_failures: bool = False,
        concurrency: int = 1,
    ) -> None:
        if not isinstance(router, StreamRouter):
            raise TypeError(f"LambdaHandler takes a StreamRouter, not a {type(router).__name__}")
        self._router = router
        self._report = report_batch_item_failures
        self._concurrency = concurrency

    def __call__(self, event: Any, context: Any = None) -> BatchResponse:
        """Handle one invocation.

        Args:
            event: What the event source mapping sends.
            context: Lambda's context object; handlers with a second parameter get it.

        Returns:
            ``{"batchItemFailures": []}``, or in it the first record that is not done.

        Raises:
            Exception: The first failed handler's own exception, in the default mode; in the other
                one if its record has no identifier that a response could name.
            PayloadError: The event holds no stream records.
        """
        result = self._router.dispatch(event, context=context, concurrency=self._concurrency)
        if result.checkpoint is None:
            return {"batchItemFailures": []}
        if self._report and result.checkpoint:
            return {"batchItemFailures": [{"itemIdentifier": result.checkpoint}]}
        raise _reason(result)


def _reason(result: BatchResult) -> Exception:
    if result.failures:
        return result.failures[0].error
    return BatchError("the batch is not done, and no response can say where to go on")


lambda_handler = LambdaHandler(default_router)
"""The handler over `default_router`: ``from ddbstream import on_insert, lambda_handler``."""
