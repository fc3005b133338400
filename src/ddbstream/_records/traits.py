"""What kind of change a record is, beyond INSERT, MODIFY and REMOVE, and how certain that is.

Three things that a record does not always say outright: that Time to Live deleted the item, that
global tables made the record while replicating, that a MODIFY changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ddbstream._values.json_values import is_map
from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from ddbstream._records.stream_record import StreamRecord

__all__ = ["Certainty", "Traits", "replica_of", "traits_of", "unchanged_of"]

Certainty = Literal["certain", "likely", "unknown", "no"]
"""``unknown``: the record holds nothing that would tell; ``no``: it is certainly not so."""

_REP: Final = "aws:rep:"
_MARKS: Final = tuple(_REP + name for name in ("deleting", "updateregion", "updatetime"))

# TTL leaves items alone whose time passed more than five years ago:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
_TTL_OLDEST: Final = 5 * 366 * 86_400


class Traits(NamedTuple):
    """What a record is, each with how certain it is.

    Attributes:
        ttl_removal: Time to Live deleted the item. ``certain`` where ``userIdentity`` says so. A
            delete without ``userIdentity`` may be a TTL deletion replicated from another region of
            a global table: ``likely`` if the old image's time had come, ``no`` if it had not, else
            ``unknown``.
        replica: Global tables version 2017.11.29 made the record: a write copied from another
            region, or the MODIFY that follows each local write to set the ``aws:rep:*`` attributes
            and nothing else. Version 2019.11.21 leaves no mark in a record, so that a record
            without one is ``unknown``.
        unchanged: A MODIFY whose images hold the same item. DynamoDB writes no record for such an
            update, so this is a number respelled (``1`` to ``1.0``), or an emulator; ``unknown``
            without images.
    """

    ttl_removal: Certainty
    replica: Certainty
    unchanged: Certainty


def traits_of(record: StreamRecord[Any], ttl_attribute: str | None) -> Traits:
    """Classify a record. Never raises: what is malformed tells nothing."""
    return Traits(_ttl_removal(record, ttl_attribute), replica_of(record), unchanged_of(record))


def _map(value: object) -> Mapping[str, Any] | None:
    return value if is_map(value) else None


def _images(
    record: StreamRecord[Any],
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    change = record._change
    return _map(change.get("OldImage")), _map(change.get("NewImage"))


def _ttl_removal(record: StreamRecord[Any], attribute: str | None) -> Certainty:
    if record.is_ttl_removal:
        return "certain"
    if record.user_identity is not None or record.raw.get("eventName") != "REMOVE":
        return "no"
    old, _ = _images(record)
    if attribute is None or old is None:
        return "unknown"
    value = old.get(attribute)
    if value is None or (is_map(value) and "N" not in value):
        return "no"  # TTL passes over an item without a number there.
    try:
        deleted = record.approximate_creation_ns
        expires = int(value["N"])
    except (DDBStreamError, KeyError, TypeError, ValueError, OverflowError):
        return "unknown"
    if deleted is None:
        return "unknown"
    return "likely" if 0 <= deleted // 1_000_000_000 - expires < _TTL_OLDEST else "no"


def unchanged_of(record: StreamRecord[Any]) -> Certainty:
    """Whether a MODIFY left its item as it was."""
    if record.raw.get("eventName") != "MODIFY":
        return "no"
    old, new = _images(record)
    if old is None or new is None:
        return "unknown"
    if old == new:
        return "certain"
    from ddbstream._diff import diff_images

    try:
        return "no" if diff_images(old, new) else "certain"
    except DDBStreamError:
        return "unknown"


def replica_of(record: StreamRecord[Any]) -> Certainty:
    """Whether global tables version 2017.11.29 made the record."""
    event = record.raw.get("eventName")
    old, new = _images(record)
    if event == "REMOVE":
        # The 2017 version marks an item before it deletes its replicas; the owner's own delete has
        # no mark.
        return "likely" if old and _value(old, "deleting") is True else "unknown"
    if not new or not any(name in new for name in _MARKS):
        return "unknown"
    elsewhere = _value(new, "updateregion") not in (None, record.aws_region)
    if event == "INSERT":
        return "certain" if elsewhere else "no"
    if old is None:
        return "likely" if elsewhere else "unknown"
    if _without_marks(old) == _without_marks(new):
        return "certain" if old != new else "no"
    # A local update keeps the marks of the write before it, until the MODIFY that follows renews
    # them.
    stamped = _value(new, "updatetime") != _value(old, "updatetime")
    return "certain" if elsewhere and stamped else "no"


def _without_marks(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in image.items() if not name.startswith(_REP)}


def _value(image: Mapping[str, Any], name: str) -> object:
    value = image.get(_REP + name)
    return next(iter(value.values()), None) if is_map(value) else None
