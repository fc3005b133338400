"""One shard as the core sees it: what it knows of it, and how far it is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from ddbstream.poller._core.commands import RawRecord
from ddbstream.poller._core.positions import After, Position

__all__ = [
    "PendingPage",
    "Shard",
    "Stage",
    "birth_of",
    "is_older",
    "record_at",
    "record_time",
    "sequence_number",
]

_DATED_ID = re.compile(r"shardId-(\d{20})-")
# The start of 2014: no stream of DynamoDB's is older, so an id that says so has digits that are no
# milliseconds. A parent that seems that old would count as trimmed.
_FIRST_STREAM = 1_388_534_400.0


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
    birth = int(match.group(1)) / 1000 if match else 0.0
    return birth if birth >= _FIRST_STREAM else None


def record_at(records: Sequence[RawRecord], index: int) -> RawRecord:
    """One record, to look at a few of its members: of a page that is text it stays text."""
    view = getattr(records, "view", None)
    return records[index] if view is None else view(index)


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


def is_older(record: RawRecord, moment: float) -> bool:
    """Whether a record is certainly older than a moment, by its approximate creation time.

    The service rounds that time down to the second, DynamoDB Local to the minute, so a tie is kept:
    a record twice rather than never.
    """
    time = record_time(record)
    if time is None:
        return False
    unit = 60 if time % 60 == 0 else 1
    return time < math.floor(moment / unit) * unit


class PendingPage:
    """The records of one page that the handlers have, or are to have, and how far they are.

    Attributes:
        records: All of them.
        position: Before the first record that is not done.
        index: Of that record.
        limit: How many go into one delivery: fewer after a failure that names no record.
        size: Bytes that it came as.
    """

    __slots__ = ("index", "limit", "position", "records", "size")

    def __init__(self, records: Sequence[RawRecord], position: Position, size: int = 0) -> None:
        self.records = records
        self.size = size
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
        for index in range(min(end, len(self.records)) - 1, self.index - 1, -1):
            record = record_at(self.records, index)
            number = sequence_number(record)
            if number is not None:
                self.position = After(number, record_time(record))
                break
        self.index = end

    @property
    def finished(self) -> bool:
        """Whether all records are done."""
        return self.index >= len(self.records)


@dataclass(slots=True, eq=False)
class Shard:
    """Everything the core keeps about one shard; the core alone changes it.

    Moments are of the monotonic clock unless they say otherwise.
    """

    shard_id: str
    position: InitVar[Position]
    stage: Stage

    # Lineage, from listings.
    parent_id: str | None = None
    birth: float | None = field(init=False)  # wall clock
    # A set whose order does not depend on the hash seed.
    children: dict[str, None] = field(default_factory=dict)
    closed: bool = False
    listed_in: int = 0  # number of the last complete listing that showed it
    born_after: float | None = None  # no listing up to then (wall clock) showed it
    unlisted_since: float | None = None
    missing_since: float | None = None  # since when its parent is not to be found
    missing_from: int = 0  # number of the last listing before that
    tries_for_child: int = 0

    # Reading.
    read: Position = field(init=False)  # where the next iterator has to start
    drop_before: float | None = None  # wall clock; records before it are not wanted
    iterator: str | None = None
    fetching: bool = False
    fetch_at: float = 0.0
    attempts: int = 0  # failed calls in a row
    calls_fail_since: float | None = None
    refused_since: float | None = None
    read_at: float | None = None  # when the last page came
    empties: int = 0  # empty pages in a row
    false_ends: int = 0  # missing iterators that meant nothing, since the last record
    proof_after: int | None = None  # a listing with a higher number proves that it is closed
    end_asked_again: bool = False  # it is closed and at its end, and whether that is so was asked
    proven: bool = False
    gone_since: float | None = None
    gone_answers: int = 0  # "no such shard", since the last page
    trimmed_answers: int = 0  # the same of "trimmed"
    gone_proof: int | None = None  # a listing with a higher number proves that it is gone
    fresh_at: float = 0.0  # all older than this (wall clock) was read, or is owed to nobody
    gap_after: Position | None = None  # a trim, reported once it is known where reading resumes
    last_record_time: float | None = None
    last_size: int | None = None  # bytes of the last page
    asked_size: int = 0  # bytes that the page that is asked for may have

    # Delivering.
    page: PendingPage | None = None
    next_page: PendingPage | None = None  # read ahead
    delivering: bool = False
    deliver_at: float = 0.0
    delivery_attempts: int = 0
    deliveries_fail_since: float | None = None
    done: Position = field(init=False)  # up to there everything is handled or given up

    # Saving.
    committed: Position = field(init=False)  # up to there it may be saved
    saved: Position | None = None  # up to there it is durable
    saving: bool = False
    saving_batches: int = 0
    save_at: float = 0.0
    save_attempts: int = 0
    saves_fail_since: float | None = None
    saved_at: float = 0.0
    unsaved_batches: int = 0
    unsaved_records: int = 0

    def __post_init__(self, position: Position) -> None:
        self.birth = birth_of(self.shard_id)
        self.read = self.done = self.committed = position

    def born_by(self, wall: float, *, at_least: float) -> float:
        """Its birth, if that is known and no later than a moment, but nothing earlier."""
        if self.birth is None or self.birth > wall:
            return at_least
        return max(at_least, self.birth)

    @property
    def idle(self) -> bool:
        """Whether nothing of it is with the handlers or on its way there."""
        return self.page is None and self.next_page is None and not self.delivering
