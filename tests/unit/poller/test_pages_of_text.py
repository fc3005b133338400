"""A page that is text stays text, whatever the poller has to know of it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

pytest.importorskip("msgspec")

from ddbstream import StreamRouter, by_key_prefix
from ddbstream._wire import unread
from ddbstream.poller import Settings, retry
from ddbstream.poller._lanes import split_by_item
from tests.support.roads import TextClient, insert_of, unread_page


@pytest.fixture
def whole(monkeypatch):
    """What was read whole of the pages: the calls of `json`'s reader, and of what slices a page."""
    found = []
    for name in ("loads", "_read_slices"):
        read = getattr(unread, name)

        def noted(text, name=name, read=read):
            if not bytes(text).strip(b"0123456789."):
                return read(text)  # a creation time
            found.append(name)
            return read(text)

        monkeypatch.setattr(unread, name, noted)
    return found


def router_of(seen, failing=()):
    router = StreamRouter(classify=by_key_prefix("PK"))
    failing = list(failing)

    @router.on_change("a")
    def take(record):
        number = len(seen)
        if number in failing:
            failing.remove(number)
            raise ValueError
        seen.append(record.sequence_number)

    return router


def numbers_of(bench):
    shards = bench.stream._streams[0].shards.values()
    return [str(number) for shard in shards for number in shard.numbers]


def test_no_record_is_read_whole_that_no_handler_reads(bench, whole):
    bench.write(30, key="a#1")
    seen = []
    bench.catch_up(router=router_of(seen), client=TextClient(bench.stream))
    assert len(seen) == 30
    assert whole == []


def test_nor_where_one_fails_and_comes_again(bench, whole):
    bench.write(30, key="a#1")
    seen = []
    bench.catch_up(router=router_of(seen, [0, 7, 29]), client=TextClient(bench.stream))
    assert len(seen) == 30
    assert whole == []


def test_nor_where_reading_begins_at_a_moment(bench, whole):
    bench.write(5, key="a#1")
    bench.clock.advance(120)
    moment = bench.clock.time()
    bench.write(5, key="a#2")
    seen = []
    client = TextClient(bench.stream)
    client.supports_at_timestamp = False
    bench.catch_up(
        router=router_of(seen), client=client, start=datetime.fromtimestamp(moment, timezone.utc)
    )
    assert len(seen) == 5
    assert whole == []


def test_only_the_record_that_is_put_aside_is_read_whole(bench, whole):
    bench.write(10, key="a#1")
    seen, letters = [], []
    bench.catch_up(
        router=router_of(seen, [4, 4]),
        client=TextClient(bench.stream),
        on_failure=retry(1, then=letters.append),
    )
    assert len(seen) == 9
    (letter,) = letters
    assert letter.record["dynamodb"]["NewImage"]["n"] == {"N": "4"}
    assert whole == ["_read_slices", "loads"]


def test_an_iterators_batches_are_lists_to_their_readers(bench):
    values = bench.write(10, key="a#1")
    poller = bench.poller(
        client=TextClient(bench.stream), router=None, settings=Settings(page_limit=4)
    )
    found = []
    for batch in poller.batches(until_caught_up=True):
        found += [int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in batch.records]
        batch.commit()
    assert found == values


def test_handlers_of_several_items_at_once_get_every_record_in_order(bench):
    for key in ("a#1", "a#2", "a#3"):
        bench.write(4, key=key)
    seen = {}
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_change
    def take(record):
        seen.setdefault(record.keys["PK"], []).append(record.sequence_number)

    bench.catch_up(router=router, client=TextClient(bench.stream), concurrency=3)
    assert sorted(map(len, seen.values())) == [4, 4, 4]
    assert all(each == sorted(each, key=int) for each in seen.values())


def test_lanes_are_split_by_the_keys_alone(whole):
    records = [insert_of({"PK": {"S": "x"}}) for _ in range(6)]
    for number, record in enumerate(records):
        record["dynamodb"]["Keys"] = {"PK": {"S": f"a#{number % 3}"}}
    page = unread_page(records)
    assert split_by_item(page, 2) == split_by_item(records, 2) == [[0, 2, 3, 5], [1, 4]]
    assert whole == []
