"""The records of one data file, one at a time: decompressed, decoded and checked as they are read.

Rule: a file is believed when its end has been reached and its checksum and line count are those of
the manifest. A download that breaks off is an `ExportError`, and never a short file.
"""

from __future__ import annotations

import gzip
import hashlib
from binascii import a2b_base64
from collections.abc import Iterator, Sequence
from typing import Any, cast

from ddbstream._model import codec_for
from ddbstream._records import MalformedRecord, Origin, StreamRecord
from ddbstream._wire.dynamodb import malformed
from ddbstream._wire.export import export_record, is_export_line
from ddbstream._wire.text import load
from ddbstream.exceptions import DDBStreamError, ExportError, RecordError
from ddbstream.export._manifest import ExportFile
from ddbstream.export._storage import place_of

__all__ = ["read_records"]


def read_records(
    file: ExportFile,
    *,
    skip: int = 0,
    keys: Sequence[str] = (),
    verify: bool = True,
    s3_client: Any = None,
) -> Iterator[StreamRecord[Any]]:
    """The records of a data file, untyped, holding one at a time.

    A full export's items are inserts. An incremental export's lines are inserts, modifications or
    removals, each standing for all writes to its item in the export's time. A line that cannot be
    read is a malformed record in its place, as a router takes it.

    Args:
        file: The file.
        skip: How many lines to pass over, unread.
        keys: The table's key attributes. A full export does not say which they are; with them,
            records have ``keys``.
        verify: Check the file's checksum and line count when its end is reached.
        s3_client: boto3's ``s3`` client, for a file in S3; made if not given.

    Raises:
        ExportError: The file is missing, damaged or incomplete.
    """
    codec = codec_for(None)
    known: dict[str, Any] = {"StreamViewType": file.view_type}
    if file.exported_at is not None:
        known["ApproximateCreationDateTime"] = file.exported_at
    number = 0
    for line in _lines(file, s3_client, verify=verify):
        number += 1
        if number <= skip:
            continue
        origin = Origin("export", file.table_arn, f"{file.key or file.location}:{number}")
        try:
            entry = _entry(line, file)
        except DDBStreamError as error:
            fault = RecordError(error.problem, path=f"line {number}")
            yield MalformedRecord({}, origin, fault)
            continue
        if not isinstance(entry, dict) or not is_export_line(entry):
            yield malformed(entry, origin, f"line {number}")
            continue
        if keys and "Item" in entry:
            item = entry["Item"]
            known["Keys"] = {name: item[name] for name in keys if name in item}
        yield export_record(entry, origin, codec, known=known)


def _entry(line: bytes, file: ExportFile) -> Any:
    if file.format == "ION":
        # Few exports are in Ion.
        from ddbstream.export._ion import read_ion_line

        return read_ion_line(line.decode("utf-8", "replace"))
    return load(line)


def _lines(file: ExportFile, s3_client: Any, *, verify: bool) -> Iterator[bytes]:
    count = 0
    with place_of(file.location, s3_client).open() as stream:
        hashed = _Hashed(stream)
        with gzip.GzipFile(fileobj=cast("Any", hashed), mode="rb") as lines:
            while True:
                try:
                    line = lines.readline()
                except (OSError, EOFError) as error:
                    raise ExportError(
                        f"{_name(file)} is damaged or incomplete: {type(error).__name__}"
                    ) from None
                if not line:
                    break
                if line.strip():
                    count += 1
                    yield line
    if not verify:
        return
    if file.md5 and hashed.md5 != a2b_base64(file.md5):
        raise ExportError(f"{_name(file)} is not the file that the manifest means: its MD5 differs")
    if count != file.item_count:
        raise ExportError(
            f"{_name(file)} has {count} lines, and the manifest says {file.item_count}"
        )


def _name(file: ExportFile) -> str:
    return file.location.rpartition("/")[2]


class _Hashed:
    """A stream that is hashed while it is read; all that `gzip` needs of a file.

    `gzip` looks for another member behind each, and so reads to the end of the file.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        # The manifest's checksum: against damage, and not against forgery.
        self._hash = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> bytes:
        return self._hash.digest()

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._stream.read(size) if size >= 0 else self._stream.read()
        except Exception as error:  # noqa: BLE001 - a network's errors are of many libraries
            code = type(error).__name__
        else:
            self._hash.update(data)
            return data
        raise ExportError(f"the download broke off: {code}")
