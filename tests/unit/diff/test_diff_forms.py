"""Wire items and Python items: how a form is guessed, and items that have none."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from ddbstream import Added, Diff, Removed, Replaced, diff, from_item, to_item
from ddbstream._diff import diff_images
from ddbstream._model import codec_for
from ddbstream.exceptions import DecodeError, DiffError
from tests.unit.diff.test_diff_errors import record


@dataclass
class Cat:
    id: str
    n: int = 0


WIRE = {"a": {"N": "1"}}
PYTHON: dict[str, Any] = {"a": []}


class TestEmptyItems:
    """An empty item, like no item, has no form: it goes with either."""

    @pytest.mark.parametrize("full", [WIRE, PYTHON, {"a": {"S": 1}}, {"a": 1, "b": {"S": "x"}}])
    @pytest.mark.parametrize("nothing", [{}, None])
    def test_a_diff_of_nothing_joins_any_other(self, full: Any, nothing: Any):
        none = diff(nothing, nothing)
        come, gone = diff(nothing, full), diff(full, nothing)
        for change in (none | come, none | none | come, Diff() | none | come):
            assert change == come
            assert change.apply(nothing) == full
            assert change.invert().apply(full) == nothing
        for change in (gone | none, gone | (none | none)):
            assert change == gone
            assert change.apply(full) == nothing
            assert change.invert().apply(nothing) == full
        there_and_back = come | gone
        assert there_and_back == Diff()
        assert there_and_back | come == come

    def test_what_comes_and_goes_need_not_be_of_one_form(self):
        for old, new in ((PYTHON, WIRE), (WIRE, PYTHON)):
            change = diff(old, {}) | diff({}, new)
            assert change == diff(old, new)
            assert change.apply(old) == new
            assert change.invert().apply(new) == old

    @pytest.mark.parametrize("pair", [({}, None), (None, {})])
    def test_an_empty_item_and_no_item_are_still_two_things(self, pair: Any):
        old, new = pair
        change = diff(old, new)
        assert not change
        assert change.apply(old) == new
        assert change.invert().apply(new) == old
        with pytest.raises(DiffError, match="does not start where"):
            change | diff(old, PYTHON)
        assert (change | diff(new, PYTHON)).apply(old) == PYTHON
        assert (diff(PYTHON, old) | change).apply(PYTHON) == new

    @pytest.mark.parametrize("full", [WIRE, PYTHON])
    def test_no_item_may_be_said_as_an_empty_one(self, full: Any):
        assert diff(None, full).apply({}) == full
        assert diff(None, None).apply({}) is None

    @pytest.mark.parametrize("model", [None, Cat])
    def test_a_records_diff_gives_what_the_record_does(self, model: Any):
        image = {"id": {"S": "x"}, "n": {"N": "1"}}
        made = record(None, image, model)
        assert made.diff.apply({}) == made.diff.apply(None) == made.new
        assert made.diff.invert().apply(made.new) is None
        made = record({}, image, model)
        assert made.diff.apply({}) == made.new
        assert (diff({}, {}) | made.diff).apply({}) == made.new
        made = record(image, {}, None)
        assert made.diff.invert().apply({}) == made.old

    @pytest.mark.parametrize("nothing", [{}, None])
    def test_a_models_diff_joins_a_diff_of_nothing(self, nothing: Any):
        image = {"id": {"S": "x"}, "n": {"N": "1"}}
        none = diff(nothing, nothing)
        come = diff_images(nothing, image, codec_for(Cat))
        gone = diff_images(image, nothing, codec_for(Cat))
        assert (none | come).apply(nothing) == Cat("x", 1)
        assert (gone | none).invert().apply(nothing) == Cat("x", 1)
        assert (gone | none)["id"] == Removed("id", "x")
        assert (none | come)["n"] == Added("n", 1)


class TestGuessed:
    """A form that nobody said is a guess, and what cannot be wire is Python."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"m": {"L": []}}, {"m": {"L": [1]}}),
            ({"m": {"M": {}}}, {"m": {"M": {"x": 1}}}),
            ({"a": {"N": "x"}}, {"a": {"N": "y"}}),
            ({"a": {"N": "1"}}, {"a": {"N": "NaN"}}),
            ({"a": {"N": 1}}, {"a": {"N": 2}}),
            ({"a": {"L": [{"N": "1"}]}}, {"a": {"L": [{"N": 2}]}}),
            ({"a": {"B": "zz!"}}, {"a": {"B": "eA=="}}),
            ({"a": {"NS": ["1"]}}, {"a": {"NS": ["one"]}}),
            ({"a": {"SS": [1]}}, {"a": {"SS": [2]}}),
            ({}, {"a": {"N": "x"}}),
            (None, {"a": {"L": [[]]}}),
            ({"a": {"L": [1]}}, None),
            ({"a": {"L": [{"N": "1"}]}}, {"a": {"L": [{"N": "one"}]}}),
            ({"a": {"S": "x"}, "b": {"first": 1}}, {"a": {"S": "y"}, "b": {"first": 1}}),
        ],
    )
    @pytest.mark.parametrize("lists", ["index", "align"])
    def test_what_cannot_be_read_as_wire_is_python(self, old: Any, new: Any, lists: Any):
        for one, other in ((old, new), (new, old)):
            change = diff(one, other, lists=lists)
            assert change
            assert change == diff(one, other, lists=lists, wire=False)
            assert change.apply(one) == other
            assert change.invert().apply(other) == one
        if old and new:
            with pytest.raises(DecodeError):
                list(diff(old, {**new, "a": {"N": "zz"}}, lists=lists, wire=True))

    @pytest.mark.parametrize("tag", ["NULL", "N", "L", "M"])
    def test_a_number_that_refuses_to_be_compared_is_no_wire(self, tag: str):
        def item() -> dict[str, Any]:
            return {"a": {tag: {"x": Decimal("sNaN")}}}

        change = diff({"a": {tag: {"x": 1}}, "b": 1}, {**item(), "b": 2})
        assert [each.path for each in change] == [f"a.{tag}.x", "b"]
        assert not diff(item(), item())
        assert diff(item(), {}).apply(item()) == {}
        with pytest.raises(DecodeError, match="signalling NaN"):
            diff(item(), item(), wire=True)

    def test_many_looks_of_two_items_are_each_read_as_one_form(self):
        values = [{"N": "1"}, {"N": "x"}, {"S": "x"}, {"L": [1]}, {"L": []}, {"M": {}}, {"x": 1}, 1]
        for before, after in product(values, values):
            old, new = {"v": before}, {"v": after}
            change = diff(old, new)
            assert bool(change) is (before != after)
            assert change.apply(old) == new
            assert change.invert().apply(new) == old

    def test_it_stays_wire_where_what_cannot_be_read_is_the_same_in_both(self):
        old, new = {"a": {"N": "1"}, "z": {"N": "x"}}, {"a": {"N": "2"}, "z": {"N": "x"}}
        change = diff(old, new)
        assert list(change) == [Replaced("a", 1, 2)]
        assert change.apply(old) == new
        for use in (
            change.to_update_expression,
            change.to_json_patch,
            change.redact("b").to_json_patch,
        ):
            with pytest.raises(DecodeError, match=r"expected a number in N.*wire=False.* at z"):
                use()
        assert diff(old, new, wire=False).to_update_expression()

    def test_what_was_said_to_be_wire_is_not_doubted(self):
        old, new = {"a": {"N": "1"}, "z": {"N": "x"}}, {"a": {"N": "2"}, "z": {"N": "x"}}
        with pytest.raises(DecodeError) as caught:
            diff(old, new, wire=True).to_update_expression()
        assert "wire=False" not in str(caught.value)


class TestAppliedToLookalikes:
    def test_a_decoded_item_that_looks_like_wire_is_told_by_what_the_diff_starts_from(self):
        old, new = {"a": {"S": ""}}, {"a": {"S": ""}, "b": {"N": "1"}}
        made = record(to_item(old), to_item(new))
        assert made.old == old
        assert made.diff.apply(made.old) == made.new
        assert made.diff.apply(to_item(old)) == to_item(new)
        assert from_item(made.diff.invert().apply(to_item(new))) == old
        assert made.diff.invert().apply(made.new) == made.old

    def test_and_what_changed_in_it_is_changed(self):
        made = record(to_item({"a": {"S": ""}}), to_item({"a": {"S": "x"}}))
        assert made.diff.apply({"a": {"S": ""}}) == {"a": {"S": "x"}}
