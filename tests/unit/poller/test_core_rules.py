"""What the core may know and keep, whatever drives it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ddbstream.poller
from ddbstream.poller import AtStart, FailurePolicy, Settings
from ddbstream.poller._core.commands import (
    Deliver,
    Delivered,
    Describe,
    FixStart,
    GetIterator,
    GetRecords,
    Instant,
    ListedShard,
    RecordsPage,
    Renew,
    StreamPage,
)
from ddbstream.poller._core.core import State, StreamCore

FOLDER = Path(ddbstream.poller.__file__).parent / "_core"
CORE = sorted(path.stem for path in FOLDER.glob("*.py"))
ALLOWED = {"__future__", "collections", "dataclasses", "datetime", "enum", "heapq", "json", "math"}
ALLOWED |= {"re", "typing"}
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
        assert isinstance(command, (FixStart, Renew)), command
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
