"""A poller on a terminal: a table that is drawn anew, with log lines above it."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ddbstream.cli._standard_streams import console, is_plain, plural
from ddbstream.exceptions import printable

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ddbstream.poller import ShardStatus, StreamPoller

__all__ = ["Screen", "is_for_a_screen"]

_MOST_SHARDS: Final = 12  # of a terminal of 24 lines
_RATE_OVER: Final = 10.0  # seconds


def is_for_a_screen() -> bool:
    """Whether standard error is a terminal that can be drawn on."""
    return sys.stderr.isatty() and not is_plain()


class Screen:
    """Shows where a poller is, about once a second, while this is open.

    Args:
        poller: The poller.
        title: What it does, in a line.
    """

    def __init__(self, poller: StreamPoller, title: str) -> None:
        self._poller = poller
        self._title = title
        self._began = time.monotonic()
        self._counts: deque[tuple[float, int]] = deque()
        self._stopping = False
        self._live = Live(
            get_renderable=self.render,
            console=console(stderr=True),
            refresh_per_second=2,
            # What handlers print goes where it would, above the table if that is the terminal.
            redirect_stdout=sys.stdout.isatty(),
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say_stopping(self) -> None:
        """Say at the next drawing that it is stopping; a signal handler may call this."""
        self._stopping = True

    def render(self) -> RenderableType:
        """What is drawn."""
        metrics = self._poller.metrics
        done = metrics.counters["records_done", ""]
        failures = metrics.counters["handler_failures", ""]
        given_up = sum(n for (name, _), n in metrics.counters.items() if name == "records_given_up")
        shards = sorted(
            (shard for stream in metrics.streams for shard in stream.shards),
            key=lambda shard: (shard.stage == "waiting", -shard.failing, -shard.lag),
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("shard", overflow="ellipsis", no_wrap=True)
        for heading in ("stage", "lag", "failing for"):
            table.add_column(heading, justify="right", no_wrap=True)
        for shard in shards[:_MOST_SHARDS]:
            table.add_row(*_row(shard))
        parts = [
            f"{plural(done, 'record')} done",
            f"{self._rate(done):.1f}/s",
            f"lag {_seconds(max((stream.lag for stream in metrics.streams), default=0.0))}",
            plural(failures, "failure"),
            *([f"{given_up} given up"] if given_up else []),
            plural(len(shards), "shard"),
            _seconds(time.monotonic() - self._began),
        ]
        lines: list[RenderableType] = [Text(printable(self._title), "bold"), table]
        if len(shards) > _MOST_SHARDS:
            lines.append(Text(f"… and {plural(len(shards) - _MOST_SHARDS, 'more shard')}", "dim"))
        lines.append(Text("  ".join(parts), "red" if failures else "green"))
        problem = self._poller.problem()
        if problem not in (None, "not running", "not started yet"):
            lines.append(Text(printable(f"! {problem}"), "yellow"))
        if self._stopping:
            lines.append(Text("stopping, press again to end now", "yellow"))
        return Group(*lines)

    def _rate(self, done: int) -> float:
        """Records a second, over the last seconds."""
        now = time.monotonic()
        self._counts.append((now, done))
        while now - self._counts[0][0] > _RATE_OVER:
            self._counts.popleft()
        then, before = self._counts[0]
        return (done - before) / (now - then) if now > then else 0.0


def _row(shard: ShardStatus) -> tuple[str | Text, ...]:
    failing = Text(_seconds(shard.failing), "red") if shard.failing else Text("-", "dim")
    return printable(shard.shard_id), shard.stage, _seconds(shard.lag), failing


def _seconds(seconds: float) -> str:
    """A duration that can be read at a glance: ``0.4 s``, ``12 s``, ``3 min``, ``5.2 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
