"""An instance of a subclass in a field of its base: read back as it was, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import pytest

from ddbstream import Attribute, diff, from_item, to_item
from ddbstream.exceptions import EncodeError

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")


@dataclass
class DataBase:
    a: int


@dataclass
class DataSub(DataBase):
    b: int = 2


@dataclass
class DataHolder:
    it: DataBase
    more: list[DataBase]


@attrs.define
class AttrsBase:
    a: int


@attrs.define
class AttrsSub(AttrsBase):
    b: int = 2


@attrs.define
class AttrsHolder:
    it: AttrsBase
    more: list[AttrsBase]


class StructBase(msgspec.Struct):
    a: int


class StructSub(StructBase):
    b: int = 2


class StructHolder(msgspec.Struct):
    it: StructBase
    more: list[StructBase]


class PydanticBase(pydantic.BaseModel):
    a: int


class PydanticSub(PydanticBase):
    b: int = 2


class PydanticHolder(pydantic.BaseModel):
    it: PydanticBase
    more: list[PydanticBase]


EVERY = [
    (DataHolder, DataBase, DataSub),
    (AttrsHolder, AttrsBase, AttrsSub),
    (StructHolder, StructBase, StructSub),
    (PydanticHolder, PydanticBase, PydanticSub),
]


@pytest.mark.parametrize(("holder", "base", "sub"), EVERY)
def test_a_subclass_whose_fields_would_be_lost_is_refused_where_it_is(
    holder: Any, base: Any, sub: Any
) -> None:
    with pytest.raises(EncodeError, match=f"its subclass {sub.__name__}") as caught:
        to_item(holder(it=base(a=1), more=[base(a=1), sub(a=1)]))
    assert caught.value.path == "more[1]"
    with pytest.raises(EncodeError, match=r"a union of the classes.* at it "):
        to_item(holder(it=sub(a=1), more=[]))
    with pytest.raises(EncodeError, match="its subclass"):
        diff(holder(it=base(a=1), more=[]), holder(it=sub(a=1), more=[]))


def test_a_named_tuple_that_is_stored_as_a_list_obeys_too() -> None:
    class Point(NamedTuple):
        x: int

    class Named(Point):
        """With a method or two."""

    class Marked(Point):
        """Of more than its fields."""

        def __new__(cls, *members: int) -> Marked:
            return tuple.__new__(cls, members)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Marked) and tuple(self) == tuple(other)

        __hash__ = tuple.__hash__

    @dataclass
    class Holder:
        it: Annotated[Point, Attribute(stored_as="L")]

    assert to_item(Holder(Named(1)))["it"] == {"L": [{"N": "1"}]}
    for members, found in (((1,), "its subclass Marked"), ((1, 2), "one of another length")):
        with pytest.raises(EncodeError, match=found) as caught:
            to_item(Holder(Marked(*members)))
        assert caught.value.path == "it"


def test_a_union_of_the_classes_reads_each_as_itself() -> None:
    @dataclass
    class Base:
        a: int
        kind: Literal["base"] = "base"

    @dataclass
    class Sub(Base):
        b: int = 0
        kind: Literal["sub"] = "sub"  # type: ignore[assignment]

    @dataclass
    class Holder:
        them: list[Base | Sub]

    obj = Holder([Base(1), Sub(1, b=2)])
    assert from_item(to_item(obj), Holder) == obj


def test_a_subclass_that_is_read_as_its_equal_is_written() -> None:
    class Point(NamedTuple):
        x: int

    class Named(Point):
        """With a method or two."""

    class Page(pydantic.BaseModel, Generic[T]):
        items: list[T]

    @dataclass
    class Holder:
        point: Point
        page: Page

    obj = Holder(Named(1), Page[int](items=[1]))
    assert to_item(obj)["point"] == {"M": {"x": {"N": "1"}}}
    assert from_item(to_item(obj), Holder) == Holder(Point(1), Page(items=[Decimal(1)]))


def test_an_instance_of_a_subclass_that_cannot_be_compared_is_refused() -> None:
    @dataclass
    class Plain:
        a: int

    class Raising(Plain):
        def __eq__(self, other: object) -> bool:
            raise ValueError

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(EncodeError, match="its subclass Raising"):
        to_item(Raising(1), model=Plain)
