"""The rules of a record processor: what is done, what is checkpointed, and when it must end."""

from __future__ import annotations

import pytest

from ddbstream import Disposition, StreamRouter
from ddbstream.kcl import RecordProcessor
from ddbstream.kinesis import MemoryNewest
from ddbstream.poller import Backoff, DeadLetter, retry

QUICK = Backoff(1.0, 1.0)


def failing(times, number=3, error=RuntimeError):
    """A handler that fails on one record for so many times."""
    left = [times]

    def handler(at):
        if at == number and left[0]:
            left[0] -= 1
            raise error("no")

    return handler


def test_every_record_of_a_delivery_is_handled_in_order(kcl):
    kcl.deliver(kcl.processor(), 1, 2, 3)
    assert kcl.handled == [1, 2, 3]


def test_a_checkpoint_is_set_every_so_many_records(kcl):
    kcl.deliver(kcl.processor(checkpoint_records=2), 1, 2, 3, 4, 5)
    assert kcl.stored == [2, 4]


def test_a_checkpoint_is_set_every_so_many_seconds(kcl):
    def takes_a_second(_):
        kcl.now += 1

    kcl.deliver(kcl.processor(takes_a_second, checkpoint_seconds=2), 1, 2, 3, 4, 5)
    assert kcl.stored == [2, 4]


def test_what_is_done_is_checkpointed_by_a_delivery_without_records(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    assert kcl.stored == []
    kcl.now += 11
    kcl.deliver(processor)
    assert kcl.stored == [2]
    kcl.now += 11
    kcl.deliver(processor)
    assert kcl.stored == [2]


def test_a_record_that_fails_is_tried_again_before_anything_behind_it(kcl):
    kcl.deliver(kcl.processor(failing(4)), 1, 2, 3, 4)
    assert kcl.handled == [1, 2, 3, 4]
    assert len(kcl.waits) == 4
    assert kcl.waits[0] < kcl.waits[3]


def test_what_is_done_before_a_failure_is_checkpointed_at_once(kcl):
    stored = []

    def handler(number):
        if number == 3:
            stored.append(list(kcl.stored))
            if len(stored) == 1:
                raise RuntimeError("no")

    kcl.deliver(kcl.processor(handler), 1, 2, 3, 4)
    assert stored == [[], [2]]


def test_no_checkpoint_passes_a_record_that_is_not_done(kcl):
    def handler(number):
        if number == 3 and len(kcl.waits) < 5:
            assert not kcl.stored or kcl.stored[-1] <= 2
            raise RuntimeError("no")

    kcl.deliver(kcl.processor(handler, checkpoint_records=1, checkpoint_seconds=0), 1, 2, 3, 4)
    assert kcl.stored == [1, 2, 3, 4]


def test_a_record_that_recovers_is_checkpointed_before_the_next_is_handled(kcl):
    fails = failing(1)
    stored = {}

    def handler(number):
        stored[number] = list(kcl.stored)
        fails(number)

    kcl.deliver(kcl.processor(handler), 3, 4)
    assert stored[4] == [3]


def test_after_the_retries_a_record_goes_to_the_sink_and_the_shard_goes_on(kcl):
    letters = []
    policy = retry(2, then=letters.append, backoff=QUICK)
    kcl.deliver(kcl.processor(failing(99), on_failure=policy), 1, 2, 3, 4)
    assert kcl.handled == [1, 2, 4]
    (letter,) = letters
    assert isinstance(letter, DeadLetter)
    assert letter.attempts == 3
    assert letter.shard_id == "shardId-000000000000"
    assert letter.record["dynamodb"]["NewImage"]["n"] == {"N": "3"}
    assert letter.document()["payload"]["Records"][0]["eventName"] == "INSERT"


def test_an_asynchronous_sink_is_awaited(kcl):
    letters = []

    async def sink(letter):
        letters.append(letter)

    kcl.deliver(kcl.processor(failing(99), on_failure=retry(0, then=sink)), 3, 4)
    assert len(letters) == 1
    assert kcl.handled == [4]


def test_while_the_sink_fails_nothing_passes_the_record(kcl):
    tries = []

    def sink(letter):
        tries.append(list(kcl.stored))
        if len(tries) < 3:
            raise ConnectionError

    policy = retry(0, then=sink, backoff=QUICK)
    kcl.deliver(kcl.processor(failing(99), on_failure=policy, checkpoint_records=1), 1, 3, 4)
    assert tries == [[1]] * 3
    assert kcl.stored == [1, 3, 4]


def test_skip_leaves_a_record_out(kcl):
    kcl.deliver(kcl.processor(failing(99), on_failure="skip"), 1, 3, 4)
    assert kcl.handled == [1, 4]


def test_stop_ends_the_process_and_checkpoints_what_is_done(kcl):
    processor = kcl.processor(failing(99), on_failure="stop")
    with pytest.raises(SystemExit) as ending:
        kcl.deliver(processor, 1, 2, 3, 4)
    assert ending.value.code
    assert kcl.handled == [1, 2]
    assert kcl.stored == [2]


def test_a_record_that_is_too_old_is_given_up(kcl):
    kcl.now = 1_000 + 100.0  # the records are of second 1000
    policy = retry(99, then="skip", max_age=50, backoff=QUICK)
    kcl.deliver(kcl.processor(failing(99), on_failure=policy), 3, 4)
    assert kcl.handled == [4]
    assert kcl.waits == []


def test_on_error_of_the_router_decides_first(kcl):
    router, aside = StreamRouter(), []

    @router.on_error(RuntimeError)
    def decide(failure):
        return Disposition.DEAD_LETTER

    processor = kcl.processor(failing(99), router=router, dead_letter=aside.append)
    kcl.deliver(processor, 3, 4)
    assert kcl.handled == [4]
    assert len(aside) == 1


def test_what_the_router_puts_aside_goes_to_the_policys_sink_unless_told_otherwise(kcl):
    router, aside = StreamRouter(), []

    @router.on_error(RuntimeError)
    def decide(failure):
        return Disposition.DEAD_LETTER

    policy = retry(3, then=aside.append)
    kcl.deliver(kcl.processor(failing(99), router=router, on_failure=policy), 3, 4)
    assert kcl.handled == [4]
    assert len(aside) == 1


def test_a_record_that_is_no_change_fails_alone(kcl):
    processor = kcl.processor(on_failure="skip")
    kcl.give(processor, kcl.record(1), kcl.record(2, data=b"\x00"), kcl.record(3))
    assert kcl.handled == [1, 3]


def test_different_items_run_at_once_and_one_items_in_order(kcl):
    kcl.deliver(kcl.processor(failing(2), concurrency=4, checkpoint_records=1), *range(1, 10))
    for item in range(3):
        first = list(dict.fromkeys(n for n in kcl.handled if n % 3 == item))
        assert first == sorted(first)
    assert set(kcl.handled) == set(range(1, 10))
    assert kcl.stored == sorted(kcl.stored)
    assert kcl.stored[-1] == 9


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_throttled_checkpoint_is_tried_again_later_and_handling_goes_on(kcl, error):
    kcl.answers = [error, error]

    def takes_a_second(_):
        kcl.now += 1

    processor = kcl.processor(takes_a_second, checkpoint_records=1)
    kcl.deliver(processor, *range(1, 10))
    assert kcl.handled == list(range(1, 10))
    assert kcl.stored[-1] == 9
    assert kcl.answers == []


@pytest.mark.parametrize(
    "error", ["ShutdownException", "InvalidStateException", "IllegalArgumentException"]
)
def test_nothing_is_handled_after_a_lost_lease_or_an_invalid_state(kcl, error):
    kcl.answers = [None, error]
    processor = kcl.processor(checkpoint_records=2)
    with pytest.raises(SystemExit) as ending:
        kcl.deliver(processor, *range(1, 10))
    assert ending.value.code
    assert kcl.handled == [1, 2, 3, 4]
    assert kcl.stored == [2]
    with pytest.raises(SystemExit):
        kcl.deliver(processor, 5)
    with pytest.raises(SystemExit):
        kcl.end_shard(processor)
    assert kcl.handled == [1, 2, 3, 4]
    assert kcl.stored == [2]


def test_a_lost_lease_is_not_checkpointed(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    processor.lease_lost(None)
    kcl.request_shutdown(processor)
    assert kcl.stored == []


def test_the_end_of_a_shard_is_confirmed(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    kcl.end_shard(processor)
    assert kcl.stored == ["END"]


def test_the_end_of_a_shard_is_tried_until_it_is_stored(kcl):
    kcl.answers = ["ThrottlingException"] * 20
    processor = kcl.processor()
    kcl.end_shard(processor)
    assert kcl.stored == ["END"]
    assert len(kcl.waits) == 20


@pytest.mark.parametrize("error", ["ShutdownException", "InvalidStateException"])
def test_an_end_that_cannot_be_confirmed_ends_the_process(kcl, error):
    # Returning would leave the shard for ever: the daemon asks a processor once.
    kcl.answers = [error]
    with pytest.raises(SystemExit):
        kcl.end_shard(kcl.processor())


def test_a_shutdown_checkpoints_what_is_done(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    kcl.answers = ["ThrottlingException"]
    kcl.request_shutdown(processor)
    assert kcl.stored == [2]


def test_a_shutdown_does_not_wait_for_ever_for_a_throttled_checkpoint(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    kcl.answers = ["ThrottlingException"] * 100
    kcl.request_shutdown(processor)
    assert kcl.stored == []
    assert sum(kcl.waits) < 20


def test_a_shutdown_after_a_lost_lease_is_no_failure(kcl):
    processor = kcl.processor()
    kcl.deliver(processor, 1, 2)
    kcl.answers = ["ShutdownException"]
    kcl.request_shutdown(processor)
    assert kcl.stored == []


def test_when_the_daemon_goes_the_running_record_ends_and_nothing_more_starts(kcl):
    def handler(number):
        if number == 2:
            processor.gone.set()

    processor = kcl.processor(handler)
    with pytest.raises(SystemExit):
        kcl.deliver(processor, 1, 2, 3)
    assert kcl.handled == [1, 2]


def test_a_blocked_shard_ends_when_the_daemon_goes(kcl):
    def handler(number):
        if len(kcl.waits) == 3:
            processor.gone.set()
        raise RuntimeError("no")

    processor = kcl.processor(handler)
    with pytest.raises(SystemExit):
        kcl.deliver(processor, 1)
    assert kcl.handled == []


def test_a_router_that_refuses_the_batch_ends_the_process(kcl):
    router = StreamRouter()

    @router.fold()
    def count(state: int, record) -> int:
        return state + 1

    processor = RecordProcessor(router, clock=kcl)
    with pytest.raises(SystemExit):
        kcl.deliver(processor, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_passes_through(kcl, error):
    processor = kcl.processor(failing(1, error=error))
    with pytest.raises(error):
        kcl.deliver(processor, 1, 3)


def test_a_handlers_second_argument_tells_the_shard_and_the_attempt(kcl):
    router, contexts = StreamRouter(), []

    @router.on_change()
    def handle(record, context):
        contexts.append((context.shard_id, context.attempt))
        if len(contexts) < 3:
            raise RuntimeError("no")

    kcl.deliver(kcl.processor(router=router), 1)
    assert contexts == [("shardId-000000000000", attempt) for attempt in (1, 2, 3)]


def test_with_newest_an_items_changes_are_handled_as_they_were_made(kcl):
    processor = kcl.processor(newest=MemoryNewest(), checkpoint_records=1)
    late = kcl.record(1, item="a", created=3_000_000)
    early = kcl.record(2, item="a", created=2_000_000)
    other = kcl.record(3, item="b", created=1_000_000)
    kcl.give(processor, late, early, other)
    assert kcl.handled == [2, 1, 3]
    assert kcl.stored == [2, 3]  # nothing before the first record is done


def test_with_newest_what_is_stale_is_done_without_a_handler(kcl):
    processor = kcl.processor(newest=MemoryNewest(), checkpoint_records=1)
    kcl.give(processor, kcl.record(1, item="a", created=3_000_000, event_id="x"))
    kcl.give(
        processor,
        kcl.record(2, item="a", created=2_000_000),
        kcl.record(3, item="a", created=3_000_000, event_id="x"),
    )
    assert kcl.handled == [1]
    assert kcl.stored == [1, 3]


def test_with_newest_a_failure_checkpoints_only_what_is_done_in_the_shards_order(kcl):
    processor = kcl.processor(failing(1, number=1), newest=MemoryNewest())
    kcl.give(
        processor,
        kcl.record(1, item="a", created=3_000_000),
        kcl.record(2, item="a", created=2_000_000),
    )
    assert kcl.handled == [2, 1]
    assert kcl.stored == [2]


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"checkpoint_records": 0},
        {"checkpoint_seconds": -1},
        {"on_failure": "retry"},
    ],
)
def test_a_wrong_option_is_refused_where_it_is_given(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        RecordProcessor(StreamRouter(), **options)


def test_what_is_no_router_is_refused():
    with pytest.raises(TypeError, match="StreamRouter"):
        RecordProcessor(print)
