"""DynamoDB Streams in memory: splits, rollovers, lags, trims and failures to order.

`FakeStream` is a boto3 ``dynamodbstreams`` client as far as a poller can tell. Time is a
`FakeClock`, and what goes wrong by chance comes from a seed, so a test that fails once fails again.
One contract suite runs against it and DynamoDB Local, so that it is known to agree with the real
thing.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate
from operator import attrgetter
from typing import Any

from ddbstream.testing.fake_stream._errors import client_error, connection_error
from ddbstream.testing.fake_stream._faults import Answer, Faults
from ddbstream.testing.fake_stream._shards import FakeShard, StreamData
from ddbstream.testing.fake_stream._table import FakeTable

__all__ = ["FakeStream", "Faults"]

_ITERATOR_SECONDS = 15 * 60.0
_LISTED_AFTER_GONE = 6 * 3600.0  # DynamoDB Local lists a shard so long after its records have gone


class FakeStream(FakeTable):
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
    """

    # The client's side: what a boto3 dynamodbstreams client has

    def list_streams(self, **kwargs: Any) -> dict[str, Any]:
        """`ListStreams`, with ``TableName``."""
        self._count("ListStreams")
        table = kwargs.get("TableName", self.table)
        horizon = self._horizon()
        streams = [
            {"StreamArn": s.arn, "TableName": self.table, "StreamLabel": s.label}
            for s in self._streams
            if table == self.table and (s.ended_at is None or s.ended_at >= horizon)
        ]
        return {"Streams": streams}

    def describe_table(self, **kwargs: Any) -> dict[str, Any]:
        """`DescribeTable`, as far as it is about the stream."""
        if kwargs["TableName"] != self.table:
            raise client_error("ResourceNotFoundException", "DescribeTable", "no such table")
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
        with self._lock:
            trouble = self._begin("DescribeStream")
            stream = self._stream(kwargs["StreamArn"], "DescribeStream")
            if trouble == "cut":
                return {}
            now = self.clock.time()
            gone = now - self._retention - _LISTED_AFTER_GONE
            shards = [s for s in stream.shards.values() if not s.is_gone(gone)]
            start = kwargs.get("ExclusiveStartShardId")
            shards.sort(key=attrgetter("order"))
            after = self._order(start) if start else (-1, "")
            chosen = shards[bisect_right([s.order for s in shards], after) :]
            wanted = kwargs.get("ShardFilter", {}).get("ShardId")
            if wanted and self.supports_shard_filter:
                chosen = [s for s in chosen if s.parent_id == wanted]
            page = chosen[: kwargs.get("Limit", self._page_shards)]
            description = {
                "StreamArn": stream.arn,
                "StreamLabel": stream.label,
                "StreamStatus": stream.status,
                "StreamViewType": self._view_type,
                "TableName": self.table,
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(self._keys, ("HASH", "RANGE"), strict=False)
                ],
                "Shards": [self._listed(s, now) for s in page if self._shows(s, now)],
            }
            if len(page) < len(chosen):
                description["LastEvaluatedShardId"] = page[-1].shard_id
            date = formatdate(self.clock.time(), usegmt=True)
            metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}}
            return {"StreamDescription": description, "ResponseMetadata": metadata}

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
        with self._lock:
            trouble = self._begin(operation)
            stream = self._stream(kwargs["StreamArn"], operation)
            if trouble == "cut":
                return {}
            shard = stream.shards.get(kwargs["ShardId"])
            if shard is None or shard.is_gone(self._horizon()):
                raise client_error("ResourceNotFoundException", operation, "no such shard")
            after, explicit = self._place(shard, kwargs)
            return {"ShardIterator": self._token(stream, shard, after, explicit=explicit)}

    def _place(self, shard: FakeShard, kwargs: Mapping[str, Any]) -> tuple[int, bool]:
        kind = kwargs["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            return 0, False
        if kind == "LATEST":
            return (shard.numbers[-1] if shard.numbers else shard.starting), False
        if kind == "AT_TIMESTAMP" and self.supports_at_timestamp:
            return self._place_of_time(shard, kwargs["Timestamp"]), False
        if kind not in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            raise client_error("ValidationException", "GetShardIterator", "ShardIteratorType")
        number = int(kwargs["SequenceNumber"])
        if number < shard.starting or (shard.ending is not None and number > shard.ending):
            raise client_error(
                "ValidationException", "GetShardIterator", "Invalid SequenceNumber for the shard"
            )
        number -= kind == "AT_SEQUENCE_NUMBER"
        self._refuse_trimmed(shard, number, "GetShardIterator")
        return number, True

    def _place_of_time(self, shard: FakeShard, time: float | datetime) -> int:
        moment = time.timestamp() if isinstance(time, datetime) else float(time)
        if moment > self.clock.time():
            raise client_error("ValidationException", "GetShardIterator", "Timestamp")
        for number, written in zip(shard.numbers, shard.times, strict=True):
            if written >= moment:
                return number - 1
        return shard.numbers[-1] if shard.numbers else shard.starting

    def _refuse_trimmed(self, shard: FakeShard, number: int, operation: str) -> None:
        kept = shard.first_kept(self._horizon())
        if kept and number < shard.numbers[kept - 1]:
            raise client_error("TrimmedDataAccessException", operation, "beyond the trim horizon")

    def get_records(self, **kwargs: Any) -> dict[str, Any]:
        """`GetRecords`. The last page of a closed shard has its records and no iterator."""
        operation = "GetRecords"
        limit = kwargs.get("Limit", 1000)
        if not 1 <= limit <= 1000:
            raise client_error("ValidationException", operation, "Limit")
        with self._lock:
            trouble = self._begin(operation)
            if trouble == "cut":
                return {}
            token = json.loads(kwargs["ShardIterator"])
            now = self.clock.time()
            expired = not self.iterators_valid_from <= token["made"] >= now - _ITERATOR_SECONDS
            if expired or self._troubles.strikes("expired"):
                raise client_error("ExpiredIteratorException", operation, "Iterator expired")
            stream = self._stream(token["arn"], operation)
            shard = stream.shards[token["shard"]]
            if shard.is_gone(self._horizon()):
                raise client_error("ResourceNotFoundException", operation, "Invalid ShardId")
            if token["explicit"]:
                self._refuse_trimmed(shard, token["after"], operation)
            return self._page(stream, shard, token["after"], min(limit, self._page_records))

    def _page(self, stream: StreamData, shard: FakeShard, after: int, limit: int) -> dict[str, Any]:
        troubles = self._troubles
        if troubles.strikes("empty_page"):
            token = self._token(stream, shard, after, explicit=after > 0)
            return {"Records": [], "NextShardIterator": token}
        first = max(shard.index_after(after), shard.first_kept(self._horizon()))
        if troubles.strikes("short_page"):
            limit = troubles.up_to(limit)
        records = shard.records[first : first + limit]
        answer: dict[str, Any] = {"Records": list(records)}
        ended = shard.ending is not None and first + limit >= len(shard.records)
        if not ended or (records and troubles.strikes("bare_end")):
            last = shard.numbers[first + len(records) - 1] if records else after
            answer["NextShardIterator"] = self._token(stream, shard, last, explicit=last > 0)
        return answer

    def _token(self, stream: StreamData, shard: FakeShard, after: int, *, explicit: bool) -> str:
        return json.dumps(
            {
                "arn": stream.arn,
                "shard": shard.shard_id,
                "after": after,
                "explicit": explicit,
                "made": self.clock.time(),
            }
        )

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
            if stream.arn == arn and (
                stream.ended_at is None or stream.ended_at >= self._horizon()
            ):
                return stream
        raise client_error("ResourceNotFoundException", operation, "no such stream")

    def _horizon(self) -> float:
        return self.clock.time() - self._retention
