"""What the published strategies draw is what DynamoDB stores, and what ddbstream reads back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from ddbstream import Attribute, Epoch, Insert, Modify, Remove, from_item, keys, parse, to_item
from ddbstream.testing.strategies import (
    batches,
    from_model,
    items,
    lambda_events,
    numbers,
    records,
    shard_trees,
    values,
    wire_items,
)

# Enough to find what is rare, whatever the profile of the run.
MANY = settings(max_examples=20_000, deadline=None)
# Whether something is drawn at all: the smallest such draw is not asked for.
SEEN = settings(
    max_examples=2000,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


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


class State(Enum):
    OPEN = "open"
    PAID = "paid"


class Address(NamedTuple):
    street: str
    number: int


class Note(TypedDict, total=False):
    text: str
    stars: Literal[1, 2, 3]


@dataclass
class Node:
    value: int
    children: list[Node] = field(default_factory=list)
    parent: Node | None = None


@keys(PK="Customer#{customer}", SK="Order#{number:06d}")
@dataclass
class Order:
    customer: str
    number: int
    id: UUID
    state: State
    at: datetime
    expires: Annotated[datetime, Epoch("s")]
    weight: float
    tags: set[str]
    lines: list[dict[str, Decimal]]
    address: Address | None
    note: Note
    anything: Any
    tree: Node
    first: Annotated[Address, Attribute(stored_as="L")]
    seen: Annotated[list[str] | None, Attribute(stored_as="SS")]
    owner: Annotated[Priced | Node, Attribute(tags={"priced": Priced, "node": Node})]
    count: int = 7


@settings(max_examples=40)
@given(from_model(Order))
def test_an_instance_of_a_model_is_written_and_read_back_equal(order: Order) -> None:
    assert from_item(to_item(order), Order) == order
    assert "#" not in order.customer
    assert order.customer
    assert order.at.tzinfo is not None


@pytest.mark.parametrize(
    "wanted",
    [
        lambda order: order.count == 7,
        lambda order: order.count != 7,
        lambda order: not order.tags,
        lambda order: order.tags,
        lambda order: order.tree.children,
        lambda order: order.address is None,
        lambda order: order.address is not None,
        lambda order: order.state is State.PAID,
        lambda order: not order.note,
    ],
)
def test_what_a_model_leaves_open_is_drawn_both_ways(wanted: Any) -> None:
    assert find(from_model(Order), wanted, settings=SEEN)


@settings(max_examples=10)
@given(from_model(Order, state=st.just(State.PAID), customer=st.just("7")))
def test_a_field_takes_the_strategy_that_is_given_for_it(order: Order) -> None:
    assert (order.state, order.customer) == (State.PAID, "7")


@pytest.mark.parametrize("library", ["pydantic", "msgspec", "attrs"])
def test_the_classes_of_other_libraries_are_drawn_with_their_limits(library: str) -> None:
    made = other_class(library)

    @settings(max_examples=30)
    @given(from_model(made))
    def round_trip(one: Any) -> None:
        assert from_item(to_item(one), made) == one
        if library != "attrs":
            assert 0 < one.price <= 10
            assert 2 <= len(one.name) <= 4

    round_trip()


def other_class(library: str) -> Any:
    module = pytest.importorskip(library)
    if library == "pydantic":
        price = Annotated[Decimal, module.Field(gt=0, le=10)]
        name = Annotated[str, module.Field(min_length=2, max_length=4)]
        return module.create_model("Made", price=(price, ...), name=(name, ...))
    if library == "msgspec":
        price = Annotated[int, module.Meta(gt=0, le=10)]
        name = Annotated[str, module.Meta(min_length=2, max_length=4)]
        return module.defstruct("Made", [("price", price), ("name", name)])
    return module.make_class(
        "Made", {"price": module.field(type=int), "_name": module.field(type=str)}
    )


def test_what_is_no_model_or_no_field_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="takes a class with fields"):
        from_model(int)
    with pytest.raises(TypeError, match="Priced has no field 'cost'"):
        from_model(Priced, cost=st.integers())


@keys(PK="Line#{order}", SK="{number}")
@dataclass
class Line:
    order: str
    number: int
    paid: bool


ONE_TABLE = st.one_of(
    from_model(Line), st.builds(Priced, PK=st.sampled_from("ab"), price=st.integers(1, 9))
)


@settings(max_examples=30)
@given(st.one_of(batches(ONE_TABLE), batches(max_size=3)))
def test_in_a_batch_every_item_has_a_history_that_can_be(batch: Any) -> None:
    assert 1 <= len(batch) <= 10
    found = list(parse(batch))
    assert [one.raw for one in found] == batch
    assert len({one.table_name for one in found}) == 1
    numbers_of = [int(one.sequence_number or 0) for one in found]
    assert numbers_of == sorted(set(numbers_of))
    now: dict[str, Any] = {}
    for record in batch:
        change = record["dynamodb"]
        identity = json.dumps(change["Keys"], sort_keys=True)
        old, new = change.get("OldImage"), change.get("NewImage")
        assert (old, new) != (None, None)
        assert old != new
        assert now.get(identity, old) == old
        now[identity] = new
        assert all(change["Keys"].items() <= image.items() for image in (old, new) if image)


@pytest.mark.parametrize("event", ["INSERT", "MODIFY", "REMOVE"])
def test_batches_hold_each_event_twice_for_one_item(event: str) -> None:
    one_item = st.builds(Priced, PK=st.just("a"), price=numbers())

    def wanted(batch: Any) -> bool:
        return [one["eventName"] for one in batch].count(event) >= 2

    assert find(batches(one_item), wanted, settings=SEEN)


def test_the_records_of_a_batch_carry_what_their_view_type_does() -> None:
    batch = find(
        batches(view_type="KEYS_ONLY", min_size=2, max_size=2), lambda _: True, settings=SEEN
    )
    assert [one["dynamodb"]["StreamViewType"] for one in batch] == ["KEYS_ONLY", "KEYS_ONLY"]
    assert not any({"NewImage", "OldImage"} & one["dynamodb"].keys() for one in batch)


@given(shard_trees())
def test_a_child_comes_after_its_parent_which_is_closed(shards: Any) -> None:
    assert 1 <= len(shards) <= 12
    by_id = {shard["ShardId"]: shard["SequenceNumberRange"] for shard in shards}
    assert len(by_id) == len(shards)
    for shard in shards:
        numbers = shard["SequenceNumberRange"]
        last = numbers.get("EndingSequenceNumber")
        assert last is None or int(last) >= int(numbers["StartingSequenceNumber"])
        if (parent := by_id.get(shard.get("ParentShardId"))) is not None:
            assert int(parent["EndingSequenceNumber"]) < int(numbers["StartingSequenceNumber"])


@pytest.mark.parametrize(
    "wanted",
    [
        lambda shards, ids: len({s.get("ParentShardId") for s in shards} & ids) > 1,
        lambda shards, ids: any(s.get("ParentShardId", "") not in ids | {""} for s in shards),
        lambda shards, ids: [s["ShardId"] for s in shards] != sorted(ids),
        lambda shards, ids: all("EndingSequenceNumber" in s["SequenceNumberRange"] for s in shards),
        lambda shards, ids: max(map([s.get("ParentShardId") for s in shards].count, ids)) == 2,
    ],
)
def test_trees_split_lose_their_roots_and_come_in_any_order(wanted: Any) -> None:
    assert find(shard_trees(), lambda s: wanted(s, {one["ShardId"] for one in s}), settings=SEEN)
