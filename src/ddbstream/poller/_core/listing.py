"""Complete listings out of pages.

`DescribeStream` shows at most 100 shards a page, in no promised order, and a cursor until there is
none. The listing is not a snapshot: see the core for what may be concluded from it. This only
guards the paging: a cursor that comes twice would page for ever, and a listing with a hole must not
count as complete.
"""

from __future__ import annotations

from ddbstream.poller._core.commands import ListedShard, StreamPage

__all__ = ["Listing"]


class Listing:
    """One pass over `DescribeStream`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.shards: dict[str, ListedShard] = {}
        self.status = "ENABLED"
        self.cursor: str | None = None
        self.complete = False
        self._cursors: set[str] = set()

    def add(self, page: StreamPage) -> bool:
        """Take in a page.

        False if its cursor has been seen before, and the listing is worthless.
        """
        self.status = page.status
        for shard in page.shards:
            self.shards[shard.shard_id] = shard
        self.cursor = page.cursor
        self.complete = page.cursor is None
        if page.cursor is None:
            return True
        if page.cursor in self._cursors:
            return False
        self._cursors.add(page.cursor)
        return True
