"""A router and a store on one table of DynamoDB Local, and pollers of both."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ddbstream import Change, Insert, Modify, StreamRouter
from ddbstream.poller import AsyncStreamPoller, MemoryCheckpoints, Settings, StreamPoller
from tests.support.dynamodb_local import DynamoDBLocal, Table

QUICK = Settings(idle=0.02, idle_max=0.05, discovery=1.0, gone_after=0.5)


class Reader:
    """Writes numbers to a table, one after another, and reads them from its stream."""

    def __init__(self, server: DynamoDBLocal, table: Table) -> None:
        self.server, self.table = server, table
        self.values: list[int] = []
        self.events: list[Any] = []
        self.router = StreamRouter()
        self.router.on_change()(self._note)
        self.store: Any = MemoryCheckpoints()
        self.next = 0

    def _note(self, record: Change[Any]) -> None:
        assert isinstance(record, (Insert, Modify))
        self.values.append(int(record.new["n"]))

    def write(self, count: int = 1, *, table: Table | None = None) -> list[int]:
        first = self.next
        for _ in range(count):
            image = {"PK": {"S": "a"}, "SK": {"S": "b"}, "blob": {"B": b"\x00\xff"}}
            (table or self.table).put({**image, "n": {"N": str(self.next)}})
            self.next += 1
        return list(range(first, self.next))

    def enable_again(self, table: Table | None = None) -> None:
        """Disable the table's stream, and enable the next one."""
        update = self.server.dynamodb.update_table
        name = (table or self.table).name
        view: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        update(TableName=name, StreamSpecification={"StreamEnabled": False})
        update(TableName=name, StreamSpecification=view)

    def poller(self, name: str | Sequence[str] | None = None, **options: Any) -> StreamPoller:
        return StreamPoller(name or self.table.name, self.router, **self.options(**options))

    def async_poller(
        self, name: str | Sequence[str] | None = None, **options: Any
    ) -> AsyncStreamPoller:
        return AsyncStreamPoller(name or self.table.name, self.router, **self.options(**options))

    def options(self, **given: Any) -> dict[str, Any]:
        """A poller's arguments: those that are given, and the reader's own."""
        return {
            "checkpoints": self.store,
            "endpoint_url": self.server.endpoint_url,
            "region_name": self.server.region,
            "settings": QUICK,
            "on_event": self.events.append,
            **given,
        }

    def catch_up(self, **options: Any) -> list[int]:
        exit_ = self.poller(**options).run_until_caught_up(30)
        assert exit_.reason == "caught_up"
        return self.values

    def wait_for(self, values: Sequence[int]) -> None:
        eventually(lambda: self.values == list(values))
        assert self.values == list(values)


def run(poller: StreamPoller | AsyncStreamPoller) -> Any:
    """Run either kind until it ends."""
    ended: Any = poller.run()
    return asyncio.run(ended) if asyncio.iscoroutine(ended) else ended


@contextlib.contextmanager
def running(poller: StreamPoller | AsyncStreamPoller) -> Iterator[None]:
    """Have either kind run in a thread; stopped, and over, at the end."""
    thread = threading.Thread(target=run, args=(poller,))
    thread.start()
    try:
        yield
    finally:
        poller.stop()
        thread.join(30)
        assert not thread.is_alive()


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition; who waits in vain is told by what is asserted next."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
