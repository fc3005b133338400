"""Which items are in wire form."""

from __future__ import annotations

from collections import UserDict

import pytest

from ddbstream._values.wire_form import is_wire_item


@pytest.mark.parametrize(
    "value",
    [
        {"S": "a"},
        {"N": "1"},
        {"B": b"a"},
        {"B": "YQ=="},
        {"B": bytearray(b"a")},
        {"BOOL": False},
        {"NULL": True},
        {"L": []},
        {"M": {}},
        {"SS": ["a"]},
        {"SS": {"a"}},
        {"NS": ("1",)},
        {"BS": frozenset({b"a"})},
        UserDict({"S": "a"}),
    ],
)
def test_an_item_of_type_tags_with_their_payloads_is_in_wire_form(value):
    assert is_wire_item({"name": value})


@pytest.mark.parametrize(
    "value",
    [
        "a",
        None,
        {},
        {"s": "a"},
        {"S": 1},
        {"N": 1},
        {"B": 1},
        {"BOOL": "true"},
        {"NULL": None},
        {"L": {}},
        {"M": []},
        {"SS": "a"},
        {"S": "a", "N": "1"},
    ],
)
def test_one_value_that_is_no_tag_with_its_payload_makes_an_item_a_python_item(value):
    assert not is_wire_item({"name": {"S": "a"}, "other": value})


def test_an_item_without_attributes_is_in_wire_form_and_what_is_no_map_is_not():
    assert is_wire_item({})
    assert not is_wire_item([{"S": "a"}])
