"""A fake stream is the same again with the same seed."""

from __future__ import annotations

import pytest

from ddbstream.testing import Faults

FAULTS = Faults(
    error=0.2,
    expired=0.1,
    empty_page=0.2,
    short_page=0.3,
    hidden_shard=0.1,
    open_shard=0.1,
    bare_end=0.2,
    listing_delay=100.0,
)


def story(make_bench, seed):
    """What a script does to a stream, as seen by calls with a chance of every fault."""
    bench = make_bench(seed=seed, faults=FAULTS, page_records=5)
    seen = []
    for step in range(60):
        bench.write(1, key=str(step % 7))
        if step % 20 == 19:
            (bench.stream.split if step % 40 == 19 else bench.stream.roll_over)()
        bench.clock.advance(30)
        for call in (listing, first_page):
            try:
                seen.append(call(bench.stream))
            except Exception as error:  # noqa: BLE001, PERF203 - boto3's, or a broken connection
                seen.append(type(error).__name__ + str(error))
    return seen


def listing(stream):
    return stream.describe_stream(StreamArn=stream.arn)


def first_page(stream):
    shard = next(iter(stream._streams[0].shards))
    iterator = stream.get_shard_iterator(
        StreamArn=stream.arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    return stream.get_records(ShardIterator=iterator["ShardIterator"])


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_decides_every_answer(make_bench, seed):
    assert story(make_bench, seed) == story(make_bench, seed)


def test_another_seed_gives_other_answers(make_bench):
    assert story(make_bench, 1) != story(make_bench, 2)
