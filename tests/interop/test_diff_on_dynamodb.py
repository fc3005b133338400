"""Update expressions, executed: DynamoDB's own engine turns the old item into the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ddbstream import diff, from_item, to_item
from ddbstream._diff import diff_images
from tests.property.diff_items import PAIRS as ANY_PAIRS
from tests.property.diff_items import VALUES, changed, frozen

if TYPE_CHECKING:
    from tests.support.dynamodb_local import DynamoDBLocal, Table

pytestmark = pytest.mark.dynamodb_local

KEY = {"PK": {"S": "Product#1"}, "SK": {"S": "User#Product"}}


def _besides_the_key(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    old, new = ({n: value for n, value in item.items() if n not in KEY} for item in pair)
    return old, new


# Hypothesis draws text from the string literals of the code under test, "PK" and "SK" among them:
# those two are the table's.
PAIRS = ANY_PAIRS.map(_besides_the_key)


def many(test: Any) -> Any:
    """A property that asks DynamoDB Local; the thorough profile tries more pairs."""
    enough = settings(
        max_examples=max(250, settings().max_examples),
        suppress_health_check=[HealthCheck.too_slow],
    )
    return pytest.mark.slow(enough(test))


class Stored:
    """One item of the table, without its key."""

    def __init__(self, server: DynamoDBLocal, table: Table) -> None:
        self._client = server.dynamodb
        self._table = table.name

    def put(self, item: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item={**item, **KEY})

    def delete(self) -> None:
        self._client.delete_item(TableName=self._table, Key=KEY)

    def get(self) -> dict[str, Any]:
        item = self._client.get_item(TableName=self._table, Key=KEY).get("Item", {})
        return {name: value for name, value in item.items() if name not in KEY}

    def update(self, **arguments: Any) -> None:
        self._client.update_item(TableName=self._table, Key=KEY, **arguments)

    def refuses(self, **arguments: Any) -> bool:
        try:
            self.update(**arguments)
        except self._client.exceptions.ConditionalCheckFailedException:
            return True
        return False


@pytest.fixture(scope="module")
def stored(dynamodb_local: DynamoDBLocal):
    with dynamodb_local.table() as table:
        yield Stored(dynamodb_local, table)


@many
@given(PAIRS, st.sampled_from(["index", "align"]), st.sampled_from([False, True, "changes"]))
def test_an_update_turns_the_old_item_into_the_new_one(
    stored: Stored, pair: tuple[Any, Any], lists: Any, condition: Any
):
    old, new = pair
    stored.put(to_item(old))
    change = diff(old, new, lists=lists, wire=False)
    arguments = change.to_update_expression(condition=condition)
    for clause in ("SET", "REMOVE", "ADD", "DELETE"):
        event(f"{clause}: {clause in arguments.get('UpdateExpression', '')}")
    stored.update(**arguments)
    assert frozen(from_item(stored.get())) == frozen(new)
    if condition and change:
        # The item now is the new one, which is not what the diff starts from.
        assert stored.refuses(**arguments)
        assert frozen(from_item(stored.get())) == frozen(new)


@many
@given(PAIRS, st.sampled_from(["index", "align"]), st.sampled_from(["boto3", "json"]))
def test_an_update_from_a_records_images_needs_no_table_knowledge(
    stored: Stored, pair: tuple[Any, Any], lists: Any, wire: Any
):
    keys = from_item(KEY)
    old, new = ({**to_item(item, wire=wire), **to_item(keys, wire=wire)} for item in pair)
    change = diff_images(old, new, lists=lists, keys=tuple(KEY))
    stored.put(to_item(pair[0]))
    stored.update(**change.to_update_expression(condition=True))
    assert frozen(from_item(stored.get())) == frozen(pair[1])
    stored.update(**change.invert().to_update_expression(condition="changes"))
    assert frozen(from_item(stored.get())) == frozen(pair[0])


@many
@given(PAIRS.filter(lambda pair: pair[0]), st.data())
def test_a_conditional_update_refuses_an_item_that_differs_anywhere_in_the_old_one(
    stored: Stored, pair: tuple[Any, Any], data: st.DataObject
):
    old, new = pair
    arguments = diff(old, new, wire=False).to_update_expression(condition="item")
    name = data.draw(st.sampled_from(sorted(old)))
    other = {**old, name: data.draw(changed(old[name]))}
    stored.put(to_item(other))
    assert stored.refuses(**arguments) == (frozen(other) != frozen(old))


@many
@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.booleans())
def test_an_insert_is_an_update_of_nothing_and_refuses_an_item_that_is_there(
    stored: Stored, new: dict[str, Any], there: bool
):
    stored.delete()
    if there:
        stored.put({})
    change = diff_images(None, {**to_item(new), **KEY}, keys=tuple(KEY))
    arguments = change.to_update_expression(condition=True)
    assert stored.refuses(**arguments) == there
    if not there:
        assert frozen(from_item(stored.get())) == frozen(new)


SETS = st.dictionaries(st.sampled_from(["s", "t.u"]), st.sets(st.sampled_from("abc")), min_size=1)


@many
@given(SETS, SETS, st.sampled_from(["SS", "BS", "NS"]))
def test_sets_grow_shrink_and_go_when_they_are_empty(
    stored: Stored, old: dict[str, set[str]], new: dict[str, set[str]], tag: Any
):
    def item(sets: dict[str, set[str]], *, with_empty: bool) -> dict[str, Any]:
        found = {}
        for name, members in sets.items():
            if members or with_empty:
                found[name] = {tag: [_member(tag, member) for member in sorted(members)]}
        return {**found, "inside": {"M": dict(found)}}

    stored.put(item(old, with_empty=False))
    change = diff_images(item(old, with_empty=True), item(new, with_empty=True))
    arguments = change.to_update_expression(condition=True)
    stored.update(**arguments)
    assert frozen(from_item(stored.get())) == frozen(from_item(item(new, with_empty=False)))


def _member(tag: str, member: str) -> Any:
    return {"SS": member, "BS": member.encode(), "NS": str(ord(member))}[tag]


def test_an_expression_over_4_kb_sets_whole_attributes(stored: Stored):
    old = {f"map{i}": {f"name-{j}": j for j in range(100)} for i in range(20)}
    new = {**old, **{f"map{i}": dict.fromkeys(old[f"map{i}"], i) for i in range(5, 15)}}
    stored.put(to_item(old))
    arguments = diff(old, new).to_update_expression()
    assert len(arguments["UpdateExpression"]) <= 4096
    stored.update(**arguments)
    assert frozen(from_item(stored.get())) == frozen(new)


def test_a_condition_on_150_attributes_is_the_most_that_dynamodb_takes(stored: Stored):
    old = {f"a{i}": i for i in range(150)}
    new = {**old, "a0": -1}
    stored.put(to_item(old))
    stored.update(**diff(old, new).to_update_expression(condition="item"))
    assert frozen(from_item(stored.get())) == frozen(new)


def test_paths_of_30_levels_are_updated_where_they_end(stored: Stored):
    def nested(value: int) -> Any:
        found: Any = value
        for level in range(28):
            found = [found] if level % 2 else {"size": found, "b.c": level}
        return found

    old, new = {"a": nested(1), "b": 1}, {"a": nested(2), "b": 1}
    stored.put(to_item(old))
    arguments = diff(old, new).to_update_expression(condition="changes")
    assert list(arguments["ExpressionAttributeValues"].values()) == [{"N": "2"}, {"N": "1"}]
    stored.update(**arguments)
    assert frozen(from_item(stored.get())) == frozen(new)


def test_a_key_attribute_that_is_not_left_out_is_dynamodbs_to_refuse(stored: Stored):
    change = diff_images(None, {**KEY, "a": {"N": "1"}})
    with pytest.raises(ClientError, match="part of the key"):
        stored.update(**change.to_update_expression())
