"""One poller that reads several tables."""

from __future__ import annotations

import pytest

from ddbstream.exceptions import PollerError
from ddbstream.poller import (
    StreamPoller,
)
from ddbstream.testing import FakeClock, FakeStream


class TestSeveralStreams:
    """One poller, several tables."""

    def test_all_are_read(self, make_bench):
        clock = FakeClock()
        one, two = FakeStream("One", clock=clock), FakeStream("Two", clock=clock)
        one.put({"PK": {"S": "a"}, "n": {"N": "1"}})
        two.put({"PK": {"S": "a"}, "n": {"N": "2"}})

        class Both:
            def __getattr__(self, name):
                def call(**kwargs):
                    return getattr(one if "/One/" in kwargs["StreamArn"] else two, name)(**kwargs)

                return call

            def get_records(self, **kwargs):
                stream = one if "/One/" in kwargs["ShardIterator"] else two
                return stream.get_records(**kwargs)

        bench = make_bench()
        poller = StreamPoller([one.arn, two.arn], bench.router, client=Both(), clock=clock)
        assert poller.run_until_caught_up(60).reason == "caught_up"
        assert sorted(bench.router.values) == [1, 2]

    def test_the_failure_of_one_drains_the_others(self, make_bench):
        clock = FakeClock()
        one = FakeStream("One", clock=clock)
        bench = make_bench()
        missing = one.arn.replace("One", "Two")
        poller = StreamPoller([one.arn, missing], bench.router, client=one, clock=clock)
        with pytest.raises(PollerError, match="no such stream"):
            poller.run()
