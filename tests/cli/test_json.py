"""JSON lines keep every digit and every kind of value."""

from __future__ import annotations

import json
from collections import namedtuple
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

from ddbstream.cli._json import dumps


@pytest.mark.parametrize(
    "text",
    [
        "1299.99",
        "0.1",
        "1E+125",
        "1E-130",
        "12345678901234567890123456789012345678",
        "0.10",
        "-0",
        "0E-7",
    ],
)
def test_a_decimal_is_a_json_number_to_the_last_digit(text: str) -> None:
    line = dumps({"price": Decimal(text)})
    assert json.loads(line, parse_float=str, parse_int=str) == {"price": text}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), Decimal("NaN")])
def test_what_json_has_no_number_for_is_text(number: object) -> None:
    assert json.loads(dumps(number)) == str(number)


def test_bytes_are_base64_text() -> None:
    assert dumps(b"\x00\xff") == '"AP8="'


def test_a_set_is_a_list_in_a_stable_order() -> None:
    assert dumps({Decimal(10), Decimal(9)}) == "[9, 10]"
    assert dumps({"b", "a"}) == '["a", "b"]'
    assert dumps(frozenset({1, "a"})) == '["a", 1]'


def test_dates_ids_and_enums_are_their_text() -> None:
    class Colour(Enum):
        RED = "red"

    assert dumps(datetime(2026, 11, 23, tzinfo=timezone.utc)) == '"2026-11-23T00:00:00+00:00"'
    assert dumps(date(2026, 11, 23)) == '"2026-11-23"'
    assert dumps(UUID(int=7)) == '"00000000-0000-0000-0000-000000000007"'
    assert dumps([Colour.RED, True, None, 7]) == '["red", true, null, 7]'


def test_models_are_objects_by_field_name() -> None:
    @dataclass
    class Size:
        w: Decimal

    @dataclass
    class Desk:
        name: str
        size: Size

    assert dumps(Desk("Walnut", Size(Decimal("1.20")))) == '{"name": "Walnut", "size": {"w": 1.20}}'


def test_models_of_other_libraries_are_objects_too() -> None:
    attrs = pytest.importorskip("attrs")
    msgspec = pytest.importorskip("msgspec")
    pydantic = pytest.importorskip("pydantic")
    models = [
        attrs.make_class("A", {"price": attrs.field()}),
        msgspec.defstruct("M", [("price", Decimal)]),
        pydantic.create_model("P", price=Decimal),
    ]
    for model in models:
        assert dumps(model(price=Decimal("0.10"))) == '{"price": 0.10}'


def test_a_named_tuple_is_a_list_and_a_key_is_text() -> None:
    point = namedtuple("point", "x y")  # noqa: PYI024 -- the plain kind
    assert dumps({1: point(1, 2)}) == '{"1": [1, 2]}'


def test_a_line_is_one_line_of_ascii() -> None:
    line = dumps({"name": "Größe\n\u2028", "lone": "\ud800"})
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["name"] == "Größe\n\u2028"
