"""Ion text as DynamoDB exports it: S3DataExport.Output.html, and the Ion specification."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream import from_item
from ddbstream.exceptions import PayloadError
from ddbstream.export._ion import read_ion_line
from tests.support.missing import missing


def value(text: str) -> Any:
    return read_ion_line(f"$ion_1_0 {{Item:{{a:{text}}}}}")["Item"]["a"]


def test_a_line_like_the_documentations() -> None:
    line = (
        '$ion_1_0 {Item:{Writers:$dynamodb_SS::["Ann","Bob"],Size:"8 x 11",Id:104.,'
        "InPrint:false,Pages:6d2,Price:2d3}}"
    )
    assert from_item(read_ion_line(line)["Item"]) == {
        "Writers": {"Ann", "Bob"},
        "Size": "8 x 11",
        "Id": 104,
        "InPrint": False,
        "Pages": 600,
        "Price": 2000,
    }


def test_an_incremental_line_is_wrapped_once_more_or_not() -> None:
    inside = (
        'Metadata:{WriteTimestampMicros:1770000000123456.},Keys:{PK:"a"},NewImage:{PK:"a",n:1.}'
    )
    expected = {
        "Metadata": {"WriteTimestampMicros": {"N": "1770000000123456"}},
        "Keys": {"PK": {"S": "a"}},
        "NewImage": {"PK": {"S": "a"}, "n": {"N": "1"}},
    }
    assert read_ion_line(f"$ion_1_0 {{{inside}}}") == expected
    assert read_ion_line(f"$ion_1_0 {{Record:{{{inside}}}}}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"x"', {"S": "x"}),
        ('""', {"S": ""}),
        ('"a\\nb\\t\\"\\\\\\u00e9\\x41\\0\\/"', {"S": 'a\nb\t"\\\u00e9A\0/'}),
        ('"\\ud83d\\ude00"', {"S": "\U0001f600"}),
        ('"\\U0001F600"', {"S": "\U0001f600"}),
        ("'''long '' text''' '''goes on'''", {"S": "long '' textgoes on"}),
        ("1.", {"N": "1"}),
        ("-12.50", {"N": "-12.50"}),
        ("6d2", {"N": "6E2"}),
        ("6.d2", {"N": "6E2"}),
        ("1.5D-130", {"N": "1.5E-130"}),
        ("7", {"N": "7"}),
        ("1_000", {"N": "1000"}),
        ("0x1F", {"N": "31"}),
        ("-0b101", {"N": "-5"}),
        ("1e3", {"N": "1e3"}),
        ("true", {"BOOL": True}),
        ("false", {"BOOL": False}),
        ("null", {"NULL": True}),
        ("null.string", {"NULL": True}),
        ("{{aGk=}}", {"B": "aGk="}),
        ("{{ aG\n k= }}", {"B": "aGk="}),
        ("{{}}", {"B": ""}),
        ("[]", {"L": []}),
        ('[1., "a", [], {}]', {"L": [{"N": "1"}, {"S": "a"}, {"L": []}, {"M": {}}]}),
        ("[1.,]", {"L": [{"N": "1"}]}),
        ("{b:1.,}", {"M": {"b": {"N": "1"}}}),
        (
            "{'b c':1.,\"d\\ne\":2.,$f:3.}",
            {"M": {"b c": {"N": "1"}, "d\ne": {"N": "2"}, "$f": {"N": "3"}}},
        ),
        ('{S:"x"}', {"M": {"S": {"S": "x"}}}),
        ('$dynamodb_SS::["a"]', {"SS": ["a"]}),
        ("$dynamodb_NS::[1., 2d1]", {"NS": ["1", "2E1"]}),
        ("$dynamodb_BS::[{{AA==}}]", {"BS": ["AA=="]}),
        ("'$dynamodb_NS'::[]", {"NS": []}),
        ('note::"x"', {"S": "x"}),
        ("1. // a remark", {"N": "1"}),
        ("/* a remark */ 1.", {"N": "1"}),
    ],
)
def test_every_value_that_dynamodb_has(text: str, expected: Any) -> None:
    assert value(f"{text}\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "'hunter2'",
        "2026-02-02T",
        "2026-02-02T02:40:00Z",
        "+inf",
        "nan",
        "(hunter2)",
        '{{"hunter2"}}',
        "{{hunter2!}}",
        '"hunter2',
        "'''hunter2",
        '"\\q"',
        '"\\u12"',
        '"\\U00110000"',
        '"\\ud83d"',
        "[1.",
        "[1. 2.]",
        "{b 1.}",
        "{:1.}",
        "1.,,",
        "$dynamodb_SS::[1.]",
        '$dynamodb_NS::"1"',
        "$dynamodb_SS:[]",
        "[" * 100_000,
    ],
)
def test_what_dynamodb_never_writes_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        value(text)
    assert "hunter2" not in str(caught.value)
    assert "Ion" in str(caught.value)


@pytest.mark.parametrize(
    "line", ["", "$ion_1_0", "[1.]", "1.", "{a:1.}", "{Item:{}} {}", "$ion_1_0 {Item:1.}"]
)
def test_a_line_that_is_no_struct_of_structs_is_refused(line: str) -> None:
    with pytest.raises(PayloadError):
        read_ion_line(line)


NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20
)
VALUES = st.recursive(
    st.text() | NUMBERS | st.binary(max_size=20) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, "  ", "\t"]))
def test_it_reads_what_amazons_own_library_writes(item: dict[str, Any], indent: str | None) -> None:
    try:
        from amazon.ion import simpleion
    except ImportError:
        missing("the reference implementation of Ion is not installed: pip install amazon.ion")
    text = simpleion.dumps({"Item": item}, binary=False, indent=indent)
    assert from_item(read_ion_line(text)["Item"]) == item


@given(
    st.sets(NUMBERS, min_size=1), st.sets(st.text(), min_size=1), st.sets(st.binary(), min_size=1)
)
def test_it_reads_sets_that_amazons_own_library_writes(
    numbers: set[Decimal], strings: set[str], binaries: set[bytes]
) -> None:
    try:
        from amazon.ion import simpleion
        from amazon.ion.simple_types import IonPyList
    except ImportError:
        missing("the reference implementation of Ion is not installed: pip install amazon.ion")
    item = {
        name: IonPyList.from_value(_list_type(), list(members), (f"$dynamodb_{name}",))
        for name, members in (("NS", numbers), ("SS", strings), ("BS", binaries))
    }
    text = simpleion.dumps({"Item": item}, binary=False)
    assert from_item(read_ion_line(text)["Item"]) == {"NS": numbers, "SS": strings, "BS": binaries}


def _list_type() -> Any:
    from amazon.ion.core import IonType

    return IonType.LIST
