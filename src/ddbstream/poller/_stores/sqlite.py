"""Positions in a SQLite file: the store for one machine."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ddbstream._values.callables import check_function
from ddbstream.exceptions import CheckpointError, PollerArgumentError
from ddbstream.poller._core.positions import (
    Position,
    Start,
    State,
    dump_position,
    load_position,
    load_start,
    moves_back,
    parse_stored,
)
from ddbstream.poller._stores.contract import (
    DEFAULT_CONSUMER,
    FORMAT,
    Lease,
    check_format,
    held_by_another,
    key_of,
    moved_back,
    named,
    number_or_none,
    streams_in,
    taken_over,
)

__all__ = ["SQLiteCheckpoints"]

_TABLES = """
CREATE TABLE IF NOT EXISTS ddbstream_stream (
    stream_arn TEXT PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    owner      TEXT,
    expires    REAL NOT NULL,
    start      TEXT,
    last_alive REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ddbstream_position (
    stream_arn TEXT NOT NULL,
    shard_id   TEXT NOT NULL,
    position   TEXT NOT NULL,
    PRIMARY KEY (stream_arn, shard_id)
) WITHOUT ROWID;
"""

_COLUMNS = (
    "SELECT stream_arn, epoch, owner, expires, start, last_alive FROM ddbstream_stream LIMIT 0",
    "SELECT stream_arn, shard_id, position FROM ddbstream_position LIMIT 0",
)


class SQLiteCheckpoints:
    """Keeps positions in a SQLite file, which may hold other tables too.

    Every save is one transaction with ``synchronous=FULL``: it survives a crash and a power cut.
    Several processes may use one file; each save checks the epoch in its own transaction.
    The file is closed by `close`, or once nobody holds the store any more.

    Args:
        path: Of the file; it is created.
        timeout: Seconds to wait for another process's transaction.
        clock: Epoch seconds, for the lease's end.

    Raises:
        CheckpointError: The file cannot be opened or is no SQLite file, or has another format
            than this ddbstream's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = os.fspath(path)
        self._timeout = timeout
        check_function(clock, "clock=", PollerArgumentError, arguments=0)
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                self._path, timeout=timeout, isolation_level=None, check_same_thread=False
            )
            self._db.text_factory = _text
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._unusable(error) from error
        except ValueError:  # a NUL, or half a character
            raise CheckpointError(
                f"cannot keep positions in {self._path}: no file has that name"
            ) from None
        # Not at the end of the process: a thread that was left behind may still be at it.
        self._close = weakref.finalize(self, self._db.close)
        self._close.atexit = False

    def _unusable(self, error: Exception) -> CheckpointError:
        # What SQLite says of a damaged file may itself be no text.
        reason = error if isinstance(error, sqlite3.Error) else "it is damaged"
        return CheckpointError(f"cannot keep positions in {self._path}: {reason}")

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._check_format()  # first: nothing is added to the file of a newer version
        self._db.executescript(_TABLES)
        for columns in _COLUMNS:  # of tables that were there already, by whomever
            self._db.execute(columns).close()

    def _check_format(self) -> None:
        with self._transaction():
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS ddbstream_format (version INTEGER NOT NULL)"
            )
            row = self._db.execute("SELECT version FROM ddbstream_format").fetchone()
            if row is None:
                self._db.execute("INSERT INTO ddbstream_format VALUES (?)", (FORMAT,))
            else:
                check_format(row[0], self._path)

    def close(self) -> None:
        """Close the file; again is no error.

        A transaction that still runs is waited for as long as any other waits. One that hangs keeps
        the file open until the process ends.
        """
        if self._lock.acquire(timeout=self._timeout + 1.0):
            try:
                self._close()
            finally:
                self._lock.release()

    def __repr__(self) -> str:
        return f"SQLiteCheckpoints({self._path!r})"

    def acquire(
        self,
        stream_arn: str,
        owner: str,
        *,
        ttl: float,
        takeover: bool = True,
        consumer: str = DEFAULT_CONSUMER,
    ) -> Lease:
        """See `CheckpointStore.acquire`."""
        key = key_of(stream_arn, consumer)
        with self._transaction():
            now = self._clock()
            row = self._db.execute(
                "SELECT epoch, owner, expires FROM ddbstream_stream WHERE stream_arn = ?",
                (key,),
            ).fetchone()
            epoch, holder, expires = row or (0, None, 0.0)
            with named(self._path):
                number_or_none(expires, "end of the lease")
                _check_epoch(epoch)
            if holder not in (None, owner) and expires > now and not takeover:
                raise held_by_another()
            self._db.execute(
                "INSERT INTO ddbstream_stream (stream_arn, epoch, owner, expires)"
                " VALUES (?, ?, ?, ?) ON CONFLICT (stream_arn) DO UPDATE SET"
                " epoch = excluded.epoch, owner = excluded.owner, expires = excluded.expires",
                (key, epoch + 1, owner, now + ttl),
            )
            return Lease(stream_arn, owner, epoch + 1, ttl, consumer)

    def streams_of(self, table_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> list[str]:
        """ARNs of the table's streams that the consumer has acquired, oldest first."""
        with self._transaction():
            rows = self._db.execute("SELECT stream_arn FROM ddbstream_stream").fetchall()
        return streams_in((key for (key,) in rows), table_arn, consumer)

    def load(self, lease: Lease) -> State:
        """See `CheckpointStore.load`."""
        with self._transaction(lease):
            start, alive = self._db.execute(
                "SELECT start, last_alive FROM ddbstream_stream WHERE stream_arn = ?",
                (lease.key,),
            ).fetchone()
            rows = self._db.execute(
                "SELECT shard_id, position FROM ddbstream_position WHERE stream_arn = ?",
                (lease.key,),
            ).fetchall()
        with named(self._path):
            return State(
                load_start(parse_stored(start)) if start else None,
                {shard_id: load_position(parse_stored(position)) for shard_id, position in rows},
                number_or_none(alive, "last sign of life"),
            )

    def fix_start(self, lease: Lease, start: Start) -> None:
        """See `CheckpointStore.fix_start`."""
        with self._transaction(lease):
            self._db.execute(
                "UPDATE ddbstream_stream SET start = ? WHERE stream_arn = ? AND start IS NULL",
                (json.dumps(start.dump()), lease.key),
            )

    def save(self, lease: Lease, shard_id: str, position: Position) -> None:
        """See `CheckpointStore.save`."""
        with self._transaction(lease):
            row = self._db.execute(
                "SELECT position FROM ddbstream_position WHERE stream_arn = ? AND shard_id = ?",
                (lease.key, shard_id),
            ).fetchone()
            if row is not None and moves_back(load_position(parse_stored(row[0])), position):
                raise moved_back()
            self._db.execute(
                "INSERT OR REPLACE INTO ddbstream_position VALUES (?, ?, ?)",
                (lease.key, shard_id, json.dumps(dump_position(position))),
            )

    def renew(self, lease: Lease, alive_at: float) -> None:
        """See `CheckpointStore.renew`."""
        with self._transaction(lease):
            self._db.execute(
                "UPDATE ddbstream_stream SET expires = ?, last_alive = ? WHERE stream_arn = ?",
                (self._clock() + lease.ttl, alive_at, lease.key),
            )

    def forget(self, lease: Lease, shard_ids: Sequence[str]) -> None:
        """See `CheckpointStore.forget`."""
        with self._transaction(lease):
            self._db.executemany(
                "DELETE FROM ddbstream_position WHERE stream_arn = ? AND shard_id = ?",
                [(lease.key, shard_id) for shard_id in shard_ids],
            )

    def reset(self, stream_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> None:
        """Forget the consumer's start and positions: its next poller begins anew.

        Raises:
            FencedError: A poller has the lease; stop it first.
        """
        lease = self.acquire(stream_arn, "reset", ttl=0.0, takeover=False, consumer=consumer)
        with self._transaction(lease):
            self._db.execute(
                "UPDATE ddbstream_stream SET start = NULL, last_alive = NULL WHERE stream_arn = ?",
                (lease.key,),
            )
            self._db.execute("DELETE FROM ddbstream_position WHERE stream_arn = ?", (lease.key,))
        self.release(lease)

    def release(self, lease: Lease) -> None:
        """See `CheckpointStore.release`."""
        with self._transaction():
            self._db.execute(
                "UPDATE ddbstream_stream SET owner = NULL, expires = 0"
                " WHERE stream_arn = ? AND epoch = ?",
                (lease.key, lease.epoch),
            )

    @contextmanager
    def _transaction(self, lease: Lease | None = None) -> Iterator[None]:
        # IMMEDIATE: the epoch must not change between the check and the write.
        if not self._lock.acquire(timeout=self._timeout + 1.0):
            raise CheckpointError(
                f"{self._path} is busy: another thread's transaction does not end"
            )
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if lease is not None:
                    self._check(lease)
                yield
            except BaseException:
                with suppress(sqlite3.Error):  # an error has ended the transaction already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError:
            raise  # busy, full, not to be written: it may pass, and whoever uses the store sees it
        except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError) as error:
            raise self._unusable(error) from error
        finally:
            self._lock.release()

    def _check(self, lease: Lease) -> None:
        row = self._db.execute(
            "SELECT epoch FROM ddbstream_stream WHERE stream_arn = ?", (lease.key,)
        ).fetchone()
        if row is None or row[0] != lease.epoch:
            raise taken_over()


def _text(stored: bytes) -> str:
    # SQLite keeps any bytes as text, and its own error about those quotes them.
    return stored.decode("utf-8", "replace")


def _check_epoch(stored: object) -> None:
    if type(stored) is not int:
        raise CheckpointError(f"the stored epoch is no number but {type(stored).__name__}")
