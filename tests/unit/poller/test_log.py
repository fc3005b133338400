"""What a poller logs: a line for each change of state, and never a stored value."""

from __future__ import annotations

import logging

from ddbstream.poller import (
    BatchFailed,
)


def test_each_shards_beginning_and_end_is_a_line_in_the_log(bench, caplog):
    caplog.set_level(logging.INFO, logger="ddbstream.poller")
    bench.write(1)
    (parent,) = bench.stream.open_shards()
    bench.stream.roll_over()
    (child,) = bench.stream.open_shards()
    bench.catch_up()
    lines = [record.getMessage() for record in caplog.records]
    for shard in (parent, child):
        assert len([line for line in lines if line.startswith(f"shard {shard}: reading")]) == 1
    assert lines.count(f"shard {parent}: read to its end") == 1


def test_no_log_line_and_no_event_holds_a_stored_value(bench, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "hunter2"
    bench.stream.put({"PK": {"S": secret}, "n": {"N": "0"}})
    bench.router.failing[0] = 2
    bench.stream.fail("GetRecords", "ThrottlingException")
    bench.stream.roll_over()
    bench.catch_up()
    assert bench.of(BatchFailed)
    assert caplog.records
    assert secret not in caplog.text
    assert secret not in repr(bench.events)
