"""Listing the shards: when, how often, and what a listing sets off.

Rules

* A listing is complete when a page has no cursor. A page that fails is asked for again; a cursor
  that is refused, or comes twice, starts the listing over.
* There is a listing every `Settings.discovery` seconds, and one as soon as something needs proof or
  a child. The calls keep their distance, whatever asks for them: the account has ten a second.
* A shard that has ended without a child has one coming as long as the stream is enabled: it is
  looked for soon a few times, and then with every listing, for ever.
"""

from __future__ import annotations

from ddbstream.exceptions import StreamNotFoundError
from ddbstream.poller._core.commands import Command, Describe, Fault, Forget, Instant, StreamPage
from ddbstream.poller._core.context import Context
from ddbstream.poller._core.events import CallFailed, StreamListed
from ddbstream.poller._core.lineage import Lineage
from ddbstream.poller._core.listing import Listing

__all__ = ["Discovery"]


class Discovery:
    """The listing part of the core.

    Attributes:
        listed_at: When the last listing was complete; None before the first.
        listed_from: When it was begun.
    """

    def __init__(self, context: Context, lineage: Lineage, at: Instant) -> None:
        self._ctx = context
        self._lineage = lineage
        self._listing: Listing | None = None
        self._listings = 0  # started so far
        self._listing_at = at.mono  # when the next one is due
        self._describing = False
        self._describe_at = at.mono  # the earliest moment of the next call
        self._attempts = 0
        self._refused_since: float | None = None
        self._to_forget: tuple[str, ...] = ()
        self._began = at.mono
        self.listed_at: float | None = None
        self.listed_from: float | None = None

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
        settings = self._ctx.settings
        if self._listing is None:
            if at.mono < self._listing_at:
                return
            self._listings += 1
            self._listing = Listing(self._listings)
            self._began = at.mono
            self._listing_at = at.mono + settings.discovery * (0.9 + self._ctx.chance() / 5)
        elif self._listing.complete:
            return  # it waits for the start to be fixed
        self._describing = True
        self._describe_at = at.mono + settings.describe_gap
        out.append(Describe(self._listing.cursor))

    def on_described(self, result: StreamPage | Fault, at: Instant) -> None:
        """Take in the answer to `Describe`."""
        self._describing = False
        listing = self._listing
        assert listing is not None
        if isinstance(result, Fault):
            self._on_fault(result, at)
            return
        self._ctx.ever_answered = True
        self._refused_since = None
        if listing.add(result):
            self._attempts = 0
            return
        self._listing = Listing(listing.number)
        self._attempts += 1
        self._describe_at = max(self._describe_at, at.mono + self._wait())

    def finish(self, at: Instant) -> None:
        """Take a listing over into the tree, if there is a complete one."""
        listing, ctx = self._listing, self._ctx
        if listing is None or not listing.complete:
            return
        self._listing = None
        self._lineage.apply(listing, at)
        ctx.known_until = at.wall - (at.mono - self._began)
        self.listed_at, self.listed_from = at.mono, self._began
        ctx.report(StreamListed(ctx.stream_arn, listing.status, len(listing.shards)))
        self._look_for_children(at)
        self._to_forget = tuple(self._lineage.forgettable(at))

    def _look_for_children(self, at: Instant) -> None:
        if self._lineage.status not in ("ENABLED", "ENABLING"):
            return
        settings = self._ctx.settings
        for shard in self._lineage.awaits_children():
            if shard.tries_for_child < settings.late_child_tries:
                shard.tries_for_child += 1
                wait = settings.late_child.after(shard.tries_for_child, self._ctx.chance())
                self.want(at.mono + wait)

    def _on_fault(self, fault: Fault, at: Instant) -> None:
        ctx = self._ctx
        if fault.kind == "gone":
            self._on_stream_gone(fault)
            return
        self._attempts += 1
        wait = self._wait()
        if fault.kind in ("denied", "invalid"):
            if self._refused_since is None:
                self._refused_since = at.mono
            if ctx.refuses_for_good(fault, at.mono - self._refused_since):
                ctx.fail_refused("DescribeStream", None, fault)
                return
            wait = ctx.settings.denied_backoff.after(self._attempts, ctx.chance())
        assert self._listing is not None
        if fault.kind == "invalid":  # the cursor's shard may have left the stream
            self._listing = Listing(self._listing.number)
        self._describe_at = max(self._describe_at, at.mono + wait)
        ctx.report(CallFailed(ctx.stream_arn, None, "DescribeStream", fault.kind, fault.code, wait))

    def _wait(self) -> float:
        return self._ctx.settings.read_backoff.after(self._attempts, self._ctx.chance())

    def _on_stream_gone(self, fault: Fault) -> None:
        if self._ctx.start is None:
            error = StreamNotFoundError("there is no such stream")
            error.__cause__ = fault.error
            self._ctx.fail(error)
            return
        # An empty listing: what is not read yet will say by itself that it is gone.
        assert self._listing is not None
        self._listing = Listing(self._listing.number)
        self._listing.status = "GONE"
        self._listing.complete = True
