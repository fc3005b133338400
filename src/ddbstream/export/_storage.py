"""Files of an export, in a folder or in S3, opened as streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

from ddbstream._values.callables import check_methods
from ddbstream._values.service_errors import code_of
from ddbstream.exceptions import ExportError

__all__ = ["Place", "make_s3_client", "piece_of", "place_of"]

_SCHEME = "s3://"
_FOLDER = "AWSDynamoDB/"


class Place(Protocol):
    """A file or folder."""

    @property
    def name(self) -> str:
        """Its last part."""
        ...

    def child(self, name: str) -> Place:
        """A file in this folder."""
        ...

    def sibling(self, name: str) -> Place:
        """A file beside this one."""
        ...

    def data(self, key: str) -> str:
        """Where a data file of the export is, whose summary manifest this is.

        Args:
            key: The file's key, from ``AWSDynamoDB/`` on.
        """
        ...

    def exists(self) -> bool:
        """Whether it is there, and may be read."""
        ...

    def open(self) -> Any:
        """A context manager that gives a binary stream; raises ExportError if there is none."""
        ...


def place_of(location: str, s3_client: Any = None) -> Place:
    """The place that a path or an S3 URL names; raises ExportError for an async client."""
    check_methods(s3_client, "s3_client=", ExportError, "get_object")
    if not location.startswith(_SCHEME):
        return _LocalPlace(Path(location))
    bucket, _, key = location[len(_SCHEME) :].partition("/")
    return _S3Place(bucket, key.rstrip("/"), s3_client)


def piece_of(stream: Any, size: int, name: str) -> bytes:
    """So much of a file that is open, or all the rest if the size is negative.

    Raises:
        ExportError: The download broke off.
    """
    try:
        data: bytes = stream.read(size) if size >= 0 else stream.read()
    except Exception as error:  # noqa: BLE001 - a network's errors are of many libraries
        reason = type(error).__name__
    else:
        return data
    raise ExportError(f"{name} cannot be read: the download broke off: {reason}")


def make_s3_client() -> Any:
    """A boto3 client for S3 as the environment configures it."""
    try:  # boto3 is an extra
        import boto3
    except ImportError:
        raise ExportError("reading from S3 needs boto3: pip install 'ddbstream[poller]'") from None
    return cast("Any", boto3).client("s3")


class _LocalPlace:
    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return self._path.name

    def child(self, name: str) -> Place:
        return _LocalPlace(self._path / name)

    def sibling(self, name: str) -> Place:
        return _LocalPlace(self._path.with_name(name))

    def data(self, key: str) -> str:
        # The whole bucket may have been copied, or one export's folder alone.
        folder = self._path.absolute().parent
        parts = Path(key).parts
        tries = [folder / Path(*parts[-2:]), folder.parent / Path(*parts[-2:])]
        if key.startswith(_FOLDER):
            tries += [parent / key for parent in folder.parents]
        return str(next((path for path in tries if path.is_file()), tries[0]))

    def exists(self) -> bool:
        return self._path.is_file()

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        try:
            if self._path.exists() and not self._path.is_file():
                # A pipe would be waited for, and some devices read, without an end.
                raise ExportError(f"{self.name} cannot be read: it is no file")
            stream = self._path.open("rb")
        except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
            reason = getattr(error, "strerror", None) or "it is no path"
            raise ExportError(f"{self.name} cannot be read: {reason}") from None
        with stream:
            yield stream


class _S3Place:
    def __init__(self, bucket: str, key: str, client: Any) -> None:
        self._bucket = bucket
        self._key = key
        self._client = client

    @property
    def name(self) -> str:
        return self._key.rpartition("/")[2]

    def child(self, name: str) -> Place:
        key = f"{self._key}/{name}" if self._key else name
        return _S3Place(self._bucket, key, self._client)

    def sibling(self, name: str) -> Place:
        key = self._key[: len(self._key) - len(self.name)] + name
        return _S3Place(self._bucket, key, self._client)

    def data(self, key: str) -> str:
        prefix, found, _ = self._key.partition(_FOLDER)
        return f"{_SCHEME}{self._bucket}/{prefix if found else ''}{key}"

    def exists(self) -> bool:
        try:
            with self.open():
                return True
        except ExportError:
            return False

    @contextmanager
    def open(self) -> Iterator[Any]:
        if self._client is None:
            self._client = make_s3_client()
        body: Any = None
        code = ""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=self._key)["Body"]
        except Exception as error:
            code = code_of(error) or ""
            if code not in {"NoSuchKey", "NoSuchBucket", "AccessDenied", "404", "403"}:
                raise
        if body is None:
            raise ExportError(f"{self.name} cannot be read: {code}")
        try:
            yield body
        finally:
            body.close()
