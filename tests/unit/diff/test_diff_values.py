"""When two values differ, and how a change says it: the rules, by example."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from decimal import Decimal, FloatOperation, localcontext
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from ddbstream import Added, Diff, Removed, Replaced, SetChanged, diff, to_item
from ddbstream._diff import diff_images
from ddbstream.exceptions import DDBStreamError, DecodeError, DiffError, EncodeError


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 1.0),
        (1, Decimal("1.00")),
        (0, Decimal("-0")),
        (0.1, Decimal("0.1")),
        (10**23, 1e23),
        ({0.1, 2.5}, {Decimal("0.1"), Decimal("2.50")}),
        ({0.1, Decimal("0.1")}, {0.1}),
        ([{"b": 0.1}], [{"b": Decimal("0.10")}]),
        (float("inf"), Decimal("Infinity")),
        (Decimal("1E+2"), 100),
        ({1, 2}, {Decimal("2.0"), 1.0}),
        ({"a", "b"}, frozenset({"b", "a"})),
        (b"x", bytearray(b"x")),
        ([1, [2]], [1.0, (2,)]),
        ({"a": [1]}, OrderedDict(a=(1,))),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1.0}),
        (float("nan"), float("nan")),
        (Decimal("sNaN"), Decimal("NaN")),
        (set(), frozenset()),
    ],
)
def test_one_value_in_two_spellings_is_no_change(old: Any, new: Any):
    assert diff({"a": old}, {"a": new}) == Diff()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, "1"),
        (1, True),
        (0, False),
        (None, False),
        (None, ""),
        (None, set()),
        ("x", b"x"),
        ([], {}),
        ([1], {1}),
        ({"a": 1}, ["a", 1]),
        ({"1"}, {1}),
        ({b"a"}, {"a"}),
        (0.1, Decimal("0.1000000000000000055511151231257827021181583404541015625")),
        (1.0, True),
        (float("nan"), float("inf")),
        ([1, 2], 3),
        (float("nan"), 1),
    ],
)
def test_values_of_two_types_are_replaced(old: Any, new: Any):
    assert list(diff({"a": old}, {"a": new})) == [Replaced("a", old, new)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"N": "1"}, {"N": "1.00"}),
        ({"N": "1E+2"}, {"N": "100"}),
        ({"N": "-0"}, {"N": "0"}),
        ({"NS": ["1", "2"]}, {"NS": ["2.0", "1"]}),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a", "b"]}),
        ({"B": b"x"}, {"B": "eA=="}),
        ({"BS": [b"x", b"y"]}, {"BS": ["eQ==", "eA=="]}),
        ({"NULL": True}, {"NULL": False}),
        ({"L": [{"N": "1"}]}, {"L": ({"N": "1.0"},)}),
        ({"M": {"b": {"N": "1"}}}, {"M": OrderedDict(b={"N": "1.0"})}),
        ({"N": "9" * 38}, {"N": "9" * 38 + ".0"}),
    ],
)
def test_one_wire_value_in_two_spellings_is_no_change(old: Any, new: Any):
    assert diff({"a": old}, {"a": new}) == Diff()


def test_numbers_that_share_a_nearest_double_are_still_two_numbers():
    old, new = "0.1", "0.10000000000000000000000000000000000001"
    assert float(old) == float(new)
    assert list(diff({"a": {"N": old}}, {"a": {"N": new}})) == [
        Replaced("a", Decimal(old), Decimal(new))
    ]


def test_a_float_is_the_number_that_it_is_stored_as():
    old, new = {"a": 0.1, "b": {0.1}}, {"a": Decimal("0.1"), "b": {Decimal("0.1")}}
    assert to_item(old) == to_item(new)
    assert not diff(old, new)
    assert Added("a", 0.1) == Added("a", Decimal("0.1"))
    assert hash(Added("a", [{0.1}])) == hash(Added("a", [{Decimal("0.1")}]))
    assert hash(Added("a", 2.0)) == hash(Added("a", 2))


@pytest.mark.parametrize("wire", [True, False])
def test_a_set_gains_and_loses_numbers_whatever_python_type_they_have(wire: bool):
    old, new = {"a": {0.1, 1.0}}, {"a": {Decimal("0.1"), Decimal(2)}}
    change = diff(old, new)
    assert list(change) == [SetChanged("a", added={2}, removed={1})]
    # On a set whose members are spelled in yet another way.
    other = {"a": {Decimal("0.10"), 1, 7}}
    item = to_item(other) if wire else other
    made = Diff(change).apply(item)
    assert not diff(made, to_item({"a": {0.1, 2, 7}}) if wire else {"a": {0.1, 2, 7}})
    (logged,) = change.to_dict()["changes"]
    assert logged["added"] == {"NS": ["2"]}
    assert logged["removed"] in ({"NS": ["1"]}, {"NS": ["1.0"]})


def test_a_set_that_only_gains_a_number_needs_no_more_than_an_add():
    change = diff({"a": {0.1}}, {"a": {Decimal("0.1"), 2}})
    assert change.to_update_expression()["UpdateExpression"] == "ADD #a :a"


def test_a_context_that_traps_floats_is_no_matter():
    with localcontext() as context:
        context.traps[FloatOperation] = True
        assert not diff({"a": 0.5, "b": {0.5}}, {"a": Decimal("0.5"), "b": {Decimal("0.5")}})


def test_absent_and_null_differ():
    assert list(diff({}, {"a": None})) == [Added("a", None)]
    assert list(diff({"a": None}, {})) == [Removed("a", None)]


def test_a_set_says_what_it_gained_and_lost():
    change = diff({"a": {"x", "y"}, "b": {1}}, {"a": {"y", "z"}, "b": {1, 2}})
    assert list(change) == [
        SetChanged("a", added={"z"}, removed={"x"}),
        SetChanged("b", added={2}, removed=()),
    ]


def test_a_set_that_becomes_empty_lost_its_members():
    assert list(diff({"a": {"x"}}, {"a": set()})) == [SetChanged("a", (), {"x"})]
    assert list(diff({"a": {"SS": ["x"]}}, {"a": {"SS": []}})) == [SetChanged("a", (), {"x"})]


def test_maps_and_lists_change_at_the_deepest_place_that_says_it_all():
    old = {"a": {"b": [1, {"c": 2}]}, "gone": {"x": 1}, "turned": [1]}
    new = {"a": {"b": [1, {"c": 3}, 4]}, "come": [1], "turned": {"x": 1}}
    assert list(diff(old, new)) == [
        Replaced("a.b[1].c", 2, 3),
        Added("a.b[2]", 4),
        Added("come", [1]),
        Removed("gone", {"x": 1}),
        Replaced("turned", [1], {"x": 1}),
    ]


def test_positions_sort_as_numbers():
    change = diff({"a": [0] * 12}, {"a": [1] * 12})
    assert [each.path.parts[1] for each in change] == list(range(12))


def test_no_item_is_neither_an_empty_item_nor_an_error():
    assert list(diff(None, {"a": 1})) == [Added("a", 1)]
    assert list(diff({"a": {"N": "1"}}, None)) == [Removed("a", Decimal(1))]
    assert diff(None, None) == Diff()
    assert diff(None, {}).apply(None) == {}
    assert diff({}, None).apply({}) is None


class TestWireOrPython:
    """Items are wire items if every attribute of both is one tag and a payload of its type."""

    def test_wire_items_are_told_by_their_look(self):
        assert diff({"a": {"N": "1"}}, {"a": {"N": "2"}})["a"].new == Decimal(2)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"a": {"N": 1}}, {"a": {"N": 2}}),  # the payload of N is text
            ({"a": {"S": "x"}, "b": 1}, {"a": {"S": "y"}, "b": 1}),  # not every attribute
            ({"a": {"S": "x"}}, {"a": {"S": "y"}, "b": 1}),  # nor of both items
            ({"a": {"S": "x"}}, {"a": 1}),
            ({"a": {"S": "x"}, "b": {"x": 1, "y": 2}}, {"a": {"S": "y"}, "b": {"x": 1, "y": 2}}),
            ({"a": {"S": "x", "N": "1"}}, {"a": {"S": "y", "N": "1"}}),
            ({"a": {"T": "x"}}, {"a": {"T": "y"}}),
        ],
    )
    def test_anything_else_is_a_python_item(self, old: Any, new: Any):
        change = diff(old, new)
        assert change == diff(old, new, wire=False)
        assert change.apply(old) == new

    def test_a_python_item_that_looks_like_a_wire_item_says_so(self):
        old, new = {"a": {"S": "x"}}, {"a": {"S": "y"}}
        assert list(diff(old, new)) == [Replaced("a", "x", "y")]
        assert list(diff(old, new, wire=False)) == [Replaced("a.S", "x", "y")]
        assert diff(old, new, wire=False).apply(old) == new

    def test_a_wire_item_that_is_malformed_is_named_by_path(self):
        with pytest.raises(DecodeError, match=r"at a\[0\]\.b"):
            diff(
                {"a": {"L": [{"M": {"b": {"N": "1"}}}]}},
                {"a": {"L": [{"M": {"b": {"N": "one"}}}]}},
                wire=True,
            )

    @pytest.mark.parametrize(
        "bad", [{"N": "x"}, {"X": "1"}, {"N": "1", "S": "x"}, {}, 1, [], {"M": []}, {"L": {}}]
    )
    def test_a_malformed_value_that_differs_is_an_error_and_an_equal_one_is_not_looked_at(
        self, bad: Any
    ):
        good = {"N": "1"}
        with pytest.raises(DecodeError, match="at a"):
            diff({"a": good}, {"a": bad}, wire=True)
        with pytest.raises(DecodeError, match="at a"):
            list(diff({}, {"a": bad, "b": good}, wire=True))
        assert not diff({"a": bad}, {"a": bad}, wire=True)

    @pytest.mark.parametrize("deep", [False, True])
    def test_an_attribute_whose_name_is_no_text_is_refused_where_it_differs(self, deep: bool):
        items: list[Any] = [{}, {1: {"N": "1"}}, {1: {"N": "2"}}]
        if deep:
            items = [{"m": {"M": item}} for item in items]
        for old, new in permutations(items, 2):
            with pytest.raises(DiffError, match="text as attribute names, got int"):
                diff(old, new, wire=True)
        assert not diff(items[1], items[1], wire=True)

    @pytest.mark.parametrize("wire", [True, None, False])
    def test_what_is_no_item_is_refused(self, wire: Any):
        with pytest.raises(DDBStreamError):
            diff([1], {"a": {"N": "1"}}, wire=wire)  # type: ignore[misc]
        with pytest.raises(DecodeError, match="an item"):
            diff_images({}, 3)  # type: ignore[arg-type]


class TestCollection:
    change = diff({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"b": 2, "c": [1, 3]}, "e": {"f": 1}})

    def test_it_has_a_length_and_an_order_and_is_true_when_anything_changed(self):
        assert [str(each.path) for each in self.change] == ["a.b", "a.c[1]", "d", "e"]
        assert len(self.change) == 4
        assert self.change
        assert not diff({}, {})

    def test_in_sees_what_changed_at_a_path_below_it_and_above_it(self):
        for path in ("a", "a.b", "a.c", "a.c[1]", "d", "e", "e.f", ("a", "c", 1)):
            assert path in self.change
        for path in ("a.c[0]", "e.g", "x", "a.b.x", "a[0]"):
            assert path not in self.change
        assert self.change[0] in self.change
        assert Added("x", 1) not in self.change

    def test_indexing_gives_the_change_at_a_path(self):
        assert self.change["a.b"] == Replaced("a.b", 1, 2)
        assert self.change["a"] == Replaced("a", {"b": 1, "c": [1, 2]}, {"b": 2, "c": [1, 3]})
        assert self.change["e.f"] == Added("e.f", 1)
        assert self.change[-1] == Added("e", {"f": 1})

    def test_indexing_what_did_not_change_is_a_key_error(self):
        with pytest.raises(KeyError, match="x"):
            self.change["x"]
        assert self.change.get("x") is None
        assert self.change.get("x", 1) == 1
        assert self.change.get("d") == Removed("d", 1)

    @pytest.mark.parametrize("path", ["", "a..b", "a[", "a]", '"a', (), ("a", -1), (1,)])
    def test_nothing_changed_at_what_is_no_path(self, path: Any):
        assert path not in self.change
        assert self.change.get(path, 1) == 1
        with pytest.raises(KeyError, match="not a document path"):
            self.change[path]

    @pytest.mark.parametrize("key", [None, 1.5, ["a"], {}, b"a", slice(1)])
    def test_nothing_changed_at_a_key_of_another_type(self, key: Any):
        assert key not in self.change
        words = f"expected a document path, got {type(key).__name__}"
        with pytest.raises(KeyError, match=words) as caught:
            self.change[key]
        assert isinstance(caught.value, DiffError)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301

    def test_equal_changes_are_equal_diffs_with_one_hash(self):
        of_wire = diff({"a": {"L": [{"N": "1"}]}}, {"a": {"L": [{"N": "2.0"}]}})
        of_python = diff({"a": [1.0]}, {"a": [2]})
        by_hand = Diff([Replaced("a[0]", 1, Decimal("2.00"))])
        assert len({of_wire, of_python, by_hand}) == 1

    def test_values_of_two_types_make_two_diffs(self):
        assert Diff([Added("a", 1)]) != Diff([Added("a", True)])
        assert Diff([Added("a", 1)]) != Diff([Added("a", "1")])
        assert Diff([Added("a", 1)]) != Diff([Removed("a", 1)])
        assert Diff([Added("a", [1])]) != Diff([Added("a", {1})])
        assert Diff() != []

    def test_values_of_no_dynamodb_type_are_compared_as_python_does(self):
        one, other = object(), object()
        assert Diff([Added("a", [one])]) == Diff([Added("a", (one,))]) != Diff([Added("a", other)])
        assert hash(Diff([Added("a", {1: one})])) == hash(Diff([Added("a", {1: one})]))
        assert not diff({"a": {one}}, {"a": frozenset({one})})

    def test_values_that_python_cannot_hash_do_not_stop_a_diff_from_being_hashed(self):
        changes: list[Any] = [
            Added("a", [{"b": {1}}]),
            Replaced("b", bytearray(b"x"), {"c": [None]}),
        ]
        changes.append(Added("c", SimpleNamespace(x=1)))
        assert hash(Diff(changes)) == hash(Diff(reversed(changes)))


class TestChanges:
    def test_they_match_by_position(self):
        match Replaced("dims.w", 1, 2):
            case Replaced(path, old, new):
                assert (path, old, new) == ("dims.w", 1, 2)
        match SetChanged("tags", {"a"}, ()):
            case SetChanged(path, added, removed):
                assert (path, added, removed) == ("tags", {"a"}, set())

    @pytest.mark.parametrize("name", ["path", "value", "_other"])
    def test_they_cannot_be_changed(self, name: str):
        with pytest.raises(AttributeError):
            setattr(Added("a", 1), name, 2)

    def test_their_repr_is_how_to_write_them(self):
        for change in (
            Added("a", 1),
            Removed('a."b.c"', "x"),
            Replaced("a[1]", 1, None),
            SetChanged("a", {1}, {2}),
        ):
            assert eval(repr(change)) == change  # noqa: S307 - our own text


class TestMadeOfChangesAlone:
    def test_it_applies_and_inverts(self):
        change = Diff([Replaced("a", 1, 2), SetChanged("s", {"y"}, {"x"}), Added("b[1]", "new")])
        old, new = {"a": 1, "s": {"x"}, "b": [0]}, {"a": 2, "s": {"y"}, "b": [0, "new"]}
        assert change.apply(old) == new
        assert change.invert().apply(new) == old

    @pytest.mark.parametrize(
        "changes",
        [
            [Added("a", 1), Removed("a", 1)],
            [Replaced("a", {}, 1), Added("a.b", 1)],
            [Added("a.b", 1), Added("a[0]", 1)],
            [Added("a[0]", 1), Added("a[0]", 1)],
            ["a"],
        ],
    )
    def test_changes_that_no_item_can_have_are_refused(self, changes: Any):
        with pytest.raises(DiffError):
            Diff(changes)

    def test_one_coarser_than_diff_would_make_it_knows_what_is_the_same_inside(self):
        change = Diff([Replaced("a", {"x": 1, "y": 1}, {"x": 1.0, "y": 2})])
        assert "a.x" not in change
        assert change["a.y"] == Replaced("a.y", 1, 2)

    def test_what_needs_the_whole_items_says_so(self):
        change = Diff([Replaced("a.b", 1, 2), SetChanged("s", {"y"}, {"x"}), Added("l[1]", 1)])
        for use in (
            lambda: change["a"],
            change.to_update_expression,
            change.to_json_patch,
            lambda: change | diff({"a": 1}, {"a": 2}),
        ):
            with pytest.raises(DiffError, match="changes alone"):
                use()

    def test_a_simple_one_is_an_update_all_the_same(self):
        arguments = Diff([Replaced("a.b", 1, 2), SetChanged("s", {"y"}, ())]).to_update_expression()
        assert arguments["UpdateExpression"] == "SET #a.#b = :a_b ADD #s :s"


class TestApply:
    change = diff({"a": 1, "s": {"x"}, "l": [1, 2]}, {"a": 2, "s": {"y"}, "l": [1]})

    def test_what_the_diff_does_not_know_stays(self):
        old = {"a": 1, "s": {"x", "other"}, "l": [1, 2], "more": [1]}
        assert self.change.apply(old) == {"a": 2, "s": {"y", "other"}, "l": [1], "more": [1]}

    def test_the_item_and_the_diff_stay_as_they_were(self):
        old = {"a": 1, "s": {"x"}, "l": [1, 2]}
        made = self.change.apply(old)
        made["l"].append(3)
        made["s"].add("z")
        assert old == {"a": 1, "s": {"x"}, "l": [1, 2]}
        assert self.change.apply(old) == {"a": 2, "s": {"y"}, "l": [1]}

    @pytest.mark.parametrize(
        "other",
        [
            {"a": 3, "s": {"x"}, "l": [1, 2]},
            {"a": "1", "s": {"x"}, "l": [1, 2]},
            {"s": {"x"}, "l": [1, 2]},
            {"a": 1, "s": {"y"}, "l": [1, 2]},
            {"a": 1, "s": {"x", "y"}, "l": [1, 2]},
            {"a": 1, "s": "x", "l": [1, 2]},
            {"a": 1, "s": {"x"}, "l": [1]},
            {"a": 1, "s": {"x"}, "l": {"1": 2}},
            {},
            None,
        ],
    )
    def test_another_item_is_refused_by_path_and_without_its_values(self, other: Any):
        with pytest.raises(DiffError, match="not what the diff starts from"):
            self.change.apply(other)

    def test_an_addition_refuses_what_is_there(self):
        with pytest.raises(DiffError, match="at a"):
            diff({}, {"a": 1}).apply({"a": 2})
        with pytest.raises(DiffError, match=r"at l\[5\]"):
            Diff([Added("l[5]", 1)]).apply({"l": []})

    @pytest.mark.parametrize(
        "other",
        [{"a": 3}, {"a": {}}, {"a": {"X": 1}}, {"a": {"N": "1"}}, {"a": {"L": []}}, {"b": 3}, {}],
    )
    @pytest.mark.parametrize(
        "change", [Replaced("m.a.b", 1, 2), Replaced("m.a[0].b", 1, 2), SetChanged("m.a", [1], [2])]
    )
    def test_a_wire_item_with_something_else_inside_is_refused_by_path(
        self, change: Any, other: Any
    ):
        with pytest.raises(DiffError, match=r"not what the diff starts from at m\.a"):
            Diff([change]).apply({"m": {"M": other}})

    def test_a_removed_item_had_no_other_attributes(self):
        for old in ({"a": 1}, {"a": {"N": "1"}}):
            with pytest.raises(DiffError, match="not what the diff starts from"):
                diff(old, None).apply({**old, "b": old["a"]})

    def test_a_malformed_value_that_did_not_change_is_no_matter(self):
        old = {"z": {"N": "no"}, "a": {"S": "x"}}
        change = diff(old, {**old, "a": {"S": "y"}})
        assert change.apply({**old, "n": {"S": "x"}}) == {**old, "a": {"S": "y"}, "n": {"S": "x"}}

    def test_a_set_that_becomes_empty_keeps_its_type_in_a_wire_item(self):
        for change in (Replaced("a", {1}, set()), SetChanged("a", [], [1])):
            assert Diff([change]).apply({"a": {"NS": ["1"]}}) == {"a": {"NS": []}}

    @pytest.mark.parametrize(
        "change", [Added("a", object()), Added("a", set()), SetChanged("a", [], [])]
    )
    def test_a_value_that_a_wire_item_cannot_have_is_refused_by_path(self, change: Any):
        with pytest.raises(EncodeError, match="at a"):
            Diff([change]).apply({"b": {"S": "x"}})

    def test_numbers_in_other_spellings_are_what_it_starts_from(self):
        change = diff_images({"a": {"N": "1"}}, {"a": {"N": "2"}})
        assert change.apply({"a": {"N": "1.0"}}) == {"a": {"N": "2"}}

    def test_the_very_old_item_gives_the_new_one_to_the_letter(self):
        old = {"a": {"N": "1"}, "b": {"N": "1"}}
        new = {"a": {"N": "2"}, "b": {"N": "1.0"}}
        assert diff(old, new).apply(old) == new


class TestJoin:
    def test_a_diff_that_starts_elsewhere_is_refused(self):
        with pytest.raises(DiffError, match="does not start where"):
            diff({"a": 1}, {"a": 2}) | diff({"a": 3}, {"a": 4})

    def test_items_of_two_forms_are_refused(self):
        with pytest.raises(DiffError, match="one form"):
            diff({"a": 1}, {"a": 2}) | diff({"a": {"N": "2"}}, {"a": {"N": "3"}})

    def test_nor_are_forms_that_were_said_to_be_two(self):
        wire, python = {"a": {"N": "1"}}, {"a": {"S": "x"}}
        with pytest.raises(DiffError, match="one form"):
            diff(wire, {}, wire=True) | diff({}, python, wire=False)
        with pytest.raises(DiffError, match="one form"):
            diff(python, {}, wire=False) | diff({}, wire, wire=True)

    def test_an_item_that_comes_and_goes_never_was(self):
        assert diff(None, {"a": 1}) | diff({"a": 1}, None) == Diff()

    def test_what_is_no_diff_is_pythons_to_refuse(self):
        with pytest.raises(TypeError):
            diff({}, {}) | 1


def test_a_diff_of_python_items_is_of_how_they_were():
    old, new = {"a": [1]}, {"a": [1, [2]]}
    change = diff(old, new)
    new["a"][1].append(3)
    new["a"].append(4)
    old["a"].clear()
    assert list(change) == [Added("a[1]", [2])]
    assert change["a"] == Replaced("a", [1], [1, [2]])


class TestAligned:
    def test_the_fewest_changes_make_the_new_list(self):
        assert list(diff({"a": [1, 2, 3]}, {"a": [0, 1, 3]}, lists="align")) == [
            Added("a[0]", 0),
            Removed("a[1]", 2),
        ]

    def test_it_looks_as_far_as_it_must(self):
        change = diff({"a": list("abcdefgh")}, {"a": list("cdefghxy")}, lists="align")
        assert [str(each.path) for each in change] == ["a[0]", "a[1]", "a[6]", "a[7]"]

    def test_a_member_that_moved_and_changed_is_shown_as_changed(self):
        old = {"lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}
        new = {"lines": [{"sku": "b", "n": 3}]}
        assert list(diff(old, new, lists="align")) == [
            Removed("lines[0]", {"sku": "a", "n": 1}),
            Replaced("lines[1].n", 2, 3),
        ]

    def test_lists_in_lists_are_found_where_they_were_and_where_they_are(self):
        old = {"a": ["gone", "stays", ["x"], ["y", "z"], "last"]}
        new = {"a": ["stays", ["x", "x2"], ["y"], "last"]}
        change = diff(old, new, lists="align")
        assert list(change) == [
            Removed("a[0]", "gone"),
            Added("a[2][1]", "x2"),
            Removed("a[3][1]", "z"),
        ]
        assert Diff(change).apply(old) == new
        assert list(change.invert()) == [
            Added("a[0]", "gone"),
            Removed("a[1][1]", "x2"),
            Added("a[2][1]", "z"),
        ]
        assert Diff(change.invert()).apply(new) == old

    def test_lists_too_unlike_to_align_in_time_are_compared_by_position(self):
        # A map of so many attributes counts as much as three thousand short members.
        wide = {str(name): name for name in range(30_000)}
        old, new = [*range(24), wide], [wide, *range(30, 53)]
        for one, other in ((old, new), (new, old)):
            aligned = diff({"a": one}, {"a": other}, lists="align")
            assert list(aligned) == list(diff({"a": one}, {"a": other}))

    def test_long_lists_that_are_nearly_equal_take_no_time(self):
        old = {"a": list(range(20_000))}
        new = {"a": [*range(10_000), "x", *range(10_001, 15_000), *range(15_001, 20_000)]}
        assert list(diff(old, new, lists="align")) == [
            Replaced("a[10000]", 10_000, "x"),
            Removed("a[15000]", 15_000),
        ]

    def test_there_are_two_ways_to_compare_lists(self):
        with pytest.raises(DDBStreamError, match="index"):
            diff({}, {}, lists="other")  # type: ignore[arg-type]
