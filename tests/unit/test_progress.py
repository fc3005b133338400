"""Progress outlives what made it, and is shared without harm."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ddbstream.export import MemoryProgress, Progress, SQLiteProgress


@pytest.fixture(params=["memory", "sqlite"])
def progress(request: pytest.FixtureRequest, tmp_path: Path) -> Progress:
    return MemoryProgress() if request.param == "memory" else SQLiteProgress(tmp_path / "p.db")


def test_what_was_saved_last_is_loaded(progress: Progress) -> None:
    assert progress.load("a") is None
    progress.save("a", "1")
    progress.save("a", "2")
    progress.save("b", "3")
    assert (progress.load("a"), progress.load("b"), progress.load("c")) == ("2", "3", None)


def test_threads_may_share_it(progress: Progress) -> None:
    def count(key: int) -> None:
        for value in range(20):
            progress.save(str(key), str(value))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(8)))
    assert [progress.load(str(key)) for key in range(8)] == ["19"] * 8


def test_another_process_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    SQLiteProgress(path).save("mine", "1")
    program = (
        "import sys\n"
        "from ddbstream.export import SQLiteProgress\n"
        "progress = SQLiteProgress(sys.argv[1])\n"
        "progress.save('yours', progress.load('mine') + '2')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
    assert SQLiteProgress(path).load("yours") == "12"


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    progress = SQLiteProgress(tmp_path / "p.db")
    progress.save("a", "1")
    assert pickle.loads(pickle.dumps(progress)).load("a") == "1"  # noqa: S301


def test_a_text_of_any_kind_is_kept(progress: Progress) -> None:
    for text in ("", "\u00e9\U0001f600", "x" * 100_000, "a'b\"c"):
        progress.save(text, text)
        assert progress.load(text) == text


def test_what_failed_to_be_written_is_raised_and_not_kept(tmp_path: Path) -> None:
    progress = SQLiteProgress(tmp_path / "p.db")
    progress.save("a", "1")
    with pytest.raises(sqlite3.IntegrityError):
        progress.save("a", None)  # type: ignore[arg-type]
    assert progress.load("a") == "1"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_text("not a database, and longer than its header is" * 10)
    with pytest.raises(sqlite3.DatabaseError):
        SQLiteProgress(path)
