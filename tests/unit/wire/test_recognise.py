"""What is no stream record is refused with a sentence that says what it looked like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from ddbstream import parse
from ddbstream._wire import read
from ddbstream.exceptions import DDBStreamError, PayloadError
from tests.unit.wire.payloads import NEW, lambda_record


@dataclass
class Thing:
    name: str = "hunter2"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (None, "nothing"),
        (7, "a int"),
        (Thing(), "a Thing"),
        ({}, "an empty mapping"),
        ({"password": "hunter2", "a": 1}, "a mapping with the keys a, password"),
        ({str(n): n for n in range(20)}, "and others"),
        ({"Records": None}, "a mapping whose Records is nothing"),
        ({"Records": "hunter2"}, "a mapping whose Records is a str"),
        ({"Records": {"a": "hunter2"}}, "a mapping whose Records is a mapping with the keys a"),
        ({"Records": [7, 8]}, "a list of things like a int"),
        ([{"password": "hunter2"}], "a list of things like a mapping with the keys password"),
        (
            {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]},
            "an S3 notification, which names objects and does not hold them",
        ),
        ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, "an SES event"),
        (NEW, "one DynamoDB item; ddbstream.from_item reads it"),
        ({"Item": NEW, "ResponseMetadata": {}}, "GetItem"),
        ({"Items": [NEW], "Count": 1}, "Query or Scan"),
        ({"StreamDescription": {"Shards": []}}, "DescribeStream"),
        ({"ShardIterator": "hunter2"}, "GetShardIterator"),
        ({"Streams": []}, "ListStreams"),
        ({"Table": {}}, "DescribeTable"),
        ({"batchItemFailures": []}, "a batch response"),
        ({"state": {}, "batchItemFailures": []}, "a batch response"),
        ({"invocationId": "i", "deliveryStreamArn": "a", "records": []}, "Firehose"),
        ({"awslogs": {"data": "hunter2"}}, "CloudWatch Logs"),
        ({"httpMethod": "POST", "body": "hunter2"}, "API Gateway"),
        ({"version": "2.0", "rawPath": "/", "body": "hunter2"}, "function URL"),
        ({"exportArn": "a", "itemCount": 1}, "ddbstream.export"),
        ({"itemCount": 1, "dataFileS3Key": "k"}, "ddbstream.export"),
        ({"requestContext": {}, "responseContext": {}}, "names no batch"),
        ("hunter2", "text that is not JSON"),
        ("", "empty text"),
        (b"  \n", "empty text"),
        ("7", "JSON text of a int"),
        ('"hunter2"', "JSON text of a str"),
        ("null", "JSON text of nothing"),
        ("\x00", "text that is not JSON"),
        (b"\x89PNG\r\n", "bytes that are no text"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_refusal_says_what_it_looked_like_and_shows_no_value(payload: Any, words: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse(payload)
    assert str(caught.value).startswith("no stream records here: ")
    assert words in str(caught.value)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "hunter2" not in f"{seen} {vars(seen)}"
        seen = seen.__context__


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"detail": inner, "detail-type": "x"},
        lambda inner: {"Records": [inner]},
        lambda inner: {"Messages": [{"Body": json.dumps(inner), "MessageId": "1"}]},
        lambda inner: {"Records": [{"Sns": {"Message": json.dumps(inner)}, "EventSource": "x"}]},
    ],
)
def test_messages_in_messages_without_end_are_refused(around: Any) -> None:
    payload: Any = lambda_record()
    sizes = []
    while len(json.dumps(payload)) < 100_000 and len(sizes) < 200:
        payload = around(payload)
        try:
            sizes.append(len(list(parse(payload))))
        except DDBStreamError as error:
            assert "nested in messages too deeply" in str(error)  # noqa: PT017
            break
    assert sizes == [1] * len(sizes)
    assert len(sizes) > 3


def test_a_refusal_comes_at_once_and_not_with_the_first_record() -> None:
    with pytest.raises(PayloadError):
        read({"a": 1})


class TestText:
    EVENT: ClassVar[Any] = {"Records": [lambda_record()]}

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_json_bytes_are_read_with_a_bom_or_without(self, encoding: str) -> None:
        """aws-lambda-dotnet's fixtures start with a UTF-8 BOM."""
        assert len(list(parse(json.dumps(self.EVENT).encode(encoding)))) == 1

    def test_json_text_is_read_with_a_bom_or_without(self) -> None:
        text = json.dumps(self.EVENT)
        assert len(list(parse(text))) == len(list(parse("\ufeff" + text))) == 1

    @pytest.mark.parametrize("cut", [1, 10, 200, -1])
    def test_a_document_that_breaks_off_is_refused_with_its_place(self, cut: int) -> None:
        """aws-lambda-go has such a fixture."""
        text = json.dumps(self.EVENT, indent=1)[:cut]
        with pytest.raises(
            PayloadError, match=r"(breaks off|stops being JSON) at line \d+, column \d+"
        ):
            parse(text)

    def test_one_document_a_line_is_read_line_by_line(self) -> None:
        text = f"{json.dumps(self.EVENT)}\n\n{json.dumps(lambda_record())}\n"
        assert len(list(parse(text))) == len(list(parse(text.encode()))) == 2

    def test_a_line_that_breaks_off_does_not_hide_the_others(self) -> None:
        good = json.dumps(lambda_record())
        kinds = [type(record).__name__ for record in read(f'{good}\n{{"eventName\n{good}')]
        assert kinds == ["Modify", "MalformedRecord", "Modify"]

    def test_an_open_file_is_lines(self, tmp_path: Any) -> None:
        path = tmp_path / "records.jsonl"
        path.write_text(f"{json.dumps(lambda_record())}\n" * 3)
        with path.open() as lines:
            assert len(list(parse(lines))) == 3

    def test_a_creation_time_keeps_more_digits_than_a_float(self) -> None:
        text = json.dumps(lambda_record()).replace("1770000000.0", "1.770000000123456789E9")
        (record,) = parse(text)
        assert record.approximate_creation_ns == 1_770_000_000_123_456_789
        again = json.dumps(dict(record.raw))
        assert json.loads(again)["dynamodb"]["ApproximateCreationDateTime"] == 1770000000.1234567

    def test_a_number_read_so_is_a_float_in_every_other_way(self) -> None:
        import copy
        import pickle

        (record,) = parse(json.dumps(lambda_record()).replace("1770000000.0", "1.5e0"))
        number = record.raw["dynamodb"]["ApproximateCreationDateTime"]
        for twin in (number, copy.deepcopy(number), pickle.loads(pickle.dumps(number))):  # noqa: S301
            assert (twin, repr(twin), twin + 1) == (1.5, "1.5e0", 2.5)

    def test_an_integer_of_more_digits_than_python_reads_hides_no_record(self) -> None:
        good = json.dumps(lambda_record())
        strange = good.replace('"SizeBytes": 44', '"SizeBytes": ' + "9" * 5000)
        assert strange != good
        first, second = parse(f"[{strange}, {good}]")
        assert first.event_id == second.event_id
        assert second.size_bytes == 44
