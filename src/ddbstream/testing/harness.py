"""A router under test: items in, what its handlers were given out.

`RouterHarness` makes the records, dispatches them as a host does, and tells which handlers ran and
with what. No event JSON, no mock: the router, its middleware and its handlers are the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from ddbstream import parse
from ddbstream.testing.builders import insert, modify, remove

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ddbstream import Failure, StreamRecord, StreamRouter
    from ddbstream.testing.builders import RecordFields

__all__ = ["Outcome", "RouterHarness"]


@final
@dataclass(frozen=True)
class Outcome:
    """What a router did with the records of one call.

    Attributes:
        handled: The handlers that returned, in the order in which they did: each one's name, and
            the record as the handler got it, typed.
        failures: The records that failed, as in `ddbstream.BatchResult`.
        unmatched: The records that no route wanted, in order.
        checkpoint: Item identifier of the first record that is not done; None if all are.
        notes: For each unmatched record why no route wanted it, in words.
    """

    handled: tuple[tuple[str, StreamRecord[Any]], ...]
    failures: tuple[Failure, ...]
    unmatched: tuple[StreamRecord[Any], ...]
    checkpoint: str | None
    notes: tuple[str, ...] = ()

    @property
    def handlers(self) -> tuple[str, ...]:
        """The names of the handlers that returned, in order."""
        return tuple(name for name, _ in self.handled)

    def __str__(self) -> str:
        """A line for each handler, failure and unmatched record."""
        lines = [f"{name} handled {_words(record)}" for name, record in self.handled]
        lines += [
            f"{failure.route or 'no handler'} failed {_words(failure.record)}: "
            f"{type(failure.error).__name__}"
            for failure in self.failures
        ]
        lines += self.notes
        return "\n".join(lines) or "no records"


@final
class RouterHarness:
    """Sends items through a router and tells what became of them.

    Args:
        router: The router under test. Like any router it cannot change once it has dispatched.
        dispatch_options: What `StreamRouter.dispatch` takes besides records: ``context=``,
            ``concurrency=``, ``stream_arn=``, ``stop_when=``, ``dead_letter=``.
    """

    def __init__(self, router: StreamRouter, **dispatch_options: Any) -> None:
        self._router = router
        self._options = dispatch_options

    def insert(self, new: object, **fields: Unpack[RecordFields]) -> Outcome:
        """Send the record of a new item; arguments as for `ddbstream.testing.insert`."""
        return self.send(insert(new, **fields))

    def modify(self, old: object, new: object, **fields: Unpack[RecordFields]) -> Outcome:
        """Send the record of a changed item; arguments as for `ddbstream.testing.modify`."""
        return self.send(modify(old, new, **fields))

    def remove(self, old: object, **fields: Unpack[RecordFields]) -> Outcome:
        """Send the record of a removed item; arguments as for `ddbstream.testing.remove`."""
        return self.send(remove(old, **fields))

    def send(self, *records: object) -> Outcome:
        """Send records as one batch.

        Args:
            records: Wire records, as the builders make them, or records that `parse` gave.

        Raises:
            BatchError: The router has no route, or has folds, which need a window.
            PayloadError: What was given is no stream record.
        """
        made = list(parse(records))
        ran: list[tuple[str, StreamRecord[Any]]] = []
        touched: set[int] = set()

        def note(event: Any) -> None:
            touched.add(id(event.record.raw))
            if event.error is None:
                ran.append((event.route.rpartition(".")[2], event.record))

        result = self._router.dispatch(made, on_handled=note, **self._options)
        touched |= {id(failure.record.raw) for failure in result.failures if failure.route}
        unmatched, notes = [], []
        for record in made:
            if result.checkpoint is not None and not result.failures:
                break
            if id(record.raw) not in touched:
                explained = self._router.explain(record)
                if explained.problem is None and not explained.chosen:
                    unmatched.append(record)
                    notes.append(self._why(record, explained.entity))
            if result.failures and record.raw is result.failures[0].record.raw:
                break
        return Outcome(
            tuple(ran), result.failures, tuple(unmatched), result.checkpoint, tuple(notes)
        )

    def _why(self, record: StreamRecord[Any], entity: str | None) -> str:
        routes = self._router.routes()
        known = sorted({route.entity for route in routes if route.entity is not None})
        if entity is None:
            return f"no route wants a {record.event_name} without an entity: {_names(known)}"
        if entity in known:
            return f"no route wants this {record.event_name} of {entity!r}: see router.explain()"
        return f"no route wants entity {entity!r}: {_names(known)}"


def _names(known: list[str]) -> str:
    listed = ", ".join(repr(name) for name in known)
    return f"the router knows {listed}" if listed else "the router knows no entity"


def _words(record: StreamRecord[Any]) -> str:
    event = f"event {record.event_id}" if record.event_id else "an event without id"
    return f"{record.event_name}, {event}"
