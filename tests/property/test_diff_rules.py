"""The rules of a diff hold for any two items, in each form and for both ways to compare lists."""

from __future__ import annotations

import json
import pickle
from typing import Any

import jsonpatch
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from ddbstream import Added, Diff, Removed, SetChanged, diff, from_item, to_item
from ddbstream._diff import diff_images
from ddbstream._diff.compare import changed_between
from ddbstream._diff.json_forms import json_value
from ddbstream._values.paths import Path, parse_path
from tests.property.diff_items import ITEMS, NAMES, PAIRS, frozen

LISTS = st.sampled_from(["index", "align"])
Pair = tuple[dict[str, Any], dict[str, Any]]
Wires = st.sampled_from(["boto3", "json"])


@given(PAIRS, LISTS)
def test_a_diff_applied_to_the_old_item_gives_the_new_one(pair: Pair, lists: Any):
    old, new = pair
    change = diff(old, new, lists=lists, wire=False)
    event(f"{min(len(change), 4)} changes")
    assert change.apply(old) == new
    assert frozen(Diff(change).apply(old)) == frozen(new)


@given(PAIRS, LISTS)
def test_an_inverted_diff_leads_back(pair: Pair, lists: Any):
    old, new = pair
    change = diff(old, new, lists=lists, wire=False)
    assert change.invert().apply(new) == old
    assert frozen(Diff(change.invert()).apply(new)) == frozen(old)
    assert change.invert().invert() == change


@given(PAIRS, LISTS, Wires, Wires)
def test_wire_items_are_compared_as_the_python_items_they_mean(
    pair: Pair, lists: Any, old_wire: Any, new_wire: Any
):
    old, new = pair
    wires = to_item(old, wire=old_wire), to_item(new, wire=new_wire)
    change = diff(*wires, lists=lists, wire=True)
    assert change == diff(old, new, lists=lists, wire=False)
    assert hash(change) == hash(diff(old, new, lists=lists, wire=False))
    assert change.apply(wires[0]) == wires[1]
    assert change.invert().apply(wires[1]) == wires[0]
    # To an item that only means the same, the changes are made one by one.
    other = to_item(old, wire="json" if old_wire == "boto3" else "boto3")
    assert frozen(from_item(change.apply(other))) == frozen(new)


@given(PAIRS, LISTS)
def test_a_diff_of_wire_items_applies_to_python_items_and_the_other_way_round(
    pair: Pair, lists: Any
):
    old, new = pair
    of_wire = diff_images(to_item(old), to_item(new), lists=lists)
    assume(old)  # an empty item is of either form
    if not _looks_wire(old):
        assert frozen(of_wire.apply(old)) == frozen(new)
    of_changes = Diff(of_wire)
    assert frozen(from_item(of_changes.apply(to_item(old)))) == frozen(new)


def _looks_wire(item: dict[str, Any]) -> bool:
    return all(isinstance(value, dict) for value in item.values())


@given(PAIRS)
def test_items_without_a_difference_have_an_empty_diff_and_others_do_not(pair: Pair):
    old, new = pair
    assert not diff(old, old)
    assert bool(diff(old, new, wire=False)) == (frozen(old) != frozen(new))
    assert bool(diff(to_item(old), to_item(new))) == (frozen(old) != frozen(new))


@given(PAIRS)
def test_changes_come_in_the_order_of_their_paths_whatever_the_order_of_the_items(pair: Pair):
    old, new = (to_item(item) for item in pair)
    change = diff(old, new, wire=True)
    turned = diff(dict(reversed(old.items())), dict(reversed(new.items())), wire=True)
    assert list(change) == list(turned)
    assert [each.path.parts for each in change] == sorted(each.path.parts for each in change)


@given(ITEMS, PAIRS, LISTS)
def test_successive_diffs_join_into_the_diff_of_the_ends(first: Any, pair: Pair, lists: Any):
    second, third = pair
    images = [to_item(item) for item in (first, second, third)]
    joined = diff(images[0], images[1], lists=lists, wire=True) | diff(
        images[1], images[2], lists=lists, wire=True
    )
    assert joined == diff(images[0], images[2], lists=lists, wire=True)
    assert joined.apply(images[0]) == images[2]
    change = diff_images(images[0], images[1])
    assert change | change.invert() == Diff()


@given(PAIRS, LISTS)
def test_an_independent_library_makes_the_new_item_of_the_json_patch(pair: Pair, lists: Any):
    old, new = pair
    patch = diff(old, new, lists=lists, wire=False).to_json_patch(test=True)
    assert json.loads(json.dumps(patch)) == patch
    made = jsonpatch.apply_patch(json_value(old), patch)
    assert frozen(made) == frozen(json_value(new))


@given(PAIRS)
def test_an_aligned_diff_never_changes_more_members_than_one_by_position(pair: Pair):
    old, new = ({"list": list(item.values())} for item in pair)
    aligned = {each.path.parts[:2] for each in diff(old, new, lists="align")}
    by_position = {each.path.parts[:2] for each in diff(old, new)}
    assert len(aligned) <= len(by_position)


@given(PAIRS)
def test_in_and_indexing_agree_with_what_is_at_a_path_before_and_after(pair: Pair):
    old, new = pair
    change = diff(old, new, wire=False)
    for name in old.keys() | new.keys():
        path = (name,)
        before, after = old.get(name, ...), new.get(name, ...)
        differs = (before is ...) != (after is ...) or frozen(before) != frozen(after)
        assert (path in change) == differs
        assert changed_between(to_item(old), to_item(new), path) == differs
        if differs:
            found = change[path]
            assert found.path.parts == path
            if before is ...:
                assert found == Added(path, after)
            elif after is ...:
                assert found == Removed(path, before)
            elif isinstance(found, SetChanged):
                assert (before | found.added) - found.removed == after
            else:
                assert (frozen(found.old), frozen(found.new)) == (frozen(before), frozen(after))
    for each in change:
        assert each in change
        assert change[each.path] == each


@given(PAIRS)
def test_a_path_has_one_text_and_the_text_that_path(pair: Pair):
    for each in diff(*pair, wire=False):
        assert parse_path(str(each.path)) == each.path.parts
        assert each.path == str(each.path)
        assert str(each.path).isprintable()


@given(st.lists(st.one_of(NAMES, st.integers(0, 12)), min_size=1, max_size=4))
@example(["", 0, "\ud800", '"\\'])
def test_any_parts_make_a_path_that_parses_to_them(parts: list[Any]):
    assume(isinstance(parts[0], str))
    assert parse_path(str(Path.of(parts))) == tuple(parts)


@given(PAIRS)
def test_text_and_audit_form_have_one_entry_a_change(pair: Pair):
    change = diff(*pair, wire=False)
    assert len(str(change).splitlines()) == len(change)
    assert len(change.describe(values=False).splitlines()) == len(change)
    audit = diff_images(*map(to_item, pair)).to_dict()
    assert audit == change.to_dict()
    assert json.loads(json.dumps(audit)) == audit
    assert [entry["path"] for entry in audit["changes"]] == [str(each.path) for each in change]


@given(PAIRS)
def test_a_diff_survives_pickling(pair: Pair):
    change = diff(*pair, wire=False)
    assert pickle.loads(pickle.dumps(change)) == change  # noqa: S301 - our own


@given(PAIRS)
def test_a_diff_does_not_change_when_its_items_do(pair: Pair):
    old, new = pair
    change = diff(old, new, wire=False)
    before = repr(change)
    for value in (*old.values(), *new.values()):
        if isinstance(value, (dict, set, list)):
            value.clear()
    assert repr(change) == before
