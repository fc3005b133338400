"""``changed=``: which changes pass, seen on the wire form alone."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import pytest

from ddbstream import Attribute, from_attribute_value, keys, to_item
from ddbstream._model import codec_for
from ddbstream.changed import ChangeFilter, all_of, any_of, change_filter, none_of, transition
from ddbstream.exceptions import DecodeError, DiffError


class Point(NamedTuple):
    x: int
    y: int


class Size(TypedDict):
    w: Annotated[int, Attribute("the w")]


OLD = to_item({"price": 1, "dims": {"w": 1, "h": 2}, "tags": {"a"}, "status": "PAID", "list": [1]})
NEW = {
    **to_item({"dims": {"w": 1, "h": 3}, "status": "SHIPPED", "list": [1, 2], "new": None}),
    "price": {"N": "1.0"},
    "tags": {"SS": ["a", "a"]},
}


def passes(changed: Any, old: Any = OLD, new: Any = NEW) -> bool:
    return change_filter(changed).matches(old, new)


@pytest.mark.parametrize("path", ["dims", "dims.h", "status", "list", "list[1]", "new"])
def test_a_path_passes_what_changed_there(path: str):
    assert passes(path)


@pytest.mark.parametrize(
    "path",
    ["price", "tags", "dims.w", "dims.x", "dims[0]", "list[0]", "list[2]", "x", "x.y", "status.x"],
)
def test_a_path_stops_what_did_not_change_there(path: str):
    assert not passes(path)


def test_several_paths_are_any_of_them():
    assert passes(("price", "status"))
    assert passes(["price", "status"])
    assert not passes(("price", "tags"))
    assert passes(any_of("price", "status"))


def test_combinations_nest():
    assert passes(all_of("status", "dims.h"))
    assert not passes(all_of("status", "price"))
    assert passes(none_of("price", "tags"))
    assert not passes(none_of("price", "status"))
    assert passes(all_of("status", none_of("price"), any_of("tags", "new")))
    assert not passes(all_of("status", none_of(any_of("new", "price"))))


def test_no_item_has_nothing_at_any_path():
    assert passes("price", None, NEW)
    assert not passes("x", None, NEW)
    assert passes("price", OLD, None)
    assert passes(transition("status", now="SHIPPED"), None, NEW)
    assert passes(transition("status", was="PAID"), OLD, None)


@dataclass
class Priced:
    price: int


class TestTransition:
    @pytest.mark.parametrize(
        "change",
        [
            transition("status", "PAID", "SHIPPED"),
            transition("status", "PAID"),
            transition("status", now="SHIPPED"),
            transition("status"),
            transition("dims.h", Decimal("2.0"), 3),
            transition("list[1]", None, 2),
            transition("new", was=None),
            transition("dims", {"w": 1, "h": 2}, {"h": 3, "w": 1}),
        ],
    )
    def test_it_passes_from_the_one_value_to_the_other(self, change: ChangeFilter):
        assert change.matches(OLD, NEW)

    @pytest.mark.parametrize(
        "change",
        [
            transition("status", "SHIPPED", "PAID"),
            transition("status", "PAID", "PAID"),
            transition("status", was=None),
            transition("dims.h", "2"),
            transition("price", 1),  # it is 1, and did not change
            transition("price", now=1),
            transition("x", None, None),
            transition("tags", {"a"}, {"a"}),
            transition("new", was="x"),  # there was nothing
        ],
    )
    def test_it_stops_anything_else(self, change: ChangeFilter):
        assert not change.matches(OLD, NEW)

    def test_a_value_in_a_key_may_stand_for_a_member_of_an_enum(self):
        class Status(Enum):
            PAID = "PAID"
            SHIPPED = "SHIPPED"

        @keys(PK="Status#{status}")
        @dataclass
        class Order:
            status: Status

        old, new = to_item(Order(Status.PAID)), to_item(Order(Status.SHIPPED))
        codec = codec_for(Order)
        for paid, shipped in (("PAID", "SHIPPED"), (Status.PAID, Status.SHIPPED)):
            assert transition("status", paid, shipped).matches(old, new, codec)
            assert not transition("status", shipped, paid).matches(old, new, codec)
            assert not transition("status", now=paid).matches(old, new, codec)

    def test_none_is_null_and_nothing_alike(self):
        null, nothing = to_item({"a": None}), to_item({})
        assert transition("a", was=None).matches(null, to_item({"a": 1}))
        assert transition("a", was=None).matches(nothing, to_item({"a": 1}))

    def test_an_enum_member_stands_for_its_value(self):
        class Status(Enum):
            PAID = "PAID"
            SHIPPED = "SHIPPED"

        assert transition("status", Status.PAID, Status.SHIPPED).matches(OLD, NEW)
        assert not transition("status", Status.SHIPPED).matches(OLD, NEW)

    def test_what_only_the_model_can_store_is_compared_as_the_model_reads_it(self):
        @dataclass
        class Order:
            id: UUID
            due: datetime

        one, other = UUID(int=1), UUID(int=2)
        day = datetime(2026, 1, 1, tzinfo=timezone.utc)
        old, new = to_item(Order(one, day)), to_item(Order(other, day))
        codec = codec_for(Order)
        assert transition("id", one, other).matches(old, new, codec)
        assert not transition("id", other, one).matches(old, new, codec)
        assert not transition("id", one, other).matches(old, new)

    @pytest.mark.parametrize(
        ("kind", "was", "now"),
        [
            (Annotated[list[str], Attribute(stored_as="SS")], ["a"], ["a", "b"]),
            (Annotated[list[str], Attribute(stored_as="SS")], [], ["a"]),
            (Annotated[Point, Attribute(stored_as="L")], Point(1, 2), Point(1, 3)),
            (set[str], set(), {"a"}),
            (frozenset[int], frozenset({1}), frozenset()),
            (Size, {"w": 1}, {"w": 2}),
            (list[Size], [{"w": 1}], []),
        ],
    )
    def test_what_the_model_stores_as_another_type_is_compared_as_it_reads_it(
        self, kind: Any, was: Any, now: Any
    ):
        model: Any = make_dataclass("Order", [("a", kind), ("b", int, 0)])
        codec = codec_for(model)
        old, new = to_item(model(was)), to_item(model(now))
        for change in (transition("a", was, now), transition("a", was), transition("a", now=now)):
            assert change.matches(old, new, codec)
            assert not change.matches(new, old, codec)
            assert not change.matches(old, to_item(model(was, 1)), codec)
        assert not transition("a", was).matches(None, new, codec)

    @pytest.mark.parametrize("bad", [{"N": "x"}, {"N": "1", "S": "x"}, 3, None, [], "N"])
    @pytest.mark.parametrize("codec", [None, codec_for(Priced)])
    def test_a_malformed_value_is_an_error_with_its_path(self, bad: Any, codec: Any):
        with pytest.raises(DecodeError, match="at price"):
            transition("price", 1).matches({"price": bad}, NEW, codec)
        with pytest.raises(DecodeError, match="at price"):
            transition("price", now=1).matches({}, {"price": bad}, codec)

    def test_its_repr_names_no_value(self):
        assert repr(transition("status", "PAID", "SHIPPED")) == "transition('status', was=, now=)"


def test_a_field_is_known_by_its_name_and_by_its_attributes():
    @dataclass
    class Product:
        price: Annotated[Decimal, Attribute("p")]
        p: Annotated[str, Attribute("name")] = ""
        other: list[str] = field(default_factory=list)

    old = to_item(Product(Decimal(1), "x"))
    codec = codec_for(Product)
    changed = change_filter("price")
    assert changed.matches(old, {**old, "p": {"N": "2"}}, codec)
    assert not changed.matches(old, {**old, "name": {"S": "y"}}, codec)
    # A field's name goes before an attribute's.
    assert change_filter("p").matches(old, {**old, "name": {"S": "y"}}, codec)
    assert not change_filter("p").matches(old, {**old, "p": {"N": "2"}}, codec)
    # And without a model there are attributes alone.
    assert change_filter("p").matches(old, {**old, "p": {"N": "2"}})
    for make in (any_of, all_of, none_of):
        assert make("price").matches(old, {**old, "p": {"N": "2"}}, codec) is (make is not none_of)


def test_one_filter_serves_several_models():
    @dataclass
    class Product:
        price: Annotated[Decimal, Attribute("p")]

    changed = change_filter("price")
    one, other = codec_for(Product), codec_for(Priced)
    for codec, name in ((one, "p"), (other, "price"), (one, "p"), (None, "price")):
        assert changed.matches({name: {"N": "1"}}, {name: {"N": "2"}}, codec)
        unnamed = "p" if name == "price" else "price"
        assert not changed.matches({unnamed: {"N": "1"}}, {unnamed: {"N": "2"}}, codec)


@pytest.mark.parametrize(
    "other", [{}, {"GSI": {"N": "1"}}, {"GSI": {"NULL": True}}, {"GSI": {"S": "of another form"}}]
)
def test_a_field_in_a_key_changes_with_a_key_that_does_not_have_it(other: Any):
    @keys(GSI="Status#{status}#{day}")
    @dataclass
    class Order:
        status: str | None = None
        day: int | None = None

    item, codec = to_item(Order("PAID", 1)), codec_for(Order)
    for old, new in ((item, other), (other, item)):
        assert change_filter("status").matches(old, new, codec)
        assert not change_filter("status").matches(old, old, codec)


def test_it_decodes_nothing_that_is_equal(monkeypatch: pytest.MonkeyPatch):
    from ddbstream._diff import compare as _compare

    read = []

    def spy(value: Any, depth: int) -> Any:
        read.append(value)
        return from_attribute_value(value)

    monkeypatch.setattr(_compare, "read_quickly", spy)
    assert not passes("status", OLD, dict(OLD))
    assert passes(("status", "price"))
    assert passes(("dims", "status"))
    assert read == []
    assert not passes("price")
    assert read == [{"N": "1"}, {"N": "1.0"}]


def test_a_malformed_value_that_differs_is_an_error_with_its_path():
    with pytest.raises(DecodeError, match="at price"):
        passes("price", OLD, {"price": {"X": "1"}})


@pytest.mark.parametrize("changed", [None, 1, b"price", (), [1], "a..b", ("price", "")])
def test_what_names_no_path_is_refused(changed: Any):
    with pytest.raises(DiffError):
        change_filter(changed)


def test_the_error_says_what_changed_takes():
    with pytest.raises(DiffError) as caught:
        change_filter(5)  # type: ignore[arg-type]
    takes = "a path, a tuple of paths, or any_of, all_of, none_of or transition"
    assert (caught.value.expected, caught.value.found) == (takes, "int")


@pytest.mark.parametrize("make", [any_of, all_of, none_of])
def test_a_combination_of_nothing_is_refused(make: Any):
    with pytest.raises(DiffError, match=make.__name__):
        make()


def test_a_filter_says_what_it_looks_at():
    changed = all_of("a", none_of("b.c"), transition("d", 1, 2))
    assert [path.parts for path in changed.paths] == [("a",), ("b", "c"), ("d",)]
    assert repr(changed) == "all_of('a', none_of('b.c'), transition('d', was=, now=))"


def test_a_path_nested_without_end_is_refused_by_its_name():
    old, new = {"S": "x"}, {"S": "y"}
    for _ in range(5000):
        old, new = {"L": [old]}, {"L": [new]}
    with pytest.raises(DiffError, match="nested too deeply to compare at price"):
        passes("price", {"price": old}, {"price": new})
