"""Positions in a JSON file that people can read: the store for one machine without SQLite."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

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

__all__ = ["FileCheckpoints"]

# Windows has no links that everybody may plant, and none of these flags.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_LINK
_LOCK_FILE = os.O_CREAT | os.O_RDWR | _NO_LINK


class FileCheckpoints:
    """Keeps positions in a JSON file.

    Each save writes a new file beside the old one, flushes it to the disk and puts it in the old
    one's place, so that a crash leaves one of the two. Several processes may use one file; a lock
    file beside it serialises them. Where the path is a symbolic link the file that it names is
    replaced, and the new file has the old one's mode and owner.

    Args:
        path: Of the file; it is created. Its folder must exist.
        timeout: Seconds to wait for another process, or thread, that has the lock file.
        clock: Epoch seconds, for the lease's end.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._timeout = timeout
        check_function(clock, "clock=", PollerArgumentError, arguments=0)
        self._clock = clock
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"FileCheckpoints({str(self._path)!r})"

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
        with self._changed() as streams:
            stream = streams.setdefault(key, {"epoch": 0, "positions": {}})
            now = self._clock()
            holder = stream.get("owner")
            if holder not in (None, owner) and stream.get("expires", 0.0) > now and not takeover:
                raise held_by_another()
            stream["epoch"] += 1
            stream["owner"], stream["expires"] = owner, now + ttl
            return Lease(stream_arn, owner, stream["epoch"], ttl, consumer)

    def streams_of(self, table_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> list[str]:
        """ARNs of the table's streams that the consumer has acquired, oldest first."""
        with self._locked():
            return streams_in(self._read(), table_arn, consumer)

    def load(self, lease: Lease) -> State:
        """See `CheckpointStore.load`."""
        with self._locked():
            stream = _owned(self._read(), lease)
        start = stream.get("start")
        with named(str(self._path)):
            return State(
                load_start(start) if start else None,
                {shard_id: load_position(value) for shard_id, value in stream["positions"].items()},
                number_or_none(stream.get("last_alive"), "last sign of life"),
            )

    def fix_start(self, lease: Lease, start: Start) -> None:
        """See `CheckpointStore.fix_start`."""
        with self._changed() as streams:
            _owned(streams, lease).setdefault("start", start.dump())

    def save(self, lease: Lease, shard_id: str, position: Position) -> None:
        """See `CheckpointStore.save`."""
        with self._changed() as streams:
            positions = _owned(streams, lease)["positions"]
            old = positions.get(shard_id)
            if old is not None and moves_back(load_position(old), position):
                raise moved_back()
            positions[shard_id] = dump_position(position)

    def renew(self, lease: Lease, alive_at: float) -> None:
        """See `CheckpointStore.renew`."""
        with self._changed() as streams:
            stream = _owned(streams, lease)
            stream["expires"] = self._clock() + lease.ttl
            stream["last_alive"] = alive_at

    def forget(self, lease: Lease, shard_ids: Sequence[str]) -> None:
        """See `CheckpointStore.forget`."""
        with self._changed() as streams:
            positions = _owned(streams, lease)["positions"]
            for shard_id in shard_ids:
                positions.pop(shard_id, None)

    def reset(self, stream_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> None:
        """Forget the consumer's start and positions: its next poller begins anew.

        Raises:
            FencedError: A poller has the lease; stop it first.
        """
        lease = self.acquire(stream_arn, "reset", ttl=0.0, takeover=False, consumer=consumer)
        with self._changed() as streams:
            stream = _owned(streams, lease)
            stream["positions"] = {}
            stream.pop("start", None)
            stream.pop("last_alive", None)
        self.release(lease)

    def release(self, lease: Lease) -> None:
        """See `CheckpointStore.release`."""
        with self._changed() as streams:
            stream = streams.get(lease.key)
            if stream is not None and stream["epoch"] == lease.epoch:
                stream["owner"], stream["expires"] = None, 0.0

    def _read(self) -> dict[str, Any]:
        # A pipe would be waited for, and some devices read, without an end.
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "that is no file")
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            version, streams = content["version"], content["streams"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._foreign() from None
        check_format(version, str(self._path))
        if not isinstance(streams, dict) or not all(map(_is_stream, streams.values())):
            raise self._foreign()
        found: dict[str, Any] = streams
        return found

    def _foreign(self) -> CheckpointError:
        return CheckpointError(f"{self._path} is no checkpoint file of ddbstream's")

    def _write(self, streams: dict[str, Any]) -> None:
        old = self._real_path()
        fresh = old.with_name(old.name + ".new")
        fresh.unlink(missing_ok=True)  # a crash's; or a link, which is not followed
        with os.fdopen(os.open(fresh, _NEW_FILE, 0o666), "w", encoding="utf-8") as file:
            json.dump({"version": FORMAT, "streams": streams}, file, indent=1, sort_keys=True)
            file.flush()
            _keep_mode_and_owner(old, file.fileno())
            os.fsync(file.fileno())
        fresh.replace(old)
        _sync_folder(old.parent)

    def _real_path(self) -> Path:
        """What the path names, behind any links: a link stays, and its file is replaced."""
        try:
            return Path(os.path.realpath(self._path))
        except ValueError:  # a NUL, or half a character
            problem = f"cannot keep positions in {self._path}: no file has that name"
        raise CheckpointError(problem)

    @contextlib.contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        with self._locked():
            streams = self._read()
            yield streams
            self._write(streams)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        until = time.monotonic() + self._timeout
        real = self._real_path()
        lock_file = real.with_name(real.name + ".lock")
        if not self._lock.acquire(timeout=self._timeout):
            raise self._busy()
        try:
            with os.fdopen(os.open(lock_file, _LOCK_FILE, 0o666), "r+") as file:
                while not _lock(file):
                    if time.monotonic() >= until:
                        raise self._busy()
                    time.sleep(0.02)
                try:
                    yield
                finally:
                    _unlock(file)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CheckpointError(f"cannot keep positions in {self._path}: {reason}") from error
        finally:
            self._lock.release()

    def _busy(self) -> CheckpointError:
        return CheckpointError(
            f"{self._path} is locked by another process, or thread, for more than "
            f"{self._timeout:g} seconds: was one stopped while it wrote?"
        )


def _is_stream(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("epoch"), int)
        and isinstance(value.get("positions"), dict)
        and isinstance(value.get("owner"), (str, type(None)))
        and isinstance(value.get("expires", 0.0), (int, float))
        and isinstance(value.get("start"), (dict, type(None)))
    )


def _owned(streams: dict[str, Any], lease: Lease) -> dict[str, Any]:
    stream: dict[str, Any] | None = streams.get(lease.key)
    if stream is None or stream["epoch"] != lease.epoch:
        raise taken_over()
    return stream


def _sync_folder(folder: Path) -> None:
    # The new name is durable only once its folder is. Windows cannot open a folder, and need not.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_mode_and_owner(old: Path, descriptor: int) -> None:
    if os.name == "nt" or not old.exists():
        return
    known = old.stat()
    os.fchmod(descriptor, stat.S_IMODE(known.st_mode))
    if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):  # only root may give a file away
            os.fchown(descriptor, known.st_uid, known.st_gid)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[Any]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[Any]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: IO[Any]) -> bool:
        """Take the lock, unless somebody has it; never wait: who has it may be stopped."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[Any]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
