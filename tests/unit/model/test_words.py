"""What errors say, and small words that users try."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

import pytest
from typing_extensions import Self

from ddbstream import diff, from_item, to_item
from ddbstream.exceptions import DecodeError, ModelDefinitionError
from ddbstream.models import model
from tests.unit.model.reading import codec_for


class Colour(Enum):
    RED = "red"


def test_a_value_of_no_member_is_another_value_and_not_malformed() -> None:
    @dataclass
    class Model:
        a: Colour

    with pytest.raises(DecodeError, match="expected a value of Colour in S, got another S at a"):
        from_item({"a": {"S": "blue"}}, Model)


def test_an_absent_tag_is_nothing_and_not_another() -> None:
    msgspec = pytest.importorskip("msgspec")
    cls = msgspec.defstruct("Cat", [("a", int)], tag="cat")
    with pytest.raises(DecodeError, match="the tag of Cat, got nothing at type"):
        from_item({"a": {"N": "1"}}, cls)


def test_get_takes_a_position_and_a_default() -> None:
    change = diff({"a": 1}, {"a": 2})
    assert change.get(0) == change[0]
    assert change.get(5) is None
    assert change.get(5, "none") == "none"


@dataclass
class Tree:
    value: int
    left: Optional[Self] = None  # noqa: UP045 - Self is no type on 3.10
    others: Optional[list[Self]] = None  # noqa: UP045


def test_self_is_the_class_whose_field_it_is() -> None:
    tree = Tree(1, Tree(2), [Tree(3)])
    assert from_item(to_item(tree), Tree) == tree


def test_an_empty_name_is_refused_when_bound() -> None:
    @model(rename=lambda name: "")
    @dataclass
    class Model:
        a: int

    with pytest.raises(ModelDefinitionError, match="an empty name"):
        codec_for(Model)
