"""What a record says, lazily, and what it refuses to say."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import Insert, Modify, Remove, parse
from ddbstream._model import codec_for
from ddbstream._records import Origin
from ddbstream._wire import read
from ddbstream.exceptions import DecodeError, MissingImageError, RecordError
from tests.unit.wire.payloads import ARN, lambda_record


@dataclass
class Book:
    PK: str
    price: Decimal


def one(record: dict[str, Any], model: Any = None) -> Any:
    (made,) = parse({"Records": [record]}, model)
    return made


class TestFields:
    def test_every_field_is_read_from_the_wire(self) -> None:
        record = one(lambda_record())
        assert record.event_id == "0f3e5f4c7f0a4c1f9a54b0f0d4a3c2b1"
        assert record.event_name == "MODIFY"
        assert record.sequence_number == record.item_identifier == "300000000000000000007"
        assert record.approximate_creation_datetime == datetime(
            2026, 2, 2, 2, 40, tzinfo=timezone.utc
        )
        assert record.approximate_creation_ns == 1_770_000_000 * 10**9
        assert record.size_bytes == 44
        assert record.stream_view_type == "NEW_AND_OLD_IMAGES"
        assert record.event_source_arn == ARN
        assert record.table_name == "Shelf"
        assert record.aws_region == "eu-west-1"
        assert record.user_identity is None
        assert record.envelope is None
        assert record.keys == {"PK": "Book#7"}

    def test_raw_is_the_mapping_itself(self) -> None:
        wire = lambda_record()
        assert one(wire).raw is wire

    def test_what_the_wire_lacks_is_none(self) -> None:
        (record,) = read([{"eventName": "INSERT", "dynamodb": {}}])
        assert record.event_id is record.sequence_number is record.item_identifier is None
        assert record.approximate_creation_datetime is record.approximate_creation_ns is None
        assert record.size_bytes is record.stream_view_type is record.event_source_arn is None
        assert record.table_name is record.aws_region is record.user_identity is None

    def test_the_arn_may_be_the_callers(self) -> None:
        wire = lambda_record()
        del wire["eventSourceARN"]
        (record,) = read([wire], stream_arn=ARN)
        assert (record.event_source_arn, record.table_name) == (ARN, "Shelf")

    def test_the_records_own_arn_wins_over_the_callers(self) -> None:
        (record,) = read([lambda_record()], stream_arn="arn:aws:dynamodb:::table/Other")
        assert record.table_name == "Shelf"

    @pytest.mark.parametrize(
        ("arn", "table"),
        [
            (
                "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/T/stream/2026-01-01T00:00:00.000",
                "T",
            ),
            ("arn:aws-us-gov:dynamodb:us-gov-west-1:1:table/T.x-1_2/stream/l", "T.x-1_2"),
            ("arn:aws:dynamodb:us-east-1:123456789012:table/T", "T"),
            ("arn:aws:dynamodb:us-east-1:123456789012:table/", None),
            ("stream-ARN", None),
            ("eventsource_arn", None),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/table", None),
            (
                "arn:<partition>:dynamodb:<region>:111111111111:table/<resource:1>/stream/x",
                "<resource:1>",
            ),
            ("", None),
            (7, None),
        ],
    )
    def test_a_placeholder_for_an_arn_has_no_table_and_never_raises(
        self, arn: Any, table: Any
    ) -> None:
        """Placeholders are common in fixtures: Powertools has ``eventsource_arn``, SAM
        ``stream-ARN``.
        """
        assert one({**lambda_record(), "eventSourceARN": arn}).table_name == table

    def test_a_time_that_is_none_is_refused_when_read_and_without_being_quoted(self) -> None:
        """LocalStack's recordings have a placeholder here: tests must be able to build on them."""
        record = one(lambda_record(ApproximateCreationDateTime="<secret-time>"))
        with pytest.raises(RecordError) as caught:
            record.approximate_creation_datetime  # noqa: B018
        assert caught.value.path == "ApproximateCreationDateTime"
        assert caught.value.event_id == record.event_id
        seen: BaseException | None = caught.value
        while seen is not None:
            assert "secret" not in f"{seen} {vars(seen)}"
            seen = seen.__context__

    def test_a_time_beyond_pythons_calendar_is_refused_as_a_date_only(self) -> None:
        record = one(lambda_record(ApproximateCreationDateTime=10**20))
        assert record.approximate_creation_ns == 10**20
        far = one(lambda_record(ApproximateCreationDateTime=9 * 10**20))
        with pytest.raises(RecordError):
            far.approximate_creation_datetime  # noqa: B018


class TestOrderKey:
    def test_sequence_numbers_sort_as_integers(self) -> None:
        """Compared as text, a number with one digit more sorts first: bloop's changelog has that
        bug.
        """
        numbers = ["9", "10", "300000000000000000007", "1300000000000000000001"]
        keys = [one(lambda_record(SequenceNumber=number)).order_key for number in numbers]
        assert keys == sorted(keys)
        assert len(set(keys)) == 4

    @pytest.mark.parametrize("number", ["111", "4" * 21, "4" * 22, "4" * 25, "4" * 27, "4" * 40])
    def test_any_length_of_sequence_number_is_kept_as_it_is(self, number: str) -> None:
        """Captures have 21 (TTL), 22 (.NET) and 27 (dead letter) digits; the API allows 40."""
        assert one(lambda_record(SequenceNumber=number)).sequence_number == number

    def test_leading_zeros_stay(self) -> None:
        record = one(lambda_record(SequenceNumber="000000000000000000042"))
        assert record.item_identifier == "000000000000000000042"
        assert record.order_key[0] == 42

    def test_a_sequence_number_that_is_no_number_still_orders(self) -> None:
        """Fixtures of the KCL adapter have words here."""
        keys = [one(lambda_record(SequenceNumber=text)).order_key for text in ("b", "a", "1")]
        assert sorted(keys) == [keys[1], keys[0], keys[2]]

    def test_without_a_sequence_number_the_creation_time_orders(self) -> None:
        early, late = (
            one(lambda_record(SequenceNumber=None, ApproximateCreationDateTime=time))
            for time in (1770000000.25, 1770000000.5)
        )
        assert early.order_key < late.order_key

    def test_without_a_readable_time_it_is_still_a_key(self) -> None:
        broken = one(lambda_record(SequenceNumber=None, ApproximateCreationDateTime="x"))
        assert broken.order_key < one(lambda_record(SequenceNumber=None)).order_key


class TestUserIdentity:
    @pytest.mark.parametrize(
        "identity",
        [
            {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
            {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
        ],
        ids=["Lambda", "boto3"],
    )
    def test_time_to_live_is_told_in_either_casing(self, identity: dict[str, str]) -> None:
        record = one({**lambda_record("REMOVE"), "userIdentity": identity})
        assert record.is_ttl_removal
        assert record.user_identity == ("Service", "dynamodb.amazonaws.com")

    @pytest.mark.parametrize("identity", [None, {}, "Service", []])
    def test_null_and_nonsense_are_nobody(self, identity: object) -> None:
        """Absent in Lambda's records; null in Kinesis records, ``{}`` in some fixtures."""
        record = one({**lambda_record("REMOVE"), "userIdentity": identity})
        assert record.user_identity is None
        assert record.is_ttl_removal is False

    def test_another_service_is_not_time_to_live(self) -> None:
        identity = {"type": "Service", "principalId": "replication.dynamodb.amazonaws.com"}
        assert not one({**lambda_record("REMOVE"), "userIdentity": identity}).is_ttl_removal

    def test_only_a_removal_is_a_ttl_removal(self) -> None:
        """aws-lambda-java-libs' fixture has TTL's identity on an INSERT."""
        identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        assert not one({**lambda_record("INSERT"), "userIdentity": identity}).is_ttl_removal


class TestImages:
    def test_match_works_on_the_three_classes(self) -> None:
        seen = []
        for name in ("INSERT", "MODIFY", "REMOVE"):
            match one(lambda_record(name), Book):
                case Insert(new):
                    seen.append(("insert", new.price))
                case Modify(old, new):
                    seen.append(("modify", old.price, new.price))
                case Remove(old):
                    seen.append(("remove", old.price))
        assert seen == [
            ("insert", Decimal("12.50")),
            ("modify", Decimal(10), Decimal("12.50")),
            ("remove", Decimal(10)),
        ]

    @pytest.mark.parametrize(("name", "missing"), [("INSERT", "old"), ("REMOVE", "new")])
    def test_an_event_has_no_image_that_it_cannot_have(self, name: str, missing: str) -> None:
        assert not hasattr(one(lambda_record(name)), missing)

    def test_an_image_is_decoded_once_and_at_first_use(self) -> None:
        record = one(lambda_record(NewImage={"price": {"N": "soon"}}), Book)
        assert record.old is record.old
        with pytest.raises(DecodeError):
            record.new  # noqa: B018
        removed = one(lambda_record("REMOVE"), Book)
        assert removed.old is removed.old

    def test_a_fault_names_path_model_event_and_sequence_number_and_no_value(self) -> None:
        record = one(lambda_record(NewImage={"PK": {"S": "a"}, "price": {"S": "hunter2"}}), Book)
        with pytest.raises(DecodeError) as caught:
            record.new  # noqa: B018
        error = caught.value
        assert (error.path, error.expected, error.found) == ("NewImage.price", "N", "S")
        assert error.model is Book
        assert error.event_id == record.event_id
        assert error.sequence_number == record.sequence_number
        assert "hunter2" not in str(error)

    @pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE"])
    def test_an_image_not_captured_is_an_error_that_names_the_view_type(self, view: str) -> None:
        record = one(lambda_record(OldImage=None, StreamViewType=view))
        with pytest.raises(MissingImageError, match=f"{view} at OldImage") as caught:
            record.old  # noqa: B018
        assert caught.value.event_id == record.event_id
        with pytest.raises(MissingImageError):
            record.diff  # noqa: B018

    def test_an_unknown_view_type_is_said_to_be_unknown(self) -> None:
        """A record out of Kinesis has none."""
        record = one(lambda_record("REMOVE", OldImage=None, StreamViewType=None))
        with pytest.raises(MissingImageError, match="not known"):
            record.old  # noqa: B018

    def test_an_empty_image_is_an_image(self) -> None:
        assert one(lambda_record("INSERT", NewImage={})).new == {}

    def test_images_are_believed_over_the_view_type(self) -> None:
        """Powertools' fixture says NEW_IMAGE and carries both images."""
        assert one(lambda_record(StreamViewType="NEW_IMAGE")).old == {"PK": "Book#7", "price": 10}

    def test_keys_come_from_keys_and_not_from_an_image(self) -> None:
        """A Powertools example has a NewImage without the key attribute."""
        record = one(lambda_record("INSERT", NewImage={"title": {"S": "Sea"}}))
        assert record.keys == {"PK": "Book#7"}
        assert record.new == {"title": "Sea"}

    def test_a_record_without_keys_says_so(self) -> None:
        with pytest.raises(RecordError, match="expected a map, got nothing at Keys"):
            one(lambda_record(Keys=None)).keys  # noqa: B018

    def test_another_model_reads_the_same_record_anew(self) -> None:
        record = one(lambda_record())
        assert record.new == {"PK": "Book#7", "price": Decimal("12.50")}
        typed = record._with_codec(codec_for(Book))
        assert type(typed) is Modify
        assert typed.new == Book("Book#7", Decimal("12.50"))
        assert typed.raw is record.raw
        assert typed._origin is record._origin


class TestDiff:
    def test_a_modify_tells_what_changed(self) -> None:
        assert str(one(lambda_record()).diff) == "price: 10 -> 12.50"

    def test_an_insert_adds_and_a_removal_removes_everything(self) -> None:
        assert {change.path for change in one(lambda_record("INSERT")).diff} == {"PK", "price"}
        assert len(one(lambda_record("REMOVE")).diff) == 2

    def test_it_is_made_once(self) -> None:
        record = one(lambda_record())
        assert record.diff is record.diff


class TestObject:
    def test_records_are_equal_by_identity(self) -> None:
        """One change comes more than once, and in more than one spelling: what is equal is for the
        user.
        """
        first, second = one(lambda_record()), one(lambda_record())
        assert first != second
        assert len({first, second}) == 2

    def test_its_text_names_it_and_shows_no_value(self) -> None:
        text = repr(one(lambda_record(), Book))
        assert text.startswith("<Modify[Book] event_id=0f3e5f4c7f0a4c1f9a54b0f0d4a3c2b1 ")
        assert "12.5" not in text
        assert "Book#7" not in text

    def test_its_text_shows_no_identifier_that_is_no_text(self) -> None:
        record = lambda_record()
        record["eventID"], record["dynamodb"]["SequenceNumber"] = {"S": "hunter2"}, 10**5000
        assert repr(one(record)) == "<Modify[dict] event_id=None sequence_number=None>"

    def test_it_takes_at_most_a_hundred_bytes_until_it_is_read(self) -> None:
        record = one(lambda_record())
        assert sys.getsizeof(record) <= 100
        assert not hasattr(record, "__dict__")
        wire = [lambda_record() for _ in range(1000)]
        codec, origin = codec_for(None), Origin("dynamodb")
        made: list[Any] = [None] * 1000
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for index, raw in enumerate(wire):
            made[index] = Modify(raw, raw["dynamodb"], origin, codec)
        used = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert used / 1000 <= 100


def test_a_record_can_be_pickled_with_its_model() -> None:
    record = one(lambda_record(), Book)
    again = pickle.loads(pickle.dumps(record))  # noqa: S301 - our own
    assert type(again) is type(record)
    assert again.event_id == record.event_id
    assert again.new == record.new
