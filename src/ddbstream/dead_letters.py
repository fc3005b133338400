"""Sinks for dead letters: SQS, SNS, S3, a file of JSON lines.

A sink is any callable of one document; a record counts as done once its sink has returned. The
document has the shape that Lambda sends to an on-failure destination, with the record itself in
``payload``, as Lambda's S3 destination has it, and ``ddbstream`` with event id, route and
exception. ``ddbstream.replay`` reads it back.

The AWS sinks import boto3 on first use, unless they are given a client.

Source: AWS Lambda, `on-failure destinations`_ of stream event sources.

.. _on-failure destinations: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EPERM
from hashlib import sha256
from json import dumps
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import Any, Final, final
from uuid import uuid4

from ddbstream._router.failures import DeadLetterSink
from ddbstream._values.callables import check_methods
from ddbstream._values.extras import boto3_client
from ddbstream.exceptions import RouterArgumentError

__all__ = ["DeadLetterSink", "JSONLinesSink", "S3Sink", "SNSSink", "SQSSink"]

# AWS, quotas of SQS messages (1 MiB since August 2025) and of SNS messages (256 KiB), in bytes.
_SQS_LIMIT: Final = 1_048_576
_SNS_LIMIT: Final = 262_144


class _AWSSink:
    """What the AWS sinks share: a client that is made when it is first needed."""

    _service = ""
    _method = ""

    def __init__(self, client: Any = None) -> None:
        check_methods(client, "client=", RouterArgumentError, self._method)
        self._made = client
        self._lock = Lock()

    @property
    def _client(self) -> Any:
        with self._lock:  # making clients is not safe for threads; using them is
            if self._made is None:
                self._made = boto3_client(self._service)
            return self._made


@final
class SQSSink(_AWSSink):
    """Sends each dead letter to a queue.

    A FIFO queue gets one message group per item, and the event id for deduplication.

    Args:
        queue_url: The queue's URL.
        client: A boto3 SQS client.
        max_bytes: The queue's limit. A larger document goes without ``payload``, as Lambda's own:
            what remains says where in the stream the record is, for 24 hours.
    """

    _service, _method = "sqs", "send_message"

    def __init__(self, queue_url: str, *, client: Any = None, max_bytes: int = _SQS_LIMIT) -> None:
        super().__init__(client)
        self._queue_url = queue_url
        self._max_bytes = max_bytes

    def __call__(self, document: Mapping[str, Any]) -> None:
        """Send one. Raises what boto3 raises."""
        message: dict[str, Any] = {
            "QueueUrl": self._queue_url,
            "MessageBody": _within(document, self._max_bytes),
        }
        if self._queue_url.endswith(".fifo"):
            message["MessageGroupId"] = _item(document)
            event_id = document["ddbstream"]["eventId"]
            message["MessageDeduplicationId"] = str(event_id or _item(document))
        self._client.send_message(**message)


@final
class SNSSink(_AWSSink):
    """Publishes each dead letter to a topic.

    Args:
        topic_arn: The topic's ARN.
        client: A boto3 SNS client.
        max_bytes: As for `SQSSink`.
    """

    _service, _method = "sns", "publish"

    def __init__(self, topic_arn: str, *, client: Any = None, max_bytes: int = _SNS_LIMIT) -> None:
        super().__init__(client)
        self._topic_arn = topic_arn
        self._max_bytes = max_bytes

    def __call__(self, document: Mapping[str, Any]) -> None:
        """Publish one. Raises what boto3 raises."""
        self._client.publish(TopicArn=self._topic_arn, Message=_within(document, self._max_bytes))


@final
class S3Sink(_AWSSink):
    """Puts each dead letter into a bucket, under a key that sorts by time, as Lambda's own.

    Args:
        bucket: The bucket's name.
        prefix: What the keys start with; ``ddbstream/`` if not given.
        client: A boto3 S3 client.
    """

    _service, _method = "s3", "put_object"

    def __init__(self, bucket: str, *, prefix: str = "ddbstream/", client: Any = None) -> None:
        super().__init__(client)
        self._bucket = bucket
        self._prefix = prefix

    def __call__(self, document: Mapping[str, Any]) -> None:
        """Put one. Raises what boto3 raises."""
        moment = str(document["timestamp"])  # 2026-01-31T12:00:00.000Z
        name = f"{moment[:10].replace('-', '/')}/{moment[:19].replace(':', '.')}-{uuid4()}"
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._prefix + name,
            Body=dumps(document).encode(),
            ContentType="application/json",
        )


@final
class JSONLinesSink:
    """Appends each dead letter to a file, one line of JSON each, on the disk when it returns.

    A line is in the file whole or not at all, also where the disk is full, and behind a line that a
    crash has torn it begins a new one. Threads and processes may share the file. Mode, owner and
    link of a file that is there are kept; a link that another user has put there is not followed.

    Args:
        path: The file; made if it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = Lock()

    def __call__(self, document: Mapping[str, Any]) -> None:
        """Append one. Raises OSError."""
        line = dumps(document).encode() + b"\n"
        with self._lock:
            file = _open_to_append(self._path)
            try:
                with _locked(file):
                    _append(file, line)
            finally:
                os.close(file)


def _open_to_append(path: Path) -> int:
    """The file, open; made by nobody else, if it is new."""
    how = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, how | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        pass
    me = os.geteuid() if hasattr(os, "geteuid") else 0  # Windows has no such number
    if path.is_symlink() and path.lstat().st_uid not in (0, me):
        raise PermissionError(EPERM, "a link that another user has put there", str(path))
    if path.is_file():
        return os.open(path, how)
    # A pipe that nobody reads is an error, and not a wait for somebody who does.
    now = getattr(os, "O_NONBLOCK", 0)  # Windows has none, and no such pipes
    file = os.open(path, how & ~os.O_RDWR | os.O_WRONLY | now)
    if now:
        os.set_blocking(file, True)
    return file


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Keep other processes' letters out of a line, where the system can."""
    try:
        import fcntl  # Windows has none
    except ImportError:
        yield
        return
    with suppress(OSError):  # nor has every network's file system
        fcntl.flock(file, fcntl.LOCK_EX)
    yield  # closing the file unlocks it


def _append(file: int, line: bytes) -> None:
    about = os.fstat(file)
    if not S_ISREG(about.st_mode):  # a pipe, or a terminal
        _write(file, line)
        return
    size = about.st_size
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            line = b"\n" + line
    try:
        _write(file, line)
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def _write(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]


def _within(document: Mapping[str, Any], max_bytes: int) -> str:
    """The document's text, without its payload if that is too much."""
    text = dumps(document)
    if len(text.encode()) <= max_bytes:
        return text
    return dumps({name: value for name, value in document.items() if name != "payload"})


def _item(document: Mapping[str, Any]) -> str:
    """A name for the item that a document is about, as a message group may be called."""
    (record,) = document["payload"]["Records"]
    change = record.get("dynamodb")
    keys = change.get("Keys") if isinstance(change, Mapping) else None
    about = [document["DDBStreamBatchInfo"]["streamArn"], keys]
    return sha256(dumps(about, sort_keys=True).encode()).hexdigest()
