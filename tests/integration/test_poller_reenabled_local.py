"""Streams of AWS's own engine that are disabled and enabled again: none is skipped."""

from __future__ import annotations

import pytest

from ddbstream.poller import CallFailed
from tests.support.fault_proxy import FaultProxy
from tests.support.poller_local import Reader, eventually, running

pytestmark = pytest.mark.dynamodb_local


@pytest.fixture
def reader(dynamodb_local, local_table):
    return Reader(dynamodb_local, local_table)


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
def test_what_was_left_when_nothing_was_read_comes_before_the_next_streams(reader, start):
    reader.catch_up(start=start)
    written = reader.write(2)
    for _ in range(2):
        reader.enable_again()
        written += reader.write(2)
    assert reader.catch_up(start=start) == written
    assert reader.catch_up(start=start) == written


@pytest.mark.parametrize("kind", ["poller", "async_poller"])
def test_streams_that_come_while_the_poller_runs_are_read_in_order(reader, kind):
    written = reader.write(2)
    with running(getattr(reader, kind)(follow=True)):
        reader.wait_for(written)
        for _ in range(2):  # the second one comes before the first one has been looked for
            reader.enable_again()
            written += reader.write(2)
        reader.wait_for(written)


def test_each_of_several_tables_is_followed_by_itself(reader):
    with reader.server.table() as other:
        ours, others = reader.write(1), reader.write(1, table=other)
        with running(reader.poller([reader.table.name, other.name], follow=True)):
            eventually(lambda: len(reader.values) == 2)
            for _ in range(2):
                reader.enable_again()
                ours += reader.write(1)
                others += reader.write(1, table=other)  # its stream goes on all the while
            eventually(lambda: len(reader.values) == 6)
    assert [value for value in reader.values if value in ours] == ours
    assert [value for value in reader.values if value in others] == others


def test_a_list_of_streams_that_was_cut_off_skips_none(reader):
    reader.catch_up()
    written = reader.write(1)
    for _ in range(2):
        reader.enable_again()
        written += reader.write(1)
    with FaultProxy(reader.server.port) as proxy:
        proxy.plan = [("ListStreams", "truncate")]
        assert reader.catch_up(endpoint_url=proxy.endpoint_url) == written
        assert proxy.counts["truncate"] == 1


def test_one_answer_that_a_stream_or_a_shard_is_not_there_ends_nothing(reader):
    written = reader.write(2)
    with FaultProxy(reader.server.port) as proxy:
        proxy.plan = [("GetShardIterator", "gone")]
        with running(reader.poller(endpoint_url=proxy.endpoint_url)):
            reader.wait_for(written)
            proxy.plan = [("DescribeStream", "gone")]
            eventually(lambda: proxy.counts["gone"] == 2)
            written += reader.write(1)
            reader.server.control.rollover()
            written += reader.write(1)
            reader.wait_for(written)
    failed = [event.operation for event in reader.events if isinstance(event, CallFailed)]
    assert failed == ["GetShardIterator", "DescribeStream"]


def test_a_listing_that_hides_its_newest_shard_does_not_end_a_disabled_stream(reader):
    written = reader.write(2)
    reader.server.control.rollover()
    written += reader.write(2)
    old = reader.table.stream_arn
    reader.enable_again()
    written += reader.write(2)
    with FaultProxy(reader.server.port) as proxy:
        proxy.plan = [("DescribeStream", "hide_children")] * 2
        poller = reader.poller(old, follow=True, endpoint_url=proxy.endpoint_url)
        assert poller.run_until_caught_up(30).reason == "caught_up"
        assert proxy.counts["hide_children"] == 2
    assert reader.values == written
