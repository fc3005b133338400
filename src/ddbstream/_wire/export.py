"""A line of a table's S3 export in DynamoDB JSON: an item, or what a window changed about one.

A full export has ``Item``. An incremental one has ``Metadata``, ``Keys`` and images, all writes of
the window folded into one, and names no event: which images there are says it.

Source: `export output`_.

.. _export output: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbstream._records import EVENTS, Origin, StreamRecord
from ddbstream._values.json_values import is_map
from ddbstream._wire.text import loads
from ddbstream._wire.unread_text import unread_lines

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._wire.unread import UnreadRecord

__all__ = ["export_record", "is_export_line", "unread_export_record"]


def is_export_line(entry: Mapping[str, Any]) -> bool:
    """Whether this is a line of an export, full or incremental."""
    if "Metadata" in entry and "Keys" in entry:
        return is_map(entry["Metadata"])
    # GetItem's answer has an Item too, and ResponseMetadata beside it.
    return len(entry) == 1 and is_map(entry.get("Item"))


def export_record(
    line: Mapping[str, Any],
    origin: Origin,
    codec: Codec[Any],
    *,
    known: Mapping[str, Any] | None = None,
) -> StreamRecord[Any]:
    """The change that a line stands for.

    A full export's item is an INSERT; so is an incremental line with a new image alone, though an
    export with ``NEW_IMAGE`` view writes updates like that too. Both images are a MODIFY, no new
    image a REMOVE.

    Args:
        line: The line, decoded.
        origin: Says which table it is from.
        codec: Reads the images.
        known: What the export says of every line, in the names of a stream record's ``dynamodb``.
    """
    raw = _as_record(line, known or {})
    return EVENTS[raw["eventName"]](raw, raw["dynamodb"], origin, codec)


def unread_export_record(
    text: bytes,
    origin: Origin,
    codec: Codec[Any],
    *,
    known: Mapping[str, Any],
    keys: Sequence[str] = (),
) -> StreamRecord[Any] | None:
    """The change that a line of a full export stands for, its item not read yet.

    None where `json` has to read the line.
    """
    if unread_lines is None:
        return None

    def make() -> dict[str, Any]:
        line = loads(text)
        item = line["Item"]
        of_keys = {"Keys": {name: item[name] for name in keys if name in item}} if keys else {}
        return _as_record(line, {**known, **of_keys})

    try:
        found: UnreadRecord = unread_lines.unread_line(text, known, keys, make)
    except ValueError:
        return None
    return found.made(origin, codec)


def _as_record(line: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = dict(known)
    if "Item" in line:
        change["NewImage"] = line["Item"]
        event = "INSERT"
    else:
        change.update(
            (name, line[name]) for name in ("Keys", "OldImage", "NewImage") if name in line
        )
        written = line["Metadata"].get("WriteTimestampMicros")
        if is_map(written):
            written = written.get("N")
        if written is not None:
            change["ApproximateCreationDateTime"] = written
            change["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
        event = _event(line)
    return {"eventName": event, "eventSource": "aws:dynamodb", "dynamodb": change}


def _event(line: Mapping[str, Any]) -> str:
    if "NewImage" not in line:
        return "REMOVE"
    return "MODIFY" if "OldImage" in line else "INSERT"
