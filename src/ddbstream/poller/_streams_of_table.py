"""The streams that a table has had, and which of them a consumer still has to read.

A stream that is disabled and enabled again is another stream. What is left in the old one can be
read for a day, and belongs before the new one's records.

Rules

* From the oldest stream that the consumer has begun, none is left out: also one that was enabled
  and disabled while nothing was read, and if all that was begun is finished and dropped.
* A stream that the service still lists is opened once more, for nothing tells that it was read to
  its end; if it was, its core finds that out in one listing.
* One that the service has dropped is opened if the store has an unfinished shard of it, or if it
  was the last to be begun and nothing of it was saved: what is lost is then reported as a gap.
* While the service refuses to list streams, the last to be begun is taken to be there for a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from ddbstream.poller._core.positions import AtStart, End, State
from ddbstream.poller._core.start import Following

__all__ = ["beginning_of", "chain_of", "enabled_at", "table_of"]


def table_of(stream_arn: str) -> str:
    """The ARN of a stream's table."""
    return stream_arn.partition("/stream/")[0]


def beginning_of(later_arn: str) -> AtStart | Following:
    """Where to begin a stream that came after another one of its table."""
    enabled = enabled_at(later_arn)
    return AtStart() if enabled is None else Following(enabled)


def enabled_at(stream_arn: str) -> float | None:
    """When a stream was enabled, in epoch seconds; None if its ARN does not tell."""
    label = stream_arn.rpartition("/")[2]
    try:
        enabled = datetime.fromisoformat(label.removesuffix("Z"))
    except ValueError:  # what stands in for the service may have other labels
        return None
    return enabled.replace(tzinfo=timezone.utc).timestamp()


def chain_of(
    newest: str, states: Mapping[str, State], listed: Iterable[str], *, kept_since: float = 0.0
) -> list[str]:
    """The streams of a table to read, one after another; the newest alone if none was begun.

    An ARN ends with the moment when its stream was enabled, in ISO 8601: text sorts as time does.

    Args:
        newest: The table's stream.
        states: What the store holds of older ones, by ARN.
        listed: All that the service lists; none if it refuses to.
        kept_since: A stream that was in reach later than that may still be there.
    """
    there = set(listed)
    begun = {arn: state for arn, state in states.items() if state.start is not None}
    last = max(begun, default=None)  # those before it were read to their end
    left = [arn for arn, state in begun.items() if arn in there or _is_unfinished(state)]
    if last is not None and last not in left:
        state = begun[last]
        refused = newest not in there
        if not state.positions or (refused and (state.alive_until or 0.0) > kept_since):
            left.append(last)
    if last is None:
        return [newest]
    first = min(left, default=last)
    later = {arn for arn in there if first < arn < newest}
    return sorted({*left, *later, newest})


def _is_unfinished(state: State) -> bool:
    return any(not isinstance(position, End) for position in state.positions.values())
