"""What all shards of a poller share: the memory for pages, and the calls of those that are idle.

Rules

* The pages that are held, and those that are asked for, stay within `Settings.max_page_bytes`:
  reading waits. From half of it on no page is read ahead. A shard whose records fail holds on to
  few of them then, so that it does not keep the others from reading.
* Shards that have long been empty share `Settings.idle_calls` calls a second. A few are asked as
  often as ever; of five hundred, each is asked every half a minute. One that gets records is asked
  at its old pace at once.
"""

from __future__ import annotations

from ddbstream.poller._core.policies import Settings

__all__ = ["Budget"]


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

    def idle_pause(self, shard: tuple[str, str]) -> float:
        """Seconds until a shard that has long been empty is asked again."""
        self._idle.add(shard)
        return max(self._settings.idle_max, len(self._idle) / self._settings.idle_calls)
