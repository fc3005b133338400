"""Classes that name themselves in quotes, in a module that evaluates its annotations at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypedDict, TypeVar

import pytest

from ddbstream import Attribute
from tests.support.products import holding
from tests.unit.model.reading import quickly, round_trips

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")


@dataclass
class InList:
    nodes: list["InList"] = field(default_factory=list)


@dataclass
class InOptional:
    nodes: Optional[list["InOptional"]] = None  # noqa: UP045 - as older code has it


@dataclass
class InUnion:
    nodes: int | list["InUnion"] | None = None


@dataclass
class InAnnotated:
    nodes: Annotated[Sequence["InAnnotated"], Attribute("n")] = field(default_factory=list)


@dataclass
class InTuple:
    nodes: tuple["InTuple", ...] = ()


@dataclass
class InDepth:
    nodes: list[dict[str, Annotated[list["InDepth"], "a note"] | None]] = field(
        default_factory=list
    )


@dataclass
class Pair(Generic[T]):
    one: T
    other: list["Pair[T]"] = field(default_factory=list)


class Typed(TypedDict, total=False):
    nodes: list["Typed"]


class Named(NamedTuple):
    nodes: list["Named"] | None = None


@attrs.define
class Attrs:
    nodes: list["Attrs"] | None = None


class Struct(msgspec.Struct):
    nodes: list["Struct"] | None = None


class Model(pydantic.BaseModel):
    nodes: list["Model"] | None = None


class Root(pydantic.RootModel[int | dict[str, "Root"]]):
    pass


@pytest.mark.parametrize(
    "value",
    [
        InList([InList(), InList([InList()])]),
        InOptional([InOptional()]),
        InUnion([InUnion(5), InUnion([InUnion()])]),
        InAnnotated([InAnnotated([InAnnotated()])]),
        InTuple((InTuple(), InTuple((InTuple(),)))),
        InDepth([{"a": [InDepth()], "b": None}]),
        Attrs([Attrs()]),
        Struct([Struct()]),
        Model(nodes=[Model()]),
        Root({"a": Root({"b": Root(1)})}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_class_that_names_itself_in_quotes_round_trips(value: Any) -> None:
    round_trips(holding(type(value))(value))


def test_other_classes_that_name_themselves_in_quotes_are_read() -> None:
    item = {"a": {"M": {"nodes": {"L": [{"M": {}}]}}}}
    assert quickly(item, holding(Typed)).a == {"nodes": [{}]}
    assert quickly(item, holding(Named)).a == Named([Named()])
    pair = {"a": {"M": {"one": {"N": "1"}, "other": {"L": [{"M": {"one": {"N": "2"}}}]}}}}
    assert quickly(pair, holding(Pair[int])).a == Pair(1, [Pair(2)])


def test_texts_of_a_literal_are_no_names() -> None:
    made = holding(list[Literal["InList", "Nowhere"]])
    round_trips(made(["InList", "Nowhere"]))
