"""Tumbling windows: folding records into typed state that Lambda carries from batch to batch.

Rules, from AWS Lambda's `stateful processing`_:

* Each invocation of a window gets the state that the one before it returned, ``{}`` at first. A
  response without ``state`` is a failed invocation.
* State is JSON, up to 1 MB a shard; past that Lambda ends the window early.
* The last invocation of a window may have no records. If it fails, the shard waits for it to
  succeed.
* A batch that fails is sent again with the state of before, and a partly failed one with the state
  that was returned: so the state returned has exactly the records in it that are reported as done.

Theory of operation: a fold's state is stored under the fold's name as plain JSON, which a function
in another language reads and writes as well. What JSON would not hold exactly is a DynamoDB
attribute value in its place. A fold that fails half-way may have changed its state: the earlier
state is then folded anew from what the invocation brought.

.. _stateful processing: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import make_dataclass
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_origin

from ddbstream._model import codec_for
from ddbstream._router.awaiting import at_once, finish
from ddbstream._router.handlers import failed
from ddbstream._router.log import log
from ddbstream._router.results import Failure
from ddbstream._values.callables import check_function
from ddbstream._values.plain_json import from_plain, to_plain
from ddbstream.exceptions import BatchError, DDBStreamError, RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._model import Codec, Registry
    from ddbstream._records import StreamRecord
    from ddbstream._router.matching import RouteTable
    from ddbstream._router.results import BatchResult
    from ddbstream._router.routes import Route

__all__ = [
    "FoldState",
    "Folding",
    "Folds",
    "Window",
    "WindowBatch",
    "WindowEnd",
    "make_fold_state",
]

# "State size of 1 MB per shard": services-ddb-windows. Bytes of the JSON text.
MAX_STATE: Final = 1_000_000


class Window(NamedTuple):
    """The window that an invocation belongs to.

    Attributes:
        start: When it began, aware.
        end: When it ends, aware.
        shard_id: The shard whose records it has; each shard has its own state.
        is_final: Whether this is its last invocation.
        is_terminated_early: Whether Lambda ended it before its time, because the state grew too
            large.
        context: Lambda's context object.
    """

    start: datetime
    end: datetime
    shard_id: str | None
    is_final: bool
    is_terminated_early: bool
    context: object


class FoldState:
    """How one fold's state is made, stored and read.

    Attributes:
        name: What it is stored under.
    """

    def __init__(
        self,
        name: str,
        annotation: Any,
        initial: Callable[[], Any],
        registry: Registry | None = None,
    ) -> None:
        self.name = name
        self.initial = initial
        self._annotation = annotation
        # A model of one field, so that whatever can be a field can be a state.
        self._holder: Any = make_dataclass("State", [("state", annotation)])
        self._codec: Codec[Any] = codec_for(self._holder, registry)

    def read_with(self, registry: Registry | None) -> FoldState:
        """The same with a registry; raises ModelDefinitionError."""
        if registry is self._codec.registry:
            return self
        return FoldState(self.name, self._annotation, self.initial, registry)

    def ending(self, function: Callable[..., Any], *, wants_window: bool) -> WindowEnd:
        """A function that gets this state at the window's end."""
        return WindowEnd(function, self.name, wants_window)

    def read(self, stored: object) -> Any:
        """The state out of what `write` made. Raises DecodeError."""
        return self._codec.decode({"state": from_plain(stored)}).state

    def write(self, state: Any) -> dict[str, Any]:
        """What is stored, by its name: nothing for what is absent. Raises EncodeError."""
        written = self._codec.encode(self._holder(state), "json").get("state")
        return {} if written is None else {self.name: to_plain(written)}


class WindowEnd(NamedTuple):
    """A function that is to be called with a fold's final state."""

    function: Callable[..., Any]
    fold: str
    wants_window: bool


def make_fold_state(
    name: str, annotation: Any, initial: Any, registry: Registry | None = None
) -> FoldState:
    """Check what a fold says of its state; raises RouteDefinitionError, ModelDefinitionError."""
    if annotation is None:
        annotation = Any
    if initial is None:
        made = dict if annotation is Any else (get_origin(annotation) or annotation)
        try:
            made()
        except Exception as error:
            raise RouteDefinitionError(
                f"fold {name}: cannot make a first state by calling {made!r} without arguments "
                f"({type(error).__name__}): give initial="
            ) from error
        initial = made
    check_function(initial, f"fold {name}: initial=", RouteDefinitionError, arguments=0)
    return FoldState(name, annotation, initial, registry)


class Folding:
    """The states of one invocation.

    Args:
        table: Which folds a record leads to; their routes' handlers are the fold functions.
        states: Each fold's, by its route.
        stored: The event's ``state``.

    Raises:
        BatchError: The stored state is not what these folds return.
    """

    def __init__(
        self, table: RouteTable, states: Mapping[Route, FoldState], stored: object
    ) -> None:
        self._table = table
        self._states = states
        self._stored = stored if isinstance(stored, Mapping) else {}
        self._folded: list[StreamRecord[Any]] = []
        self._values = self._first()

    def _first(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for state in self._states.values():
            if state.name not in self._stored:
                values[state.name] = at_once(state.initial(), "initial=")
                continue
            try:
                values[state.name] = state.read(self._stored[state.name])
            except DDBStreamError as error:
                raise BatchError(
                    f"the window's state of {state.name} cannot be read: was it written by another "
                    f"version of the function? ({error})"
                ) from error
        return values

    def fold(self, record: StreamRecord[Any]) -> Failure | None:
        """Fold a record into every state that wants it: into all, or none and it is a failure."""
        route: Route | None = None
        try:
            for route, view in self._wanting(record):
                name = self._states[route].name
                self._values[name] = at_once(route.handler(self._values[name], view), "a fold")
        except Exception as error:  # noqa: BLE001 - its record's failure, whatever it is
            failure = failed(record, error, route)
            self._values = self._first()
            for done in self._folded:
                for again, view in self._wanting(done):
                    name = self._states[again].name
                    self._values[name] = at_once(again.handler(self._values[name], view), "a fold")
            return failure
        self._folded.append(record)
        return None

    def _wanting(self, record: StreamRecord[Any]) -> list[tuple[Route, StreamRecord[Any]]]:
        views = [
            (r, record._with_codec(r.codec)) for r in self._table.candidates_for(record).routes
        ]
        return [(route, view) for route, view in views if route.wants(view)]

    def end(self, ends: Sequence[WindowEnd], window: Window) -> None:
        """Call the functions that wait for the window's end. Raises what they raise."""
        for one in ends:
            value = self._values[one.fold]
            finish(one.function(value, window) if one.wants_window else one.function(value))

    def stored(self) -> dict[str, Any]:
        """The state to return. Raises EncodeError for one that is no state."""
        written: dict[str, Any] = {}
        for state in self._states.values():
            written.update(state.write(self._values[state.name]))
        self._check_size(written)
        # What this function has no fold for is another version's: handed on as it came.
        known = {state.name for state in self._states.values()}
        return {**{k: v for k, v in self._stored.items() if k not in known}, **written}

    def _check_size(self, written: Mapping[str, Any]) -> None:
        size = len(dumps(written).encode())
        if size > MAX_STATE:
            log("warning", "the window's state is over 1 MB: Lambda will end it early", size=size)


class Folds(NamedTuple):
    """What a router does in windows.

    Attributes:
        table: Which folds a record leads to; their routes' handlers are the fold functions.
        states: Each fold's, by its route.
        ends: What to call at a window's end.
    """

    table: RouteTable
    states: Mapping[Route, FoldState]
    ends: tuple[WindowEnd, ...]

    def begin(self, event: Mapping[str, Any], context: object) -> WindowBatch:
        """An invocation; raises BatchError if its window or state cannot be read."""
        return WindowBatch(self, event, context)


class WindowBatch:
    """One invocation in a window.

    Args:
        folds: What the router does in windows.
        event: The Lambda event.
        context: Lambda's context object.

    Attributes:
        event: The same, with records: a window's last invocation may have none.
        folding: Folds the records that are done.
        result: What became of the batch; set once it has run.

    Raises:
        BatchError: The event's window or state cannot be read.
    """

    result: BatchResult

    def __init__(self, folds: Folds, event: Mapping[str, Any], context: object) -> None:
        self._folds = folds
        self._window = window_of(event, context)
        self.event = {**event, "Records": []} if event.get("Records") is None else event
        self.folding = Folding(folds.table, folds.states, event.get("state"))

    def close(self) -> dict[str, Any]:
        """The state to answer with; ``{}`` at the window's end, once its functions were called.

        Raises:
            Exception: What a function at the window's end raises.
            EncodeError: A state cannot be stored.
        """
        if self._window.is_final and self.result.checkpoint is None:
            self.folding.end(self._folds.ends, self._window)
            return {}
        return self.folding.stored()


def window_of(event: Mapping[str, Any], context: object) -> Window:
    """The window that an event says it belongs to.

    Raises:
        BatchError: Its ``window`` is none.
    """
    window = event.get("window")
    try:
        start, end = (
            datetime.fromisoformat(window[name].replace("Z", "+00:00"))  # type: ignore[index]
            for name in ("start", "end")
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BatchError("the event's window has no start and end") from None
    return Window(
        start,
        end,
        event.get("shardId"),
        event.get("isFinalInvokeForWindow") is True,
        event.get("isWindowTerminatedEarly") is True,
        context,
    )
