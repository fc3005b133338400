"""Counts of what happened, and where every shard is: as values, and as Prometheus text."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ddbstream.exceptions import printable
from ddbstream.poller._core.commands import Instant
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.events import (
    BatchDelivered,
    BatchFailed,
    CallFailed,
    Event,
    Gap,
    PageRead,
    PositionSaved,
    RecordGivenUp,
    SaveFailed,
    ShardEnded,
)
from ddbstream.poller._core.shard import Shard, Stage, record_at, record_time

__all__ = ["Metrics", "ShardStatus", "StreamStatus"]

_KEEPS_FAILING = 300.0  # seconds: a throttled call or a handler's bad minute is no problem yet


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """Where one shard is.

    Attributes:
        shard_id: Its id.
        stage: ``waiting`` for its parent, ``reading``, or ``ending``.
        lag: Seconds since the oldest record that is not done was made; 0 at the tip.
        failing: Seconds since its calls, or its deliveries, began to fail; 0 if they do not.
        read_ago: Seconds since the last page of it came; None before the first. A shard whose
            handler is slow is not read meanwhile.
        saves_failing: Seconds since saving its position began to fail; 0 if it does not.
    """

    shard_id: str
    stage: str
    lag: float
    failing: float
    read_ago: float | None = None
    saves_failing: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Where one stream is.

    Attributes:
        stream_arn: Its ARN.
        status: As the last listing has it; None before the first.
        listed_ago: Seconds since the last complete listing; None before the first.
        shards: Shards that are not ended.
        ended: How many are.
        in_flight: Batches with the handlers, and saves under way.
        lease_left: Seconds the lease lasts without another renewal.
        exit: Why it stopped, or None.
        listed: How many shards the last complete listing had.
    """

    stream_arn: str
    status: str | None
    listed_ago: float | None
    shards: tuple[ShardStatus, ...]
    ended: int
    in_flight: int
    lease_left: float
    exit: str | None
    listed: int = 0

    @property
    def lag(self) -> float:
        """The largest lag of any shard."""
        return max((shard.lag for shard in self.shards), default=0.0)

    @property
    def read_ago(self) -> float | None:
        """How long ago the shard that waits longest was last read; None if none ever was."""
        times = (shard.read_ago for shard in self.shards if shard.stage == "reading")
        return max((time for time in times if time is not None), default=None)

    def problem(self, *, discovery: float, max_lag: float | None) -> str | None:
        """What is wrong with it, in a few words; None if nothing is."""
        if self.exit is not None:
            return None if self.exit == "stream_ended" else f"stopped: {self.exit}"
        if self.listed_ago is None:
            return "its shards are not listed yet"
        if self.listed_ago > 3 * discovery + 60:
            return "the last listing of its shards is too old"
        reading = [shard for shard in self.shards if shard.stage != "waiting"]
        if self.status == "ENABLED" and not reading:
            return "no shard of an enabled stream is read"
        if any(shard.failing > _KEEPS_FAILING for shard in reading):
            return "a shard keeps failing"
        if any(shard.saves_failing > _KEEPS_FAILING for shard in self.shards):
            return "the position of a shard cannot be saved"
        if self.lease_left <= 0:
            return "the lease has run out, and could not be renewed"
        if max_lag is not None and self.lag > max_lag:
            return "the lag is too large"
        return None


class Metrics:
    """What a poller counts. Threads may read it while the poller runs.

    Attributes:
        counters: By name, and by a label where there is one: ``("calls_failed",
            "ThrottlingException")``. Those without a label are there from the start.
    """

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, str]] = Counter({(name, ""): 0 for name in _UNLABELLED})
        self._lock = threading.Lock()
        self._streams: tuple[StreamStatus, ...] = ()
        self._taken_at: float | None = None

    @property
    def streams(self) -> tuple[StreamStatus, ...]:
        """Every stream as it was last looked at, about once a second."""
        return self._streams

    def count(self, event: Event) -> None:
        """Take in an event."""
        counting = _COUNTED.get(type(event))
        if counting is not None:
            with self._lock:
                for name, label, number in counting(event):
                    self.counters[name, label] += number

    def look(self, cores: Iterable[tuple[str, StreamCore]], at: Instant, *, force: bool) -> None:
        """Note where the cores are; for the driver's thread, which owns them."""
        listed = bool(self._streams) and all(s.listed_ago is not None for s in self._streams)
        if listed and not force and self._taken_at is not None and at.mono - self._taken_at < 1.0:
            return
        self._taken_at = at.mono
        self._streams = tuple(_status(arn, core, at) for arn, core in cores)

    def prometheus(self) -> str:
        """Everything in Prometheus's text format."""
        with self._lock:
            counters = sorted(self.counters.items())
        lines = []
        for (name, label), number in counters:
            labels = f'{{kind="{_label(label)}"}}' if label else ""
            lines.append(f"ddbstream_poller_{name}_total{labels} {number}")
        for stream in self._streams:
            where = f'{{stream="{_label(stream.stream_arn)}"}}'
            stages = Counter(shard.stage for shard in stream.shards)
            lines += [
                f"ddbstream_poller_lag_seconds{where} {stream.lag:.3f}",
                f"ddbstream_poller_shards_listed{where} {stream.listed}",
                f"ddbstream_poller_shards_ended{where} {stream.ended}",
                f"ddbstream_poller_in_flight{where} {stream.in_flight}",
                f"ddbstream_poller_lease_left_seconds{where} {stream.lease_left:.3f}",
            ]
            if stream.listed_ago is not None:
                lines.append(f"ddbstream_poller_listed_ago_seconds{where} {stream.listed_ago:.3f}")
            for stage in ("waiting", "reading", "ending"):
                lines.append(f"ddbstream_poller_shards_{stage}{where} {stages[stage]}")
            lines += _shard_lines(stream)
        return "\n".join(lines) + "\n"


def _label(value: str) -> str:
    """A label's value; a backslash and a quote are escaped as Prometheus has it."""
    return printable(value).replace("\\", r"\\").replace('"', r"\"")


def _shard_lines(stream: StreamStatus) -> Iterable[str]:
    # Only of shards that are read: those that wait are counted, and may be thousands.
    for shard in stream.shards:
        if shard.stage == "reading":
            stream_arn, shard_id = _label(stream.stream_arn), _label(shard.shard_id)
            where = f'{{stream="{stream_arn}",shard="{shard_id}"}}'
            yield f"ddbstream_poller_shard_lag_seconds{where} {shard.lag:.3f}"
            if shard.read_ago is not None:
                yield f"ddbstream_poller_shard_read_ago_seconds{where} {shard.read_ago:.3f}"


def _status(arn: str, core: StreamCore, at: Instant) -> StreamStatus:
    going = core.lineage.going
    listed = core.listed_at
    return StreamStatus(
        arn,
        core.lineage.status if core.lineage.completed else None,
        None if listed is None else at.mono - listed,
        tuple(_shard_status(shard, at) for shard in going.values()),
        len(core.lineage.shards) - len(going),
        core.busy,
        core.lease_until - at.mono,
        None if core.exit is None else core.exit.reason,
        core.lineage.listed,
    )


def _shard_status(shard: Shard, at: Instant) -> ShardStatus:
    moments = [shard.calls_fail_since, shard.deliveries_fail_since]
    failing = max((at.mono - moment for moment in moments if moment is not None), default=0.0)
    read_ago = None if shard.read_at is None else at.mono - shard.read_at
    since = shard.saves_fail_since
    saves = 0.0 if since is None else at.mono - since
    lag = _lag(shard, at)
    return ShardStatus(shard.shard_id, shard.stage.value, lag, failing, read_ago, saves)


def _lag(shard: Shard, at: Instant) -> float:
    oldest: float | None = None
    if shard.page is not None:
        records, index = shard.page.records, shard.page.index
        oldest = record_time(record_at(records, min(index, len(records) - 1)))
    elif shard.stage is Stage.READING and shard.empties < 2:
        oldest = shard.last_record_time
    return 0.0 if oldest is None else max(0.0, at.wall - oldest)


_Counts = list[tuple[str, str, int]]


def _of_page(event: PageRead) -> _Counts:
    pages = ("pages", "", 1) if event.records else ("empty_pages", "", 1)
    return [pages, ("records_read", "", event.records), ("bytes_read", "", event.size)]


def _of_call(event: CallFailed) -> _Counts:
    counts = [("calls_failed", event.code, 1), ("retries", event.kind, 1)]
    name = _TROUBLES.get(event.kind) or _TROUBLES.get(event.code)
    return counts if name is None else [*counts, (name, "", 1)]


def _of_failure(event: BatchFailed) -> _Counts:
    return [("handler_failures", "", 1), ("duplicates_known", "", event.again)]


def _of_given_up(event: RecordGivenUp) -> _Counts:
    letters = ("dead_letters", "", int(event.how == "dead_letter"))
    return [("records_given_up", event.how, 1), letters]


_TROUBLES = {
    "throttled": "throttled_calls",
    "expired": "expired_iterators",
    "GarbledAnswer": "garbled_answers",
}
_UNLABELLED = (
    "batches",
    "bytes_read",
    "dead_letters",
    "duplicates_known",
    "empty_pages",
    "handler_failures",
    "pages",
    "records_done",
    "records_read",
    "saves",
    "shards_ended",
    *_TROUBLES.values(),
)


_COUNTED: dict[type, Callable[..., _Counts]] = {
    PageRead: _of_page,
    CallFailed: _of_call,
    BatchDelivered: lambda event: [("batches", "", 1), ("records_done", "", event.records)],
    BatchFailed: _of_failure,
    RecordGivenUp: _of_given_up,
    PositionSaved: lambda _: [("saves", "", 1)],
    SaveFailed: lambda event: [("saves_failed", event.code, 1)],
    Gap: lambda event: [("gaps", event.reason, 1)],
    ShardEnded: lambda _: [("shards_ended", "", 1)],
}
