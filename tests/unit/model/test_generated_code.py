"""What the generated code reads itself, and what it is like."""

from __future__ import annotations

import gc
import linecache
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from ddbstream import from_item, keys, to_item
from ddbstream.exceptions import DecodeError
from ddbstream.models import decoder_source
from tests.unit.model.reading import ModelCodec, codec_for, quickly


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


def test_a_codec_and_its_source_have_the_models_name() -> None:
    @dataclass
    class Cat:
        a: int

    codec: Any = codec_for(dict[str, int])
    assert codec.name == "dict[str, int]"
    codec = codec_for(Cat)
    assert codec.name == "Cat"
    codec.decode({"a": {"N": "1"}})
    assert codec.decode.__code__.co_filename.startswith("<ddbstream Cat ")
    assert decoder_source(Cat)


@dataclass
class Floats:
    a: float
    b: float
    c: float = 0.5


@pytest.mark.parametrize("text", ["1_0", " 1", "nan", "1e400"])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_each_of_several_floats_is_checked(name: str, text: str) -> None:
    item: Any = {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}
    assert quickly(item, Floats) == Floats(1, 2, 3)
    with pytest.raises(DecodeError) as caught:
        from_item({**item, name: {"N": text}}, Floats)
    assert caught.value.path == name
