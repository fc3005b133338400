"""Models against AWS's own engine: what it takes comes back equal; we refuse what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("attrs")
pytest.importorskip("msgspec")

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ddbstream import from_attribute_value, to_attribute_value, to_item
from ddbstream._model import codec_for
from ddbstream.exceptions import EncodeError
from tests.property.random_models import Kind, decimals, models

if TYPE_CHECKING:
    from tests.support.dynamodb_local import DynamoDBLocal, Table

pytestmark = pytest.mark.dynamodb_local

KEY = {"PK": {"S": "Model#1"}, "SK": {"S": "-"}}
#: DynamoDB counts the innermost value as a level, and refuses an empty container there.
MOST_CONTAINERS = 31


class Stored:
    """One attribute of the table's only item."""

    def __init__(self, server: DynamoDBLocal, table: Table) -> None:
        self._client = server.dynamodb
        self._table = table.name

    def keep(self, value: Any) -> Any:
        """Store an attribute value, and read it as DynamoDB has it."""
        self._client.put_item(TableName=self._table, Item={**KEY, "a": value})
        return self._client.get_item(TableName=self._table, Key=KEY)["Item"]["a"]

    def refuses(self, value: Any) -> bool:
        try:
            self.keep(value)
        except ClientError:
            return True
        return False


@pytest.fixture
def stored(dynamodb_local: DynamoDBLocal, local_table: Table) -> Stored:
    return Stored(dynamodb_local, local_table)


def has_an_empty_name(value: Any) -> bool:
    """Whether a map in it has the attribute name ``""``, which DynamoDB does not take."""
    if isinstance(value, dict):
        names = value["M"] if isinstance(value.get("M"), dict) else {}
        return "" in names or any(map(has_an_empty_name, value.values()))
    return isinstance(value, list) and any(map(has_an_empty_name, value))


def as_a_set(tag: str, written: list[Any], kept: list[Any]) -> list[Any]:
    """A set's values as they came back, in the order of what was written."""
    value: Any = Decimal if tag == "NS" else lambda one: one
    places = {value(one): place for place, one in enumerate(written)}
    return sorted(kept, key=lambda one: places[value(one)])


def in_order_of(written: Any, kept: Any) -> Any:
    """What came back, its maps and sets in the order of what was written.

    DynamoDB keeps no order of either, and to an OrderedDict, or to a list that is stored as a set,
    that is all the difference.
    """
    if isinstance(written, dict):
        assert written.keys() == kept.keys()
        return {
            name: as_a_set(name, value, kept[name])
            if name in ("SS", "NS", "BS") and isinstance(value, list)
            else in_order_of(value, kept[name])
            for name, value in written.items()
        }
    if isinstance(written, list):
        return [in_order_of(one, other) for one, other in zip(written, kept, strict=True)]
    return kept


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=models())
def test_every_model_comes_back_equal_from_dynamodb(
    stored: Stored, data: st.DataObject, kind: Kind
) -> None:
    obj = data.draw(kind.values)
    item: Any = to_item(obj)
    assume(not has_an_empty_name({"M": item}))
    codec: Any = codec_for(kind.annotation)
    assert codec.decode(in_order_of(item, stored.keep({"M": item})["M"])) == obj


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(number=decimals())
def test_every_number_comes_back_equal_from_dynamodb(stored: Stored, number: Decimal) -> None:
    assert from_attribute_value(stored.keep(to_attribute_value(number))) == number


@pytest.mark.parametrize(
    "number",
    [
        Decimal("9." + "9" * 37 + "E+125"),
        Decimal("-9." + "9" * 37 + "E+125"),
        Decimal("1E-130"),
        Decimal("1E+125"),
        Decimal("1" + "0" * 60),
        Decimal("1.0000000000000000000000000000000000000000000"),
        10**60,
        10**125,
        1e-130,
        -0.0,
        Decimal("-0"),
        Decimal("0E+500"),
    ],
    ids=str,
)
def test_the_limits_of_numbers_are_dynamodbs(stored: Stored, number: Any) -> None:
    assert from_attribute_value(stored.keep(to_attribute_value(number))) == Decimal(str(number))


@pytest.mark.parametrize(
    "number",
    [Decimal("1E+126"), Decimal("1E-131"), Decimal("1" * 39), Decimal("NaN"), 10**126, 1e-131],
    ids=str,
)
def test_a_number_that_we_refuse_is_one_that_dynamodb_refuses(stored: Stored, number: Any) -> None:
    with pytest.raises(EncodeError):
        to_attribute_value(number)
    assert stored.refuses({"N": str(number)})


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_all_the_levels_that_dynamodb_takes_are_written_and_read(stored: Stored) -> None:
    deep = nested(MOST_CONTAINERS)
    assert from_attribute_value(stored.keep(to_attribute_value(deep))) == deep
    assert stored.refuses({"L": [to_attribute_value(deep)]})


def test_what_dynamodb_does_not_store_is_refused(stored: Stored) -> None:
    for value in (set(), frozenset()):
        with pytest.raises(EncodeError):
            to_attribute_value(value)
    assert stored.refuses({"SS": []})
