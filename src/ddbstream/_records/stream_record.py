"""What every stream record has: the wire mapping it came in, and the fields read from it on demand.

A record keeps the wire mapping it came in, untouched, and reads everything else from it when asked.
Nothing is checked or decoded before: a record whose images are never read costs next to nothing.

Source of the fields: AWS's `Record`_ and `StreamRecord`_.

.. _Record: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
.. _StreamRecord: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

from ddbstream._model import codec_for
from ddbstream._records.origin import Origin, UserIdentity, table_of
from ddbstream._records.traits import (
    Traits,
    is_ttl_removal,
    replica_of,
    ttl_removal_of,
    unchanged_of,
)
from ddbstream._values.json_values import Unread, is_map, text_of
from ddbstream._values.times import aware_datetime, nanoseconds
from ddbstream.exceptions import DDBStreamError, MissingImageError, RecordError, printable

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self
    from typing_extensions import TypeVar as _TypeVar

    from ddbstream._diff import Diff
    from ddbstream._model import Codec

    T_co = _TypeVar("T_co", covariant=True, default=dict[str, Any])
else:
    T_co = TypeVar("T_co", covariant=True)

__all__ = ["StreamRecord", "T_co"]


class StreamRecord(Generic[T_co]):
    """One change of one item: the base of `Insert`, `Modify` and `Remove`.

    Made by `ddbstream.parse` and by a router. Reading an attribute reads the wire mapping; one that
    the mapping lacks is ``None``, except where said otherwise.

    Two records are equal only if they are one object: the same change may come twice, and by two
    roads in two spellings. Compare what matters: ``event_id`` for the delivery, ``new`` and ``old``
    for the item.

    """

    __slots__ = ("_change", "_codec", "_diff", "_entry", "_new", "_old", "_origin")

    _entry: Mapping[str, Any]
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
        self._entry = raw
        self._change = change
        self._origin = origin
        self._codec = codec
        self._old = self._new = self._diff = None

    def _with_codec(self, codec: Codec[Any]) -> Self:
        """The same record, its images read through another model."""
        return type(self)(self._entry, self._change, self._origin, codec)

    @property
    def raw(self) -> Mapping[str, Any]:
        """The record's wire mapping, untouched.

        For a record out of Kinesis the JSON it carried; for a malformed record, what there is.
        """
        entry = self._entry
        return entry.parsed() if isinstance(entry, Unread) else entry

    @property
    def event_id(self) -> str | None:
        """``eventID``: the same each time this record is delivered."""
        return self._entry.get("eventID")

    @property
    def event_name(self) -> str:
        """``eventName``: ``INSERT``, ``MODIFY`` or ``REMOVE``."""
        return cast("str", self._entry.get("eventName"))

    @property
    def sequence_number(self) -> str | None:
        """``SequenceNumber``, as the text it came in; to compare, see `order_key`.

        A record out of Kinesis has none.
        """
        return self._change.get("SequenceNumber")

    @property
    def item_identifier(self) -> str | None:
        """What a batch response names this record by.

        The record's sequence number; that of the Kinesis record that carried it; the message id of
        the SQS message that did.
        """
        return self._origin.item_identifier or self._change.get("SequenceNumber")

    @property
    def order_key(self) -> tuple[int, int, str]:
        """Sorts the changes of one item in the order in which they were made.

        DynamoDB's sequence number as an integer; a Kinesis record's creation time (Kinesis may
        reorder), then its place in the Kinesis stream. Compare records of one stream, and of one
        form, only. Text that is no number comes before every number.
        """
        sequence = self._change.get("SequenceNumber")
        if sequence is not None:
            return _order_of(sequence)
        try:
            since = self.approximate_creation_ns or 0
        except RecordError:
            since = 0
        place = _order_of(self._origin.item_identifier)
        return (since, place[0], place[2])

    @property
    def approximate_creation_datetime(self) -> datetime | None:
        """``ApproximateCreationDateTime``, aware and in UTC, to the nearest microsecond.

        DynamoDB Streams keeps whole seconds; Kinesis milli- or microseconds.

        Raises:
            RecordError: The value is no time.
        """
        since = self.approximate_creation_ns
        if since is None:
            return None
        try:
            return aware_datetime(since)
        except OverflowError:
            self._refuse("ApproximateCreationDateTime", "a time", since)

    @property
    def approximate_creation_ns(self) -> int | None:
        """``ApproximateCreationDateTime`` in nanoseconds since 1970, with every digit sent.

        Raises:
            RecordError: The value is no time.
        """
        value = self._change.get("ApproximateCreationDateTime")
        if value is None:
            return None
        precision = self._change.get("ApproximateCreationDateTimePrecision")
        try:
            since: int | None = nanoseconds(value, precision)
        except (ValueError, TypeError, ArithmeticError):
            since = None
        # Outside the `except`: the error that it swallows quotes the value.
        if since is None:
            self._refuse("ApproximateCreationDateTime", "a time", value)
        return since

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
        """The stream's ARN: ``eventSourceARN``, or what the caller said the records came from.

        A record out of Kinesis has the Kinesis stream's, where its envelope says it.
        """
        return self._entry.get("eventSourceARN") or self._origin.stream_arn

    @property
    def table_name(self) -> str | None:
        """The table's name, from the record itself (Kinesis form) or from the ARN."""
        name = self._entry.get("tableName")
        return name if isinstance(name, str) else table_of(self.event_source_arn)

    @property
    def aws_region(self) -> str | None:
        """``awsRegion``."""
        return self._entry.get("awsRegion")

    @property
    def user_identity(self) -> UserIdentity | None:
        """``userIdentity``, in either casing: Lambda's camelCase, boto3's PascalCase."""
        identity = self._entry.get("userIdentity")
        if not is_map(identity) or not identity:
            return None
        return UserIdentity(
            identity.get("type", identity.get("Type")),
            identity.get("principalId", identity.get("PrincipalId")),
        )

    @property
    def envelope(self) -> Mapping[str, Any] | None:
        """The Kinesis record or the message that carried this record; ``None`` without one."""
        return self._origin.envelope

    @property
    def is_ttl_removal(self) -> bool:
        """Whether DynamoDB's Time to Live deleted the item, for certain.

        In a global table only the region where TTL ran says so. Elsewhere it is an ordinary
        delete, about which `traits` has a hint.
        """
        return is_ttl_removal(self._entry, self.user_identity)

    @property
    def is_replica(self) -> bool:
        """Whether global tables version 2017.11.29 made this record, for certain: see `traits`."""
        return replica_of(self._entry, self._change) == "certain"

    @property
    def is_unchanged(self) -> bool:
        """Whether this is a MODIFY whose images hold the same item, for certain: see `traits`."""
        return unchanged_of(self._entry, self._change) == "certain"

    def traits(self, *, ttl_attribute: str | None = None) -> Traits:
        """What kind of change this is, each with how certain it is.

        Args:
            ttl_attribute: The table's TTL attribute, an epoch in seconds. With it, a delete of an
                item whose time had come, and that says nothing of TTL, is ``likely`` a replicated
                TTL deletion.
        """
        raw, change = self._entry, self._change
        return Traits(
            ttl_removal_of(raw, change, self.user_identity, ttl_attribute),
            replica_of(raw, change),
            unchanged_of(raw, change),
        )

    @property
    def keys(self) -> dict[str, Any]:
        """The item's key attributes as Python values.

        Raises:
            RecordError: The record has no ``Keys``.
            DecodeError: A key is malformed.
        """
        keys = self._change.get("Keys")
        if not is_map(keys):
            self._refuse("Keys", "a map", keys)
        try:
            return codec_for(None).decode(keys)
        except DDBStreamError as error:
            raise self._located(error, "Keys") from None

    @property
    def diff(self) -> Diff:
        """What the change did to the item; an insert adds everything, a removal removes everything.

        Values are typed through the record's model, when they are asked for.

        Raises:
            MissingImageError: The stream's view type lacks an image that this needs.
            DecodeError: A value that differs is malformed. One that only the model refuses is an
                error of what asks the diff for its changes, and names the record all the same.
        """
        if self._diff is None:
            # A function that asks for no diff does not load it.
            from ddbstream._diff import diff_images

            change = self._change
            # An update expression must leave the key out, and the record knows which it is.
            keys = change.get("Keys")
            self._diff = diff_images(
                *self._images(),
                codec=self._codec,
                keys=keys if is_map(keys) else (),
                sources=(("OldImage", self._entry, change), ("NewImage", self._entry, change)),
            )
        return self._diff

    def _images(
        self, *, views: bool = False
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """The wire images (old, new); ``None`` where the event has no such image by its nature.

        Args:
            views: For one who reads a few attributes: text that is not read yet is not read whole.

        Raises:
            MissingImageError: The view type lacks one that the event has by its nature.
        """
        return None, None

    def _image(self, name: str, *, view: bool = False) -> Mapping[str, Any]:
        change = self._change
        if view and type(change) is not dict and isinstance(change, Unread):
            image = change.view(name)
            if isinstance(image, Unread):  # it has been seen to be a map
                return image
        else:
            image = change.get(name)
        if image is None:
            raise MissingImageError(
                f"no {name} captured: the stream's view type is "
                f"{self.stream_view_type or 'not known'}",
                path=name,
                event_id=text_of(self.event_id),
                sequence_number=text_of(self.sequence_number),
            )
        if not is_map(image):
            self._refuse(name, "a map", image)
        return image

    def _decode(self, name: str) -> T_co:
        change = self._change
        if type(change) is not dict and isinstance(change, Unread):
            text = change.unread(name)
            if text is not None and self._codec.model is not None:
                try:
                    return self._codec.read_json(text)
                except Exception:  # noqa: BLE001, S110 - read below, or refused there in words
                    pass
        image = change.get(name)
        # `isinstance` of an ABC, in `_image`, costs as much as reading four fields.
        if type(image) is not dict:
            image = self._image(name)
        try:
            return self._codec.decode(image)
        except DDBStreamError as error:
            raise self._located(error, name) from None

    def _located(self, error: DDBStreamError, prefix: str | None = None) -> DDBStreamError:
        return error.located(
            prefix, event_id=text_of(self.event_id), sequence_number=text_of(self.sequence_number)
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
        return printable(
            f"<{type(self).__name__}[{self._codec.name}] event_id={text_of(self.event_id)} "
            f"sequence_number={text_of(self.sequence_number)}>"
        )


def _order_of(sequence: object) -> tuple[int, int, str]:
    if not isinstance(sequence, str):
        return (-1, 0, "")
    try:
        return (int(sequence), 0, "")
    except ValueError:
        return (-1, 0, sequence)
