"""Events as log lines: one a change of state, no stored value in any."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ddbstream.exceptions import printable
from ddbstream.poller._core.events import (
    BatchFailed,
    CallFailed,
    Event,
    Exit,
    Gap,
    RecordGivenUp,
    SaveFailed,
    ShardEnded,
    ShardStarted,
    StreamStarted,
)

__all__ = ["log_event"]


if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _Printable(_Adapter):
    """Logs names and codes as they may be read, whatever a server or a table has in them."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if self.isEnabledFor(level):
            shown = [arg if isinstance(arg, (int, float)) else printable(str(arg)) for arg in args]
            self.logger.log(level, msg, *shown, **kwargs)


def log_event(log: logging.Logger, event: Event) -> None:
    """Log an event, if it is one that people look for."""
    logger = _Printable(log, {})
    if isinstance(event, ShardStarted):
        logger.info("shard %s: reading from %s", event.shard_id, event.position)
    elif isinstance(event, ShardEnded):
        logger.info("shard %s: read to its end", event.shard_id)
    elif isinstance(event, StreamStarted):
        logger.info("stream %s: %s", event.stream_arn, "resumed" if event.resumed else "started")
    elif isinstance(event, Gap):
        logger.error(
            "records may be lost: %s, shard %s, after %s, until %s",
            event.reason,
            event.shard_id,
            event.after,
            event.until,
        )
    elif isinstance(event, BatchFailed):
        logger.error(
            "record %s of shard %s failed (%s), attempt %d",
            event.sequence_number,
            event.shard_id,
            type(event.error).__name__,
            event.attempt,
            exc_info=event.error if event.attempt == 1 else None,
        )
    elif isinstance(event, RecordGivenUp):
        logger.error(
            "record %s of shard %s given up: %s", event.sequence_number, event.shard_id, event.how
        )
    elif isinstance(event, CallFailed):
        level = logging.WARNING if event.kind not in ("expired", "throttled") else logging.INFO
        logger.log(
            level,
            "%s failed (%s), shard %s, again in %.1f s",
            event.operation,
            event.code,
            event.shard_id,
            event.retry_in,
        )
    elif isinstance(event, SaveFailed):
        logger.error(
            "saving shard %s failed (%s%s), again in %.1f s",
            event.shard_id,
            event.code,
            f": {event.reason}" if event.reason else "",
            event.retry_in,
        )
    elif isinstance(event, Exit):
        level = logging.INFO if event.error is None else logging.ERROR
        logger.log(level, "stopped: %s", event.reason)
