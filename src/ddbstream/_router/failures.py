"""What becomes of a failure: the ``on_error`` functions decide, and the dead-letter sink takes.

No record is lost on the way: it stays not done if no function decides about its failure, and also
if the function or the sink fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbstream._router.awaiting import finish
from ddbstream._router.log import log, log_failure
from ddbstream._router.results import Disposition, Failure
from ddbstream._router.signatures import positional_count
from ddbstream._values.callables import name_of
from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._router.routes import Route

__all__ = ["DeadLetterSink", "Decisions", "ErrorRoute", "make_error_route"]

DeadLetterSink = Callable[[Mapping[str, Any]], object]
"""Takes a dead letter, which is Lambda's on-failure document; has it safe when it returns."""


class ErrorRoute:
    """One ``on_error`` function and the failures it decides about.

    Attributes:
        types: Of the exception.
        handlers: Of the failing route; empty for all, and for failures before any route.
    """

    __slots__ = ("decide", "handlers", "takes_two", "types")

    def __init__(
        self,
        decide: Callable[..., object],
        types: tuple[type[Exception], ...],
        handlers: tuple[object, ...],
        *,
        takes_two: bool,
    ) -> None:
        self.decide = decide
        self.types = types
        self.handlers = handlers
        self.takes_two = takes_two

    def wants(self, error: Exception, route: Route | None) -> bool:
        """Whether this function is to decide."""
        if not isinstance(error, self.types):
            return False
        return not self.handlers or (route is not None and route.handler in self.handlers)

    def __call__(self, failure: Failure) -> object:
        """Ask it."""
        decided = (
            self.decide(failure.record, failure.error) if self.takes_two else self.decide(failure)
        )
        return finish(decided)


def make_error_route(
    decide: Callable[..., object], types: tuple[Any, ...], route: object
) -> ErrorRoute:
    """Check an ``on_error`` function and its conditions; raises RouteDefinitionError."""
    # As in `except`, a tuple is all that is in it.
    types = tuple(one for given in types for one in (given if type(given) is tuple else (given,)))
    for one in types:
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise RouteDefinitionError(
                "on_error() takes classes of Exception: what is none, such as KeyboardInterrupt, "
                "is never a handler's failure"
            )
    count = positional_count(decide)
    if count not in (1, 2):
        raise RouteDefinitionError(
            f"{name_of(decide)} takes a Failure, or the record and the exception"
        )
    handlers = () if route is None else route if isinstance(route, tuple) else (route,)
    for handler in handlers:
        if not callable(handler):
            raise RouteDefinitionError("on_error(route=) takes a handler, or a tuple of them")
    return ErrorRoute(decide, types or (Exception,), handlers, takes_two=count == 2)


class Decisions:
    """Decides about failures, innermost router first, in a router's order of registration.

    Args:
        by_route: The functions to ask about each route's failures, in order.
        root: The dispatching router's own, for failures before any route.
    """

    def __init__(
        self, by_route: Mapping[Route, Sequence[ErrorRoute]], root: Sequence[ErrorRoute]
    ) -> None:
        self._by_route = by_route
        self._root = root

    def decide(self, failure: Failure) -> Disposition:
        """What is to become of the record; RETRY if no function decides, or one fails."""
        route = failure.origin if failure.origin in self._by_route else None
        for one in self._root if route is None else self._by_route[route]:
            if not one.wants(failure.error, route):
                continue
            try:
                decided = one(failure)
            except Exception as error:  # noqa: BLE001 - the record is not done, then
                log("error", "an on_error function failed", failure, error)
                return Disposition.RETRY
            if isinstance(decided, Disposition):
                return decided
            if decided is not None:
                log("error", "an on_error function gave no Disposition", failure)
                return Disposition.RETRY
        return Disposition.RETRY


def settle(
    failure: Failure,
    decisions: Decisions | None,
    sink: DeadLetterSink | None,
    context: object,
) -> Failure | None:
    """Decide about a failure and see it through; None if the record is done after all."""
    decided = decisions.decide(failure) if decisions is not None else Disposition.RETRY
    if decided is Disposition.SKIP:
        log_failure("warning", "record skipped", failure)
        return None
    if decided is Disposition.RETRY:
        return failure  # the host raises it, or logs it
    if sink is None:
        log_failure("error", "record failed, and there is no dead-letter sink", failure)
        return failure
    try:
        finish(sink(_dead_letter(failure, context)))
    except Exception as error:  # noqa: BLE001 - not put aside, so not done
        log("error", "the dead-letter sink failed", failure, error)
        return failure
    log_failure("warning", "record put aside", failure)
    return None


def _dead_letter(failure: Failure, context: object) -> dict[str, Any]:
    """The on-failure document of one record; a host's context is asked for what it knows."""
    # Only a function that has set a record aside pays for the module.
    from ddbstream._wire.on_failure import failure_details, on_failure_document

    def known(name: str) -> str | None:
        value = getattr(context, name, None)
        return value if isinstance(value, str) else None

    record = failure.record
    document = on_failure_document(
        [record.raw],
        stream_arn=record.event_source_arn,
        shard_id=known("shard_id"),
        request_id=known("aws_request_id"),
        function_arn=known("invoked_function_arn"),
        function_version=known("function_version"),
    )
    document["ddbstream"] = failure_details(record.raw, failure.error, failure.route)
    return document
