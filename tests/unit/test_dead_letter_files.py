"""A file of dead letters: each a whole line or nothing, on the disk, in the user's own file."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ddbstream.dead_letters import JSONLinesSink

posix = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and limits of POSIX")


def letters(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_letter_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    sink = JSONLinesSink(path)
    sink({"n": 1})
    sink({"n": "two\nlines"})
    assert letters(path) == [{"n": 1}, {"n": "two\nlines"}]


@pytest.mark.parametrize("torn", [b'{"n": 0, "te', b"x", b'{"n": 0}\n{"n'])
def test_a_torn_line_does_not_swallow_the_next_letter(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_bytes(torn)
    JSONLinesSink(path)({"n": 1})
    assert path.read_bytes() == torn + b'\n{"n": 1}\n'


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_after_a_full_disk_the_file_is_as_it_was(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dead.jsonl"
    sink = JSONLinesSink(path)
    sink({"n": 1})
    before = path.read_bytes()
    write = os.write
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def some(file: int, data: bytes) -> int:
        if len(data) < 8:
            raise full
        return write(file, data[:5])

    def none(file: int) -> None:
        raise full

    monkeypatch.setattr(os, call, some if call == "write" else none)
    with pytest.raises(OSError, match="No space left"):
        sink({"n": 2})
    assert path.read_bytes() == before
    monkeypatch.undo()
    sink({"n": 3})
    assert letters(path) == [{"n": 1}, {"n": 3}]


@posix
def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device"):
        JSONLinesSink(pipe)({"n": 1})
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        JSONLinesSink(pipe)({"n": 2})
        assert os.read(reader, 99) == b'{"n": 2}\n'
    finally:
        os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
def test_a_device_that_is_full_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        JSONLinesSink("/dev/full")({"n": 1})


@posix
def test_a_write_that_is_cut_short_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "dead.jsonl", os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    JSONLinesSink(path)({"n": "a long one"})
    assert letters(path) == [{"n": "a long one"}]


@posix
def test_mode_and_link_of_a_file_that_is_there_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "dead.jsonl", tmp_path / "link.jsonl"
    path.write_text("")
    path.chmod(0o640)
    link.symlink_to(path)
    JSONLinesSink(link)({"n": 1})
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert letters(path) == [{"n": 1}]


@posix
def test_a_link_that_leads_nowhere_makes_no_file(tmp_path: Path) -> None:
    link = tmp_path / "dead.jsonl"
    link.symlink_to(tmp_path / "planted")
    with pytest.raises(OSError, match="No such file"):
        JSONLinesSink(link)({"n": 1})
    assert not (tmp_path / "planted").exists()


@posix
def test_a_link_that_another_user_has_planted_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "precious", tmp_path / "dead.jsonl"
    path.write_text("mine")
    link.symlink_to(path)
    os.chown(link, 12345, 12345, follow_symlinks=False) if os.geteuid() == 0 else (
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    )
    with pytest.raises(PermissionError, match="another user"):
        JSONLinesSink(link)({"n": 1})
    assert path.read_text() == "mine"


def test_sinks_on_one_file_keep_each_others_lines_whole(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    sinks = [JSONLinesSink(path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(sinks[number % 8], {"n": number, "text": "x" * 10_000})
    assert sorted(letter["n"] for letter in letters(path)) == list(range(200))
