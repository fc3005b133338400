"""The poller on AWS's own engine: rollovers, expiry, trims, streams that come and go."""

from __future__ import annotations

import threading
import time

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import RecordsTrimmedError
from ddbstream.poller import Gap, MemoryCheckpoints, Settings, StreamPoller

pytestmark = pytest.mark.dynamodb_local

QUICK = Settings(idle=0.02, idle_max=0.05, discovery=1.0, gone_after=0.5)


class Reader:
    """A router and a store on one table's stream, and pollers of both."""

    def __init__(self, server, table):
        self.server, self.table = server, table
        self.values, self.events = [], []
        self.router = StreamRouter()
        self.router.on_change()(lambda record: self.values.append(int(record.new["n"])))
        self.store = MemoryCheckpoints()
        self.next = 0

    def write(self, count=1):
        first = self.next
        for _ in range(count):
            image = {"PK": {"S": "a"}, "SK": {"S": "b"}, "blob": {"B": b"\x00\xff"}}
            self.table.put({**image, "n": {"N": str(self.next)}})
            self.next += 1
        return list(range(first, self.next))

    def poller(self, name=None, **options):
        return StreamPoller(
            name or self.table.name,
            self.router,
            checkpoints=self.store,
            endpoint_url=self.server.endpoint_url,
            region_name=self.server.region,
            settings=QUICK,
            on_event=self.events.append,
            **options,
        )

    def catch_up(self, **options):
        exit_ = self.poller(**options).run_until_caught_up(30)
        assert exit_.reason == "caught_up"
        return self.values


@pytest.fixture
def reader(dynamodb_local, local_table):
    return Reader(dynamodb_local, local_table)


def test_rollovers_lose_nothing(reader):
    for _ in range(5):
        reader.write(3)
        reader.server.control.rollover()
    reader.write(2)
    assert reader.catch_up() == list(range(17))


def test_a_running_poller_outlives_its_iterators(reader):
    written = reader.write(3)
    poller = reader.poller()
    thread = threading.Thread(target=poller.run)
    thread.start()
    try:
        for _ in range(3):
            wait_for(reader, written)
            reader.server.control.dilate(1)
            written += reader.write(2)
        wait_for(reader, written)
        assert poller.healthy()
    finally:
        poller.stop()
        thread.join(30)
    assert reader.values == written


def wait_for(reader, values):
    until = time.monotonic() + 20
    while reader.values != values and time.monotonic() < until:
        time.sleep(0.02)
    assert reader.values == values


def test_latest_begins_now_and_outlives_an_idle_hour(reader):
    poller = reader.poller(start="LATEST")
    thread = threading.Thread(target=poller.run)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not poller.healthy() and time.monotonic() < until:
            time.sleep(0.02)
        reader.server.control.dilate(1)
        wait_for(reader, reader.write(3))
    finally:
        poller.stop()
        thread.join(30)


def test_what_was_trimmed_is_an_error_or_a_gap(reader):
    reader.write(2)
    reader.catch_up()
    reader.write(3)
    reader.server.control.dilate(30)
    kept = reader.write(2)
    with pytest.raises(RecordsTrimmedError):
        reader.poller().run_until_caught_up(30)
    assert reader.catch_up(on_gap="continue") == [0, 1, *kept]
    assert [event for event in reader.events if isinstance(event, Gap)]


def test_a_disabled_stream_is_read_to_its_end_and_its_successor_followed(reader):
    written = reader.write(2)
    update = reader.server.dynamodb.update_table
    old = reader.table.stream_arn
    update(TableName=reader.table.name, StreamSpecification={"StreamEnabled": False})
    assert reader.poller(old).run().reason == "stream_ended"
    assert reader.values == written
    view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    update(TableName=reader.table.name, StreamSpecification=view)
    written += reader.write(2)
    exit_ = reader.poller(old, follow=True).run_until_caught_up(30)
    assert exit_.reason == "caught_up"
    assert reader.values == written


def test_a_hundred_and_thirty_shards_are_all_found(reader):
    for _ in range(130):
        reader.write(1)
        reader.server.control.rollover()
    assert reader.catch_up() == list(range(130))
