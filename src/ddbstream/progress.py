"""How far a long piece of work has come, kept so that it can be taken up again after a crash.

Rules for every store:

* What `save` was given is durable when it returns.
* A key's value is replaced as a whole; nobody reads half of one.
* Threads and processes may use one store at once, on keys of their own.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["MemoryProgress", "Progress", "SQLiteProgress"]


class Progress(Protocol):
    """Keeps a short text for each piece of work; two methods make one over anything durable."""

    def load(self, key: str) -> str | None:
        """What was last saved under the key; ``None`` if nothing was."""
        ...

    def save(self, key: str, value: str) -> None:
        """Keep a value; durable on return."""
        ...


class MemoryProgress:
    """Keeps progress for as long as the process lives."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._lock = Lock()

    def load(self, key: str) -> str | None:
        """See `Progress.load`."""
        with self._lock:
            return self._values.get(key)

    def save(self, key: str, value: str) -> None:
        """See `Progress.save`."""
        with self._lock:
            self._values[key] = value


class SQLiteProgress:
    """Keeps progress in one file, which threads and processes of a machine may share.

    Args:
        path: The file; created if it does not exist.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path
        with self._connection() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS progress (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )

    def load(self, key: str) -> str | None:
        """See `Progress.load`."""
        with self._connection() as connection:
            row = connection.execute("SELECT value FROM progress WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def save(self, key: str, value: str) -> None:
        """See `Progress.save`."""
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO progress VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

    def _connection(self) -> Any:
        # One a call: a connection belongs to a thread and does not survive a fork or pickling, and
        # a batch's handlers take longer than opening a file.
        return _Connection(self._path)


class _Connection:
    def __init__(self, path: str | PathLike[str]) -> None:
        import sqlite3  # a large C library, which only this store needs

        self._damaged = sqlite3.DatabaseError
        self._connection = sqlite3.connect(path, timeout=60)
        self._connection.text_factory = _text
        try:
            self._connection.execute("PRAGMA synchronous = FULL")
        except BaseException as error:
            self.__exit__(type(error), error)  # The file is no database.
            raise

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, kind: object, error: object, *_: object) -> None:
        try:
            if kind is None:
                self._connection.commit()
        finally:
            self._connection.close()
        if isinstance(error, UnicodeDecodeError):  # what SQLite says of damage is no text itself
            raise self._damaged("the file is damaged")


def _text(stored: bytes) -> str:
    # SQLite keeps any bytes as text, and its own error about those quotes them.
    return stored.decode("utf-8", "replace")
