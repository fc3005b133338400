"""A diff as text, as a JSON Patch, as an audit entry; and what redaction keeps out of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import jsonpatch
import jsonschema
import pytest
from hypothesis import given

from ddbstream import Diff, Removed, Replaced, diff, to_item
from ddbstream._diff import diff_images
from ddbstream._diff.json_forms import json_value
from ddbstream.exceptions import DiffError, EncodeError
from tests.property.diff_items import PAIRS

OLD = {
    "price": Decimal("9.99"),
    "dims": {"w": 1, "h": 2},
    "tags": {"a", "b"},
    "list": ["x", "y", "z"],
    "gone": None,
}
NEW = {
    "price": Decimal("12.50"),
    "dims": {"w": 1, "h": 3},
    "tags": {"b", "c"},
    "list": ["x", {"n": Decimal(1)}],
    "new": b"\x00\xff",
}


class TestText:
    def test_it_has_one_line_a_change(self):
        assert str(diff(OLD, NEW)).splitlines() == [
            "dims.h: 2 -> 3",
            "gone: removed None",
            "list[1]: 'y' -> {'n': 1}",
            "list[2]: removed 'z'",
            r"new: added b'\x00\xff'",
            "price: 9.99 -> 12.50",
            "tags: +'c' -'a'",
        ]

    def test_without_values_it_says_where_and_how(self):
        assert diff(OLD, NEW).describe(values=False).splitlines() == [
            "dims.h: replaced",
            "gone: removed",
            "list[1]: replaced",
            "list[2]: removed",
            "new: added",
            "price: replaced",
            "tags: +1 -1 members",
        ]

    def test_a_set_that_came_or_went_is_in_order(self):
        change = diff({"a": {"y", "x"}, "b": set()}, {"c": [{Decimal(2), Decimal(1)}]})
        assert str(change).splitlines() == [
            "a: removed {'x', 'y'}",
            "b: removed set()",
            "c: added [{1, 2}]",
        ]

    def test_nothing_is_no_text(self):
        assert str(Diff()) == ""
        assert repr(Diff()) == "Diff([])"

    def test_a_text_with_line_breaks_stays_on_its_line(self):
        class Speech:
            def __repr__(self) -> str:
                return "two\n   lines"

        change = diff({"a": "one\ntwo"}, {"a": Speech()}, wire=False)
        assert str(change) == r"a: 'one\ntwo' -> two lines"

    def test_its_repr_is_how_to_write_it(self):
        change = diff({"a": 1, "b": [1]}, {"a": "x", "b": []})
        assert repr(change) == "Diff([Replaced('a', 1, 'x'), Removed('b[0]', 1)])"
        assert change == Diff([Replaced("a", 1, "x"), Removed("b[0]", 1)])


class TestJsonPatch:
    def test_it_is_a_patch_of_the_item_as_json(self):
        patch = diff(OLD, NEW).to_json_patch()
        assert patch == [
            {"op": "replace", "path": "/dims/h", "value": 3},
            {"op": "remove", "path": "/gone"},
            {"op": "replace", "path": "/list/1", "value": {"n": 1}},
            {"op": "remove", "path": "/list/2"},
            {"op": "add", "path": "/new", "value": "AP8="},
            {"op": "replace", "path": "/price", "value": 12.5},
            {"op": "replace", "path": "/tags", "value": ["b", "c"]},
        ]
        assert jsonpatch.apply_patch(json_value(OLD), patch) == json_value(NEW)

    def test_a_test_comes_before_what_replaces_or_removes(self):
        patch = diff({"a": 1, "b": 2}, {"a": 2, "c": 3}).to_json_patch(test=True)
        assert patch == [
            {"op": "test", "path": "/a", "value": 1},
            {"op": "replace", "path": "/a", "value": 2},
            {"op": "test", "path": "/b", "value": 2},
            {"op": "remove", "path": "/b"},
            {"op": "add", "path": "/c", "value": 3},
        ]
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            jsonpatch.apply_patch({"a": 5, "b": 2}, patch)

    def test_names_are_escaped_as_pointers_are(self):
        patch = diff({"a/b": {"~": 1}}, {"a/b": {"~": 2}}).to_json_patch()
        assert patch == [{"op": "replace", "path": "/a~1b/~0", "value": 2}]

    def test_whole_numbers_are_exact_and_others_the_nearest_double(self):
        digits = Decimal("9" * 38)
        patch = diff({}, {"a": digits, "b": Decimal("0.1"), "c": Decimal("1E+125")}).to_json_patch()
        assert [operation["value"] for operation in patch] == [int(digits), 0.1, 10**125]

    def test_no_item_is_an_empty_document(self):
        assert diff(None, {"a": 1}).to_json_patch() == [{"op": "add", "path": "/a", "value": 1}]
        assert diff({"a": 1}, None).to_json_patch() == [{"op": "remove", "path": "/a"}]

    @pytest.mark.parametrize(
        "value", [float("nan"), Decimal("Infinity"), Decimal("1E+9999999999"), object(), {1: 2}]
    )
    def test_what_json_cannot_say_is_refused_by_path(self, value: Any):
        with pytest.raises(DiffError, match=r"a\[0\]"):
            diff({}, {"a": [value]}).to_json_patch()


SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "diff.schema.json").read_text())


class TestAuditForm:
    def test_it_is_json_with_dynamodbs_exact_values(self):
        change = diff_images(to_item(OLD), to_item(NEW))
        assert json.loads(json.dumps(change.to_dict())) == {
            "version": 1,
            "changes": [
                {"op": "replaced", "path": "dims.h", "old": {"N": "2"}, "new": {"N": "3"}},
                {"op": "removed", "path": "gone", "value": {"NULL": True}},
                {
                    "op": "replaced",
                    "path": "list[1]",
                    "old": {"S": "y"},
                    "new": {"M": {"n": {"N": "1"}}},
                },
                {"op": "removed", "path": "list[2]", "value": {"S": "z"}},
                {"op": "added", "path": "new", "value": {"B": "AP8="}},
                {"op": "replaced", "path": "price", "old": {"N": "9.99"}, "new": {"N": "12.50"}},
                {
                    "op": "set_changed",
                    "path": "tags",
                    "added": {"SS": ["c"]},
                    "removed": {"SS": ["a"]},
                },
            ],
        }

    def test_numbers_that_an_event_has_without_quotes_are_text_in_it(self):
        image = {"n": {"N": 1.5}, "l": {"L": [{"NS": ["2", 1]}]}}
        form = diff_images(None, image).to_dict()
        assert [entry["value"] for entry in form["changes"]] == [
            {"L": [{"NS": ["1", "2"]}]},
            {"N": "1.5"},
        ]
        jsonschema.Draft202012Validator(SCHEMA).validate(form)

    @given(PAIRS)
    def test_it_has_the_published_schema(self, pair: tuple[Any, Any]):
        form = diff_images(*map(to_item, pair)).redact("a", "b.c").to_dict()
        jsonschema.Draft202012Validator(SCHEMA).validate(form)

    @pytest.mark.parametrize(
        "form",
        [
            {},
            {"version": 2, "changes": []},
            {"version": 1, "changes": [{"op": "added", "path": "a"}]},
            {"version": 1, "changes": [{"op": "replaced", "path": "a", "value": {"S": "x"}}]},
            {"version": 1, "changes": [{"op": "added", "path": "a", "value": "x"}]},
            {"version": 1, "changes": [{"op": "added", "path": "a", "value": {"N": 1}}]},
            {"version": 1, "changes": [{"op": "other", "path": "a", "value": {"S": "x"}}]},
        ],
    )
    def test_the_schema_refuses_what_it_never_is(self, form: Any):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(form)

    def test_a_python_value_that_dynamodb_cannot_store_is_named_by_path(self):
        with pytest.raises(EncodeError, match="at a"):
            diff({}, {"a": object()}, wire=False).to_dict()


SECRET = "4111-1111"


@dataclass
class Card:
    number: str
    holder: str = "x"


@dataclass
class Customer:
    id: str
    card: Card
    old_cards: list[Card]


class TestRedaction:
    old: ClassVar[dict[str, Any]] = {
        "card": {"number": SECRET, "holder": "x"},
        "cards": [{"number": SECRET + "a", "n": 1}],
        "keys": {SECRET},
        "plain": 1,
    }
    new: ClassVar[dict[str, Any]] = {
        "card": {"number": SECRET + "b", "holder": "y"},
        "cards": [{"number": SECRET + "c", "n": 2}, {"number": SECRET, "n": 3}],
        "keys": {SECRET + "d"},
        "plain": 2,
    }
    paths = ("card.number", "cards[*].number", "keys")

    def test_hidden_values_are_in_no_text_and_others_are(self):
        for lists in ("index", "align"):
            for change in (
                diff(self.old, self.new, redact=self.paths, lists=lists),
                diff(self.old, self.new, lists=lists).redact(*self.paths),
                diff(to_item(self.old), to_item(self.new), redact=self.paths, lists=lists),
                diff(None, self.new, redact=self.paths),
                diff(self.old, None, redact=self.paths),
            ):
                shown = [str(change), repr(change), json.dumps(change.to_dict())]
                shown += [repr(each) for each in change]
                shown += [repr(change[0]), repr(change.get("card")), repr(change.get("cards[0]"))]
                shown += [str(change.invert()), repr(list(change.invert()))]
                shown += [repr(change | change.invert() | change), str(change.redact("plain"))]
                assert not [text for text in shown if SECRET in text]
                assert "holder" in str(change)
                assert "plain" in str(change)

    def test_where_it_changed_is_said(self):
        change = diff(self.old, self.new, redact=self.paths)
        assert str(change).splitlines() == [
            "card.holder: 'x' -> 'y'",
            "card.number: <redacted> -> <redacted>",
            "cards[0].n: 1 -> 2",
            "cards[0].number: <redacted> -> <redacted>",
            "cards[1]: added {'number': <redacted>, 'n': 3}",
            "keys: +1 -1 members",
            "plain: 1 -> 2",
        ]
        entries = {entry["path"]: entry for entry in change.to_dict()["changes"]}
        assert entries["card.number"] == {
            "op": "replaced",
            "path": "card.number",
            "redacted": True,
        }
        assert entries["cards[1]"] == {
            "op": "added",
            "path": "cards[1]",
            "redacted": True,
            "value": {"M": {"n": {"N": "3"}}},
        }
        assert entries["keys"] == {"op": "set_changed", "path": "keys", "redacted": True}

    def test_what_the_diff_does_stays(self):
        plain = diff(self.old, self.new)
        change = plain.redact(*self.paths)
        assert change == plain
        assert hash(change) == hash(plain)
        assert change.apply(self.old) == self.new
        assert change["card.number"].new == SECRET + "b"
        assert change.to_update_expression() == plain.to_update_expression()

    def test_what_is_inside_of_a_hidden_place_is_hidden_with_it(self):
        change = diff(self.old, self.new, redact=["card", "cards", "keys"])
        assert SECRET not in str(change) + repr(change) + json.dumps(change.to_dict())
        assert "'y'" not in str(change)
        assert "plain: 1 -> 2" in str(change)

    def test_one_path_may_be_given_as_text(self):
        assert SECRET not in str(diff({"keys": SECRET}, {"keys": 1}, redact="keys"))

    def test_a_position_stands_for_any_since_members_move(self):
        change = diff({"a": ["x", SECRET]}, {"a": ["y", "x", SECRET + "e"]}, redact=["a[0]"])
        assert SECRET not in str(change)
        assert "x" not in re.sub("redacted", "", str(change))

    def test_a_model_that_holds_a_hidden_value_is_hidden_and_its_other_fields_are_not(self):
        old = Customer("1", Card(SECRET), [])
        new = Customer("1", Card(SECRET + "f", "y"), [Card(SECRET)])
        change = diff(old, new, redact=("card.number", "old_cards[*].number"))
        assert str(change).splitlines() == [
            "card.holder: 'x' -> 'y'",
            "card.number: <redacted> -> <redacted>",
            "old_cards[0]: added <redacted>",
        ]
        assert SECRET not in json.dumps(change.to_dict())
        assert change.apply(old) == new

    def test_a_list_of_models_that_hold_a_hidden_value_is_hidden_as_a_whole(self):
        change = diff(None, Customer("1", Card("n"), [Card(SECRET)]), redact="old_cards[*].number")
        assert "old_cards: added <redacted>" in str(change).splitlines()

    def test_a_type_that_changed_around_a_hidden_value_hides_it_too(self):
        change = diff({"card": {"number": SECRET}}, {"card": [SECRET]}, redact=["card.number"])
        assert str(change).count(SECRET) == 1  # the list has no number: only the map is known to
        assert SECRET not in str(change.redact("card[*]"))

    def test_it_survives_pickling(self):
        import pickle

        change = pickle.loads(pickle.dumps(diff(self.old, self.new, redact=self.paths)))  # noqa: S301
        assert SECRET not in str(change)

    def test_what_is_no_path_is_refused(self):
        with pytest.raises(DiffError):
            diff({}, {}, redact=["a..b"])
