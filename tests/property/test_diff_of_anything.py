"""Whatever it is given, a diff raises nothing but the library's own errors, and says no value."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbstream import DDBStreamError, Diff, diff
from ddbstream._diff import diff_images
from ddbstream._diff.values import same

SECRET = "s3cr3t"
_TAGS = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "X"])
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.sampled_from(
        [SECRET, "1", "1E+999999999", "NaN", "=", "\ud800", b"x", (), object, Decimal("sNaN")]
    ),
    st.frozensets(st.one_of(st.integers(0, 2), st.text(max_size=1), st.none()), max_size=3),
)
_NAMES = st.one_of(st.sampled_from(["a", "b", "S", "N", ""]), st.integers(0, 2), st.none())
THINGS: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_NAMES, inner, max_size=3),
        st.dictionaries(_TAGS, inner, min_size=1, max_size=1),
    ),
    max_leaves=15,
)


def attempt(call: Callable[[], Any]) -> Any:
    """What the call gives; ``None`` where it raises the library's error, which says no value."""
    problem = ""
    try:
        return call()
    except DDBStreamError as error:
        problem = str(error)
    assert SECRET not in problem
    return None


@given(THINGS, THINGS, st.sampled_from(["index", "align"]), st.sampled_from([None, True, False]))
def test_only_the_librarys_errors_leave_it(old: Any, new: Any, lists: Any, wire: Any):
    change = attempt(lambda: diff(old, new, lists=lists, wire=wire))
    if change is None:
        return
    for use in (
        list,
        str,
        hash,
        repr,
        Diff.invert,
        Diff.to_update_expression,
        Diff.to_json_patch,
        Diff.to_dict,
        lambda change: change.apply(old),
        lambda change: change.invert().apply(new),
        lambda change: change.redact("a.b").describe(),
        lambda change: change | change.invert(),
    ):
        attempt(partial(use, change))


_ITEMS = st.dictionaries(st.sampled_from(["a", "b", "S", "N", ""]), THINGS, max_size=3)
_MAYBE_ITEMS = st.one_of(st.none(), st.just({}), _ITEMS)


@given(_MAYBE_ITEMS, _MAYBE_ITEMS, st.sampled_from([None, {}]), st.sampled_from([None, False]))
def test_nothing_joins_anything_and_whatever_looks_like_wire_comes_back(
    old: Any, new: Any, nothing: Any, wire: Any
):
    change = attempt(lambda: diff(old, new, wire=wire))
    if change is None:
        return
    assert same(change.apply(old), new)
    assert same(change.invert().apply(new), old)
    none = diff(nothing, nothing)
    if not old and (old is None) is (nothing is None):
        assert none | change == change
        assert same((none | change).apply(nothing), new)
    if not new and (new is None) is (nothing is None):
        assert change | none == change
        assert same((change | none).apply(old), nothing)


@given(THINGS, THINGS)
def test_a_diff_applied_to_another_item_changes_it_or_refuses(old: Any, new: Any):
    change = diff({"a": 1, "b": [1, {"c": "x"}]}, {"a": 2, "b": [1, {"c": "y"}, 3]})
    for item in (old, new):
        attempt(partial(change.apply, item))


@pytest.mark.parametrize("wire", [True, False])
def test_nesting_without_end_is_refused(wire: bool):
    def nested(leaf: Any) -> dict[str, Any]:
        found = leaf
        for _ in range(100_000):
            found = {"L": [found]} if wire else [found]
        return {"a": found}

    leaves = ({"N": "1"}, {"N": "2"}) if wire else (1, 2)
    with pytest.raises(DDBStreamError, match="deep"):
        diff(nested(leaves[0]), nested(leaves[1]), wire=wire)


@pytest.mark.parametrize("value", [1, "x", [], (), 3.5, object()])
def test_what_is_no_item_is_refused(value: Any):
    with pytest.raises(DDBStreamError):
        diff(value, {})
    with pytest.raises(DDBStreamError):
        diff({"a": 1}, value)
    with pytest.raises(DDBStreamError):
        diff_images({}, value)
