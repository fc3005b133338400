"""What answers the poller: streams of one or two tables, and a client that lies at times."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ddbstream.testing import FakeClock, FakeStream, Faults
from ddbstream.testing.fake_stream._errors import client_error
from ddbstream.testing.fake_stream._requests import read_iterator

_REFUSALS = (
    "AccessDeniedException",
    "ValidationException",
    "ResourceNotFoundException",
    "ExpiredTokenException",
)
_MOST_IN_A_ROW = 2  # that something is not there, or not listed: three times is proof
_ENDS_IN_A_ROW = 1  # the same of a shard's end


class Service:
    """A ``dynamodbstreams`` client for several tables.

    Args:
        clock: Of the service.
        rng: Everything by chance.
        tables: Names.
        lies: Chance that an answer is none.
        options: Of each `FakeStream`.
    """

    supports_at_timestamp = True

    def __init__(
        self, clock: FakeClock, rng: random.Random, tables: list[str], lies: float, **options: Any
    ) -> None:
        self.clock = clock
        # What it hides it hides by itself: see `_leave_out`.
        shown = {**options, "faults": replace(options["faults"], hidden_shard=0.0)}
        self.tables = {
            name: FakeStream(name, clock=clock, seed=rng.randrange(10**9), **shown)
            for name in tables
        }
        self.supports_at_timestamp = options["supports_at_timestamp"]
        self.lies = lies
        self.told = 0  # lies so far
        self._rng = rng
        self._in_a_row: dict[str, int] = {}
        self._hidden = options["faults"].hidden_shard
        self._left_out: dict[tuple[str, str], int] = {}  # listings in a row, by stream and shard
        self._ended: dict[tuple[str, str], int] = {}  # false ends in a row

    def calm(self) -> None:
        """From now on it is at its best."""
        self.lies = self._hidden = 0.0
        for table in self.tables.values():
            table.faults = Faults()

    def stream_of(self, arn: str) -> Any:
        """What a stream holds, and held."""
        return next(one for one in self.table_of(arn)._streams if one.arn == arn)

    def table_of(self, text: str) -> FakeStream:
        return next(
            table
            for name, table in self.tables.items()
            if text == name or f"table/{name}/" in text or text.endswith(f"table/{name}")
        )

    # The client

    def list_streams(self, **kwargs: Any) -> Any:
        # Refused, it is a permission that the user has not given: then streams may be skipped.
        if self._lie():
            raise client_error("ThrottlingException", "ListStreams")
        return self.table_of(kwargs["TableName"]).list_streams(**kwargs)

    def describe_table(self, **kwargs: Any) -> Any:
        self._refuse("DescribeTable")
        return self.table_of(kwargs["TableName"]).describe_table(**kwargs)

    def describe_stream(self, **kwargs: Any) -> Any:
        self._refuse("DescribeStream")
        answer = self.table_of(kwargs["StreamArn"]).describe_stream(**kwargs)
        described = answer.get("StreamDescription", {})
        shards = described.get("Shards", [])
        if not self._lie():
            self._leave_out(kwargs["StreamArn"], shards)
            return answer
        may_cut = self._may_cut(kwargs["StreamArn"])
        cut_short = {**described, "Shards": [], "LastEvaluatedShardId": None}
        circle = {**described, "LastEvaluatedShardId": "shardId-0"}
        # Those that look like listings tell the time, as every answer of the service's does.
        return self._rng.choice(
            [
                *([{**answer, "StreamDescription": cut_short}] if may_cut else []),
                None,
                {},
                {"StreamDescription": None},
                {"StreamDescription": {**described, "Shards": None}},
                {"StreamDescription": {**described, "Shards": [None]}},
                {"StreamDescription": {**described, "Shards": [{}, *shards]}},
                {**answer, "StreamDescription": circle},
            ]
        )

    def _leave_out(self, arn: str, shards: list[Any]) -> None:
        for shard in shards[:]:
            key = (arn, shard["ShardId"])
            hides = self._rng.random() < self._hidden and not self._is_proof(key)
            self._left_out[key] = self._left_out.get(key, 0) + 1 if hides else 0
            if hides:
                shards.remove(shard)

    def _may_cut(self, arn: str) -> bool:
        # What the pages before have shown is counted too: rather too few lies than too many.
        keys = [(arn, shard_id) for shard_id in self.stream_of(arn).shards]
        if any(map(self._is_proof, keys)):
            return False
        self._left_out.update({key: self._left_out.get(key, 0) + 1 for key in keys})
        return True

    def _is_proof(self, key: tuple[str, str]) -> bool:
        return self._left_out.get(key, 0) >= _MOST_IN_A_ROW

    def get_shard_iterator(self, **kwargs: Any) -> Any:
        self._refuse("GetShardIterator")
        answer = self.table_of(kwargs["StreamArn"]).get_shard_iterator(**kwargs)
        lies: list[Any] = [None, {}, {"ShardIterator": None}, {"ShardIterator": 5}]
        return self._rng.choice(lies) if self._lie() else answer

    def get_records(self, **kwargs: Any) -> Any:
        self._refuse("GetRecords")
        answer = self.table_of(kwargs["ShardIterator"]).get_records(**kwargs)
        token = read_iterator(kwargs["ShardIterator"])
        shard = (token.arn, token.shard)
        lies: list[Any] = [None, {}, {"Records": None}, {"Records": {}}]
        if self._ended.get(shard, 0) < _ENDS_IN_A_ROW:
            # What looks like the shard's end, with and without records.
            lies += [{**answer, "NextShardIterator": None}, {"Records": []}]
        given = self._rng.choice(lies) if self._lie() else answer
        false_end = given is not answer and bool(given) and isinstance(given["Records"], list)
        self._ended[shard] = self._ended.get(shard, 0) + 1 if false_end else 0
        return given

    def _lie(self) -> bool:
        lies = self._rng.random() < self.lies
        self.told += lies
        return lies

    def _refuse(self, operation: str) -> None:
        if not self._lie():
            self._in_a_row[operation] = 0
            return
        code = self._rng.choice(_REFUSALS)
        if code == "ResourceNotFoundException":
            self._in_a_row[operation] = self._in_a_row.get(operation, 0) + 1
            if self._in_a_row[operation] > _MOST_IN_A_ROW:
                code = "ThrottlingException"
        raise client_error(code, operation)
