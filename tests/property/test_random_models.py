"""Random classes round-trip: both ways, on both wires, with boto3's serializer as an oracle.

``HYPOTHESIS_PROFILE=thorough`` runs the long mode: 2,000 classes and 100,000 values.
"""

from __future__ import annotations

import dataclasses
import decimal
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

pytest.importorskip("attrs")
pytest.importorskip("msgspec")
pytest.importorskip("pydantic")
boto3_types = pytest.importorskip("boto3.dynamodb.types")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from ddbstream import from_attribute_value, from_item, to_attribute_value, to_item  # noqa: E402
from ddbstream._model import codec_for  # noqa: E402
from ddbstream.exceptions import DDBStreamError  # noqa: E402
from tests.property.random_models import Kind, models, plain, plain_items  # noqa: E402

THOROUGH = settings().max_examples > 1000
CLASSES, VALUES = (2000, 55) if THOROUGH else (40, 5)  # some classes have few values
some_classes = settings(
    max_examples=CLASSES,
    suppress_health_check=list(HealthCheck),
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down: 1 is not True, and no Decimal is a float."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        # keys may be equal and of other types: 1 and True
        pairs = zip(sorted(one, key=repr), sorted(other, key=repr), strict=True)
        return one == other and all(same(a, b) and same(one[a], other[b]) for a, b in pairs)
    if isinstance(one, AbstractSet):
        return one == other and sorted(map(repr, one)) == sorted(map(repr, other))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    fields = fields_of(one)
    if fields is not None:
        return all(same(getattr(one, name), getattr(other, name)) for name in fields)
    return bool(one == other)


def fields_of(one: Any) -> list[str] | None:
    """The names of a model's fields, whatever library it is of."""
    if dataclasses.is_dataclass(one):
        return [f.name for f in dataclasses.fields(one)]
    if hasattr(one, "__attrs_attrs__"):
        return [f.name for f in one.__attrs_attrs__]
    if hasattr(one, "__struct_fields__"):
        return list(one.__struct_fields__)
    return list(type(one).model_fields) if hasattr(one, "model_fields_set") else None


def sorted_sets(value: Any) -> Any:
    """A wire value with its sets in order, and boto3's binaries as bytes."""
    if isinstance(value, dict):
        return {
            name: sorted(map(sorted_sets, member))
            if name in ("SS", "NS", "BS") and isinstance(member, list)
            else sorted_sets(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [sorted_sets(member) for member in value]
    return value.value if isinstance(value, boto3_types.Binary) else value


def as_plain(value: Any) -> Any:
    """What boto3's deserializer gives, with bytes for its ``Binary``."""
    if isinstance(value, boto3_types.Binary):
        return bytes(value.value)
    if isinstance(value, dict):
        return {name: as_plain(member) for name, member in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(as_plain(member) for member in value)
    return value


def boto3_reads(item: dict[str, Any]) -> Any:
    """The item as boto3 reads it, or None where it cannot: below 1E-128 its context underflows."""
    try:
        return as_plain(boto3_types.TypeDeserializer().deserialize({"M": item}))
    except decimal.DecimalException:
        return None


def check_round_trip(codec: Any, obj: Any) -> None:
    for wire in ("json", "boto3"):
        item: Any = to_item(obj, wire=wire)  # type: ignore[arg-type]
        assert same(codec.decode(item), obj)
        assert same(codec.read_slowly(item), obj)
        assert sorted_sets(codec.encode(codec.decode(item), wire)) == sorted_sets(item)
        if wire == "json":
            assert same(codec.decode(json.loads(json.dumps(item))), obj)
    untyped = boto3_reads(item)
    if untyped is not None:
        assert same(from_item(item), untyped)


def test_every_value_of_every_class_round_trips() -> None:
    checked = {"classes": 0, "values": 0}

    @some_classes
    @given(models())
    def every_class(kind: Kind) -> None:
        codec: Any = codec_for(kind.annotation)
        checked["classes"] += 1

        @settings(
            max_examples=VALUES,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(kind.values)
        def every_value(obj: Any) -> None:
            checked["values"] += 1
            check_round_trip(codec, obj)

        every_value()

    every_class()
    print(f"{checked['classes']} classes, {checked['values']} values")  # noqa: T201 - for pytest -s
    assert checked["classes"] >= CLASSES // 2


@given(plain_items)
def test_plain_data_round_trips_as_boto3_has_it(data: dict[str, Any]) -> None:
    item: Any = to_item(data)
    assert same(from_item(item), data)
    assert same(from_item(json.loads(json.dumps(to_item(data, wire="json")))), data)
    assert sorted_sets(to_item(from_item(item))) == sorted_sets(item)
    untyped = boto3_reads(item)
    if untyped is not None:
        assert same(untyped, data)


@given(plain)
def test_a_plain_value_is_written_as_boto3_writes_it(value: Any) -> None:
    try:
        expected = boto3_types.TypeSerializer().serialize(value)
    except decimal.DecimalException:  # below 1E-128
        return
    written = to_attribute_value(value)
    assert sorted_sets(written) == sorted_sets(expected)
    assert same(from_attribute_value(written), value)


GONE = object()
DAMAGE: list[Any] = [
    GONE,
    None,
    [],
    {},
    "x",
    5,
    {"S": 5},
    {"S": "x"},
    {"N": "x"},
    {"N": "1.5"},
    {"N": "NaN"},
    {"B": "x"},
    {"NULL": True},
    {"L": {}},
    {"L": [None]},
    {"M": []},
    {"M": {"a": {}}},
    {"SS": [5]},
    {"S": "x", "N": "1"},
    {"X": "x"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for part, member in members:
        found += places(member, (*path, part))
    return found


def damaged(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    if not path:
        return replacement
    copy = dict(value) if isinstance(value, dict) else list(value)
    if replacement is GONE and len(path) == 1:
        del copy[path[0]]
        return copy
    inner = copy.get(path[0]) if isinstance(copy, dict) else copy[path[0]]
    copy[path[0]] = damaged(inner, path[1:], replacement)
    return copy


def outcome(read: Any, item: Any) -> Any:
    """What was read, or the error that says why not."""
    try:
        return read(item)
    except DDBStreamError as error:
        return error


@some_classes
@given(st.data(), models(depth=1))
def test_a_damaged_item_is_read_alike_or_refused_alike(data: st.DataObject, kind: Kind) -> None:
    codec: Any = codec_for(kind.annotation)
    item: Any = to_item(data.draw(kind.values))
    where = data.draw(st.sampled_from([("a",), *places(item)]))
    item.setdefault("a", {"S": "unknown"})
    item = damaged(item, where, data.draw(st.sampled_from(DAMAGE)))
    outcomes: list[Any] = []
    for read in (codec.decode, codec.read_slowly):
        outcomes.append(outcome(read, item))
        if isinstance(outcomes[-1], DDBStreamError):
            assert outcomes[-1].model is kind.annotation
            assert outcomes[-1].path or outcomes[-1].errors
            outcomes[-1] = str(outcomes[-1])
    assert same(*outcomes)
