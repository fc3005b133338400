"""PEP 695's aliases and type parameters, where Python has them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ddbstream.exceptions import DecodeError
from tests.support.errors import too_deep

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is Python 3.12's")

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from ddbstream import from_item, to_item
from ddbstream._model import codec_for

type Name = str
type Json = str | Decimal | bool | None | list[Json] | dict[str, Json]
type Pair[T] = tuple[T, T]

@dataclass
class Page[T]:
    items: list[T]
    name: Name
    pair: Pair[T] | None = None
    json: Json = None
    more: dict[Name, Pair[int]] | None = None

type Deep = int | list[Deep | Literal["x"]]
type Tree = set[str] | Branch

@dataclass
class Branch:
    left: Tree = field(default_factory=set)

type Bins = bytes | list[Bins]

@dataclass
class Blobs:
    a: Bins

@dataclass
class Holder:
    deep: Deep
    tree: Tree

def local():
    type Own = list[int]

    @dataclass
    class Local[T]:
        a: Own
        b: T

    return Local
"""


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    import types

    module = types.ModuleType("pep_695")
    sys.modules["pep_695"] = module  # where annotations look their names up
    exec(SOURCE, vars(module))  # noqa: S102 - older Pythons cannot compile it
    return vars(module)


def round_trips(names: dict[str, Any], obj: Any, model: Any) -> dict[str, Any]:
    codec: Any = names["codec_for"](model)
    item: dict[str, Any] = names["to_item"](obj, model=model)
    assert codec.decode(item) == obj
    assert codec.read_slowly(item) == obj
    return item


def test_aliases_are_what_they_stand_for(names: dict[str, Any]) -> None:
    page = names["Page"]
    obj = page([1], "x", (1, 2), {"a": ["x", None, {"b": True}]}, {"k": (1, 2)})
    assert round_trips(names, obj, page[int])["pair"] == {"L": [{"N": "1"}, {"N": "2"}]}
    round_trips(names, page(["x"], "x", ("a", "b")), page[str])


def test_a_recursive_alias_ends_at_32_levels(names: dict[str, Any]) -> None:
    page = names["Page"]
    deep: dict[str, Any] = {"S": "x"}
    for _ in range(40):
        deep = {"L": [deep]}
    item = {"items": {"L": []}, "name": {"S": "x"}, "json": deep}
    with too_deep(DecodeError):
        names["from_item"](item, page[int])


def test_an_alias_inside_itself_is_a_part_like_any_other(names: dict[str, Any]) -> None:
    holder, branch = names["Holder"], names["Branch"]
    obj = holder([5, "x", [7, "x"]], branch(branch({"y"})))
    round_trips(names, obj, holder)
    # an empty set is left out in there too
    item = round_trips(names, holder(1, branch(branch(set()))), holder)
    assert item["tree"] == {"M": {"left": {"M": {}}}}


def test_a_fault_inside_a_recursive_alias_is_at_its_place(names: dict[str, Any]) -> None:
    from ddbstream.exceptions import DecodeError, EncodeError

    holder = names["Holder"]
    deep = {"L": [{"L": [{"N": "1"}, {"S": "y"}]}]}
    with pytest.raises(DecodeError) as caught:
        names["from_item"]({"deep": deep, "tree": {"SS": ["x"]}}, holder)
    assert caught.value.path == "deep[0][1]"
    with pytest.raises(EncodeError) as refused:
        names["to_item"](holder([[1, 0.5]], {"x"}))
    assert refused.value.path == "deep[0][1]"


def test_every_binary_inside_a_recursive_alias_is_of_the_wire_asked_for(
    names: dict[str, Any],
) -> None:
    holder = names["Blobs"]
    item = names["to_item"](holder([[b"ab"]]), wire="json")
    assert item == {"a": {"L": [{"L": [{"B": "YWI="}]}]}}
