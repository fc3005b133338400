"""What to do about a record that cannot be handled, and how long to wait for anything.

Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

from ddbstream.exceptions import PollerArgumentError

__all__ = [
    "Backoff",
    "FailurePolicy",
    "Settings",
    "block",
    "check_number",
    "policy_of",
    "retry",
    "skip",
    "stop",
]


# With none of these nothing is read, delivered or saved, or something is done without a pause.
_ABOVE_ZERO = (
    "caught_up_pages",
    "discovery",
    "idle_calls",
    "lease",
    "max_page_bytes",
    "max_unsaved",
    "page_limit",
    "retention",
    "save_records",
)
_LARGEST_PAGE = 1_000  # of the service's


def check_number(name: str, value: object, *, above_zero: bool = False) -> None:
    """Refuse what is no number that the poller can go by."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not (value > 0 if above_zero else value >= 0):  # type: ignore[operator]
        raise PollerArgumentError(f"{name} is a number {'above 0' if above_zero else 'from 0 on'}")


def _check_backoff(name: str, value: object) -> None:
    if not isinstance(value, Backoff):
        raise PollerArgumentError(f"{name} is a Backoff(first, cap), in seconds")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter.

    Half of ``first * 2 ** (attempt - 1)`` and up to as much again.

    Attributes:
        first: Seconds after the first failure.
        cap: Seconds at most.
    """

    first: float
    cap: float

    def __post_init__(self) -> None:
        check_number("Backoff(first=…)", self.first)
        check_number("Backoff(cap=…)", self.cap)

    def after(self, attempt: int, chance: float) -> float:
        """Seconds to wait after the ``attempt``-th failure in a row; ``chance`` is in [0, 1)."""
        full = min(self.cap, self.first * 2.0 ** min(attempt - 1, 40))
        return full * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What happens to a record whose handler fails, or that cannot be decoded.

    Make one with `block`, `retry`, `skip` or `stop`.

    Attributes:
        retries: Deliveries after the first; None is for ever.
        then: What happens after those.
        sink: Takes a record that is given up; the position moves on once it has returned.
        max_age: Give up a failing record older than this, in seconds, whatever ``retries`` says.
        backoff: Waits between deliveries.

    Raises:
        PollerArgumentError: It says something else.
    """

    retries: int | None = None
    then: Literal["dead_letter", "skip", "stop"] = "stop"
    sink: Callable[[Any], object] | None = None
    max_age: float | None = None
    backoff: Backoff = Backoff(0.2, 30.0)

    def __post_init__(self) -> None:
        # What would fall through here, such as a misspelt word, would drop the record.
        if self.then not in ("dead_letter", "skip", "stop"):
            raise PollerArgumentError("then= is 'skip', 'stop' or a sink, a function of one letter")
        if self.then == "dead_letter" and self.sink is None:
            raise PollerArgumentError("then='dead_letter' needs sink=, which takes the letters")
        whole = isinstance(self.retries, int) and not isinstance(self.retries, bool)
        if self.retries is not None and (not whole or self.retries < 0):
            raise PollerArgumentError("retries are a whole number from 0 on, or None for ever")
        if self.max_age is not None:
            check_number("max_age", self.max_age)
        _check_backoff("backoff", self.backoff)

    def gives_up(self, attempts: int, age: float | None) -> bool:
        """Whether a record is given up that failed so often and is ``age`` seconds old."""
        if self.max_age is not None and age is not None and age > self.max_age:
            return True
        return self.retries is not None and attempts > self.retries


def block(*, backoff: Backoff = Backoff(0.2, 30.0)) -> FailurePolicy:
    """Deliver the record again and again: its shard waits, nothing is lost. The default."""
    return FailurePolicy(backoff=backoff)


def retry(
    times: int,
    *,
    then: Literal["skip", "stop"] | Callable[[Any], object],
    max_age: float | None = None,
    backoff: Backoff = Backoff(0.2, 30.0),
) -> FailurePolicy:
    """Deliver the record ``times`` more times.

    Then skip it, stop the poller, or call a dead-letter sink.

    Args:
        times: Deliveries after the first.
        then: ``"skip"``, ``"stop"``, or a sink, called with a `DeadLetter`. The position moves on
            when it has returned; while it raises, the shard waits.
        max_age: Give up a failing record older than this, in seconds.
        backoff: Waits between deliveries.

    Raises:
        PollerArgumentError: ``times`` or ``then`` is something else.
    """
    if callable(then):
        return FailurePolicy(times, "dead_letter", then, max_age, backoff)
    return FailurePolicy(times, then, None, max_age, backoff)


def skip() -> FailurePolicy:
    """Log a record that fails, and go on."""
    return FailurePolicy(0, "skip")


def stop() -> FailurePolicy:
    """Stop the poller at the first record that fails."""
    return FailurePolicy(0, "stop")


def policy_of(on_failure: object) -> FailurePolicy:
    """The policy that ``on_failure=`` means: one of these, or the name of one."""
    if isinstance(on_failure, FailurePolicy):
        return on_failure
    make = {"block": block, "skip": skip, "stop": stop}.get(str(on_failure))
    if make is not None:
        return make()
    raise PollerArgumentError("on_failure is 'block', 'skip', 'stop', or what retry() makes")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every number the core goes by. The defaults carry their reasons; tests turn them down.

    Attributes:
        idle: Seconds until the next call after a page that was not full; empty pages double it.
        idle_max: Seconds between calls at the tip. `GetRecords` is billed a call outside Lambda.
        quiet_pages: Empty pages in a row from which a shard counts as long empty.
        idle_calls: Calls a second for all shards that have long been empty, together; five times as
            many until they have been empty for some minutes.
        max_page_bytes: Bytes of pages, as they come over the wire, that are held at once over all
            shards. In memory a page takes up to four times as much.
        page_limit: Records asked for a page. The service refuses more than 1,000.
        full_size: Bytes from which a page counts as full: the service stops at 1 MB.
        catching_up: Seconds of lag beyond which data is followed by the next call at once.
        discovery: Seconds between listings.
        late_child: How soon to look again for a child that is not listed yet.
        late_child_tries: How often, before it is left to the periodic listings.
        describe_gap: Seconds between `DescribeStream` calls: the account has 10/s for everybody.
        read_backoff: Waits after a failed call for a shard.
        denied_backoff: Waits after refused credentials: nothing heals in less.
        fatal_after: Seconds of refusals after which the poller gives up; at once before any
            success.
        retention: Seconds the stream keeps a record.
        retention_slack: Seconds by which clocks, ours and the service's, may differ.
        forget_after: Seconds an ended shard must be unlisted before its position is dropped.
        forget_listings: Listings it must be missing from, besides: a forgotten shard that is listed
            again would be read again.
        forget_age: Seconds after its birth from which an ended shard that is not listed is dropped
            at once: a shard lives for hours, and is listed for a day or so after that.
        missing_parent: Seconds to wait for a parent that no listing shows, if the shard's id tells
            no age.
        missing_parent_dated: The same if it tells that the parent should still be there.
        missing_parent_listings: Listings it must be missing from, besides.
        gone_after: Seconds over which answers and listings must agree that a shard or a stream is
            not there, or that one that is over has no further shard, before it is believed.
        max_unsaved: Batches that may be done but not saved before delivery waits for the store.
        save_records: Save when this many records are done.
        save_seconds: ... or when the last save is so long ago.
        lease: Seconds a lease lasts; it is renewed three times as often.
        caught_up_pages: Empty pages in a row, at an open shard, that count as its tip. The service
            has no better sign, and may give empty pages before records.
        on_gap: ``fail`` stops with RecordsTrimmedError, ``continue`` reports and reads on.
        prefetch: Whether to read one page ahead of the handler.
        slow_after: Seconds that a handler, a sink, the store or ``on_event`` may take before
            `healthy` is false and `problem` names it.

    Raises:
        PollerArgumentError: With one of them the poller would hang, or fail later.
    """

    idle: float = 0.25
    idle_max: float = 1.0
    quiet_pages: int = 60
    idle_calls: float = 4.0
    max_page_bytes: int = 134_217_728
    page_limit: int = 1000
    full_size: int = 900_000
    catching_up: float = 60.0
    discovery: float = 60.0
    late_child: Backoff = Backoff(0.1, 1.0)
    late_child_tries: int = 10
    describe_gap: float = 0.2
    read_backoff: Backoff = Backoff(0.2, 15.0)
    denied_backoff: Backoff = Backoff(5.0, 60.0)
    save_backoff: Backoff = Backoff(0.1, 10.0)
    fatal_after: float = 900.0
    retention: float = 86_400.0
    retention_slack: float = 60.0
    forget_after: float = 7_200.0
    forget_listings: int = 10
    forget_age: float = 604_800.0
    missing_parent: float = 600.0
    missing_parent_dated: float = 3_600.0
    missing_parent_listings: int = 10
    gone_after: float = 15.0
    max_unsaved: int = 2
    save_records: int = 1
    save_seconds: float = 5.0
    lease: float = 30.0
    caught_up_pages: int = 2
    on_gap: Literal["fail", "continue"] = "fail"
    prefetch: bool = True
    slow_after: float = 300.0

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = f"Settings({field.name}=…)", getattr(self, field.name)
            if isinstance(field.default, Backoff):
                _check_backoff(name, value)
            elif not isinstance(field.default, (bool, str)):
                check_number(name, value, above_zero=field.name in _ABOVE_ZERO)
        if self.page_limit > _LARGEST_PAGE or self.page_limit % 1:
            raise PollerArgumentError(f"page_limit is a whole number up to {_LARGEST_PAGE}")
        if self.on_gap not in ("fail", "continue"):
            raise PollerArgumentError("on_gap is 'fail' or 'continue'")

    @property
    def surely_kept(self) -> float:
        """Seconds for which the stream has a record, however far our clock is from its own."""
        return self.retention - self.retention_slack
