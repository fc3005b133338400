"""Random functions through the simulated mapping: nothing is lost, nothing runs out of order.

Each round draws a mapping, a router and a stream, with handlers that fail (for a while, or for
ever), are slow, async or fatal, and lets the mapping run as long as it takes. Then these hold:

* Every record was handled with success, was skipped, or is a dead letter: the router's or the
  mapping's; where the mapping retries for ever, the stream may have lost it after a day.
* One item's first deliveries are in order, and no two of its records are at work at once.
* Within one invocation nothing of an item ran after its failure.
* In order, and reporting, a record that was handled never comes again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from ddbstream import Disposition, LambdaHandler, StreamRecord, StreamRouter
from ddbstream.testing import EventSourceMapping, FakeClock
from tests.support.stream_records import wire_record


class Fault:
    """What a handler does when it meets a record, in turn."""

    def __init__(self, kind: str, times: int) -> None:
        self.kind = kind
        self.times = times


class Function:
    """A function under test, and the history of what it did.

    Attributes:
        begun: Per invocation, the records its handlers began with, in order.
        handled: Records handled with success, in order of time, each with its invocation.
    """

    def __init__(
        self,
        clock: FakeClock,
        faults: dict[int, Fault],
        *,
        is_async: bool,
        dispositions: dict[str, Disposition],
        dead_letters: list[int],
        **options: Any,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._concurrent = options["concurrency"] > 1
        self._lock = threading.Lock()
        self.begun: list[list[int]] = []
        self.ended: list[list[tuple[int, str]]] = []
        self.handled: list[tuple[int, int]] = []
        self.overlaps: list[int] = []
        self._inside: set[object] = set()
        router = StreamRouter()
        router.on_change()(self._handle_async if is_async else self._handle)
        router.on_error()(lambda failure: dispositions.get(str(failure.error)))

        def sink(letter: Any) -> None:
            (record,) = letter["payload"]["Records"]
            dead_letters.append(int(record["dynamodb"]["SequenceNumber"]))

        self._lambda = LambdaHandler(router, dead_letter=sink, **options)

    def __call__(self, event: Any, context: Any) -> Any:
        self.begun.append([])
        self.ended.append([])
        return self._lambda(event, context)

    def _handle(self, record: StreamRecord[Any]) -> None:
        number = int(record.sequence_number or "")
        self._begin(number, record.keys["PK"])
        if self._concurrent:
            time.sleep(0.0002 * (number * 7 % 3))
        self._end(number, record.keys["PK"])

    async def _handle_async(self, record: StreamRecord[Any]) -> None:
        number = int(record.sequence_number or "")
        self._begin(number, record.keys["PK"])
        await asyncio.sleep(0.0002 * (number * 7 % 3) if self._concurrent else 0)
        self._end(number, record.keys["PK"])

    def _begin(self, number: int, item: object) -> None:
        with self._lock:
            self.begun[-1].append(number)
            if item in self._inside:
                self.overlaps.append(number)
            self._inside.add(item)

    def _end(self, number: int, item: object) -> None:
        """Behave as the record's fault says."""
        fault = self._faults.get(number)
        fails = fault is not None and fault.kind != "slow" and fault.times > 0
        with self._lock:
            self._inside.discard(item)
            self.ended[-1].append((number, "failed" if fails else "handled"))
            if not fails:
                self.handled.append((number, len(self.begun) - 1))
            if fault is not None and fault.kind == "slow":
                self._clock.sleep(1)
        if fault is not None and fails:
            fault.times -= 1
            raise SystemExit if fault.kind == "fatal" else ValueError(fault.kind)


faults = st.builds(
    Fault,
    st.sampled_from(["retry", "retry", "skip", "dead", "slow", "fatal"]),
    st.sampled_from([1, 2, 5, 10_000]),
)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[int], dict[int, Fault], dict[str, Any], dict[str, Any]]:
    """The items of a stream, the faults in it, the function's options, the mapping's."""
    items = draw(st.lists(st.integers(0, 3), min_size=1, max_size=25))
    bad = draw(st.dictionaries(st.integers(0, len(items) - 1), faults, max_size=4))
    report = draw(st.booleans())
    function = {
        "report_batch_item_failures": report,
        "concurrency": draw(st.sampled_from([1, 2, 4])),
        "deadline_margin": draw(st.sampled_from([None, 1, 3])) if report else None,
        "is_async": draw(st.booleans()),
    }
    mapping = {
        "batch_size": draw(st.integers(1, 12)),
        "parallelization_factor": draw(st.sampled_from([1, 2, 10])),
        "maximum_retry_attempts": draw(st.sampled_from([-1, 0, 1, 3])),
        "maximum_record_age_in_seconds": draw(st.sampled_from([-1, -1, 600])),
        "bisect_batch_on_function_error": draw(st.booleans()),
        "timeout": draw(st.sampled_from([4, 900])),
        "function_response_types": ["ReportBatchItemFailures"] if report else [],
    }
    return items, bad, function, mapping


def of_item(numbers: list[int], items: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number in numbers:
        found.setdefault(items[number], []).append(number)
    return found


@given(rounds())
def test_every_record_ends_handled_or_put_aside_and_items_stay_in_order(
    drawn: tuple[list[int], dict[int, Fault], dict[str, Any], dict[str, Any]],
) -> None:
    items, bad, options, parameters = drawn
    clock, dead_letters = FakeClock(), []
    function = Function(
        clock,
        bad,
        dispositions={"skip": Disposition.SKIP, "dead": Disposition.DEAD_LETTER},
        dead_letters=dead_letters,
        **options,
    )
    records = [wire_record("MODIFY", n, key=f"P#{item}") for n, item in enumerate(items)]
    mapping = EventSourceMapping(function, records, clock=clock, **parameters)
    mapping.run()
    for invocation in mapping.invocations:
        note(f"{invocation.sequence_numbers} -> {invocation.done} {invocation.reason}")

    handled = {number for number, _ in function.handled}
    skipped = {n for n, fault in bad.items() if fault.kind == "skip"}
    aside = {int(record["dynamodb"]["SequenceNumber"]) for record in mapping.given_up}
    lost = {int(record["dynamodb"]["SequenceNumber"]) for record in mapping.lost}
    ends = handled | skipped | set(dead_letters) | aside | lost
    assert ends == set(range(len(items))), "a record is lost"
    if parameters["maximum_retry_attempts"] >= 0:
        assert not lost
    event("given up" if aside else "nothing given up")

    for numbers in of_item(
        list(dict.fromkeys(n for b in function.begun for n in b)), items
    ).values():
        assert numbers == sorted(numbers), "an item's first deliveries are out of order"
    assert not function.overlaps, "two records of an item were at work at once"
    for ended in function.ended:
        dispositions = {n: bad[n].kind for n, how in ended if how == "failed"}
        for number, kind in dispositions.items():
            if kind in {"retry", "fatal"}:
                behind = [n for n, _ in ended if items[n] == items[number] and n > number]
                assert not behind, "something ran after a failure of its item"


@given(rounds())
def test_a_record_comes_again_only_where_the_rules_force_it(
    drawn: tuple[list[int], dict[int, Fault], dict[str, Any], dict[str, Any]],
) -> None:
    items, bad, options, parameters = drawn
    options = {**options, "report_batch_item_failures": True, "concurrency": 1}
    parameters = {**parameters, "function_response_types": ["ReportBatchItemFailures"]}
    clock = FakeClock()
    for fault in bad.values():
        fault.kind = "retry" if fault.kind in {"fatal", "slow"} else fault.kind
    function = Function(
        clock,
        bad,
        dispositions={"skip": Disposition.SKIP, "dead": Disposition.DEAD_LETTER},
        dead_letters=[],
        **options,
    )
    records = [wire_record("MODIFY", n, key=f"P#{item}") for n, item in enumerate(items)]
    EventSourceMapping(function, records, clock=clock, **parameters).run()
    repeated = {n for n, times in Counter(n for n, _ in function.handled).items() if times > 1}
    assert not repeated, "in order and reporting, a handled record never comes again"


@pytest.mark.slow
@settings(max_examples=400)
@given(rounds())
def test_the_same_for_many_more_rounds(
    drawn: tuple[list[int], dict[int, Fault], dict[str, Any], dict[str, Any]],
) -> None:
    test_every_record_ends_handled_or_put_aside_and_items_stay_in_order.hypothesis.inner_test(drawn)
