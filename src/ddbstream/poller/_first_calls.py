"""The calls before there is a core, and what their failures say.

Rules

* What may pass is waited out, for half a minute: throttling, 5xx, a connection that breaks, an
  answer that was cut off. Then it is raised as it came. A call that takes longer than that itself
  is not made again.
* A server that is not there, and one that refuses, are told at once: who has just begun may have
  been given a wrong name.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from typing import TypeVar

from ddbstream._values.service_errors import answer_of
from ddbstream.poller._client import GarbledAnswerError, failure_of
from ddbstream.poller._core.commands import CommandFailed
from ddbstream.poller._core.policies import Backoff
from ddbstream.poller._workers import Clock

__all__ = ["explained", "patiently"]

logger = logging.getLogger("ddbstream.poller")

T = TypeVar("T")

_TRIES = 8
_PATIENCE = 30.0  # seconds; a client's own tries may take a minute before they time out
_BROKEN = ("ConnectionClosedError", "ReadTimeoutError", "ConnectionResetError", "TimeoutError")


def patiently(
    call: Callable[[], T], clock: Clock, backoff: Backoff, rest: Callable[[float], None]
) -> T:
    """What a call of the service gives, tried again while it fails in a way that may pass.

    Args:
        call: Makes it.
        clock: Tells how long that takes.
        backoff: Waits between the tries.
        rest: Lets so many seconds pass, or raises if there is to be no more waiting.

    Raises:
        Exception: What the last try raised.
    """
    began = clock.monotonic()
    for attempt in itertools.count(1):
        try:
            return call()
        except Exception as error:
            over = attempt == _TRIES or clock.monotonic() - began >= _PATIENCE
            if over or not _may_pass(error):
                raise
            code = failure_of(error).code
        wait = backoff.after(attempt, random.random())  # noqa: S311 - spreads waits
        logger.warning("the stream cannot be looked up (%s), again in %.1f s", code, wait)
        rest(wait)
    raise AssertionError  # it counts for ever


def _may_pass(error: Exception) -> bool:
    failed = failure_of(error)
    if failed.kind == "throttled" or isinstance(error, GarbledAnswerError):
        return True
    metadata = answer_of(error).get("ResponseMetadata", {})
    return failed.code in _BROKEN or metadata.get("HTTPStatusCode", 0) >= 500


def explained(store: object, error: Exception) -> str:
    """What a store raised, with where it keeps things, and what to do."""
    code = failure_of(error).code
    reason = CommandFailed("failed", code, error).reason
    said = "" if reason in ("", code) else f": {reason}"
    remedy = _REMEDIES.get(code)
    return f"{store!r} cannot be used: {code}{said}" + (f" ({remedy})" if remedy else "")


_REMEDIES = {
    "ResourceNotFoundException": "DynamoDBCheckpoints(…).create_table() makes the table",
    "AccessDeniedException": (
        "it needs dynamodb:GetItem, Query, Scan, UpdateItem, DeleteItem and ConditionCheckItem"
    ),
    "OperationalError": "can the file be written, and is no other process in a transaction of it?",
}
