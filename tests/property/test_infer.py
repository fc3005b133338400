"""Items of any class are inferred into classes that read them all, in any order and any style."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

pytest.importorskip("attrs")
pytest.importorskip("msgspec")
pytest.importorskip("pydantic")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbstream import to_item
from ddbstream._infer.grouping import Grouping
from ddbstream._infer.inference import Inference
from ddbstream._infer.source import STYLES
from tests.property.random_models import models, plain_items

THOROUGH = settings().max_examples > 1000
some_classes = settings(
    max_examples=1000 if THOROUGH else 40, suppress_health_check=list(HealthCheck)
)
some_items = settings(
    max_examples=2000 if THOROUGH else 50, suppress_health_check=list(HealthCheck)
)


def inferred(items: list[Any], style: str = "dataclass", **grouping: Any) -> tuple[str, Inference]:
    inference = Inference(Grouping(**grouping), style=style)
    for item in items:
        inference.add(item)
    return inference.module("Models of a test."), inference


def assert_reads(items: list[Any], style: str = "dataclass", **grouping: Any) -> str:
    text, inference = inferred(items, style, **grouping)
    reader = inference.reader(text)
    try:
        for item in items:
            reader.read(item)
    finally:
        reader.close()
    return text


def formatted(text: str) -> str:
    ruff = shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    done = subprocess.run(
        [ruff, "format", "--isolated", "--target-version", "py310", "-"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


@some_classes
@given(st.data())
def test_what_to_item_writes_is_inferred_into_classes_that_read_it(data: st.DataObject) -> None:
    kind = data.draw(models())
    values = data.draw(st.lists(kind.values, min_size=1, max_size=8))
    wire = data.draw(st.sampled_from(["boto3", "json"]))
    items = [to_item(value, wire=wire) for value in values]
    keys = data.draw(st.sampled_from([(), ("PK ", "SK ")]))
    assert_reads(items, data.draw(st.sampled_from(STYLES)), keys=keys)


@some_items
@given(st.lists(plain_items, min_size=1, max_size=8))
def test_any_items_at_all_are_read_by_the_classes_made_from_them(items: list[Any]) -> None:
    assert_reads([to_item(item) for item in items])


key_parts = st.one_of(
    st.sampled_from(["Customer", "Order", "META", "#A", "", "x", "1", "007", "é", "{", "}"]),
    st.text(max_size=4),
    st.integers().map(str),
    st.uuids().map(str),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
)
key_texts = st.lists(key_parts, min_size=1, max_size=5).map("#".join)


@some_items
@given(
    st.lists(
        st.fixed_dictionaries(
            {"PK": key_texts, "SK": key_texts},
            optional={"GSI1PK": key_texts, "type": st.text(max_size=3), "pk": key_texts},
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_keys_at_all_are_read_by_the_templates_made_from_them(items: list[Any]) -> None:
    assert_reads([to_item(item) for item in items])
    assert_reads([to_item(item) for item in items], keys=["PK", "SK", "GSI1PK"])


@some_items
@given(st.lists(plain_items, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_items_changes_nothing(items: list[Any], random: Any) -> None:
    wire = [to_item(item) for item in items]
    text, _ = inferred(wire)
    random.shuffle(wire)
    assert inferred(wire)[0] == text


@settings(max_examples=300 if THOROUGH else 15, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_source_is_formatted_as_ruff_formats_it(data: st.DataObject) -> None:
    kind = data.draw(models())
    values = data.draw(st.lists(kind.values, min_size=1, max_size=4))
    text, _ = inferred([to_item(value) for value in values], data.draw(st.sampled_from(STYLES)))
    assert formatted(text) == text
    text, _ = inferred([to_item(item) for item in data.draw(st.lists(plain_items, min_size=1))])
    assert formatted(text) == text


@some_items
@given(st.lists(plain_items, min_size=2, max_size=8), st.integers(1, 7))
def test_two_folds_of_parts_merge_into_the_fold_of_the_whole(items: list[Any], cut: int) -> None:
    from ddbstream._infer.groups import ItemsSeen

    wire = [to_item(item) for item in items]
    whole, first, second = ItemsSeen(), ItemsSeen(), ItemsSeen()
    for number, item in enumerate(wire):
        whole.add(item)
        (first if number < cut else second).add(item)
    first.merge(second)
    assert json.dumps(state(first), sort_keys=True) == json.dumps(state(whole), sort_keys=True)


def state(value: Any) -> Any:
    """All that a fold holds, as plain values."""
    if isinstance(value, dict):
        return {name: state(each) for name, each in value.items()}
    if value is None or isinstance(value, (int, str, bool)):
        return value
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    return {name: state(getattr(value, name)) for name in slots}
