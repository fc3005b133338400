"""Writes that wait for each other, and go together: what many threads save, in few transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ddbstream.exceptions import CheckpointError

__all__ = ["Refused", "SharedWrites"]

_MOST = 99  # a transaction takes 100 actions, and one is the condition check
_PATIENCE = 120.0  # seconds: a client with limits gives up long before

Action = dict[str, Any]


class Refused(CheckpointError):
    """Some actions of a transaction are refused, by their indexes; none was done."""

    def __init__(self, error: Exception, indexes: list[int]) -> None:
        super().__init__(str(error))
        self.error = error
        self.indexes = indexes


class _Waiting:
    def __init__(self, key: str, epoch: int, action: Action) -> None:
        self.key = (key, epoch)
        self.action = action
        self.done = False
        self.error: Exception | None = None


class SharedWrites:
    """One write at a time; saves that come meanwhile share the next."""

    def __init__(self) -> None:
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nothing else is written."""
        if not self._writing.acquire(timeout=_PATIENCE):
            raise CheckpointError("another write to the checkpoint table does not end")
        try:
            yield
        finally:
            self._writing.release()

    def save(
        self, key: str, epoch: int, action: Action, write: Callable[[list[Action]], object]
    ) -> None:
        """Write an action; returns when it is written, and raises what its write came to.

        Args:
            key: Whose lease it is under; only those of one lease go together.
            epoch: Of that lease.
            action: Of a transaction.
            write: Writes several; raises `Refused` to have the others written without some.
        """
        mine = _Waiting(key, epoch, action)
        with self._lock:
            self._waiting.append(mine)
        with self.alone():
            if not mine.done:
                with self._lock:
                    same = [one for one in self._waiting if one.key == mine.key]
                    chosen = [mine, *(one for one in same if one is not mine)][:_MOST]
                    self._waiting = [one for one in self._waiting if one not in chosen]
                _write_all(chosen, write)
        if mine.error is not None:
            raise mine.error


def _write_all(chosen: list[_Waiting], write: Callable[[list[Action]], object]) -> None:
    left = chosen
    while left:
        error: Exception | None = None
        refused = list(range(len(left)))
        try:
            write([one.action for one in left])
        except Refused as raised:
            error, refused = raised.error, raised.indexes
        except Exception as raised:  # noqa: BLE001 - raised to each that waits
            error = raised
        for index in refused:
            left[index].error, left[index].done = error, True
        left = [one for one in left if not one.done]
