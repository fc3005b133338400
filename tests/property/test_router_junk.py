"""A record that is anything at all is at most a failure of its own, never of dispatch."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ddbstream import (
    BatchResult,
    StreamRouter,
    by_attribute,
    by_key_prefix,
    by_keys,
    by_table_name,
    keys,
)
from ddbstream.exceptions import DDBStreamError, PayloadError
from tests.support.stream_records import wire_record


@keys(PK="P#{id}")
class P:
    id: str


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())
names = st.sampled_from(
    [
        "dynamodb",
        "eventName",
        "eventID",
        "eventSourceARN",
        "Keys",
        "NewImage",
        "OldImage",
        "PK",
        "S",
    ]
) | st.text(max_size=3)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
classifiers = st.sampled_from(
    [by_table_name(), by_key_prefix("PK"), by_attribute("PK"), by_keys(P)]
)


@st.composite
def broken_records(draw: st.DrawFn) -> Any:
    """A good record with something in it exchanged, or junk."""
    record: Any = wire_record(draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"])))
    place = draw(
        st.sampled_from([(), ("dynamodb",), ("dynamodb", "Keys"), ("dynamodb", "NewImage")])
    )
    inside = record
    for name in place:
        inside = inside.get(name, {})
    inside[draw(names)] = draw(junk)
    return draw(st.sampled_from([record, draw(junk)]))


@given(st.lists(broken_records(), max_size=4), classifiers, st.sampled_from([1, 3]))
def test_dispatch_gives_a_result_or_says_that_it_is_no_payload(
    records: list[Any], classify: Any, concurrency: int
) -> None:
    router = StreamRouter(classify=classify)
    pattern = {"dynamodb": {"NewImage": {"PK": {"S": ["x"]}}}}
    for options in ({}, {"changed": "PK"}, {"pattern": pattern}, {"ttl": False}):
        router.on_change("P", **options)(lambda record: (record.keys, record.event_source_arn))
        router.on_change(**options)(lambda record: record.diff)
    payload = [wire_record(), *records]
    try:
        result = router.dispatch(payload, concurrency=concurrency)
    except PayloadError:
        return
    assert isinstance(result, BatchResult)
    for _, error in result.failures:
        assert isinstance(error, DDBStreamError)
