"""Records made of items say what a test meant them to say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import Insert, Modify, Remove, StreamRouter, from_item, keys, parse, testing
from ddbstream.exceptions import EncodeError, MissingImageError, PayloadError
from tests.unit.wire.payloads import (
    KINESIS_ARN,
    failure_message,
    kinesis_entry,
    kinesis_json,
    lambda_record,
    sqs_message,
)


@keys(PK="Book#{id}", SK="Shelf")
@dataclass
class Book:
    id: str
    price: Decimal
    cover: bytes = b"\x00\xff"


OLD, NEW = Book("7", Decimal(10)), Book("7", Decimal("12.50"))


def only(payload: object, model: Any = None) -> Any:
    (record,) = parse(payload, model)
    return record


class TestRecords:
    def test_models_come_back_as_they_were(self) -> None:
        assert only(testing.insert(NEW), Book).new == NEW
        record = only(testing.modify(OLD, NEW), Book)
        assert (record.old, record.new) == (OLD, NEW)
        assert only(testing.remove(OLD), Book).old == OLD

    def test_items_may_be_python_or_wire_of_either_spelling(self) -> None:
        items: list[Any] = [
            {"PK": "a", "n": 1, "b": b"\x00"},
            {"PK": {"S": "a"}, "n": {"N": "1"}, "b": {"B": b"\x00"}},
            {"PK": {"S": "a"}, "n": {"N": "1"}, "b": {"B": "AA=="}},
        ]
        for item in items:
            image = testing.insert(item)["dynamodb"]["NewImage"]
            assert image == {"PK": {"S": "a"}, "n": {"N": "1"}, "b": {"B": "AA=="}}

    def test_a_wire_item_may_have_python_sets(self) -> None:
        image = testing.insert({"PK": {"S": "a"}, "tags": {"SS": {"x"}}})["dynamodb"]["NewImage"]
        assert image == {"PK": {"S": "a"}, "tags": {"SS": ["x"]}}

    def test_a_python_item_that_looks_like_tags_somewhere_inside_is_a_python_item(self) -> None:
        item = {"PK": "a", "map": {"S": "x"}}
        assert only(testing.insert(item)).new == item

    @pytest.mark.parametrize(
        ("item", "names"),
        [
            ({"PK": "a", "SK": "b", "x": 1}, ["PK", "SK"]),
            ({"x": 1, "pk": "a", "sk": "b"}, ["pk", "sk"]),
            ({"x": 1, "id": "a"}, ["id"]),
            ({"x": 1, "y": 2}, ["x"]),
        ],
    )
    def test_keys_are_the_usual_ones(self, item: Any, names: list[str]) -> None:
        assert list(testing.insert(item)["dynamodb"]["Keys"]) == names

    def test_keys_of_a_model_are_its_templates(self) -> None:
        assert testing.insert(NEW)["dynamodb"]["Keys"] == {
            "PK": {"S": "Book#7"},
            "SK": {"S": "Shelf"},
        }

    def test_keys_may_be_told(self) -> None:
        assert list(testing.insert({"PK": "a", "x": 1}, keys=["x"])["dynamodb"]["Keys"]) == ["x"]

    def test_fields_may_be_told(self) -> None:
        record = only(
            testing.insert(
                {"id": "a"},
                table_name="Shelf",
                created=datetime(2026, 2, 2, 2, 40, tzinfo=timezone.utc),
                sequence_number="42",
                event_id="e",
                aws_region="us-east-1",
            )
        )
        assert record.table_name == "Shelf"
        assert record.approximate_creation_ns == 1_770_000_000 * 10**9
        assert (record.sequence_number, record.event_id, record.aws_region) == (
            "42",
            "e",
            "us-east-1",
        )

    def test_each_record_has_its_own_identity_and_a_higher_number(self) -> None:
        first, second = only(testing.insert(NEW)), only(testing.insert(NEW))
        assert first.event_id != second.event_id
        assert first.order_key < second.order_key
        assert len(first.sequence_number) >= 21

    @pytest.mark.parametrize(
        ("view", "images"),
        [
            ("KEYS_ONLY", set()),
            ("NEW_IMAGE", {"NewImage"}),
            ("OLD_IMAGE", {"OldImage"}),
            ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
        ],
    )
    def test_a_view_type_carries_its_images(self, view: Any, images: set[str]) -> None:
        wire = testing.modify(OLD, NEW, view_type=view)
        assert {name for name in wire["dynamodb"] if name.endswith("Image")} == images
        if "OldImage" not in images:
            with pytest.raises(MissingImageError, match=view):
                only(wire).old  # noqa: B018

    def test_a_ttl_removal_is_one(self) -> None:
        assert only(testing.remove(OLD, ttl=True)).is_ttl_removal
        assert not only(testing.remove(OLD)).is_ttl_removal

    def test_the_size_counts_keys_and_images(self) -> None:
        """Names and values in UTF-8; a map costs 3 and a byte a member (item sizes, developer
        guide).
        """
        item = {"id": "\u00e9", "m": {"a": True}}
        # keys 2 + 2; image 2 + 2, m 1 + 3 + (1 + 1 + 1)
        assert only(testing.insert(item)).size_bytes == 4 + 4 + 7

    def test_records_are_json(self) -> None:
        wire = testing.modify(OLD, NEW)
        assert json.loads(json.dumps(wire)) == wire

    def test_a_model_reaches_the_handlers_of_its_name_by_default(self) -> None:
        router, seen = StreamRouter(), []
        router.on_insert(Book)(seen.append)
        router.dispatch([testing.insert(NEW)])
        assert [record.new for record in seen] == [NEW]

    def test_what_is_no_item_is_refused(self) -> None:
        with pytest.raises(EncodeError):
            testing.insert("Book#7")


def shape(value: Any) -> Any:
    """Names and types of a payload, without its values."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return type(value)


class TestShapes:
    """Payloads have the names and types of those that were written by hand after AWS's."""

    WIRE = testing.modify({"PK": "Book#7", "price": 10}, {"PK": "Book#7", "price": 12}, keys=["PK"])

    def test_a_lambda_event_has_the_shape_of_aws(self) -> None:
        assert shape(testing.lambda_event([self.WIRE])) == shape({"Records": [lambda_record()]})

    def test_a_kinesis_event_has_the_shape_of_aws(self) -> None:
        made = testing.kinesis_event([self.WIRE])
        assert shape(made) == shape({"Records": [kinesis_entry(kinesis_json())]})
        assert shape(json.loads(testing.kinesis_data(self.WIRE))) == shape(kinesis_json())

    def test_an_on_failure_message_has_the_shape_of_aws(self) -> None:
        assert shape(testing.on_failure_message([self.WIRE])) == shape(failure_message())
        event = {"Records": [lambda_record()]}
        for kind, payload in (("object", event), ("text", json.dumps(event))):
            made = testing.on_failure_message([self.WIRE], payload=kind)  # type: ignore[arg-type]
            assert shape(made) == shape(failure_message(payload=payload))

    def test_a_queues_event_has_the_shape_of_aws(self) -> None:
        assert shape(testing.sqs_event("x")) == shape({"Records": [sqs_message("x")]})

    def test_a_page_has_bytes_and_datetimes_and_names_no_stream(self) -> None:
        item = {"PK": "a", "b": b"\x00", "bs": {b"\x01"}, "l": [{"b": b"\x02"}]}
        page = testing.get_records_page([testing.remove(item, ttl=True)], next_iterator=None)
        (record,) = page["Records"]
        assert set(page) == {"Records"}
        assert "eventSourceARN" not in record
        assert record["userIdentity"] == {
            "PrincipalId": "dynamodb.amazonaws.com",
            "Type": "Service",
        }
        change = record["dynamodb"]
        assert change["ApproximateCreationDateTime"] == datetime(2026, 1, 1, tzinfo=timezone.utc)
        assert change["OldImage"]["b"] == {"B": b"\x00"}
        assert change["OldImage"]["bs"] == {"BS": [b"\x01"]}
        assert change["OldImage"]["l"] == {"L": [{"M": {"b": {"B": b"\x02"}}}]}

    def test_a_page_becomes_a_lambda_event_again(self) -> None:
        item = {"PK": "a", "b": b"\x00"}
        wire = testing.remove(item, ttl=True)
        (back,) = testing.lambda_event(testing.get_records_page([wire])["Records"])["Records"]
        assert back == {name: value for name, value in wire.items() if name != "eventSourceARN"}

    def test_an_event_of_a_tumbling_window_says_which_window_and_state(self) -> None:
        made = testing.tumbling_window_event([self.WIRE], state={"n": 1}, final=True)
        assert set(made) == {
            "Records",
            "window",
            "state",
            "shardId",
            "eventSourceARN",
            "isFinalInvokeForWindow",
            "isWindowTerminatedEarly",
        }
        assert (made["state"], made["isFinalInvokeForWindow"]) == ({"n": 1}, True)
        assert made["eventSourceARN"] == self.WIRE["eventSourceARN"]
        assert testing.tumbling_window_event([], stream_arn="arn")["eventSourceARN"] == "arn"

    def test_a_pipes_dead_letter_only_names_a_place_in_the_stream(self) -> None:
        message = testing.pipes_failure_message([self.WIRE])
        assert set(message) == {"context", "version", "timestamp", "DDBStreamBatchInfo"}
        with pytest.raises(PayloadError, match=r"ddbstream\.replay"):
            parse(message)

    def test_precision_is_named_where_asked(self) -> None:
        made = json.loads(testing.kinesis_data(self.WIRE, precision="MICROSECOND"))["dynamodb"]
        assert made["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
        assert made["ApproximateCreationDateTime"] == 1_767_225_600_000_000
        plain = json.loads(testing.kinesis_data(self.WIRE))["dynamodb"]
        assert "ApproximateCreationDateTimePrecision" not in plain
        assert plain["ApproximateCreationDateTime"] == 1_767_225_600_000
        assert "SequenceNumber" not in plain

    def test_a_kinesis_record_names_a_kinesis_stream(self) -> None:
        source = only(testing.kinesis_event([self.WIRE])).event_source_arn
        assert source.rpartition("/")[0] == KINESIS_ARN.rpartition("/")[0]

    def test_an_export_line_is_of_an_item_or_of_what_a_record_changed(self) -> None:
        line = testing.incremental_export_line(self.WIRE)
        assert line["Metadata"] == {"WriteTimestampMicros": {"N": "1767225600000000"}}
        assert [type(only(made)) for made in (line, {"Item": line["NewImage"]})] == [Modify, Insert]
        for item in (from_item(line["NewImage"]), line["NewImage"]):
            assert testing.full_export_line(item) == {"Item": line["NewImage"]}
        gone = testing.incremental_export_line(testing.remove(OLD, view_type="KEYS_ONLY"))
        assert set(gone) == {"Metadata", "Keys"}
        assert type(only(gone)) is Remove


def test_everything_public_is_there() -> None:
    for name in testing.__all__:
        if name != "EventSourceMapping":
            assert getattr(testing, name) is not None
    assert dir(testing) == sorted(testing.__all__)
    with pytest.raises(AttributeError):
        testing.nothing  # noqa: B018


class TestWrongInput:
    @pytest.mark.parametrize(
        ("build", "word"),
        [
            (lambda: testing.insert(None), "new item"),
            (lambda: testing.modify(None, {"PK": "a"}), "old item"),
            (lambda: testing.modify({"PK": "a"}, None), "new item"),
            (lambda: testing.remove(None), "old item"),
            (lambda: testing.insert({"PK": "a"}, sequencenumber="1"), "sequencenumber"),
            (lambda: testing.insert({"PK": "a"}, sequence_number="x1"), "digits"),
            (lambda: testing.insert({"PK": "a"}, sequence_number=1), "digits"),
            (lambda: testing.insert({"PK": "a"}, view_type="NEW"), "view_type"),
            (lambda: testing.insert({"PK": "a"}, keys="PK"), "keys="),
            (lambda: testing.insert({"PK": "a"}, keys=["SK"]), "SK"),
            (lambda: testing.lambda_event(testing.insert({"PK": "a"})), "list of records"),
            (lambda: testing.lambda_event(None), "list of records"),
            (lambda: testing.on_failure_message([], payload=True), "payload=True"),
            (lambda: testing.on_failure_message([], condition="Late"), "condition='Late'"),
        ],
    )
    def test_is_refused_in_words(self, build: Any, word: str) -> None:
        with pytest.raises((TypeError, ValueError), match=word):
            build()
