"""What is read by a person or a log is printable, whatever the names in it are."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream import StreamRouter, diff, from_item, parse, to_item
from ddbstream._values.paths import Path, parse_path
from ddbstream.exceptions import DDBStreamError, RecordError, printable
from ddbstream.poller import CallFailed, Metrics, SaveFailed
from ddbstream.poller._log import log_event
from ddbstream.testing import insert

# Sets a terminal's title and clears it, goes back and forges a line, turns what follows around,
# breaks a line for JavaScript, begins a sequence in eight bits, is half a character, is invisible.
HOSTILE = "\x1b]0;PWNED\x07\x1b[2J\r\nERROR forged\u202e\u2066\u2028\x9b31m\ud800\ufeff\x00\x7f\xad"


def harmless(text: str) -> bool:
    return text.isprintable()


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_printable_is_as_it_was_and_the_rest_is_escaped_as_in_json(text: str) -> None:
    shown = printable(text)
    assert harmless(shown)
    if text.isprintable():
        assert shown == text
    shown.encode()  # a log or a terminal can write it


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Zl", "Zp"])
def test_no_character_of_a_category_that_acts_on_the_line_is_left(category: str) -> None:
    every = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == category]
    assert every
    assert all(harmless(printable(one)) for one in every)


def test_newlines_are_kept_where_lines_are_meant() -> None:
    assert printable("a\n\tb\x1b", lines=True) == "a\n\\u0009b\\u001b"


@dataclass
class Item:
    PK: str
    by_name: dict[str, int]


BAD = {
    "eventID": HOSTILE,
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"a": {HOSTILE: ""}}, "StreamViewType": HOSTILE},
}
FAULTS: list[Callable[[], object]] = [
    lambda: from_item({"PK": {"S": "x"}, "by_name": {"M": {HOSTILE: {"S": "x"}}}}, Item),
    lambda: from_item({HOSTILE: {"N": "x"}}),
    lambda: from_item({"x": {HOSTILE: "x"}}),
    lambda: to_item({HOSTILE: object()}),
    lambda: parse({HOSTILE: 1}),
    lambda: parse([{HOSTILE: 1}]),
    lambda: next(parse([BAD])).new,  # type: ignore[attr-defined]
    lambda: parse_path(HOSTILE + "["),
    lambda: diff({HOSTILE: 1}, {HOSTILE: 2}).apply({}),
]


@pytest.mark.parametrize("attempt", FAULTS)
def test_no_error_has_a_character_that_acts_on_what_shows_it(
    attempt: Callable[[], object],
) -> None:
    with pytest.raises(DDBStreamError) as raised:
        attempt()
    error = raised.value
    for text in (str(error), repr(error), error.problem, *map(str, error.args)):
        assert harmless(text)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(again) == str(error)


def test_what_is_added_to_an_error_later_is_escaped_too() -> None:
    error = RecordError("odd").located(HOSTILE, event_id=HOSTILE, sequence_number=HOSTILE)
    assert harmless(str(error))


def test_paths_and_diffs_have_a_line_a_change() -> None:
    found = diff({HOSTILE: HOSTILE, "b": Odd()}, {HOSTILE: "x", "b": 1})
    assert len(str(found).split("\n")) == len(found) == 2
    assert all(map(harmless, str(found).split("\n")))
    assert all(harmless(str(change.path)) for change in found)
    assert all(harmless(repr(change.path)) for change in found)
    assert parse_path(str(Path.of((HOSTILE,)))) == (HOSTILE,)


class Odd(str):
    """A value whose own text is hostile."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HOSTILE


def test_a_record_and_an_explanation_are_printable() -> None:
    router = StreamRouter(classify=lambda _: HOSTILE)
    router.on_insert("Order")(print)
    record = next(parse([insert({"a": {"S": ""}}, event_id=HOSTILE)]))
    assert harmless(repr(record))
    assert all(map(harmless, str(router.explain(record)).split("\n")))


def test_a_routers_log_lines_are_printable(caplog: pytest.LogCaptureFixture) -> None:
    router = StreamRouter()

    @router.on_insert()
    def fails(record: Any) -> None:
        raise ValueError("x")

    router.on_error(lambda failure: "SKIP")
    with caplog.at_level(logging.DEBUG, logger="ddbstream"):
        router.dispatch([insert({"a": {"S": ""}}, event_id=HOSTILE)], stream_arn="arn")
    fields = [
        value
        for line in caplog.records
        for name, value in vars(line).items()
        if name.startswith("ddbstream_") and isinstance(value, str)
    ]
    assert any("PWNED" in value for value in fields)
    assert all(map(harmless, fields))


def test_a_pollers_log_lines_and_metrics_are_printable(caplog: pytest.LogCaptureFixture) -> None:
    events = [
        CallFailed(
            stream_arn="arn",
            shard_id=HOSTILE,
            operation="GetRecords",
            kind="transient",
            code=HOSTILE + '"\\',
            retry_in=1.0,
        ),
        SaveFailed(stream_arn="arn", shard_id=HOSTILE, code=HOSTILE, retry_in=1.0),
    ]
    metrics = Metrics()
    with caplog.at_level(logging.DEBUG, logger="ddbstream.poller"):
        for event in events:
            log_event(logging.getLogger("ddbstream.poller"), event)
            metrics.count(event)
    assert len(caplog.messages) == 2
    assert all(map(harmless, caplog.messages))
    lines = metrics.prometheus().split("\n")
    assert all(map(harmless, lines))
    (label,) = [line for line in lines if "calls_failed" in line]
    assert label.endswith('\\"\\\\"} 1')


def test_nothing_depends_on_comparing_bytes_with_text() -> None:
    """Where ``python -bb`` makes that an error, the answers are the same."""
    code = """
from ddbstream import diff, parse
from ddbstream.exceptions import DDBStreamError
old, new = {"a": {"B": b"x"}, "b": {"BS": [b"x"]}}, {"a": {"B": "eA=="}, "b": {"BS": ["eQ=="]}}
print(len(diff(old, new, wire=True)))
for payload in ({b"a": 1}, [{"eventName": "INSERT", "dynamodb": {
    "NewImage": {}, "ApproximateCreationDateTime": b"1"}}]):
    try:
        print([record.approximate_creation_datetime for record in parse(payload)])
    except DDBStreamError as error:
        print(type(error).__name__)
"""
    ran = subprocess.run(
        [sys.executable, "-bb", "-c", code], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("1\nPayloadError\nRecordError\n", "")
