"""The MultiLangDaemon's protocol: one JSON object a line, on standard input and output.

Rules

* The daemon asks, the process answers with a status, and then only does the daemon ask again. Each
  line of ours has an empty line before it, since anybody may have written half a line before.
* While a question is open, the process may ask for a checkpoint, and the daemon answers that first.
* The daemon has no way to be told that a question cannot be answered. A process that ends instead
  of answering ends its daemon too, which gives its leases back: another worker goes on behind the
  last checkpoint.
* The end of the input means that the daemon is done with this shard, or is gone itself. It may come
  while a question is open, so a thread reads ahead.

Source: the KCL's `MultiLangProtocol`_ and its messages.

.. _MultiLangProtocol:
https://github.com/awslabs/amazon-kinesis-client/tree/master/amazon-kinesis-client-multilang
"""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import BinaryIO, Protocol, TypeAlias

import msgspec

__all__ = [
    "CheckpointError",
    "Checkpointer",
    "Conversation",
    "DaemonGoneError",
    "Delivery",
    "Ending",
    "KinesisRecord",
    "Processor",
    "ProtocolError",
    "Shard",
    "serve",
]


class CheckpointError(Exception):
    """A checkpoint was not stored; amazon-kclpy has its twin.

    Attributes:
        value: The name of the KCL's exception, such as ``ThrottlingException``.
    """

    def __init__(self, value: str) -> None:
        super().__init__(f"the KCL stored no checkpoint: {value}")
        self.value = value


class ProtocolError(Exception):
    """The daemon sent what is no message of the protocol."""


class DaemonGoneError(Exception):
    """The input ended while an answer was due."""


class Checkpointer(Protocol):
    """What stores a checkpoint: this module's, or amazon-kclpy's."""

    def checkpoint(
        self, sequence_number: str | None = None, sub_sequence_number: int | None = None
    ) -> None:
        """Store that everything up to a record is done; without one, that the shard is.

        Raises:
            Exception: Its ``value`` is the name of the KCL's exception.
        """
        ...


class KinesisRecord(Protocol):
    """A Kinesis record under amazon-kclpy's names."""

    @property
    def binary_data(self) -> bytes:
        """The change, as JSON."""
        ...

    @property
    def partition_key(self) -> str:
        """What it was put under."""
        ...

    @property
    def sequence_number(self) -> str:
        """Its number in the shard."""
        ...

    @property
    def sub_sequence_number(self) -> int | None:
        """Which part of an aggregated record it is."""
        ...

    @property
    def timestamp_millis(self) -> int | None:
        """When Kinesis took it."""
        ...


class Record(msgspec.Struct, frozen=True):
    """A Kinesis record, under amazon-kclpy's names."""

    binary_data: bytes = msgspec.field(name="data")
    partition_key: str = msgspec.field(name="partitionKey")
    sequence_number: str = msgspec.field(name="sequenceNumber")
    sub_sequence_number: int | None = msgspec.field(name="subSequenceNumber", default=None)
    timestamp_millis: int | None = msgspec.field(name="approximateArrivalTimestamp", default=None)


class _Question(msgspec.Struct, tag_field="action"):
    # Set where it is asked, as amazon-kclpy does: a checkpointer belongs to an open question.
    checkpointer: Checkpointer | None = None

    @property
    def action(self) -> str:
        """What a status has to name."""
        return str(self.__struct_config__.tag)


class Initialize(_Question, tag="initialize"):
    """A shard is this process's from now on."""

    shard_id: str = msgspec.field(name="shardId", default="")
    sequence_number: str | None = msgspec.field(name="sequenceNumber", default=None)
    sub_sequence_number: int | None = msgspec.field(name="subSequenceNumber", default=None)


class Records(_Question, tag="processRecords"):
    """Records of the shard, in its order; may be none."""

    records: list[Record] = []
    millis_behind_latest: int | None = msgspec.field(name="millisBehindLatest", default=None)


class LeaseLost(_Question, tag="leaseLost"):
    """Another worker has the shard: no checkpoint is possible."""


class ShardEnded(_Question, tag="shardEnded"):
    """All of the shard was delivered: to be confirmed by a checkpoint."""


class ShutdownRequested(_Question, tag="shutdownRequested"):
    """The lease is about to be given back."""


class _Checkpointed(msgspec.Struct, tag_field="action", tag="checkpoint"):
    error: str | None = None


Question: TypeAlias = Initialize | Records | LeaseLost | ShardEnded | ShutdownRequested
_Message: TypeAlias = Question | _Checkpointed


# What a processor needs of each question; amazon-kclpy's classes have it as well.


class Shard(Protocol):
    """Of `Initialize`."""

    @property
    def shard_id(self) -> str:
        """The Kinesis shard."""
        ...


class Ending(Protocol):
    """Of `ShardEnded` and `ShutdownRequested`."""

    @property
    def checkpointer(self) -> Checkpointer | None:
        """Set when the question is asked."""
        ...


class Delivery(Ending, Protocol):
    """Of `Records`."""

    @property
    def records(self) -> Sequence[KinesisRecord]:
        """In the shard's order."""
        ...

    @property
    def millis_behind_latest(self) -> int | None:
        """How far behind the stream's tip they were read."""
        ...


class Processor(Protocol):
    """What answers the daemon's questions; amazon-kclpy calls it a version 3 record processor.

    Each method returns when everything that it was asked for is done.
    """

    def initialize(self, initialize_input: Shard) -> None:
        """See `Initialize`."""
        ...

    def process_records(self, process_records_input: Delivery) -> None:
        """See `Records`."""
        ...

    def lease_lost(self, lease_lost_input: object) -> None:
        """See `LeaseLost`."""
        ...

    def shard_ended(self, shard_ended_input: Ending) -> None:
        """See `ShardEnded`."""
        ...

    def shutdown_requested(self, shutdown_requested_input: Ending) -> None:
        """See `ShutdownRequested`."""
        ...


class Conversation:
    """The lines between the daemon and this process.

    Args:
        reading: The daemon's lines.
        writing: Takes ours.
        gone: Set when the input has ended.
    """

    def __init__(self, reading: BinaryIO, writing: BinaryIO, gone: Event) -> None:
        self._writing = writing
        self._gone = gone
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._decoder: msgspec.json.Decoder[_Message] = msgspec.json.Decoder(_Message)
        Thread(target=self._read, args=(reading,), name="ddbstream-kcl-input", daemon=True).start()

    def _read(self, reading: BinaryIO) -> None:
        try:
            for line in reading:
                if line.strip():
                    self._lines.put(line)
        except (OSError, ValueError):  # closed under us
            pass
        finally:
            self._gone.set()
            self._lines.put(b"")

    def _next(self) -> _Message | None:
        line = self._lines.get()
        if not line:
            return None
        try:
            return self._decoder.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # The error may quote the line, which holds the user's data.
            raise ProtocolError("the MultiLangDaemon sent a line that is no message") from None

    def question(self) -> Question | None:
        """The daemon's next question; None when there will be none."""
        message = self._next()
        if isinstance(message, _Checkpointed):
            raise ProtocolError("the MultiLangDaemon answered where nothing was asked")
        return message

    def checkpoint(
        self, sequence_number: str | None = None, sub_sequence_number: int | None = None
    ) -> None:
        """See `Checkpointer.checkpoint`.

        Raises:
            CheckpointError: The KCL says that it is not stored.
            DaemonGoneError: Nobody answers any more.
        """
        self._write(
            {
                "action": "checkpoint",
                "sequenceNumber": sequence_number,
                "subSequenceNumber": sub_sequence_number,
            }
        )
        answer = self._next()
        if answer is None:
            raise DaemonGoneError("the MultiLangDaemon is gone")
        if not isinstance(answer, _Checkpointed):
            raise CheckpointError("InvalidStateException")
        if answer.error is not None:
            raise CheckpointError(answer.error)

    def done(self, question: Question) -> None:
        """Say that all that was asked for is done."""
        self._write({"action": "status", "responseFor": question.action})

    def _write(self, message: dict[str, object]) -> None:
        try:
            self._writing.write(b"\n" + msgspec.json.encode(message) + b"\n")
            self._writing.flush()
        except (OSError, ValueError):
            self._gone.set()
            raise DaemonGoneError("the MultiLangDaemon is gone") from None


def serve(processor: Processor, conversation: Conversation) -> None:
    """Answer the daemon's questions until there are no more.

    What the processor raises passes through, and the question stays without an answer: nothing that
    has failed is ever reported as done.
    """
    while (question := conversation.question()) is not None:
        if isinstance(question, Initialize):
            processor.initialize(question)
        elif isinstance(question, LeaseLost):
            processor.lease_lost(question)
        else:
            question.checkpointer = conversation
            if isinstance(question, Records):
                processor.process_records(question)
            elif isinstance(question, ShardEnded):
                processor.shard_ended(question)
            else:
                processor.shutdown_requested(question)
        conversation.done(question)
