"""Diffs of model instances, and of records with a model: typed values, field names, models back."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream import (
    Added,
    Attribute,
    Diff,
    Removed,
    Replaced,
    SetChanged,
    diff,
    keys,
    to_item,
)
from ddbstream._diff import diff_images
from ddbstream._model import codec_for
from ddbstream.exceptions import DecodeError, DiffError, EncodeError, ModelDefinitionError


@dataclass
class Size:
    width: Annotated[float, Attribute("w")]
    height: float = 1.0


@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: UUID
    name: str
    price: Annotated[Decimal, Attribute("cents")]
    size: Size = field(default_factory=lambda: Size(1.0))
    seen: datetime | None = None
    tags: set[str] = field(default_factory=set)
    parts: list[Size] = field(default_factory=list)
    labels: dict[str, UUID] = field(default_factory=dict)


ID = UUID(int=1)
DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)
NIGHT = datetime(2026, 1, 1, 23, tzinfo=timezone.utc)


def product(**values: Any) -> Product:
    return Product(**{"id": ID, "name": "Desk", "price": Decimal(1), **values})


OLD = product(size=Size(1.5), tags={"a"}, parts=[Size(1.0)], labels={"x": ID})
NEW = product(
    price=Decimal(2),
    size=Size(2.5),
    seen=DAY,
    tags={"a", "b"},
    parts=[Size(1.0), Size(2.0)],
    labels={"x": UUID(int=2)},
)


def test_values_are_the_models_and_paths_the_attributes():
    assert list(diff(OLD, NEW)) == [
        Replaced("cents", Decimal(1), Decimal(2)),
        Replaced("labels.x", ID, UUID(int=2)),
        Added("parts[1]", Size(2.0)),
        Replaced("seen", None, DAY),
        Replaced("size.w", 1.5, 2.5),
        SetChanged("tags", {"b"}, ()),
    ]
    assert type(diff(OLD, NEW)["size.w"].new) is float


def test_a_field_is_found_by_its_name_or_by_its_attributes():
    change = diff(OLD, NEW)
    assert "price" in change
    assert "cents" in change
    assert "name" not in change
    assert change["price"] == change["cents"] == Replaced("cents", Decimal(1), Decimal(2))
    assert change["size"].new == Size(2.5)


def test_a_models_diff_applies_to_models():
    change = diff(OLD, NEW)
    assert change.apply(OLD) == NEW
    assert change.invert().apply(NEW) == OLD
    assert change.apply(product(**{**vars(OLD), "name": "Chair"})).name == "Chair"


def test_a_models_diff_applies_to_wire_items_and_a_wire_diff_to_models():
    change = diff(OLD, NEW)
    assert change.apply(to_item(OLD)) == to_item(NEW)
    wire = diff(to_item(OLD), to_item(NEW))
    assert wire.apply(OLD) == NEW


def test_a_composite_key_is_text_and_its_fields_know_it():
    change = diff(None, NEW)
    assert change["PK"] == change["id"] == Added("PK", f"Product#{ID}")
    assert change.apply(None) == NEW
    assert diff(OLD, None).apply(OLD) is None


def test_images_read_by_a_model_give_its_values_and_the_model_back():
    codec = codec_for(Product)
    change = diff_images(to_item(OLD), to_item(NEW, wire="json"), codec)
    assert change == diff(OLD, NEW)
    assert change.apply(OLD) == NEW
    assert diff_images(None, to_item(NEW), codec).apply(None) == NEW


def test_aligned_lists_find_their_values_where_they_are_now():
    change = diff(
        product(parts=[Size(1.0), Size(2.0), Size(3.0, 5.0)]),
        product(parts=[Size(2.0), Size(3.0, 6.0), Size(9.0)]),
        lists="align",
    )
    assert list(change) == [
        Removed("parts[0]", Size(1.0)),
        Added("parts[2]", Size(9.0)),
        Replaced("parts[2].height", 5.0, 6.0),
    ]


def test_what_the_model_does_not_know_is_read_without_it():
    old, new = to_item(OLD), {**to_item(OLD), "extra": {"N": "1"}}
    assert list(diff_images(old, new, codec_for(Product))) == [Added("extra", Decimal(1))]


def test_an_image_that_does_not_fit_the_model_is_an_error_when_values_are_asked_for():
    old = to_item(OLD)
    change = diff_images(old, {**old, "cents": {"S": "much"}}, codec_for(Product))
    assert "price" in change
    with pytest.raises(DecodeError, match="cents"):
        list(change)


def test_two_models_of_one_item_can_be_compared():
    @dataclass
    class Before:
        id: str
        name: str

    @dataclass
    class After:
        id: str
        title: str

    old, new = Before("1", "x"), After("1", "x")
    change = diff(old, new)
    assert list(change) == [Removed("name", "x"), Added("title", "x")]
    assert change.apply(old) == new
    assert change.invert().apply(new) == old


def test_an_item_of_no_model_has_plain_values_beside_those_of_a_model():
    before, between, after = (to_item(product(seen=seen)) for seen in (None, DAY, NIGHT))
    change = diff(before, between) | diff_images(between, after, codec_for(Product))
    assert list(change) == [Replaced("seen", None, NIGHT)]
    change = diff(between, before) | diff_images(before, after, codec_for(Product))
    assert list(change) == [Replaced("seen", DAY.isoformat(), NIGHT)]


def test_a_set_that_becomes_empty_is_removed_since_dynamodb_stores_none():
    assert list(diff(product(tags={"a"}), product())) == [Removed("tags", {"a"})]


def test_a_model_and_an_item_are_no_pair():
    with pytest.raises(DiffError, match="one form"):
        diff(OLD, to_item(NEW))


def test_an_object_that_is_no_model_is_refused():
    with pytest.raises(ModelDefinitionError):
        diff(object(), object())


def test_a_value_that_cannot_be_stored_is_named_by_path():
    with pytest.raises(EncodeError, match="cents"):
        diff(OLD, product(price=Decimal("NaN")))


def test_a_typed_diff_survives_pickling_by_its_changes():
    change = diff(OLD, NEW)
    assert pickle.loads(pickle.dumps(change)) == change  # noqa: S301 - our own


class Pydantic(pydantic.BaseModel):
    id: str
    price: Decimal


@attrs.define
class Attrs:
    id: str
    price: Decimal


class Struct(msgspec.Struct):
    id: str
    price: Decimal


@pytest.mark.parametrize("model", [Pydantic, Attrs, Struct])
def test_classes_of_other_libraries_are_models_too(model: Any):
    old, new = model(id="1", price=Decimal(1)), model(id="1", price=Decimal(2))
    change = diff(old, new)
    assert change == Diff([Replaced("price", Decimal(1), Decimal(2))])
    assert change.apply(old) == new
    assert change.invert().apply(new) == old


LENGTHS = st.sampled_from([0.0, 0.1, 1.5, 2.0])
SIZES = st.builds(Size, LENGTHS, LENGTHS)
PRODUCTS = st.builds(
    product,
    name=st.sampled_from(["Desk", "Chair"]),
    price=st.integers(0, 3).map(Decimal),
    size=SIZES,
    seen=st.sampled_from([None, DAY]),
    tags=st.sets(st.sampled_from("abc")),
    parts=st.lists(SIZES, max_size=4),
    labels=st.dictionaries(st.sampled_from("xy"), st.sampled_from([ID, UUID(int=2)])),
)


@given(PRODUCTS, PRODUCTS, PRODUCTS, st.sampled_from(["index", "align"]))
def test_apply_invert_and_joining_hold_for_models(
    first: Product, second: Product, third: Product, lists: Any
):
    change = diff(first, second, lists=lists)
    assert change.apply(first) == second
    assert change.invert().apply(second) == first
    assert bool(change) == (first != second)
    joined = change | diff(second, third, lists=lists)
    assert joined == diff(first, third, lists=lists)
    assert joined.apply(first) == third
