"""How an event source mapping judges what a function returned.

Rules, from AWS Lambda's `partial batch response`_ and recordings of it:

* Without ``ReportBatchItemFailures`` any response is success, and only an exception is a failure.
* With it, success is an empty list, null, an empty object, and an object whose
  ``batchItemFailures`` is an empty list or null.
* An item identifier that is empty, null, absent, or names no record of the batch makes the whole
  batch fail.
* Otherwise everything from the lowest sequence number that is named comes again.
* In a tumbling window a response without ``state`` is a failed invocation.

.. _partial batch response: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Verdict", "judge"]

# AWS: "State size of 1 MB per shard": past it the window is ended early.
STATE_LIMIT: Final = 1_000_000


class Verdict(NamedTuple):
    """The outcome of an invocation.

    Attributes:
        done: How many records of the batch are done, from its start.
        function_error: ``"Unhandled"`` if the function failed; None if it answered.
        reason: Why the batch, or the rest of it, comes again, in words; None if it does not.
        state: In a tumbling window the state that was returned; None if there is none to take.
        state_too_large: Whether the state is over the limit.
    """

    done: int
    function_error: str | None = None
    reason: str | None = None
    state: Any = None
    state_too_large: bool = False


def judge(
    answer: object,
    sequence_numbers: Sequence[str],
    *,
    reports_failures: bool,
    in_window: bool = False,
) -> Verdict:
    """Judge what a function returned.

    Args:
        answer: What it returned.
        sequence_numbers: The batch's sequence numbers, in order.
        reports_failures: Whether the mapping has ``ReportBatchItemFailures``.
        in_window: Whether it has a tumbling window.
    """
    try:
        answer = json.loads(json.dumps(answer))
    except (TypeError, ValueError) as error:
        return Verdict(0, "Unhandled", f"the answer is no JSON: {error}")
    state: Any = None
    if in_window:
        if not isinstance(answer, Mapping) or not isinstance(answer.get("state"), Mapping):
            return Verdict(0, None, "in a tumbling window the answer has to have state")
        state = answer["state"]
    done, reason = len(sequence_numbers), None
    if reports_failures:
        done, reason = _partial(answer, sequence_numbers)
    if reason is not None and not done:
        return Verdict(0, None, reason)
    large = state is not None and len(json.dumps(state).encode()) > STATE_LIMIT
    return Verdict(done, None, reason, state, large)


def _partial(answer: object, sequence_numbers: Sequence[str]) -> tuple[int, str | None]:
    if answer is None or answer in ([], {}):
        return len(sequence_numbers), None
    if not isinstance(answer, Mapping):
        return 0, "the answer is no object"
    failures = answer.get("batchItemFailures")
    if failures is None or failures == []:
        return len(sequence_numbers), None
    if not isinstance(failures, list):
        return 0, "batchItemFailures is no list"
    places = {number: place for place, number in reversed([*enumerate(sequence_numbers)])}
    named = []
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
        if not isinstance(identifier, str) or identifier not in places:
            return 0, "an itemIdentifier is of no record of the batch"
        named.append(places[identifier])
    return min(named), "batch item failures"
