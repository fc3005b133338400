"""One stream's core, with the client, the store and the handlers that its commands go to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ddbstream.exceptions import FencedError
from ddbstream.poller._client import StreamsApi
from ddbstream.poller._core.commands import (
    HANDLING,
    Command,
    CommandFailed,
    Deliver,
    Delivered,
    Describe,
    Discard,
    FixStart,
    Forget,
    GetIterator,
    GetRecords,
    Renew,
    Result,
    Save,
)
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._dispatching import Dispatcher
from ddbstream.poller._handlers import DeadLetter, PollContext
from ddbstream.poller._stores.contract import CheckpointStore, Lease

__all__ = ["Stream"]

logger = logging.getLogger("ddbstream.poller")


class Stream:
    """A core, and everything its commands need.

    Attributes:
        core: Decides.
        api: Makes the calls.
        pending: ARNs of its table's later streams that are to be read after it.

    Args:
        core: See above.
        api: See above.
        store: Keeps positions, under ``lease``.
        lease: The right to do so.
        dispatcher: Has the router handle records; None if somebody else takes the deliveries.
        sink: Takes records that are given up.
    """

    def __init__(
        self,
        core: StreamCore,
        api: StreamsApi,
        store: CheckpointStore,
        lease: Lease,
        dispatcher: Dispatcher | None,
        sink: Callable[[DeadLetter], object] | None,
    ) -> None:
        self.core = core
        self.api = api
        self._store = store
        self._lease = lease
        self._dispatcher = dispatcher
        self._sink = sink
        self.pending: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """The stream's ARN."""
        return self._lease.stream_arn

    def run(self, command: Command) -> Result:
        """Do what the core asks for: `HANDLING` says which of the methods below does it.

        Blocks; safe in any thread.
        """
        result: Result = getattr(self, HANDLING[type(command)].run)(command)
        return result

    # With the client

    def describe(self, command: Describe) -> Result:
        """List a page of shards."""
        return self.api.make(self.api.describe(command))

    def get_iterator(self, command: GetIterator) -> Result:
        """Get an iterator."""
        return self.api.make(self.api.get_iterator(command))

    def get_records(self, command: GetRecords) -> Result:
        """Read a page of records."""
        return self.api.make(self.api.get_records(command))

    # With the user's code

    def deliver(self, command: Deliver) -> Delivered:
        """Have the router handle records."""
        assert self._dispatcher is not None
        return self._dispatcher.handle(command.records, self.context(command))

    def context(self, command: Deliver) -> PollContext:
        """What handlers get beside the record."""
        lease = self._lease
        return PollContext(self.arn, command.shard_id, command.attempt, lease.epoch, lease.consumer)

    def discard(self, command: Discard) -> CommandFailed | None:
        """Give the sink a record that is given up."""
        if self._sink is None:
            return None
        return self._attempt("the dead-letter sink", self._give_up, self._sink, command)

    def _give_up(self, sink: Callable[[DeadLetter], object], command: Discard) -> None:
        letter = DeadLetter(
            self.arn,
            command.shard_id,
            command.record,
            command.error,
            command.attempts,
            command.route,
        )
        sink(letter)

    # With the store

    def save(self, command: Save) -> CommandFailed | None:
        """Keep a position."""
        return self._attempt(
            "saving", self._store.save, self._lease, command.shard_id, command.position
        )

    def fix_start(self, command: FixStart) -> CommandFailed | None:
        """Keep the start."""
        return self._attempt("fixing the start", self._store.fix_start, self._lease, command.start)

    def renew(self, command: Renew) -> CommandFailed | None:
        """Renew the lease."""
        return self._attempt("renewing", self._store.renew, self._lease, command.alive_at)

    def forget(self, command: Forget) -> CommandFailed | None:
        """Drop positions."""
        return self._attempt("forgetting", self._store.forget, self._lease, command.shard_ids)

    def release(self) -> None:
        """Give the lease back."""
        try:
            self._store.release(self._lease)
        except Exception:  # the lease ends by itself
            logger.warning("the lease of %s could not be released", self.arn, exc_info=True)

    @staticmethod
    def _attempt(what: str, call: Callable[..., object], *arguments: Any) -> CommandFailed | None:
        try:
            call(*arguments)
        except FencedError as error:
            return CommandFailed("fenced", "FencedError", error)
        except Exception as error:
            logger.debug("%s failed", what, exc_info=True)
            return CommandFailed("failed", type(error).__name__, error)
        return None
