"""Odd classes, made up to break the rule: what is written is read back equal, or is refused."""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum, auto
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, NamedTuple, TypeVar

import pytest
from typing_extensions import NotRequired, ReadOnly, Required, TypeAliasType, TypedDict

from ddbstream import Attribute, Epoch, keys
from ddbstream.exceptions import EncodeError, ModelDefinitionError
from tests.unit.model.reading import codec_for, held_round_trips, round_trips

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")
UTC = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Miss(Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Miss:
        return cls.A


class Labelled(Enum):
    A = (1, "one")

    def __new__(cls, value: int, label: str) -> Labelled:
        made = object.__new__(cls)
        made._value_ = value
        made.label = label  # type: ignore[attr-defined]
        return made


class Auto(Enum):
    A = auto()
    B = auto()


class Days(Enum):
    A = date(2026, 1, 1)


class Price(Decimal, Enum):
    A = "1.10"


@dataclass
class Early:
    a: int
    b: InitVar[int] = 5
    c: int = field(init=False, default=0)

    def __post_init__(self, b: int) -> None:
        self.c = self.a + b


@dataclass
class Stored:
    x: int

    @property
    def x(self) -> int:  # type: ignore[no-redef]
        return self._x

    @x.setter
    def x(self, value: int) -> None:
        self._x = value


@dataclass(kw_only=True, slots=True, frozen=True)
class Generics(Generic[T]):
    a: T
    b: list[T] = field(default_factory=list)


@dataclass
class Constants:
    X: ClassVar[int] = 5
    a: Final[int] = 3


Many = TypeAliasType("Many", list[T], type_params=(T,))


@dataclass
class Marked:
    a: Annotated[Annotated[int, Attribute("x")], Attribute("y")]
    b: Annotated[int | None, "doc", Attribute("bb")]
    c: Annotated[int, Attribute("cc")] | None
    d: list[Annotated[datetime, Epoch("s")]]
    e: dict[str, Annotated[datetime, Epoch("ms")] | None]
    f: list[Annotated[complex, Attribute(structure=complex, unstructure=str)]]
    g: Many[int]


@dataclass
class Enums:
    a: Miss
    b: Labelled
    c: Auto
    d: Days
    e: Price
    f: dict[Labelled, int]
    g: set[Days]


@dataclass(init=False)
class OwnInit:
    a: int

    b: int = 2

    def __init__(self, a: int, *, b: int = 3) -> None:
        self.a, self.b = a, b


@dataclass(init=False)
class AnyInit:
    a: int

    def __init__(self, **given: int) -> None:
        self.__dict__.update(given)


@dataclass(init=False)
class OtherName:
    a: int

    def __init__(self, first: int) -> None:
        self.a = first


class Row(NamedTuple):
    a: int
    b: int = 0


class Typed(TypedDict, total=False):
    a: Required[int]
    b: ReadOnly[NotRequired[str | None]]
    d: Annotated[int, Attribute("D")]


@attrs.define
class Converting:
    a: int = attrs.field(converter=int)
    b: str = attrs.field(converter=str.upper, on_setattr=attrs.setters.convert)
    c: int = attrs.field(init=False, default=3)
    d: int = attrs.field(default=attrs.Factory(lambda self: self.a + 1, takes_self=True))
    _e: int = attrs.field(default=1, alias="ee", kw_only=True)


@attrs.define(init=False)
class AttrsInit:
    a: int

    def __init__(self, a: int) -> None:
        self.__attrs_init__(a)  # type: ignore[attr-defined]


@attrs.frozen(slots=False)
class Cached(Generic[T]):
    a: T

    @cached_property
    def twice(self) -> list[T]:
        return [self.a] * 2


class One(msgspec.Struct, tag=1):
    a: int = 0


class Two(msgspec.Struct, tag=2, array_like=True, omit_defaults=True):
    b: int = 0


class Structs(msgspec.Struct, rename={"one": "two", "many": "a.b"}, forbid_unknown_fields=True):
    one: One | Two
    many: list[One | Two] = msgspec.field(default_factory=list)
    unset: int | msgspec.UnsetType = msgspec.UNSET
    class_: int = msgspec.field(name="class", default=2)


class Left(pydantic.BaseModel):
    kind: Literal["a"] = pydantic.Field("a", alias="K")
    x: int = 0


class Right(pydantic.BaseModel):
    kind: Literal["b", "c"] = pydantic.Field("b", alias="K")
    y: str = ""


class Discriminated(pydantic.BaseModel):
    v: Left | Right = pydantic.Field(discriminator="kind")
    w: list[Annotated[Left | Right, pydantic.Field(discriminator="kind")]] = pydantic.Field(
        default_factory=list
    )


class Tree(pydantic.RootModel["dict[str, Tree] | list[Tree] | int"]):
    pass


Tree.model_rebuild()


class Trees(pydantic.BaseModel):
    a: Tree
    b: pydantic.RootModel[int] = pydantic.RootModel[int](3)


class Configured(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        str_to_lower=True,
        str_strip_whitespace=True,
        frozen=True,
        validate_default=True,
        revalidate_instances="always",
        strict=True,
        extra="forbid",
        alias_generator=pydantic.AliasGenerator(serialization_alias=lambda name: f"s {name}"),
    )
    name: str
    d: Decimal = Decimal(1)
    t: tuple[int, ...] = ()
    s: frozenset[str] = frozenset()
    k: deque[int] = pydantic.Field(default_factory=deque)


class Validated(pydantic.BaseModel):
    a: Annotated[str, pydantic.BeforeValidator(str.lower)]
    b: int = pydantic.Field(default_factory=lambda data: len(data["a"]))
    c: Annotated[int, pydantic.PlainSerializer(str)] = 1
    d: pydantic.InstanceOf[Left] | None = None
    e: pydantic.SerializeAsAny[Left] | None = None

    @pydantic.model_validator(mode="after")
    def _checked(self) -> Validated:
        return self


class Kind(pydantic.BaseModel, Generic[T]):
    v: T | None = None


@pydantic.dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Data(Generic[T]):
    a: T
    d: str = pydantic.Field("x", alias="D")


@dataclass
class Rooted:
    """Its field has the name of what a pydantic RootModel wraps."""

    root: int
    other: str = "x"


OBJECTS: list[tuple[Any, Any]] = [
    (Rooted, Rooted(1)),
    (Early, Early(1)),
    (Stored, Stored(3)),
    (Generics[int], Generics(a=1, b=[2])),
    (Constants, Constants(7)),
    (Marked, Marked(1, 2, 3, [UTC], {"a": UTC, "b": None}, [1j], [1])),
    (
        Enums,
        Enums(Miss.A, Labelled.A, Auto.B, Days.A, Price.A, {Labelled.A: 1}, {Days.A}),
    ),
    (OwnInit, OwnInit(1, b=5)),
    (AnyInit, AnyInit(a=1)),
    (OtherName, OtherName(1)),
    (Row, Row(1)),
    (Typed, {"a": 1, "b": None, "d": 5}),
    (Converting, Converting("5", "x", ee=4)),
    (AttrsInit, AttrsInit(1)),
    (Cached[Cached[str]], Cached(Cached("x"))),
    (Structs, Structs(Two(3), [One(1), Two(2)], 5)),
    (Discriminated, Discriminated(v=Right(K="c", y="x"), w=[Left(x=1), Right()])),
    (Trees, Trees(a=Tree({"x": Tree([Tree(1), Tree({})])}))),
    (Configured, Configured(name=" ABC ", t=(1,), s=frozenset({"a"}), k=deque([1]))),
    (Validated, Validated(a="ABC", d=Left(), e=Left(x=2))),
    (Kind[Left], Kind[Left](v=Left(x=1))),
    (Data[int], Data(a=1, D="y")),
]


@pytest.mark.parametrize(("cls", "obj"), OBJECTS, ids=[str(cls) for cls, _ in OBJECTS])
def test_an_odd_class_round_trips(cls: Any, obj: Any) -> None:
    round_trips(obj, cls)


@pytest.mark.parametrize(
    "annotation",
    [
        Literal[Miss.A, "a"],
        Literal["a", Miss.A],
        Literal["a", "b"] | Miss,
        Literal[2] | Days | Auto,
        Literal["2026-01-01"] | date,
    ],
)
def test_constants_that_are_stored_as_another_value_are_refused_when_bound(annotation: Any) -> None:
    with pytest.raises(ModelDefinitionError, match=r"Literal\[.*: .*stored alike"):
        codec_for(dataclasses.make_dataclass("Row", [("a", annotation)]))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Literal["q"] | Miss, Miss.A),
        (Literal["q"] | str, "q"),  # noqa: PYI051 - redundant, and no fault
        (Literal[1, True] | None, True),
        (Literal["x"] | date, date(2026, 1, 1)),
        (Literal[5] | datetime, UTC),
    ],
)
def test_constants_beside_other_kinds_round_trip(annotation: Any, value: Any) -> None:
    held_round_trips(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (float, 1, "1.0"),
        (float, 1.5, "1.5"),
        (int, Decimal("1.0"), "1"),
        (int, Decimal("1E+2"), "100"),
        (int, -3, "-3"),
        (Decimal, 1, "1"),
        (float | None, 2, "2.0"),
    ],
)
def test_a_number_of_another_type_in_a_key_is_written_as_it_is_read(
    annotation: Any, value: Any, text: str
) -> None:
    cls = keys(PK="A#{a}")(dataclasses.make_dataclass("Keyed", [("a", annotation)]))
    assert round_trips(cls(value)) == {"PK": {"S": f"A#{text}"}}


def test_a_set_with_a_stranger_says_so() -> None:
    cls = dataclasses.make_dataclass("Row", [("a", set[int])])
    with pytest.raises(
        EncodeError, match="expected a set of N, got one with a member of bool at a"
    ):
        codec_for(cls).encode(cls({True}))
    with pytest.raises(EncodeError, match="expected set, got list at a"):
        codec_for(cls).encode(cls([1]))


class Whole(TypedDict):
    a: int | None
    s: set[int]


@pytest.mark.parametrize("value", [{"a": 1}, {"s": {1}}])
def test_a_typed_dict_without_what_it_requires_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError, match="got nothing at"):
        codec_for(Whole).encode(value)


def test_sets_of_a_typed_dict_may_be_empty() -> None:
    assert round_trips({"a": None, "s": set()}, Whole) == {"a": {"NULL": True}}
