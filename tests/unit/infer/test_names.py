"""Names of classes and fields, and the policies that give attribute names back."""

from __future__ import annotations

import ast
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream._infer.layout import quoted
from ddbstream._infer.names import class_name, field_name, policy_of, singular


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("order", "Order"),
        ("ORDER_LINE", "OrderLine"),
        ("order-line", "OrderLine"),
        ("OrderLine", "OrderLine"),
        ("IoTDevice", "IoTDevice"),
        ("7up", "Item7up"),
        ("", "Item"),
        ("#", "Item"),
        ("None", "NoneItem"),
        ("Decimal", "DecimalItem"),
    ],
)
def test_a_class_is_named_in_pascal_case(text: str, name: str) -> None:
    assert class_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("customerId", "customer_id"),
        ("CustomerID", "customer_id"),
        ("HTTPStatus", "http_status"),
        ("weird name-1", "weird_name_1"),
        ("_private", "private"),
        ("class", "class_"),
        ("2fa", "field_2fa"),
        ("", "field"),
        ("straße", "straße"),
        ("ﬁeld", "field"),
    ],
)
def test_a_field_is_named_in_snake_case(text: str, name: str) -> None:
    assert field_name(text) == name


@given(st.text())
def test_every_text_gives_names_that_python_takes(text: str) -> None:
    for name in (class_name(text), field_name(text)):
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert not name.startswith("__")


@given(st.text())
def test_a_quoted_text_is_that_text_on_one_line(text: str) -> None:
    literal = quoted(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable()


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("lines", "line"),
        ("addresses", "address"),
        ("categories", "category"),
        ("boxes", "box"),
        ("status", "status"),
        ("address", "address"),
        ("news", "new"),
    ],
)
def test_a_member_is_named_in_the_singular(many: str, one: str) -> None:
    assert singular(many) == one


def test_the_policy_that_gives_most_names_back_is_chosen() -> None:
    assert policy_of({"a_b": "aB", "c_d": "cD", "e": "odd"}) == "camelCase"
    assert policy_of({"a_b": "AB", "c": "C"}) == "PascalCase"
    assert policy_of({"a": "a", "b_c": "bC"}) == "camelCase"
    assert policy_of({"a": "a", "b": "b", "c_d": "c-d"}) == "kebab-case"
    assert policy_of({"a": "a", "b": "b"}) is None
    assert policy_of({}) is None
