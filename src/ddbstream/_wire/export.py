"""A line of a table's S3 export in DynamoDB JSON: an item, or what a window changed about one.

A full export has ``Item``. An incremental one has ``Metadata``, ``Keys`` and images, all writes of
the window folded into one, and names no event: which images there are says it.

Source: `export output`_.

.. _export output: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddbstream._records import EVENTS, Origin, StreamRecord
from ddbstream._values.json_values import is_map

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["export_record", "is_export_line"]


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
    change: dict[str, Any] = dict(known or {})
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
    raw = {"eventName": event, "eventSource": "aws:dynamodb", "dynamodb": change}
    return EVENTS[event](raw, change, origin, codec)


def _event(line: Mapping[str, Any]) -> str:
    if "NewImage" not in line:
        return "REMOVE"
    return "MODIFY" if "OldImage" in line else "INSERT"
