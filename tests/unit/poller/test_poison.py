"""Records that cannot be handled: what comes again, what is given up, and how."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import PollerError
from ddbstream.poller import Backoff, BatchFailed, RecordGivenUp, block, retry, skip, stop

POISON = 2


@pytest.fixture
def poisoned(bench):
    bench.written = bench.write(5)
    bench.router.failing[POISON] = 10**9
    return bench


def test_a_record_that_fails_comes_again_from_there_and_not_from_the_start(bench):
    written = bench.write(5)
    bench.router.failing[POISON] = 3
    assert bench.catch_up() == written
    assert bench.router.attempts == [0, 1, 2, 2, 2, 2, 3, 4]


def test_what_was_done_before_a_failure_is_saved(poisoned):
    poisoned.poller().run_until_caught_up(60)
    poisoned.router.failing.clear()
    poisoned.router.records.clear()
    assert poisoned.catch_up() == [2, 3, 4]


def test_by_default_a_record_blocks_its_shard_with_growing_waits(poisoned):
    assert poisoned.poller().run_until_caught_up(3_600).reason == "deadline"
    assert poisoned.router.values == [0, 1]
    failures = poisoned.of(BatchFailed)
    assert [event.attempt for event in failures] == list(range(1, len(failures) + 1))
    assert max(event.retry_in for event in failures) <= 30
    assert 100 < len(failures) < 300  # an hour at up to 30 s


def test_waits_are_as_the_policy_says(poisoned):
    poisoned.poller(on_failure=block(backoff=Backoff(100, 100))).run_until_caught_up(1_000)
    assert 10 <= len(poisoned.of(BatchFailed)) <= 20


def test_a_handler_sees_which_attempt_it_is(bench):
    bench.write(1)
    bench.router.failing[0] = 2
    bench.catch_up()
    assert [context.attempt for context in bench.router.contexts] == [1, 2, 3]


def test_skip_goes_past_the_record_and_says_so(poisoned):
    assert poisoned.catch_up(on_failure="skip") == [0, 1, 3, 4]
    (given_up,) = poisoned.of(RecordGivenUp)
    assert given_up.how == "skip"
    assert poisoned.catch_up() == [0, 1, 3, 4]


def test_stop_ends_the_poller_at_the_record_and_the_next_run_meets_it_again(poisoned):
    for _ in range(2):
        with pytest.raises(PollerError) as caught:
            poisoned.poller(on_failure=stop()).run()
        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.sequence_number
    assert poisoned.router.values == [0, 1]


def test_retries_end_in_the_dead_letter_sink(poisoned):
    letters = []
    assert poisoned.catch_up(on_failure=retry(3, then=letters.append)) == [0, 1, 3, 4]
    assert poisoned.router.attempts.count(POISON) == 4
    (letter,) = letters
    assert letter.record["dynamodb"]["NewImage"]["n"]["N"] == str(POISON)
    assert letter.attempts == 4
    assert isinstance(letter.error, ValueError)


def test_the_position_waits_for_the_sink(poisoned):
    calls = []

    def sink(letter):
        calls.append(letter)
        if len(calls) < 4:
            raise ConnectionError("queue is down")

    assert poisoned.catch_up(on_failure=retry(0, then=sink)) == [0, 1, 3, 4]
    assert len(calls) == 4
    assert poisoned.router.attempts.count(POISON) == 1


def test_a_sink_that_never_takes_it_keeps_the_record(poisoned):
    def sink(letter):
        raise ConnectionError("queue is down")

    poisoned.poller(on_failure=retry(0, then=sink)).run_until_caught_up(600)
    poisoned.router.failing.clear()
    assert poisoned.catch_up() == [0, 1, 2, 3, 4]


def test_a_dead_letter_is_a_document_that_replays(poisoned):
    letters = []
    poisoned.catch_up(on_failure=retry(0, then=letters.append))
    document = json.loads(json.dumps(letters[0].document()))
    info = document["DDBStreamBatchInfo"]
    assert info["streamArn"] == poisoned.stream.arn
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    (record,) = document["payload"]["Records"]
    assert record["dynamodb"]["NewImage"]["n"] == {"N": str(POISON)}
    about = document["ddbstream"]
    assert about["errorType"] == type(letters[0].error).__qualname__
    assert about["errorMessage"] == str(letters[0].error)


def test_a_dead_letter_names_the_handler_that_failed(bench):
    router = StreamRouter()

    @router.on_change()
    def refuse(record):
        raise ValueError("no")

    bench.write(1)
    letters = []
    policy = retry(1, then=letters.append)
    bench.poller(router=router, on_failure=policy).run_until_caught_up(600)
    assert letters[0].route.endswith("refuse")
    assert letters[0].document()["ddbstream"]["route"] == letters[0].route


def test_a_record_too_old_is_given_up_before_its_retries_are(poisoned):
    letters = []
    policy = retry(10**6, then=letters.append, max_age=600)
    poisoned.catch_up(on_failure=policy)
    assert len(letters) == 1
    assert 3 < letters[0].attempts < 100


@pytest.mark.parametrize("policy", [skip(), retry(1, then="skip")])
def test_a_failure_that_names_no_record_is_narrowed_down_to_one(bench, policy):
    written = bench.write(9)
    handled = []

    class Nameless:
        def dispatch(self, payload, **kwargs):
            values = [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in payload]
            if 4 in values:
                raise ValueError("one of them")
            handled.extend(values)
            return SimpleNamespace(processed=len(values), failures=(), checkpoint=None)

    bench.poller(router=Nameless(), on_failure=policy).run_until_caught_up(600)
    assert handled == [n for n in written if n != 4]


def test_a_record_that_cannot_be_decoded_goes_to_the_sink(bench):
    router = StreamRouter()
    seen = []

    @router.on_change()
    def handle(record):
        seen.append(record.new["n"])

    bench.write(1)
    stream = bench.stream._streams[0]
    shard = next(iter(stream.shards.values()))
    bench.write(1)
    shard.records[1]["dynamodb"]["NewImage"] = ["no", "item"]
    bench.write(1)
    letters = []
    policy = retry(0, then=letters.append)
    bench.poller(router=router, on_failure=policy).run_until_caught_up(600)
    assert seen == [0, 2]
    assert letters[0].record == shard.records[1]


def test_a_record_without_a_sequence_number_holds_nothing_up(bench):
    router = StreamRouter()
    seen = []

    @router.on_change()
    def handle(record):
        seen.append(record.new["n"])

    bench.write(3)
    shard = next(iter(bench.stream._streams[0].shards.values()))
    del shard.records[1]["dynamodb"]["SequenceNumber"]
    bench.poller(router=router, on_failure="skip").run_until_caught_up(600)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("policy", ["retry", None, 3])
def test_another_policy_is_an_error(bench, policy):
    with pytest.raises(ValueError, match="on_failure"):
        bench.poller(on_failure=policy)
