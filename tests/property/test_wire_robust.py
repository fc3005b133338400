"""Whatever a payload holds, it is records or an error of ours: no other exception, and no value
shown.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbstream import testing
from ddbstream._records import MalformedRecord, StreamRecord
from ddbstream._wire import read
from ddbstream.exceptions import DDBStreamError
from ddbstream.replay import failed_batches

SECRET = "hunter2"

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [SECRET, "", "7", "INSERT", "eventName", "arn:aws:dynamodb:::table/", "\ud800"]
    ),
)
NAMES = st.sampled_from(
    [
        *("Records", "Messages", "dynamodb", "eventName", "eventID", "kinesis", "data"),
        *("Data", "sequenceNumber", "body", "Body", "messageId", "Sns", "Message", "TopicArn"),
        *("detail", "detail-type", "payload", "Item", "Metadata", "Keys", "NewImage", "OldImage"),
        *("S", "N", "B", "M", "L", "s3", "DDBStreamBatchInfo", "KinesisBatchInfo"),
        *("userIdentity", "SequenceNumber", "eventSourceARN"),
    ]
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)

OLD = {"PK": SECRET, "n": 1, "b": b"x", "l": [{"m": {1, 2}}], "aws:rep:updateregion": SECRET}
RECORDS: list[Any] = [
    testing.insert(OLD),
    testing.modify(OLD, {**OLD, "n": 2}),
    testing.remove(OLD, ttl=True),
]
FORMS: list[Callable[[], Any]] = [
    lambda: testing.tumbling_window_event(RECORDS),
    lambda: testing.get_records_page(RECORDS),
    lambda: testing.pipes_batch(RECORDS),
    lambda: testing.kinesis_event(RECORDS),
    lambda: testing.kinesis_page(RECORDS),
    lambda: testing.on_failure_message(RECORDS, payload="object"),
    lambda: testing.on_failure_message(RECORDS, payload="text"),
    lambda: testing.pipes_failure_message(RECORDS),
    lambda: testing.sqs_event(testing.sns_notification(testing.lambda_event(RECORDS))),
    lambda: testing.sqs_page(testing.on_failure_message(RECORDS)),
    lambda: testing.sns_event(testing.lambda_event(RECORDS)),
    lambda: testing.eventbridge_event(RECORDS[1]),
    lambda: [testing.incremental_export_line(record) for record in RECORDS],
    lambda: json.loads(testing.kinesis_data(RECORDS[0])),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, part in parts:
        found += places(part, (*path, name))
    return found


@st.composite
def broken_payloads(draw: st.DrawFn) -> Any:
    """A good payload, with one or two of its parts replaced or removed."""
    payload = copy.deepcopy(draw(st.sampled_from(FORMS))())
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(payload)))
        if not path:
            return draw(ANYTHING)
        holder = payload
        for name in path[:-1]:
            holder = holder[name]
        if draw(st.booleans()):
            holder[path[-1]] = draw(ANYTHING)
        else:
            del holder[path[-1]]
    return payload


ATTRIBUTES = [
    name
    for name, value in vars(StreamRecord).items()
    if isinstance(value, property) and not name.startswith("_")
]


def check(error: BaseException) -> None:
    assert isinstance(error, DDBStreamError), repr(error)
    assert SECRET not in str(error.problem) + str(error.expected) + str(error.found)


def read_one(record: StreamRecord[Any], name: str) -> None:
    try:
        value = getattr(record, name)
        if name == "diff":
            str(value)
    except AttributeError:
        assert name in {"new", "old"}
    except DDBStreamError as error:
        check(error)


def read_everything(payload: Any) -> None:
    try:
        records = list(read(payload))
    except DDBStreamError as error:
        check(error)
        return
    for record in records:
        if isinstance(record, MalformedRecord):
            check(record.error)
        for name in [*ATTRIBUTES, "new", "old"]:
            read_one(record, name)
        record.traits(ttl_attribute="n")
        repr(record)


@given(broken_payloads())
@example({"Records": [{"eventName": "INSERT", "dynamodb": {}, "eventSourceARN": []}]})
@example([{"eventName": "REMOVE", "dynamodb": {"OldImage": {"n": 7}}}])
def test_a_broken_payload_is_records_or_an_error_of_ours(payload: Any) -> None:
    read_everything(payload)


@given(ANYTHING)
def test_anything_is_records_or_an_error_of_ours(payload: Any) -> None:
    read_everything(payload)


@given(st.text() | st.binary())
def test_any_text_and_bytes_are_records_or_an_error_of_ours(payload: Any) -> None:
    read_everything(payload)


@given(broken_payloads())
def test_a_broken_message_is_a_batch_or_unreadable(payload: Any) -> None:
    for found in failed_batches(payload, fetch=lambda bucket, key: b"{}"):
        if hasattr(found, "error"):
            check(found.error)


@pytest.mark.parametrize("identifier", [{"S": SECRET}, [SECRET], 10**5000], ids=type)
def test_an_error_names_no_identifier_that_is_no_text(identifier: object) -> None:
    kinesis = {"kinesis": {"data": "{", "sequenceNumber": identifier}}
    message = {"messageId": identifier, "body": "{"}
    for broken in (kinesis, message):
        (record,) = read([broken])
        assert isinstance(record, MalformedRecord)
        assert (record.error.event_id, record.error.sequence_number) == (None, None)
        assert SECRET not in str(record.error)


@pytest.mark.parametrize("form", FORMS)
def test_the_payloads_that_are_broken_here_are_good(form: Callable[[], Any]) -> None:
    payload = form()
    records = list(read(payload if isinstance(payload, list) else [payload]))
    assert records
    for record in records:
        # A pointer without its records is the one thing here that is none.
        if isinstance(record, MalformedRecord):
            assert "ddbstream.replay" in str(record.error)
