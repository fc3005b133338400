"""What an export consists of, as its manifests say.

``manifest-summary.json`` describes the export, ``manifest-files.json`` beside it has a line for
each data file. An incremental export keeps its data in a folder that several exports share, so the
manifest, and not the folder, says what belongs to it.

Rules:

* An export is somebody else's input. What a manifest says is checked: types, counts, the names of
  files, which stay inside the export.
* A manifest is whole if the files' counts add up to the summary's, and if it has the MD5 that is in
  ``manifest-summary.md5`` and ``manifest-files.md5``, where those are there.

Source: `export output`_.

.. _export output: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64, b2a_base64
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
from ddbstream.export._storage import Place, piece_of, place_of

__all__ = ["Export", "ExportFile", "open_export"]

_SUMMARY: Final = "manifest-summary.json"
_FILES: Final = "manifest-files.json"
_FOLDER: Final = "AWSDynamoDB/"
_FORMATS: Final = ("DYNAMODB_JSON", "ION")
_VIEWS: Final = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
_MD5: Final = re.compile(r"[A-Za-z0-9+/]{22}==|[0-9a-fA-F]{32}")
_LONGEST_KEY: Final = 1024  # S3's limit
_LONGEST_NAME: Final = 255  # of a file, on the usual systems
# A line is about 300 bytes, and a file of an export some 100 MB: a table of petabytes.
_LONGEST_MANIFEST: Final = 1 << 28
_MOST_ITEMS: Final = 10**15  # of an export; no table has as many


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
        ExportError: There are no manifests there, they cannot be read as such, or something in them
            is missing; the message says which and, of a list of files, the line.
    """
    place = place_of(fspath(location), s3_client)
    if not place.name.endswith(_SUMMARY):
        place = place.child(_SUMMARY)
    summary = _loaded(place)
    if not is_map(summary) or not isinstance(summary.get("tableArn"), str):
        raise ExportError(f"{_SUMMARY} is no summary of an export")
    incremental = summary.get("exportType") == "INCREMENTAL_EXPORT"
    when = _nanoseconds(summary.get("exportToTime" if incremental else "exportTime"))
    view = summary.get("outputView") if incremental else "NEW_IMAGE"
    if isinstance(view, str):
        view = view.replace("NEW_IMAGES", "NEW_IMAGE")
    common: dict[str, Any] = {
        "format": _one_of(_FORMATS, summary.get("outputFormat"), "an output format"),
        "table_arn": summary["tableArn"],
        "export_arn": str(summary.get("exportArn") or ""),
        "view_type": _one_of(_VIEWS, view or "NEW_AND_OLD_IMAGES", "an output view"),
        "exported_at": None if incremental else when,
    }
    listed = _loaded(place.sibling(_FILES))
    lines = listed if isinstance(listed, list) else [listed]
    files = tuple(
        _file(line, number, place, common) for number, line in enumerate(lines, 1) if line != ""
    )
    together = sum(file.item_count for file in files)
    count = _count(summary.get("itemCount"), _SUMMARY)
    if count is not None and count != together:
        raise ExportError(
            f"{_FILES} is not whole: its {len(files)} files have {together} items, and {_SUMMARY} "
            f"says {count}"
        )
    return Export(
        arn=common["export_arn"],
        table_arn=summary["tableArn"],
        kind="incremental" if incremental else "full",
        format=common["format"],
        view_type=common["view_type"],
        item_count=together,
        exported_at=_moment(when),
        exported_from=_moment(_nanoseconds(summary.get("exportFromTime"))),
        files=files,
    )


def _loaded(place: Place) -> Any:
    data = _read(place)
    _check_md5(place, data)
    try:
        return load(data)
    except DDBStreamError:
        pass
    raise ExportError(f"{place.name} is not JSON")


def _read(place: Place) -> bytes:
    data = bytearray()
    with place.open() as stream:
        # Piece by piece: a file makes room for all that it is asked for.
        while piece := piece_of(stream, 1 << 16, place.name):
            data += piece
            if len(data) > _LONGEST_MANIFEST:
                raise ExportError(f"{place.name} is longer than a manifest can be")
    return bytes(data)


def _check_md5(place: Place, data: bytes) -> None:
    """Compare a manifest with the checksum beside it; a copy may have left that out."""
    beside = place.sibling(place.name.removesuffix(".json") + ".md5")
    if not beside.exists():
        return
    said = _read(beside).decode("ascii", "replace").strip().strip('"')
    if not _MD5.fullmatch(said):
        raise ExportError(f"{beside.name} holds no MD5")
    digest = bytes.fromhex(said) if len(said) == 32 else a2b_base64(said)
    # Against damage, and not against forgery.
    if digest != hashlib.md5(data, usedforsecurity=False).digest():
        raise ExportError(f"{place.name} is not as it was written: its MD5 is not {beside.name}'s")


def _file(line: object, number: int, summary: Place, common: Mapping[str, Any]) -> ExportFile:
    where = f"{_FILES}, line {number}"
    try:
        entry = load(line) if isinstance(line, str) else line
    except DDBStreamError:
        entry = None
    if not is_map(entry):
        raise ExportError(f"{where}: not an object of JSON, which names no file")
    key = entry.get("dataFileS3Key")
    if not isinstance(key, str):
        raise ExportError(f"{where}: it names no file")
    # Prefixes change when an export is copied; what begins with this folder does not.
    inside = key[key.find(_FOLDER) :] if _FOLDER in key else key
    if not _stays_inside(inside):
        raise ExportError(f"{where}: it names a file outside the export")
    return ExportFile(
        location=summary.data(inside),
        item_count=_count(entry.get("itemCount"), where) or 0,
        md5=_md5(entry.get("md5Checksum"), where),
        key=inside,
        **common,
    )


def _stays_inside(key: str) -> bool:
    """Whether a key is a plain path downwards, in S3 and on every system."""
    parts = key.split("/")
    return (
        key.isprintable()
        and len(key) <= _LONGEST_KEY
        and all(len(part.encode()) <= _LONGEST_NAME for part in parts)
        and not {"", ".", ".."} & set(parts)
        and not any(character in key for character in "\\:")
    )


def _one_of(known: tuple[str, ...], value: object, what: str) -> Any:
    if value in known:
        return value
    raise ExportError(f"{_SUMMARY} names {what} that is not known")


def _count(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_ITEMS:
        return value
    raise ExportError(f"{where}: itemCount is no number of items")


def _md5(value: object, where: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and _MD5.fullmatch(value):
        return (
            value if len(value) != 32 else b2a_base64(bytes.fromhex(value), newline=False).decode()
        )
    raise ExportError(f"{where}: md5Checksum is no MD5")


def _moment(since_epoch: int | None) -> datetime | None:
    try:
        return None if since_epoch is None else aware_datetime(since_epoch)
    except OverflowError:
        return None


def _nanoseconds(value: object) -> int | None:
    try:
        return None if value is None else nanoseconds(value)
    except (ValueError, TypeError, ArithmeticError):
        return None
