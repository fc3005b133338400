"""Broken variants of the poller's core: each is a mistake that a real poller made, or could.

A mutant takes a `StreamCore` and breaks it. The simulation must catch every one; if it does not, it
is the simulation that is broken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

from ddbstream.poller import _client
from ddbstream.poller._core import delivery as _delivery
from ddbstream.poller._core.commands import CommandFailed, RecordsPage
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.policies import Backoff
from ddbstream.poller._core.positions import After, AtStart, AtTime, End
from ddbstream.poller._core.shard import Stage

Mutant = Callable[[Any], None]
# Mistakes that show only when something is trimmed: looked for where outages are the rule.
ABOUT_TRIMS = frozenset(
    {
        "trimmed_ends_the_shard",
        "trimmed_is_silent",
        "a_late_first_read_is_not_checked",
        "a_long_stop_is_not_noticed",
        "gone_shards_are_not_reported",
    }
)
_NO_WAIT = Backoff(0.0, 0.0)
MUTANTS: dict[str, Mutant] = {}


def mutant(function: Mutant) -> Mutant:
    MUTANTS[function.__name__] = function
    return function


def make(name: str) -> Callable[..., StreamCore]:
    """A factory of cores that are broken in this way."""

    def core(arn: str, state: Any, **kwargs: Any) -> StreamCore:
        if name == "a_long_stop_is_not_noticed":
            state = replace(state, last_alive=kwargs["at"].wall)
        made = StreamCore(arn, state, **kwargs)
        MUTANTS[name](made)
        return made

    return core


@contextlib.contextmanager
def module_patches(name: str) -> Iterator[None]:
    """What a mutant breaks outside of the core, for as long as it is simulated."""
    with contextlib.ExitStack() as stack:
        for target, attribute, value in PATCHES.get(name, ()):
            stack.enter_context(mock.patch.object(target, attribute, value))
        yield


# Reading


@mutant
def drops_the_last_page(core: Any) -> None:
    """Redpanda, teleport#53795.

    Returns when NextShardIterator is missing, before the page is used.
    """
    on_page = core._reader.on_page

    def broken(shard: Any, result: Any, at: Any) -> None:
        if isinstance(result, RecordsPage) and result.next_iterator is None:
            result = RecordsPage([], None)
        on_page(shard, result, at)

    core._reader.on_page = broken


@mutant
def trusts_a_missing_iterator(core: Any) -> None:
    """Everyone in Python: a cut-off answer, which botocore gives as {}, ends the shard."""

    def broken(shard: Any, at: Any) -> None:
        shard.proven = True

    core._reader.prove_end = broken


def _trusting_page(answer: Any) -> Any:
    return RecordsPage(answer.get("Records", []), answer.get("NextShardIterator"))


@mutant
def five_empty_pages_are_the_end(core: Any) -> None:
    """data-prepper#6260."""
    on_page = core._reader.on_page

    def broken(shard: Any, result: Any, at: Any) -> None:
        on_page(shard, result, at)
        if shard.empties >= 5 and shard.closed and shard.stage is Stage.READING:
            shard.stage, shard.proven = Stage.ENDING, True

    core._reader.on_page = broken


@mutant
def an_expired_iterator_restarts_at_latest(core: Any) -> None:
    """serverless-offline, LocalStack."""
    on_fault = core._reader._on_failed

    def broken(shard: Any, operation: str, failed: Any, at: Any) -> None:
        on_fault(shard, operation, failed, at)
        if failed.kind == "expired" and not isinstance(shard.read, After):
            shard.drop_before = at.wall
            shard.read = AtTime(at.wall)

    core._reader._on_failed = broken


@mutant
def an_expired_iterator_is_used_again(core: Any) -> None:
    """Redpanda until 2026-06: looped for ever on the dead iterator."""
    on_fault = core._reader._on_failed

    def broken(shard: Any, operation: str, failed: Any, at: Any) -> None:
        iterator = shard.iterator
        on_fault(shard, operation, failed, at)
        if failed.kind == "expired":
            shard.iterator = iterator

    core._reader._on_failed = broken


@mutant
def an_expired_iterator_restarts_at_what_is_delivered(core: Any) -> None:
    """The page that was read ahead comes twice."""
    on_fault = core._reader._on_failed

    def broken(shard: Any, operation: str, failed: Any, at: Any) -> None:
        on_fault(shard, operation, failed, at)
        if failed.kind == "expired":
            shard.read = shard.done

    core._reader._on_failed = broken


@mutant
def trimmed_ends_the_shard(core: Any) -> None:
    """Flink: GetShardIterator's TrimmedDataAccess marks the shard as read."""
    on_fault = core._reader._on_failed

    def broken(shard: Any, operation: str, failed: Any, at: Any) -> None:
        on_fault(shard, operation, failed, at)
        if failed.kind == "trimmed":
            shard.stage, shard.proven = Stage.ENDING, True

    core._reader._on_failed = broken


@mutant
def trimmed_is_silent(core: Any) -> None:
    """The adapter's default: jump to TRIM_HORIZON without a word."""
    trimmed = core._reader._trimmed

    def broken(shard: Any) -> bool:
        result: bool = trimmed(shard)
        shard.gap_after = None
        return result

    core._reader._trimmed = broken


@mutant
def a_late_first_read_is_not_checked(core: Any) -> None:
    """The service starts at what is left, and says nothing."""
    core._reader._check_first_page = lambda shard, at: True


@mutant
def gone_shards_are_not_reported(core: Any) -> None:
    """The adapter again."""
    core._reader._owed = lambda shard, at: False


@mutant
def failed_calls_are_repeated_at_once(core: Any) -> None:
    """No backoff: a throttled account stays throttled."""
    core._shared.settings = replace(
        core._shared.settings,
        idle=0.0,
        idle_max=0.0,
        read_backoff=_NO_WAIT,
        late_child=_NO_WAIT,
    )


@mutant
def reads_far_ahead(core: Any) -> None:
    """spring-kinesis: fetches while the handlers are busy, and memory grows."""
    advance = core._reader.advance

    def broken(shard: Any, at: Any, out: Any) -> None:
        batch, shard.page = shard.page, None
        advance(shard, at, out)
        shard.page = batch

    core._reader.advance = broken


# Lineage


@mutant
def children_do_not_wait(core: Any) -> None:
    """Redpanda: children run beside their parents."""
    core.lineage.may_start = lambda shard, at: True


@mutant
def an_unlisted_parent_is_believed_gone(core: Any) -> None:
    """Flink, KCL: but the listing may only lag behind."""
    core.lineage._parent_is_lost = lambda shard, at: True


@mutant
def only_the_first_page_is_listed(core: Any) -> None:
    """LocalStack, serverless-offline, node-dynamodb-stream#14."""
    on_described = core.on_described

    def broken(command: Any, result: Any, at: Any) -> None:
        if not isinstance(result, CommandFailed):
            result = replace(result, cursor=None)
        on_described(command, result, at)

    core.on_described = broken


@mutant
def an_unlisted_shard_is_believed_gone(core: Any) -> None:
    """One listing left it out; the next would have shown it."""
    apply = core.lineage.apply

    def broken(listing: Any, at: Any) -> None:
        apply(listing, at)
        for shard in core.lineage.shards.values():
            if shard.stage is Stage.READING and not core.lineage.is_listed(shard):
                shard.stage, shard.proven = Stage.ENDING, True

    core.lineage.apply = broken


@mutant
def children_are_looked_for_once(core: Any) -> None:
    """bloop: a child that is listed late is never found."""
    core._discovery._look_for_children = lambda at: None
    core._shared.settings = replace(core._shared.settings, discovery=1e9)


@mutant
def a_child_does_not_wait_for_the_save(core: Any) -> None:
    """A crash before the parent's end is saved reads the parent after its child."""
    may_start, prove_end = core.lineage.may_start, core._reader.prove_end

    def starts(shard: Any, at: Any) -> bool:
        parent = core.lineage.shards.get(shard.parent_id)
        if parent is not None and parent.stage is Stage.ENDING and parent.proven:
            return True
        result: bool = may_start(shard, at)
        return result

    def proves(shard: Any, at: Any) -> None:
        prove_end(shard, at)
        for child in shard.children:
            core._shared.agenda.touch(child)

    core.lineage.may_start, core._reader.prove_end = starts, proves


# Delivering and saving


@mutant
def saves_before_delivery(core: Any) -> None:
    """Auto-commit: at most once."""
    take = core._reader._take_records

    def broken(shard: Any, records: Any, size: int) -> None:
        take(shard, records, size)
        core._delivery.commit(shard, shard.read, len(records))

    core._reader._take_records = broken


@mutant
def goes_past_a_failure(core: Any) -> None:
    """kclpy: the handler's exception is swallowed."""
    on_delivered = core._delivery.on_delivered

    def broken(shard: Any, result: Any, at: Any) -> None:
        asked = min(shard.page.limit, len(shard.page.records) - shard.page.index)
        on_delivered(shard, replace(result, done=asked, error=None), at)

    core._delivery.on_delivered = broken


@mutant
def drops_what_was_read_ahead_when_a_batch_fails(core: Any) -> None:
    """The page after the failed one is forgotten, the position in the stream is not."""
    on_delivered = core._delivery.on_delivered

    def broken(shard: Any, result: Any, at: Any) -> None:
        if result.error is not None:
            shard.next_page = None
        on_delivered(shard, result, at)

    core._delivery.on_delivered = broken


@mutant
def ends_are_not_kept(core: Any) -> None:
    """Redpanda: without a sentinel an ended shard is read again after a restart."""
    for shard in core.lineage.shards.values():
        if isinstance(shard.saved, End):
            shard.stage = Stage.READING
            shard.read = shard.done = shard.committed = shard.saved = AtStart()


@mutant
def ends_are_saved_early(core: Any) -> None:
    """The last batch is still with the handlers."""
    to_save = core._delivery._to_save

    def broken(shard: Any, at: Any) -> Any:
        if shard.stage is Stage.ENDING and shard.proven:
            return End()
        return to_save(shard, at)

    core._delivery._to_save = broken


@mutant
def a_failed_save_counts_as_done(core: Any) -> None:
    """And a child starts although its parent's end is nowhere."""
    on_saved = core._delivery.on_saved

    def broken(shard: Any, command: Any, result: Any, at: Any) -> None:
        on_saved(shard, command, None, at)

    core._delivery.on_saved = broken


@mutant
def sequence_numbers_are_compared_as_text(core: Any) -> None:
    """bloop once, Redpanda's pruning."""


def _text_rank(position: Any) -> tuple[int, Any]:
    if isinstance(position, After):
        return (2, position.sequence_number)
    if isinstance(position, AtTime):
        return (1, position.time)
    return (0, 0) if isinstance(position, AtStart) else (3, 0)


# Starting, stopping, fencing


@mutant
def the_start_is_not_kept(core: Any) -> None:
    """LATEST is taken anew at each start until the first record is saved."""
    if not core.lineage.shards:
        core._shared.start = None
        core._shared.resumed = False


@mutant
def latest_goes_by_the_readers_clock(core: Any) -> None:
    """A clock that is ahead loses what is written until the service's has caught up."""
    core._learn_skew = lambda ahead: None


@mutant
def a_long_stop_is_not_noticed(core: Any) -> None:
    """Whole shards may have come and gone."""


@mutant
def goes_on_when_fenced(core: Any) -> None:
    """Redpanda connect#4319: two readers overwrite each other."""
    receive = core.receive

    def broken(command: Any, result: Any, at: Any) -> None:
        if isinstance(result, CommandFailed) and result.kind == "fenced":
            result = CommandFailed("failed", "Ignored")
        receive(command, result, at)

    core.receive = broken


PATCHES: dict[str, list[tuple[Any, str, Any]]] = {
    "trusts_a_missing_iterator": [(_client, "_records_page", _trusting_page)],
    "sequence_numbers_are_compared_as_text": [(_delivery, "rank", _text_rank)],
}
