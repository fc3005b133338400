"""What the core may know and keep, whatever drives it."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import ddbstream.poller
from ddbstream.poller import AtStart, FailurePolicy, Settings
from ddbstream.poller._core.commands import (
    HANDLING,
    Command,
    Deliver,
    Delivered,
    Describe,
    FixStart,
    GetIterator,
    GetRecords,
    Instant,
    ListedShard,
    Pool,
    RecordsPage,
    Renew,
    Save,
    StreamPage,
)
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.positions import State
from ddbstream.poller._stream import Stream

FOLDER = Path(ddbstream.poller.__file__).parent / "_core"
CORE = sorted(path.stem for path in FOLDER.glob("*.py"))
ALLOWED = {"__future__", "collections", "dataclasses", "datetime", "enum", "functools", "heapq"}
ALLOWED |= {"json", "math", "re", "typing"}
NOW = 1_700_000_000.0


def imported(module):
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("module", CORE)
def test_the_core_has_no_clock_no_client_no_thread_and_no_chance_of_its_own(module):
    ours = {f"ddbstream.poller._core.{name}" for name in CORE} | {"ddbstream.exceptions"}
    for name in imported(module):
        assert name in ours or name.partition(".")[0] in ALLOWED, name


@pytest.mark.parametrize("command", get_args(Command))
def test_each_command_has_workers_a_method_that_does_it_and_one_that_takes_the_result(command):
    handling = HANDLING[command]
    assert handling.pool in get_args(Pool)
    for owner, name in ((Stream, handling.run), (StreamCore, handling.receive)):
        taken = get_type_hints(getattr(owner, name))
        assert command in taken.values(), name


def test_the_table_has_no_other_commands():
    assert set(HANDLING) == set(get_args(Command))


def test_the_core_tells_its_rules_and_how_it_works():
    text = (FOLDER / "core.py").read_text()
    assert "\nRules\n" in text
    assert "\nTheory of operation\n" in text


class Slow:
    """A core that reads one shard and whose handler never answers."""

    def __init__(self, **settings):
        self.core = StreamCore(
            "arn",
            State(),
            begin=AtStart(),
            at=Instant(0.0, NOW),
            settings=Settings(**settings),
            policy=FailurePolicy(),
            chance=lambda: 0.5,
        )
        self.pages = 0
        self.deliveries = []

    def run(self, seconds=100.0):
        mono = 0.0
        while mono < seconds:
            at = Instant(mono, NOW + mono)
            commands = self.core.poll(at)
            for command in commands:
                if isinstance(command, Deliver):
                    self.deliveries.append(command)
                else:
                    self.core.receive(command, self.answer(command), at)
            if not commands:
                mono += 0.05
        return self

    def answer(self, command):
        if isinstance(command, Describe):
            return StreamPage("ENABLED", [ListedShard("shard", None, None)])
        if isinstance(command, GetIterator):
            return "iterator"
        if isinstance(command, GetRecords):
            self.pages += 1
            record = {"dynamodb": {"SequenceNumber": str(self.pages)}}
            return RecordsPage([record], "next", size=2**20)
        assert isinstance(command, (FixStart, Renew, Save)), command
        return None


@pytest.mark.parametrize(("prefetch", "pages"), [(True, 2), (False, 1)])
def test_no_more_than_a_page_is_read_ahead_of_a_slow_handler(prefetch, pages):
    slow = Slow(prefetch=prefetch).run()
    assert (slow.pages, len(slow.deliveries)) == (pages, 1)
    (command,) = slow.deliveries
    slow.core.receive(command, Delivered(1), Instant(100.0, NOW + 100.0))
    assert any(isinstance(c, Deliver) for c in slow.core.poll(Instant(100.0, NOW + 100.0))) is (
        prefetch
    )


def test_a_page_takes_three_round_trips_between_core_and_driver():
    """The page, its delivery, its save."""
    slow = Slow(lease=10**6, discovery=10**6)
    at = Instant(0.0, NOW)
    counts = Counter()
    while slow.pages < 50:
        for command in slow.core.poll(at):
            counts[type(command)] += 1
            done = isinstance(command, Deliver)
            answer = Delivered(len(command.records)) if done else slow.answer(command)
            slow.core.receive(command, answer, at)
        at = Instant(at.mono + 1.0, at.wall + 1.0)
    del counts[Describe], counts[FixStart], counts[GetIterator], counts[Renew]
    assert counts.keys() == {GetRecords, Deliver, Save}
    assert max(counts.values()) <= slow.pages
