"""Edits applied to an item of any form, and edits in another form than that of their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbstream._diff.edits import patched
from ddbstream._diff.forms import PYTHON, WIRE, Form, copied
from ddbstream._diff.values import ABSENT, dynamodb_type, is_set, same
from ddbstream._values.attribute_values import read_map, to_attribute_value
from ddbstream._values.paths import Path
from ddbstream._values.tags import SET_TAGS
from ddbstream._values.wire_form import is_wire_item
from ddbstream.exceptions import DDBStreamError, DiffError, EncodeError

if TYPE_CHECKING:
    from ddbstream._diff.compare import Edit
    from ddbstream._diff.sides import Side
    from ddbstream._values.paths import Parts

__all__ = ["applied", "in_python"]


def applied(item: Any, edits: Sequence[Edit], old: Side, new: Side) -> Any:
    """See `Diff.apply`."""
    if old.item is None and isinstance(item, Mapping) and not item:
        item = None
    if old.item is not ABSENT and (item is None) is not (old.item is None):
        expected = "no item" if old.item is None else "an item"
        raise DiffError(f"the item is not what the diff starts from: that is {expected}")
    form = _form_of_values(new) if item is None else _form_of(item, old, new)
    if form is None:
        return _applied_to_model(item, edits, new)
    if form is old.form and new.item is not None and _is_old(item, old):
        # To the letter: with the new item's spelling of numbers and order of sets.
        return copied(new.item)
    result = patched({} if item is None else item, _in_form(form, edits, old), form)
    return _checked_all_gone(result) if new.item is None else result


def _form_of(item: Any, old: Side, new: Side) -> Form | None:
    """The form of an item to which the diff is applied; ``None`` if it is a model's instance."""
    if not isinstance(item, Mapping):
        return None
    if old.form is PYTHON and old.item is not ABSENT:
        return PYTHON
    if not item:  # in either form
        return _form_of_values(new)
    if _is_old(item, old):
        return WIRE
    return WIRE if is_wire_item(item) and not _is_read_from(item, old) else PYTHON


def _form_of_values(side: Side) -> Form | None:
    """The form of the values that the diff shows; ``None`` for those of a model."""
    if side.form is PYTHON or side.codec is None:
        return side.form
    return PYTHON if side.codec.model is None else None


def _is_old(item: Any, old: Side) -> bool:
    """Whether the item is the old one to the letter."""
    try:
        return old.item is not ABSENT and bool(item == old.item)
    except ArithmeticError:  # a signalling NaN
        return False


def _is_read_from(item: Mapping[str, Any], old: Side) -> bool:
    """Whether an item that looks like wire is a Python item: the old one, read."""
    try:
        return bool(old.item) and old.item is not ABSENT and same(read_map(old.item), item)
    except DDBStreamError:
        return False


def _checked_all_gone(result: Mapping[str, Any]) -> None:
    if result:
        raise DiffError("the item is not what the diff starts from")


def _applied_to_model(item: Any, edits: Sequence[Edit], new: Side) -> Any:
    # A diff of items loads no model.
    from ddbstream._model import codec_for

    codec = new.codec
    wire: Mapping[str, Any] = {}
    if item is not None and not isinstance(item, Mapping):
        own = codec_for(type(item), None if codec is None else codec.registry)
        wire = own.encode(item)
        if codec is None or codec.model is None:
            codec = own
    result = patched(wire, _in_form(WIRE, edits, new), WIRE)
    if new.item is None:
        return _checked_all_gone(result)
    assert codec is not None
    return codec.decode(result)


def in_python(edits: Sequence[Edit], old: Side, new: Side) -> tuple[Sequence[Edit], Any, Any]:
    """The edits, the old and the new item with Python values; `ABSENT` is an item not known."""
    if old.form is PYTHON:
        return edits, old.item, new.item
    before, after = (None if side.item is None else read_map(side.item) for side in (old, new))
    return _in_form(PYTHON, edits, old), before, after


def _in_form(form: Form, edits: Sequence[Edit], side: Side) -> Sequence[Edit]:
    """The edits with values of that form, where ``side`` has the form they are in."""
    if form is side.form:
        return edits
    convert = _read if form is PYTHON else _written
    return [
        (
            parts,
            old if old is ABSENT else convert(old, parts, new),
            new if new is ABSENT else convert(new, parts, old),
        )
        for parts, old, new in edits
    ]


def _read(value: Any, parts: Parts, _: Any) -> Any:
    return WIRE.read(value, parts)


def _written(value: Any, parts: Parts, other: Any) -> Any:
    """A Python value as a wire value; an empty set has the type of the set on the other side."""
    if is_set(value) and not value and dynamodb_type(other) in SET_TAGS:
        return {dynamodb_type(other): []}
    try:
        return to_attribute_value(value)
    except EncodeError as error:
        raise error.located(Path.of(parts)) from None
