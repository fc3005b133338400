"""The process that a MultiLangDaemon starts for a shard.

Rules

* Standard output is the protocol's alone. What handlers and libraries print goes to standard error,
  also what a subprocess of theirs prints; nobody but the protocol reads standard input.
* The daemon decides when to stop: Ctrl-C reaches every process of a terminal, and a service manager
  may send SIGTERM to each of its group. Both are the daemon's affair. The end of the input ends
  this process.
* Once it is over the process ends for certain, whatever threads a handler has left behind: the
  daemon waits for that, with the shard in its hands.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ddbstream.kcl._processor import RecordProcessor
from ddbstream.kcl._protocol import Conversation, DaemonGoneError, ProtocolError, serve

if TYPE_CHECKING:
    from ddbstream._router.router import StreamRouter

__all__ = ["processor_of", "run", "speak", "take_standard_streams"]

# Longer than handlers need to close their connections, and less than the KCL's fail-over: by the
# time another worker may have the shard, this one is gone. (failoverTimeMillis is 10 s.)
_LAST_SECONDS: Final = 5.0


def run(router: StreamRouter | RecordProcessor, **options: Any) -> None:
    """Serve one shard, as the process that a MultiLangDaemon starts; returns when it is done.

    Takes standard input and output for the protocol: from here on everything that is printed goes
    to standard error. Soon after it has returned, the process ends.

    Args:
        router: Handles the records; or a `RecordProcessor` made of one.
        options: Of `RecordProcessor`.

    Raises:
        SystemExit: It cannot go on. The daemon then ends as well, and gives its shards to others.
        TypeError: ``router`` is neither, or an option is not known.
    """
    processor = processor_of(router, options)
    speak(processor, *take_standard_streams())


def processor_of(
    router: StreamRouter | RecordProcessor, options: Mapping[str, Any]
) -> RecordProcessor:
    """The processor of a router, or the one given.

    Raises:
        TypeError: An option is not known, or is given to a processor that has its own.
    """
    if not isinstance(router, RecordProcessor):
        return RecordProcessor(router, **options)
    if options:
        raise TypeError("a RecordProcessor has its options already")
    return router


def speak(processor: RecordProcessor, reading: BinaryIO, writing: BinaryIO) -> None:
    """Serve a shard over the daemon's pipes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    gone = processor.gone
    # What runs when the daemon goes gets a few seconds; its lease will be another worker's soon.
    threading.Thread(target=_end_after, args=(gone,), name="ddbstream-kcl-end", daemon=True).start()
    try:
        serve(processor, Conversation(reading, writing, gone))
    except (DaemonGoneError, ProtocolError) as error:
        sys.stderr.write(f"ddbstream: {error}\n")
        raise SystemExit(75) from None
    finally:
        gone.set()
        writing.close()


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """The daemon's pipes, under numbers of our own that no subprocess inherits."""
    sys.stdout.flush()
    reading = os.fdopen(os.dup(0), "rb")
    writing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # Its own buffer would come late: what is printed is to be read beside the log.
    sys.stdout = sys.stderr
    return reading, writing


def _end_after(gone: threading.Event) -> None:
    gone.wait()
    # A daemon thread: it sees to the end only if the process does not end by itself.
    threading.Event().wait(_LAST_SECONDS)
    sys.stderr.write("ddbstream: the process is ended, with threads that still run\n")
    sys.stderr.flush()
    os._exit(75)
