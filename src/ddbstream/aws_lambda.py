"""The Lambda function: an event source mapping's events in, its responses out.

Rules, from AWS's `partial batch response`_ for DynamoDB streams and recordings of it:

* A response that is malformed, or names what is not in the batch, makes the whole batch come again.
  A response of success, be it empty, means that no record of the batch comes again.
* A mapping without ``ReportBatchItemFailures`` takes every response as success. So a failure is
  raised unless told otherwise: `LambdaHandler` cannot see how its mapping is set.
* A tumbling window's response without ``state`` is a failed invocation.

.. _partial batch response:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast, final

from ddbstream._router.awaiting import finish
from ddbstream._router.log import log, log_failure
from ddbstream._router.router import (
    StreamRouter,
    check_concurrency,
    check_options,
    default_router,
)
from ddbstream._values.callables import check_function, check_methods
from ddbstream._wire import holds_records
from ddbstream.exceptions import BatchError, RouteDefinitionError, RouterArgumentError
from ddbstream.kinesis import arrange

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import TypedDict

    from ddbstream._router.failures import DeadLetterSink
    from ddbstream._router.results import BatchResult
    from ddbstream._router.windows import Window
    from ddbstream.kinesis import NewestStore
    from ddbstream.typing import BatchResponse

    class _Options(TypedDict):
        """What every way of dispatching takes."""

        context: object
        concurrency: int
        stop_when: Callable[[], bool] | None
        dead_letter: DeadLetterSink | None


__all__ = ["LambdaHandler", "Window", "lambda_handler"]


if not TYPE_CHECKING:  # for a checker, a name that is not there is an error

    def __getattr__(name: str) -> object:
        # Only a function with windows pays for the module.
        if name == "Window":
            from ddbstream._router.windows import Window

            return Window
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@final
class LambdaHandler:
    """A Lambda function's handler over a router. Holds nothing of an invocation.

    Args:
        router: Where the records go.
        report_batch_item_failures: Set it if, and only if, the event source mapping has
            ``FunctionResponseTypes: [ReportBatchItemFailures]``: a failure is then answered with
            the first record that is not done. Otherwise the handler's exception is raised, and the
            whole batch comes again.
        concurrency: How many items' records to handle at once; one item's records keep their order.
        deadline_margin: Seconds before the invocation's end (or a timedelta) from which on no
            record is started, so that what is done can still be reported. Leave time for the
            slowest handler. The first record is always started. None stops for no deadline.
        dead_letter: Takes what an ``on_error`` function puts aside; see ``ddbstream.dead_letters``.
        newest: For changes that come by Kinesis: puts each item's in the order of their creation,
            and drops what Kinesis repeats or delivers late; see ``ddbstream.kinesis``. None, the
            default, handles whatever comes, in the order in which it comes.
        other: A function ``(event, context)`` for events that hold no stream records, such as
            health checks and schedules; what it returns is the response. It may be async. Without
            it such an event is a PayloadError.

    Raises:
        RouteDefinitionError: ``router`` is no `StreamRouter`, or ``other`` no such function.
        RouterArgumentError: Another argument is of the wrong kind.
    """

    # Decorators of handlers, such as Powertools' Tracer, ask for a function's name.
    __name__ = "lambda_handler"

    def __init__(
        self,
        router: StreamRouter,
        *,
        report_batch_item_failures: bool = False,
        concurrency: int = 1,
        deadline_margin: float | timedelta | None = None,
        dead_letter: DeadLetterSink | None = None,
        newest: NewestStore | None = None,
        other: Callable[[Any, Any], object] | None = None,
    ) -> None:
        if not isinstance(router, StreamRouter):
            raise RouteDefinitionError(
                f"LambdaHandler takes a StreamRouter, not a {type(router).__name__}"
            )
        if not isinstance(report_batch_item_failures, bool):
            raise RouterArgumentError("report_batch_item_failures= takes True or False")
        check_concurrency(concurrency)
        check_options(None, None, dead_letter)
        if other is not None:
            about = "other= (event, context)"
            check_function(other, about, RouteDefinitionError, arguments=2, awaited=True)
        check_methods(newest, "newest=", RouterArgumentError, "load", "save")
        self._other = other
        self._router = router
        self._report = report_batch_item_failures
        self._concurrency = concurrency
        self._margin = _milliseconds(deadline_margin)
        self._dead_letter = dead_letter
        self._newest = newest

    @property
    def router(self) -> StreamRouter:
        """Where the records go."""
        return self._router

    @property
    def report_batch_item_failures(self) -> bool:
        """Whether a failure is answered with the first record that is not done, or raised."""
        return self._report

    @property
    def concurrency(self) -> int:
        """How many items' records are handled at once."""
        return self._concurrency

    @property
    def deadline_margin(self) -> float | None:
        """Seconds before the invocation's end from which on no record is started, or None."""
        return None if self._margin is None else self._margin / 1000

    @property
    def dead_letter(self) -> DeadLetterSink | None:
        """Takes what an ``on_error`` function puts aside."""
        return self._dead_letter

    def __call__(self, event: Any, context: Any = None) -> BatchResponse:
        """Handle one invocation.

        Args:
            event: What the event source mapping sends.
            context: Lambda's context object; handlers with a second parameter get it.

        Returns:
            ``{"batchItemFailures": []}``, or in it the first record that is not done; in a tumbling
            window ``state`` as well; of another event, what ``other`` returns.

        Raises:
            Exception: The first failed handler's own exception, in the default mode; in the other
                one if its record has no identifier that a response could name.
            BatchError: Time is up, and no response can say where to go on; or the router has folds,
                and the event is of no window.
            PayloadError: The event holds no stream records.
        """
        if self._other is not None and not holds_records(event):
            return cast("BatchResponse", finish(self._other(event, context)))
        return self._handle(event, context)

    def _handle(self, event: Any, context: Any) -> BatchResponse:
        options: _Options = {
            "context": context,
            "concurrency": self._concurrency,
            "stop_when": self._out_of_time(context),
            "dead_letter": self._dead_letter,
        }
        if self._router.has_folds:
            if not isinstance(event, Mapping) or "window" not in event:
                raise BatchError(
                    "the router has folds, but the event is of no tumbling window: "
                    "set TumblingWindowInSeconds on the event source mapping"
                )
            if self._newest is not None:
                raise BatchError("newest= does not go with folds: a window has its own order")
            batch = self._router.dispatch_window(event, **options)
            failures = self._unfinished(batch.result, event)
            return _with_state(batch.close(), failures)
        if self._newest is None:
            result = self._router.dispatch(event, **options)
        else:
            result = self._in_order_of_creation(event, self._newest, options)
        failures = self._unfinished(result, event)
        if isinstance(event, Mapping) and "window" in event:
            # The state is another version's, and has to be in the response all the same.
            return _with_state(event.get("state") or {}, failures)
        return {"batchItemFailures": failures}

    def _in_order_of_creation(
        self, event: object, newest: NewestStore, options: _Options
    ) -> BatchResult:
        arranged = arrange(event, newest)
        result = self._router.dispatch(arranged.records, **options)
        try:
            checkpoint = arranged.settle(result.checkpoint)
        except Exception:
            for failure in result.failures:  # the store's error would hide it
                log_failure("error", "record failed", failure)
            raise
        return result._replace(checkpoint=checkpoint)

    def _unfinished(self, result: BatchResult, event: object) -> list[Any]:
        """What a response has to name; raises where it cannot, or is not to."""
        if result.checkpoint is None:
            return []
        if self._report and result.checkpoint:
            self._log(result)
            return [{"itemIdentifier": name} for name in _to_name(result.checkpoint, event)]
        if result.failures:
            self._log(result, besides=1)
            raise result.failures[0].error
        raise BatchError(
            f"time is up with {result.processed} records done"
            + ("" if self._report else ", and the handler does not report batch item failures")
        )

    def _log(self, result: BatchResult, *, besides: int = 0) -> None:
        """What a response makes AWS send again, or one error hides, would leave no trace."""
        for failure in result.failures[besides:]:
            log_failure("error", "record failed", failure)
        if not result.failures:
            log("warning", "out of time: the rest of the batch comes again", done=result.processed)

    def _out_of_time(self, context: Any) -> Callable[[], bool] | None:
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        margin = self._margin
        if margin is None or remaining is None:
            return None
        return lambda: remaining() < margin


def _to_name(checkpoint: str, event: Any) -> list[str]:
    """The identifiers that make everything from the checkpoint on come again.

    For a stream the first is enough. A queue deletes every message that is not named: stream
    records that came by SQS need all of them. Pipes hands its messages over in a bare list.
    """
    records = event.get("Records") if isinstance(event, Mapping) else event
    names = [record.get("messageId") for record in records or () if isinstance(record, Mapping)]
    if checkpoint not in names:
        return [checkpoint]
    return [name for name in names[names.index(checkpoint) :] if isinstance(name, str)]


def _with_state(state: object, failures: list[Any]) -> BatchResponse:
    return cast("BatchResponse", {"state": state, "batchItemFailures": failures})


def _milliseconds(margin: float | timedelta | None) -> float | None:
    if margin is None:
        return None
    seconds: Any = margin
    if not isinstance(margin, (int, float)) and hasattr(margin, "total_seconds"):
        seconds = margin.total_seconds()
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds >= 0:
        raise RouterArgumentError("deadline_margin= takes seconds from 0 on, or a timedelta")
    return seconds * 1000


lambda_handler = LambdaHandler(default_router)
"""The handler over `default_router`: ``from ddbstream import on_insert, lambda_handler``."""
