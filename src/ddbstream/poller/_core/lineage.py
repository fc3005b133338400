"""The tree of shards: what listings say, and what may be concluded from them.

Rules

* A shard has at most one parent. A child is read only after its parent's `End` is durable.
* A listing is no snapshot. A parent may look open while its child is listed: it is closed. A child
  may be listed and its parent not: the parent is waited for, unless it must have been trimmed by
  age.
* One listing may leave a shard out. What is not listed is not there when three listings in a row,
  over `Settings.gone_after` seconds, do not show it.
* A shard is closed if a listing gives its ending, or a child, or if it is not there any more.
* A shard born before anything that the consumer wants needs nothing of its parent: all of the
  parent's records are older. A closed shard all of whose children were born by then has nothing for
  the consumer.
* An ended shard is forgotten when it has been unlisted for long, or is unlisted and was born a week
  ago, and its children have positions of their own.
"""

from __future__ import annotations

from ddbstream.poller._core.commands import Instant, ListedShard, StreamPage
from ddbstream.poller._core.events import Gap
from ddbstream.poller._core.positions import After, AtTime, End, Position
from ddbstream.poller._core.shard import Shard, Stage
from ddbstream.poller._core.shared import Shared

__all__ = ["Lineage", "Listing"]


class Listing:
    """One pass over `DescribeStream`: complete once a page has no cursor.

    A page shows at most 100 shards, in no promised order. Only the paging is guarded here: a cursor
    that comes twice would page for ever, and a listing with a hole must not count as complete.
    """

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

    def shows_nothing(self) -> bool:
        """Whether it is complete and has no shard, as no listing of an enabled stream is."""
        return self.complete and not self.shards and self.status == "ENABLED"


def _is_plausible(birth: float, at: Instant) -> bool:
    """Whether a listed shard can have been made then: not in the future, nor weeks ago."""
    return at.wall - _LONGEST_LISTED < birth < at.wall + _CLOCKS_DIFFER


LISTINGS_THAT_PROVE = 3  # in a row, over `Settings.gone_after` seconds

_LONGEST_LISTED = 30 * 86_400.0  # it is listed for a day or so after it has closed
_CLOCKS_DIFFER = 3_600.0


def _close(shard: Shard, at: Instant) -> None:
    """Note that a shard is closed; what it still has, or its end, is not to wait for long."""
    if not shard.closed:
        shard.closed = True
        if not shard.attempts:  # it was empty, and may have been asked once in minutes
            shard.fetch_at = min(shard.fetch_at, at.mono)


class Lineage:
    """Every shard that is known, by id."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.shards: dict[str, Shard] = {}
        self.going: dict[str, Shard] = {}  # those that are not ended
        self.completed = 0  # number of the last complete listing
        self.completed_at = Instant(0.0, 0.0)
        self.listed = 0  # shards that it had
        self.status = "ENABLED"
        self.alike = 0  # listings in a row with the same status and nothing new
        self.alike_since = 0.0  # when the first of them was complete
        self.childless: dict[str, None] = {}  # ended, and no child listed yet

    def restore(self, shard_id: str, position: Position) -> Shard:
        """Add a shard that the store knows. A position is proof that its parent is done."""
        stage = Stage.ENDED if isinstance(position, End) else Stage.READING
        shard = self.shards[shard_id] = Shard(shard_id, position, stage)
        shard.saved = position
        if stage is not Stage.ENDED:
            self.going[shard_id] = shard
        if isinstance(position, AtTime):
            shard.drop_before = position.time
        return shard

    def apply(self, listing: Listing, at: Instant) -> None:
        """Take in a complete listing."""
        news = any(shard_id not in self.shards for shard_id in listing.shards)
        if news or listing.status != self.status:
            self.alike, self.alike_since = 0, at.mono
        self.alike += 1
        self.completed, self.completed_at = listing.number, at
        self.listed = len(listing.shards)
        self.status = listing.status
        for listed in listing.shards.values():
            shard = self.shards.get(listed.shard_id)
            if shard is None:
                shard = Shard(listed.shard_id, self._shared.first_position(), Stage.WAITING)
                if shard.birth is not None and not _is_plausible(shard.birth, at):
                    shard.birth = None
                shard.born_after = self._shared.known_until
                self.shards[listed.shard_id] = self.going[listed.shard_id] = shard
            shard.parent_id = shard.parent_id or listed.parent_id
            if listed.ending is not None:
                _close(shard, at)
            shard.listed_in = listing.number
            shard.unlisted_since = None
        shards = self.shards
        for shard in shards.values():
            parent = shards.get(shard.parent_id or "")
            if parent is not None:
                parent.children[shard.shard_id] = None
                _close(parent, at)
            if shard.listed_in != listing.number and shard.unlisted_since is None:
                shard.unlisted_since = at.mono
            if shard.stage is not Stage.ENDED:
                self._shared.agenda.touch(shard.shard_id)
        self.childless = {
            shard.shard_id: None
            for shard in shards.values()
            if shard.stage is Stage.ENDED and not shard.children
        }

    def end(self, shard: Shard) -> None:
        """Note that a shard is ended, and that its children may go."""
        shard.stage = Stage.ENDED
        del self.going[shard.shard_id]
        for child in shard.children:
            self._shared.agenda.touch(child)
        if not shard.children:
            self.childless[shard.shard_id] = None

    def is_listed(self, shard: Shard) -> bool:
        """Whether the last complete listing showed it."""
        return shard.listed_in == self.completed

    def is_absent(self, shard: Shard) -> bool:
        """Whether listings prove that the shard is not there any more."""
        if self.status == "GONE":
            return True
        since, settings = shard.unlisted_since, self._shared.settings
        enough = self.completed - shard.listed_in >= LISTINGS_THAT_PROVE
        return (
            enough and since is not None and self.completed_at.mono - since >= settings.gone_after
        )

    def wait_for_another_listing(self, shard: Shard) -> float:
        """Seconds until the next listing, after some that did not show the shard."""
        absences = self.completed - shard.listed_in
        return self._shared.settings.read_backoff.after(absences, self._shared.chance())

    def is_over(self) -> bool:
        """Whether the stream gets no more records."""
        return self.completed > 0 and self.status in ("DISABLED", "GONE")

    def shows_all(self) -> bool:
        """Whether listings prove that a stream that is over has no shard besides the known ones."""
        if self.status == "GONE":
            return True
        at, settled = self.completed_at, self._shared.settings.gone_after
        over = self._shared.over_since
        lasted = at.mono - self.alike_since >= settled
        long_over = over is not None and at.wall - over >= settled
        return self.alike >= LISTINGS_THAT_PROVE and (lasted or long_over)

    def awaits_children(self) -> list[Shard]:
        """Ended shards that are still listed, and whose children are not."""
        shards = (self.shards[shard_id] for shard_id in self.childless)
        return [shard for shard in shards if self.is_listed(shard)]

    def expects_children(self, wall: float) -> bool:
        """Whether a child is still to come: not of a shard older than a stream keeps records.

        A shard lives for hours. One that was made more than a day ago and has no child by now was
        the last of its kind, and would be waited for until it leaves the listing.
        """
        settings = self._shared.settings
        oldest = wall - settings.retention - settings.retention_slack
        return any(s.birth is None or s.birth > oldest for s in self.awaits_children())

    def nothing_wanted(self, shard: Shard) -> bool:
        """Whether all records of the shard are older than the moment the consumer starts from."""
        if not shard.children:
            return False
        wanted = self._shared.wanted_from()
        births = [self.shards[child].birth for child in shard.children]
        return all(birth is not None and birth <= wanted for birth in births)

    def may_start(self, shard: Shard, at: Instant) -> bool:
        """Whether a waiting shard's turn has come."""
        if shard.parent_id is None:
            return True
        if shard.birth is not None and shard.birth <= self._shared.wanted_from():
            return True
        parent = self.shards.get(shard.parent_id)
        if parent is not None:
            return parent.stage is Stage.ENDED
        return self._parent_is_lost(shard, at)

    def _parent_is_lost(self, shard: Shard, at: Instant) -> bool:
        # The listing may lag behind. Believing that the parent is trimmed loses all of it, so
        # only age or a long absence counts.
        settings = self._shared.settings
        if shard.missing_since is None:
            shard.missing_since, shard.missing_from = at.mono, self.completed
        patience, wake = settings.missing_parent, at.mono + settings.discovery
        if shard.birth is not None:
            left = shard.birth + settings.retention + settings.retention_slack - at.wall
            if left <= 0:
                return self._give_up_parent(shard)
            patience = settings.missing_parent_dated
            wake = min(wake, at.mono + left)
        enough = self.completed - shard.missing_from >= settings.missing_parent_listings
        if self.status == "GONE" or (enough and at.mono - shard.missing_since >= patience):
            return self._give_up_parent(shard)
        self._shared.agenda.later(max(at.mono + 1.0, wake), shard.shard_id)
        return False

    def _give_up_parent(self, shard: Shard) -> bool:
        shared = self._shared
        assert shared.start is not None
        horizon = (
            shared.start.fixed_at - shared.settings.retention + shared.settings.retention_slack
        )
        if shard.birth is not None and shard.birth <= horizon:
            return (
                True  # all of the parent was trimmed before the consumer began: nobody is owed it
            )
        return shared.gap(Gap(shared.stream_arn, shard.parent_id, None, None, "parent_missing"))

    def forgettable(self, at: Instant) -> list[str]:
        """Ended shards whose positions nothing needs any more."""
        settings = self._shared.settings
        ids = []
        for shard in self.shards.values():
            if shard.stage is not Stage.ENDED or shard.unlisted_since is None:
                continue
            unlisted = at.mono - shard.unlisted_since
            children = [self.shards[child] for child in shard.children if child in self.shards]
            started = all(isinstance(child.saved, (After, End)) for child in children)
            wait = settings.forget_after if children else settings.retention
            old = shard.birth is None or at.wall - shard.birth > settings.retention
            missing = self.completed - shard.listed_in >= settings.forget_listings
            # Nothing is kept so long: a poller that runs for minutes, from cron, must forget too.
            ancient = shard.birth is not None and at.wall - shard.birth > settings.forget_age
            if started and (ancient or (unlisted > wait and missing and old)):
                ids.append(shard.shard_id)
        return ids

    def forget(self, shard_ids: tuple[str, ...]) -> None:
        """Drop shards."""
        for shard_id in shard_ids:
            self.shards.pop(shard_id, None)
            self.childless.pop(shard_id, None)
        for shard in self.shards.values():
            for shard_id in shard_ids:
                shard.children.pop(shard_id, None)
