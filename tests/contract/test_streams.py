"""FakeStream behaves as DynamoDB Streams does.

What is said here holds on DynamoDB Local too, and some of it on moto.

DynamoDB Local is AWS's own engine, with its test control for rollovers and time.
"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from ddbstream.testing import FakeStream

HOUR = 3600.0


class Fake:
    """The fake, as a world that a test can act on."""

    def __init__(self):
        self.client = FakeStream("T", keys=("PK", "SK"))
        self.arn = self.client.arn
        self.put = self.client.put
        self.delete = self.client.delete
        self.disable = self.client.disable
        self.enable = self.client.enable

    def roll_over(self):
        self.client.clock.advance(0.001)
        self.client.roll_over()

    def age(self, hours):
        """DynamoDB Local closes open shards that are older than four hours."""
        self.client.clock.advance(hours * HOUR)
        if hours >= 4:
            self.client.roll_over()


class Local:
    """DynamoDB Local."""

    def __init__(self, server, table):
        self.server, self.table = server, table
        self.client = server.streams
        self.arn = table.stream_arn
        self.put = table.put
        self.roll_over = server.control.rollover

    def age(self, hours):
        self.server.control.dilate(hours)

    def delete(self, item):
        self.table.delete(item["PK"]["S"], item["SK"]["S"])

    def disable(self):
        self.server.dynamodb.update_table(
            TableName=self.table.name, StreamSpecification={"StreamEnabled": False}
        )

    def enable(self):
        view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        answer = self.server.dynamodb.update_table(
            TableName=self.table.name, StreamSpecification=view
        )
        return answer["TableDescription"]["LatestStreamArn"]


class Moto:
    """moto: one eternal shard, and no trouble ever."""

    def __init__(self):
        import boto3

        options = {"region_name": "us-east-1"}
        self.tables = boto3.client("dynamodb", **options)
        self.client = boto3.client("dynamodbstreams", **options)
        keys = [("PK", "HASH"), ("SK", "RANGE")]
        table = self.tables.create_table(
            TableName="T",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = table["TableDescription"]["LatestStreamArn"]

    def put(self, item):
        self.tables.put_item(TableName="T", Item=item)

    def delete(self, item):
        self.tables.delete_item(TableName="T", Key={name: item[name] for name in ("PK", "SK")})


@pytest.fixture(params=["fake", pytest.param("local", marks=pytest.mark.dynamodb_local)])
def world(request):
    if request.param == "fake":
        return Fake()
    server = request.getfixturevalue("dynamodb_local")
    return Local(server, request.getfixturevalue("local_table"))


@pytest.fixture(params=["fake", pytest.param("local", marks=pytest.mark.dynamodb_local), "moto"])
def any_world(request, monkeypatch):
    if request.param != "moto":
        if request.param == "fake":
            yield Fake()
        else:
            server = request.getfixturevalue("dynamodb_local")
            yield Local(server, request.getfixturevalue("local_table"))
        return
    moto = pytest.importorskip("moto")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with moto.mock_aws():
        yield Moto()


def item(n, **more):
    return {"PK": {"S": "a"}, "SK": {"S": "b"}, "n": {"N": str(n)}, **more}


def shards(world, arn=None):
    description = world.client.describe_stream(StreamArn=arn or world.arn)["StreamDescription"]
    assert "LastEvaluatedShardId" not in description
    return description["Shards"]


def iterator(world, shard, kind="TRIM_HORIZON", arn=None, **more):
    return world.client.get_shard_iterator(
        StreamArn=arn or world.arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more
    )["ShardIterator"]


def page(world, shard, kind="TRIM_HORIZON", **more):
    return world.client.get_records(ShardIterator=iterator(world, shard, kind, **more))


def values(answer):
    images = (
        r["dynamodb"].get("NewImage", r["dynamodb"].get("OldImage")) for r in answer["Records"]
    )
    return [int(image["n"]["N"]) for image in images]


def numbers(answer):
    return [record["dynamodb"]["SequenceNumber"] for record in answer["Records"]]


def code(call, *args, **kwargs):
    """The error's code; its class where botocore refuses by itself."""
    try:
        call(*args, **kwargs)
    except ParamValidationError:
        return "ParamValidationError"
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


class TestReading:
    """On every stand-in."""

    def test_an_open_shard_has_no_ending(self, any_world):
        (shard,) = shards(any_world)
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        assert not shard.get("ParentShardId")

    def test_records_come_in_order_with_growing_numbers(self, any_world):
        for n in range(5):
            any_world.put(item(n))
        (shard,) = shards(any_world)
        answer = page(any_world, shard)
        assert values(answer) == [0, 1, 2, 3, 4]
        assert sorted(numbers(answer), key=int) == numbers(answer)

    def test_the_three_kinds_of_change(self, any_world):
        any_world.put(item(1))
        any_world.put(item(2))
        any_world.delete(item(2))
        (shard,) = shards(any_world)
        records = page(any_world, shard)["Records"]
        assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
        images = [
            {name for name in ("OldImage", "NewImage") if record["dynamodb"].get(name)}
            for record in records
        ]
        assert images == [{"NewImage"}, {"OldImage", "NewImage"}, {"OldImage"}]
        assert all(r["dynamodb"]["Keys"].keys() == {"PK", "SK"} for r in records)

    def test_an_open_shards_page_is_followed_by_another_even_if_it_is_empty(self, any_world):
        (shard,) = shards(any_world)
        first = page(any_world, shard)
        assert first["Records"] == []
        any_world.put(item(1))
        second = any_world.client.get_records(ShardIterator=first["NextShardIterator"])
        assert values(second) == [1]

    def test_a_page_has_as_many_records_as_asked_for(self, any_world):
        for n in range(5):
            any_world.put(item(n))
        (shard,) = shards(any_world)
        start = iterator(any_world, shard)
        first = any_world.client.get_records(ShardIterator=start, Limit=3)
        rest = any_world.client.get_records(ShardIterator=first["NextShardIterator"], Limit=3)
        assert (values(first), values(rest)) == ([0, 1, 2], [3, 4])

    def test_at_and_after_a_number(self, any_world):
        for n in range(5):
            any_world.put(item(n))
        (shard,) = shards(any_world)
        number = numbers(page(any_world, shard))[2]
        after = page(any_world, shard, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
        at = page(any_world, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=number)
        assert (values(after), values(at)) == ([3, 4], [2, 3, 4])

    def test_latest_gives_what_comes(self, any_world):
        any_world.put(item(1))
        (shard,) = shards(any_world)
        latest = iterator(any_world, shard, "LATEST")
        any_world.put(item(2))
        assert values(any_world.client.get_records(ShardIterator=latest)) == [2]


class TestPosition:
    """On AWS's engine and the fake."""

    def test_the_tables_stream_is_listed(self, world):
        streams = world.client.list_streams(TableName=world.arn.split("/")[1])["Streams"]
        assert world.arn in [stream["StreamArn"] for stream in streams]

    def test_an_iterator_can_be_used_again(self, world):
        for n in range(3):
            world.put(item(n))
        (shard,) = shards(world)
        start = iterator(world, shard)
        one, two = (world.client.get_records(ShardIterator=start) for _ in range(2))
        assert values(one) == values(two) == [0, 1, 2]

    def test_a_write_that_changes_nothing_makes_no_record(self, world):
        world.put(item(1))
        world.put(item(1))
        world.delete(item(1))
        world.delete(item(1))
        (shard,) = shards(world)
        assert [r["eventName"] for r in page(world, shard)["Records"]] == ["INSERT", "REMOVE"]

    def test_a_number_below_the_shards_is_refused(self, world):
        for n in range(3):
            world.put(item(n))
        world.roll_over()
        world.put(item(9))
        parent, child = by_age(shards(world))
        number = numbers(page(world, parent))[0]
        assert (
            code(iterator, world, child, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
            == "ValidationException"
        )

    def test_no_such_shard_and_no_such_stream(self, world):
        (shard,) = shards(world)
        missing = {"ShardId": shard["ShardId"][:-8] + "00000000"}
        assert code(iterator, world, missing) == "ResourceNotFoundException"
        nowhere = world.arn[:-4] + "9999"
        assert code(shards, world, nowhere) == "ResourceNotFoundException"
        assert code(iterator, world, shard, arn=nowhere) == "ResourceNotFoundException"


LONG, SHARD = "x" * 40, "shardId-00000000000000000000-aaaaaaaa"
WRONG = {
    "GetRecords": [
        ({}, "ParamValidationError"),
        ({"ShardIterator": ""}, "ParamValidationError"),
        ({"ShardIterator": "garbage"}, "ValidationException"),
        ({"ShardIterator": "{}"}, "ValidationException"),
        ({"ShardIterator": "[1, 2]"}, "ValidationException"),
        ({"ShardIterator": None}, "ParamValidationError"),
        ({"Limit": -1}, "ParamValidationError"),
        ({"Limit": 0}, "ParamValidationError"),
        ({"Limit": "5"}, "ParamValidationError"),
        ({"Limit": 2.5}, "ParamValidationError"),
        ({"Limit": 1001}, "ValidationException"),
        ({"Limit": 1000}, None),
        ({"StreamArn": LONG}, "ParamValidationError"),
    ],
    "GetShardIterator": [
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "ValidationException"),
        ({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}, "ValidationException"),
        ({"ShardIteratorType": "LATEST", "SequenceNumber": "1" * 21}, "ValidationException"),
        ({"SequenceNumber": "1" * 21}, "ValidationException"),
        ({"ShardIteratorType": "BOGUS"}, "ValidationException"),
        ({"ShardIteratorType": None}, "ParamValidationError"),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "0" * 21},
            "ValidationException",
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 41},
            "ValidationException",
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "abc"},
            "ParamValidationError",
        ),
        ({"ShardId": "bogus"}, "ParamValidationError"),
        ({"ShardId": SHARD}, "ResourceNotFoundException"),
        ({"StreamArn": "bogus"}, "ParamValidationError"),
        ({"StreamArn": LONG}, "ResourceNotFoundException"),
        ({"Nope": 1}, "ParamValidationError"),
    ],
    "DescribeStream": [
        ({"StreamArn": "bogus"}, "ParamValidationError"),
        ({"StreamArn": LONG}, "ResourceNotFoundException"),
        ({"Limit": 0}, "ParamValidationError"),
        ({"Limit": 101}, "ValidationException"),
        ({"Limit": 100}, None),
        ({"ExclusiveStartShardId": "bogus"}, "ParamValidationError"),
        ({"ExclusiveStartShardId": SHARD}, None),
        ({"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": "bogus"}}, "ParamValidationError"),
        ({"ShardFilter": {"Nope": 1}}, "ParamValidationError"),
        ({"ShardFilter": "CHILD_SHARDS"}, "ParamValidationError"),
        ({"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": SHARD}}, None),
    ],
    "ListStreams": [
        ({"Limit": 0}, "ParamValidationError"),
        ({"Limit": 101}, "ValidationException"),
        ({"ExclusiveStartStreamArn": "bogus"}, "ParamValidationError"),
        ({"ExclusiveStartStreamArn": LONG}, None),
        ({"TableName": ""}, "ParamValidationError"),
        ({"TableName": "Nope"}, None),
        ({"Nope": 1}, "ParamValidationError"),
    ],
}


class TestWrongArguments:
    """Refused by whom they are refused, botocore or the service, and with the same code."""

    @pytest.mark.parametrize("operation", WRONG)
    def test_they_are_refused_alike(self, world, operation):
        world.put(item(1))
        (shard,) = shards(world)
        right = {
            "GetRecords": {"ShardIterator": iterator(world, shard)},
            "GetShardIterator": {
                "StreamArn": world.arn,
                "ShardId": shard["ShardId"],
                "ShardIteratorType": "TRIM_HORIZON",
            },
            "DescribeStream": {"StreamArn": world.arn},
            "ListStreams": {},
        }[operation]
        name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in operation)
        call = getattr(world.client, name[1:])
        found = [
            (wrong, code(call, **(right | wrong if wrong else {}))) for wrong, _ in WRONG[operation]
        ]
        assert found == WRONG[operation]

    def test_an_iterator_that_was_cut_is_invalid(self, world):
        (shard,) = shards(world)
        read = world.client.get_records
        assert code(read, ShardIterator=iterator(world, shard)[:-3]) == "ValidationException"

    def test_streams_are_listed_in_pages(self, world):
        world.disable()
        arns = {world.arn, world.enable()}
        table = world.arn.split("/")[1]
        found, start = [], {}
        while True:
            answer = world.client.list_streams(TableName=table, Limit=1, **start)
            found += [stream["StreamArn"] for stream in answer["Streams"]]
            if not answer.get("LastEvaluatedStreamArn"):
                break
            start = {"ExclusiveStartStreamArn": answer["LastEvaluatedStreamArn"]}
        assert found == sorted(arns)

    def test_shards_are_listed_in_pages_of_a_limit(self, world):
        for _ in range(2):
            world.roll_over()
        expected = sorted(shard["ShardId"] for shard in shards(world))
        found, start = [], {}
        while True:
            answer = world.client.describe_stream(StreamArn=world.arn, Limit=1, **start)
            description = answer["StreamDescription"]
            found += [shard["ShardId"] for shard in description["Shards"]]
            if not description.get("LastEvaluatedShardId"):
                break
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}
        assert found == expected


VALUES = [
    *({"N": text} for text in ("0", "1", "-1", "12", "123", "1.5", "0.05", "1000", "1200", "12E1")),
    *({"N": text} for text in ("-0.012", "3.14159", "9" * 38, "-" + "9" * 38, "1E125", "1E-130")),
    *({"S": text} for text in ("", "abc", "\u00e9\U0001f600")),
    *({"B": data} for data in (b"", b"abc")),
    *({tag: True} for tag in ("BOOL", "NULL")),
    {"SS": ["a", "bc"]},
    {"NS": ["1", "2", "300"]},
    {"BS": [b"a", b"bcd"]},
    {"L": []},
    {"L": [{"S": "a"}, {"N": "1"}, {"L": [{"M": {"k": {"NULL": True}}}]}]},
    {"M": {}},
    {"M": {"a": {"S": "b"}, "cd": {"N": "12"}}},
]


class TestItems:
    """What a table makes of an item."""

    @pytest.mark.dynamodb_local
    def test_a_records_size_is_what_dynamodb_counts(self, dynamodb_local, local_table):
        both = (Fake(), Local(dynamodb_local, local_table))
        for world in both:
            for value in VALUES:
                world.put(item(1, x=value))
            world.delete(item(1))
        fake, real = (page(world, shards(world)[0])["Records"] for world in both)
        assert len(real) == len(VALUES) + 1
        counted = [record["dynamodb"]["SizeBytes"] for record in real]
        assert [record["dynamodb"]["SizeBytes"] for record in fake] == counted
        images = [record["dynamodb"].get("NewImage") for record in real]
        assert [record["dynamodb"].get("NewImage") for record in fake] == images

    def test_another_spelling_of_a_number_or_order_of_a_set_is_no_change(self, world):
        def wrote(**values):
            world.put(item(1, **values))
            return len(page(world, shards(world)[0])["Records"])

        assert wrote(s={"SS": ["a", "b", "c"]}) == wrote(s={"SS": ["c", "b", "a"]})
        assert wrote(s={"NS": ["1", "2"]}) == wrote(s={"NS": ["2.0", "1"]})
        assert wrote(s={"BS": [b"a", b"b"]}) == wrote(s={"BS": [b"b", b"a"]})
        assert wrote(x={"N": "1"}) == wrote(x={"N": "1.0"}) == wrote(x={"N": "1E0"})
        assert wrote(m={"M": {"a": {"N": "1"}, "b": {"SS": ["x", "y"]}}}) == wrote(
            m={"M": {"b": {"SS": ["y", "x"]}, "a": {"N": "01"}}}
        )
        assert wrote(l={"L": [{"N": "1"}, {"N": "2"}]}) + 1 == wrote(
            l={"L": [{"N": "2"}, {"N": "1"}]}
        )

    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ({"x": {"SS": ["a", "a"]}}, "ValidationException"),
            ({"x": {"SS": []}}, "ValidationException"),
            ({"x": {"N": "x"}}, "ValidationException"),
            ({"x": {"N": "1" * 39}}, "ValidationException"),
            ({"x": {"N": "1E126"}}, "ValidationException"),
            ({"x": {"NULL": False}}, "ValidationException"),
            ({"x": {"L": [{"S": 5}]}}, "ParamValidationError"),
            ({"x": {"S": "x" * 410_000}}, "ValidationException"),
            ({"PK": {"S": ""}}, "ValidationException"),
            ({"PK": {"BOOL": True}}, "ValidationException"),
        ],
    )
    def test_what_no_table_takes_is_refused(self, world, attributes, expected):
        assert code(world.put, item(1) | attributes) == expected

    def test_an_item_without_its_keys_is_refused(self, world):
        assert code(world.put, {"PK": {"S": "a"}}) == "ValidationException"


def by_age(found):
    return sorted(found, key=lambda shard: shard["ShardId"])


class TestLineage:
    """Shards that end."""

    def test_a_shard_that_ended_has_an_ending_and_a_child(self, world):
        world.put(item(1))
        world.roll_over()
        world.put(item(2))
        parent, child = by_age(shards(world))
        assert child["ParentShardId"] == parent["ShardId"]
        assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
        assert "EndingSequenceNumber" not in child["SequenceNumberRange"]

    def test_its_last_page_has_its_records_and_no_iterator(self, world):
        world.put(item(1))
        world.roll_over()
        world.put(item(2))
        parent, child = by_age(shards(world))
        last = page(world, parent)
        assert values(last) == [1]
        assert not last.get("NextShardIterator")
        assert values(page(world, child)) == [2]

    def test_after_its_last_number_and_at_its_latest_it_just_ends(self, world):
        world.put(item(1))
        world.roll_over()
        parent, _ = by_age(shards(world))
        number = numbers(page(world, parent))[-1]
        ending = parent["SequenceNumberRange"]["EndingSequenceNumber"]
        for answer in (
            page(world, parent, "LATEST"),
            page(world, parent, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number),
            page(world, parent, "AFTER_SEQUENCE_NUMBER", SequenceNumber=ending),
        ):
            assert answer["Records"] == []
            assert not answer.get("NextShardIterator")

    def test_an_ending_may_be_a_number_that_no_record_has(self, world):
        world.roll_over()
        parent, _ = by_age(shards(world))
        assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
        assert page(world, parent)["Records"] == []

    def test_an_iterator_outlives_the_shards_end(self, world):
        (shard,) = shards(world)
        start = iterator(world, shard)
        world.put(item(1))
        world.roll_over()
        answer = world.client.get_records(ShardIterator=start)
        assert values(answer) == [1]
        assert not answer.get("NextShardIterator")

    def test_more_than_a_hundred_shards_come_in_pages(self, world):
        for _ in range(104):
            world.roll_over()
        found, start, pages = [], {}, 0
        while True:
            answer = world.client.describe_stream(StreamArn=world.arn, **start)
            description = answer["StreamDescription"]
            found += description["Shards"]
            pages += 1
            if not description.get("LastEvaluatedShardId"):
                break
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}
        assert len({shard["ShardId"] for shard in found}) == len(found) == 105
        assert pages == 2


class TestTime:
    """What an hour, and a day, do."""

    def test_an_iterator_expires(self, world):
        world.put(item(1))
        (shard,) = shards(world)
        given = iterator(world, shard)
        following = world.client.get_records(ShardIterator=given)["NextShardIterator"]
        world.age(1)
        for old in (given, following):
            read = world.client.get_records
            assert code(read, ShardIterator=old) == "ExpiredIteratorException"
        assert values(page(world, shard)) == [1]

    def test_a_number_older_than_a_day_is_trimmed_data(self, world):
        world.put(item(0))
        world.put(item(1))
        (shard,) = shards(world)
        number = numbers(page(world, shard))[0]
        world.age(3)
        world.put(item(2))
        world.age(3)  # two steps: the shard must have a record that is trimmed, and one that is not
        world.age(19)
        after = {"kind": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
        assert code(page, world, shard, **after) == "TrimmedDataAccessException"
        assert values(page(world, shard)) == [2]  # the oldest that is left, without a word

    def test_a_shard_leaves_with_its_records_and_may_be_listed_still(self, world):
        world.put(item(1))
        (shard,) = shards(world)
        world.roll_over()
        world.age(26)
        assert code(page, world, shard) == "ResourceNotFoundException"


class TestTheStreamItself:
    """Disabled, enabled again."""

    def test_a_disabled_stream_closes_its_shards_and_stays_readable(self, world):
        world.put(item(1))
        world.disable()
        (shard,) = shards(world)
        assert "EndingSequenceNumber" in shard["SequenceNumberRange"]
        last = page(world, shard)
        assert values(last) == [1]
        assert not last.get("NextShardIterator")
        description = world.client.describe_stream(StreamArn=world.arn)["StreamDescription"]
        assert description["StreamStatus"] in ("DISABLING", "DISABLED")

    def test_enabling_it_again_makes_another_stream(self, world):
        world.put(item(1))
        world.disable()
        new = world.enable()
        assert new != world.arn
        world.put(item(2))
        (shard,) = shards(world, new)
        assert not shard.get("ParentShardId")
        assert values(page(world, shard, arn=new)) == [2]
        streams = world.client.list_streams(TableName=world.arn.split("/")[1])["Streams"]
        assert {world.arn, new} <= {stream["StreamArn"] for stream in streams}
