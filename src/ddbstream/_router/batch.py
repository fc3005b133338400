"""Running a batch: one record after another here, different items at once in `concurrent_batch`.

Rules, beside those of ``results``:

* Different items may run at once; one item's records run one after another, in the batch's order.
* After a failure no later record starts. Earlier records still run, since the checkpoint is the
  first record that is not done.
* When ``stop_when`` says so, no more records start. Those that run are waited for: a record whose
  handler is still running can be reported neither as done nor as failed.
* A batch always starts its first record, so that a batch that is sent again makes progress.
* What is not an `Exception`, such as KeyboardInterrupt, ends the batch at once. It passes through
  as soon as no record runs any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._router.awaiting import finish
from ddbstream._router.failures import settle
from ddbstream._router.handlers import failed, read_with
from ddbstream._router.matching import because_of_name
from ddbstream._router.results import BatchResult, Failure, identifier

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord
    from ddbstream._router.failures import DeadLetterSink, Decisions
    from ddbstream._router.handlers import Handlers
    from ddbstream._router.matching import Candidates
    from ddbstream._router.routes import Route
    from ddbstream._router.windows import Folding

__all__ = ["BatchOptions", "run_in_order"]


class BatchOptions(NamedTuple):
    """What holds for one batch.

    Attributes:
        context: What handlers with a second parameter get.
        stop_when: Asked before each record but the first; True stops the batch there.
        decisions: Decide about failures; None in a router without ``on_error``.
        sink: Takes dead letters.
        folding: Folds each record that is done into its window's state.
    """

    context: object = None
    stop_when: Callable[[], object] | None = None
    decisions: Decisions | None = None
    sink: DeadLetterSink | None = None
    folding: Folding | None = None

    def settle(self, failure: Failure) -> Failure | None:
        """Decide about a failure and see it through; None if the record is done after all."""
        return settle(failure, self.decisions, self.sink, self.context)


def _route_of(candidates: Candidates | None, handler: object) -> Route | None:
    return candidates.route_of(handler) if candidates and handler else None


def run_in_order(
    records: Iterable[StreamRecord[Any]], handlers: Handlers, options: BatchOptions
) -> BatchResult:
    """Handle one record after another, up to the first that fails.

    Args:
        records: Taken one at a time, so that a batch of any size holds one record's objects.
        handlers: Runs a record's handlers.
        options: What holds for this batch.
    """
    lookup, own, unnamed = handlers.table.lookup, handlers.codec, handlers.table.unnamed
    context, stop_when, folding = options.context, options.stop_when, options.folding
    processed = 0
    for record in records:
        # False is what nearly every answer is, and a call less.
        if stop_when and processed and (ends := stop_when()) is not False and finish(ends):
            return BatchResult(processed, (), identifier(record))
        failure = handler = candidates = entity = None
        typed = record
        # Inlined: a call for each everyday record would take a third longer.
        try:
            found = lookup.get(type(record))
            if found is None:  # malformed, or there are several classifiers
                failure = handlers.handle(record, context)
            else:
                classify, by_entity, rest = found
                entity = classify(record)
                candidates = by_entity.get(entity) or unnamed(entity, rest)
                if candidates.handlers is None:
                    failure = handlers.handle(record, context, candidates)
                else:
                    if record._codec is not candidates.codec and candidates.codec is not None:
                        typed = read_with(record, candidates.codec, own)
                    for handler in candidates.handlers:
                        result = handler(typed)
                        if result is not None:
                            finish(result)
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            error = because_of_name(error, entity)
            failure = failed(typed, error, _route_of(candidates, handler))
        if failure is None and folding is not None:
            failure = folding.fold(record)
        if failure is not None:
            failure = options.settle(failure)
            if failure is not None:
                return BatchResult(processed, (failure,), identifier(record))
        processed += 1
    return BatchResult(processed, (), None)
