"""A batch's outcome as values, and what every way of running one shares.

Rules, from AWS Lambda's `partial batch response`_ for DynamoDB streams:

* The lowest sequence number that is reported is the checkpoint. AWS sends that record and
  everything behind it again, also what succeeded. So a batch stops at its first failure: going on
  would only handle records that are certain to come again.
* What is reported as done never comes again. So a record counts as done only when every handler
  that wanted it has returned, or when an ``on_error`` function has decided to skip it or to put it
  aside.

.. _partial batch response:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

if TYPE_CHECKING:
    from typing_extensions import Self

    from ddbstream._records import StreamRecord
    from ddbstream._router.routes import Route

__all__ = ["BatchResult", "Disposition", "Failure", "annotate"]

_NOTE: Final = "ddbstream: "


class Disposition(Enum):
    """What becomes of a record whose handling failed."""

    RETRY = "retry"
    """It is not done: the batch stops here, and its host delivers the record again. The default."""
    SKIP = "skip"
    """It counts as done. The failure is logged, and nothing else remains of it."""
    DEAD_LETTER = "dead_letter"
    """It counts as done once the dead-letter sink has taken it."""


class _Failure(NamedTuple):
    record: StreamRecord[Any]
    error: Exception


@final
class Failure(_Failure):
    """One record that could not be handled: ``record, error = failure``.

    Attributes:
        record: The record, as the failing handler got it.
        error: The original exception, with a note of event id, sequence number and route.
        route: The name of the handler that failed, or None if the record failed before any: it is
            malformed, or the classifier or the router refused it.
    """

    route: str | None
    origin: Route | None

    def __new__(
        cls,
        record: StreamRecord[Any],
        error: Exception,
        route: str | None = None,
        origin: Route | None = None,
    ) -> Self:
        """Make one; ``origin`` is the library's own."""
        made = super().__new__(cls, record, error)
        made.route = route
        made.origin = origin
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the origin: it holds functions, and few of those can be pickled.
        return Failure, (self.record, self.error, self.route)


@final
class BatchResult(NamedTuple):
    """What became of a batch.

    Attributes:
        processed: How many records are done: handled, wanted by no route, skipped or put aside.
        failures: Those that are not because handling failed, in the batch's order. At most one,
            unless records ran concurrently.
        checkpoint: Item identifier of the first record that is not done: everything from there on
            has to come again. None if the whole batch is done. An empty text if that record has no
            identifier.
    """

    processed: int
    failures: tuple[Failure, ...]
    checkpoint: str | None


def identifier(record: StreamRecord[Any]) -> str:
    """What a batch response can name a record by; empty if it has nothing usable."""
    name: object = record.item_identifier
    return name if isinstance(name, str) else ""


def annotate(error: BaseException, record: StreamRecord[Any], route: str | None) -> None:
    """Note which record and route an exception came from, in place of an earlier note."""
    about = (
        ("event id", record.event_id),
        ("sequence number", record.sequence_number),
        ("route", route),
    )
    said = ", ".join(f"{what} {value}" for what, value in about if isinstance(value, str))
    # `add_note` is 3.11's; before, `__notes__` is an attribute like any other, and is read the same
    # way. An exception that is raised again and again must not collect a note for each time.
    try:
        notes = [n for n in getattr(error, "__notes__", ()) if not str(n).startswith(_NOTE)]
        error.__notes__ = [  # type: ignore[attr-defined]
            *notes,
            *([_NOTE + said] if said else ()),
        ]
    except Exception:  # noqa: BLE001 - one that refuses attributes is still the one to raise
        return
