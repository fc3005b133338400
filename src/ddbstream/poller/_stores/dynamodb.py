"""Positions in a DynamoDB table: the store for pollers that may run on any machine.

Theory of operation

The table has a string partition key ``stream`` and a string sort key ``shard``. Each shard has an
item, and the stream has a control item with the sort key ``#lease``, which carries the epoch. A
position may be written only while the control item has the writer's epoch, so each save is a
transaction: a condition check of the control item and the update. That costs four write units where
an unchecked put costs one, and it is what keeps a poller that was paused for an hour, and wakes,
from setting the position back.

Two transactions of one control item at once conflict, so there is one at a time: what other threads
want to save meanwhile waits, and goes together in the next, with one condition check for all. So
the control item is written and checked a few times a second, however many shards there are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ddbstream._values.callables import check_function, check_methods
from ddbstream._values.json_values import has_part
from ddbstream._values.service_errors import answer_of, code_of
from ddbstream.exceptions import CheckpointError, FencedError, PollerArgumentError
from ddbstream.poller._client import GarbledAnswerError, make_client
from ddbstream.poller._core.positions import (
    After,
    AtTime,
    Position,
    Start,
    State,
    dump_position,
    load_position,
    load_start,
    parse_stored,
    rank,
)
from ddbstream.poller._stores.contract import (
    DEFAULT_CONSUMER,
    FORMAT,
    Lease,
    check_format,
    held_by_another,
    key_of,
    moved_back,
    named,
    streams_in,
    taken_over,
)
from ddbstream.poller._stores.shared_writes import Refused, SharedWrites

__all__ = ["DynamoDBCheckpoints"]

_CONTROL = "#lease"
_DELETES = 50  # a transaction takes 100 actions


class _CutOffError(CheckpointError, GarbledAnswerError):
    """An answer that was cut off: the store is well, and the next may be whole."""


class DynamoDBCheckpoints:
    """Keeps positions in a DynamoDB table.

    Its keys are ``stream`` (S, HASH) and ``shard`` (S, RANGE).

    Args:
        table: The table's name. It must not be the one whose stream is read.
        client: A ``dynamodb`` client; by default boto3's.
        endpoint_url: For that client.
        region_name: For that client.
        clock: Epoch seconds, for the lease's end.

    Raises:
        CheckpointError: From `acquire`: the table has another format than this ddbstream's.
    """

    def __init__(
        self,
        table: str,
        *,
        client: Any = None,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        check_function(clock, "clock=", PollerArgumentError, arguments=0)
        self._clock = clock
        self._writes = SharedWrites()
        check_methods(client, "client=", PollerArgumentError, "get_item", "update_item", "query")
        self._client = client or make_client(
            endpoint_url=endpoint_url, region_name=region_name, service="dynamodb", connections=36
        )

    def create_table(self) -> None:
        """Create the table, paid by request, unless it is there; returns when it is ready."""
        try:
            self._client.create_table(
                TableName=self._table,
                KeySchema=[
                    {"AttributeName": "stream", "KeyType": "HASH"},
                    {"AttributeName": "shard", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "stream", "AttributeType": "S"},
                    {"AttributeName": "shard", "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        except Exception as error:
            if code_of(error) != "ResourceInUseException":
                raise
        self._client.get_waiter("table_exists").wait(TableName=self._table)

    def __repr__(self) -> str:
        return f"DynamoDBCheckpoints({self._table!r})"

    def acquire(
        self,
        stream_arn: str,
        owner: str,
        *,
        ttl: float,
        takeover: bool = True,
        consumer: str = DEFAULT_CONSUMER,
    ) -> Lease:
        """See `CheckpointStore.acquire`."""
        key = key_of(stream_arn, consumer)
        now = self._clock()
        known = "(attribute_not_exists(format_version) OR format_version = :format)"
        free = "(attribute_not_exists(expires) OR expires <= :now OR lease_owner = :owner)"
        values: dict[str, str | float] = {
            ":owner": owner,
            ":expires": now + ttl,
            ":zero": 0,
            ":one": 1,
            ":format": FORMAT,
        }
        if not takeover:
            values[":now"] = now
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(key, _CONTROL),
                UpdateExpression="SET epoch = if_not_exists(epoch, :zero) + :one,"
                " lease_owner = :owner, expires = :expires, format_version = :format",
                ExpressionAttributeValues=_values(values),
                ConditionExpression=known if takeover else f"{known} AND {free}",
                ReturnValues="ALL_NEW",
            )
        except Exception as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            self._check_format(key)
            raise held_by_another() from None
        epoch = int(self._part(answer, "Attributes", Mapping)["epoch"]["N"])
        return Lease(stream_arn, owner, epoch, ttl, consumer)

    def streams_of(self, table_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> list[str]:
        """ARNs of the table's streams that the consumer has acquired, oldest first."""
        keys: list[str] = []
        more: dict[str, Any] = {}
        while True:
            # The table has an item for each shard that is not forgotten: a few pages, once a start.
            page = self._client.scan(
                TableName=self._table,
                ConsistentRead=True,
                FilterExpression="#shard = :control AND begins_with(#stream, :table)",
                ProjectionExpression="#stream",
                ExpressionAttributeNames={"#stream": "stream", "#shard": "shard"},
                ExpressionAttributeValues=_values({":control": _CONTROL, ":table": table_arn}),
                **more,
            )
            keys += [item["stream"]["S"] for item in self._part(page, "Items", list)]
            if not page.get("LastEvaluatedKey"):
                return streams_in(keys, table_arn, consumer)
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _part(self, answer: Any, name: str, kind: type) -> Any:
        """What an answer must have."""
        if not has_part(answer, name, kind):
            raise _CutOffError(f"the table {self._table}: an answer without {name} was cut off")
        return answer[name]

    def _check_format(self, key: str) -> None:
        answer = self._client.get_item(
            TableName=self._table, Key=_key(key, _CONTROL), ConsistentRead=True
        )
        version = answer.get("Item", {}).get("format_version", {}).get("N", str(FORMAT))
        check_format(int(version), f"the table {self._table}")

    def load(self, lease: Lease) -> State:
        """See `CheckpointStore.load`."""
        with named(f"the table {self._table}"):
            return self._load(lease)

    def _load(self, lease: Lease) -> State:
        start: Start | None = None
        alive: float | None = None
        positions: dict[str, Position] = {}
        owned = False
        for item in self._items(lease.key):
            if item["shard"]["S"] != _CONTROL:
                positions[item["shard"]["S"]] = load_position(parse_stored(_text(item, "position")))
                continue
            owned = _number(item, "epoch") == lease.epoch
            if "start" in item:
                start = load_start(parse_stored(_text(item, "start")))
            if "last_alive" in item:
                alive = _number(item, "last_alive")
        if not owned:
            raise taken_over()
        return State(start, positions, alive)

    def _items(self, key: str) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName=self._table,
                ConsistentRead=True,
                KeyConditionExpression="#stream = :stream",
                ExpressionAttributeNames={"#stream": "stream"},
                ExpressionAttributeValues={":stream": {"S": key}},
                **more,
            )
            items += self._part(page, "Items", list)
            if not page.get("LastEvaluatedKey"):
                return items
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def fix_start(self, lease: Lease, start: Start) -> None:
        """See `CheckpointStore.fix_start`."""
        text = json.dumps(start.dump())
        self._update(lease, "SET #start = if_not_exists(#start, :start)", {":start": text})

    def save(self, lease: Lease, shard_id: str, position: Position) -> None:
        """See `CheckpointStore.save`."""
        text, place = json.dumps(dump_position(position)), _place(position)
        update = {
            "TableName": self._table,
            "Key": _key(lease.key, shard_id),
            "UpdateExpression": "SET #position = :position, place = :place, epoch = :epoch",
            "ConditionExpression": "attribute_not_exists(place) OR place <= :place",
            "ExpressionAttributeNames": {"#position": "position"},
            "ExpressionAttributeValues": _values(
                {":position": text, ":place": place, ":epoch": lease.epoch}
            ),
        }
        self._writes.save(lease.key, lease.epoch, {"Update": update}, partial(self._write, lease))

    def renew(self, lease: Lease, alive_at: float) -> None:
        """See `CheckpointStore.renew`."""
        values = {":expires": self._clock() + lease.ttl, ":alive": alive_at}
        self._update(lease, "SET expires = :expires, last_alive = :alive", values)

    def forget(self, lease: Lease, shard_ids: Sequence[str]) -> None:
        """See `CheckpointStore.forget`."""
        for first in range(0, len(shard_ids), _DELETES):
            keys = (_key(lease.key, s) for s in shard_ids[first : first + _DELETES])
            actions = [{"Delete": {"TableName": self._table, "Key": key}} for key in keys]
            with self._writes.alone():
                self._write(lease, actions)

    def reset(self, stream_arn: str, *, consumer: str = DEFAULT_CONSUMER) -> None:
        """Forget the consumer's start and positions: its next poller begins anew.

        Raises:
            FencedError: A poller has the lease; stop it first.
        """
        lease = self.acquire(stream_arn, "reset", ttl=0.0, takeover=False, consumer=consumer)
        items = self._items(lease.key)
        self.forget(lease, [i["shard"]["S"] for i in items if i["shard"]["S"] != _CONTROL])
        self._update(lease, "REMOVE #start, last_alive", {})
        self.release(lease)

    def release(self, lease: Lease) -> None:
        """See `CheckpointStore.release`."""
        try:
            self._update(lease, "SET expires = :zero REMOVE lease_owner", {":zero": 0})
        except FencedError:
            return

    def _update(self, lease: Lease, expression: str, values: Mapping[str, Any]) -> None:
        names = {"#start": "start"} if "#start" in expression else None
        try:
            with self._writes.alone():
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(lease.key, _CONTROL),
                    UpdateExpression=expression,
                    ConditionExpression="epoch = :epoch",
                    ExpressionAttributeValues=_values({**values, ":epoch": lease.epoch}),
                    **({"ExpressionAttributeNames": names} if names else {}),
                )
        except Exception as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            raise taken_over() from None

    def _write(self, lease: Lease, actions: list[dict[str, Any]]) -> None:
        check = {
            "TableName": self._table,
            "Key": _key(lease.key, _CONTROL),
            "ConditionExpression": "epoch = :epoch",
            "ExpressionAttributeValues": _values({":epoch": lease.epoch}),
        }
        try:
            self._client.transact_write_items(TransactItems=[{"ConditionCheck": check}, *actions])
        except Exception as error:
            cancelled = answer_of(error).get("CancellationReasons", ())
            reasons = [reason.get("Code") for reason in cancelled]
            if reasons and reasons[0] == "ConditionalCheckFailed":
                raise taken_over() from None
            back = [i for i, code in enumerate(reasons[1:]) if code == "ConditionalCheckFailed"]
            if back:
                raise Refused(moved_back(), back) from None
            raise


def _place(position: Position) -> str:
    """Text that sorts as `rank` does: a sequence number has up to 40 digits, an ``N`` only 38."""
    kind, number = rank(position)
    if isinstance(position, After):
        return f"{kind}#{number:040d}"
    return f"{kind}#{number:020.6f}" if isinstance(position, AtTime) else f"{kind}#"


def _key(key: str, shard_id: str) -> dict[str, Any]:
    return {"stream": {"S": key}, "shard": {"S": shard_id}}


def _values(values: Mapping[str, str | float]) -> dict[str, Any]:
    return {
        name: {"S": value} if isinstance(value, str) else {"N": repr(value)}
        for name, value in values.items()
    }


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name, {}).get("S")
    if not isinstance(value, str):
        raise CheckpointError(f"a stored {name} is missing, or is no text")
    return value


def _number(item: Mapping[str, Any], name: str) -> float:
    try:
        return float(item[name]["N"])
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"the stored {name} is missing, or is no number") from None
