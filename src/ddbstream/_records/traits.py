"""What kind of change a record is, beyond INSERT, MODIFY and REMOVE, and how certain that is.

Three things that a record does not always say outright: that Time to Live deleted the item, that
global tables made the record while replicating, that a MODIFY changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from ddbstream._records.origin import UserIdentity
from ddbstream._values.json_values import Unread, is_map
from ddbstream._values.times import nanoseconds
from ddbstream.exceptions import DDBStreamError

__all__ = ["Certainty", "Traits", "is_ttl_removal", "replica_of", "ttl_removal_of", "unchanged_of"]

Wire = Mapping[str, Any]
"""A record's wire mapping, or the ``dynamodb`` in it."""

Certainty = Literal["certain", "likely", "unknown", "no"]
"""``unknown``: the record does not hold what would decide it; ``no``: it is certainly not so."""

# What DynamoDB's own TTL deletions carry:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_TTL_SERVICE: Final = ("Service", "dynamodb.amazonaws.com")

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


# None of these raises: a part that is malformed makes nothing certain.


def _images(change: Wire) -> tuple[Wire | None, Wire | None]:
    old, new = change.get("OldImage"), change.get("NewImage")
    return old if is_map(old) else None, new if is_map(new) else None


def is_ttl_removal(raw: Wire, identity: UserIdentity | None) -> bool:
    """Whether ``userIdentity`` says that Time to Live deleted the item."""
    return raw.get("eventName") == "REMOVE" and identity == _TTL_SERVICE


def ttl_removal_of(
    raw: Wire, change: Wire, identity: UserIdentity | None, attribute: str | None
) -> Certainty:
    """Whether Time to Live deleted the item, here or in another region."""
    if is_ttl_removal(raw, identity):
        return "certain"
    if identity is not None or raw.get("eventName") != "REMOVE":
        return "no"
    old, _ = _images(change)
    if attribute is None or old is None:
        return "unknown"
    value = old.get(attribute)
    if value is None or (is_map(value) and "N" not in value):
        return "no"  # TTL passes over an item without a number there.
    try:
        deleted = nanoseconds(
            change["ApproximateCreationDateTime"],
            change.get("ApproximateCreationDateTimePrecision"),
        )
        expires = int(value["N"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return "unknown"
    return "likely" if 0 <= deleted // 1_000_000_000 - expires < _TTL_OLDEST else "no"


def unchanged_of(raw: Wire, change: Wire) -> Certainty:
    """Whether a MODIFY left its item as it was."""
    if raw.get("eventName") != "MODIFY":
        return "no"
    if isinstance(change, Unread):
        text = change.unread("OldImage")
        same = text is not None and text == change.unread("NewImage")
        if same and isinstance(change.view("OldImage"), Unread):  # and so it is a map
            return "certain"
    old, new = _images(change)
    if old is None or new is None:
        return "unknown"
    if old == new:
        return "certain"
    # Images in two spellings are rare, and so is the need for the diff.
    from ddbstream._diff import diff_images

    try:
        return "no" if diff_images(old, new) else "certain"
    except DDBStreamError:
        return "unknown"


def replica_of(raw: Wire, change: Wire) -> Certainty:
    """Whether global tables version 2017.11.29 made the record."""
    event = raw.get("eventName")
    old, new = _images(change)
    if event == "REMOVE":
        # The 2017 version marks an item before it deletes its replicas; the owner's own delete has
        # no mark.
        return "likely" if old and _value(old, "deleting") is True else "unknown"
    if not new or not any(name in new for name in _MARKS):
        return "unknown"
    elsewhere = _value(new, "updateregion") not in (None, raw.get("awsRegion"))
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
