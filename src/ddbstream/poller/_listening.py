"""`on_event`, in a thread of its own: a listener that hangs stops nothing but itself.

What it raises that is no Exception (SystemExit, KeyboardInterrupt) ends the poller, as it would
anywhere else: in a thread it would end that alone, without a word.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from ddbstream.poller._core.events import Event
from ddbstream.poller._ongoing import Ongoing

__all__ = ["Listening"]

logger = logging.getLogger("ddbstream.poller")

_MOST = 10_000  # events that wait; a listener that hangs must not fill the memory


class Listening:
    """Hands events to a listener, in order.

    Args:
        listener: Called with each.
        ongoing: Is told of each call.
        interrupt: Ends the poller with what is raised in the thread and is no Exception.
        threaded: Whether in a thread; else on the spot.
    """

    def __init__(
        self,
        listener: Callable[[Event], object],
        ongoing: Ongoing,
        interrupt: Callable[[BaseException], object],
        *,
        threaded: bool,
    ) -> None:
        self._listener = listener
        self._ongoing = ongoing
        self._interrupt = interrupt
        self._threaded = threaded
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.dropped = 0

    def put(self, event: Event) -> None:
        """Hand an event over; the oldest that waits is dropped if there are too many."""
        if not self._threaded:
            self._call(event)
            return
        with self._changed:
            if len(self._waiting) >= _MOST:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(event)
            if self._thread is None:
                name = "ddbstream-poller-events"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Hand over what waits; a listener that takes longer than ``seconds`` is left alone."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._call_with_each()
        except BaseException as error:  # noqa: BLE001 - raised again by the driver
            logger.warning("on_event raised %s: it is called no more", type(error).__name__)
            self._interrupt(error)

    def _call_with_each(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                event = self._waiting.popleft()
            self._call(event)

    def _call(self, event: Event) -> None:
        with self._ongoing.doing("on_event"):
            try:
                self._listener(event)
            except Exception:  # a listener's trouble is not the poller's
                logger.exception("on_event failed")
