"""One record by three roads: as dicts, in boto3's form, and as text that is not read yet."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ddbstream import Remove, parse
from ddbstream._wire.unread import unread_answer
from ddbstream.exceptions import DDBStreamError


def unread_page(records: list[Any]) -> Any:
    """What the poller's client makes of a page, or a list of dicts where it has none."""
    body = json.dumps({"Records": records, "NextShardIterator": "i"}).encode()
    try:
        return unread_answer(body)[0]
    except ValueError:
        return json.loads(body)["Records"]


class TextClient:
    """A client whose pages are text, as those of the poller's own client are.

    Args:
        client: Gives boto3's form, as `FakeStream` does.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_records(self, **kwargs: Any) -> Any:
        answer = self._client.get_records(**kwargs)
        if "Records" not in answer:
            return answer
        records = json.loads(json.dumps(answer["Records"], default=_on_the_wire))
        return {**answer, "Records": unread_page(records)}


def _on_the_wire(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    return b64encode(value).decode()


def described(error: DDBStreamError) -> Any:
    """All that an error says."""
    each = [(one.problem, one.path, one.expected, one.found) for one in error.errors]
    return (
        type(error).__name__,
        error.problem,
        error.path,
        error.expected,
        error.found,
        error.event_id,
        error.sequence_number,
        each,
    )


def outcome(read: Callable[[], Any]) -> tuple[str, Any]:
    """What reading gives: a value, or an error in its words."""
    try:
        return "value", read()
    except DDBStreamError as error:
        return "error", described(error)


def new_image(records: Any, model: Any = None) -> tuple[str, Any]:
    """What the new image of the first record is."""

    def read() -> Any:
        (record,) = parse(records, model)
        assert not isinstance(record, Remove)
        return record.new

    return outcome(read)


def insert_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """A record of an item, whatever that is."""
    return {
        "eventID": "e1",
        "eventName": "INSERT",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/T/stream/S",
        "dynamodb": {"Keys": {"PK": {"S": "a"}}, "NewImage": item, "SequenceNumber": "1"},
    }
