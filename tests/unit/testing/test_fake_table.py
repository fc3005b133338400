"""``FakeStream`` tells the truth: about items, answers, time, and what it costs.

What DynamoDB Local has too is in ``tests/contract``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from ddbstream import Change, Insert, StreamRouter, keys
from ddbstream.exceptions import EncodeError
from ddbstream.poller import AsyncStreamPoller, MemoryCheckpoints, StreamPoller
from ddbstream.testing import EventSourceMapping, FakeStream, insert
from tests.support.work import instructions


@keys(PK="Product#{id}", SK="Product")
@dataclass
class Product:
    id: int
    price: Decimal
    tags: frozenset[str] = frozenset()


def page(stream: FakeStream) -> list[dict[str, Any]]:
    """The first page of every shard."""
    found = []
    for shard in stream.describe_stream(StreamArn=stream.arn)["StreamDescription"]["Shards"]:
        iterator = stream.get_shard_iterator(
            StreamArn=stream.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        found += stream.get_records(**iterator)["Records"]
    return found


class TestItems:
    def test_models_and_python_values_are_items_too(self) -> None:
        stream = FakeStream(keys=("PK", "SK"))
        product = Product(1, Decimal("9.50"), frozenset({"b", "a"}))
        assert stream.put(product)
        assert stream.put(Product(1, Decimal("9.5"), frozenset({"a", "b"}))) is None
        assert stream.put({"PK": "Product#2", "SK": "Product", "id": 2, "price": Decimal(1)})
        assert stream.delete(Product(2, Decimal(0)))
        assert stream.delete({"PK": "Product#2", "SK": "Product"}) is None
        first, second, third = page(stream)
        assert first["dynamodb"]["NewImage"]["price"] == {"N": "9.5"}
        assert first["dynamodb"]["NewImage"]["tags"] == {"SS": ["a", "b"]}
        assert [record["eventName"] for record in (second, third)] == ["INSERT", "REMOVE"]
        router, seen = StreamRouter(), []

        @router.on_change(Product)
        def handle(record: Change[Product]) -> None:
            seen.append(record.new if isinstance(record, Insert) else record.event_name)

        router.dispatch(page(stream), stream_arn="arn:aws:dynamodb:x:1:table/Product/stream/1")
        assert seen == [product, Product(2, Decimal(1)), "REMOVE"]

    @pytest.mark.parametrize("nothing", [None, 5, "x", [], object()])
    def test_what_is_no_item_is_no_item(self, nothing: object) -> None:
        with pytest.raises(EncodeError):
            FakeStream().put(nothing)

    def test_base64_text_is_the_bytes_that_it_stands_for(self) -> None:
        stream = FakeStream()
        stream.put({"PK": {"S": "1"}, "data": {"B": "AA=="}, "more": {"BS": ["AQ==", "AA=="]}})
        (record,) = page(stream)
        assert record["dynamodb"]["NewImage"]["data"] == {"B": b"\x00"}
        assert record["dynamodb"]["NewImage"]["more"] == {"BS": [b"\x00", b"\x01"]}

    def test_a_size_is_that_of_aws_s_own_example(self) -> None:
        # The developer guide's event of a tutorial: 26, 59 and 38 bytes.
        stream = FakeStream(keys=("Id",))
        for message in ("New item!", "This item has changed"):
            stream.put({"Id": {"N": "101"}, "Message": {"S": message}})
        stream.delete({"Id": {"N": "101"}})
        assert [record["dynamodb"]["SizeBytes"] for record in page(stream)] == [26, 59, 38]
        built = insert({"Id": {"N": "101"}, "Message": {"S": "New item!"}})
        assert built["dynamodb"]["SizeBytes"] == 26

    def test_what_a_caller_does_to_its_item_or_its_answer_changes_nothing(self) -> None:
        stream, item = FakeStream(), {"PK": {"S": "1"}, "list": {"L": [{"N": "1"}]}}
        stream.put(item)
        item["list"]["L"].append({"N": "2"})  # type: ignore[arg-type, attr-defined]
        (record,) = page(stream)
        record["dynamodb"]["NewImage"].clear()
        assert page(stream)[0]["dynamodb"]["NewImage"]["list"] == {"L": [{"N": "1"}]}


class TestErrors:
    def test_without_botocore_they_have_the_same_names(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "botocore", None)
        stream = FakeStream()
        with pytest.raises(Exception, match="Missing required parameter") as missing:
            stream.get_records()
        assert type(missing.value).__name__.endswith("ParamValidationError")
        with pytest.raises(stream.exceptions.ClientError) as invalid:
            stream.get_records(ShardIterator="garbage")
        assert getattr(invalid.value, "response")["Error"]["Code"] == "ValidationException"  # noqa: B009

    def test_an_iterator_of_another_stream_is_refused(self) -> None:
        one, other = FakeStream("One"), FakeStream("Two")
        (shard,) = other.open_shards()
        foreign = other.get_shard_iterator(
            StreamArn=other.arn, ShardId=shard, ShardIteratorType="LATEST"
        )
        with pytest.raises(one.exceptions.ResourceNotFoundException):
            one.get_records(**foreign)

    def test_a_number_that_the_stream_has_not_given_yet_is_refused(self) -> None:
        stream = FakeStream()
        number = stream.put({"PK": {"S": "1"}})
        (shard,) = stream.open_shards()

        def behind(text: str | None) -> None:
            stream.get_shard_iterator(
                StreamArn=stream.arn,
                ShardId=shard,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=text,
            )

        behind(number)
        for text in ("9" * 21, "x" * 21):
            with pytest.raises(stream.exceptions.ValidationException):
                behind(text)

    @pytest.mark.parametrize(
        "wrong", [{}, {"Type": "CHILD_SHARDS"}, {"Type": "OTHER", "ShardId": "s" * 28}]
    )
    def test_a_shard_filter_has_its_type_and_its_shard(self, wrong: dict[str, str]) -> None:
        stream = FakeStream()
        with pytest.raises(stream.exceptions.ValidationException):
            stream.describe_stream(StreamArn=stream.arn, ShardFilter=wrong)
        local = FakeStream(supports_shard_filter=False)  # which ignores it
        assert local.describe_stream(StreamArn=local.arn, ShardFilter=wrong)

    @pytest.mark.parametrize("operation", ["ListStreams", "DescribeTable"])
    def test_every_operation_can_be_made_to_fail(self, operation: str) -> None:
        stream = FakeStream()
        stream.fail(operation, "ThrottlingException")
        calls: dict[str, Callable[[], object]] = {
            "ListStreams": stream.list_streams,
            "DescribeTable": lambda: stream.describe_table(TableName="Table"),
        }
        with pytest.raises(stream.exceptions.ThrottlingException):
            calls[operation]()
        assert calls[operation]()


@pytest.mark.parametrize("is_async", [False, True])
def test_pollers_read_it_again_and_again_without_its_clock(is_async: bool) -> None:
    stream, store, router, seen = FakeStream("Product"), MemoryCheckpoints(), StreamRouter(), []
    router.on_change()(lambda record: seen.append(record.keys["PK"]))
    for key in ("1", "2"):
        stream.put({"PK": {"S": key}})
        if is_async:
            later = AsyncStreamPoller("Product", router, client=stream, checkpoints=store)
            asyncio.run(later.run_until_caught_up(timeout=30))
        else:
            poller = StreamPoller("Product", router, client=stream, checkpoints=store)
            poller.run_until_caught_up(timeout=30)
    assert seen == ["1", "2"]


class TestWork:
    """Twice as many shards are twice the work, and not four times."""

    def sides_by_side(self, count: int) -> FakeStream:
        stream = FakeStream(shards=count)
        for number in range(count):
            stream.put({"PK": {"S": str(number)}})
        return stream

    def one_after_the_other(self, count: int) -> FakeStream:
        stream = FakeStream()
        for number in range(count):
            stream.put({"PK": {"S": str(number)}})
            stream.roll_over()
            stream.clock.advance(1)
        return stream

    def read(self, stream: FakeStream) -> None:
        arguments: dict[str, Any] = {"Limit": 10}
        while arguments:
            answer = stream.describe_stream(StreamArn=stream.arn, **arguments)
            description = answer["StreamDescription"]
            for shard in description["Shards"]:
                stream.describe_stream(
                    StreamArn=stream.arn,
                    ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard["ShardId"]},
                )
                iterator = stream.get_shard_iterator(
                    StreamArn=stream.arn,
                    ShardId=shard["ShardId"],
                    ShardIteratorType="AT_TIMESTAMP",
                    Timestamp=stream.clock.time(),
                )
                stream.get_records(**iterator)
            last = description.get("LastEvaluatedShardId")
            arguments = {"Limit": 10, "ExclusiveStartShardId": last} if last else {}

    def map(self, stream: FakeStream) -> None:
        mapping = EventSourceMapping(lambda event, context: None, stream, batch_size=1)
        mapping.run()
        assert sum(len(call.event["Records"]) for call in mapping.invocations) >= 40

    @pytest.mark.parametrize("made", ["sides_by_side", "one_after_the_other"])
    @pytest.mark.parametrize("used", [None, "read", "map"])
    def test_it_grows_with_the_shards(self, made: str, used: str | None) -> None:
        def work(count: int) -> int:
            if used is None:
                return instructions(lambda: getattr(self, made)(count), within="testing")
            stream = getattr(self, made)(count)
            return instructions(lambda: getattr(self, used)(stream), within="testing")

        small, large = work(40), work(160)
        assert large < 5 * small  # four times, and a little for what is sorted

    def test_a_mapping_of_2000_shards_ends(self) -> None:
        stream = FakeStream()
        for number in range(2000):
            stream.put({"PK": {"S": str(number)}})
            stream.roll_over()
        mapping = EventSourceMapping(lambda event, context: None, stream)
        assert len(mapping.run()) == 2000
