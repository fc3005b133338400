"""A `RecordProcessor` under amazon-kclpy's own Python side, over the pipes of a stand-in daemon."""

from __future__ import annotations

import os
import sys
import time

import pytest

from tests.support.kclpy import fetch
from tests.support.standin_daemon import HandedOverError, StandInDaemon, record

APP = """
import pathlib, sys
from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor
from ddbstream import StreamRouter
from ddbstream.kcl import RecordProcessor

folder = pathlib.Path(__file__).parent

def handle(number):
    if number == 3 and (folder / "fails.flag").exists():
        raise RuntimeError("the handler fails")
    with (folder / "handled.txt").open("a") as file:
        file.write(f"{number}\\n")

class Plain(processor.RecordProcessorBase):
    def initialize(self, given): ...
    def process_records(self, given):
        for each in given.records:
            handle(int(each.sequence_number))
        given.checkpointer.checkpoint()
    def lease_lost(self, given): ...
    def shard_ended(self, given): given.checkpointer.checkpoint()
    def shutdown_requested(self, given): given.checkpointer.checkpoint()

router = StreamRouter()

@router.on_change()
def changed(record):
    handle(int(record.item_identifier))

if sys.argv[1] == "plain":
    kcl.KCLProcess(Plain()).run()
else:
    kcl.KCLProcess(RecordProcessor(router, on_failure=sys.argv[1], checkpoint_records=2)).run()
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "worker.py").write_text(APP)
    path = os.pathsep.join([str(fetch()), os.environ.get("PYTHONPATH", "")])
    running = []

    def start(kind):
        command = [sys.executable, "worker.py", kind]
        running.append(StandInDaemon(command, tmp_path, {**os.environ, "PYTHONPATH": path}))
        running[-1].initialize()
        return running[-1]

    yield start
    for daemon in running:
        daemon.process.kill()
        daemon.close()


def handled(folder):
    path = folder / "handled.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_plain_processor_loses_what_it_raises_on(start, tmp_path):
    # What makes this module needed. Once this fails, kclpy has stopped swallowing.
    (tmp_path / "fails.flag").touch()
    daemon = start("plain")
    daemon.deliver(*map(record, range(1, 6)))
    daemon.deliver(*map(record, range(6, 11)))
    assert handled(tmp_path) == [1, 2, 6, 7, 8, 9, 10]
    assert daemon.stored == ["END"]  # by its own word everything is done


def test_a_failing_handler_reaches_the_daemon_as_an_end_and_nothing_is_lost(start, tmp_path):
    (tmp_path / "fails.flag").touch()
    daemon = start("stop")
    with pytest.raises(HandedOverError):
        daemon.deliver(*map(record, range(1, 6)))
    assert daemon.stored == [2]
    (tmp_path / "fails.flag").unlink()
    other = start("stop")
    other.deliver(*map(record, range(daemon.stored[-1] + 1, 6)))
    other.ask("shardEnded")
    assert handled(tmp_path) == [1, 2, 3, 4, 5]
    assert other.stored[-1] == "END"


def test_its_checkpoint_errors_are_understood(start, tmp_path):
    daemon = start("block")
    daemon.answers = ["ThrottlingException", None, "ShutdownException"]
    daemon.deliver(record(1), record(2))
    time.sleep(0.3)  # longer than the first wait after a throttled checkpoint
    daemon.deliver(record(3), record(4))
    assert daemon.stored == [4]
    with pytest.raises(HandedOverError):
        daemon.deliver(record(5), record(6))
    assert daemon.answers == []
    assert daemon.stored == [4]
