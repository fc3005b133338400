"""The poller on AWS's own engine: rollovers, expiry, trims, streams that come and go."""

from __future__ import annotations

import pytest

from ddbstream.exceptions import RecordsTrimmedError
from ddbstream.poller import Gap
from tests.support.poller_local import Reader, eventually, running

pytestmark = pytest.mark.dynamodb_local


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
    with running(poller):
        for _ in range(3):
            reader.wait_for(written)
            reader.server.control.dilate(1)
            written += reader.write(2)
        reader.wait_for(written)
        assert poller.healthy()
    assert reader.values == written


def test_latest_begins_now_and_outlives_an_idle_hour(reader):
    poller = reader.poller(start="LATEST")
    with running(poller):
        eventually(poller.healthy)
        reader.server.control.dilate(1)
        reader.wait_for(reader.write(3))


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
