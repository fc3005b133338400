"""A record that is text until it is read is the same record: values, errors and their paths."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

pytest.importorskip("msgspec")
pytest.importorskip("attrs")
pytest.importorskip("boto3")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ddbstream import Attribute, StreamRouter, by_key_prefix, parse, to_item
from ddbstream._filters import Pattern
from ddbstream._model import codec_for
from ddbstream._records import Origin
from ddbstream._wire import unread_text
from ddbstream._wire.export import export_record, unread_export_record
from ddbstream.exceptions import DDBStreamError
from ddbstream.testing import (
    get_records_page,
    insert,
    kinesis_event,
    kinesis_page,
    modify,
    remove,
    sqs_event,
    strategies,
)
from tests.property.random_models import Kind, models, plain_items
from tests.property.test_random_models import DAMAGE, damaged, places, same
from tests.support.roads import described, insert_of, new_image, outcome, unread_page

some_classes = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
few_values = settings(
    max_examples=6,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check_item(item: Any, model: Any = None) -> None:
    record = insert_of(item)
    by_dict = new_image(json.loads(json.dumps([record])), model)
    page = unread_page([record])
    by_text = new_image(page, model)
    assert by_text[0] == by_dict[0], (by_text, by_dict)
    assert same(by_text[1], by_dict[1])
    (read,) = page
    assert read == json.loads(json.dumps(record))


def test_every_value_and_every_error_of_every_class_is_the_same_by_either_road() -> None:
    @some_classes
    @given(models())
    def every_class(kind: Kind) -> None:
        @few_values
        @given(kind.values, st.data())
        def every_value(obj: Any, data: st.DataObject) -> None:
            item = to_item(obj, wire="json", model=kind.annotation)
            check_item(item, kind.annotation)
            found = places(item)
            if found:
                place = data.draw(st.sampled_from(found))
                damage = data.draw(st.sampled_from(DAMAGE))
                check_item(damaged(item, place, damage), kind.annotation)
            check_item({**item, "unknown": {"S": "x"}}, kind.annotation)

        every_value()

    every_class()


@given(plain_items, st.data())
def test_plain_items_are_the_same_by_either_road(data: dict[str, Any], draw: st.DataObject) -> None:
    item = to_item(data, wire="json")
    check_item(item)
    found = places(item)
    if found:
        place, damage = draw.draw(st.sampled_from(found)), draw.draw(st.sampled_from(DAMAGE))
        check_item(damaged(item, place, damage))


PROPERTIES = (
    "raw",
    "event_id",
    "event_name",
    "sequence_number",
    "item_identifier",
    "order_key",
    "approximate_creation_datetime",
    "approximate_creation_ns",
    "size_bytes",
    "stream_view_type",
    "event_source_arn",
    "table_name",
    "aws_region",
    "user_identity",
    "envelope",
    "is_ttl_removal",
    "is_replica",
    "is_unchanged",
    "keys",
)


def everything(record: Any) -> list[Any]:
    found = [outcome(lambda name=name: getattr(record, name)) for name in PROPERTIES]
    return [*found, outcome(lambda: list(record.diff))]


RECORD_DAMAGE: list[Any] = [*DAMAGE, 1.5, 5e-324, "9007199254740993", True, "\ud800", 10**30]


@settings(deadline=None)
@given(strategies.records(), st.data())
def test_all_of_a_record_is_the_same_by_either_road(record: Any, data: st.DataObject) -> None:
    record = json.loads(json.dumps(record))
    if data.draw(st.booleans()):
        place = data.draw(st.sampled_from(places(record)))
        record = damaged(record, place, data.draw(st.sampled_from(RECORD_DAMAGE)))
    intact = insert_of({})
    intact_and = [intact, json.loads(json.dumps(record))]

    def read(payload: Any) -> list[Any]:
        found: list[Any] = []
        records = parse(payload)
        while True:
            made = outcome(lambda: next(records, None))
            if made[1] is None:
                return found
            found.append(everything(made[1]) if made[0] == "value" else made)

    assert outcome(lambda: read(unread_page(intact_and))) == outcome(lambda: read(intact_and))


@settings(deadline=None)
@given(strategies.records())
def test_boto3s_form_has_the_same_values(record: Any) -> None:
    (ours,) = parse(unread_page([json.loads(json.dumps(record))]))
    (theirs,) = parse(get_records_page([record]))
    for name in ("keys", "sequence_number", "approximate_creation_datetime"):
        assert outcome(lambda name=name: getattr(ours, name)) == outcome(
            lambda name=name: getattr(theirs, name)
        )


def test_a_record_can_be_copied_and_pickled_before_it_is_read() -> None:
    page = unread_page([insert_of({"a": {"N": "1"}})])
    (record,) = parse(page)
    for twin in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):  # noqa: S301
        assert twin.raw == record.raw
        assert twin.new == {"a": 1}
    assert pickle.loads(pickle.dumps(page)) == list(page)  # noqa: S301


def test_a_page_is_a_sequence_as_a_list_is() -> None:
    records = [insert_of({"n": {"N": str(n)}}) for n in range(5)]
    page = unread_page(records)
    assert page == records
    assert page[1:3] == records[1:3]
    assert page[1:][0] == records[1]
    assert page[::2] == records[::2]
    assert page[-1] == records[-1]
    assert list(reversed(page)) == records[::-1]
    assert page[1:4][1:].sequence_numbers() == ["1", "1"]
    assert [record.new["n"] for record in parse(page[2:])] == [2, 3, 4]
    with pytest.raises(IndexError):
        page[5]


def test_the_raw_mapping_is_one_dict_that_is_untouched() -> None:
    wire = insert_of({"n": {"N": "1"}})
    (record,) = parse(unread_page([wire]))
    assert record.raw is record.raw
    assert type(record.raw) is dict
    assert record.raw == wire


def test_text_that_is_not_utf_8_is_no_page() -> None:
    from ddbstream._wire.unread import unread_answer

    with pytest.raises(ValueError, match="utf-8"):
        unread_answer(b'{"Records": [], "NextShardIterator": "\xff"}')


PATHS = ("price", "dims", "dims.w", "tags[0]", "nothing")


@settings(deadline=None, max_examples=30)
@given(strategies.values(), strategies.values(), st.sampled_from(PATHS))
def test_a_changed_route_takes_the_same_records_by_either_road(
    old: Any, new: Any, path: str
) -> None:
    def taken(payload: Any) -> Any:
        router, seen = StreamRouter(), []
        router.on_change(changed=path)(lambda record: seen.append(record.raw))
        result = router.dispatch(payload, stream_arn="arn:aws:dynamodb:r:1:table/T/stream/S")
        return seen, [described(failure.error) for failure in result.failures]

    images = [{"price": value, "dims": {"w": value}, "tags": [value]} for value in (old, new)]
    for records in ([modify(*images)], [insert(images[0])], [remove(images[1])]):
        wire = json.loads(json.dumps(records))
        assert taken(unread_page(wire)) == taken(wire)
        wire[0]["dynamodb"]["NewImage"] = None
        assert taken(unread_page(wire)) == taken(wire)


@settings(deadline=None, max_examples=60)
@given(strategies.values(), strategies.values(), st.data(), st.booleans())
def test_a_pattern_and_a_trait_take_the_same_records_by_either_road(
    old: Any, new: Any, data: st.DataObject, damage: bool
) -> None:
    record = json.loads(json.dumps(modify({"a": old, "b": 1}, {"a": new, "b": 1})))
    if damage:
        place = data.draw(st.sampled_from(places(record["dynamodb"])))
        broken = data.draw(st.sampled_from(DAMAGE))
        record["dynamodb"] = damaged(record["dynamodb"], place, broken)
    wire = [record]
    tests = [[{"exists": True}], [{"exists": False}], ["x", ""], [{"numeric": [">", 0]}], [None]]
    patterns: list[Any] = [
        {"dynamodb": {image: {"a": {tag: test}}}}
        for image in ("NewImage", "OldImage", "Keys")
        for tag in ("S", "N", "NULL", "L")
        for test in tests
    ]
    patterns += [{"dynamodb": {"NewImage": [{"exists": False}]}}, {"eventName": ["MODIFY"]}]
    (ours,), (theirs,) = parse(unread_page(wire)), parse(wire)
    for source in patterns:
        pattern = Pattern(source)
        assert pattern.matches_record(ours) is pattern.matches_record(theirs), source
        assert pattern.mismatch_of(ours) == pattern.mismatch_of(theirs), source
    (fresh,) = parse(unread_page(wire))
    assert fresh.is_unchanged is theirs.is_unchanged


@settings(deadline=None)
@given(strategies.records(), st.data())
def test_a_key_prefix_is_the_same_by_either_road(record: Any, data: st.DataObject) -> None:
    record = json.loads(json.dumps(record))
    keys = record["dynamodb"]["Keys"]
    name = data.draw(st.sampled_from([*keys, "GSI", 'a "quoted" \\ name\x1f']))
    keys[name] = {"S": data.draw(st.sampled_from(["A#1", "A", "#1", "A#B#", ""]))}
    if data.draw(st.booleans()):
        inside = record["dynamodb"]
        place = data.draw(st.sampled_from(places(inside)))
        damage = [*DAMAGE, "\ud800#", {"S": "A#1", "N": "1"}]
        record["dynamodb"] = damaged(inside, place, data.draw(st.sampled_from(damage)))
    classify = by_key_prefix(name, aliases={"A": "Product", "": "None"})
    (ours,), (theirs,) = parse(unread_page([record])), parse([record])
    assert outcome(lambda: classify(ours)) == outcome(lambda: classify(theirs))


def test_of_attributes_that_have_the_same_text_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ddbstream._wire import unread_image

    images = [{"price": {"N": n}, "dims": {"M": {"w": {"N": "1"}}}} for n in ("1", "1.0", "2")]

    def taken(old: int, new: int, path: str) -> tuple[bool, int]:
        router, seen, read = StreamRouter(), [], unread_image.read
        reads: list[Any] = []
        router.on_modify(changed=path)(seen.append)
        wire = insert_of({})
        wire["eventName"] = "MODIFY"
        wire["dynamodb"] |= {"OldImage": images[old], "NewImage": images[new]}
        page = unread_page([wire])
        with monkeypatch.context() as patch:
            patch.setattr(unread_image, "read", lambda text: reads.append(text) or read(text))
            router.dispatch(page, stream_arn="arn:aws:dynamodb:r:1:table/T/stream/S")
        return bool(seen), len(reads)

    assert taken(0, 0, "price") == (False, 0)
    assert taken(0, 2, "dims.w") == (False, 0)
    assert taken(0, 2, "none") == (False, 0)
    assert taken(0, 1, "price") == (False, 2)  # two spellings of one number
    assert taken(0, 2, "price") == (True, 2)


FORMS: dict[str, Any] = {
    "kinesis": kinesis_event,
    "kinesis page": kinesis_page,
    "sqs": lambda records: sqs_event(*records),
    "text": lambda records: json.dumps({"Records": records}),
    "lines": lambda records: "\n".join(map(json.dumps, records)).encode(),
    "one": lambda records: json.dumps(records[0]),
}


def every_record(payload: Any) -> Any:
    def read() -> list[Any]:
        found, records = [], parse(payload)
        while True:
            made = outcome(lambda: next(records, None))
            if made == ("value", None):
                return found
            found.append(everything(made[1]) if made[0] == "value" else made)

    return outcome(read)


@settings(deadline=None, max_examples=60)
@given(strategies.records(), st.data(), st.sampled_from(sorted(FORMS)))
def test_what_carries_a_record_as_text_carries_the_same_record(
    record: Any, data: st.DataObject, form: str
) -> None:
    record = json.loads(json.dumps(record))
    if data.draw(st.booleans()):
        place = data.draw(st.sampled_from(places(record)))
        record = damaged(record, place, data.draw(st.sampled_from(DAMAGE)))
    try:
        payload = FORMS[form]([record])
    except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError, DDBStreamError):
        return  # too broken for the builder
    as_text = every_record(payload)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unread_text, "unread", None)
        assert as_text == every_record(payload)


@settings(deadline=None, max_examples=40)
@given(strategies.wire_items(wire="json"), st.data(), st.booleans())
def test_a_line_of_an_export_is_the_same_record(item: Any, data: st.DataObject, keys: bool) -> None:
    found = places(item)
    if data.draw(st.booleans()):
        place, damage = data.draw(st.sampled_from(found)), data.draw(st.sampled_from(DAMAGE))
        item = damaged(item, place, damage)
    names = sorted(item)[:1] if keys else []
    line = json.loads(json.dumps({"Item": item}))
    known = {"StreamViewType": "NEW_IMAGE", "ApproximateCreationDateTime": 1.5}
    origin = Origin("export", "arn:aws:dynamodb:r:1:table/T", "f:1")
    made = unread_export_record(
        json.dumps(line).encode(), origin, codec_for(None), known=known, keys=names
    )
    assert made is not None
    if names:
        known["Keys"] = {name: line["Item"][name] for name in names}
    expected = export_record(line, origin, codec_for(None), known=known)
    assert everything(made) == everything(expected)
    assert outcome(lambda: made.new) == outcome(lambda: expected.new)


@dataclass
class OddlyNamed:
    a: Annotated[str, Attribute('a "quoted" \\ name\x1f')]


def test_an_attribute_of_any_name_is_read() -> None:
    item = {'a "quoted" \\ name\x1f': {"S": "x"}}
    (record,) = parse(unread_page([insert_of(item)]), OddlyNamed)
    assert record.new == OddlyNamed("x")
    router, seen = StreamRouter(), []
    router.on_insert(OddlyNamed, changed="a")(lambda record: seen.append(record.new.a))
    router.bind("T", OddlyNamed)
    router.dispatch(unread_page([insert_of(item)]))
    assert seen == ["x"]


def test_a_record_is_freed_without_the_collector() -> None:
    (record,) = parse(unread_page([insert_of({"a": {"N": "1"}})]))
    assert record.new
    assert record.keys
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        del record
        gc.collect()
        # Whatever else runs in this process leaves garbage of its own.
        ours = [kept for kept in gc.garbage if type(kept).__module__.startswith("ddbstream")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not ours


@given(st.binary().map(lambda data: b2a_base64(data).decode()) | st.text("Aa/+=\n -_ü\ud800"))
def test_base64_that_the_quick_road_reads_is_what_binascii_reads(text: str) -> None:
    found = unread_text.decoded_base64(text)
    assert found is None or found == a2b_base64(text)
    data = text.encode("utf-8", "surrogatepass")
    assert unread_text.decoded_base64(b2a_base64(data, newline=False).decode()) == data


def test_a_list_that_begins_with_a_kinesis_record_may_hold_anything() -> None:
    record = json.loads(json.dumps(insert({"PK": "a"})))
    (entry,) = kinesis_event([record])["Records"]
    broken = {**entry, "kinesis": {**entry["kinesis"], "data": "?"}}
    event = {"Records": [entry, record, broken, {"eventName": "x"}, entry | {"dynamodb": {}}, 3]}
    found = every_record(event)
    assert [each[0] for each in found[1]][2:] == ["error"] * 4
    paths = [each[1][2] for each in found[1] if each[0] == "error"]
    assert paths == [
        "Records[2].kinesis.data",
        "Records[3].dynamodb",
        "Records[4].eventName",
        "Records[5]",
    ]


def test_an_error_calls_a_number_of_many_digits_what_it_calls_others() -> None:
    text = json.dumps(insert_of({})).replace('{"PK": {"S": "a"}}', "1." + "1" * 40).encode()
    (record,) = parse(text)
    (other,) = parse(json.dumps(insert_of({})).replace('{"PK": {"S": "a"}}', "1.5").encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unread_text, "unread", None)
        (read,) = parse(text)
    found = [outcome(lambda one=one: one.keys) for one in (record, other, read)]
    assert found[0] == found[1] == found[2]
    assert "float" in str(found[0])
