"""The fake stream: a table that is written to, and the client that reads what the writes left.

Time is a `FakeClock`, and what goes wrong by chance comes from a seed, so a test that fails once
fails again. One contract suite runs against the fake and DynamoDB Local, so the two are known to
agree.
"""

from __future__ import annotations

import json
import random
import threading
import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any, final, get_args

from ddbstream.testing._record_forms import ViewType, carries, size_of_item
from ddbstream.testing.clock import FakeClock
from ddbstream.testing.fake_stream._errors import (
    Exceptions,
    client_error,
    connection_error,
    parameter_error,
)
from ddbstream.testing.fake_stream._faults import Answer, Faults, Troubles
from ddbstream.testing.fake_stream._items import copied, stored_item, stored_keys
from ddbstream.testing.fake_stream._requests import Iterator, check_parameters, read_iterator
from ddbstream.testing.fake_stream._shards import FakeShard, StreamData

__all__ = ["FakeStream"]

_SPACE = 1 << 32  # of the hash of an item's key
_ITERATOR_SECONDS = 15 * 60.0
_LISTED_AFTER_GONE = 6 * 3600.0  # DynamoDB Local lists a shard so much longer than its records


@final
class FakeStream:
    """A table with a stream.

    ```python
    stream = FakeStream("Product", keys=("PK", "SK"))
    stream.put({"PK": {"S": "Product#1"}, "SK": {"S": "User#Product"}, "price": {"N": "3"}})
    stream.roll_over()
    StreamPoller("Product", router, client=stream, clock=stream.clock).run_until_caught_up()
    ```

    Args:
        table: The table's name.
        keys: Its key attributes.
        view_type: What records carry.
        clock: Time; a new `FakeClock` by default.
        seed: Of everything that happens by chance.
        faults: How often what goes wrong.
        shards: Open shards to begin with.
        page_shards: Shards a page of `DescribeStream`.
        page_records: Records a page of `GetRecords`, at most.
        shuffled: Whether listings come in an order of their own. None is promised.
        retention: Seconds a record is kept.
        first_sequence_number: Of the first record. Real ones have 21 to 40 digits.
        supports_at_timestamp: Whether `GetShardIterator` takes ``AT_TIMESTAMP``.
        supports_shard_filter: Whether `DescribeStream` heeds ``ShardFilter``. DynamoDB Local
            ignores it.
        region: In ARNs and records.

    Raises:
        ValueError: There is no such stream.
    """

    def __init__(  # noqa: PLR0913 - what a stream in a test may be like
        self,
        table: str = "Table",
        *,
        keys: tuple[str, ...] = ("PK",),
        view_type: ViewType = "NEW_AND_OLD_IMAGES",
        clock: FakeClock | None = None,
        seed: int = 0,
        faults: Faults | None = None,
        shards: int = 1,
        page_shards: int = 100,
        page_records: int = 1000,
        shuffled: bool = False,
        retention: float = 86_400.0,
        first_sequence_number: int = 999_999_999_999_999_999_900,
        supports_at_timestamp: bool = True,
        supports_shard_filter: bool = True,
        region: str = "us-east-1",
    ) -> None:
        names: object = keys
        if shards < 1 or isinstance(names, str) or not names:
            raise ValueError("a fake stream has a shard, and its keys' names in a tuple")
        if view_type not in get_args(ViewType):
            raise ValueError(f"view_type= is one of {', '.join(get_args(ViewType))}")
        self.table = table
        self.clock = clock if clock is not None else FakeClock()
        self.exceptions = Exceptions()
        self.supports_at_timestamp = supports_at_timestamp
        self.supports_shard_filter = supports_shard_filter
        self.calls: dict[str, int] = {}
        """How often each operation was called."""
        self._keys = keys
        self._view_type = view_type
        self._page_shards = page_shards
        self._shuffled = shuffled
        self._page_records = page_records
        self._retention = retention
        self._region = region
        self._number = first_sequence_number
        self._ids = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._troubles = Troubles(seed, faults if faults is not None else Faults())
        self._lock = threading.RLock()
        self._items: dict[str, dict[str, Any]] = {}
        self._streams: list[StreamData] = []
        self._first_shards = shards
        self._events = 0
        self.iterators_valid_from = 0.0
        self.enable()

    # The table's side: what tests do to it

    @property
    def arn(self) -> str:
        """The ARN of the table's newest stream (``LatestStreamArn``)."""
        return self._streams[-1].arn

    @property
    def faults(self) -> Faults:
        """How often what goes wrong; to be set at any time."""
        return self._troubles.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._troubles.faults = faults

    def put(self, item: object) -> str | None:
        """Write an item, as `PutItem` does.

        Args:
            item: A model's instance, a mapping of Python values, or an item in wire form.

        Returns:
            The record's sequence number; None if the item was there already, in whatever spelling
            of its numbers and order of its sets, which makes no record.

        Raises:
            EncodeError: It cannot be written as an item.
            Exception: boto3's error for an item that the table does not take.
        """
        keys, new = stored_item(item, self._keys)
        with self._lock:
            identity = _identity(keys)
            old = self._items.get(identity)
            if old == new:
                return None
            self._items[identity] = new
            return self._append("MODIFY" if old else "INSERT", keys, new, old)

    def delete(self, item: object, *, by_ttl: bool = False) -> str | None:
        """Delete an item by its key attributes, as `DeleteItem` or Time to Live does.

        Args:
            item: As for `put`; only its key attributes are looked at.
            by_ttl: Whether Time to Live deletes it.

        Returns:
            The record's sequence number; None if there was no such item.
        """
        keys = stored_keys(item, self._keys)
        with self._lock:
            old = self._items.pop(_identity(keys), None)
            if old is None:
                return None
            user = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
            return self._append("REMOVE", keys, None, old, user if by_ttl else None)

    def _append(
        self,
        name: str,
        keys: dict[str, Any],
        new: dict[str, Any] | None,
        old: dict[str, Any] | None,
        user: dict[str, str] | None = None,
    ) -> str:
        number, now = self._next_number(), self.clock.time()
        stream = self._streams[-1]
        if stream.status != "ENABLED":
            return str(number)
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": datetime.fromtimestamp(int(now), timezone.utc),
            "Keys": keys,
            "SequenceNumber": str(number),
            "StreamViewType": self._view_type,
        }
        images = {
            name: item
            for name, item in (("NewImage", new), ("OldImage", old))
            if item is not None and carries(self._view_type, name)
        }
        change |= images
        change["SizeBytes"] = sum(map(size_of_item, (keys, *images.values())))
        self._events += 1
        record = {
            "eventID": f"{self._events:032x}",
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": change,
        }
        if user is not None:
            record["userIdentity"] = user
        stream.add(number, now, record)
        return str(number)

    def stored_shards(self) -> Mapping[str, FakeShard]:
        """The newest stream's shards with all that was ever written to them, by their ids.

        No fault, lag or trim touches what is read here: it is for tools, and not for a poller.
        """
        return self._streams[-1].shards

    def stored_log(self) -> Sequence[tuple[FakeShard, int]]:
        """Shard, and place in it, of all that is written to the newest stream, in order.

        It grows with every write. As `stored_shards`, for tools.
        """
        return self._streams[-1].log

    def roll_over(self) -> None:
        """Close every open shard and open a child of each, as happens about every four hours."""
        with self._lock:
            stream = self._streams[-1]
            for shard in stream.open_shards():
                self._close(shard)
                self._open(stream, shard.low, shard.high, shard.shard_id)

    def split(self, shard_id: str | None = None) -> None:
        """Close an open shard (the first, by default) and open two children of it, as load does."""
        with self._lock:
            stream = self._streams[-1]
            shard = stream.shards[shard_id] if shard_id else stream.open_shards()[0]
            middle = (shard.low + shard.high) // 2
            self._close(shard)
            self._open(stream, shard.low, middle, shard.shard_id)
            self._open(stream, middle, shard.high, shard.shard_id)

    def open_shards(self) -> list[str]:
        """Ids of the shards that take writes."""
        return [shard.shard_id for shard in self._streams[-1].open_shards()]

    def expire_iterators(self) -> None:
        """Expire every iterator handed out so far, as 15 minutes do."""
        self.clock.advance(0.001)
        self.iterators_valid_from = self.clock.time()

    def disable(self) -> None:
        """Disable the stream: its shards close; it can be read for 24 hours more."""
        with self._lock:
            stream = self._streams[-1]
            for shard in stream.open_shards():
                self._close(shard)
            stream.status, stream.ended_at = "DISABLED", self.clock.time()

    def enable(self) -> str:
        """Enable the stream (again): a new ARN, with new shards. Returns it."""
        with self._lock:
            if self._streams and self._streams[-1].status == "ENABLED":
                raise ValueError("the stream is enabled already")
            now = self.clock.time() + len(self._streams) / 1000  # labels differ, whatever the clock
            label = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
            arn = f"arn:aws:dynamodb:{self._region}:000000000000:table/{self.table}/stream/{label}"
            stream = StreamData(arn, label, now)
            self._streams.append(stream)
            step = _SPACE // self._first_shards
            for index in range(self._first_shards):
                high = _SPACE if index == self._first_shards - 1 else (index + 1) * step
                self._open(stream, index * step, high, None)
            return arn

    def fail(self, operation: str, answer: Answer, *, times: int = 1) -> None:
        """Have the next calls of an operation fail.

        Args:
            operation: ``ListStreams``, ``DescribeTable``, ``DescribeStream``,
                ``GetShardIterator`` or ``GetRecords``.
            answer: An AWS error code, ``"reset"`` (the connection breaks), or ``"cut"`` (the body
                of a 200 is cut off; botocore makes ``{}`` of it).
            times: How many calls.
        """
        self._troubles.plan(operation, answer, times)

    def _next_number(self) -> int:
        self._number += self._ids.randint(1, 9)  # gaps are normal
        return self._number

    def _open(self, stream: StreamData, low: int, high: int, parent: str | None) -> None:
        now = self.clock.time()
        shard_id = f"shardId-{int(now * 1000):020d}-{self._ids.getrandbits(32):08x}"
        shard = FakeShard(shard_id, parent, low, high, now, self._next_number())
        shard.order = self._order(shard_id)
        shard.listed_from = now + (self._troubles.delay() if parent else 0.0)
        stream.open(shard)

    def _close(self, shard: FakeShard) -> None:
        now = self.clock.time()
        self._streams[-1].close(shard, ending=self._next_number(), at=now)
        shard.ending_listed_from = now + self._troubles.delay()

    def _order(self, shard_id: str) -> tuple[int, str]:
        return (zlib.crc32(shard_id.encode()) if self._shuffled else 0, shard_id)

    # The client's side: what a boto3 dynamodbstreams client has

    def list_streams(self, **kwargs: Any) -> dict[str, Any]:
        """`ListStreams`: pages in order of the ARNs."""
        operation = "ListStreams"
        check_parameters(operation, kwargs, own=self.table)
        with self._lock:
            if self._begin(operation) == "cut":
                return {}
            horizon, after = self._horizon(), kwargs.get("ExclusiveStartStreamArn", "")
            left = [s for s in self._streams if s.is_left(horizon) and s.arn > after]
            if kwargs.get("TableName", self.table) != self.table:
                left = []
            page = left[: kwargs.get("Limit", 100)]
            answer: dict[str, Any] = {
                "Streams": [
                    {"StreamArn": s.arn, "TableName": self.table, "StreamLabel": s.label}
                    for s in page
                ]
            }
            if len(page) < len(left):
                answer["LastEvaluatedStreamArn"] = page[-1].arn
            return answer

    def describe_table(self, **kwargs: Any) -> dict[str, Any]:
        """`DescribeTable`, as far as it is about the stream."""
        operation = "DescribeTable"
        check_parameters(operation, kwargs)
        if self._begin(operation) == "cut":
            return {}
        if kwargs["TableName"] != self.table:
            raise client_error("ResourceNotFoundException", operation, "no such table")
        stream = self._streams[-1]
        table: dict[str, Any] = {"TableName": self.table, "LatestStreamArn": stream.arn}
        if stream.status == "ENABLED":
            view = {"StreamEnabled": True, "StreamViewType": self._view_type}
            table["StreamSpecification"] = view
        return {"Table": table}

    def describe_stream(self, **kwargs: Any) -> dict[str, Any]:
        """`DescribeStream`.

        Pages in order of creation, with ``ShardFilter`` if that is supported.
        """
        operation = "DescribeStream"
        check_parameters(operation, kwargs)
        parent = self._parent_wanted(kwargs.get("ShardFilter"))
        with self._lock:
            trouble = self._begin(operation)
            stream = self._stream(kwargs["StreamArn"], operation)
            if trouble == "cut":
                return {}
            now = self.clock.time()
            start = kwargs.get("ExclusiveStartShardId")
            page, more = stream.listed(
                self._order(start) if start else (-1, ""),
                kwargs.get("Limit", self._page_shards),
                gone=now - self._retention - _LISTED_AFTER_GONE,
                parent=parent,
            )
            description = {
                "StreamArn": stream.arn,
                "StreamLabel": stream.label,
                "StreamStatus": stream.status,
                "StreamViewType": self._view_type,
                "CreationRequestDateTime": datetime.fromtimestamp(stream.created_at, timezone.utc),
                "TableName": self.table,
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(self._keys, ("HASH", "RANGE"), strict=False)
                ],
                "Shards": [self._listed(s, now) for s in page if self._shows(s, now)],
            }
            if more:
                description["LastEvaluatedShardId"] = page[-1].shard_id
            date = formatdate(self.clock.time(), usegmt=True)
            metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}}
            return {"StreamDescription": description, "ResponseMetadata": metadata}

    def _parent_wanted(self, shard_filter: Mapping[str, Any] | None) -> str | None:
        if shard_filter is None:
            return None
        check_parameters("ShardFilter", shard_filter)
        if not self.supports_shard_filter:
            return None
        if shard_filter.get("Type") != "CHILD_SHARDS" or "ShardId" not in shard_filter:
            raise client_error(
                "ValidationException",
                "DescribeStream",
                "a ShardFilter has the Type CHILD_SHARDS and the ShardId of a parent",
            )
        return str(shard_filter["ShardId"])

    def _shows(self, shard: FakeShard, now: float) -> bool:
        return shard.listed_from <= now and not self._troubles.strikes("hidden_shard")

    def _listed(self, shard: FakeShard, now: float) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": str(shard.starting)}
        late = now < shard.ending_listed_from or self._troubles.strikes("open_shard")
        if shard.ending is not None and not late:
            numbers["EndingSequenceNumber"] = str(shard.ending)
        listed: dict[str, Any] = {"ShardId": shard.shard_id, "SequenceNumberRange": numbers}
        if shard.parent_id:
            listed["ParentShardId"] = shard.parent_id
        return listed

    def get_shard_iterator(self, **kwargs: Any) -> dict[str, Any]:
        """`GetShardIterator`."""
        operation = "GetShardIterator"
        check_parameters(operation, kwargs)
        with self._lock:
            trouble = self._begin(operation)
            stream = self._stream(kwargs["StreamArn"], operation)
            if trouble == "cut":
                return {}
            shard = stream.shards.get(kwargs["ShardId"])
            if shard is None or shard.is_gone(self._horizon()):
                raise client_error("ResourceNotFoundException", operation, "Shard does not exist")
            after, explicit = self._place(shard, kwargs)
            return {"ShardIterator": self._token(stream, shard, after, explicit=explicit)}

    def _place(self, shard: FakeShard, kwargs: Mapping[str, Any]) -> tuple[int, bool]:
        kind, number = kwargs["ShardIteratorType"], kwargs.get("SequenceNumber")
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            after = self._number_of(shard, number) - (kind == "AT_SEQUENCE_NUMBER")
            self._refuse_trimmed(shard, after, "GetShardIterator")
            return after, True
        if number is not None:
            raise _invalid("SequenceNumber should not be passed for this iterator type")
        if kind == "TRIM_HORIZON":
            return 0, False
        if kind == "LATEST":
            return (shard.numbers[-1] if shard.numbers else shard.starting), False
        if kind == "AT_TIMESTAMP" and self.supports_at_timestamp:
            return self._place_of_time(shard, kwargs.get("Timestamp")), False
        raise _invalid("Invalid ShardIteratorType")

    def _number_of(self, shard: FakeShard, text: str | None) -> int:
        """A sequence number that the shard may have given out."""
        if text is None:
            raise _invalid("Invalid SequenceNumber")
        highest = self._number if shard.ending is None else shard.ending
        if text.isascii() and text.isdecimal() and shard.starting <= int(text) <= highest:
            return int(text)
        if len(text) < 21:
            raise parameter_error(
                f"Invalid length for parameter SequenceNumber, value: {len(text)}, "
                "valid min length: 21"
            )
        raise _invalid("Invalid SequenceNumber for the shard")

    def _place_of_time(self, shard: FakeShard, time: object) -> int:
        if isinstance(time, datetime):
            time = time.timestamp()
        if not isinstance(time, (int, float)) or time > self.clock.time():
            raise _invalid("Timestamp is not given, or in the future")
        index = bisect_left(shard.latest, time)
        if index < len(shard.numbers):
            return shard.numbers[index] - 1
        return shard.numbers[-1] if shard.numbers else shard.starting

    def _refuse_trimmed(self, shard: FakeShard, number: int, operation: str) -> None:
        kept = shard.first_kept(self._horizon())
        if kept and number < shard.numbers[kept - 1]:
            raise client_error("TrimmedDataAccessException", operation, "beyond the trim horizon")

    def get_records(self, **kwargs: Any) -> dict[str, Any]:
        """`GetRecords`. The last page of a closed shard has its records and no iterator."""
        operation = "GetRecords"
        check_parameters(operation, kwargs)
        with self._lock:
            trouble = self._begin(operation)
            if trouble == "cut":
                return {}
            token = read_iterator(kwargs["ShardIterator"])
            now = self.clock.time()
            expired = not self.iterators_valid_from <= token.made >= now - _ITERATOR_SECONDS
            if expired or self._troubles.strikes("expired"):
                raise client_error("ExpiredIteratorException", operation, "Iterator expired")
            stream = self._stream(token.arn, operation)
            shard = stream.shards.get(token.shard)
            if shard is None or shard.is_gone(self._horizon()):
                raise client_error("ResourceNotFoundException", operation, "Invalid ShardId")
            if token.explicit:
                self._refuse_trimmed(shard, token.after, operation)
            limit = min(kwargs.get("Limit", 1000), self._page_records)
            return self._page(stream, shard, token.after, limit)

    def _page(self, stream: StreamData, shard: FakeShard, after: int, limit: int) -> dict[str, Any]:
        troubles = self._troubles
        if troubles.strikes("empty_page"):
            token = self._token(stream, shard, after, explicit=after > 0)
            return {"Records": [], "NextShardIterator": token}
        first = max(shard.index_after(after), shard.first_kept(self._horizon()))
        if troubles.strikes("short_page"):
            limit = troubles.up_to(limit)
        records = shard.records[first : first + limit]
        answer: dict[str, Any] = {"Records": copied(records)}
        ended = shard.ending is not None and first + limit >= len(shard.records)
        if not ended or (records and troubles.strikes("bare_end")):
            last = shard.numbers[first + len(records) - 1] if records else after
            answer["NextShardIterator"] = self._token(stream, shard, last, explicit=last > 0)
        return answer

    def _token(self, stream: StreamData, shard: FakeShard, after: int, *, explicit: bool) -> str:
        made = self.clock.time()
        return Iterator(stream.arn, shard.shard_id, after, explicit, made).text()

    def _begin(self, operation: str) -> Answer | None:
        self._count(operation)
        trouble = self._troubles.next_answer(operation)
        if trouble in (None, "cut"):
            return trouble
        if trouble == "reset":
            raise connection_error()
        raise client_error(str(trouble), operation)

    def _count(self, operation: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1

    def _stream(self, arn: str, operation: str) -> StreamData:
        for stream in self._streams:
            if stream.arn == arn and stream.is_left(self._horizon()):
                return stream
        raise client_error("ResourceNotFoundException", operation, "Stream does not exist")

    def _horizon(self) -> float:
        return self.clock.time() - self._retention


def _identity(keys: Mapping[str, Any]) -> str:
    """A text that no other item's key attributes make."""
    return json.dumps(keys, sort_keys=True, default=repr)


def _invalid(message: str) -> Exception:
    return client_error("ValidationException", "GetShardIterator", message)
