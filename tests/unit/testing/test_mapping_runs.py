"""A simulated mapping ends its runs, whatever the function writes; it can be switched off."""

from __future__ import annotations

from typing import Any

import pytest

from ddbstream.testing import EventSourceMapping, FakeStream, insert


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
