"""What the core makes of answers that are rare, each given by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ddbstream.exceptions import CheckpointError, FencedError, RecordsTrimmedError
from ddbstream.poller import (
    After,
    AtStart,
    AtTime,
    CallFailed,
    End,
    FailurePolicy,
    Gap,
    Settings,
    ShardEnded,
    StreamListed,
)
from ddbstream.poller._core.commands import (
    CommandFailed,
    Deliver,
    Delivered,
    Describe,
    FixStart,
    Forget,
    GetIterator,
    GetRecords,
    Instant,
    ListedShard,
    RecordsPage,
    Renew,
    Save,
    StreamPage,
)
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.delivery import _KEPT
from ddbstream.poller._core.positions import Start, State, load_position, load_start, rank
from ddbstream.poller._core.shard import is_older
from ddbstream.poller._core.shared import Shared

NOW = 1_700_000_000.0
DAY = 86_400.0
TRIMMED = CommandFailed("trimmed", "TrimmedDataAccessException")
FENCED = CommandFailed("fenced", "FencedError")


def shard_id(born: float, name: str = "a") -> str:
    return f"shardId-{int(born * 1000):020d}-{name}"


def record(number: object, time: object = None) -> dict[str, Any]:
    return {"dynamodb": {"SequenceNumber": number, "ApproximateCreationDateTime": time}}


class Script:
    """A core whose commands are answered by a script, and as usual where that says nothing.

    Args:
        shards: What is listed.
        answers: For a command a function of it. None from that is the usual answer, ``"hangs"``
            that there never is one.
        state: What the store has.
        settings: Of the poller.
    """

    def __init__(
        self,
        *shards: ListedShard,
        answers: dict[Any, Callable[[Any], Any]] | None = None,
        state: State | None = None,
        begin: Any = None,
        **settings: Any,
    ) -> None:
        self.shards = shards
        self.answers = answers or {}
        self.sent: list[Any] = []
        self.events: list[Any] = []
        self.mono = 0.0
        self.core = StreamCore(
            "arn",
            state or State(),
            begin=begin or AtStart(),
            at=Instant(0.0, NOW),
            settings=Settings(**settings),
            policy=FailurePolicy(),
            chance=lambda: 0.5,
        )

    @property
    def at(self) -> Instant:
        return Instant(self.mono, NOW + self.mono)

    def run(self, seconds: float = 60.0) -> Script:
        until = self.mono + seconds
        while self.mono < until and self.core.exit is None:
            commands = self.core.poll(self.at)
            for command in commands:
                self.sent.append(command)
                answer = self.answers.get(type(command), lambda _: None)(command)
                if answer != "hangs":
                    self.core.receive(command, answer or self.usual(command), self.at)
            self.events += self.core.events()
            wake = None if commands else self.core.wake_at()
            self.mono = max(self.mono + 0.01, self.mono if wake is None else min(wake, until))
        self.events += self.core.events()
        return self

    def usual(self, command: Any) -> Any:
        if isinstance(command, Describe):
            return StreamPage("ENABLED", self.shards)
        if isinstance(command, GetIterator):
            return "iterator"
        if isinstance(command, GetRecords):
            return RecordsPage([], "next")
        return Delivered(len(command.records)) if isinstance(command, Deliver) else None

    def of(self, kind: type[Any]) -> list[Any]:
        return [each for each in (*self.sent, *self.events) if isinstance(each, kind)]


def test_a_start_that_could_not_be_kept_is_kept_later_and_nothing_is_read_before():
    answers = iter([CommandFailed("failed", "Timeout")] * 3)
    script = Script(
        ListedShard("shard", None, None), answers={FixStart: lambda _: next(answers, None)}
    ).run()
    kinds = [type(command) for command in script.sent]
    assert kinds.count(FixStart) == 4
    assert GetIterator not in kinds[: len(kinds) - kinds[::-1].index(FixStart)]
    assert script.of(GetRecords)
    assert [failed.operation for failed in script.of(CallFailed)] == ["FixStart"] * 3
    assert len(set(script.of(FixStart))) == 1  # the first moment stands


def test_a_stream_that_is_over_is_not_caught_up_with_until_that_is_proven():
    script = Script()
    caught_up: list[bool] = []

    def over(_: Describe) -> StreamPage:
        caught_up.append(script.core.caught_up())
        return StreamPage("DISABLED", [])

    script.answers = {Describe: over}
    script.run(600)
    assert caught_up == [False] * len(caught_up)
    assert len(caught_up) > 1
    assert script.core.exit is not None
    assert script.core.exit.reason == "stream_ended"


def test_a_listing_whose_cursor_comes_again_is_begun_anew():
    pages = iter([StreamPage("ENABLED", [], cursor) for cursor in ("a", "b", "a")])
    script = Script(
        ListedShard("shard", None, None), answers={Describe: lambda _: next(pages, None)}
    ).run()
    assert [command.cursor for command in script.of(Describe)][:4] == [None, "a", "b", None]
    assert [listed.shards for listed in script.of(StreamListed)] == [1]
    assert script.of(GetRecords)


class TestTrimmed:
    def test_of_a_closed_shard_without_a_record_left_is_the_end_of_it(self):
        shard = ListedShard(shard_id(NOW - 3600), None, "9")
        script = Script(shard, answers={GetRecords: lambda _: TRIMMED}, on_gap="continue").run()
        (gap,) = script.of(Gap)
        assert (gap.reason, gap.shard_id, gap.after) == ("shard_gone", shard.shard_id, None)
        assert len(script.of(ShardEnded)) == 1
        assert script.of(Save)[-1].position == End()

    def test_of_an_open_shard_is_asked_again(self):
        shard = ListedShard(shard_id(NOW - 3600), None, None)
        script = Script(shard, answers={GetRecords: lambda _: TRIMMED}).run()
        assert len(script.of(GetIterator)) == len(script.of(GetRecords)) > 3
        assert script.of(Gap) == []

    @pytest.mark.parametrize("on_gap", ["fail", "continue"])
    def test_after_a_record_is_a_gap(self, on_gap: Any):
        shard = ListedShard("shard", None, None)
        position = After("7", NOW)
        state = State(Start(AtStart(), NOW), {"shard": position}, NOW)
        answers = iter([TRIMMED, RecordsPage([record("9", NOW)], "next")])
        script = Script(
            shard, answers={GetRecords: lambda _: next(answers, None)}, state=state, on_gap=on_gap
        ).run()
        (gap,) = script.of(Gap)
        assert (gap.reason, gap.after) == ("trimmed", position)
        if on_gap == "fail":
            assert script.core.exit is not None
            assert isinstance(script.core.exit.error, RecordsTrimmedError)
            assert script.core.exit.error.sequence_number == "7"
            assert script.of(Deliver) == []
        else:
            assert gap.until == "9"
            assert script.of(Save)[-1].position == After("9", NOW)

    @pytest.mark.parametrize("on_gap", ["fail", "continue"])
    def test_whole_before_it_was_ever_read_is_a_gap(self, on_gap: Any):
        # What is older than a day by now was not read yet when it was kept.
        shard = ListedShard(shard_id(NOW - 3600), None, None)
        slow = {GetIterator: lambda _: CommandFailed("throttled", "Throttling")}
        script = Script(shard, answers=slow, on_gap=on_gap).run(DAY)
        script.answers = {GetRecords: lambda _: RecordsPage([record("1", NOW)], "next")}
        script.run(120)
        assert [gap.reason for gap in script.of(Gap)][:1] == ["trimmed_before_first_read"]
        assert (script.core.exit is None) is bool(script.of(Deliver)) is (on_gap == "continue")

    @pytest.mark.parametrize(("seconds", "owed"), [(0, False), (600, True)])
    def test_of_a_shard_that_is_gone_is_a_gap_unless_it_was_at_the_start(
        self, seconds: int, owed: bool
    ):
        # It had closed when its child was made, a day ago: all of it was about to be trimmed.
        parent = ListedShard(shard_id(NOW - 2 * DAY), None, "9")
        child = ListedShard(shard_id(NOW - DAY - 300, "b"), parent.shard_id, None)
        script = Script(parent, child, on_gap="continue", gone_after=60.0)
        script.answers = {GetIterator: lambda _: CommandFailed("throttled", "Throttling")}
        script.run(seconds)
        script.answers = {GetIterator: lambda command: _gone(command, parent.shard_id)}
        script.run(900)
        assert ("shard_gone" in [gap.reason for gap in script.of(Gap)]) is owed
        assert {command.shard_id for command in script.of(GetRecords)} == {child.shard_id}

    def test_with_a_shard_that_is_gone_ends_a_poller_that_is_to_fail(self):
        shard = ListedShard(shard_id(NOW - 3600), None, "9")
        gone = {GetRecords: lambda _: CommandFailed("gone", "ResourceNotFound")}
        script = Script(shard, answers=gone, on_gap="fail", gone_after=60.0).run(3600)
        assert [gap.reason for gap in script.of(Gap)] == ["shard_gone"]
        assert isinstance(script.core.exit and script.core.exit.error, RecordsTrimmedError)
        assert script.of(ShardEnded) == []


def _gone(command: GetIterator, shard: str) -> CommandFailed | None:
    return CommandFailed("gone", "ResourceNotFound") if command.shard_id == shard else None


def test_a_page_of_records_without_sequence_numbers_is_handed_on_from_where_reading_was():
    answers = iter([RecordsPage([record(None), record("x"), {}], "next")])
    script = Script(
        ListedShard("shard", None, None), answers={GetRecords: lambda _: next(answers, None)}
    ).run()
    (delivered,) = script.of(Deliver)
    assert len(delivered.records) == 3
    # There is no place behind them to be kept: after a restart they come again.
    assert [save.position for save in script.of(Save)] in ([], [AtStart()])
    script.core.stop()
    script.run()
    assert script.core.exit is not None
    assert script.core.exit.reason == "stopped"


def test_a_record_without_a_time_is_never_older_than_a_moment():
    assert not is_older(record("1"), NOW)
    assert not is_older(record("1", "soon"), NOW)
    assert is_older(record("1", NOW - 61), NOW)
    pages = iter([RecordsPage([record("1", NOW - 600), record("2"), record("3", NOW)], "next")])
    script = Script(
        ListedShard("shard", None, None),
        begin=AtTime(NOW),
        answers={GetRecords: lambda _: next(pages, None)},
    ).run()
    (delivered,) = script.of(Deliver)
    assert [each["dynamodb"]["SequenceNumber"] for each in delivered.records] == ["2", "3"]


def test_nothing_is_read_ahead_where_half_of_the_memory_is_taken():
    page = RecordsPage([record("1", NOW)], "next", size=600)
    for memory, pages in ((1000, 1), (10_000, 2)):
        script = Script(
            ListedShard("shard", None, None),
            answers={GetRecords: lambda _: page, Deliver: lambda _: "hangs"},
            max_page_bytes=memory,
        ).run()
        assert len(script.of(GetRecords)) == pages
        assert len(script.of(Deliver)) == 1


@pytest.mark.parametrize(
    ("count", "numbered", "read_again"),
    [(1, True, False), (_KEPT, True, False), (_KEPT + 1, True, True), (_KEPT + 1, False, False)],
)
def test_a_shard_whose_records_fail_holds_on_to_few_of_them_where_memory_is_short(
    count: int, numbered: bool, read_again: bool
):
    # Of what has no sequence number it could not be said where to read on.
    records = [record(str(n) if numbered else None, NOW) for n in range(1, count + 1)]
    pages = iter([RecordsPage(records, "next", size=600)])
    script = Script(
        ListedShard("shard", None, None),
        answers={
            GetRecords: lambda _: next(pages, None),
            Deliver: lambda _: Delivered(0, ValueError()),
        },
        max_page_bytes=1000,
    ).run(600)
    assert {command.records[0]["dynamodb"]["SequenceNumber"] for command in script.of(Deliver)} == {
        "1" if numbered else None
    }
    script.answers = {}
    script.run(600)
    after = [position for position in map(_position, script.of(GetIterator)) if position]
    assert after == [str(_KEPT)] * read_again
    kept = _KEPT if read_again else count
    assert len(script.of(Deliver)[-1].records) == kept


def _position(command: GetIterator) -> str | None:
    position = command.position
    return position.sequence_number if isinstance(position, After) else None


class TestTheLease:
    def test_that_another_has_taken_ends_the_core_also_where_the_driver_renewed_it(self):
        script = Script(ListedShard("shard", None, None)).run(1)
        script.core.lease_was_renewed(script.mono, None, script.at)
        script.core.lease_was_renewed(script.mono, CommandFailed("failed", "x"), script.at)
        assert script.core.exit is None
        script.core.lease_was_renewed(script.mono, FENCED, script.at)
        assert script.core.exit is not None
        assert script.core.exit.reason == "fenced"
        assert isinstance(script.core.exit.error, FencedError)

    def test_that_is_lost_ends_it_for_good(self):
        script = Script(ListedShard("shard", None, None), answers={Renew: lambda _: FENCED}).run()
        core = script.core
        assert core.exit is not None
        assert core.exit.reason == "fenced"
        # Answers that come after it change nothing, and there is nothing to wait for.
        core.receive(Describe(None), StreamPage("ENABLED", script.shards), script.at)
        assert core.poll(script.at) == []
        assert core.wake_at() is None
        assert core.events() == []


def test_a_poll_that_ends_the_core_looks_at_no_more_shards():
    # Both have a parent that nobody lists: the first gap ends it.
    old = NOW - 2 * DAY
    shards = [ListedShard(shard_id(old, name), f"parent-{name}", None) for name in "ab"]
    state = State(Start(AtStart(), old - DAY), {}, NOW)
    script = Script(*shards, state=state).run()
    assert len(script.of(Gap)) == 1
    assert isinstance(script.core.exit and script.core.exit.error, RecordsTrimmedError)


def test_a_shard_whose_name_says_an_impossible_age_has_none():
    waiting = ListedShard(shard_id(NOW + 7 * DAY), "parent", None)
    script = Script(waiting, on_gap="continue").run(60)
    (shard,) = script.core.lineage.shards.values()
    assert shard.birth is None
    # Nobody can say how long its parent may still be read: it is waited for, and then given up.
    assert script.of(GetIterator) == []
    script.run(12 * 3600)
    assert [gap.reason for gap in script.of(Gap)] == ["parent_missing"]
    assert script.of(GetIterator)


def test_positions_that_could_not_be_dropped_are_dropped_after_the_next_listing():
    gone = shard_id(NOW - 30 * DAY)
    state = State(Start(AtStart(), NOW - 40 * DAY), {gone: End()}, NOW)
    answers = iter([CommandFailed("failed", "Timeout")])
    script = Script(
        ListedShard("shard", None, None),
        answers={Forget: lambda _: next(answers, None)},
        state=state,
    ).run(3600)
    forgotten = script.of(Forget)
    assert len(forgotten) == 2
    assert forgotten[0] == forgotten[1] == Forget((gone,))
    assert gone not in script.core.lineage.shards


def test_a_commit_of_a_shard_that_is_forgotten_changes_nothing():
    script = Script(ListedShard("shard", None, None)).run()
    saves = script.of(Save)
    script.core.commit("another", After("1", NOW), 1)
    script.run()
    assert script.of(Save) == saves


class TestTheAgenda:
    def shared(self) -> Shared:
        return Shared("arn", Settings(), FailurePolicy(), lambda: 0.5)

    def test_has_something_at_once_where_a_shard_was_touched(self):
        agenda = self.shared().agenda
        assert agenda.next_at() is None
        agenda.later(5.0, "a")
        agenda.later(3.0)  # the stream itself, which every poll looks at
        assert agenda.next_at() == 3.0
        assert agenda.take(4.0) == []
        agenda.touch("b")
        assert agenda.next_at() == float("-inf")
        assert agenda.take(5.0) == ["b", "a"]

    def test_the_first_reason_to_stop_stands(self):
        shared = self.shared()
        first, second = ValueError(), KeyError()
        shared.fail_after_saving(first)
        shared.fail_after_saving(second)
        assert shared.exit_when_drained is not None
        assert shared.exit_when_drained.error is first
        shared.fail(first)
        shared.fail(second)
        assert shared.exit is not None
        assert shared.exit.error is first
        assert shared.events == [shared.exit]


@pytest.mark.parametrize(
    "stored",
    [
        *(None, [], {}, {"at": "later"}),
        *({"at": "after", "sequence_number": number} for number in ("x", 7, None)),
        *({"at": "time"}, {"at": "time", "time": "now"}),
    ],
)
def test_a_stored_position_that_is_none_is_an_error(stored: Any):
    with pytest.raises(CheckpointError, match="a stored position"):
        load_position(stored)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ({}, "unreadable"),
        ({"position": {"at": "start"}}, "unreadable"),
        ({"position": {"at": "start"}, "fixed_at": "now"}, "unreadable"),
        ({"position": {"at": "end"}, "fixed_at": 1}, "within a shard"),
        (Start(AtTime(1.0), 2.0).dump() | {"position": {"at": "later"}}, "unknown form"),
    ],
)
def test_a_stored_start_that_is_none_is_an_error(stored: Any, problem: str):
    with pytest.raises(CheckpointError, match=problem):
        load_start(stored)
    assert load_start(Start(AtTime(1.0), 2.0).dump()) == Start(AtTime(1.0), 2.0)


def test_a_position_whose_number_is_none_cannot_be_compared():
    with pytest.raises(CheckpointError, match="not a number"):
        rank(After("x", None))
