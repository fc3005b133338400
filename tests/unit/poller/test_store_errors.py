"""Stores wait for a bounded time, say what is wrong with which file, and can be reset."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller import (
    After,
    AtStart,
    FileCheckpoints,
    MemoryCheckpoints,
    SQLiteCheckpoints,
    Start,
)
from ddbstream.poller._stores.shared_writes import Refused, SharedWrites

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/now"
posix = pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX's")

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@posix
def test_a_process_that_holds_the_lock_file_is_not_waited_for_for_ever(tmp_path):
    store = FileCheckpoints(tmp_path / "positions.json", timeout=0.1)
    lease = store.acquire(ARN, "one", ttl=60)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "positions.json.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError, match=r"positions\.json is locked"):
            store.save(lease, "shard", After("1"))
        holder.communicate()
    store.save(lease, "shard", After("1"))


@pytest.mark.parametrize("name", ["a\0b", "half a \ud800 character"])
@pytest.mark.parametrize("kind", [FileCheckpoints, SQLiteCheckpoints])
def test_a_name_that_no_file_has_is_named(kind, name):
    with pytest.raises(CheckpointError, match="no file has that name"):
        kind(name).acquire(ARN, "me", ttl=1)


@posix
@pytest.mark.parametrize("make", ["mkfifo", "mkdir"])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    getattr(os, make)(tmp_path / "positions.json")
    store = FileCheckpoints(tmp_path / "positions.json")
    with pytest.raises(CheckpointError, match="that is no file"):
        store.acquire(ARN, "me", ttl=1)


@posix
def test_a_link_stays_and_the_file_behind_it_keeps_its_mode(tmp_path):
    real, link = tmp_path / "data" / "real.json", tmp_path / "positions.json"
    real.parent.mkdir()
    FileCheckpoints(real).acquire(ARN, "one", ttl=60)
    real.chmod(0o640)
    link.symlink_to(real)
    store = FileCheckpoints(link)
    lease = store.acquire(ARN, "one", ttl=60)
    store.save(lease, "shard", After("1"))
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert dict(FileCheckpoints(real).load(lease).positions) == {"shard": After("1")}


@posix
@pytest.mark.parametrize("name", ["positions.json.new", "positions.json.lock"])
def test_a_planted_link_is_not_followed(tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / name).symlink_to(victim)
    store = FileCheckpoints(tmp_path / "positions.json")
    if name.endswith(".lock"):
        with pytest.raises(CheckpointError, match=r"positions\.json"):
            store.acquire(ARN, "one", ttl=60)
    else:
        store.acquire(ARN, "one", ttl=60)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "1"),
        ("owner", 7),
        ("expires", "soon"),
        ("start", "begin"),
        ("last_alive", "yesterday"),
        ("positions", {"shard": {"at": "after", "sequence_number": 7}}),
        ("positions", {"shard": {"at": "after", "sequence_number": "7", "time": "x"}}),
        ("positions", {"shard": "after"}),
    ],
)
def test_a_stored_field_of_a_wrong_type_is_named_with_its_file(tmp_path, field, value):
    path = tmp_path / "positions.json"
    store = FileCheckpoints(path)
    store.acquire(ARN, "one", ttl=60)
    content = json.loads(path.read_text())
    content["streams"][ARN][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"positions\.json"):
        store.load(store.acquire(ARN, "one", ttl=60))


@pytest.mark.parametrize("column", ["last_alive", "start"])
def test_a_column_of_a_wrong_type_is_named_with_its_file(tmp_path, column):
    with closing(SQLiteCheckpoints(tmp_path / "positions.db")) as store:
        lease = store.acquire(ARN, "one", ttl=60)
        # S608: a test's own names.
        store._db.execute(f"UPDATE ddbstream_stream SET {column} = 'x'")  # noqa: S608
        with pytest.raises(CheckpointError, match=r"positions\.db"):
            store.load(lease)


@pytest.fixture(params=[MemoryCheckpoints, FileCheckpoints, SQLiteCheckpoints])
def store(request, tmp_path):
    store = request.param() if request.param is MemoryCheckpoints else request.param(tmp_path / "p")
    yield store
    getattr(store, "close", lambda: None)()


def test_a_consumer_that_is_reset_begins_anew(store):
    lease = store.acquire(ARN, "one", ttl=60)
    other = store.acquire(ARN, "one", ttl=60, consumer="other")
    for one in (lease, other):
        store.fix_start(one, Start(AtStart(), 1.0))
        store.save(one, "shard", After("1"))
        store.renew(one, 5.0)
    with pytest.raises(FencedError):
        store.reset(ARN)
    store.release(lease)
    store.reset(ARN)
    again = store.acquire(ARN, "one", ttl=60, takeover=False)
    state = store.load(again)
    assert (state.start, dict(state.positions), state.last_alive) == (None, {}, None)
    assert again.epoch > lease.epoch
    assert dict(store.load(other).positions) == {"shard": After("1")}


class TestSharedWrites:
    """What many threads save goes together."""

    def test_those_that_wait_share_one_write_and_each_hears_its_own(self):
        writes, inside, go_on = SharedWrites(), threading.Event(), threading.Event()
        batches, errors = [], {}

        def write(actions):
            batches.append(sorted(action["n"] for action in actions))
            if actions[0]["n"] == 0:
                inside.set()
                assert go_on.wait(30)
            refused = [i for i, action in enumerate(actions) if action["n"] == 3]
            if refused:
                raise Refused(CheckpointError("back"), refused)

        def save(number):
            try:
                writes.save("k", 1, {"n": number}, write)
            except CheckpointError as error:
                errors[number] = str(error)

        threads = [threading.Thread(target=save, args=(number,)) for number in range(6)]
        threads[0].start()
        assert inside.wait(30)
        for thread in threads[1:]:
            thread.start()
        while len(writes._waiting) < 5:
            pass
        go_on.set()
        for thread in threads:
            thread.join(30)
        assert batches == [[0], [1, 2, 3, 4, 5], [1, 2, 4, 5]]
        assert errors == {3: "back"}


class WithoutWords(Exception):
    """As a library's whose text needs an attribute that nobody has set."""

    def __str__(self):
        raise AttributeError("detail")

    def __bool__(self):
        raise AttributeError("detail")


@pytest.mark.parametrize("call", ["fix_start", "save", "renew"])
def test_an_exception_that_cannot_be_printed_is_a_failure_as_any_other(bench, call):
    real, failed = getattr(bench.store, call), []

    def failing(*arguments):
        if not failed:
            failed.append(1)
            raise WithoutWords
        return real(*arguments)

    setattr(bench.store, call, failing)
    assert bench.write(2) == bench.catch_up()
    assert failed


def test_nor_does_it_hide_what_it_is_at_the_start(bench):
    def failing(*arguments, **options):
        raise WithoutWords

    bench.store.acquire = failing
    with pytest.raises(CheckpointError, match=r"cannot be used: WithoutWords$"):
        bench.catch_up()
