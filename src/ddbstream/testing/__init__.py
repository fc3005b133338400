"""Tools to test what is built on ddbstream: records from items, a fake stream, a fake mapping.

``insert``, ``modify`` and ``remove`` make wire records of models or items; the encoders put them
into each form that AWS sends; `FakeStream` serves them to a poller, `EventSourceMapping` to a
function. Strategies for Hypothesis are in ``ddbstream.testing.strategies``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbstream.testing.builders import RecordFields, insert, modify, remove
    from ddbstream.testing.checkpoint_stores import CheckpointStoreConformance
    from ddbstream.testing.clock import FakeClock
    from ddbstream.testing.encoders import (
        full_export_line,
        get_records_page,
        incremental_export_line,
        kinesis_data,
        kinesis_event,
        kinesis_page,
        lambda_event,
        pipes_batch,
        tumbling_window_event,
    )
    from ddbstream.testing.envelopes import (
        eventbridge_event,
        on_failure_message,
        pipes_failure_message,
        sns_event,
        sns_notification,
        sqs_event,
        sqs_page,
    )
    from ddbstream.testing.fake_stream import FakeStream, Faults
    from ddbstream.testing.mapping import EventSourceMapping

__all__ = [
    "CheckpointStoreConformance",
    "EventSourceMapping",
    "FakeClock",
    "FakeStream",
    "Faults",
    "RecordFields",
    "eventbridge_event",
    "full_export_line",
    "get_records_page",
    "incremental_export_line",
    "insert",
    "kinesis_data",
    "kinesis_event",
    "kinesis_page",
    "lambda_event",
    "modify",
    "on_failure_message",
    "pipes_batch",
    "pipes_failure_message",
    "remove",
    "sns_event",
    "sns_notification",
    "sqs_event",
    "sqs_page",
    "tumbling_window_event",
]

_HOMES = {
    "builders": ("RecordFields", "insert", "modify", "remove"),
    "checkpoint_stores": ("CheckpointStoreConformance",),
    "clock": ("FakeClock",),
    "encoders": (
        "full_export_line",
        "get_records_page",
        "incremental_export_line",
        "kinesis_data",
        "kinesis_event",
        "kinesis_page",
        "lambda_event",
        "pipes_batch",
        "tumbling_window_event",
    ),
    "envelopes": (
        "eventbridge_event",
        "on_failure_message",
        "pipes_failure_message",
        "sns_event",
        "sns_notification",
        "sqs_event",
        "sqs_page",
    ),
    "mapping": ("EventSourceMapping",),
    "fake_stream": ("FakeStream", "Faults"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
