"""One shard as the core sees it: what it knows of it, and how far it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from ddbstream.poller._core.commands import RawRecord
from ddbstream.poller._core.positions import After, Position

__all__ = ["PendingPage", "Shard", "Stage", "birth_of", "record_time", "sequence_number"]

_DATED_ID = re.compile(r"shardId-(\d{20})-")


class Stage(Enum):
    """Where a shard is in its life."""

    WAITING = "waiting"  # for its parent to be ended, durably
    READING = "reading"
    ENDING = "ending"  # the last page is read; delivery, proof of the end, or its saving is due
    ENDED = "ended"


def birth_of(shard_id: str) -> float | None:
    """When a shard was made, in epoch seconds, as its id tells; None if the id has another form.

    Ids are ``shardId-<milliseconds, 20 digits>-<8 hex>``. That is not documented: a hint, never
    proof.
    """
    match = _DATED_ID.match(shard_id)
    return int(match.group(1)) / 1000 if match else None


def _body(record: Any) -> Any:
    return record.get("dynamodb") if isinstance(record, Mapping) else None


def sequence_number(record: RawRecord) -> str | None:
    """The record's ``SequenceNumber``, or None if the record is too broken to have one."""
    body = _body(record)
    number = body.get("SequenceNumber") if isinstance(body, Mapping) else None
    return number if isinstance(number, str) and number.isdecimal() else None


def record_time(record: RawRecord) -> float | None:
    """The record's approximate creation time in epoch seconds, from boto3's form or the wire's."""
    body = _body(record)
    time: Any = body.get("ApproximateCreationDateTime") if isinstance(body, Mapping) else None
    if isinstance(time, datetime):
        return time.timestamp()
    if isinstance(time, (int, float)) and not isinstance(time, bool):
        return float(time)
    return None


class PendingPage:
    """The records of one page that the handlers have, or are to have, and how far they are.

    Attributes:
        records: All of them.
        position: Before the first record that is not done.
        index: Of that record.
        limit: How many go into one delivery: fewer after a failure that names no record.
    """

    __slots__ = ("index", "limit", "position", "records")

    def __init__(self, records: Sequence[RawRecord], position: Position) -> None:
        self.records = records
        self.position = position
        self.index = 0
        self.limit = len(records)

    def next_records(self) -> Sequence[RawRecord]:
        """The records to deliver next."""
        if self.index == 0 and self.limit >= len(self.records):
            return self.records
        return self.records[self.index : self.index + self.limit]

    def advance(self, count: int) -> None:
        """Note that ``count`` more records are done."""
        end = self.index + count
        for record in reversed(self.records[self.index : end]):
            number = sequence_number(record)
            if number is not None:
                self.position = After(number, record_time(record))
                break
        self.index = end

    @property
    def finished(self) -> bool:
        """Whether all records are done."""
        return self.index >= len(self.records)


class Shard:
    """Everything the core keeps about one shard; the core alone changes it."""

    __slots__ = (
        "attempts",
        "birth",
        "born_after",
        "calls_fail_since",
        "children",
        "closed",
        "committed",
        "deliver_at",
        "deliveries_fail_since",
        "delivering",
        "delivery_attempts",
        "done",
        "drop_before",
        "empties",
        "false_ends",
        "fetch_at",
        "fetching",
        "fresh_at",
        "gap_after",
        "gone_proof",
        "gone_since",
        "iterator",
        "last_record_time",
        "listed_in",
        "missing_from",
        "missing_since",
        "next_page",
        "page",
        "parent_id",
        "proof_after",
        "proven",
        "read",
        "read_at",
        "refused_since",
        "save_at",
        "save_attempts",
        "saved",
        "saved_at",
        "saving",
        "saving_batches",
        "shard_id",
        "stage",
        "tries_for_child",
        "unlisted_since",
        "unsaved_batches",
        "unsaved_records",
        "virtual",
    )

    def __init__(self, shard_id: str, position: Position, stage: Stage) -> None:
        self.shard_id = shard_id
        self.stage = stage
        # Lineage, from listings.
        self.parent_id: str | None = None
        self.birth = birth_of(shard_id)
        self.children: dict[str, None] = {}  # a set whose order does not depend on the hash seed
        self.closed = False
        self.listed_in = 0  # number of the last complete listing that showed it
        self.born_after: float | None = None  # no listing up to then (wall clock) showed it
        self.unlisted_since: float | None = None
        self.missing_since: float | None = None  # since when its parent is not to be found
        self.missing_from = 0
        self.tries_for_child = 0
        self.virtual = False  # ended without a word to the store: all of it is older than the start
        # Reading.
        self.read: Position = position  # where the next iterator has to start
        self.drop_before: float | None = None
        self.iterator: str | None = None
        self.fetching = False
        self.fetch_at = 0.0
        self.attempts = 0  # failed calls in a row
        self.calls_fail_since: float | None = None
        self.refused_since: float | None = None
        self.read_at: float | None = None  # when the last page came
        self.empties = 0
        self.false_ends = 0
        self.proof_after: int | None = None  # a listing with a higher number proves the end
        self.proven = False
        self.gone_since: float | None = None
        self.gone_proof: int | None = None
        self.fresh_at = 0.0  # all older than this (wall clock) was read, or is owed to nobody
        # A trim after this, to be reported once it is known where reading resumes.
        self.gap_after: Position | None = None
        self.last_record_time: float | None = None
        # Delivering.
        self.page: PendingPage | None = None
        self.next_page: PendingPage | None = None  # read ahead
        self.delivering = False
        self.deliver_at = 0.0
        self.delivery_attempts = 0
        self.deliveries_fail_since: float | None = None
        self.done: Position = position
        # Saving.
        self.committed: Position = position
        self.saved: Position | None = None
        self.saving = False
        self.saving_batches = 0
        self.save_at = 0.0
        self.save_attempts = 0
        self.saved_at = 0.0
        self.unsaved_batches = 0
        self.unsaved_records = 0

    @property
    def idle(self) -> bool:
        """Whether nothing of it is with the handlers or on its way there."""
        return self.page is None and self.next_page is None and not self.delivering
