"""The generated code takes no more than the slow reader: malformed payloads are refused by both."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest

from ddbstream import DDBStreamError, Epoch, from_item, keys
from tests.unit.model.reading import codec_for


class Colour(Enum):
    RED = "red"


class Half(Enum):
    HALF = 0.5


class Right(Flag):
    READ = 1


KINDS: list[Any] = [
    str,
    int,
    float,
    bool,
    bytes,
    bytearray,
    Decimal,
    datetime,
    Annotated[datetime, Epoch("s")],
    Annotated[datetime, Epoch("ms")],
    date,
    time,
    timedelta,
    UUID,
    Colour,
    Half,
    Right,
    Literal["red", "1"],
    Literal[1, True],
    None,
    str | None,
    int | str,
    int | float,
    list[int],
    list[float],
    tuple[int, str],
    set[str],
    set[int],
    set[float],
    set[Decimal],
    frozenset[bytes],
    dict[str, bool],
    dict[int, str],
    dict[float, str],
    Any,
    list,
]

TEXTS = [
    "",
    "x",
    "red",
    "1",
    "-1",
    "--1",
    "-",
    "+1",
    " 1",
    "1 ",
    "1_0",
    "1.0",
    "1.5",
    "1E+1",
    "1e400",
    "1E+9999",
]
TEXTS += [
    "nan",
    "NaN",
    "sNaN",
    "inf",
    "-Infinity",
    "0x1",
    "YQ==",
    "YQ=",
    "Y Q=",
    "2026-11-23",
    "06:04",
]
TEXTS += [
    "2026-11-23T06:04:05Z",
    "P1D",
    "12345678-1234-5678-1234-567812345678",
    "1790000000",
    "9" * 30,
]
PAYLOADS: list[Any] = [
    *TEXTS,
    None,
    True,
    False,
    0,
    1,
    1.0,
    0.1,
    float("nan"),
    b"",
    b"x",
    [],
    {},
    (),
    object(),
]
VALUES: list[Any] = [
    None,
    [],
    {},
    "S",
    5,
    {"X": "x"},
    {"S": "x", "N": "1"},
    {"NULL": True, "S": "x"},
]
VALUES += [{tag: payload} for tag in ("S", "N", "B", "BOOL", "NULL") for payload in PAYLOADS]
VALUES += [{tag: [payload]} for tag in ("SS", "NS", "BS") for payload in PAYLOADS]
VALUES += [
    {tag: payload} for tag in ("SS", "NS", "BS", "L", "M") for payload in (None, "x", 5, (), {})
]
VALUES += [{"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"L": [{"N": "1"}, {"S": "x"}, {"S": "y"}]}]
VALUES += [{"L": [{"N": payload}]} for payload in PAYLOADS]
VALUES += [{"L": [{"N": "1", "S": "x"}]}, {"L": [{"N": "1"}]}, {"L": [{"N": "1"}, {"S": 5}]}]
VALUES += [{"M": {"1": {"S": "x"}, "1.0": {"S": "y"}}}, {"M": {"a": {"BOOL": "true"}}}]
VALUES += [
    {"M": {"a": {"BOOL": True}}},
    {"M": {"a": {"BOOL": True, "S": "x"}}},
    {"M": {"1": {"S": 5}}},
]


def outcome(read: Any, item: Any) -> Any:
    """What was read, or where and why not."""
    try:
        made = read(item).a
    except DDBStreamError as error:
        return str(error)
    return type(made), repr(made) if not isinstance(made, (set, frozenset)) else sorted(
        map(repr, made)
    )


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_both_readers_say_the_same_of_every_payload(kind: Any) -> None:
    model = dataclasses.make_dataclass("Model", [("a", kind)])
    codec: Any = codec_for(model)
    for value in VALUES:
        item = {"a": value}
        assert outcome(codec.decode, item) == outcome(codec.read_slowly, item), value


@pytest.mark.parametrize("kind", [str, int, bool, Decimal, float, date, UUID, Colour], ids=str)
@pytest.mark.parametrize("template", ["{a}", "k#{a}", "k#{a}#"])
def test_both_readers_say_the_same_of_every_key(kind: Any, template: str) -> None:
    model = keys(k=template)(dataclasses.make_dataclass("Model", [("a", kind)]))
    codec: Any = codec_for(model)
    texts = [*TEXTS, "true", "false", "True", "12345678-1234-5678-1234-56781234ABCD"]
    for text in [part for each in texts for part in (each, f"k#{each}", f"k#{each}#")]:
        item = {"k": {"S": text}}
        assert outcome(codec.decode, item) == outcome(codec.read_slowly, item), text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (bool, {"BOOL": "true"}),
        (bool, {"BOOL": 1}),
        (float, {"N": "nan"}),
        (float, {"N": "1_0"}),
        (float, {"N": " 1"}),
        (float, {"N": "1e400"}),
        (int, {"N": "1_0"}),
        (int, {"N": " 1"}),
        (int, {"N": True}),
        (Decimal, {"N": "NaN"}),
        (Decimal, {"N": True}),
        (set[Decimal], {"NS": ["1", "NaN"]}),
        (set[str], {"SS": ["a", 5]}),
        (set[float], {"NS": ["inf"]}),
        (list[float], {"L": [{"N": "1"}, {"N": "nan"}]}),
        (tuple[int, str], {"L": [{"N": "1"}, {"S": "x"}, {"S": "y"}]}),
        (str, {"S": "x", "N": "1"}),
        (str | None, {"NULL": True, "S": "x"}),
        (str | None, {"NULL": "true"}),
        (dict[str, bool], {"M": {"a": {"BOOL": True, "S": "x"}}}),
        (list[int], {"L": [{"N": "1", "S": "x"}]}),
        (list[int], {"L": ({"N": "1.5"},)}),
    ],
    ids=str,
)
def test_what_is_malformed_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(DDBStreamError):
        from_item({"a": value}, dataclasses.make_dataclass("Model", [("a", kind)]))


def test_one_unusual_value_does_not_change_how_the_others_are_read() -> None:
    usual: dict[str, Any] = {
        "s": {"S": "x"},
        "n": {"N": "1.10"},
        "b": {"B": "YWI="},
        "t": {"BOOL": True},
        "f": {"BOOL": False},
        "u": {"NULL": True},
        "l": {"L": [{"BOOL": True}, {"B": b"ab"}]},
        "m": {"M": {"a": {"BOOL": False}}},
        "ss": {"SS": ["x"]},
        "ns": {"NS": ["1"]},
        "bs": {"BS": ["YWI="]},
    }
    slow = from_item({**usual, "odd": {"N": 7}})
    assert slow.pop("odd") == 7
    assert slow == from_item(usual)
    assert [type(value) for value in slow.values()] == [type(v) for v in from_item(usual).values()]


def _json_values() -> list[Any]:
    """Those that JSON can hold, as JSON gives them back."""
    found = []
    for value in VALUES:
        with suppress(TypeError, ValueError):
            found.append(json.loads(json.dumps(value, allow_nan=False)))
    return found


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_read_from_text_is_what_is_read_from_dicts(kind: Any) -> None:
    msgspec = pytest.importorskip("msgspec")
    holder = dataclasses.make_dataclass("Holder", [("a", kind)])
    codec: Any = codec_for(holder)
    for value in _json_values():
        item = {"a": value}
        text = msgspec.json.decode(json.dumps(item).encode(), type=msgspec.Raw)
        try:
            read = codec.read_json(text)
        except Exception:  # noqa: BLE001, S112 - then the item is read from dicts
            continue
        expected = codec.read_slowly(item)
        assert read == expected, value
        assert type(read.a) is type(expected.a), value
