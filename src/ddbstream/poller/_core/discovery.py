"""Listing the shards: when, how often, and what a listing sets off.

Rules

* A listing is complete when a page has no cursor. A page that fails is asked for again; a cursor
  that is refused, or comes twice, starts the listing over.
* There is a listing every `Settings.discovery` seconds, and one as soon as something needs proof or
  a child. The calls keep their distance, whatever asks for them: the account has ten a second.
* A shard that has ended without a child has one coming as long as the stream is enabled: it is
  looked for soon a few times, and then with every listing, for ever.
* A stream that is over is read to its end when listings in a row show no shard besides those that
  are ended: one of them may leave a shard out, and a last child may be listed late.
* An enabled stream has a shard: a listing that shows none is a failed call.
* "No such stream" is believed when it is the only answer for a while: once may be a slip of the
  service's. Of a stream of which nothing is known yet it is believed at once.
"""

from __future__ import annotations

from ddbstream.exceptions import StreamNotFoundError
from ddbstream.poller._core.commands import (
    Command,
    CommandFailed,
    Describe,
    Forget,
    Instant,
    StreamPage,
)
from ddbstream.poller._core.events import CallFailed, StreamListed
from ddbstream.poller._core.lineage import LISTINGS_THAT_PROVE, Lineage, Listing
from ddbstream.poller._core.shard import Shard
from ddbstream.poller._core.shared import Shared

__all__ = ["Discovery"]


class Discovery:
    """The listing part of the core.

    Attributes:
        listed_at: When the last listing was complete; None before the first.
    """

    def __init__(self, shared: Shared, lineage: Lineage, at: Instant) -> None:
        self._shared = shared
        self._lineage = lineage
        self._listing: Listing | None = None
        self._listings = 0  # started so far
        self._listing_at = at.mono  # when the next one is due
        self._describing = False
        self._describe_at = at.mono  # the earliest moment of the next call
        self._attempts = 0
        self._refused_since: float | None = None
        self._gone_since: float | None = None
        self._gone_answers = 0
        self._to_forget: tuple[str, ...] = ()
        self._began = at.mono
        self.listed_at: float | None = None
        self._listed_from: float | None = None  # when it was begun
        self._asked_for_end = 0  # number of the last listing that did not prove it
        self._sibling_at: float | None = None  # a listing from then on shows a second child

    def want(self, when: float) -> int:
        """Have a new listing started by then; one that proves anything has a higher number."""
        self._listing_at = min(self._listing_at, when)
        return self._listings

    def wake_at(self) -> float | None:
        """When `advance` has something to do, even if no answer comes."""
        if self._describing or (self._listing is not None and self._listing.complete):
            return None
        if self._listing is None:
            return max(self._describe_at, self._listing_at)
        return self._describe_at

    def advance(self, at: Instant, out: list[Command]) -> None:
        """Ask for the next page, if its turn has come."""
        if self._to_forget:
            out.append(Forget(self._to_forget))
            self._to_forget = ()
        if self._describing or at.mono < self._describe_at:
            return
        settings = self._shared.settings
        if self._listing is None:
            if at.mono < self._listing_at:
                return
            self._listings += 1
            self._listing = Listing(self._listings)
            self._began = at.mono
            self._listing_at = at.mono + settings.discovery * (0.9 + self._shared.chance() / 5)
        elif self._listing.complete:
            return  # it waits for the start to be fixed
        self._describing = True
        self._describe_at = at.mono + settings.describe_gap
        out.append(Describe(self._listing.cursor))

    def on_described(self, result: StreamPage | CommandFailed, at: Instant) -> None:
        """Take in the answer to `Describe`."""
        self._describing = False
        listing = self._listing
        assert listing is not None
        if isinstance(result, CommandFailed):
            self._on_failed(result, at)
            return
        self._shared.ever_answered = True
        self._refused_since = self._gone_since = None
        self._gone_answers = 0
        if listing.add(result):
            if listing.shows_nothing():
                self._listing = Listing(listing.number)
                self._on_failed(CommandFailed("transient", "EmptyListing"), at)
            else:
                self._attempts = 0
            return
        self._listing = Listing(listing.number)
        self._attempts += 1
        self._describe_at = max(self._describe_at, at.mono + self._wait())

    def finish(self, at: Instant) -> None:
        """Take a listing over into the tree, if there is a complete one."""
        listing, shared = self._listing, self._shared
        if listing is None or not listing.complete:
            return
        self._listing = None
        self._lineage.apply(listing, at)
        shared.known_until = at.wall - (at.mono - self._began)
        self.listed_at, self._listed_from = at.mono, self._began
        shared.report(StreamListed(shared.stream_arn, listing.status, len(listing.shards)))
        self._look_for_children(at)
        self._to_forget = tuple(self._lineage.forgettable(at))

    def _look_for_children(self, at: Instant) -> None:
        if self._lineage.status not in ("ENABLED", "ENABLING"):
            return
        settings = self._shared.settings
        for shard in self._lineage.awaits_children():
            if shard.tries_for_child < settings.late_child_tries:
                shard.tries_for_child += 1
                wait = settings.late_child.after(shard.tries_for_child, self._shared.chance())
                self.want(at.mono + wait)

    def proves_end(self, at: Instant) -> bool:
        """Whether nothing else can come of a stream that is over; else it has it listed again."""
        lineage, shared = self._lineage, self._shared
        if lineage.shows_all():
            return True
        if self._asked_for_end < lineage.completed:
            self._asked_for_end = lineage.completed
            wait = shared.settings.read_backoff.after(lineage.alike, shared.chance())
            self.want(at.mono + wait)
        return False

    def expect_sibling(self, ended: Shard, at: Instant) -> None:
        """Have another listing soon if an ended shard may have a second child."""
        # A split makes two children, and one may be listed before the other.
        births = [self._lineage.shards[child].birth for child in ended.children]
        young = any(b is None or at.wall - b < self._shared.settings.discovery for b in births)
        if len(births) == 1 and young:
            self._sibling_at = at.mono + self._shared.settings.late_child.cap
            self.want(self._sibling_at)

    def expects_more(self, wall: float) -> bool:
        """Whether shards may be to come that no listing has shown."""
        lineage = self._lineage
        if lineage.is_over():
            return True  # until that is proven, and the stream is left
        if lineage.status == "ENABLED" and lineage.expects_children(wall):
            return True
        return self.expects_sibling()

    def expects_sibling(self) -> bool:
        """Whether the listing that would show a second child has not been made yet."""
        if self._sibling_at is None:
            return False
        return self._listed_from is None or self._listed_from < self._sibling_at

    def _on_failed(self, failed: CommandFailed, at: Instant) -> None:
        shared = self._shared
        if failed.kind == "gone" and self._is_gone(at):
            self._on_stream_gone(failed)
            return
        self._attempts += 1
        wait = self._wait()
        if failed.kind in ("denied", "invalid"):
            if self._refused_since is None:
                self._refused_since = at.mono
            if shared.refuses_for_good(failed, at.mono - self._refused_since):
                shared.fail_refused("DescribeStream", None, failed)
                return
            wait = shared.settings.denied_backoff.after(self._attempts, shared.chance())
        assert self._listing is not None
        if failed.kind == "invalid":  # the cursor's shard may have left the stream
            self._listing = Listing(self._listing.number)
        self._describe_at = max(self._describe_at, at.mono + wait)
        shared.report(
            CallFailed(shared.stream_arn, None, "DescribeStream", failed.kind, failed.code, wait)
        )

    def _wait(self) -> float:
        return self._shared.settings.read_backoff.after(self._attempts, self._shared.chance())

    def _is_gone(self, at: Instant) -> bool:
        if self._shared.start is None:
            return True
        if self._gone_since is None:
            self._gone_since = at.mono
        self._gone_answers += 1
        lasted = at.mono - self._gone_since >= self._shared.settings.gone_after
        return lasted and self._gone_answers >= LISTINGS_THAT_PROVE

    def _on_stream_gone(self, failed: CommandFailed) -> None:
        if self._shared.start is None:
            error = StreamNotFoundError("there is no such stream")
            error.__cause__ = failed.error
            self._shared.fail(error)
            return
        # An empty listing: what is not read yet will say by itself that it is gone.
        assert self._listing is not None
        self._listing = Listing(self._listing.number)
        self._listing.status = "GONE"
        self._listing.complete = True
