"""What the published strategies draw is what DynamoDB stores, and what ddbstream reads back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from ddbstream import Insert, Modify, Remove, from_item, parse, to_item
from ddbstream.testing.strategies import (
    items,
    lambda_events,
    numbers,
    records,
    values,
    wire_items,
)

# Enough to find what is rare, whatever the profile of the run.
MANY = settings(max_examples=20_000, deadline=None)


@dataclass
class Priced:
    PK: str
    price: Decimal


@given(items())
def test_items_round_trip_on_both_wires(item: dict[str, Any]) -> None:
    assert from_item(to_item(item)) == item
    assert from_item(to_item(item, wire="json")) == item


@given(numbers())
def test_numbers_are_written_and_read_exactly(number: Decimal) -> None:
    assert from_item(to_item({"n": number})) == {"n": number}


def test_numbers_reach_both_ends_of_the_range_and_all_digits() -> None:
    assert find(numbers(), lambda number: number.adjusted() == 125, settings=MANY)
    assert find(numbers(), lambda number: number.adjusted() == -130, settings=MANY)
    assert find(numbers(), lambda number: len(number.as_tuple().digits) == 38, settings=MANY)


@pytest.mark.parametrize("tag", ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"])
def test_values_are_of_all_ten_types(tag: str) -> None:
    made = values().map(lambda value: to_item({"a": value})["a"])
    assert find(made, lambda value: tag in value, settings=MANY)


@given(wire_items(wire="json"))
def test_items_in_json_are_json(item: Any) -> None:
    assert from_item(json.loads(json.dumps(item))) == from_item(item)


@given(records())
def test_records_are_one_of_the_three_with_their_images(record: Any) -> None:
    (made,) = parse([record])
    assert isinstance(made, (Insert, Modify, Remove))
    assert made.diff is not None
    if isinstance(made, Modify):
        assert made.diff.apply(made.old) == made.new


@given(records(st.builds(Priced, PK=st.text("ab", min_size=1), price=numbers())))
def test_records_are_made_of_models_too(record: Any) -> None:
    (made,) = parse([record], Priced)
    image = made.old if isinstance(made, Remove) else made.new
    assert isinstance(image, Priced)


@settings(max_examples=25)
@given(lambda_events())
def test_events_are_read_as_they_are(event: Any) -> None:
    assert len(list(parse(event))) == len(event["Records"])
