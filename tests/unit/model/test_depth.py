"""DynamoDB nests to 32 levels: that many are read and written, and no more."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from ddbstream import from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError
from tests.support.errors import too_deep
from tests.support.products import holding
from tests.unit.model.reading import quickly, round_trips, slowly


@dataclass
class Chain:
    next: Chain | None = None


def test_recursive_models_nest_to_32_levels_and_no_further() -> None:
    chain, item = Chain(), {"next": {"NULL": True}}
    for _ in range(32):
        chain, item = Chain(chain), {"next": {"M": item}}
    assert round_trips(chain) == item
    with too_deep(EncodeError):
        to_item(Chain(chain))
    with too_deep(DecodeError):
        from_item({"next": {"M": item}}, Chain)
    chain.next = chain
    with too_deep(EncodeError):
        to_item(chain)


@dataclass
class Listed:
    lists: list[Listed] = field(default_factory=list)
    pair: tuple[Listed, int] | None = None
    named: dict[str, Listed] | None = None


@pytest.mark.parametrize("way", ["lists", "pair", "named"])
def test_containers_between_models_count_as_levels_in_writing(way: str) -> None:
    def nested(levels: int) -> Listed:
        made = Listed()
        for _ in range(levels):
            held: Any = {"lists": [made], "pair": (made, 1), "named": {"x": made}}[way]
            made = Listed(**{way: held})
        return made

    deepest = 15  # each is a container in a model, and the innermost has an empty list
    assert from_item(to_item(nested(deepest)), Listed) == nested(deepest)
    with too_deep(EncodeError):
        to_item(nested(deepest + 2))


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)


def test_lists_between_recursive_models_count_as_levels() -> None:
    item: dict[str, Any] = {"value": {"N": "0"}}
    for _ in range(17):
        item = {"value": {"N": "0"}, "children": {"L": [{"M": item}]}}
    with too_deep(DecodeError):
        from_item(item, Tree)


@pytest.mark.parametrize("make", [lambda kind: list[kind], lambda kind: dict[str, kind]])
def test_kinds_nest_as_deep_as_dynamodb_stores(make: Any) -> None:
    kind: Any = str
    value: Any = "x"
    for _ in range(32):
        kind = make(kind)
        value = [value] if kind.__origin__ is list else {"k": value}
    model: Any = dataclasses.make_dataclass("Model", [("a", kind)])
    assert quickly(to_item(model(value)), model) == model(value)


@dataclass
class Branch:
    branches: list[Branch] = field(default_factory=list)


def test_a_list_at_the_32nd_level_is_the_last() -> None:
    tree = Branch([Branch()])
    for _ in range(14):
        tree = Branch([tree])
    item: Any = to_item(tree)
    assert from_item(item, Branch) == tree
    deeper = {"branches": {"L": [{"M": item}]}}
    with too_deep(DecodeError):
        from_item(deeper, Branch)


def test_plain_items_nest_to_32_levels_inside() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(levels):
            value = {"a": value}
        return value

    assert from_item(to_item(nested(32))) == nested(32)
    with too_deep(EncodeError):
        to_item(nested(33))


def nested(kind: Any, wire: Any, levels: int) -> tuple[Any, Any]:
    for _ in range(levels):
        kind, wire = list[kind], {"L": [wire]}
    return holding(kind), {"a": wire}


@pytest.mark.parametrize("kind", [(str, {"S": "x"}), (set[str], {"SS": ["x"]})])
def test_lists_are_read_slowly_32_levels_deep(kind: tuple[Any, Any]) -> None:
    model, item = nested(*kind, 32)
    assert to_item(slowly(item, model)) == item
    model, item = nested(*kind, 33)
    with too_deep(DecodeError) as caught:
        slowly(item, model)
    assert caught.value.path == "a" + 32 * "[0]"


def test_anything_in_a_list_is_read_slowly_32_levels_deep() -> None:
    model = holding(list[Any])
    item: dict[str, Any] = nested(str, {"S": "x"}, 32)[1]
    assert to_item(slowly(item, model)) == item
    with too_deep(DecodeError):
        slowly({"a": {"L": [item["a"]]}}, model)
