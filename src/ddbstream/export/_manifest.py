"""What an export consists of, as its manifests say.

``manifest-summary.json`` describes the export, ``manifest-files.json`` beside it has a line for
each data file. An incremental export keeps its data in a folder that several exports share, so the
manifest, and not the folder, says what belongs to it.

Source: `export output`_.

.. _export output: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike, fspath
from typing import Any, Final, Literal

from ddbstream._records.origin import table_of
from ddbstream._values.json_values import is_map
from ddbstream._values.times import aware_datetime, nanoseconds
from ddbstream._wire.text import load
from ddbstream.exceptions import DDBStreamError, ExportError
from ddbstream.export._storage import Place, place_of

__all__ = ["Export", "ExportFile", "open_export"]

_SUMMARY: Final = "manifest-summary.json"
_FILES: Final = "manifest-files.json"
_FOLDER: Final = "AWSDynamoDB/"


@dataclass(frozen=True)
class ExportFile:
    """One data file of an export: plain values, to be sent to another machine or process.

    Attributes:
        location: A path, or ``s3://bucket/key``.
        item_count: How many lines it has.
        md5: Of the compressed file, base64; ``None`` if not known.
        format: ``DYNAMODB_JSON`` or ``ION``.
        table_arn: The table.
        export_arn: The export that the file belongs to.
        view_type: Which images a line can have.
        exported_at: The moment of a full export, in nanoseconds since 1970.
        key: The file's name within the export, whatever place it was copied to.
    """

    location: str
    item_count: int
    md5: str | None = None
    format: Literal["DYNAMODB_JSON", "ION"] = "DYNAMODB_JSON"
    table_arn: str | None = None
    export_arn: str | None = None
    view_type: str = "NEW_IMAGE"
    exported_at: int | None = None
    key: str = ""


@dataclass(frozen=True)
class Export:
    """An export of a table.

    Attributes:
        arn: The export's ARN.
        table_arn: The table's.
        kind: ``full``: every item, at one moment; ``incremental``: what a span of time changed.
        format: Of the data files.
        view_type: ``NEW_IMAGE`` or ``NEW_AND_OLD_IMAGES``.
        item_count: How many lines the files have together.
        exported_at: The moment of a full export; the end, exclusive, of an incremental one's time.
        exported_from: The beginning, inclusive, of an incremental one's time.
        files: The data files.
    """

    arn: str
    table_arn: str
    kind: Literal["full", "incremental"]
    format: Literal["DYNAMODB_JSON", "ION"]
    view_type: str
    item_count: int
    exported_at: datetime | None = None
    exported_from: datetime | None = None
    files: tuple[ExportFile, ...] = field(default=(), repr=False)

    @property
    def table_name(self) -> str | None:
        """The table's name."""
        return table_of(self.table_arn)


def open_export(location: str | PathLike[str], *, s3_client: Any = None) -> Export:
    """Read an export's manifests.

    Args:
        location: The export's folder, the one that has ``manifest-summary.json``, or that file: a
            path or ``s3://bucket/prefix``. A copy is as good as the original: files are looked for
            where the manifest was found, and not where it says that they were.
        s3_client: boto3's ``s3`` client; made if needed and not given.

    Raises:
        ExportError: There are no manifests there, or they cannot be read as such.
    """
    place = place_of(fspath(location), s3_client)
    if not place.name.endswith(_SUMMARY):
        place = place.child(_SUMMARY)
    summary = _loaded(place)
    if not is_map(summary) or not isinstance(summary.get("tableArn"), str):
        raise ExportError(f"{_SUMMARY} is no summary of an export")
    incremental = summary.get("exportType") == "INCREMENTAL_EXPORT"
    output = summary.get("outputFormat")
    if output not in {"DYNAMODB_JSON", "ION"}:
        raise ExportError(f"{_SUMMARY} names an output format that is not known")
    when = _nanoseconds(summary.get("exportToTime" if incremental else "exportTime"))
    since = _nanoseconds(summary.get("exportFromTime"))
    view = summary.get("outputView") if incremental else "NEW_IMAGE"
    arn = str(summary.get("exportArn") or "")
    common: dict[str, Any] = {
        "format": output,
        "table_arn": summary["tableArn"],
        "export_arn": arn,
        "view_type": str(view or "NEW_AND_OLD_IMAGES").replace("NEW_IMAGES", "NEW_IMAGE"),
        "exported_at": None if incremental else when,
    }
    listed = _loaded(place.sibling(_FILES))
    lines = listed if isinstance(listed, list) else [listed]
    files = tuple(_file(line, place, common) for line in lines if line != "")
    return Export(
        arn=arn,
        table_arn=summary["tableArn"],
        kind="incremental" if incremental else "full",
        format=output,
        view_type=common["view_type"],
        item_count=int(summary.get("itemCount") or sum(file.item_count for file in files)),
        exported_at=None if when is None else aware_datetime(when),
        exported_from=None if since is None else aware_datetime(since),
        files=files,
    )


def _loaded(place: Place) -> Any:
    with place.open() as stream:
        data = stream.read()
    try:
        return load(data)
    except DDBStreamError:
        pass
    raise ExportError(f"{place.name} is not JSON")


def _file(line: object, summary: Place, common: Mapping[str, Any]) -> ExportFile:
    entry = load(line) if isinstance(line, str) else line
    if not is_map(entry) or not isinstance(entry.get("dataFileS3Key"), str):
        raise ExportError(f"{_FILES} has a line that names no file")
    key: str = entry["dataFileS3Key"]
    # Prefixes change when an export is copied; what begins with this folder does not.
    inside = key[key.find(_FOLDER) :] if _FOLDER in key else key
    return ExportFile(
        location=summary.data(inside),
        item_count=int(entry.get("itemCount") or 0),
        md5=entry.get("md5Checksum"),
        key=inside,
        **common,
    )


def _nanoseconds(value: object) -> int | None:
    try:
        return None if value is None else nanoseconds(value)
    except (ValueError, TypeError, ArithmeticError):
        return None
