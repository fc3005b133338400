"""What the generated code reads itself, and what it is like."""

from __future__ import annotations

import dataclasses
import gc
import linecache
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from ddbstream import from_item, keys, to_item
from ddbstream._model.codec import ModelCodec
from ddbstream.exceptions import DecodeError
from tests.unit.model.reading import quickly


@dataclass
class Plain:
    a: int
    yes: bool = True
    no: bool = False
    nothing: str | None = None
    seven: int = 7
    numbers: set[int] = field(default_factory=set)


def test_defaults_are_those_of_the_class() -> None:
    assert quickly({"a": {"N": "1"}}, Plain) == Plain(1)


def test_attributes_that_no_field_stores_are_passed_over() -> None:
    assert quickly({"a": {"N": "1"}, "b": {"N": "2"}}, Plain) == Plain(1)


def test_negative_numbers_in_a_set_are_read() -> None:
    made = quickly({"a": {"N": "1"}, "numbers": {"NS": ["1", "-1"]}}, Plain)
    assert made.numbers == {1, -1}


@keys(PK="CONSTANT", SK="S#{id}")
@dataclass
class Keyed:
    id: str


@keys(PK="A#{id}", SK="B#{id}")
@dataclass
class Twice:
    id: str


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
class Tree:
    branches: list[Tree] = field(default_factory=list)


def test_a_list_at_the_32nd_level_is_the_last() -> None:
    tree = Tree([Tree()])
    for _ in range(14):
        tree = Tree([tree])
    item: Any = to_item(tree)
    assert from_item(item, Tree) == tree
    deeper = {"branches": {"L": [{"M": item}]}}
    with pytest.raises(DecodeError, match="at most 32 levels"):
        from_item(deeper, Tree)


def test_a_constant_key_may_come_first() -> None:
    assert quickly(to_item(Keyed("x")), Keyed) == Keyed("x")


def test_only_keys_out_of_the_ordinary_are_left_to_a_function() -> None:
    assert "read_keys" not in ModelCodec(Keyed, None).source
    assert "read_keys" in ModelCodec(Twice, None).source
    assert quickly(to_item(Twice("x")), Twice) == Twice("x")


def test_its_lines_are_what_was_compiled_and_go_without_a_word() -> None:
    codec: Any = ModelCodec(Plain, None)
    assert codec.decode({"a": {"N": "1"}}) == Plain(1)
    file = codec.decode.__code__.co_filename
    assert "".join(linecache.getlines(file)) == codec.source
    said: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", said.append)
        patch.setattr(sys, "excepthook", lambda *args: said.append(args))
        del linecache.cache[file]  # as linecache.clearcache() does
        del codec
        gc.collect()
    assert said == []
    assert from_item({"a": {"N": "1"}}, Plain) == Plain(1)
