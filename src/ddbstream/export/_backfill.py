"""A live table through a router: a parallel scan whose items come as inserts.

Rules:

* Each segment of the scan has a thread, which hands over one page at a time, and saves where the
  next begins once the page is done.
* What is written while the scan runs may be seen or not. A backfill is whole together with the
  stream: start the stream's consumer first, then the backfill, and expect some
  items twice.
* The number of segments belongs to the progress: another number is another scan.

Source: `parallel scan`_.

.. _parallel scan: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock, Thread
from time import time
from typing import TYPE_CHECKING, Any, Final, cast

from ddbstream._router.awaiting import finish
from ddbstream._values.callables import check_function, check_methods
from ddbstream._values.json_values import has_part
from ddbstream._values.service_errors import code_of
from ddbstream.exceptions import ExportError
from ddbstream.export._load import LoadProgress, LoadReport
from ddbstream.progress import MemoryProgress, Progress

if TYPE_CHECKING:
    from ddbstream._router.router import StreamRouter

__all__ = ["backfill"]

_DONE: Final = "done"
_TRIES: Final = 3  # as many as botocore makes


def backfill(  # noqa: PLR0913 - each is a choice of its own
    table_name: str,
    router: StreamRouter,
    *,
    client: Any = None,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    segments: int = 4,
    page_size: int | None = None,
    consistent: bool = False,
    progress: Progress | None = None,
    context: object = None,
    on_progress: Callable[[LoadProgress], object] | None = None,
) -> LoadReport:
    """Hand every item of a table to a router, as inserts.

    Args:
        table_name: The table.
        router: Where the records go. Handlers run in as many threads as there are segments.
        client: boto3's ``dynamodb`` client; made if not given.
        endpoint_url: For a client that is made.
        region_name: For a client that is made.
        segments: How many parts to scan at once.
        page_size: Items a page, at most; DynamoDB's own limit is 1 MB.
        consistent: Whether to read consistently, at twice the price.
        progress: Remembers how far each segment is.
        context: What handlers with a second parameter get there.
        on_progress: Told of each page that is done, from the segments' threads, one at a time.
            It may be async.

    Raises:
        ExportError: There is no such table, or what is given would have to be awaited and is not.
        Exception: What the client raised, where a segment could not be read; the first, if several.
    """
    check_methods(router, "router", ExportError, "dispatch")
    check_methods(client, "client=", ExportError, "describe_table", "scan")
    check_methods(progress, "progress=", ExportError, "load", "save")
    if on_progress is not None:
        check_function(on_progress, "on_progress=", ExportError, arguments=1, awaited=True)
    if segments < 1:
        raise ExportError("segments= is from 1 on: without one nothing would be read")
    client = client or _make_client(endpoint_url, region_name, segments)
    scan = _Scan(client, _described(client, table_name), router, progress or MemoryProgress())
    scan.options = {"Limit": page_size} if page_size else {}
    if consistent:
        scan.options["ConsistentRead"] = True
    scan.context, scan.on_progress = context, on_progress
    scan.run(segments)
    return scan.report


def _make_client(endpoint_url: str | None, region_name: str | None, segments: int) -> Any:
    try:  # boto3 is an extra
        import boto3
        from botocore.config import Config
    except ImportError:
        raise ExportError("a backfill needs boto3: pip install 'ddbstream[poller]'") from None
    # A scan runs into its table's limits by design: that it is slowed down is no failure.
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 20},
        max_pool_connections=max(10, segments),
    )
    return cast("Any", boto3).client(
        "dynamodb", endpoint_url=endpoint_url, region_name=region_name, config=config
    )


def _described(client: Any, table_name: str) -> Mapping[str, Any]:
    code = None
    try:
        answer = _whole_answer(client.describe_table, "Table", Mapping, TableName=table_name)
        table: Mapping[str, Any] = answer["Table"]
    except Exception as error:
        code = code_of(error)
        if code != "ResourceNotFoundException":
            raise
    else:
        return table
    raise ExportError(f"there is no table {table_name}")


def _whole_answer(
    call: Callable[..., Any], part: str, kind: type, /, **request: Any
) -> Mapping[str, Any]:
    """What a call answers, once that has what it must have."""
    for _ in range(_TRIES):
        answer: object = call(**request)
        if has_part(answer, part, kind):
            return answer
    raise ExportError(f"the answers of DynamoDB have no {part}: they are cut off, {_TRIES} times")


class _Scan:
    """One backfill."""

    context: object = None
    on_progress: Callable[[LoadProgress], object] | None = None
    options: Mapping[str, Any] | dict[str, Any]

    def __init__(
        self, client: Any, table: Mapping[str, Any], router: StreamRouter, progress: Progress
    ) -> None:
        self._client = client
        self._name: str = table["TableName"]
        self._arn: str = table["TableArn"]
        self._keys: Sequence[str] = [part["AttributeName"] for part in table["KeySchema"]]
        self._total: int | None = table.get("ItemCount")
        self._router = router
        self._progress = progress
        self._lock = Lock()
        self._stop = Event()
        self._errors: list[BaseException] = []
        self.report = LoadReport()

    def run(self, segments: int) -> None:
        """Scan all segments; raise what the first that broke raised."""
        self.report.total = segments
        # Python before 3.13 takes a thread for ended whose `join` Ctrl-C interrupted.
        ended = [Event() for _ in range(segments)]
        threads = [
            Thread(
                target=self._guarded,
                args=(number, segments, ended[number]),
                name=f"ddbstream-backfill-{number}",
            )
            for number in range(segments)
        ]
        try:
            for thread in threads:
                thread.start()
            for event in ended:
                # Not for ever: a kernel may hand the signal of Ctrl-C to another thread, and then
                # Python acts on it when this one wakes by itself.
                while not event.wait(0.5):
                    pass
        except BaseException:
            # Ctrl-C: the pages under way are done and saved, and no more are begun.
            self._stop.set()
            for thread, event in zip(threads, ended, strict=True):
                if thread.ident is not None:
                    event.wait()
                    thread.join()
            raise
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _guarded(self, number: int, segments: int, ended: Event) -> None:
        try:
            self._segment(number, segments)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the caller's thread
            self._errors.append(error)
            self._stop.set()
        finally:
            ended.set()

    def _segment(self, number: int, segments: int) -> None:
        key = f"{self._arn} scan {number}/{segments}"
        state = self._progress.load(key)
        if state == _DONE:
            with self._lock:
                self.report.finished += 1
            return
        start = None if state is None else _read_key(state)
        while not self._stop.is_set():
            more = {"ExclusiveStartKey": start} if start is not None else {}
            page = _whole_answer(
                self._client.scan,
                "Items",
                list,
                TableName=self._name,
                Segment=number,
                TotalSegments=segments,
                **self.options,
                **more,
            )
            if not self._take(page["Items"], number):
                return
            start = page.get("LastEvaluatedKey")
            self._progress.save(key, _DONE if start is None else _write_key(start))
            if start is None:
                with self._lock:
                    self.report.finished += 1
                return

    def _take(self, items: Sequence[Mapping[str, Any]], number: int) -> bool:
        """Hand over one page; whether all of it is done."""
        now = time()
        records = [self._record(item, now) for item in items]
        result = self._router.dispatch(records, stream_arn=self._arn, context=self.context)
        with self._lock:
            self.report.records += result.processed
            self.report.failures.extend(result.failures)
            if self.on_progress is not None:
                progress = LoadProgress(self.report.records, self._total, f"segment {number}")
                finish(self.on_progress(progress))
        if result.checkpoint is not None:
            self._stop.set()
        return result.checkpoint is None

    def _record(self, item: Mapping[str, Any], now: float) -> dict[str, Any]:
        return {
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": self._arn,
            "awsRegion": self._arn.split(":")[3],
            "dynamodb": {
                "ApproximateCreationDateTime": now,
                "Keys": {name: item[name] for name in self._keys},
                "NewImage": item,
                "StreamViewType": "NEW_IMAGE",
            },
        }


def _write_key(key: Mapping[str, Mapping[str, Any]]) -> str:
    # A binary key attribute is bytes, which JSON lacks.
    return json.dumps(
        {
            name: {
                tag: b2a_base64(value, newline=False).decode() if tag == "B" else value
                for tag, value in attribute.items()
            }
            for name, attribute in key.items()
        }
    )


def _read_key(text: str) -> dict[str, dict[str, Any]]:
    return {
        name: {tag: a2b_base64(value) if tag == "B" else value for tag, value in attribute.items()}
        for name, attribute in json.loads(text).items()
    }
