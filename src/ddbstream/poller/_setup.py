"""From a poller's arguments to a stream that is ready to run: its ARN, client, lease, positions."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

from ddbstream._values.callables import check_function, check_methods, is_async
from ddbstream.exceptions import (
    CheckpointError,
    DDBStreamError,
    FencedError,
    PollerArgumentError,
    PollerError,
    StreamNotFoundError,
)
from ddbstream.poller import _fences as fences
from ddbstream.poller._client import (
    StreamsApi,
    failure_of,
    knows_timestamps,
    list_streams,
    make_client,
    resolve_stream,
)
from ddbstream.poller._core.budget import Budget
from ddbstream.poller._core.core import StreamCore
from ddbstream.poller._core.events import Exit
from ddbstream.poller._core.policies import FailurePolicy, Settings, policy_of
from ddbstream.poller._core.positions import State
from ddbstream.poller._core.start import Begin, Now, begin_at
from ddbstream.poller._dispatching import Dispatcher
from ddbstream.poller._first_calls import explained, patiently
from ddbstream.poller._stores.contract import DEFAULT_CONSUMER, CheckpointStore, Lease, key_of
from ddbstream.poller._stores.memory import MemoryCheckpoints
from ddbstream.poller._stream import Stream
from ddbstream.poller._streams_of_table import beginning_of, chain_of, enabled_at, table_of
from ddbstream.poller._workers import Clock, instant

__all__ = ["Setup"]

logger = logging.getLogger("ddbstream.poller")

T = TypeVar("T")

_STORE_METHODS = ("acquire", "load", "fix_start", "save", "renew", "forget", "release", "reset")
_NAP = 0.25  # seconds, after which somebody may have asked for an end


class StoppedWaitingError(Exception):
    """The poller was stopped, or its time was up, before it had the lease."""


class Setup:
    """Opens streams for a poller: see `StreamPoller` for the arguments."""

    def __init__(  # noqa: PLR0913 - keyword-only: what a poller can be told
        self,
        *,
        own: Callable[[Callable[..., object]], Callable[..., object]],
        commits_itself: bool,
        consumer: str,
        checkpoints: CheckpointStore | None,
        start: Literal["TRIM_HORIZON", "LATEST"] | datetime,
        client: Any,
        endpoint_url: str | None,
        region_name: str | None,
        on_failure: Literal["block", "skip", "stop"] | FailurePolicy,
        on_gap: Literal["fail", "continue"] | None,
        takeover: bool | None,
        on_missing: Literal["fail", "skip"],
        connections: int,
        settings: Settings | None,
        clock: Clock,
    ) -> None:
        self.commits_itself = commits_itself
        self._consumer = _consumer(consumer)
        self._store = checkpoints if checkpoints is not None else MemoryCheckpoints()
        self._begin = begin_at(start)
        self._injected = client is not None
        self._client = client
        self._tables: Any = None
        self._policy = policy_of(on_failure)
        sink = self._policy.sink
        if sink is not None:
            about = "the sink of on_failure="
            check_function(sink, about, PollerArgumentError, arguments=1, awaited=True)
        self.sink = None if sink is None else own(sink)  # takes records that are given up
        check_methods(checkpoints, "checkpoints=", PollerArgumentError, *_STORE_METHODS)
        self._takeover = takeover
        if on_missing not in ("fail", "skip"):
            raise PollerArgumentError("on_missing is 'fail' or 'skip'")
        self._skips_missing = on_missing == "skip"
        self.wait_until: float | None = None  # on the monotonic clock
        self._making = threading.Lock()
        self._make_client = partial(
            make_client,
            endpoint_url=endpoint_url,
            region_name=region_name,
            connections=connections,
        )
        self._clock = clock
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.settings = settings if settings is not None else Settings()
        if on_gap is not None:
            self.settings = replace(self.settings, on_gap=on_gap)
        self.begin_run(None, lambda: False)

    def begin_run(self, dispatcher: Dispatcher | None, stop_asked: Callable[[], bool]) -> None:
        """Have what is opened from now on, each name in its thread, belong to a new run."""
        self._asked_at = self._clock.monotonic()  # what "now" is where that is the start
        self._had_at: dict[str, float] = {}  # by table; the same where a lease was waited for
        self._given: dict[str, str] = {}  # by ARN, the name
        self.waits: set[str] = set()  # ARNs of streams whose lease another poller has
        self.dispatcher = dispatcher
        self.stop_asked = stop_asked
        # What the last run still held when it ended is held by nobody, and no page would free it.
        self._budget = Budget(self.settings)

    def rewind(self, name: str) -> None:
        """Forget the consumer's start and positions of a name's streams."""
        reset = getattr(self._store, "reset", None)
        if reset is None:
            raise PollerError("this checkpoint store has no reset(): see CheckpointStore")
        newest = self._resolve(name)
        arns = {newest}
        if newest != name:
            streams_of = getattr(self._store, "streams_of", None)
            known = (
                [] if streams_of is None else streams_of(table_of(newest), consumer=self._consumer)
            )
            arns |= {*self._listed(newest), *known}
        for arn in sorted(arns):
            reset(arn, consumer=self._consumer)

    def _is_missing(self, name: str) -> bool:
        if not self._skips_missing:
            return False
        try:
            arn = self._patiently(lambda: self._resolve(name))
            call = self._streams_client().describe_stream
            if not is_async(call):
                self._patiently(lambda: call(StreamArn=arn, Limit=1))
        except Exception as error:
            if not isinstance(error, StreamNotFoundError) and failure_of(error).kind != "gone":
                raise
            logger.warning("there is no stream of %s: it is left out", name)
            return True
        return False

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, self._clock, self.settings.read_backoff, self._rest)

    def open(self, name: str) -> Stream | Exit | None:
        """Resolve a name, take the stream's lease and load its positions.

        Gives None if there is no such stream, and that is no reason to stop. What is a reason is
        given as such, and not raised.
        """
        try:
            return None if self._is_missing(name) else self._opened(name)
        except StoppedWaitingError:
            return Exit("deadline")  # or a stop, which the driver knows of
        except FencedError as error:
            return Exit("fenced", error)
        except Exception as error:  # noqa: BLE001 - the run ends with it, whatever it is
            return Exit("failed", error)

    def _opened(self, name: str) -> Stream:
        newest = self._patiently(lambda: self._resolve(name))
        self._note_given(newest, name)
        listed = [] if newest == name else self._patiently(lambda: self._listed(newest))
        self._streams_client()  # before the lease: it may fail too
        try:
            return self._open(name, newest, listed)
        except (DDBStreamError, StoppedWaitingError):
            raise
        except Exception as error:
            raise CheckpointError(explained(self._store, error)) from error

    def _open(self, name: str, newest: str, listed: list[str]) -> Stream:
        lease, state = self._hold(newest)
        try:
            # Who names a stream means that one, and who names a table all that is left of it.
            older = [] if newest == name else self._older(newest, listed, state)
            states = {arn: self._peek(arn) for arn in older}
            kept_since = self._clock.time() - self.settings.retention
            chain = chain_of(newest, states, listed, kept_since=kept_since)
        except BaseException:
            self._let_go(lease)
            raise
        first = not any(state.start for state in states.values())
        if chain[0] != newest:
            self._let_go(lease)
            self._note_given(chain[0], name)
            return self._begun(chain)
        asked_at = self._had_at.get(table_of(newest), self._asked_at)
        begin = Now(asked_at) if self._begin is None else self._begin
        return self._make(lease, state, begin if first else beginning_of(newest))

    def _note_given(self, arn: str, name: str) -> None:
        if self._given.setdefault(arn, name) != name:
            raise PollerArgumentError(
                f"{arn} is given twice, by two names: a poller reads each stream once"
            )

    def _older(self, newest: str, listed: list[str], state: State) -> list[str]:
        """The table's older streams that the store may know."""
        older = {arn for arn in listed if arn < newest}
        streams_of = getattr(self._store, "streams_of", None)
        if state.start is not None or streams_of is None:
            return sorted(older)  # a stream is begun when those before it are done
        try:
            known = streams_of(table_of(newest), consumer=self._consumer)
        except Exception as error:
            if failure_of(error).kind != "denied":
                raise
            logger.warning(
                "the checkpoint table may not be scanned: a stream that the service has dropped "
                "before it was read is not noticed"
            )
            known = []
        return sorted({*older, *(arn for arn in known if arn < newest)})

    def _peek(self, arn: str) -> State:
        lease, state = self._hold(arn)
        self._store.release(lease)
        return state

    def _begun(self, chain: list[str]) -> Stream:
        return self._make_first(chain, *self._hold(chain[0]))

    def _listed(self, arn: str) -> list[str]:
        """ARNs of the table's streams, oldest first; empty if that cannot be asked for."""
        client = self._streams_client()
        call = getattr(client, "list_streams", None)
        if call is None or is_async(call):
            return []
        try:
            return list_streams(client, table_of(arn).rpartition("/")[2])
        except Exception as error:
            failed = failure_of(error)
            if failed.kind not in ("denied", "invalid"):
                raise
            logger.warning(
                "ListStreams is refused (%s): a stream that was enabled and disabled again while "
                "nothing was read cannot be found",
                failed.code,
            )
            return []

    def open_successor(self, ended: Stream) -> Stream | None:
        """The stream that its table had next, from its beginning.

        None if there is none yet. What the service or the store raises is raised as it is, and not
        as a ddbstream error: it may pass.
        """
        later = list(ended.pending)
        if not later:
            try:
                newest = self._resolve(table_of(ended.arn))
            except StreamNotFoundError:
                return None
            # More than one may have come meanwhile.
            listed = [arn for arn in self._listed(ended.arn) if ended.arn < arn < newest]
            later = [*listed, newest] if newest != ended.arn else []
        return self._begun_if_free(later) if later else None

    def _begun_if_free(self, chain: list[str]) -> Stream:
        if self._takeover is None:
            # In a worker that others need: it is tried again later, and not waited for.
            lease = self._acquire_or_later(chain[0])
            return self._make_first(chain, lease, self._loaded(lease))
        return self._begun(chain)

    def _make_first(self, chain: list[str], lease: Lease, state: State) -> Stream:
        over_since = enabled_at(chain[1]) if len(chain) > 1 else None
        stream = self._make(lease, state, beginning_of(chain[0]), over_since)
        stream.pending = tuple(chain[1:])
        return stream

    def _acquire_or_later(self, arn: str) -> Lease:
        try:
            return self._acquire(arn, self.settings.lease, takeover=False)
        except FencedError:
            raise TimeoutError("another poller has the lease of the next stream") from None

    def _hold(self, arn: str) -> tuple[Lease, State]:
        if self.stop_asked():
            raise StoppedWaitingError
        lease = self._wait_for(arn)
        return lease, self._loaded(lease)

    def _loaded(self, lease: Lease) -> State:
        try:
            return self._store.load(lease)
        except BaseException:
            self._let_go(lease)
            raise

    def _let_go(self, lease: Lease) -> None:
        with contextlib.suppress(Exception):  # it ends by itself, and what went wrong first counts
            self._store.release(lease)

    def _wait_for(self, arn: str) -> Lease:
        ttl = self.settings.lease
        patience = 0.0 if self._takeover is False else self._patience(arn)
        until = None if patience is None else self._clock.monotonic() + patience
        try:
            while True:
                over = until is not None and self._clock.monotonic() >= until
                try:
                    return self._acquire(arn, ttl, takeover=over and self._takeover is True)
                except FencedError:
                    if over:
                        raise
                if arn not in self.waits:
                    self.waits.add(arn)
                    logger.info("waiting for the poller that has the lease of %s", arn)
                self._rest(min(1.0, ttl / 10))
                # until now it was the other one's turn
                self._had_at[table_of(arn)] = self._clock.monotonic()
        finally:
            self.waits.discard(arn)

    def _patience(self, arn: str) -> float | None:
        """Seconds to wait for a lease that another poller holds; None is for ever."""
        if self._takeover is None:
            return None
        # Two that take over from each other, and are started again, would do so for ever.
        return fences.patience(
            f"{arn}#{self._consumer}", self._clock.monotonic(), self.settings.lease
        )

    def _rest(self, seconds: float) -> None:
        """Let time pass, but no more of it once the run is to end."""
        until = self._clock.monotonic() + seconds
        while (now := self._clock.monotonic()) < until:
            end = until if self.wait_until is None else min(until, self.wait_until)
            if self.stop_asked() or now >= end:
                raise StoppedWaitingError
            self._clock.sleep(min(_NAP, end - now))

    def _acquire(self, arn: str, ttl: float, *, takeover: bool = True) -> Lease:
        # A store from before consumers had names serves the default one.
        named = {} if self._consumer == DEFAULT_CONSUMER else {"consumer": self._consumer}
        return self._store.acquire(arn, self._owner, ttl=ttl, takeover=takeover, **named)

    def _make(self, lease: Lease, state: State, begin: Begin, over: float | None = None) -> Stream:
        arn, client, settings = lease.stream_arn, self._streams_client(), self.settings
        core = StreamCore(
            arn,
            state,
            begin=begin,
            at=instant(self._clock),
            settings=settings,
            policy=self._policy,
            chance=random.Random().random,  # noqa: S311 - spreads waits, keeps no secret
            timestamps=knows_timestamps(client),
            over_since=over,
            budget=self._budget,
        )
        core.auto_commit(enabled=self.commits_itself)
        api = StreamsApi(client, arn, page_limit=settings.page_limit)
        return Stream(core, api, self._store, lease, self.dispatcher, self.sink)

    def _resolve(self, name: str) -> str:
        if name.startswith("arn:") and "/stream/" in name:
            return name
        with self._making:
            if not self._injected and self._tables is None:
                self._tables = self._make_client(service="dynamodb")
        return resolve_stream(name, self._streams_client(), self._tables)

    def _streams_client(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = self._make_client()
        return self._client


def _consumer(name: str) -> str:
    try:
        key_of("", name)
    except CheckpointError as error:
        raise PollerArgumentError(str(error)) from None
    return name
