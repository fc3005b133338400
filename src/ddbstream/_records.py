"""Stream records: what changed in one item, with the images decoded on first use.

A record keeps the wire mapping it came in, untouched, and reads everything else from it when asked.
Nothing is checked or decoded before: a record whose images nobody reads costs next to nothing.

Source of the fields: AWS's `Record`_ and `StreamRecord`_.

.. _Record: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
.. _StreamRecord: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar, Union, cast

from ddbstream._model import codec_for
from ddbstream.exceptions import DDBStreamError, MissingImageError, RecordError

if TYPE_CHECKING:
    from typing import Final, final

    from typing_extensions import Self
    from typing_extensions import TypeVar as _TypeVar

    from ddbstream._diff import Diff
    from ddbstream._model import Codec

    T_co = _TypeVar("T_co", covariant=True, default=dict[str, Any])
else:
    T_co = TypeVar("T_co", covariant=True)

    def final(cls):
        return cls


__all__ = ["Change", "Insert", "Modify", "Remove", "StreamRecord", "UserIdentity"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

# What DynamoDB's own TTL deletions carry:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_TTL_PRINCIPAL: Final = "dynamodb.amazonaws.com"


class UserIdentity(NamedTuple):
    """Who made the change, where DynamoDB says so: today, its TTL process only."""

    type: str | None
    principal_id: str | None


class Origin:
    """What a payload knows about its records that they do not say themselves.

    One object is shared by all records of a payload, except where the envelope differs per record.
    """

    __slots__ = ("form", "item_identifier", "stream_arn")

    def __init__(
        self, form: str, stream_arn: str | None = None, item_identifier: str | None = None
    ) -> None:
        self.form = form
        self.stream_arn = stream_arn
        self.item_identifier = item_identifier


class StreamRecord(Generic[T_co]):
    """One change of one item: the base of `Insert`, `Modify` and `Remove`.

    Made by `ddbstream.parse` and by a router. Reading an attribute reads the wire mapping; one that the
    mapping lacks is ``None``, except where said otherwise.

    Attributes:
        raw: The record's wire mapping, untouched.
    """

    __slots__ = ("_change", "_codec", "_diff", "_new", "_old", "_origin", "raw")

    raw: Mapping[str, Any]
    _change: Mapping[str, Any]
    _codec: Codec[T_co]
    _diff: Diff | None
    _new: T_co | None
    _old: T_co | None
    _origin: Origin

    def __init__(
        self,
        raw: Mapping[str, Any],
        change: Mapping[str, Any],
        origin: Origin,
        codec: Codec[T_co],
    ) -> None:
        self.raw = raw
        self._change = change
        self._origin = origin
        self._codec = codec
        self._old = self._new = self._diff = None

    def _with_codec(self, codec: Codec[Any]) -> Self:
        """The same record, its images read through another model."""
        return type(self)(self.raw, self._change, self._origin, codec)

    @property
    def event_id(self) -> str | None:
        """``eventID``: the same each time this record is delivered."""
        return self.raw.get("eventID")

    @property
    def event_name(self) -> str:
        """``eventName``: ``INSERT``, ``MODIFY`` or ``REMOVE``."""
        return cast("str", self.raw.get("eventName"))

    @property
    def sequence_number(self) -> str | None:
        """``SequenceNumber``, as the text it came in; compare as integers. A Kinesis record has none."""
        return self._change.get("SequenceNumber")

    @property
    def item_identifier(self) -> str | None:
        """What a batch response names this record by: the sequence number of the stream that carried it."""
        return self._origin.item_identifier or self._change.get("SequenceNumber")

    @property
    def approximate_creation_datetime(self) -> datetime | None:
        """``ApproximateCreationDateTime``, aware and in UTC, to the microsecond where the form has it.

        Raises:
            RecordError: The value is no time.
        """
        value = self._change.get("ApproximateCreationDateTime")
        if value is None:
            return None
        try:
            return _aware(value)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            self._refuse("ApproximateCreationDateTime", "a time", value)

    @property
    def size_bytes(self) -> int | None:
        """``SizeBytes``: the size of the keys and images on the wire, in bytes."""
        return self._change.get("SizeBytes")

    @property
    def stream_view_type(self) -> str | None:
        """``StreamViewType``: which images the stream captures. A Kinesis record does not say."""
        return self._change.get("StreamViewType")

    @property
    def event_source_arn(self) -> str | None:
        """The stream's ARN: ``eventSourceARN``, or what the caller said the records came from."""
        return self.raw.get("eventSourceARN") or self._origin.stream_arn

    @property
    def table_name(self) -> str | None:
        """The table's name, from the ARN or from the record itself (Kinesis form)."""
        name = self.raw.get("tableName")
        return name if isinstance(name, str) else _table_of(self.event_source_arn)

    @property
    def aws_region(self) -> str | None:
        """``awsRegion``."""
        return self.raw.get("awsRegion")

    @property
    def user_identity(self) -> UserIdentity | None:
        """``userIdentity``, in either casing: Lambda's camelCase, boto3's PascalCase."""
        identity = self.raw.get("userIdentity")
        if not isinstance(identity, Mapping) or not identity:
            return None
        return UserIdentity(
            identity.get("type", identity.get("Type")),
            identity.get("principalId", identity.get("PrincipalId")),
        )

    @property
    def is_ttl_removal(self) -> bool:
        """Whether DynamoDB's Time to Live deleted the item.

        In a global table only the region where TTL ran can tell; elsewhere it is an ordinary delete.
        """
        return self.raw.get("eventName") == "REMOVE" and self.user_identity == (
            "Service",
            _TTL_PRINCIPAL,
        )

    @property
    def keys(self) -> dict[str, Any]:
        """The item's key attributes as Python values.

        Raises:
            RecordError: The record has no ``Keys``.
            DecodeError: A key is malformed.
        """
        keys = self._change.get("Keys")
        if not isinstance(keys, Mapping):
            self._refuse("Keys", "a map", keys)
        try:
            return codec_for(None).decode(keys)
        except DDBStreamError as error:
            raise self._located(error, "Keys") from None

    @property
    def diff(self) -> Diff:
        """What the change did to the item; an insert adds everything, a removal removes everything.

        Values are typed through the record's model.

        Raises:
            MissingImageError: The stream's view type lacks an image that this needs.
            DecodeError: A value that differs is malformed.
        """
        if self._diff is None:
            from ddbstream._diff import diff_images

            try:
                self._diff = diff_images(*self._images(), codec=self._codec)
            except DDBStreamError as error:
                raise self._located(error) from None
        return self._diff

    def _images(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """The wire images (old, new); ``None`` where the event has no such image by its nature.

        Raises:
            MissingImageError: The view type lacks one that the event has by its nature.
        """
        return None, None

    def _image(self, name: str) -> Mapping[str, Any]:
        image = self._change.get(name)
        if image is None:
            raise MissingImageError(
                f"no {name} captured: the stream's view type is "
                f"{self.stream_view_type or 'not known'}",
                path=name,
                event_id=self.event_id,
                sequence_number=self.sequence_number,
            )
        if not isinstance(image, Mapping):
            self._refuse(name, "a map", image)
        return image

    def _decode(self, name: str) -> T_co:
        image = self._image(name)
        try:
            return self._codec.decode(image)
        except DDBStreamError as error:
            raise self._located(error, name) from None

    def _located(self, error: DDBStreamError, prefix: str | None = None) -> DDBStreamError:
        return error.located(
            prefix, event_id=_text(self.event_id), sequence_number=_text(self.sequence_number)
        )

    def _refuse(self, path: str, expected: str, found: object) -> NoReturn:
        raise self._located(
            RecordError(
                path=path,
                expected=expected,
                found="nothing" if found is None else type(found).__name__,
            )
        )

    def __repr__(self) -> str:
        """Names the record and never its values."""
        return (
            f"<{type(self).__name__}[{self._codec.name}] event_id={self.event_id} "
            f"sequence_number={self.sequence_number}>"
        )


@final
class Insert(StreamRecord[T_co]):
    """A new item. ``match`` as ``Insert(new)``."""

    __slots__ = ()
    __match_args__ = ("new",)

    @property
    def new(self) -> T_co:
        """The item as written.

        Raises:
            MissingImageError: The stream's view type does not carry new images.
            DecodeError: The image does not fit the model.
        """
        if self._new is None:
            self._new = self._decode("NewImage")
        return self._new

    def _images(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return None, self._image("NewImage")


@final
class Modify(StreamRecord[T_co]):
    """A changed item. ``match`` as ``Modify(old, new)``."""

    __slots__ = ()
    __match_args__ = ("old", "new")

    @property
    def old(self) -> T_co:
        """The item before the change.

        Raises:
            MissingImageError: The stream's view type does not carry old images.
            DecodeError: The image does not fit the model.
        """
        if self._old is None:
            self._old = self._decode("OldImage")
        return self._old

    @property
    def new(self) -> T_co:
        """The item after the change.

        Raises:
            MissingImageError: The stream's view type does not carry new images.
            DecodeError: The image does not fit the model.
        """
        if self._new is None:
            self._new = self._decode("NewImage")
        return self._new

    def _images(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return self._image("OldImage"), self._image("NewImage")


@final
class Remove(StreamRecord[T_co]):
    """A deleted item. ``match`` as ``Remove(old)``."""

    __slots__ = ()
    __match_args__ = ("old",)

    @property
    def old(self) -> T_co:
        """The item before it was deleted.

        Raises:
            MissingImageError: The stream's view type does not carry old images.
            DecodeError: The image does not fit the model.
        """
        if self._old is None:
            self._old = self._decode("OldImage")
        return self._old

    def _images(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return self._image("OldImage"), None


Change = Union[Insert[T_co], Modify[T_co], Remove[T_co]]
"""Any of the three changes, for a handler of them all: ``Change[Product]``."""


@final
class MalformedRecord(StreamRecord[Any]):
    """A record that cannot be told to be any of the three: ``error`` says why. No handler sees one."""

    __slots__ = ("error",)

    def __init__(self, raw: Mapping[str, Any], origin: Origin, error: DDBStreamError) -> None:
        change = raw.get("dynamodb")
        super().__init__(
            raw, change if isinstance(change, Mapping) else {}, origin, codec_for(None)
        )
        self.error = self._located(error)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _table_of(arn: object) -> str | None:
    # arn:partition:dynamodb:region:account:table/Name/stream/label, and the label has colons.
    if not isinstance(arn, str):
        return None
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("table/"):
        return None
    return parts[5].split("/", 2)[1] or None


# Lambda sends seconds (int or float), some producers and old fixtures milliseconds, Kinesis records
# milliseconds or microseconds. No two of these ranges meet between the years 1973 and 5138.
_UNITS: Final = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))


def _aware(value: object) -> datetime:
    """An epoch number of any unit, ISO 8601 text, or a datetime, as an aware datetime in UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        try:
            value = float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            text = cast("str", value)
            stamp = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)
    if isinstance(value, int):
        scale = next((s for limit, s in _UNITS if abs(value) < limit), 1_000_000_000)
        return _EPOCH + timedelta(microseconds=value * 1_000_000 // scale)
    number = float(value)  # type: ignore[arg-type]
    scale = next((s for limit, s in _UNITS if abs(number) < limit), 1_000_000_000)
    return _EPOCH + timedelta(microseconds=round(number / scale * 1_000_000))
