"""What Kinesis repeats or delivers late: the order of an item's changes, and what is left out."""

from __future__ import annotations

import random
from base64 import b64encode

import boto3
import pytest
from moto import mock_aws

from ddbstream import LambdaHandler, StreamRouter
from ddbstream.exceptions import BatchError, PayloadError
from ddbstream.kinesis import DynamoDBNewest, MemoryNewest, Newest, arrange
from ddbstream.testing import insert, kinesis_event
from tests.support.kinesis_local import change


def kinesis(number, item="a", created=None, event_id=None, data=None):
    """A Kinesis record, as boto3 gives it."""
    keys = {"PK": {"S": item}}
    made = change(
        keys,
        new={**keys, "n": {"N": str(number)}},
        created=1_000_000 + (number if created is None else created),
        event_id=event_id or f"event-{number}",
    )
    return {
        "SequenceNumber": str(number),
        "PartitionKey": "p",
        "Data": made if data is None else data,
    }


def numbers(arranged):
    return [int(record.item_identifier) for record in arranged.records]


@pytest.fixture(params=["memory", "dynamodb"])
def store(request):
    if request.param == "memory":
        yield MemoryNewest()
        return
    with mock_aws():
        made = DynamoDBNewest("newest", client=boto3.client("dynamodb", region_name="us-east-1"))
        made.create_table()
        made.create_table()  # again is no error
        yield made


def handle(store, *entries):
    """Arrange a batch and handle all of it; the numbers in their order."""
    arranged = arrange(list(entries), store)
    arranged.handled(0, len(arranged.records))
    return numbers(arranged)


def test_an_answer_that_was_cut_off_knows_nothing_of_any_item():
    class Client:
        def batch_get_item(self, **_request):
            return {}  # as botocore gives it

        def update_item(self, **_request):
            raise AssertionError

    router, handled = StreamRouter(), []
    router.on_change()(handled.append)
    handler = LambdaHandler(router, newest=DynamoDBNewest("newest", client=Client()))
    with pytest.raises(BatchError, match="the table newest: an answer was cut off"):
        handler(kinesis_event([insert({"PK": "1"})]), None)
    assert handled == []


@pytest.mark.parametrize(
    "other", ["eu-west-1:222222222222:stream/s", "us-east-1:111111111111:stream/s"]
)
def test_a_table_of_the_same_name_elsewhere_has_items_of_its_own(store, other):
    def event(place, number):
        return {
            "Records": [
                {
                    "eventSource": "aws:kinesis",
                    "eventSourceARN": f"arn:aws:kinesis:{place}",
                    "kinesis": {
                        "sequenceNumber": str(number),
                        "data": b64encode(kinesis(number)["Data"]).decode(),
                    },
                }
            ]
        }

    router, handled = StreamRouter(), []
    router.on_change()(lambda record: handled.append(record.item_identifier))
    handler = LambdaHandler(router, newest=store)
    for place, number in (("eu-west-1:111111111111:stream/s", 2), (other, 1), (other, 1)):
        handler(event(place, number), None)
    assert handled == ["2", "1"]


def test_changes_in_order_stay_as_they_are(store):
    assert handle(store, *map(kinesis, range(1, 5))) == [1, 2, 3, 4]


@pytest.mark.parametrize("length", [1900, 2048])
def test_an_item_with_a_long_key_is_known_again(store, length):
    item = "é" * (length // 2)  # of UTF-8's bytes, of which DynamoDB takes 2,048
    assert handle(store, kinesis(1, item, created=2)) == [1]
    assert handle(store, kinesis(2, item, created=1), kinesis(3, item + "-", created=1)) == [3]
    assert handle(store, kinesis(4, item, created=3)) == [4]


def test_the_text_of_an_item_is_the_same_in_every_python():
    # Which characters `repr` prints as they are is a matter of the Unicode that a Python has.
    asked = []

    class Asked:
        def load(self, items):
            asked.extend(items)
            return {}

        def save(self, newest):
            asked.extend(newest)

    handle(Asked(), kinesis(1, "é\U0001fae9"))
    assert len(asked) == 2
    assert all(item.isascii() for item in asked)


def test_an_items_changes_are_put_in_the_order_of_their_creation(store):
    batch = [
        kinesis(1, created=3),
        kinesis(2, "b", created=9),
        kinesis(3, created=1),
        kinesis(4, "b", created=8),
        kinesis(5, created=2),
    ]
    # Each in a place that a change of its item had: others do not move.
    assert handle(store, *batch) == [3, 4, 5, 2, 1]


def test_a_repeated_change_is_left_out(store):
    assert handle(store, kinesis(1), kinesis(2, created=1, event_id="event-1")) == [1]
    assert handle(store, kinesis(3, created=1, event_id="event-1"), kinesis(4)) == [4]


def test_a_change_older_than_the_newest_handled_is_left_out(store):
    assert handle(store, kinesis(1, created=5)) == [1]
    assert handle(store, kinesis(2, created=4), kinesis(3, "b", created=1)) == [3]
    assert handle(store, kinesis(4, created=6)) == [4]


def test_changes_of_one_moment_are_told_apart_by_their_event_ids(store):
    assert handle(store, kinesis(1, created=5), kinesis(2, created=5)) == [1, 2]
    assert handle(store, kinesis(3, created=5, event_id="event-2")) == []
    assert handle(store, kinesis(4, created=5)) == [4]
    assert handle(store, kinesis(5, created=5, event_id="event-1")) == []


def test_what_was_not_handled_is_not_remembered(store):
    arranged = arrange([kinesis(1), kinesis(2)], store)
    arranged.handled(0, 1)
    assert handle(store, kinesis(1), kinesis(2)) == [2]


def test_what_is_known_to_be_newer_is_never_overwritten(store):
    store.save({"item": Newest(5, frozenset({"x"}))})
    store.save({"item": Newest(4, frozenset({"y"}))})
    assert store.load(["item", "other"]) == {"item": Newest(5, frozenset({"x"}))}
    store.save({"item": Newest(5, frozenset({"z"}))})
    assert store.load(["item"]) == {"item": Newest(5, frozenset({"x", "z"}))}
    store.save({"item": Newest(6, frozenset({"w"}))})
    assert store.load(["item"]) == {"item": Newest(6, frozenset({"w"}))}


def test_more_items_than_one_call_takes_are_known(store):
    batch = [kinesis(number, f"item-{number}") for number in range(250)]
    assert len(handle(store, *batch)) == 250
    assert handle(store, *batch) == []


def test_a_change_that_cannot_be_compared_is_never_left_out():
    store = MemoryNewest()
    broken = kinesis(1, data=b"no json")
    assert handle(store, broken, broken) == [1, 1]
    assert handle(store, kinesis(2, data=b'{"eventName": "INSERT", "dynamodb": {}}')) == [2]


def test_the_lowest_place_that_is_not_done_counts_in_the_order_of_the_stream():
    arranged = arrange([kinesis(1, created=3), kinesis(2, created=1)], MemoryNewest())
    assert [arranged.first_not_done(done) for done in range(3)] == [0, 0, None]


def test_the_memory_forgets_the_item_that_changed_longest_ago():
    store = MemoryNewest(max_items=2)
    for number, item in enumerate("abca"):
        store.save({item: Newest(number, frozenset())})
    assert set(store.load(["a", "b", "c"])) == {"a", "c"}


def test_what_is_no_stream_record_is_refused():
    with pytest.raises(PayloadError):
        arrange({"Records": [{"s3": {}}]}, MemoryNewest())


def test_any_order_and_any_repetition_ends_where_every_item_arrived(store):
    chance = random.Random(7)
    changes = [kinesis(n, f"item-{n % 5}") for n in range(1, 41)]
    arriving = sorted(
        changes + chance.sample(changes, 15),
        key=lambda entry: int(entry["SequenceNumber"]) + chance.uniform(0, 12),
    )
    seen = []
    for start in range(0, len(arriving), 7):
        seen += handle(store, *arriving[start : start + 7])
    for item in range(5):
        mine = [number for number in seen if number % 5 == item]
        assert mine == sorted(set(mine))
        assert mine[-1] == max(number for number in range(1, 41) if number % 5 == item)


# In Lambda


def lambda_entry(entry):
    """A record of boto3's form as Lambda's event source mapping sends it."""
    return {
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/changes",
        "eventID": f"shardId-000000000000:{entry['SequenceNumber']}",
        "kinesis": {
            "sequenceNumber": entry["SequenceNumber"],
            "partitionKey": entry["PartitionKey"],
            "data": b64encode(entry["Data"]).decode(),
        },
    }


class Function:
    """A Lambda function on a Kinesis stream: what its handler has handled."""

    def __init__(self, *, fails_on=None, **options):
        self.handled = []
        self.fails_on = fails_on
        router = StreamRouter()

        @router.on_change()
        def handle(record):
            if record.item_identifier == self.fails_on:
                raise RuntimeError("no")
            self.handled.append(int(record.item_identifier))

        self.handler = LambdaHandler(router, report_batch_item_failures=True, **options)

    def __call__(self, *entries):
        response = self.handler({"Records": [lambda_entry(entry) for entry in entries]})
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def test_without_a_store_a_function_handles_whatever_comes_as_it_comes():
    function = Function()
    assert function(kinesis(1, created=3), kinesis(2, created=1)) == []
    assert function(kinesis(1, created=3)) == []
    assert function.handled == [1, 2, 1]


def test_a_function_handles_each_change_once_in_the_order_of_its_creation(store):
    function = Function(newest=store)
    assert function(kinesis(1, created=3), kinesis(2, created=1), kinesis(3, "b")) == []
    assert function(kinesis(4, created=3, event_id="event-1"), kinesis(5, created=2)) == []
    assert function.handled == [2, 1, 3]


def test_a_response_names_the_lowest_record_that_is_not_done_in_the_streams_order(store):
    function = Function(newest=store, fails_on="1")
    batch = [kinesis(1, created=3), kinesis(2, created=1), kinesis(3, "b", created=1)]
    assert function(*batch) == ["1"]
    function.fails_on = None
    assert function(*batch) == []  # Lambda sends everything from there on again
    assert function.handled == [2, 1, 3]


def test_a_response_without_a_failure_in_front_names_the_failure(store):
    function = Function(newest=store, fails_on="3")
    assert function(kinesis(1, created=2), kinesis(2, created=1), kinesis(3, "b")) == ["3"]
    assert function.handled == [2, 1]


def test_a_batch_of_stale_changes_is_done(store):
    function = Function(newest=store)
    function(kinesis(1, created=3))
    assert function(kinesis(2, created=1), kinesis(3, created=2)) == []
    assert function.handled == [1]


def test_changes_of_dynamodb_streams_are_left_as_they_are():
    router, handled = StreamRouter(), []
    router.on_change()(lambda record: handled.append(record.sequence_number))
    handler = LambdaHandler(router, newest=MemoryNewest())
    records = [
        {
            "eventID": str(number),
            "eventName": "REMOVE",
            "dynamodb": {
                "Keys": {"PK": {"S": "a"}},
                "ApproximateCreationDateTime": second,
                "SequenceNumber": str(number),
            },
        }
        for number, second in ((1, 9), (2, 8))
    ]
    handler({"Records": records})
    handler({"Records": records})
    assert handled == ["1", "2", "1", "2"]


def test_a_store_does_not_go_with_folds():
    router = StreamRouter()

    @router.fold()
    def count(state: int, record) -> int:
        return state + 1

    handler = LambdaHandler(router, newest=MemoryNewest())
    with pytest.raises(BatchError, match="newest="):
        handler({"Records": [], "window": {}, "state": {}})
