"""A poller as an iterator of batches that are committed."""

from __future__ import annotations

import pytest

from ddbstream.exceptions import PollerError
from ddbstream.poller import (
    StreamPoller,
)
from tests.support.poller_bench import QUICK


class TestLoop:
    """``for batch in poller``."""

    def test_what_is_committed_is_saved_and_the_rest_comes_again(self, make_bench):
        bench = make_bench(page_records=2)
        written = bench.write(6)
        got = []
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            if len(got) <= 4:
                batch.commit()
        assert got == written
        assert bench.catch_up() == written[4:]

    def test_a_commit_covers_what_came_before_it(self, make_bench):
        bench = make_bench(page_records=2)
        bench.write(6)
        batches = list(bench.poller(router=None).batches(until_caught_up=True))
        assert len(batches) == 3
        poller = bench.poller(router=None)
        held = []
        for batch in poller.batches(until_caught_up=True):
            held.append(batch)
            if len(held) == 3:
                batch.commit()
        assert bench.catch_up() == []

    def test_leaving_the_loop_gives_the_lease_back(self, bench):
        bench.write(1)
        batches = bench.poller(router=None).batches()
        next(batches)
        batches.close()
        bench.catch_up(takeover=False)

    def test_an_error_in_the_loop_saves_nothing_of_the_batch(self, bench):
        written = bench.write(2)

        def handle():
            for _ in bench.poller(router=None):
                raise ValueError("in the loop")

        with pytest.raises(ValueError, match="in the loop"):
            handle()
        assert bench.catch_up() == written

    def test_children_wait_for_the_commit_and_to_forget_it_is_an_error(self, bench):
        bench.write(2)
        bench.stream.roll_over()
        bench.write(2)
        poller = bench.poller(router=None)
        with pytest.raises(PollerError, match="commit"):
            list(poller.batches(until_caught_up=True))

    def test_children_come_after_the_commit(self, bench):
        written = bench.write(2)
        bench.stream.roll_over()
        written += bench.write(2)
        got = []
        for batch in bench.poller(router=None).batches(until_caught_up=True):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            batch.commit()
        assert got == written

    def test_stop_ends_the_loop(self, bench):
        bench.write(2)
        poller = bench.poller(router=None)
        for batch in poller:
            batch.commit()
            poller.stop()
        assert poller.exit.reason == "stopped"
        assert bench.catch_up() == []

    def test_it_works_on_the_machines_clock_too(self, now):
        written = now.write(3)
        poller = StreamPoller("Product", client=now.stream, settings=QUICK)
        got = []
        for batch in poller.batches(until_caught_up=True, timeout=30):
            got += [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in batch.records]
            batch.commit()
        assert got == written
        assert poller.exit.reason == "caught_up"
