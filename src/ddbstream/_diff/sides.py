"""One of the two items of a diff, and which of the two is the one that an error is about.

A diff looks at its values when asked for them, far from the record that it came from. So a side
knows where its item comes from, and an error that leaves the diff names that place. Which of the
two items is at fault is found by reading them again: reading without a fault pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddbstream._diff.forms import WIRE, Form, within
from ddbstream._diff.values import ABSENT
from ddbstream._values.attribute_values import from_attribute_value
from ddbstream._values.paths import Parts, parse_path
from ddbstream.exceptions import DDBStreamError, DecodeError, DiffError

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["Side", "Source", "located"]

Source = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Where an image is from: its name, the record's wire mapping, and the ``dynamodb`` in that."""


class Side:
    """The old or the new item of a diff. Both sides of a diff have one form.

    Attributes:
        form: The form of the item.
        item: The item; ``None`` is no item, `ABSENT` one that the diff does not know.
        codec: What reads the item into its model; ``None`` where no model is bound.
        source: The record that the item is an image of, if it is one.
    """

    __slots__ = ("_instance", "codec", "form", "item", "source")

    def __init__(
        self,
        form: Form,
        item: Any,
        codec: Codec[Any] | None = None,
        source: Source | None = None,
        instance: Any = None,
    ) -> None:
        self.form = form
        self.item = item
        self.codec = codec
        self.source = source
        self._instance = instance

    def instance(self, codec: Codec[Any]) -> Any:
        """The item as its model reads it: once, for all of its values.

        Args:
            codec: The codec of this side.

        Raises:
            DecodeError: The item does not fit the model.
        """
        if self._instance is None:
            self._instance = codec.decode(self.item)
        return self._instance


def located(error: DDBStreamError, old: Side, new: Side) -> DDBStreamError:
    """The error with the record it is about, and with the image if one of the two is at fault."""
    if error.event_id or error.sequence_number:  # it has been located already
        return error
    if isinstance(error, DecodeError) and (old.source or new.source):
        side = _side_at_fault(error, old, new)
        if side is not None:
            source = side.source
            return error if source is None else error.located(source[0], **_ids(source))
    if old.source is not None and new.source is not None and old.source[1] is new.source[1]:
        error.located(**_ids(old.source))
    return error


def _ids(source: Source) -> dict[str, Any]:
    _, raw, change = source
    found = {"event_id": raw.get("eventID"), "sequence_number": change.get("SequenceNumber")}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _side_at_fault(error: DecodeError, old: Side, new: Side) -> Side | None:
    """The side whose item cannot be read for that reason."""
    # From what is surely this fault to what is another one of the same attribute.
    for is_fault in (_is_of_model, _is_there, _is_in_attribute):
        for side in (old, new):
            if isinstance(side.item, Mapping) and is_fault(error, side):
                return side
    return None


def _is_of_model(error: DecodeError, side: Side) -> bool:
    try:
        if side.codec is not None:
            side.codec.decode(side.item)
    except DDBStreamError as found:
        # Both sides may refuse one attribute, each for a reason of its own.
        return _said(error) in [_said(each) for each in (found, *found.errors)]
    return False


def _said(error: DDBStreamError) -> tuple[str | None, ...]:
    return error.path, error.problem, error.expected, error.found


def _is_there(error: DecodeError, side: Side) -> bool:
    parts = _parts(error)
    for depth in range(len(parts), 0, -1):
        value = within(WIRE, {"M": side.item}, parts[:depth])
        if value is not ABSENT:
            return not _is_readable(value)
    return False


def _is_in_attribute(error: DecodeError, side: Side) -> bool:
    parts = _parts(error)
    return bool(parts) and parts[0] in side.item and not _is_readable(side.item[parts[0]])


def _parts(error: DecodeError) -> Parts:
    try:
        return parse_path(error.path or "")
    except DiffError:
        return ()


def _is_readable(value: Any) -> bool:
    try:
        from_attribute_value(value)
    except DDBStreamError:
        return False
    return True
