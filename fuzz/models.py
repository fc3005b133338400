"""The classes that the fuzz target reads items into: every kind of annotation at least once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID

from ddbstream import Attribute, Epoch, keys
from ddbstream._model import model

T = TypeVar("T")


class Colour(Enum):
    RED = "r"
    GREEN = "g"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Odd(Enum):
    TEXT = "a"
    NUMBER = 1
    NOTHING = None


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Extra(TypedDict, total=False):
    a: int
    b: list[str]


@dataclass
class Cat:
    kind: Literal["cat"]
    lives: int


@dataclass
class Dog:
    kind: Literal["dog"]
    name: str | None = None


@keys(PK="P#{a}", SK="S")
@dataclass(slots=True)
class Keyed:
    a: UUID
    b: str
    c: Decimal


@keys(PK="{{x}}{a}#{b}#", SK="{c:04d}", GSI="s-{d}")
@dataclass(frozen=True)
class OddKeys:
    a: str
    b: int
    c: int
    d: Colour | None = None


@dataclass
class Scalars:
    a: str = "a"
    b: int = 1
    c: float = 1.0
    d: bool = True
    e: bytes = b""
    f: Decimal = Decimal(0)
    g: datetime | None = None
    h: date | None = None
    i: time | None = None
    j: timedelta | None = None
    k: UUID | None = None
    m: Annotated[datetime | None, Epoch("s")] = None
    n: Annotated[datetime | None, Epoch("ms")] = None
    o: Colour | Level | None = None
    p: Right | None = None
    q: Odd = Odd.NOTHING
    r: Literal["a", 1, True] | None = None


@dataclass(frozen=True, slots=True)
class Containers:
    a: list[int] = field(default_factory=list)
    b: set[str] = field(default_factory=set)
    c: frozenset[Decimal] = frozenset()
    d: set[bytes] = field(default_factory=set)
    e: dict[str, int] = field(default_factory=dict)
    f: dict[UUID, str] = field(default_factory=dict)
    g: tuple[int, str] | None = None
    h: tuple[bool, ...] = ()
    i: Sequence[Point] = ()
    j: Mapping[str, Extra] = field(default_factory=dict)
    k: deque[Any] = field(default_factory=deque)
    m: set = field(default_factory=set)
    n: Any = None


@dataclass
class Unions:
    a: int | str
    b: Cat | Dog | None = None
    c: list[int] | set[int] | set[str] | dict[str, Any] | bool | None = None
    d: int | Decimal = 0
    e: Literal["x"] | UUID | bytes = "x"


@dataclass
class Tree:
    a: int = 0
    b: list[Tree] = field(default_factory=list)
    c: dict[str, Tree] = field(default_factory=dict)


@dataclass
class Page(Generic[T]):
    a: T
    b: list[T] = field(default_factory=list)


@model(rename="camelCase", unknown="forbid", none="omit")
@dataclass
class Strict:
    a: int
    b_c: str | None = None


@model(collect="rest")
@dataclass
class Collecting:
    a: int = 0
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass
class Checked:
    a: Annotated[int, Attribute("b")]
    c: int = 0

    def __post_init__(self) -> None:
        if self.a == 1:
            raise ValueError("no ones")


@dataclass
class Round:
    a: int = 0


@dataclass
class Long:
    b: str
    c: list[Shape] = field(default_factory=list)


Shape = Annotated[Round | Long, Attribute(tags={"a": Round, "b": Long})]


class Chain(NamedTuple):
    a: int
    b: Annotated[Chain | None, Attribute(stored_as="L")] = None
    c: float = 0.0


@dataclass
class OtherForms:
    a: Shape | None = None
    b: Annotated[Chain | None, Attribute(stored_as="L")] = None
    c: Annotated[list[str], Attribute(stored_as="SS")] = field(default_factory=list)
    d: Annotated[tuple[Decimal, ...], Attribute(stored_as="NS")] = ()
    e: Annotated[list[Colour] | None, Attribute(stored_as="SS")] = None


MODELS: list[Any] = [
    None,
    Keyed,
    OddKeys,
    Scalars,
    Containers,
    Unions,
    Tree,
    Page[Tree],
    Page[int],
    Strict,
    Collecting,
    Checked,
    Extra,
    Point,
    dict[str, int],
    OtherForms,
    Shape,
]
