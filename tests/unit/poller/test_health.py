"""When a poller is healthy, and what it says when it is not."""

from __future__ import annotations

from ddbstream.poller import StreamListed


class TestHealth:
    """`healthy`, `problem` and the metrics."""

    def test_a_poller_that_does_not_run_is_not_healthy(self, bench):
        poller = bench.poller()
        assert poller.problem() == "not running"
        poller.run_until_caught_up(60)
        assert not poller.healthy()

    def test_a_poller_that_reads_is_healthy(self, bench):
        bench.write(3)
        poller = bench.poller()
        seen = []
        bench.listen = lambda event: seen.append(poller.problem())
        poller.run_until_caught_up(60)
        assert None in seen

    def test_an_enabled_stream_without_a_shard_to_read_is_a_problem(self, bench):
        bench.stream.roll_over()
        child = bench.stream.open_shards()[0]
        bench.stream._streams[0].shards[child].listed_from = float("inf")
        poller = bench.poller()
        poller.run_until_caught_up(timeout=30)
        status = poller.metrics.streams[0]
        assert status.exit == "stopped"
        problems = []
        bench.listen = lambda event: problems.append(poller.problem())
        poller.run_until_caught_up(timeout=120)
        assert "no shard of an enabled stream is read" in problems

    def test_a_lag_beyond_the_limit_is_a_problem(self, bench):
        bench.write(1)
        bench.clock.advance(7_200)
        bench.router.failing[0] = 10**9
        poller = bench.poller(max_lag=3_600)
        problems = set()
        bench.listen = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=300)
        assert "the lag is too large" in problems
        assert poller.metrics.streams[0].lag > 7_200

    def test_a_shard_that_cannot_be_read_is_a_problem(self, bench):
        bench.catch_up()
        bench.stream.fail("GetRecords", "ThrottlingException", times=10**4)
        poller = bench.poller()
        problems = set()
        bench.listen = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=900)
        assert "a shard keeps failing" in problems

    def test_a_record_that_blocks_its_shard_is_a_problem(self, bench):
        bench.write(1)
        bench.router.failing[0] = 10**9
        poller = bench.poller()
        problems = set()
        bench.listen = lambda event: problems.add(poller.problem())
        poller.run_until_caught_up(timeout=240)
        assert "a shard keeps failing" not in problems
        poller.run_until_caught_up(timeout=600)
        assert "a shard keeps failing" in problems

    def test_a_listing_that_cannot_be_renewed_is_a_problem_once_it_is_old(self, bench):
        bench.catch_up()
        poller = bench.poller()
        problems = []

        def listen(event):
            problems.append(poller.problem())
            if isinstance(event, StreamListed):
                bench.stream.fail("DescribeStream", "ThrottlingException", times=10**4)

        bench.listen = listen
        bench.write(1)
        bench.router.failing[0] = 10**9  # so that it is never caught up
        poller.run_until_caught_up(timeout=290)
        assert "the last listing of its shards is too old" in problems
        assert problems[0] != "the last listing of its shards is too old"
