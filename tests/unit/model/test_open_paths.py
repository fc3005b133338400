"""Paths that name no data: positions and keys of dictionaries stay open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from typing_extensions import TypedDict

from ddbstream import Attribute, keys, to_item
from ddbstream._model.model_plan import ModelPlan
from ddbstream._model.open_paths import open_path, unknown_attributes
from ddbstream.models import Registry, model, renamed


@dataclass
class Circle:
    kind: Literal["circle"]
    radius: int
    note: Any = None


@dataclass
class Square:
    kind: Literal["square"]
    width: int


class Open(TypedDict, extra_items=int):  # type: ignore[call-arg]
    a: int


class Shut(TypedDict):
    a: int


@model(collect="rest")
@dataclass
class Collecting:
    kind: Literal["collecting"]
    rest: dict[str, Any]


@dataclass
class Either:
    either: Square | Collecting


Tagged = Annotated[Circle | Square, Attribute(tags={"round": Circle, "square": Square})]


@dataclass
class Drawing:
    shapes: dict[str, Tagged]


@dataclass
class Line:
    sku: str
    count: Annotated[int, Attribute("n")] = 1


@keys(PK="Order#{id}")
@dataclass
class Order:
    id: str
    lines: list[Line] = field(default_factory=list)
    by_day: dict[str, dict[str, Line]] = field(default_factory=dict)
    shape: Circle | Square | None = None
    either: Line | list[Line] | None = None
    plain: Any = None
    pair: tuple[Line, int] | None = None
    more: list[Any] = field(default_factory=list)


def root(model: Any, registry: Any = None) -> Any:
    return ModelPlan(model, registry.options if registry else None, lambda *_: {}).root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("lines", 3, "sku"), "lines[].sku"),
        (("lines", 3, "nothing"), "lines[].nothing"),
        (("by_day", "2026-01-01", "x", "n"), "by_day.*.*.n"),
        (("shape", "radius"), "shape.radius"),
        (("shape", "width"), "shape.width"),
        (("shape", "note", "x"), "shape.note.*"),
        (("either", 0, "n"), "either[].n"),
        (("either", "n"), "either.n"),
        (("plain", "x", 1, "y"), "plain.*[].*"),
        (("pair", 0, "sku"), "pair[].sku"),
        (("pair", 5, "sku"), "pair[].*"),
        (("PK",), "PK"),
        (("odd name", "x"), '"odd name".*'),
    ],
)
def test_a_path_is_open_where_data_would_stand(path: Any, expected: str):
    assert open_path(root(Order), path) == expected


def test_attributes_that_no_field_stores_are_found_at_any_depth():
    order = Order(
        "1",
        [Line("a")],
        {"monday": {"x": Line("b")}},
        Circle("circle", 1, {"n": [1]}),
        [Line("c")],
        {"anything": {"x": [1]}},
        (Line("d"), 1),
        [{"x": 1}],
    )
    item: Any = to_item(order)
    assert unknown_attributes(root(Order), item) == set()
    item["who"] = {"S": "x"}
    item["lines"]["L"][0]["M"]["colour"] = {"S": "x"}
    item["by_day"]["M"]["monday"]["M"]["x"]["M"]["colour"] = {"M": {}}
    item["shape"]["M"]["depth"] = {"N": "1"}
    item["shape"]["M"]["width"] = {"N": "1"}  # of the other shape: which one it is, data says
    item["either"]["L"][0]["M"]["x"] = {"S": "x"}
    item["pair"]["L"][0]["M"]["y"] = {"S": "x"}
    assert unknown_attributes(root(Order), item) == {
        "who",
        "lines[].colour",
        "by_day.*.*.colour",
        "shape.depth",
        "either[].x",
        "pair[].y",
    }


def test_a_class_that_keeps_what_it_does_not_know_knows_everything():
    item = to_item({"a": 1, "b": 2})
    assert unknown_attributes(root(Open), item) == set()
    assert unknown_attributes(root(Shut), item) == {"b"}
    one: Any = to_item({"kind": "collecting", "b": 2, "deep": {"x": 1}})
    # Which of the two it is, only its data says.
    assert unknown_attributes(root(Either), {"either": {"M": one}}) == set()


def test_a_union_whose_tag_is_outside_is_looked_into_by_that():
    item: Any = to_item(Drawing({"a": Circle("circle", 1)}))
    circle = item["shapes"]["M"]["a"]["M"]["round"]
    circle["M"]["colour"] = {"S": "x"}
    assert unknown_attributes(root(Drawing), item) == {"shapes.*.round.colour"}
    assert open_path(root(Drawing), ("shapes", "a", "round", "radius")) == "shapes.*.round.radius"
    assert open_path(root(Drawing), ("shapes", "a", "oval", "radius")) == "shapes.*.*.*"


def test_an_older_item_is_looked_at_as_it_is_read():
    registry = Registry()
    registry.register(Line, upgrades=[renamed("number", "n")])
    plan = root(Line, registry)
    assert unknown_attributes(plan, {"sku": {"S": "a"}, "number": {"N": "1"}}) == set()
    assert unknown_attributes(plan, {"sku": {"S": "a"}, "nr": {"N": "1"}}) == {"nr"}
