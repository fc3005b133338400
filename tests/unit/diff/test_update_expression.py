"""The text of an update: the fewest actions, placeholders for every name, and DynamoDB's limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pytest

from ddbstream import Diff, Replaced, SetChanged, diff, to_item
from ddbstream._diff import diff_images
from ddbstream.exceptions import DiffError, EncodeError


def update(old: Any, new: Any, **options: Any) -> dict[str, Any]:
    lists = options.pop("lists", "index")
    return diff(old, new, lists=lists, wire=False).to_update_expression(**options)


def test_each_kind_of_change_has_its_clause():
    assert update(
        {"a": 1, "gone": 1, "more": {"x"}, "less": {"x", "y"}, "other": {"x"}},
        {"a": 2, "new": [1], "more": {"x", "y"}, "less": {"y"}, "other": {"y"}},
    ) == {
        "UpdateExpression": (
            "SET #a = :a, #new = :new, #other = :other REMOVE #gone ADD #more :more "
            "DELETE #less :less"
        ),
        "ExpressionAttributeNames": {
            "#a": "a",
            "#gone": "gone",
            "#less": "less",
            "#more": "more",
            "#new": "new",
            "#other": "other",
        },
        "ExpressionAttributeValues": {
            ":a": {"N": "2"},
            ":new": {"L": [{"N": "1"}]},
            ":other": {"SS": ["y"]},
            ":more": {"SS": ["y"]},
            ":less": {"SS": ["x"]},
        },
    }


def test_an_empty_diff_has_no_arguments():
    assert update({"a": 1}, {"a": 1}) == {}
    assert update({}, {}, condition=True) == {}


def test_a_placeholder_is_the_name_itself_in_either_case():
    assert update({}, {"Xx_1X": 1})["UpdateExpression"] == "SET #Xx_1X = :Xx_1X"


def test_only_what_is_used_is_passed():
    # DynamoDB refuses an empty map of values, and one with a value that the expression lacks.
    assert update({"a": 1}, {}) == {
        "UpdateExpression": "REMOVE #a",
        "ExpressionAttributeNames": {"#a": "a"},
    }


def test_names_that_make_one_placeholder_get_two():
    arguments = update({}, {"a.b": 1, "a-b": 2, "a_b": 3, "é": 4})
    assert sorted(arguments["ExpressionAttributeNames"].items()) == [
        ("#a_b", "a-b"),
        ("#a_b_2", "a.b"),
        ("#a_b_3", "a_b"),
        ("#n3", "é"),
    ]
    assert len(arguments["ExpressionAttributeValues"]) == 4


def test_a_counted_placeholder_is_no_attributes_own():
    arguments = update({}, {"n1": 1, "é": 2})
    assert arguments["ExpressionAttributeNames"] == {"#n1": "n1", "#n2": "é"}


def test_values_are_in_the_form_of_boto3s_client_whatever_the_items_were():
    old = to_item({"b": b"x", "s": {b"x"}}, wire="json")
    new = to_item({"b": b"y", "s": {b"x", b"y"}}, wire="json")
    assert diff(old, new).to_update_expression()["ExpressionAttributeValues"] == {
        ":b": {"B": b"y"},
        ":s": {"BS": [b"y"]},
    }


class TestLists:
    def test_what_comes_at_the_end_is_set_there(self):
        assert update({"a": [1]}, {"a": [2, 3]})["UpdateExpression"] == (
            "SET #a[0] = :a_0, #a[1] = :a_1"
        )

    def test_what_goes_is_removed_from_where_it_is(self):
        assert update({"a": [1, 2, 3]}, {"a": [2, 3]}, lists="align")["UpdateExpression"] == (
            "REMOVE #a[0]"
        )

    def test_what_comes_after_others_went_is_set_beyond_the_old_end(self):
        assert update({"a": [1, 2, 3]}, {"a": [2, 3, 4]}, lists="align")["UpdateExpression"] == (
            "SET #a[3] = :a_3 REMOVE #a[0]"
        )

    def test_a_list_with_an_insertion_is_set_as_a_whole(self):
        old, new = {"a": {"b": [1, 2]}}, {"a": {"b": [0, 1, 2]}}
        assert update(old, new, lists="align")["UpdateExpression"] == "SET #a.#b = :a_b"

    def test_and_what_comes_after_it_is_set_too(self):
        old, new = {"a": [1, 2], "b": [1], "z": 1}, {"a": [0, 1, 2], "b": [1, 2], "z": 2}
        arguments = update(old, new, lists="align")
        assert arguments["UpdateExpression"] == "SET #a = :a, #b[1] = :b_1, #z = :z"

    def test_a_list_in_a_map_keeps_its_positions_too(self):
        old, new = {"m": {"a": [1, 2, 3]}}, {"m": {"a": [2, 3, 4]}}
        assert update(old, new, lists="align")["UpdateExpression"] == (
            "SET #m.#a[3] = :m_a_3 REMOVE #m.#a[0]"
        )

    def test_a_list_with_an_insertion_may_have_moved_itself(self):
        old = {"a": [0, {"id": 1, "b": [1, 2]}]}
        new = {"a": [{"id": 1, "b": [0, 1, 2]}]}
        arguments = update(old, new, lists="align")
        assert arguments["UpdateExpression"] == "SET #a[1].#b = :a_1_b REMOVE #a[0]"

    @pytest.mark.parametrize("place", [0, 1])
    def test_the_outermost_of_lists_with_insertions_is_set(self, place: int):
        old = {"a": [{"id": 1, "b": [1, 2]}, 5]}
        new: dict[str, Any] = {"a": [{"id": 1, "b": [0, 1, 2]}, 5]}
        new["a"].insert(place, 9)
        assert update(old, new, lists="align")["UpdateExpression"] == "SET #a = :a"

    def test_a_list_that_only_loses_hides_no_insertion(self):
        old, new = {"a": [1, 2], "b": [1, 2]}, {"a": [2], "b": [0, 1, 2]}
        assert update(old, new, lists="align")["UpdateExpression"] == "SET #b = :b REMOVE #a[0]"

    def test_an_insertion_from_changes_alone_is_refused_at_its_list(self):
        change = Diff(list(diff({"a": [1, 2]}, {"a": [0, 1, 2]}, lists="align", wire=False)))
        with pytest.raises(DiffError, match=r"^made from changes alone: .* at a$"):
            change.to_update_expression()

    def test_and_compared_as_a_whole(self):
        old, new = {"a": {"b": [1, 2]}}, {"a": {"b": [0, 1, 2]}}
        arguments = update(old, new, lists="align", condition="changes")
        assert arguments["ConditionExpression"] == "#a.#b = :old_a_b"


class TestSets:
    def test_one_inside_of_a_map_is_set_as_a_whole(self):
        # ADD and DELETE are for top-level attributes.
        old, new = {"a": {"b": {"x"}}}, {"a": {"b": {"x", "y"}}}
        assert update(old, new)["UpdateExpression"] == "SET #a.#b = :a_b"

    @pytest.mark.parametrize(
        "change", [SetChanged("a.b", {"y"}, ()), SetChanged("a", {"y"}, {"x"})]
    )
    def test_one_that_is_set_as_a_whole_has_to_be_known_as_a_whole(self, change: SetChanged):
        with pytest.raises(DiffError, match=r"changes alone.* at a"):
            Diff([change]).to_update_expression()

    def test_one_that_becomes_empty_goes(self):
        assert update({"a": {"x"}}, {"a": set()})["UpdateExpression"] == "DELETE #a :a"
        assert update({"a": {"b": {"x"}}}, {"a": {"b": set()}})["UpdateExpression"] == (
            "REMOVE #a.#b"
        )

    def test_an_empty_one_that_comes_is_nothing(self):
        assert update({}, {"a": set()}) == {}
        assert update({"a": 1}, {"a": set()})["UpdateExpression"] == "REMOVE #a"
        arguments = update({}, {"a": {"b": set(), "c": 1}})
        assert arguments["ExpressionAttributeValues"] == {":a": {"M": {"c": {"N": "1"}}}}
        arguments = update({}, {"a": [{"b": set(), "c": 1}]})
        assert arguments["ExpressionAttributeValues"] == {":a": {"L": [{"M": {"c": {"N": "1"}}}]}}

    def test_an_empty_one_that_goes_was_nothing(self):
        assert update({"a": set(), "b": {"c": set()}}, {"b": {}}) == {}

    def test_an_empty_one_in_a_list_cannot_be_stored(self):
        with pytest.raises(EncodeError, match="a"):
            update({}, {"a": [set()]})


class TestConditions:
    old: ClassVar[dict[str, Any]] = {"a": 1, "b": {"c": 1, "d": 2}, "gone": None}
    new: ClassVar[dict[str, Any]] = {"a": 1, "b": {"c": 2, "d": 2, "e": 3}, "new": 1}

    def test_the_item_is_every_attribute_and_what_is_not_there(self):
        for condition in (True, "item"):
            arguments = update(self.old, self.new, condition=condition)
            assert arguments["ConditionExpression"] == (
                "attribute_not_exists(#new) AND #a = :old_a AND #b = :old_b AND #gone = :old_gone"
            )
            values = arguments["ExpressionAttributeValues"]
            assert [values[f":old_{name}"] for name in self.old] == [
                {"N": "1"},
                {"M": {"c": {"N": "1"}, "d": {"N": "2"}}},
                {"NULL": True},
            ]

    def test_the_changes_are_what_they_start_from(self):
        arguments = update(self.old, self.new, condition="changes")
        assert arguments["ConditionExpression"] == (
            "#b.#c = :old_b_c AND attribute_not_exists(#b.#e) AND #gone = :old_gone "
            "AND attribute_not_exists(#new)"
        )

    def test_an_empty_set_was_nothing(self):
        old: dict[str, Any] = {"a": set(), "b": 1}
        arguments = update(old, {**old, "b": 2}, condition="item")
        assert arguments["ConditionExpression"] == "attribute_not_exists(#a) AND #b = :old_b"

    def test_an_old_value_that_cannot_be_stored_is_named_by_path(self):
        with pytest.raises(EncodeError, match="at a"):
            update({"a": Decimal("NaN")}, {"a": 1}, condition="changes")

    def test_an_insert_is_of_an_item_that_is_not_there(self):
        change = diff_images(None, to_item({"PK": "x", "a": 1}), keys=("PK",))
        arguments = change.to_update_expression(condition=True)
        assert arguments["UpdateExpression"] == "SET #a = :a"
        assert arguments["ConditionExpression"] == (
            "attribute_not_exists(#a) AND attribute_not_exists(#PK)"
        )

    def test_another_word_is_refused(self):
        with pytest.raises(DiffError, match=r'^condition is True, False, "item" or "changes"$'):
            update({}, {}, condition="all")

    def test_more_than_dynamodb_takes_is_refused(self):
        old = {f"a{i}": i for i in range(151)}
        with pytest.raises(DiffError, match="300 operators"):
            update(old, {**old, "a1": 0}, condition="item")
        assert update(old, {**old, "a1": 0}, condition="changes")["ConditionExpression"]

    @pytest.mark.parametrize("condition", [True, "item", "changes"])
    def test_changes_alone_do_not_know_the_whole_set_that_was(self, condition: Any):
        change = Diff([Replaced("a", 1, 2), SetChanged("s", {"y"}, ())])
        with pytest.raises(DiffError, match=r"changes alone.* at s"):
            change.to_update_expression(condition=condition)
        assert change.to_update_expression(condition=False)
        known = Diff([Replaced("a", 1, 2)]).to_update_expression(condition=condition)
        assert known["ConditionExpression"] == "#a = :old_a"


class TestKeys:
    def test_a_key_is_left_out_where_it_is_added(self):
        change = diff({}, {"PK": "x", "a": 1})
        assert change.to_update_expression(keys=["PK"])["UpdateExpression"] == "SET #a = :a"

    def test_a_key_that_changes_is_refused(self):
        for new in ({"PK": "y"}, {}):
            with pytest.raises(DiffError, match="key attribute cannot be updated at PK"):
                diff({"PK": "x"}, new).to_update_expression(keys=["PK"])

    def test_nor_does_anything_come_into_one(self):
        with pytest.raises(DiffError, match=r"key attribute cannot be updated at PK\.y"):
            diff({"PK": {"x": 1}}, {"PK": {"x": 1, "y": 2}}).to_update_expression(keys=["PK"])

    def test_a_record_tells_its_diff_the_keys(self):
        from ddbstream import parse

        (record,) = parse(
            [
                {
                    "eventName": "INSERT",
                    "eventID": "1",
                    "dynamodb": {
                        "Keys": {"PK": {"S": "x"}},
                        "NewImage": {"PK": {"S": "x"}, "a": {"N": "1"}},
                        "StreamViewType": "NEW_AND_OLD_IMAGES",
                        "SequenceNumber": "1",
                    },
                }
            ]
        )
        assert record.diff.to_update_expression()["UpdateExpression"] == "SET #a = :a"


class TestLimits:
    def test_long_names_give_way_to_counted_placeholders(self):
        old = {f"attribute_with_a_long_name_{i}": i for i in range(80)}
        new = dict.fromkeys(old, -1)
        arguments = update(old, new)
        assert len(arguments["UpdateExpression"]) <= 4096
        assert arguments["ExpressionAttributeNames"]["#n0"] == "attribute_with_a_long_name_0"

    def test_a_name_too_long_to_repeat_is_counted_at_once(self):
        assert "#n0 = :v0" in update({}, {"x" * 41: 1})["UpdateExpression"]
        assert update({}, {"x" * 40: 1})["UpdateExpression"] == f"SET #{'x' * 40} = :{'x' * 40}"

    def test_text_of_4_kb_is_not_too_long(self):
        new = {f"{i:0>{37 if i < 28 else 38}}": 1 for i in range(50)}
        text = update({}, new)["UpdateExpression"]
        assert len(text) == 4096
        assert "#n0" not in text

    def test_comparisons_up_to_the_limit_are_taken(self):
        old = {f"a{i}": i for i in range(150)}
        arguments = update(old, {**old, "a1": 0}, condition="item")
        assert arguments["ConditionExpression"].count(" = ") == 150

    @pytest.mark.parametrize("much", ["much", "all"])
    def test_the_attribute_with_the_most_changes_is_set_as_a_whole(self, much: str):
        old = {much: {f"n{i}": i for i in range(300)}, "little": {"x": 1, "y": 1}}
        new = {much: dict.fromkeys(old[much], -1), "little": {"x": 2, "y": 1}}
        arguments = update(old, new, condition="changes")
        assert arguments["UpdateExpression"] == f"SET #little.#x = :little_x, #{much} = :{much}"
        # What is overwritten as a whole is looked at as a whole.
        assert arguments["ConditionExpression"] == (
            f"#little.#x = :old_little_x AND #{much} = :old_{much}"
        )

    def test_what_comes_or_goes_is_not_set_as_a_whole(self):
        inside = {f"n{i}": i for i in range(300)}
        old = {"deep": inside, **{f"gone{i}": i for i in range(9)}}
        new = {"deep": dict.fromkeys(inside, -1), **{f"new{i}": i for i in range(9)}}
        text = update(old, new)["UpdateExpression"]
        assert "#deep = :deep" in text
        assert text.endswith(" REMOVE " + ", ".join(f"#gone{i}" for i in range(9)))

    @pytest.mark.parametrize("count", range(2, 9))
    def test_no_more_attributes_are_set_as_a_whole_than_must_be(self, count: int):
        # The changes inside of two of them fit into 4 KB, and those of three do not.
        inside = {f"n{i}": i for i in range(100)}
        old = {f"a{i}": inside for i in range(count)}
        text = update(old, dict.fromkeys(old, dict.fromkeys(inside, -1)))["UpdateExpression"]
        assert sum(f"#{name} = " in text for name in old) == count - 2

    @pytest.mark.parametrize("deep", [{}, {"deep": {"x": 1, "y": 1}}])
    def test_what_no_expression_holds_is_refused(self, deep: Any):
        old = {f"a{i}": i for i in range(500)}
        new = {**dict.fromkeys(old, -1), **{name: {"x": 1, "y": 2} for name in deep}}
        with pytest.raises(
            DiffError,
            match=r"^longer than DynamoDB's 4 KB of text and 300 operators: put the item$",
        ):
            update({**old, **deep}, new)

    def test_nor_do_changes_alone_know_what_to_set_as_a_whole(self):
        with pytest.raises(
            DiffError, match=r"^made from changes alone, and too long for one expression$"
        ):
            Diff([Replaced(f"a.n{i}", 1, 2) for i in range(500)]).to_update_expression()


def test_a_removal_is_no_update():
    with pytest.raises(
        DiffError, match=r"^the item was removed: that is delete_item, and no update$"
    ):
        update({"a": 1}, None)


def test_a_value_that_cannot_be_stored_is_named_by_path():
    with pytest.raises(EncodeError, match=r"at a\.b"):
        update({"a": {"b": 1}}, {"a": {"b": Decimal("NaN")}})
    with pytest.raises(EncodeError, match="at s"):
        update({"s": {Decimal(1)}}, {"s": {Decimal(1), Decimal("Infinity")}})
