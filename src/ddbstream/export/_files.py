"""The records of one data file, one at a time: decompressed, decoded and checked as they are read.

Rule: a file is believed when its end has been reached and its checksum and line count are those of
the manifest. A download that breaks off is an `ExportError`, and never a short file.

A file is somebody else's input: a few hundred bytes of gzip can unpack to as many megabytes. So a
line, and a file, have a limit.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from binascii import b2a_base64
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from ddbstream._model import codec_for
from ddbstream._records import MalformedRecord, Origin, StreamRecord
from ddbstream._wire.dynamodb import malformed
from ddbstream._wire.export import export_record, is_export_line, unread_export_record
from ddbstream._wire.pages import Unmade
from ddbstream._wire.text import load
from ddbstream.exceptions import DDBStreamError, ExportError, PayloadError, RecordError
from ddbstream.export._manifest import ExportFile
from ddbstream.export._storage import piece_of, place_of

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = [
    "MOST_FILE_BYTES",
    "MOST_LINE_BYTES",
    "RecordMaker",
    "SomeLines",
    "check_file",
    "read_lines",
    "read_records",
]

# An item has 400 KB at most. As JSON, an empty text in a list takes nine times its size (control
# characters take six), and a line of an incremental export may have two images.
MOST_LINE_BYTES: Final = 1 << 24
# A partition has 10 GB at most; as JSON, of the usual items, some three times as much.
MOST_FILE_BYTES: Final = 1 << 35


def read_records(
    file: ExportFile,
    *,
    skip: int = 0,
    keys: Sequence[str] = (),
    verify: bool = True,
    s3_client: Any = None,
    max_line_bytes: int = MOST_LINE_BYTES,
    max_file_bytes: int = MOST_FILE_BYTES,
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
        max_line_bytes: How long an unpacked line may be; 16 MB is more than any item takes.
        max_file_bytes: How much the file may unpack to.

    Raises:
        ExportError: The file is missing, damaged or incomplete, or over a limit.
    """
    check_file(file)
    limits = (max_line_bytes, max_file_bytes)
    lines = read_lines(file, skip, s3_client, limits, verify=verify)
    make, codec = RecordMaker(file, keys), codec_for(None)
    for number, line in lines:
        yield make(number, line, codec)


def check_file(file: object) -> None:
    """Raise ExportError for what is no data file of an export that was opened."""
    if not isinstance(file, ExportFile):
        raise ExportError(
            f"expected an ExportFile, got {type(file).__name__}: open_export() has the files"
        )


def read_lines(
    file: ExportFile,
    skip: int,
    s3_client: Any,
    limits: tuple[int, int],
    *,
    verify: bool = True,
) -> Generator[tuple[int, bytes], None, None]:
    """The lines of a data file, with their numbers; the arguments are those of `read_records`."""
    with closing(_lines(file, s3_client, limits, verify=verify)) as lines:
        yield from islice(enumerate(lines, 1), skip, None)


class RecordMaker:
    """Makes the records of a file's lines.

    Args:
        file: The file.
        keys: The table's key attributes, if they are known.
    """

    def __init__(self, file: ExportFile, keys: Sequence[str]) -> None:
        self._file = file
        self._keys = keys
        self._name = file.key or file.location
        self._known: dict[str, Any] = {"StreamViewType": file.view_type}
        if file.exported_at is not None:
            self._known["ApproximateCreationDateTime"] = file.exported_at

    def __call__(self, number: int, line: bytes, codec: Codec[Any]) -> StreamRecord[Any]:
        """The record of a line, malformed or not."""
        file, keys, known = self._file, self._keys, self._known
        origin = Origin("export", file.table_arn, f"{self._name}:{number}")
        if file.format != "ION":
            record = unread_export_record(line, origin, codec, known=known, keys=keys)
            if record is not None:
                return record
        try:
            entry = _entry(line, file)
        except DDBStreamError as error:
            fault = RecordError(error.problem, path=f"line {number}")
            return MalformedRecord({}, origin, fault)
        if not isinstance(entry, dict) or not is_export_line(entry):
            return malformed(entry, origin, f"line {number}")
        if keys and "Item" in entry:
            item = entry["Item"]
            known = {**known, "Keys": {name: item[name] for name in keys if name in item}}
        return export_record(entry, origin, codec, known=known)

    def line_of(self, identifier: str) -> int:
        """The number of the line whose record is called so."""
        return int(identifier.removeprefix(f"{self._name}:"))


class SomeLines(Unmade):
    """Lines of a file: to a router, the records that they are."""

    def __init__(self, make: RecordMaker, lines: Sequence[tuple[int, bytes]]) -> None:
        self._make = make
        self._lines = lines

    def records(self, origin: Origin, codec: Codec[Any]) -> Iterator[StreamRecord[Any]]:
        for number, line in self._lines:
            yield self._make(number, line, codec)


def _entry(line: bytes, file: ExportFile) -> Any:
    if file.format == "ION":
        # Few exports are in Ion.
        from ddbstream.export._ion import read_ion_line

        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = None
        if text is None:  # outside the `except`: that error holds the line
            raise PayloadError("not Ion as DynamoDB exports it: it is not in UTF-8")
        return read_ion_line(text)
    return load(line)


def _lines(
    file: ExportFile, s3_client: Any, limits: tuple[int, int], *, verify: bool
) -> Generator[bytes, None, None]:
    count = 0
    most_line, left = limits
    with place_of(file.location, s3_client).open() as stream:
        hashed = _Hashed(stream, _name(file))
        with gzip.GzipFile(fileobj=cast("Any", hashed), mode="rb") as lines:
            while line := _next_line(lines, most_line + 1, file, count + 1):
                left -= len(line)
                if len(line) > most_line:
                    raise _over(file, count + 1, f"the line has over {most_line} bytes")
                if left < 0:
                    raise _over(file, count + 1, f"the file unpacks to over {limits[1]} bytes")
                if line.strip():
                    count += 1
                    if verify and count > file.item_count:
                        break
                    yield line
    if not verify:
        return
    if count > file.item_count:
        raise ExportError(
            f"{_name(file)} has more lines than the {file.item_count} that the manifest says"
        )
    if file.md5 and b2a_base64(hashed.md5, newline=False) != file.md5.encode():
        raise ExportError(f"{_name(file)} is not the file that the manifest means: its MD5 differs")
    if count != file.item_count:
        raise ExportError(
            f"{_name(file)} has {count} lines, and the manifest says {file.item_count}"
        )


def _next_line(lines: gzip.GzipFile, most: int, file: ExportFile, number: int) -> bytes:
    try:
        return lines.readline(most)
    except (OSError, EOFError, zlib.error) as error:
        reason = type(error).__name__
    raise ExportError(f"{_name(file)} is damaged or incomplete at line {number}: {reason}")


def _over(file: ExportFile, number: int, what: str) -> ExportError:
    return ExportError(f"{_name(file)}, line {number}: {what}, the limit that is set")


def _name(file: ExportFile) -> str:
    return file.location.rpartition("/")[2]


class _Hashed:
    """A stream that is hashed while it is read; all that `gzip` needs of a file.

    `gzip` looks for another member behind each, and so reads to the end of the file.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name
        # The manifest's checksum: against damage, and not against forgery.
        self._hash = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> bytes:
        return self._hash.digest()

    def read(self, size: int = -1) -> bytes:
        data = piece_of(self._stream, size, self._name)
        self._hash.update(data)
        return data
