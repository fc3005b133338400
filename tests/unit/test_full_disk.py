"""Files after a disk was full, for real: a limit on the size of files stands for it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ddbstream.dead_letters import JSONLinesSink
from ddbstream.exceptions import CheckpointError
from ddbstream.poller import After, FileCheckpoints, SQLiteCheckpoints
from ddbstream.progress import SQLiteProgress

resource = pytest.importorskip("resource", reason="limits, links and modes of POSIX")

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/now"


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size``: the write is cut short there, then fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_the_disk_of_these_tests_is_full_where_they_say(tmp_path: Path) -> None:
    with full_at(5), (tmp_path / "a").open("wb", buffering=0) as file:
        assert file.write(b"1234567") == 5
        with pytest.raises(OSError, match="File too large"):
            file.write(b"1")


@pytest.mark.parametrize("room", [0, 1, 5, 30, 31])
def test_a_letter_that_finds_no_room_leaves_the_file_as_it_was(tmp_path: Path, room: int) -> None:
    path = tmp_path / "dead.jsonl"
    sink = JSONLinesSink(path)
    sink({"n": 1})
    before = path.read_bytes()
    with full_at(len(before) + room):
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                sink({"n": 2, "text": "x" * 100})
            assert path.read_bytes() == before
    sink({"n": 3})
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 3]


def test_a_letter_behind_a_torn_line_that_finds_no_room_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2, "te')
    before = path.read_bytes()
    with full_at(len(before) + 2), pytest.raises(OSError, match="File too large"):
        JSONLinesSink(path)({"n": 3})
    assert path.read_bytes() == before


@pytest.mark.parametrize("room", [0, 1, 40, 150])
def test_a_position_that_finds_no_room_leaves_the_one_before(tmp_path: Path, room: int) -> None:
    path = tmp_path / "positions.json"
    store = FileCheckpoints(path)
    lease = store.acquire(ARN, "one", ttl=60)
    store.save(lease, "shard", After("1"))
    path.chmod(0o640)
    before = path.read_bytes()
    with full_at(room), pytest.raises(CheckpointError, match=r"positions\.json: File too large"):
        store.save(lease, "shard", After("2"))
    assert path.read_bytes() == before
    assert dict(store.load(lease).positions) == {"shard": After("1")}
    store.save(lease, "shard", After("3"))  # over what the failed one has left
    assert dict(FileCheckpoints(path).load(lease).positions) == {"shard": After("3")}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "positions.json",
        "positions.json.lock",
    ]


def test_a_database_that_finds_no_room_keeps_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    with closing(SQLiteCheckpoints(path)) as store:
        lease = store.acquire(ARN, "one", ttl=60)
        store.save(lease, "shard", After("1"))
        # It may pass: the poller tries again.
        with full_at(0), pytest.raises(sqlite3.OperationalError, match=r"full|I/O|disk"):
            store.save(lease, "shard", After("2"))
        assert dict(store.load(lease).positions) == {"shard": After("1")}
        store.save(lease, "shard", After("3"))
        assert dict(store.load(lease).positions) == {"shard": After("3")}


def test_progress_that_finds_no_room_keeps_what_was_saved(tmp_path: Path) -> None:
    progress = SQLiteProgress(tmp_path / "progress.db")
    progress.save("a", "1")
    with full_at(0), pytest.raises(sqlite3.OperationalError, match=r"full|I/O|disk"):
        progress.save("a", "2")
    assert progress.load("a") == "1"
    progress.save("a", "3")
    assert progress.load("a") == "3"


# --- whose files they are -------------------------------------------------------------------------

USERS: dict[str, Callable[[Path], object]] = {
    "letters": lambda path: JSONLinesSink(path)({"n": 1}),
    "positions": lambda path: FileCheckpoints(path).acquire(ARN, "one", ttl=60),
    "database": lambda path: SQLiteCheckpoints(path).close(),
    "progress": lambda path: SQLiteProgress(path).save("a", "1"),
}


@pytest.mark.parametrize("use", USERS.values(), ids=USERS)
def test_mode_owner_and_link_of_a_file_are_kept(
    tmp_path: Path, use: Callable[[Path], object]
) -> None:
    real, link = tmp_path / "data" / "kept", tmp_path / "link"
    real.parent.mkdir()
    use(real)
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 12345, 12346)
    link.symlink_to(real)
    before = real.stat()
    use(link)
    after = real.stat()
    assert link.is_symlink()
    for field in ("st_mode", "st_uid", "st_gid"):
        assert getattr(after, field) == getattr(before, field)


@pytest.mark.parametrize("use", USERS.values(), ids=USERS)
def test_a_new_file_is_the_users_as_the_umask_says(
    tmp_path: Path, use: Callable[[Path], object]
) -> None:
    mask = os.umask(0o077)
    try:
        use(tmp_path / "kept")
    finally:
        os.umask(mask)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert modes["kept"] == 0o600
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes
