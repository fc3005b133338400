"""What a poller keeps is bounded, however long it lives and however often it is started anew."""

from __future__ import annotations

import pytest

from ddbstream.poller import After, AtStart, End, FailurePolicy, Gap, Settings, Start
from ddbstream.poller._core.commands import (
    Describe,
    Forget,
    Instant,
    ListedShard,
    Renew,
    StreamPage,
)
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.positions import State

DAY = 86_400.0
NOW = 1_700_000_000.0
SETTINGS = Settings(on_gap="continue")


def shard_id(born: float) -> str:
    return f"shardId-{round(born * 1000):020d}-00000000"


def core_of(state, *, now=NOW):
    return StreamCore(
        "arn",
        state,
        begin=AtStart(),
        at=Instant(0.0, now),
        settings=SETTINGS,
        policy=FailurePolicy(),
        chance=lambda: 0.5,
    )


def listed(core, *shards):
    """Have the core list the stream and renew its lease; the commands that follow."""
    at = Instant(0.0, NOW)
    for command in core.poll(at):
        answer = StreamPage("ENABLED", list(shards)) if isinstance(command, Describe) else None
        if isinstance(command, (Describe, Renew)):
            core.receive(command, answer, at)
    return core.poll(at)


def resumed(positions, *, alive=NOW - 60):
    return core_of(State(Start(AtStart(), NOW - 30 * DAY), positions, alive))


@pytest.mark.parametrize(("days", "forgotten"), [(8, True), (2, False)])
def test_a_poller_that_runs_for_minutes_forgets_what_has_long_left_the_stream(days, forgotten):
    old, current = shard_id(NOW - days * DAY), shard_id(NOW - 3600)
    core = resumed({old: End(), current: After("5")})
    commands = listed(core, ListedShard(current, None, None))
    assert (Forget((old,)) in commands) is forgotten
    if forgotten:
        core.receive(Forget((old,)), None, Instant(0.0, NOW))
        assert list(core.lineage.shards) == [current]


def test_a_shard_that_is_listed_is_not_forgotten_however_old_it_is():
    old = shard_id(NOW - 8 * DAY)
    core = resumed({old: End()})
    assert not any(isinstance(c, Forget) for c in listed(core, ListedShard(old, None, "9")))


def test_an_unfinished_shard_is_not_forgotten_however_old_it_is():
    old, current = shard_id(NOW - 8 * DAY), shard_id(NOW - 3600)
    core = resumed({old: After("5"), current: After("5")})
    assert not any(isinstance(c, Forget) for c in listed(core, ListedShard(current, None, None)))


def test_a_shard_that_waits_for_its_parent_holds_the_sign_of_life_back():
    """Its parent's handler fails for ever. A restart that finds neither listed has to know."""
    parent, child = shard_id(NOW - DAY + 3600), shard_id(NOW - DAY + 7200)
    core = resumed({parent: After("5")})
    listed(core, ListedShard(parent, None, "9"), ListedShard(child, parent, None))
    later = Instant(SETTINGS.lease, NOW)
    (renew,) = [c for c in core.poll(later) if isinstance(c, Renew)]
    assert renew.alive_at == NOW - DAY + 7200


def test_a_shard_whose_id_tells_no_age_is_owed_from_when_it_was_first_listed():
    """The consumer began a month ago: that is no reason to take it for trimmed."""
    core = resumed({"shard-one": After("5")})
    listed(core, ListedShard("shard-one", None, None), ListedShard("shard-two", None, None))
    shard = core.lineage.shards["shard-two"]
    assert NOW - shard.fresh_at < 3600
    assert not any(isinstance(event, Gap) for event in core.events())
