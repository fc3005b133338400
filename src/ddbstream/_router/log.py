"""What is logged: about records, never what is in them.

Facts go into ``extra=``, so that a structured formatter prints them as fields: Lambda's JSON log
format does. The names start with ``ddbstream_``; they never hold an image. Source: AWS Lambda's
`log formats`_.

.. _log formats:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from ddbstream.exceptions import printable

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.results import Failure

__all__ = ["PrintableFormatter", "log", "log_failure"]

_logger = logging.getLogger("ddbstream")

Level = Literal["debug", "info", "warning", "error"]


class PrintableFormatter(logging.Formatter):
    """Log lines for people: a message is one line, and its traceback is indented below it.

    What a handler raised may quote a stored value, with newlines in it: at the beginning of a line
    it would pass for a message.
    """

    def format(self, record: logging.LogRecord) -> str:
        """As usual, printable, also what another formatter has left of a traceback."""
        return printable(super().format(record), lines=True)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """A message, in one line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """A traceback, each line behind two spaces."""
        return "  " + printable(super().formatException(ei), lines=True).replace("\n", "\n  ")


def log(
    level: Level,
    message: str,
    failure: Failure | None = None,
    error: Exception | None = None,
    **facts: Any,
) -> None:
    """Log one event.

    Args:
        level: Of the message.
        message: In words.
        failure: What it is about.
        error: To be logged with its traceback.
        facts: More fields.
    """
    fields = {f"ddbstream_{name}": value for name, value in facts.items()}
    if failure is not None:
        fields.update(_about(failure.record))
        fields["ddbstream_route"] = failure.route
        fields["ddbstream_error"] = type(failure.error).__qualname__
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = printable(value)
    number = getattr(logging, level.upper())
    _logger.log(number, message, extra=fields, exc_info=error)


def log_failure(level: Level, message: str, failure: Failure) -> None:
    """Log what became of a record that failed, with the traceback of its exception."""
    log(level, message, failure, failure.error)


def _about(record: StreamRecord[Any]) -> dict[str, Any]:
    return {
        "ddbstream_event_id": record.event_id,
        "ddbstream_sequence_number": record.sequence_number,
        "ddbstream_event_name": record.event_name,
        "ddbstream_table": record.table_name,
    }
