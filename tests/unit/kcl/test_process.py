"""The whole process, over the pipes of a stand-in for the MultiLangDaemon."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from tests.support.standin_daemon import HandedOverError, StandInDaemon, record

APP = """
import json, os, pathlib, subprocess, sys, threading, time
from ddbstream import StreamRouter
from ddbstream.kcl import RecordProcessor

print('{"action": "status", "responseFor": "initialize"}')  # as modules may
router = StreamRouter()
folder = pathlib.Path(__file__).parent

@router.on_change()
def handle(record):
    number = int(record.item_identifier)
    with (folder / "tries.txt").open("a") as file:
        file.write(f"{number}\\n")
    flags = {path.name for path in folder.glob("*.flag")}
    if "prints.flag" in flags:
        print(json.dumps({"action": "status", "responseFor": "processRecords"}), flush=True)
        os.write(1, b'{"action": "status", "responseFor": "processRecords"}\\n')
        subprocess.run(["echo", '{"action": "status", "responseFor": "processRecords"}'])
    if "reads.flag" in flags:
        assert sys.stdin.read() == ""
        assert subprocess.run(["cat"], capture_output=True, timeout=10).stdout == b""
    if "thread.flag" in flags:
        threading.Thread(target=time.sleep, args=(600,)).start()
    if "hangs.flag" in flags:
        time.sleep(600)
    if number == 3 and "fails.flag" in flags:
        raise RuntimeError("the handler fails")
    with (folder / "handled.txt").open("a") as file:
        file.write(f"{number}\\n")

stopping = RecordProcessor(router, on_failure="stop")
nothing = 3
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    running = []

    def start(*arguments):
        command = [sys.executable, "-m", "ddbstream.kcl", *(arguments or ("app:router",))]
        running.append(StandInDaemon(command, tmp_path, dict(os.environ)))
        return running[-1]

    yield start
    for daemon in running:
        daemon.process.kill()
        daemon.close()


def numbers(folder, name="handled"):
    path = folder / f"{name}.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def until(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_shard_from_its_beginning_to_its_end(start, tmp_path):
    daemon = start("app:router", "--checkpoint-records", "2")
    daemon.initialize()
    daemon.deliver(*map(record, (1, 2, 3)))
    daemon.deliver(*map(record, (4, 5, 6)))
    daemon.ask("shardEnded")
    assert daemon.close() == 0
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert daemon.stored == [2, 5, "END"]


def test_a_shutdown_checkpoints_and_a_lost_lease_does_not(start):
    daemon = start()
    daemon.initialize()
    daemon.deliver(record(1))
    daemon.ask("shutdownRequested")
    daemon.deliver(record(2))
    daemon.ask("leaseLost")
    assert daemon.close() == 0
    assert daemon.stored == [1]


def test_what_is_printed_goes_to_standard_error_and_never_answers_for_the_process(start, tmp_path):
    (tmp_path / "prints.flag").touch()
    daemon = start()
    daemon.initialize()
    daemon.deliver(*map(record, range(1, 21)))
    daemon.ask("shutdownRequested")
    daemon.ask("leaseLost")
    assert daemon.close() == 0
    assert numbers(tmp_path) == list(range(1, 21))
    assert daemon.stored == [20]
    assert daemon.skipped == []
    assert daemon.said().count('"processRecords"') == 60


def test_a_handler_cannot_read_the_protocol(start, tmp_path):
    (tmp_path / "reads.flag").touch()
    daemon = start("app:stopping")
    daemon.initialize()
    daemon.deliver(record(1), record(2))
    assert numbers(tmp_path) == [1, 2]


def test_a_handler_that_raises_is_tried_again_and_not_reported_as_done(start, tmp_path):
    (tmp_path / "fails.flag").touch()
    daemon = start()
    daemon.initialize()
    answered = threading.Thread(target=daemon.deliver, args=map(record, range(1, 6)))
    answered.start()
    until(lambda: numbers(tmp_path, "tries").count(3) >= 3)
    assert answered.is_alive()
    assert numbers(tmp_path) == [1, 2]
    assert daemon.stored == [2]
    (tmp_path / "fails.flag").unlink()
    answered.join(30)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]
    assert daemon.stored == [2, 3]


def test_a_record_that_stops_the_process_is_handed_over_and_not_reported_as_done(start, tmp_path):
    (tmp_path / "fails.flag").touch()
    daemon = start("app:stopping")
    daemon.initialize()
    with pytest.raises(HandedOverError) as handed:
        daemon.deliver(*map(record, range(1, 6)))
    assert handed.value.args[0]
    assert daemon.stored == [2]
    assert "the handler fails" in daemon.said()

    (tmp_path / "fails.flag").unlink()
    other = start("app:stopping")
    other.initialize()
    other.deliver(*map(record, range(3, 6)))  # the daemon goes on behind the last checkpoint
    other.ask("shutdownRequested")
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("error", ["ShutdownException", "InvalidStateException"])
def test_a_checkpoint_that_will_never_be_stored_ends_the_process(start, tmp_path, error):
    daemon = start("app:router", "--checkpoint-records", "1")
    daemon.answers = [None, error]
    daemon.initialize()
    with pytest.raises(HandedOverError) as handed:
        daemon.deliver(*map(record, range(1, 6)))
    assert handed.value.args[0]
    assert numbers(tmp_path) == [1, 2]
    assert daemon.stored == [1]


def test_a_thread_that_a_handler_leaves_behind_keeps_no_shard(start, tmp_path):
    (tmp_path / "thread.flag").touch()
    (tmp_path / "fails.flag").touch()
    daemon = start("app:stopping")
    daemon.initialize()
    with pytest.raises(HandedOverError) as handed:
        daemon.deliver(record(3))
    assert handed.value.args[0]


def test_a_handler_that_hangs_ends_soon_after_its_daemon(start, tmp_path):
    (tmp_path / "hangs.flag").touch()
    daemon = start()
    daemon.initialize()
    daemon._write({"action": "processRecords", "records": [record(1)]})
    until(lambda: numbers(tmp_path, "tries") == [1])
    assert daemon.close() != 0
    assert numbers(tmp_path) == []


def test_signals_are_the_daemons_affair(start, tmp_path):
    daemon = start()
    daemon.initialize()
    daemon.process.send_signal(signal.SIGINT)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.deliver(record(1))
    assert numbers(tmp_path) == [1]


def test_a_line_that_is_no_message_ends_the_process_and_is_not_shown(start):
    daemon = start()
    daemon.initialize()
    daemon.process.stdin.write(b'{"action": "processRecords", "records": [{"data": "c2VjcmV0"\n')
    daemon.process.stdin.flush()
    assert daemon._message() is None
    assert daemon.process.wait(30) != 0
    assert "c2VjcmV0" not in daemon.said()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("app:nothing",), "no StreamRouter"),
        (("app",), "module:name"),
        (("app:stopping", "--concurrency", "2"), "has its options already"),
    ],
)
def test_a_wrong_start_says_why(start, arguments, message):
    daemon = start(*arguments)
    with pytest.raises(HandedOverError):
        daemon.initialize()
    assert message in daemon.said()
