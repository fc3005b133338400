"""Each row of the tables in ``docs/models.md`` does what it says."""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import pytest

from ddbstream import Attribute, Epoch, from_item, to_item
from tests.unit.model.reading import quickly, slowly

DOCUMENT = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Size(TypedDict):
    w: int


class Point(NamedTuple):
    x: int
    y: int


UserId = NewType("UserId", str)


@dataclass
class Dimensions:
    width: float
    height: float


@dataclass
class Page(Generic[T]):
    items: list[T]


@dataclass
class Circle:
    kind: Literal["circle"]
    radius: float


@dataclass
class Square:
    kind: Literal["square"]
    side: float


NAMES = {
    **{f.__name__: f for f in (Annotated, Any, Literal) if hasattr(f, "__name__")},
    **{
        f.__name__: f
        for f in (
            Attribute,
            Circle,
            Colour,
            Decimal,
            Dimensions,
            Epoch,
            Level,
            Mapping,
            Page,
            Point,
        )
    },
    **{f.__name__: f for f in (Right, Sequence, Size, Square, UUID, UserId, date, datetime, deque)},
    **{f.__name__: f for f in (time, timedelta, timezone)},
    "Annotated": Annotated,
    "Any": Any,
    "Literal": Literal,
}


def rows(table: str) -> list[list[str]]:
    """The cells of a table's rows: the code in them, or the words."""
    text = DOCUMENT.partition(f"<!-- table: {table} -->\n")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in text.splitlines()[2:]]
    return [[code(cell.replace(r"\|", "|").strip()) for cell in row] for row in cells]


def code(cell: str) -> str:
    match = re.match(r"`([^`]*)`", cell)
    return match[1] if match else cell


def evaluate(text: str) -> Any:
    return eval(text, {**NAMES})  # noqa: S307 - our own document


def model_of(annotation: str) -> Any:
    return dataclasses.make_dataclass("Row", [("value", evaluate(annotation))])


def as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_json(member) for member in value]
    return "YWI=" if value == b"ab" and isinstance(value, bytes) else value


ANNOTATIONS = rows("annotations")
READINGS = rows("reading")


def test_the_tables_are_found() -> None:
    assert len(ANNOTATIONS) > 50
    assert len(READINGS) > 10


@pytest.mark.parametrize(
    ("annotation", "value", "wire", "back"),
    ANNOTATIONS,
    ids=[f"{r[0]}={r[1]}" for r in ANNOTATIONS],
)
def test_a_value_is_written_and_read_back_as_the_table_says(
    annotation: str, value: str, wire: str, back: str
) -> None:
    model = model_of(annotation)
    stored = {} if wire == "*left out*" else {"value": evaluate(wire)}
    expected = evaluate(back)

    assert to_item(model(evaluate(value))) == stored
    assert to_item(model(evaluate(value)), wire="json") == as_json(stored)
    for item in (stored, as_json(stored)):
        for read in (quickly, slowly, from_item):
            made = read(item, model).value
            assert made == expected
            assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "wire", "back"), READINGS, ids=[f"{r[0]} of {r[1]}" for r in READINGS]
)
def test_a_wire_value_is_read_as_the_table_says(annotation: str, wire: str, back: str) -> None:
    made = from_item({"value": evaluate(wire)}, model_of(annotation)).value
    assert made == evaluate(back)
    assert type(made) is type(evaluate(back))
