"""A simulated mapping ends its runs, whatever the function writes; it can be switched off."""

from __future__ import annotations

from typing import Any

import pytest

from ddbstream.testing import EventSourceMapping, FakeClock, FakeStream, insert


def feeding(stream: FakeStream) -> Any:
    def handler(event: Any, context: Any) -> None:
        for number in range(len(event["Records"])):
            stream.put({"PK": {"S": f"again-{stream.clock.time()}-{number}"}})

    return handler


def test_a_run_of_some_seconds_ends_although_the_function_feeds_its_own_table() -> None:
    stream = FakeStream()
    stream.put({"PK": {"S": "first"}})
    mapping = EventSourceMapping(feeding(stream), stream)
    began = mapping.clock.time()
    assert 200 < len(mapping.run(seconds=60)) <= 241
    assert mapping.clock.time() == began + 60
    assert len(mapping.run(seconds=1)) <= 5


def test_a_run_without_seconds_says_that_it_would_never_end() -> None:
    stream = FakeStream()
    stream.put({"PK": {"S": "first"}})
    with pytest.raises(RuntimeError, match="its own stream"):
        EventSourceMapping(feeding(stream), stream).run()


def test_what_a_function_puts_is_handled_in_the_same_run() -> None:
    handled: list[int] = []

    def handler(event: Any, context: Any) -> None:
        handled.append(len(event["Records"]))
        if len(handled) < 3:
            mapping.put([insert({"PK": str(len(handled))})])

    mapping = EventSourceMapping(handler, [insert({"PK": "0"})])
    mapping.run()
    assert handled == [1, 1, 1]


def test_a_disabled_mapping_waits_and_goes_on_when_it_is_enabled() -> None:
    mapping = EventSourceMapping(lambda event, context: None, [insert({"PK": "0"})])
    mapping.disable()
    assert mapping.run(seconds=5) == []
    mapping.enable()
    assert len(mapping.run()) == 1


def test_what_a_disabled_mapping_leaves_for_a_day_is_lost() -> None:
    mapping = EventSourceMapping(lambda event, context: None, [insert({"PK": "0"})])
    mapping.disable()
    mapping.run(seconds=24 * 3600 + 1)
    mapping.enable()
    assert mapping.run() == []
    assert len(mapping.lost) == 1


@pytest.mark.parametrize("step", [0.25, 1, 7.5, 60])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"maximum_batching_window_in_seconds": 20},
        {"tumbling_window_in_seconds": 30},
        {"bisect_batch_on_function_error": True, "maximum_retry_attempts": 3},
        {"parallelization_factor": 3, "maximum_batching_window_in_seconds": 5},
    ],
    ids=lambda value: "-".join(value) or "none",
)
@pytest.mark.parametrize("failing", [True, False])
def test_many_short_runs_invoke_the_function_when_one_long_run_does(
    settings: dict[str, Any], step: float, failing: bool
) -> None:
    def moments(step: float) -> list[tuple[float, int]]:
        clock, seen = FakeClock(1_767_225_600), []

        def handler(event: Any, context: Any) -> Any:
            seen.append((clock.time(), len(event["Records"])))
            if failing:
                raise ValueError
            return {"state": {}}

        records = [insert({"PK": str(number)}) for number in range(3)]
        mapping = EventSourceMapping(handler, records, clock=clock, **settings)
        for _ in range(int(120 / step)):
            mapping.run(seconds=step)
        return seen

    assert moments(step) == moments(120)
