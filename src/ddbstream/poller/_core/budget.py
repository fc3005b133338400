"""What all shards of a poller share: the memory for pages, and the calls of those that are idle.

Rules

* The pages that are held, and those that are asked for, stay within `Settings.max_page_bytes`:
  reading waits. From half of it on no page is read ahead. A shard whose records fail holds on to
  few of them then, so that it does not keep the others from reading.
* Shards that have long been empty share `Settings.idle_calls` calls a second in the end, and five
  times as many before: the pause grows to that with each empty page, so that a record waits for a
  twentieth of the silence before it at most. A few are asked as often as ever. Of five hundred,
  each is asked every half a minute, and every two minutes once nothing has come for long. One that
  gets records is asked at its old pace at once.
* No shard is left alone for longer than its iterator lives: each visit would take three calls, and
  not one, for an iterator that has expired.
"""

from __future__ import annotations

from ddbstream.poller._core.policies import Settings

__all__ = ["Budget"]

# A call of boto3's is 2 ms of CPU. At first five hundred shards may take a twentieth of a core.
_AT_FIRST = 5  # times as many calls a second as in the end
_GROWTH = 1.05  # of the pause with each empty page
_GROWN = 1_000  # pages after which that is more than any pause
_LONGEST = 600.0  # seconds; an iterator lives for 900, and its call may have to wait for a thread


class Budget:
    """Counts of what is shared; of one thread.

    Attributes:
        held: Bytes of pages, as they came over the wire, that are held or asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: set[tuple[str, str]] = set()
        self.held = 0

    @property
    def tight(self) -> bool:
        """Whether nothing is to be read ahead."""
        return self.held * 2 > self._settings.max_page_bytes

    def has_room_for(self, size: int) -> bool:
        """Whether a page of that size may be asked for; one always may."""
        return self.held == 0 or self.held + size <= self._settings.max_page_bytes

    def busy(self, shard: tuple[str, str]) -> None:
        """A shard had records, or is ended."""
        self._idle.discard(shard)

    def idle_pause(self, shard: tuple[str, str], pages: int) -> float:
        """Seconds until a shard is asked again that has long been empty, for so many pages."""
        self._idle.add(shard)
        settings = self._settings
        longest = min(len(self._idle) / settings.idle_calls, _LONGEST)
        grown = settings.idle_max * _GROWTH ** min(pages, _GROWN)
        return max(settings.idle_max, longest / _AT_FIRST, min(grown, longest))
