"""A router under test: items in, what its handlers were given out.

`RouterHarness` makes the records, dispatches them as a host does, and tells which handlers ran and
with what. No event JSON, no mock: the router, its middleware and its handlers are the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from ddbstream import parse
from ddbstream._router.awaiting import finish
from ddbstream._wire.on_failure import as_lambda_json
from ddbstream.testing.builders import insert, modify, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        failures: The records that failed and are not done, as in `ddbstream.BatchResult`.
        unmatched: The records that no route wanted, in order.
        checkpoint: Item identifier of the first record that is not done; None if all are.
        notes: For each unmatched record why no route wanted it, in words.
        dead_lettered: The records that failed and that an ``on_error`` function had put aside, in
            order: they are done once the sink has them.
        skipped: The records that failed and that an ``on_error`` function had skipped, in order.
    """

    handled: tuple[tuple[str, StreamRecord[Any]], ...]
    failures: tuple[Failure, ...]
    unmatched: tuple[StreamRecord[Any], ...]
    checkpoint: str | None
    notes: tuple[str, ...] = ()
    dead_lettered: tuple[StreamRecord[Any], ...] = ()
    skipped: tuple[StreamRecord[Any], ...] = ()

    @property
    def handlers(self) -> tuple[str, ...]:
        """The names of the handlers that returned, in order."""
        return tuple(name for name, _ in self.handled)

    def __str__(self) -> str:
        """A line for each handler, and for each record that none has handled."""
        lines = [f"{name} handled {_words(record)}" for name, record in self.handled]
        lines += [
            f"{failure.route or 'no handler'} failed {_words(failure.record)}: "
            f"{type(failure.error).__name__}"
            for failure in self.failures
        ]
        lines += [f"put aside {_words(record)}" for record in self.dead_lettered]
        lines += [f"skipped {_words(record)}" for record in self.skipped]
        lines += self.notes
        return "\n".join(lines) or "no records"


@final
class RouterHarness:
    """Sends items through a router and tells what became of them.

    Args:
        router: The router under test. Like any router it cannot change once it has dispatched.
        dispatch_options: What `StreamRouter.dispatch` takes besides records: ``context=``,
            ``concurrency=``, ``stream_arn=``, ``stop_when=``, ``dead_letter=``. Without the last
            the harness itself is the sink.
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
        sink = self._options.get("dead_letter")
        run = _Run(sink)
        options = dict(self._options)
        if sink is None or callable(sink):  # what is none is refused by `dispatch`
            options["dead_letter"] = run.take_letter
        result = self._router.dispatch(made, on_handled=run.note, **options)
        run.failed = {id(failure.record.raw) for failure in result.failures}
        unmatched, notes = [], []
        for record in made:
            if result.checkpoint is not None and not result.failures:
                break
            if run.settle(record):
                explained = self._router.explain(record)
                if explained.problem is not None:
                    run.skip(record)
                elif not explained.chosen:
                    unmatched.append(record)
                    notes.append(self._why(record, explained.entity))
            if result.failures and record.raw is result.failures[0].record.raw:
                break
        return Outcome(
            tuple(run.ran),
            result.failures,
            tuple(unmatched),
            result.checkpoint,
            tuple(notes),
            tuple(run.dead_lettered),
            tuple(run.skipped),
        )

    def _why(self, record: StreamRecord[Any], entity: str | None) -> str:
        routes = self._router.routes()
        known = sorted({route.entity for route in routes if route.entity is not None})
        if entity is None:
            return f"no route wants this {record.event_name} without an entity: {_names(known)}"
        if entity in known:
            return f"no route wants this {record.event_name} of {entity!r}: see router.explain()"
        return f"no route wants entity {entity!r}: {_names(known)}"


class _Run:
    """What happens in one dispatch.

    Args:
        sink: Takes what is put aside, besides.
    """

    def __init__(self, sink: Callable[[Mapping[str, Any]], object] | None) -> None:
        self._sink = sink
        self._letters: list[Any] = []
        self._errors: dict[int, StreamRecord[Any]] = {}
        self._touched: set[int] = set()
        self.ran: list[tuple[str, StreamRecord[Any]]] = []
        self.failed: set[int] = set()
        self.dead_lettered: list[StreamRecord[Any]] = []
        self.skipped: list[StreamRecord[Any]] = []

    def note(self, event: Any) -> None:
        """A handler ran."""
        self._touched.add(id(event.record.raw))
        if event.error is None:
            self.ran.append((event.route.rpartition(".")[2], event.record))
        else:
            self._errors[id(event.record.raw)] = event.record

    def take_letter(self, document: Mapping[str, Any]) -> object:
        """A record is put aside."""
        taken = None if self._sink is None else finish(self._sink(document))
        (carried,) = document["payload"]["Records"]
        self._letters.append(carried)
        return taken

    def settle(self, record: StreamRecord[Any]) -> bool:
        """See what became of a record; whether the router has to be asked."""
        place = id(record.raw)
        if place in self.failed:
            return place not in self._touched
        carried = as_lambda_json(record.raw)
        if carried in self._letters:
            self._letters.remove(carried)
            self.dead_lettered.append(self._errors.get(place, record))
            return False
        if place in self._errors:
            self.skip(record)
        return place not in self._touched

    def skip(self, record: StreamRecord[Any]) -> None:
        """The record is done, although it has failed."""
        if id(record.raw) not in self.failed:
            self.skipped.append(self._errors.get(id(record.raw), record))


def _names(known: list[str]) -> str:
    listed = ", ".join(repr(name) for name in known)
    return f"the router knows {listed}" if listed else "the router knows no entity"


def _words(record: StreamRecord[Any]) -> str:
    event = f"event {record.event_id}" if record.event_id else "an event without id"
    return f"{record.event_name}, {event}"
