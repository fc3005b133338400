"""Handing a delivery to the router, and reading from its result how far it came.

Rules

* A router of one's own needs `dispatch` and nothing else: ``concurrency``, ``stop_when`` and
  ``dead_letter`` are given to those that take them.
* After a failure, and with several items at once, the record that failed comes again alone: what
  was handled behind it would otherwise be handled once more with each try.
* A router that is told to stop has not failed. A batch whose turn comes after that is not begun.
* CancelledError is a handler's failure: it comes from a task that the handler has awaited.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ddbstream._router.router import StreamRouter
from ddbstream._values.callables import check_methods
from ddbstream.exceptions import PollerArgumentError, PollerError
from ddbstream.poller._core.commands import Delivered, RawRecord
from ddbstream.poller._core.shard import record_at, sequence_number
from ddbstream.poller._handlers import PollContext, Router

__all__ = ["Dispatcher", "check_concurrency", "check_router", "check_routes", "failure_in"]


def check_concurrency(concurrency: object) -> int:
    """Refuse what is no number of records to handle at once."""
    whole = isinstance(concurrency, int) and not isinstance(concurrency, bool)
    if not whole or concurrency < 1:  # type: ignore[operator]
        raise PollerArgumentError("concurrency is a whole number above 0")
    return concurrency  # type: ignore[return-value]


def check_router(router: object, *, concurrency: int = 1) -> None:
    """Refuse what cannot be a poller's router, and say what to give instead."""
    dispatch = getattr(router, "dispatch", None)
    if isinstance(router, type):
        raise PollerArgumentError("a StreamRouter is needed, and not its class")
    if not callable(dispatch):
        if callable(getattr(getattr(router, "router", None), "dispatch", None)):
            raise PollerArgumentError(
                "a LambdaHandler is for Lambda's events; give its router here: handler.router"
            )
        if callable(router):
            raise PollerArgumentError(
                "a StreamRouter is needed, and not a function: decorate the function with "
                "@router.on_change() and give the router"
            )
        raise PollerArgumentError("a StreamRouter is needed, or an object with its dispatch()")
    check_methods(router, "a router, whose handlers may be async,", PollerArgumentError, "dispatch")
    _check_folds(router)
    named, any_name = _options_of(router)
    if concurrency > 1 and "concurrency" not in named and not any_name:
        raise PollerArgumentError(
            "concurrency= needs a router whose dispatch() takes concurrency=, as StreamRouter's"
        )


def check_routes(router: object) -> None:
    """Refuse, at the start of a run, a router that no record should be read for.

    One without routes would fail every record for ever, or have it put aside. Until a run starts
    its routes may still be registered, and folds be added.
    """
    _check_folds(router)
    if isinstance(router, StreamRouter) and not router.routes():
        raise PollerArgumentError(
            "the router has no route: import the modules whose decorators register the handlers"
        )


def _check_folds(router: object) -> None:
    if getattr(router, "has_folds", False) is True:
        raise PollerArgumentError(
            "the router has folds, which need a tumbling window: only LambdaHandler has one"
        )


def failure_in(error: BaseException, what: str = "a handler") -> Exception | None:
    """What was raised, as a failure; None if it is none and has to pass through.

    Args:
        error: What was raised, by whom nobody has cancelled.
        what: Raised it: the user's code, or a client that is awaited.
    """
    if isinstance(error, Exception):
        return error
    asyncio = sys.modules.get("asyncio")  # not loaded: nobody can have raised its error
    if asyncio is not None and isinstance(error, asyncio.CancelledError):
        failure = PollerError(f"{what} awaited something that was cancelled")
        failure.__cause__ = error
        return failure
    return None


class Dispatcher:
    """Calls a router.

    Args:
        router: Handles records.
        concurrency: How many items' records at once.
        stop_when: Says when to start no more records.
        dead_letter: Takes what the router's own ``on_error`` puts aside.
    """

    def __init__(
        self,
        router: Router,
        *,
        concurrency: int = 1,
        stop_when: Callable[[], object] | None = None,
        dead_letter: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> None:
        self._dispatch: Callable[..., Any] = router.dispatch
        self._concurrency = concurrency
        self._stop_when = stop_when
        self._missing: PollerError | None = None
        named, any_name = _options_of(router)
        asked = {
            "dead_letter": dead_letter,
            "concurrency": concurrency if concurrency > 1 else None,
        }
        options: dict[str, Any] = {n: value for n, value in asked.items() if value is not None}
        # What takes any name may pass it on to something that does not know ours: it gets them
        # only if the user has asked for one.
        if any_name and options:
            named = frozenset({"concurrency", "stop_when", "dead_letter"})
        options = {"stop_when": stop_when, "dead_letter": self._refuse_letter, **options}
        self._options = {name: value for name, value in options.items() if name in named}

    def _refuse_letter(self, _document: Mapping[str, Any]) -> None:
        self._missing = PollerArgumentError(
            "the router's on_error answers DEAD_LETTER, but the poller has no sink: "
            "StreamPoller(…, dead_letter=sink), see ddbstream.dead_letters"
        )
        raise self._missing

    def handle(self, records: Sequence[RawRecord], context: PollContext) -> Delivered:
        """Have records handled; no Exception is raised."""
        if self._stop_when is not None and self._stop_when():
            return Delivered(0)  # it has waited for a thread meanwhile
        if self._concurrency > 1 and context.attempt > 1:
            records = records[:1]
        batch = records[:]  # the handlers may keep or change theirs
        try:
            result = self._dispatch(
                batch, stream_arn=context.stream_arn, context=context, **self._options
            )
            if hasattr(result, "__await__"):
                raise PollerError("a router's dispatch() must not be a coroutine function")  # noqa: TRY301 - sorted below, as what it raises
            if self._missing is not None:
                return Delivered(self._read(result, batch).done, self._missing, fatal=True)
            return self._read(result, batch)
        except BaseException as error:
            failure = failure_in(error)
            if failure is None:
                raise
            return Delivered(0, failure, located=len(batch) == 1)

    def _read(self, result: Any, records: Sequence[RawRecord]) -> Delivered:
        """What a `ddbstream.BatchResult` says about the records that were dispatched."""
        if result.checkpoint is None:
            return Delivered(len(records))
        index = self._index_of(result, records)
        failure = result.failures[0] if result.failures else None
        if failure is not None:
            number = _number_of(failure)
            at_checkpoint = (
                number is None
                or index is None
                or sequence_number(record_at(records, index)) == number
            )
            if not at_checkpoint:
                failure = None  # one behind what was not started: it comes again, too
        if failure is None and self._stop_when is not None and self._stop_when():
            return Delivered(index or 0)
        error: Exception = RuntimeError("the batch was cut short")
        route = None
        if failure is not None:
            error, route = failure.error, getattr(failure, "route", None)
        if index is None:
            return Delivered(0, error, located=len(records) == 1, route=route)
        return Delivered(index, error, route=route)

    def _index_of(self, result: Any, records: Sequence[RawRecord]) -> int | None:
        """Which record is the first that is not done."""
        numbers = [sequence_number(record_at(records, index)) for index in range(len(records))]
        if result.checkpoint:
            return numbers.index(result.checkpoint) if result.checkpoint in numbers else None
        # The record that is not done has no number to be named by. With several items at once
        # it can only be told if there is one such record.
        nameless = [index for index, number in enumerate(numbers) if number is None]
        if self._concurrency == 1 and result.processed in nameless:
            return int(result.processed)
        return nameless[0] if len(nameless) == 1 else None


def _number_of(failure: Any) -> str | None:
    record = getattr(failure, "record", None)
    if isinstance(record, Mapping):
        return sequence_number(record)
    number = getattr(record, "sequence_number", None)
    return number if isinstance(number, str) else None


def _options_of(router: object) -> tuple[frozenset[str], bool]:
    """The names of the options that a router's dispatch() takes, and whether it takes any."""
    try:
        parameters = inspect.signature(getattr(router, "dispatch")).parameters  # noqa: B009 - typed as object
    except (TypeError, ValueError):
        return frozenset(), False
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return frozenset(parameters), any_name
