"""Which items are of one entity, and what becomes of words in keys that are data."""

from __future__ import annotations

from typing import Any

import pytest

from ddbstream._infer import groups
from ddbstream._infer.grouping import TYPE_ATTRIBUTES, Grouping
from ddbstream._infer.inference import Inference
from ddbstream._infer.layout import quoted


def entities(items: list[dict[str, str]], **grouping: Any) -> dict[str, int]:
    inference = Inference(Grouping(**grouping))
    for item in items:
        inference.add({name: {"S": text} for name, text in item.items()})
    reader = inference.reader(inference.module("Models."))
    for item in items:
        reader.read({name: {"S": text} for name, text in item.items()})
    reader.close()
    return {one.name: one.group.map.count for one in inference.entities}


def test_a_sort_key_without_words_leaves_the_name_to_the_partition_key() -> None:
    items = [{"PK": f"Device#{n}", "SK": f"2024-01-{n:02d}"} for n in range(1, 9)]
    assert entities(items) == {"Device": 8}


def test_a_sort_key_that_never_changes_leaves_the_name_to_the_partition_key() -> None:
    items = [{"PK": f"Product#{n}", "SK": "User#Product"} for n in range(9)]
    assert entities(items) == {"Product": 9}


def test_a_word_for_parts_of_anything_leaves_the_name_to_the_partition_key() -> None:
    items = [{"PK": f"ORG#{n}", "SK": f"#METADATA#{n}"} for n in range(9)]
    assert entities(items) == {"Org": 9}


def test_names_of_people_are_no_entities() -> None:
    items = [{"PK": f"person{n}", "SK": f"{n}"} for n in range(50)]
    assert entities(items) == {"Item": 50}


def test_words_that_are_data_are_merged_however_many_there_are() -> None:
    words = [a + b for a in "bcdfghjklm" for b in ("an", "el", "io", "um", "ax")]
    items = [{"PK": f"User#1#{word}", "SK": "X"} for word in words]
    assert entities(items) == {"User": 50}


def test_prefixes_that_are_data_are_no_entities() -> None:
    words = [a + b for a in "bcdfghjklm" for b in ("an", "el", "io", "um", "ax")]
    assert entities([{"PK": f"{word}#1"} for word in words]) == {"Item": 50}


def test_the_same_word_under_two_partitions_is_two_entities() -> None:
    items = [{"PK": f"Customer#{n}", "SK": f"Order#{n}"} for n in range(9)]
    items += [{"PK": f"Store#{n}", "SK": f"Order#{n}"} for n in range(9)]
    assert entities(items) == {"CustomerOrder": 9, "StoreOrder": 9}


@pytest.mark.parametrize("attribute", TYPE_ATTRIBUTES)
def test_what_an_item_says_that_it_is_wins_over_its_keys(attribute: str) -> None:
    items = [{"PK": f"A#{n}", attribute: "invoice" if n % 2 else "credit-note"} for n in range(20)]
    assert entities(items) == {"CreditNote": 10, "Invoice": 10}


def test_a_type_attribute_of_the_users_own_is_asked_for() -> None:
    items = [{"id": f"{n}", "what": "7" if n % 2 else "Café"} for n in range(8)]
    assert entities(items, type_attribute="what") == {"Café": 4, "Item7": 4}


def test_a_classifier_is_believed_and_what_it_does_not_know_is_left_out() -> None:
    items = [{"id": f"{n}"} for n in range(9)]
    known = {"0": None}
    found = entities(items, classify=lambda item: known.get(item["id"]["S"], "Thing"))
    assert found == {"Thing": 8}


def test_all_is_one_class_where_that_is_asked_for() -> None:
    items = [{"PK": f"A#{n}", "_type": f"t{n}"} for n in range(9)]
    assert entities(items, single=True) == {"Item": 9}


def test_another_separator_parts_the_keys() -> None:
    items = [{"PK": f"Customer|{n}", "SK": f"Order|{n}"} for n in range(9)]
    assert entities(items, separator="|") == {"Order": 9}


def test_more_attributes_than_a_class_can_have_are_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "MOST_ATTRIBUTES", 3)
    inference = Inference(Grouping(), name="Wide")
    items = [{f"a{n}": {"N": "1"}} for n in range(9)]
    for item in items:
        inference.add(item)
    text = inference.module("Models.")
    assert '@model(collect="other_attributes", none="omit")' in text
    reader = inference.reader(text)
    assert reader.read(items[8]).other_attributes == {"a8": 1}
    reader.close()


def test_a_type_attribute_that_is_data_tells_nothing() -> None:
    items = [{"PK": f"Song#{n}", "entity": f"artist{chr(97 + n % 26)}{n // 26}"} for n in range(80)]
    assert entities(items) == {"Song": 80}
    few = [{"id": f"{n}", "entity": f"artist{chr(97 + n)}"} for n in range(20)]
    assert entities(few) == {"Item": 20}


def routed(items: list[dict[str, str]], **grouping: Any) -> str:
    inference = Inference(Grouping(**grouping))
    for item in items:
        inference.add({name: {"S": text} for name, text in item.items()})
    text = inference.module("Models.", router=True)
    reader = inference.reader(text)
    reader.module.router.explain({"eventName": "REMOVE", "dynamodb": {"Keys": {}}})
    reader.close()
    return text


def test_a_router_has_no_handler_for_items_that_nothing_tells_apart() -> None:
    items = [{"id": f"{n}", "_type": "note"} if n % 2 else {"id": f"{n}"} for n in range(30)]
    text = routed(items)
    assert 'router = StreamRouter(classify=by_attribute("_type"))' in text
    assert "# Nothing tells Item items apart: they need a classifier." in text
    assert "def note_changed" in text
    assert "def item_changed" not in text


def orders(**more: str) -> list[dict[str, str]]:
    return [{"PK": f"Order#{n}", "SK": "Order", "total": "1", **more} for n in range(10)]


def named(*names: str) -> list[dict[str, str]]:
    return [{"PK": f"{name}#{n}", "SK": name} for name in names for n in range(10)]


def test_older_items_without_their_type_are_of_the_class_that_has_their_words() -> None:
    items = [*orders(), *orders(_type="Order"), *named("User")]
    assert entities(items) == {"Order": 20, "User": 10}
    assert "by_keys(Order, User)" in routed(items)


def test_classes_of_the_same_keys_are_not_told_by_them() -> None:
    items = [*orders(), *orders(_type="Paid"), *orders(_type="Open")]
    text = routed([*items, *named("User", "Product", "Basket")])
    assert "by_keys(Product, Basket, User)" in text
    assert "# Nothing tells Order items apart: they need a classifier." in text


def test_a_kind_may_be_any_text() -> None:
    kinds = ['7 "odd" kinds', "\x1b[31m", "x" * 99]
    items = [{"id": f"{n}", "what": kinds[n % 3]} for n in range(30)]
    text = routed(items, type_attribute="what")
    for kind in kinds:
        assert f"Literal[{quoted(kind)}]" in text
        assert f"router.bind({quoted(kind)}, " in text
    assert "\x1b" not in text
