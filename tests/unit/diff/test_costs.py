"""What stored data costs: counted in steps of Python's, so that no machine's speed matters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, make_dataclass
from types import FrameType
from typing import Annotated, Any, Literal, Optional, Union

import pytest

from ddbstream import Attribute, diff
from ddbstream.exceptions import DiffError
from ddbstream.models import decoder_source
from tests.support.products import holding
from tests.unit.model.reading import codec_for

extensions = pytest.importorskip("typing_extensions")
pydantic = pytest.importorskip("pydantic")
pytest.importorskip("msgspec")


def steps(work: Callable[[], object]) -> int:
    """How many bytecodes and calls into C some work takes."""
    taken = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal taken
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        taken += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return taken


def is_linear(work: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether four times the data take at most six times the steps: n log n, and no square."""
    return steps(work(4 * size)) <= 6 * steps(work(size))


def test_an_update_expression_of_many_attributes():
    def work(count: int) -> Callable[[], object]:
        old = {f"a{i}": {"x": 1, "y": 2} for i in range(count)}
        new = {f"a{i}": {"x": 2, "y": 3} for i in range(count)}
        change = diff(old, new)

        def make() -> None:
            with suppress(DiffError):  # too long, if all are set as a whole
                change.to_update_expression()

        return make

    assert is_linear(work, 200)


def test_an_update_expression_of_names_that_read_alike():
    def work(count: int) -> Callable[[], object]:
        names = ["?" * (i + 1) + "a" for i in range(count)]
        old = {"m": dict.fromkeys(names, 1)}
        return diff(old, {"m": dict.fromkeys(names, 2)}).to_update_expression

    assert is_linear(work, 200)


def test_whole_attributes_are_the_fewest_that_fit():
    old = {f"a{i}": {f"x{j}": 1 for j in range(30)} for i in range(12)}
    new = {f"a{i}": {f"x{j}": 2 for j in range(30)} for i in range(12)}
    made = diff(old, new).to_update_expression()
    assert len(made["UpdateExpression"]) <= 4096
    assert any(
        isinstance(value, dict) and "M" in value
        for value in made["ExpressionAttributeValues"].values()
    )


def test_turning_round_a_list_of_which_every_second_member_came():
    def work(count: int) -> Callable[[], object]:
        old = {"l": [{"n": i} for i in range(count)]}
        new = {"l": [each for i in range(count) for each in ({"n": i}, {"new": i})]}
        change = diff(old, new, lists="align")
        assert change.invert().apply(new) == old
        return change.invert

    assert is_linear(work, 50)


def test_aligning_maps_is_bounded_by_attributes_too():
    def work(attributes: int) -> Callable[[], object]:
        old = {"l": [{f"a{j}": i for j in range(attributes)} for i in range(40)]}
        new = {"l": [{f"a{j}": -i - 1 for j in range(attributes)} for i in range(40)]}
        return lambda: diff(old, new, lists="align")

    assert steps(work(40)) <= 5 * steps(work(10))


def test_binding_nested_unions_does_not_double_with_each_level():
    def work(levels: int) -> Callable[[], object]:
        inner: Any = int
        for level in range(levels):
            inner = Optional[Union[list[inner], str]]  # noqa: UP007, UP045 - made at run time
            inner = make_dataclass(f"Level{level}", [("it", inner)])
        return lambda: codec_for(inner)

    work(1)()  # loads what plans classes
    # each level looks through the classes around it, once
    assert steps(work(16)) <= 16 * steps(work(4))


def alias_of(level: int, inner: Any) -> Any:
    return extensions.TypeAliasType(f"Level{level}", inner)


def root_of(level: int, inner: Any) -> Any:
    return type(f"Level{level}", (pydantic.RootModel[inner],), {})


@pytest.mark.parametrize("named", [alias_of, root_of])
@pytest.mark.parametrize(
    "twice",
    [
        lambda inner: tuple[inner, Optional[inner]],  # noqa: UP045 - made at run time
        lambda inner: Union[list[inner], dict[str, inner]],  # noqa: UP007
        lambda inner: make_dataclass("Pair", [("a", inner), ("b", dict[int, inner])]),
    ],
)
def test_what_has_a_name_is_planned_and_read_once_however_often_it_occurs(
    named: Callable[[int, Any], Any], twice: Callable[[Any], Any]
):
    def model(levels: int) -> Any:
        inner: Any = int
        for level in range(levels):
            inner = named(level, twice(inner))
        return holding(inner)

    few, many = model(3), model(12)
    assert steps(lambda: codec_for(many)) <= 6 * steps(lambda: codec_for(few))
    for source in (decoder_source(many), json_source(many)):
        assert source.count("\n") < 600  # 40 a level


def json_source(model: Any) -> str:
    codec: Any = codec_for(model)
    with suppress(Exception):  # the text is of no item: the code is made before it is read
        codec.read_json(b"")
    return str(codec.json_source)


@dataclass
class Sum:
    left: Annotated[Term, Attribute("l")]
    kind: Literal["sum"] = "sum"


@dataclass
class Product:
    left: Annotated[Term, Attribute("l")]
    kind: Literal["product"] = "product"


@dataclass
class Number:
    value: int
    kind: Literal["number"] = "number"


Term = Sum | Product | Number


def test_a_path_through_classes_inside_of_each_other_does_not_double_with_each_part():
    def work(depth: int) -> Callable[[], object]:
        return lambda: codec_for(Sum).places((*["left"] * depth, "value"), strict=True)

    assert work(3)() == [(("l", "l", "l", "value"), None, "")]
    assert is_linear(work, 5)
