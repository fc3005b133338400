"""A function under its event source mapping, on this machine, with all that happens shown.

The mapping is the simulated one of ``ddbstream.testing``, with its rules for batches, retries,
windows and what is given up. The records are a real stream's, and the time is real.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ddbstream import Insert, LambdaHandler, Modify, Remove, StreamRecord, StreamRouter, parse
from ddbstream.cli._aws import aws_errors, boto3_client, described_stream
from ddbstream.cli._live_stream import LiveClock, LiveStream
from ddbstream.cli._mapping_settings import MappingSettings
from ddbstream.cli._remedies import in_words
from ddbstream.cli._render import Output, identity, styled
from ddbstream.cli._signals import STOPPED, Stop, say_stopping, stopping_on_signals
from ddbstream.cli._standard_streams import LogFormatter, complain_of, plural
from ddbstream.exceptions import DDBStreamError, PollerError, RouterFrozenError
from ddbstream.metrics import BatchEvent, HandlerEvent
from ddbstream.poller import StreamPoller
from ddbstream.testing import EventSourceMapping

if TYPE_CHECKING:
    from ddbstream.cli._parameters import Start

__all__ = ["FunctionRun", "Watched"]

_TURN: Final = 0.25  # seconds: how often Lambda looks at a shard
_LOST: Final = (
    "the handler reports failures, but the mapping has no ReportBatchItemFailures: Lambda takes "
    "every answer for a success, and what failed is lost"
)
_NO_ANSWER: Final = (
    "the mapping asks for partial responses, but the handler gives none: a batch that fails comes "
    "again as a whole (see LambdaHandler's report_batch_item_failures=)"
)
_REMEMBERED: Final = 10_000  # records that were shown, so that a retry does not show them again


@dataclass(frozen=True)
class FunctionRun:
    """What is run, and where its records come from.

    Attributes:
        name: The function's name.
        app: The function, or a router, which is then called as `LambdaHandler` would.
        table: The table's name, or a stream's ARN.
        region_name: AWS region; None for the session's.
        settings: Of the mapping.
        timeout: The function's, in seconds.
        failures: A file that takes what is given up; None for none.
        once: Whether to end when everything in the stream is handled.
    """

    name: str
    app: Any
    table: str
    region_name: str | None
    settings: MappingSettings
    timeout: float
    failures: Path | None = None
    once: bool = False

    def run(self, output: Output) -> None:
        """Run until stopped; what ends it otherwise becomes one line.

        Raises:
            click.ClickException: AWS refuses, there is no such stream, or a setting cannot work.
            SystemExit: It was stopped before the end that ``once`` asks for.
        """
        settings = self.settings
        if settings.report_batch_item_failures is None:
            settings = replace(settings, report_batch_item_failures=_reports(self.app))
        watched = Watched(self, settings, output)
        stop = Stop()
        clock = LiveClock(stop)
        live = LiveStream(self._poller, self._parents)
        try:
            mapping = EventSourceMapping(
                watched,
                live,
                clock=clock,
                timeout=self.timeout,
                function_name=self.name,
                on_failure=watched.given_up,
                **settings.keyword_arguments(),
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        watched.mapping = mapping

        def end() -> None:
            stop.set()
            mapping.disable()

        watched.end = end
        watched.introduce(settings)
        try:
            with _logging_as_lambda_does(), stopping_on_signals(end, say=say_stopping):
                live.start(once=self.once)
                self._turns(mapping, live, watched, stop)
        except (PollerError, *aws_errors()) as error:
            raise click.ClickException(in_words(error)) from None
        finally:
            live.stop()
        if self.once and stop.is_set() and not output.closed:
            raise SystemExit(STOPPED)

    def _turns(
        self, mapping: EventSourceMapping, live: LiveStream, watched: Watched, stop: Stop
    ) -> None:
        while not stop.is_set():
            ends = live.is_over
            mapping.run(seconds=None if ends else _TURN)
            watched.tell()
            if ends:
                return

    def _poller(self, live: LiveStream) -> StreamPoller:
        start: Start = self.settings.starting_position or "LATEST"
        return StreamPoller(
            self.table, live, start=start, region_name=self.region_name, on_gap="continue"
        )

    def _parents(self, stream_arn: str) -> dict[str, str | None]:
        client = boto3_client("dynamodbstreams", region_name=self.region_name)
        _, shards = described_stream(client, stream_arn)
        return {one["ShardId"]: one.get("ParentShardId") for one in shards}


def _reports(app: Any) -> bool:
    """Whether the mapping has to have ``ReportBatchItemFailures`` for what the function answers."""
    if isinstance(app, LambdaHandler):
        return app.report_batch_item_failures
    return isinstance(app, StreamRouter)


@contextmanager
def _logging_as_lambda_does() -> Iterator[None]:
    """Log lines of warnings, and of what the function has set to less, on standard error."""
    shown = logging.StreamHandler()
    shown.setFormatter(LogFormatter())
    ours = logging.getLogger("ddbstream")  # `Watched` says what matters
    propagated, ours.propagate = ours.propagate, False
    quiet = logging.NullHandler()
    ours.addHandler(quiet)
    logging.getLogger().addHandler(shown)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(shown)
        ours.removeHandler(quiet)
        ours.propagate = propagated


class Watched:
    """The function as the mapping calls it: records, outcomes and tracebacks are shown.

    Attributes:
        mapping: Whose function it is; set before the first call.
        end: Called when nobody reads the output any more.
    """

    mapping: EventSourceMapping
    end: Callable[[], object]

    def __init__(self, run: FunctionRun, settings: MappingSettings, output: Output) -> None:
        self._run = run
        self._output = output
        app = run.app
        if isinstance(app, StreamRouter):
            reports = bool(settings.report_batch_item_failures)
            app = LambdaHandler(app, report_batch_item_failures=reports)
        self._call: Callable[[Any, Any], Any] = app
        self._router = app.router if isinstance(app, LambdaHandler) else None
        if self._router is not None:
            with suppress(RouterFrozenError):  # its module has used it: only the end is told
                self._router.observe(self._observed)
        self._shown: dict[str | None, None] = {}
        self._attempts: dict[str, int] = {}
        self._seconds = 0.0
        self._traced: BaseException | None = None

    def introduce(self, settings: MappingSettings) -> None:
        """Say what runs, and what cannot be right about it."""
        start = settings.starting_position or "LATEST"
        lines = [
            f"{self._run.name} follows {self._run.table} from {start}: {settings}",
            *_contradictions(self._run.app, settings),
        ]
        for line, style in zip(lines, ("dim", *["yellow"] * len(lines)), strict=False):
            self._output.note(line, style)

    def __call__(self, event: Mapping[str, Any], context: Any) -> Any:
        """Call the function."""
        self.tell()
        records = list(parse(event))
        first = records[0].sequence_number or "" if records else ""
        self._attempts[first] = self._attempts.get(first, 0) + 1
        self._head(len(records), self._attempts[first], is_final=not records)
        for record in records:
            self._show(record)
        began = time.perf_counter()
        try:
            return self._call(event, context)
        except Exception as error:
            self._trace(error)
            raise
        finally:
            self._seconds = time.perf_counter() - began

    def tell(self) -> None:
        """Say how the invocations ended that were not told yet, and what was left out."""
        mapping = self.mapping
        for invocation in mapping.invocations:
            numbers = invocation.sequence_numbers
            attempt = self._attempts.get(numbers[0] if numbers else "", 1)
            if invocation.reason is None or invocation.done:
                self._attempts.pop(numbers[0] if numbers else "", None)
            self._outcome(invocation, attempt)
        for raw in mapping.filtered_out:
            (record,) = parse([raw])
            self._note_or_line("filtered_out", record, "no filter wants it")
        for raw in mapping.lost:
            (record,) = parse([raw])
            self._note_or_line("lost", record, "lost: the stream has kept it for 24 hours")
        # A mapping that runs for days would keep all of them.
        for told in (mapping.invocations, mapping.filtered_out, mapping.lost, mapping.given_up):
            told.clear()
        mapping.documents.clear()

    def given_up(self, document: Mapping[str, Any]) -> None:
        """Show a document for the failure destination, and keep it if there is a file for it."""
        self.tell()
        context = document["requestContext"]
        count = context["approximateInvokeCount"]
        if self._output.as_json:
            self._output.line({"on_failure": document})
        else:
            given_up = f"  given up after {plural(count, 'attempt')}: {context['condition']}"
            self._output.note(given_up, "bold red")
            self._output.item(document)
        if self._run.failures is not None:
            with self._run.failures.open("a", encoding="utf-8") as file:
                file.write(json.dumps(document) + "\n")

    def _head(self, count: int, attempt: int, *, is_final: bool) -> None:
        if self._output.as_json:
            return
        what = "the end of its window" if is_final else plural(count, "record")
        again = f", attempt {attempt}" if attempt > 1 else ""
        self._output.note(f"{self._run.name} gets {what}{again}", "cyan")

    def _show(self, record: StreamRecord[Any]) -> None:
        if record.event_id in self._shown:
            return
        self._shown[record.event_id] = None
        if len(self._shown) > _REMEMBERED:
            self._shown.pop(next(iter(self._shown)))
        try:
            if isinstance(record, Insert | Modify | Remove):  # a malformed one fails, and is told
                self._output.change(record, self._entity(record))
        except DDBStreamError as error:
            self._output.note(str(error), "red")
        if self._output.closed:
            self.end()

    def _entity(self, record: StreamRecord[Any]) -> str | None:
        if self._router is None:
            return None
        try:
            return self._router.classify(record)
        except Exception:  # noqa: BLE001 -- the function's failure, told there
            return None

    def _observed(self, event: HandlerEvent | BatchEvent) -> None:
        if isinstance(event, HandlerEvent):
            failed = None if event.error is None else type(event.error).__name__
            self._ran(event.route, event.seconds, failed, event.record)
            if event.error is not None:
                self._trace(event.error)
            return
        for failure in event.result.failures:
            self._trace(failure.error)  # a handler's is told already; a predicate's, or a misfit's

    def _outcome(self, invocation: Any, attempt: int) -> None:
        count = len(invocation.event["Records"])
        failed = None if invocation.error is None else type(invocation.error).__name__
        if self._output.as_json:
            self._output.line(
                {
                    "function": self._run.name,
                    "shard_id": invocation.shard_id,
                    "records": count,
                    "attempt": attempt,
                    "done": invocation.done,
                    "seconds": self._seconds,
                    "error": failed,
                    "reason": invocation.reason,
                    "answer": invocation.answer,
                }
            )
        elif invocation.reason is None:
            self._ran(self._run.name, self._seconds, None, None)
        else:
            done = f"{invocation.done} of {plural(count, 'record')} done: {invocation.reason}"
            self._output.note(styled(("  ✗ ", "bold red"), f"{self._run.name}  ", (done, "dim")))

    def _ran(
        self, name: str, seconds: float, failed: str | None, record: StreamRecord[Any] | None
    ) -> None:
        whose = "" if record is None else identity(record)
        event_id = record.event_id if record else None
        self._output.outcome(name, seconds, failed, whose=whose, event_id=event_id)

    def _note_or_line(self, name: str, record: StreamRecord[Any], why: str) -> None:
        if self._output.as_json:
            self._output.line({name: record.event_id, "event": record.event_name})
        else:
            self._output.note(f"{record.event_name} {identity(record)}: {why}", "dim")

    def _trace(self, error: BaseException) -> None:
        if error is not self._traced:  # one that a handler raised ends the function as well
            self._traced = error
            complain_of(error, colour="red")


def _contradictions(app: Any, settings: MappingSettings) -> list[str]:
    """What loses records, or repeats them, in AWS too."""
    reports = settings.report_batch_item_failures
    if not isinstance(app, LambdaHandler) or app.report_batch_item_failures == reports:
        return []
    return [_NO_ANSWER if reports else _LOST]
