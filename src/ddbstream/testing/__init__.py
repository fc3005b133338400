"""Tools to test what is built on ddbstream: records from items, a fake stream, a fake mapping.

``insert``, ``modify`` and ``remove`` make wire records from models or items. `lambda_event` and its
siblings put records into each form in which AWS hands them over. `FakeStream` serves records to a
poller, `EventSourceMapping` to a function. Strategies for Hypothesis are in
``ddbstream.testing.strategies``, and pytest's fixtures in ``ddbstream.testing.pytest``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbstream.testing._assertions import assert_handled, assert_item
    from ddbstream.testing.builders import RecordFields, insert, modify, remove
    from ddbstream.testing.checkpoint_stores import CheckpointStoreConformance
    from ddbstream.testing.clock import FakeClock
    from ddbstream.testing.fake_stream import FakeStream, Faults
    from ddbstream.testing.harness import Outcome, RouterHarness
    from ddbstream.testing.mapping import EventSourceMapping
    from ddbstream.testing.payloads import (
        eventbridge_event,
        full_export_line,
        get_records_page,
        incremental_export_line,
        kinesis_data,
        kinesis_event,
        kinesis_page,
        lambda_event,
        on_failure_message,
        pipes_batch,
        pipes_failure_message,
        sns_event,
        sns_notification,
        sqs_event,
        sqs_page,
        tumbling_window_event,
    )

__all__ = [
    "CheckpointStoreConformance",
    "EventSourceMapping",
    "FakeClock",
    "FakeStream",
    "Faults",
    "Outcome",
    "RecordFields",
    "RouterHarness",
    "assert_handled",
    "assert_item",
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

# The checkpoint stores bring the poller, and the mapping the router: a name loads its own module.
_OTHER_HOMES = {
    "CheckpointStoreConformance": "checkpoint_stores",
    "EventSourceMapping": "mapping",
    "FakeClock": "clock",
    "FakeStream": "fake_stream",
    "Faults": "fake_stream",
    "Outcome": "harness",
    "RouterHarness": "harness",
    **dict.fromkeys(("assert_handled", "assert_item"), "_assertions"),
    **dict.fromkeys(("RecordFields", "insert", "modify", "remove"), "builders"),
}


if not TYPE_CHECKING:  # for a checker, a name that is not there is an error

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(f"{__name__}.{_OTHER_HOMES.get(name, 'payloads')}")
        value = globals()[name] = getattr(home, name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
