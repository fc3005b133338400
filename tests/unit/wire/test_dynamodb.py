"""DynamoDB's own record: Lambda's event, boto3's page, a Pipes batch, one record; and its odd
corners.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from ddbstream import Insert, Modify, Remove, parse
from ddbstream._records import MalformedRecord
from ddbstream._wire import read
from ddbstream.exceptions import DDBStreamError, DecodeError, PayloadError, RecordError
from tests.unit.wire.payloads import ARN, KEYS, NEW, lambda_record


def only(payload: object) -> Any:
    (record,) = parse(payload)
    return record


def new_image(**attributes: Any) -> Any:
    return only({"Records": [lambda_record("INSERT", NewImage={**KEYS, **attributes})]}).new


class TestLambdaEvent:
    def test_each_event_name_is_its_class_in_order(self) -> None:
        names = ["REMOVE", "INSERT", "MODIFY"]
        records = list(parse({"Records": [lambda_record(name) for name in names]}))
        assert [type(record) for record in records] == [Remove, Insert, Modify]

    @pytest.mark.parametrize("source", ["aws:dynamodb", "scylladb:alternator", "aws:service"])
    def test_the_event_source_does_not_matter(self, source: str) -> None:
        """ScyllaDB's Alternator names itself; the KCL adapter's fixture says ``aws:service``."""
        assert only({"Records": [{**lambda_record(), "eventSource": source}]}).old["price"] == 10

    @pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", None])
    def test_the_event_version_does_not_matter(self, version: str | None) -> None:
        """1.1 today, 1.0 in old fixtures, none in the Kinesis form; AWS says that it may grow."""
        assert only({"Records": [{**lambda_record(), "eventVersion": version}]})

    def test_seconds_and_milliseconds_may_stand_in_one_batch(self) -> None:
        """github.com/aws/aws-lambda-dotnet/issues/839."""
        times = [1770000000, 1770000000000, 1770000000.0]
        records = [lambda_record(ApproximateCreationDateTime=time) for time in times]
        made = {record.approximate_creation_datetime for record in parse({"Records": records})}
        assert made == {datetime(2026, 2, 2, 2, 40, tzinfo=timezone.utc)}

    def test_a_record_without_a_time_has_none(self) -> None:
        """The second record of Powertools' fixture."""
        record = only([lambda_record(ApproximateCreationDateTime=None)])
        assert record.approximate_creation_datetime is None

    def test_every_type_of_value_is_read(self) -> None:
        made = new_image(
            s={"S": ""},
            n={"N": "-1.5E-7"},
            b={"B": "AAEC"},
            yes={"BOOL": True},
            null={"NULL": True},
            list={"L": [{"S": "a"}, {"L": []}, {"M": {}}]},
            map={"M": {"S": {"S": "x"}}},
            ss={"SS": ["a", "b"]},
            ns={"NS": ["1", "1.0", "2"]},
            bs={"BS": ["AA==", "AQ=="]},
        )
        del made["PK"]
        assert made == {
            "s": "",
            "n": Decimal("-1.5E-7"),
            "b": b"\x00\x01\x02",
            "yes": True,
            "null": None,
            "list": ["a", [], {}],
            "map": {"S": "x"},
            "ss": {"a", "b"},
            "ns": {Decimal(1), Decimal(2)},
            "bs": {b"\x00", b"\x01"},
        }

    def test_an_empty_binary_is_empty(self) -> None:
        assert new_image(b={"B": ""})["b"] == b""

    def test_a_binary_is_decoded_once(self) -> None:
        """Who stores base64 text gets that text back:
        github.com/awslabs/amazon-kinesis-client/issues/959.
        """
        assert new_image(b={"B": "YUdrPQ=="})["b"] == b"aGk="

    def test_a_set_may_repeat_itself(self) -> None:
        """aws-lambda-dotnet's and aws-lambda-go's fixtures have a BS with one member twice."""
        assert new_image(bs={"BS": ["AA==", "AA=="]}, ss={"SS": ["a", "a"]})["bs"] == {b"\x00"}

    @pytest.mark.parametrize("tag", ["SS", "NS", "BS"])
    def test_a_set_may_be_empty(self, tag: str) -> None:
        """aws-lambda-go's fixture has an empty SS, the KCL adapter's all three."""
        assert new_image(none={tag: []})["none"] == set()

    def test_null_may_be_false(self) -> None:
        """The KCL adapter's fixture."""
        assert new_image(none={"NULL": False})["none"] is None

    @pytest.mark.parametrize(
        "value",
        [{"S": None}, {"B": 1}, {"BOOL": "true"}, {"SS": "a"}, {"L": {}}, {"M": []}],
        ids=repr,
    )
    def test_a_payload_of_the_wrong_json_type_is_refused_with_its_path(self, value: object) -> None:
        """``{"S": null}`` comes from fixtures edited by hand (commons-codec)."""
        with pytest.raises(DecodeError) as caught:
            new_image(odd=value)
        assert caught.value.path == "NewImage.odd"

    def test_a_number_written_as_a_json_number_is_that_number(self) -> None:
        """``{"N": 12}`` comes from fixtures edited by hand (commons-codec); it is unambiguous."""
        assert new_image(n={"N": 12})["n"] == Decimal(12)

    @pytest.mark.parametrize("text", ["AAA", "A", "====", "no base64!", "Zm9v\u00e9"])
    def test_what_is_not_base64_is_refused_with_its_path(self, text: str) -> None:
        with pytest.raises(DecodeError) as caught:
            new_image(photo={"B": text})
        assert caught.value.path == "NewImage.photo"
        assert text not in str(caught.value)

    @pytest.mark.parametrize(
        "value", [{}, {"X": "1"}, {"S": "a", "N": "1"}, "a", None, ["S"]], ids=repr
    )
    def test_no_tag_an_unknown_tag_and_two_tags_are_refused(self, value: object) -> None:
        with pytest.raises(DecodeError) as caught:
            new_image(odd=value)
        assert caught.value.path == "NewImage.odd"

    def test_a_key_only_item_has_an_image_like_its_keys(self) -> None:
        record = only([lambda_record("INSERT", NewImage=KEYS)])
        assert record.new == record.keys == {"PK": "Book#7"}

    def test_under_keys_only_there_are_keys(self) -> None:
        wire = lambda_record(NewImage=None, OldImage=None, StreamViewType="KEYS_ONLY")
        assert only([wire]).keys == {"PK": "Book#7"}

    def test_placeholders_of_a_template_do_no_harm(self) -> None:
        """``sam local generate-event`` has mustache placeholders until it fills them in."""
        wire = lambda_record()
        wire.update(awsRegion="{{{region}}}", eventSourceARN="arn:{{{partition}}}:dynamodb:x")
        assert only([wire]).table_name is None
        assert only([wire]).new["price"] == Decimal("12.50")

    def test_no_records_are_no_records(self) -> None:
        assert list(parse({"Records": []})) == []

    def test_any_mapping_will_do(self) -> None:
        from types import MappingProxyType as Proxy

        wire = lambda_record()
        payload = Proxy({"Records": (Proxy({**wire, "dynamodb": Proxy(wire["dynamodb"])}),)})
        assert only(payload).new["price"] == Decimal("12.50")


class TestTumblingWindow:
    EVENT: ClassVar[dict[str, Any]] = {
        "window": {"start": "2026-02-02T02:40:00Z", "end": "2026-02-02T02:45:00Z"},
        "state": {"count": 3},
        "shardId": "shardId-00000001770000000000-1a2b3c4d",
        "eventSourceARN": ARN,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }

    def test_its_records_are_the_records(self) -> None:
        assert only({"Records": [lambda_record()], **self.EVENT}).table_name == "Shelf"

    def test_the_last_invocation_may_have_none(self) -> None:
        final = {**self.EVENT, "Records": [], "isFinalInvokeForWindow": True}
        assert list(parse(final)) == []

    def test_the_events_arn_stands_in_for_a_missing_one(self) -> None:
        wire = lambda_record()
        del wire["eventSourceARN"]
        assert only({"Records": [wire], **self.EVENT}).table_name == "Shelf"
        assert only(json.dumps({"Records": [wire], **self.EVENT})).table_name == "Shelf"

    def test_the_callers_arn_wins_over_the_events(self) -> None:
        wire = lambda_record()
        del wire["eventSourceARN"]
        other = ARN.replace("Shelf", "Other")
        (record,) = read({"Records": [wire], **self.EVENT}, stream_arn=other)
        assert record.table_name == "Other"


class TestGetRecords:
    """boto3:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html.
    """

    @staticmethod
    def record() -> dict[str, Any]:
        wire = lambda_record(
            "REMOVE",
            ApproximateCreationDateTime=datetime(2026, 2, 2, 2, 40, tzinfo=timezone.utc),
            OldImage={**KEYS, "photo": {"B": b"\x00\xff"}, "thumbs": {"BS": [b"a", b"b"]}},
        )
        wire["userIdentity"] = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
        del wire["eventSourceARN"]
        return wire

    def test_datetimes_bytes_and_pascal_case_are_read(self) -> None:
        record = only({"Records": [self.record()], "NextShardIterator": "next"})
        assert record.approximate_creation_datetime == datetime(
            2026, 2, 2, 2, 40, tzinfo=timezone.utc
        )
        assert record.old == {"PK": "Book#7", "photo": b"\x00\xff", "thumbs": {b"a", b"b"}}
        assert record.is_ttl_removal

    def test_the_page_does_not_name_its_stream_and_the_caller_does(self) -> None:
        (record,) = read({"Records": [self.record()]}, stream_arn=ARN)
        assert record.event_source_arn == ARN
        assert only([self.record()]).event_source_arn is None

    @pytest.mark.parametrize("end", [{}, {"NextShardIterator": None}])
    def test_the_last_page_of_a_shard_has_its_records(self, end: dict[str, Any]) -> None:
        assert len(list(parse({"Records": [self.record()], **end}))) == 1

    def test_an_empty_page_is_empty(self) -> None:
        page = {
            "Records": [],
            "NextShardIterator": "next",
            "ResponseMetadata": {"RetryAttempts": 0},
        }
        assert list(parse(page)) == []

    def test_an_answer_that_was_cut_off_is_no_empty_page(self) -> None:
        """botocore makes ``{}`` of a truncated body: taking it as an empty page ends the shard."""
        with pytest.raises(PayloadError, match="cut off"):
            parse({})

    def test_its_records_alone_will_do(self) -> None:
        assert [type(record) for record in parse([self.record(), lambda_record()])] == [
            Remove,
            Modify,
        ]

    def test_records_may_come_from_an_iterator_and_are_taken_one_at_a_time(self) -> None:
        taken: list[int] = []

        def source() -> Iterator[dict[str, Any]]:
            for number in range(3):
                taken.append(number)
                yield lambda_record()

        records = parse(source())
        next(records)
        assert taken == [0]

    def test_milliseconds_as_the_kcl_adapter_sends_them_are_milliseconds(self) -> None:
        """github.com/awslabs/dynamodb-streams-kinesis-adapter serialises the time as epoch
        milliseconds.
        """
        record = only(json.dumps(lambda_record(ApproximateCreationDateTime=1770000000000)).encode())
        assert record.approximate_creation_ns == 1_770_000_000 * 10**9


class TestPipes:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-dynamodb.html."""

    def test_a_bare_list_is_a_batch(self) -> None:
        records = list(parse([lambda_record("INSERT"), lambda_record()]))
        assert [record.item_identifier for record in records] == ["300000000000000000007"] * 2

    def test_a_table_arn_in_another_region_names_the_table(self) -> None:
        """AWS's own example: no ``/stream/``, another region than ``awsRegion``, no time."""
        wire = lambda_record("INSERT", ApproximateCreationDateTime=None)
        wire["eventSourceARN"] = "arn:aws:dynamodb:us-east-1:123456789012:table/Shelf"
        wire["awsRegion"] = "us-west-2"
        record = only([wire])
        assert (record.table_name, record.aws_region) == ("Shelf", "us-west-2")
        assert record.approximate_creation_datetime is None

    def test_an_empty_batch_is_empty(self) -> None:
        assert list(parse([])) == []


class TestOneRecord:
    def test_a_single_record_will_do(self) -> None:
        assert only(lambda_record()).new["price"] == Decimal("12.50")

    def test_a_record_already_made_will_do(self) -> None:
        record = only(lambda_record())
        assert list(read(record)) == [record]
        assert list(read([record])) == [record]
        assert only([record]).raw is record.raw

    def test_records_already_made_are_read_through_the_model_that_is_asked_for(self) -> None:
        untyped = list(parse([lambda_record()]))
        (typed,) = parse(untyped, Book)
        assert typed.new == Book("Book#7", Decimal("12.50"))
        assert untyped[0].new == {"PK": "Book#7", "price": Decimal("12.50")}


@dataclass
class Book:
    PK: str
    price: Decimal


class TestMalformed:
    """One bad record says where and why, and does not hide the others."""

    @pytest.mark.parametrize(
        ("fault", "path"),
        [
            (lambda wire: wire.pop("dynamodb"), "Records[1].dynamodb"),
            (lambda wire: wire.update(dynamodb=None), "Records[1].dynamodb"),
            (lambda wire: wire.update(dynamodb=[]), "Records[1].dynamodb"),
            (lambda wire: wire.update(dynamodb="hunter2"), "Records[1].dynamodb"),
            (lambda wire: wire.update(eventName="hunter2"), "Records[1].eventName"),
            (lambda wire: wire.update(eventName=None), "Records[1].eventName"),
            (lambda wire: wire.update(eventName=["INSERT"]), "Records[1].eventName"),
            (lambda wire: wire.pop("eventName"), "Records[1].eventName"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_record_of_no_kind_is_named_in_its_place(self, fault: Any, path: str) -> None:
        wire = {**lambda_record(), "eventID": "bad-one"}
        fault(wire)
        records = parse({"Records": [lambda_record("INSERT"), wire, lambda_record("REMOVE")]})
        assert isinstance(next(records), Insert)
        with pytest.raises(RecordError) as caught:
            next(records)
        assert (caught.value.path, caught.value.event_id) == (path, "bad-one")
        assert "hunter2" not in str(caught.value)
        assert isinstance(next(records), Remove)
        assert next(records, None) is None

    def test_read_gives_it_as_a_malformed_record_with_its_identity(self) -> None:
        wire = {**lambda_record(), "eventName": "UPSERT"}
        (record,) = read([wire])
        assert isinstance(record, MalformedRecord)
        assert record.item_identifier == "300000000000000000007"
        assert record.error.sequence_number == "300000000000000000007"
        assert record.raw is wire
        assert not record.diff  # no images are known to be its

    @pytest.mark.parametrize("entry", [None, 7, [], [1], {}, {"a": 1}], ids=repr)
    def test_what_is_no_record_at_all_is_malformed_beside_one_that_is(self, entry: object) -> None:
        for order in ([entry, lambda_record()], [lambda_record(), entry]):
            kinds = {type(record) for record in read({"Records": order})}
            assert kinds == {MalformedRecord, Modify}

    @pytest.mark.parametrize("image", [[], "hunter2", 7, True], ids=repr)
    def test_an_image_that_is_no_map_is_refused_when_read(self, image: object) -> None:
        record = only([lambda_record(NewImage=image)])
        for read_it in (lambda: record.new, lambda: record.diff):
            with pytest.raises(RecordError) as caught:
                read_it()
            assert (caught.value.path, caught.value.event_id) == ("NewImage", record.event_id)
            assert "hunter2" not in str(caught.value)
        assert record.old["price"] == 10

    def test_keys_that_are_no_map_are_refused_when_read(self) -> None:
        with pytest.raises(RecordError, match="expected a map, got list at Keys"):
            only([lambda_record(Keys=[])]).keys  # noqa: B018

    def test_a_broken_key_is_named(self) -> None:
        with pytest.raises(DecodeError) as caught:
            only([lambda_record(Keys={"PK": {"Q": "1"}})]).keys  # noqa: B018
        assert caught.value.path == "Keys.PK"

    def test_a_broken_value_that_differs_is_named_by_the_diff(self) -> None:
        with pytest.raises(DDBStreamError) as caught:
            str(only([lambda_record(NewImage={**NEW, "price": {"Q": "1"}})]).diff)
        assert caught.value.path is not None
        assert caught.value.path.endswith("price")
