"""What Kinesis Data Streams for DynamoDB repeats or delivers late, and how to leave it out.

DynamoDB puts a change into a Kinesis stream at least once, and changes of one item may arrive out
of order; each carries the time of its creation, in micro- or milliseconds. AWS's advice is to
compare those times. With a store of the newest change that was handled of each item,
``LambdaHandler(router, newest=...)`` and ``ddbstream.kcl`` do so:

* an item's changes in one batch are handled in the order of their creation;
* a change that is older than the newest one handled of its item is left out, and so is one that
  was handled already: the item has moved on. Handlers see where each item arrives, but they may
  miss a step in between.

Changes of one item with equal times are distinguished by their event ids, and handled as they come.
A change without a time or without keys is never left out, nor is one that has a sequence number of
DynamoDB's: DynamoDB Streams neither repeats nor reorders, and its times are too coarse to tell.

`MemoryNewest` knows what this process has handled. `DynamoDBNewest` is for good, and for many
workers.

Source: AWS, `Kinesis Data Streams for DynamoDB`_.

.. _Kinesis Data Streams for DynamoDB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, final

from ddbstream._values.callables import check_methods
from ddbstream._values.extras import boto3_client
from ddbstream._values.json_values import has_part
from ddbstream._wire import read
from ddbstream.exceptions import BatchError, RecordError, RouterArgumentError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord

__all__ = ["Arranged", "DynamoDBNewest", "MemoryNewest", "Newest", "NewestStore", "arrange"]


class Newest(NamedTuple):
    """The newest change of an item that was handled.

    Attributes:
        created: Its creation time in nanoseconds since 1970.
        event_ids: Its event id; several if several changes have that time.
    """

    created: int
    event_ids: frozenset[str]

    def leaves_out(self, created: int, event_id: str) -> bool:
        """Whether another change of the item is older, or this very one."""
        return created < self.created or (created == self.created and event_id in self.event_ids)

    def with_change(self, created: int, event_id: str) -> Newest:
        """What is newest when that change is handled too."""
        if created != self.created:
            return max(self, Newest(created, frozenset((event_id,))), key=lambda one: one.created)
        return Newest(created, self.event_ids | {event_id})


class NewestStore(Protocol):
    """Keeps what is newest, by item: a text that names region, account, table and keys."""

    def load(self, items: Sequence[str]) -> Mapping[str, Newest]:
        """What is known of items; those not known are missing."""
        ...

    def save(self, newest: Mapping[str, Newest]) -> None:
        """Keep what was handled. What is known to be newer stays."""
        ...


@final
class MemoryNewest:
    """Keeps it as long as the process lives: for a KCL worker, as long as it has the shard.

    Args:
        max_items: Of so many items; the one that changed longest ago is forgotten.
    """

    def __init__(self, max_items: int = 100_000) -> None:
        if max_items < 1:
            raise ValueError("max_items= takes a whole number above 0")
        self._max_items = max_items
        self._known: OrderedDict[str, Newest] = OrderedDict()
        self._lock = Lock()

    def load(self, items: Sequence[str]) -> Mapping[str, Newest]:
        """See `NewestStore.load`."""
        with self._lock:
            return {item: self._known[item] for item in items if item in self._known}

    def save(self, newest: Mapping[str, Newest]) -> None:
        """See `NewestStore.save`."""
        with self._lock:
            for item, one in newest.items():
                known = self._known.get(item)
                if known is not None:
                    one = _merged(known, one)  # noqa: PLW2901 - the newer of both
                self._known[item] = one
                self._known.move_to_end(item)
            while len(self._known) > self._max_items:
                self._known.popitem(last=False)


@final
class DynamoDBNewest:
    """Keeps it in a DynamoDB table, with conditional writes: for many workers, and restarts.

    The table has one string key, ``item``: the item's text, or a hash of one that is too long to be
    a key. ``expires`` is for its Time to Live. Costs a read and a write of at most 1 KB for each
    item in a batch.

    Args:
        table_name: The table's name.
        client: A boto3 DynamoDB client; made if not given.
        keep_days: How long an item is remembered. Longer than the stream's retention is of no use.
    """

    def __init__(self, table_name: str, *, client: Any = None, keep_days: float = 2.0) -> None:
        self._table = table_name
        check_methods(client, "client=", RouterArgumentError, "batch_get_item", "update_item")
        self._made = client
        self._keep = keep_days * 86_400
        self._lock = Lock()

    def create_table(self) -> None:
        """Make the table, if there is none; returns when it can be used."""
        try:
            self._client.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
            )
        except self._client.exceptions.ResourceInUseException:
            pass
        else:
            self._client.get_waiter("table_exists").wait(TableName=self._table)
            self._client.update_time_to_live(
                TableName=self._table,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
            )

    def load(self, items: Sequence[str]) -> Mapping[str, Newest]:
        """See `NewestStore.load`. Raises what boto3 raises, and BatchError for a cut-off answer."""
        found: dict[str, Newest] = {}
        items_of = {_key_of(item): item for item in items}
        all_keys = [{"item": {"S": key}} for key in items_of]
        for start in range(0, len(all_keys), _MOST_KEYS):
            keys = all_keys[start : start + _MOST_KEYS]
            asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            while asked:
                answer = self._client.batch_get_item(RequestItems=asked)
                if not has_part(answer, "Responses", Mapping):
                    raise BatchError(f"the table {self._table}: an answer was cut off")
                for row in answer["Responses"].get(self._table, ()):
                    found[items_of[row["item"]["S"]]] = Newest(
                        int(row["created"]["N"]), frozenset(row["ids"]["SS"])
                    )
                asked = answer.get("UnprocessedKeys")
        return found

    def save(self, newest: Mapping[str, Newest]) -> None:
        """See `NewestStore.save`. Raises what boto3 raises."""
        for item, one in newest.items():
            self._save(item, one)

    def _save(self, item: str, one: Newest) -> None:
        values: dict[str, Any] = {
            ":created": {"N": str(one.created)},
            ":ids": {"SS": sorted(one.event_ids)},
            ":expires": {"N": str(int(time.time() + self._keep))},
        }
        refused = self._client.exceptions.ConditionalCheckFailedException
        for update, condition in (
            (
                "SET created = :created, ids = :ids, expires = :expires",
                "attribute_not_exists(created) OR created < :created",
            ),
            ("SET expires = :expires ADD ids :ids", "created = :created"),
        ):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"item": {"S": _key_of(item)}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues={
                        name: value for name, value in values.items() if name in update + condition
                    },
                )
            except refused:
                continue  # it knows something as new, or newer
            return

    @property
    def _client(self) -> Any:
        with self._lock:  # making clients is not safe for threads; using them is
            if self._made is None:
                self._made = boto3_client("dynamodb")
            return self._made


_MOST_KEYS: Final = 100  # BatchGetItem takes no more
_MOST_BYTES: Final = 2048  # of a partition key


def _key_of(item: str) -> str:
    """An item's text as a key of the table: the keys of the item itself may be longer than one."""
    text = item.encode()
    if len(text) <= _MOST_BYTES:
        return item
    sha256: Any = import_module("hashlib").sha256  # slow to load, and such keys are rare
    return f"sha256 {sha256(text).hexdigest()}"


class Arranged:
    """A batch in the order in which it is to be handled, without what is stale.

    Attributes:
        records: What to hand to a router.
        stale: How many records were left out.
    """

    def __init__(
        self,
        batch: Sequence[StreamRecord[Any]],
        order: Sequence[int],
        changes: Mapping[int, _Change],
        store: NewestStore,
    ) -> None:
        self.records = [batch[index] for index in order]
        self.stale = len(batch) - len(order)
        self._batch = batch
        self._order = order
        self._changes = changes
        self._store = store

    def handled(self, start: int, end: int) -> None:
        """Remember that ``records[start:end]`` are done."""
        newest: dict[str, Newest] = {}
        for index in self._order[start:end]:
            change = self._changes.get(index)
            if change is not None:
                newest[change.item] = change.after(newest.get(change.item))
        if newest:
            self._store.save(newest)

    def settle(self, checkpoint: str | None) -> str | None:
        """Remember what a router has done of ``records``, and say where the host has to go on.

        Args:
            checkpoint: The router's: the first of ``records`` that is not done, or None.

        Returns:
            The first record of the given batch, in its own order, that is not done. None if all is.
        """
        done = len(self.records)
        if checkpoint is not None:
            names = [record.item_identifier for record in self.records]
            done = names.index(checkpoint) if checkpoint in names else 0
        self.handled(0, done)
        place = self.first_not_done(done)
        return None if place is None else (self._batch[place].item_identifier or "")

    def first_not_done(self, index: int) -> int | None:
        """The lowest place in the given batch that is not done when ``records[:index]`` are."""
        return min(self._order[index:], default=None)


class _Change(NamedTuple):
    item: str
    created: int
    event_id: str

    def after(self, known: Newest | None) -> Newest:
        if known is None:
            return Newest(self.created, frozenset((self.event_id,)))
        return known.with_change(self.created, self.event_id)


def arrange(payload: object, store: NewestStore) -> Arranged:
    """Read a payload of Kinesis records, put each item's changes in order, drop what is stale.

    Args:
        payload: Any form that `ddbstream.parse` takes.
        store: Knows what was handled.

    Raises:
        PayloadError: Nothing in the payload looks like stream records.
        RouterArgumentError: The store's methods would have to be awaited.
    """
    check_methods(store, "store=", RouterArgumentError, "load", "save")
    batch = list(read(payload))
    changes = {
        index: change
        for index, record in enumerate(batch)
        if (change := _change(record)) is not None
    }
    known = dict(store.load(sorted({change.item for change in changes.values()})))
    order = []
    for index in _in_order(len(batch), changes):
        change = changes.get(index)
        if change is not None:
            newest = known.get(change.item)
            if newest is not None and newest.leaves_out(change.created, change.event_id):
                continue
            known[change.item] = change.after(newest)
        order.append(index)
    return Arranged(batch, order, changes, store)


def _in_order(count: int, changes: Mapping[int, _Change]) -> Iterable[int]:
    """The places of a batch; each item's changes exchange theirs, and nothing else moves."""
    places: dict[str, list[int]] = {}
    for index, change in changes.items():
        places.setdefault(change.item, []).append(index)
    order = list(range(count))
    for taken in places.values():
        by_time = sorted(taken, key=lambda index: changes[index].created)
        for place, index in zip(taken, by_time, strict=True):
            order[place] = index
    return order


def _change(record: StreamRecord[Any]) -> _Change | None:
    if record.sequence_number is not None:
        return None
    raw: Any = record.raw
    body = raw.get("dynamodb") if isinstance(raw, Mapping) else None
    keys = body.get("Keys") if isinstance(body, Mapping) else None
    event_id = record.event_id
    try:
        created = record.approximate_creation_ns
    except RecordError:
        return None
    if created is None or not isinstance(keys, Mapping) or not isinstance(event_id, str):
        return None
    # A key is one of S, N and B, and DynamoDB spells a number in one way: the text tells. ASCII, as
    # a store keeps it, and Pythons differ in what they print.
    arn = record.event_source_arn
    # Another region or account may have a table of that name: the change says no account.
    place = arn.split(":")[3:5] if isinstance(arn, str) else [record.aws_region]
    item = ascii(
        (*place, record.table_name, sorted((name, ascii(value)) for name, value in keys.items()))
    )
    return _Change(item, created, event_id)


def _merged(one: Newest, other: Newest) -> Newest:
    if one.created == other.created:
        return Newest(one.created, one.event_ids | other.event_ids)
    return max(one, other, key=lambda each: each.created)
