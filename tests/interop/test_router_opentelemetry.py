"""The recipe of docs/lambda.md for OpenTelemetry, run as it stands there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream import Insert, LambdaHandler, StreamRouter
from tests.support.missing import missing
from tests.support.stream_records import wire_record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

DOCUMENT = Path(__file__).parents[2] / "docs" / "lambda.md"


class NotOnTheShelfError(Exception):
    """No part raises this but the handler."""


@pytest.fixture(scope="session")
def collected() -> InMemorySpanExporter:
    """What has ended, of a tracer provider that is the process's: it can be set once only."""
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        missing("opentelemetry-sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(collected: InMemorySpanExporter) -> InMemorySpanExporter:
    collected.clear()
    return collected


def recipe(router: StreamRouter) -> dict[str, Any]:
    """What the document's block about OpenTelemetry leaves behind."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "opentelemetry" in block]
    namespace: dict[str, Any] = {"router": router}
    exec(block, namespace)  # noqa: S102 - the document's own block
    return namespace


def test_a_span_a_record_and_the_failed_one_says_why(spans: InMemorySpanExporter) -> None:
    router = StreamRouter()
    recipe(router)

    @router.on_insert()
    def handle(record: Insert) -> None:
        if record.event_id == "event-2":
            raise NotOnTheShelfError

    with pytest.raises(NotOnTheShelfError):
        LambdaHandler(router)({"Records": [wire_record(number=1), wire_record(number=2)]})
    first, second = spans.get_finished_spans()
    assert [dict(span.attributes or {}) for span in (first, second)] == [
        {"event.id": "event-1"},
        {"event.id": "event-2"},
    ]
    assert (first.status.is_ok, first.events) == (True, ())
    assert second.status.status_code.name == "ERROR"
    (event,) = second.events
    assert (event.attributes or {})["exception.type"] == f"{__name__}.NotOnTheShelfError"


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_invocations_span_is_above_every_records_and_that_above_what_its_handler_starts(
    spans: InMemorySpanExporter, concurrency: int, is_async: bool
) -> None:
    router = StreamRouter()
    tracer = recipe(router)["tracer"]

    def work(record: Insert) -> None:
        with tracer.start_as_current_span(f"work on {record.event_id}"):
            pass

    async def work_async(record: Insert) -> None:
        work(record)

    router.on_insert()(work_async if is_async else work)
    records = [wire_record(number=n, key=f"Product#{n}") for n in range(8)]
    with tracer.start_as_current_span("invocation") as invocation:
        LambdaHandler(router, concurrency=concurrency)({"Records": records})
    ended = spans.get_finished_spans()
    of_records = {s.context.span_id: s for s in ended if s.name == "ddbstream" and s.context}
    assert len(of_records) == 8
    above = {s.parent.span_id for s in of_records.values() if s.parent}
    assert above == {invocation.get_span_context().span_id}
    for span in ended:
        if span.name.startswith("work on"):
            assert span.parent is not None
            parent = of_records[span.parent.span_id]
            event_id = str((parent.attributes or {})["event.id"])
            assert span.name == f"work on {event_id}"
