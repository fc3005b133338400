"""The events that a router's observers get: facts for metrics, whatever library counts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._router.awaiting import finish, finish_async
from ddbstream._router.log import log
from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.results import BatchResult

__all__ = ["BatchEvent", "HandlerEvent", "Observer", "Observers"]


class HandlerEvent(NamedTuple):
    """One handler ran for one record.

    Attributes:
        record: As the handler got it.
        route: The handler's name.
        seconds: How long it ran, middleware not counted.
        error: What it raised, or None.
        lag: Seconds from the change in the table to the handler's end; None if the record has no
            time. DynamoDB gives whole seconds.
    """

    record: StreamRecord[Any]
    route: str
    seconds: float
    error: Exception | None
    lag: float | None


class BatchEvent(NamedTuple):
    """One batch ended.

    Attributes:
        result: What became of it.
        seconds: How long it took.
    """

    result: BatchResult
    seconds: float


Observer = Callable[["HandlerEvent | BatchEvent"], object]


class Observers:
    """Tells functions of events. One that fails is logged, and fails nothing else.

    Attributes:
        functions: The functions, in order.
    """

    def __init__(self, functions: Sequence[Observer]) -> None:
        self.functions = tuple(functions)

    def handled(
        self, record: StreamRecord[Any], route: str, seconds: float, error: Exception | None
    ) -> None:
        """Tell of a handler that ran."""
        self._tell(HandlerEvent(record, route, seconds, error, _lag(record)))

    def batch(self, result: BatchResult, seconds: float) -> None:
        """Tell of a batch that ended."""
        self._tell(BatchEvent(result, seconds))

    async def handled_async(
        self, record: StreamRecord[Any], route: str, seconds: float, error: Exception | None
    ) -> None:
        """As `handled`, on the event loop."""
        event = HandlerEvent(record, route, seconds, error, _lag(record))
        for function in self.functions:
            try:
                await finish_async(function(event))
            except Exception as raised:  # noqa: BLE001, PERF203 - observing is no part of handling
                log("error", "an observer failed", error=raised)

    def _tell(self, event: HandlerEvent | BatchEvent) -> None:
        for function in self.functions:
            try:
                finish(function(event))
            except Exception as error:  # noqa: BLE001, PERF203 - observing is no part of handling
                log("error", "an observer failed", error=error)


def _lag(record: StreamRecord[Any]) -> float | None:
    try:
        when = record.approximate_creation_datetime
    except DDBStreamError:
        return None
    return None if when is None else (datetime.now(timezone.utc) - when).total_seconds()
