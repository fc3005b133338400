"""A line of an S3 export:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ddbstream import Insert, Modify, Remove, parse
from ddbstream._model import codec_for
from ddbstream._records import Origin
from ddbstream._wire import export
from ddbstream._wire.export import unread_export_record
from ddbstream.exceptions import MissingImageError, PayloadError
from tests.unit.wire.payloads import KEYS, NEW, OLD

METADATA = {"WriteTimestampMicros": {"N": "1770000000123456"}}


def only(payload: object) -> Any:
    (record,) = parse(payload)
    return record


def test_a_line_of_a_full_export_is_an_insert() -> None:
    record = only({"Item": NEW})
    assert type(record) is Insert
    assert record.new["PK"] == "Book#7"
    assert record.event_name == "INSERT"


@pytest.mark.parametrize(
    ("images", "cls"),
    [
        ({"NewImage": NEW}, Insert),
        ({"OldImage": OLD, "NewImage": NEW}, Modify),
        ({"OldImage": OLD}, Remove),
        ({}, Remove),
    ],
)
def test_the_images_of_an_incremental_line_tell_the_event(images: Any, cls: type) -> None:
    record = only({"Metadata": METADATA, "Keys": KEYS, **images})
    assert type(record) is cls
    assert record.raw["eventName"] == record.event_name
    assert record.keys == {"PK": "Book#7"}
    when = datetime(2026, 2, 2, 2, 40, 0, 123456, tzinfo=timezone.utc)
    assert record.approximate_creation_datetime == when


@pytest.mark.parametrize(
    "written", [1770000000123456, "1770000000123456", {"N": "1770000000123456"}]
)
def test_the_time_of_writing_is_read_in_every_spelling(written: object) -> None:
    line = {"Metadata": {"WriteTimestampMicros": written}, "Keys": KEYS, "NewImage": NEW}
    assert only(line).approximate_creation_ns == 1_770_000_000_123_456_000


@pytest.mark.parametrize("metadata", [{}, {"WriteTimestampMicros": None}])
def test_a_line_without_a_time_of_writing_has_no_time(metadata: Any) -> None:
    record = only({"Metadata": metadata, "Keys": KEYS, "NewImage": NEW})
    assert record.new["PK"] == "Book#7"
    assert record.approximate_creation_datetime is None


def test_without_msgspec_the_lines_of_an_export_are_left_to_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "unread_lines", None)
    text = json.dumps({"Item": NEW}).encode()
    assert unread_export_record(text, Origin("export"), codec_for(None), known={}) is None


def test_a_small_time_is_still_in_microseconds() -> None:
    """Not told by its size: the name of the field says the unit."""
    line = {"Metadata": {"WriteTimestampMicros": {"N": "123"}}, "Keys": KEYS, "NewImage": NEW}
    assert only(line).approximate_creation_ns == 123_000


def test_a_delete_without_its_old_image_has_none() -> None:
    with pytest.raises(MissingImageError):
        only({"Metadata": METADATA, "Keys": KEYS}).old  # noqa: B018


def test_a_file_of_lines_is_read_line_by_line() -> None:
    lines = [{"Item": {**NEW, "text": {"S": "a\u2028b\nc"}}}, {"Item": NEW}]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n"
    assert [record.new.get("text") for record in parse(text)] == ["a\u2028b\nc", None]


def test_the_answer_of_get_item_is_no_export() -> None:
    with pytest.raises(PayloadError, match="GetItem"):
        parse({"Item": NEW, "ResponseMetadata": {}})
