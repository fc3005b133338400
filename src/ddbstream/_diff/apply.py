"""Diffs applied to items of any form, and joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ddbstream._diff.compare import Edit
from ddbstream._diff.edits import Diff, FormName, Gives, Lists
from ddbstream._diff.errors import Source
from ddbstream._diff.forms import PYTHON, WIRE, copied
from ddbstream._diff.make import diff, diff_images
from ddbstream._diff.patch import patched
from ddbstream._diff.values import ABSENT, is_set, kind_of, same
from ddbstream._values.paths import Parts
from ddbstream._values.wire_form import is_wire_item
from ddbstream.exceptions import DDBStreamError, DiffError

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["applied", "composed", "python_items"]


def applied(change: Diff, item: Any) -> Any:
    """See `Diff.apply`."""
    if change._old is None and isinstance(item, Mapping) and not item:
        item = None
    if change._old is not ABSENT and (item is None) is not (change._old is None):
        expected = "no item" if change._old is None else "an item"
        raise DiffError(f"the item is not what the diff starts from: that is {expected}")
    gives = change._gives if item is None else _form_of(change, item)
    if gives == "model":
        return _applied_to_model(change, item)
    if change._new is None:
        _check_all_gone(change, item, gives)
        return None
    if gives == change._form and _is_old(change, item):
        # To the letter: with the new item's spelling of numbers and order of sets.
        return copied(change._new)
    form = WIRE if gives == "wire" else PYTHON
    return patched({} if item is None else item, _edits_in(change, gives), form)


def _form_of(change: Diff, item: Any) -> Gives:
    if not isinstance(item, Mapping):
        return "model"
    if change._form == "python" and change._old is not ABSENT:
        return "python"
    if not item:  # of either form
        return change._gives
    if _is_old(change, item):
        return "wire"
    if is_wire_item(item) and not _is_read_from(change._old, item):
        return "wire"
    return "python"


def _is_old(change: Diff, item: Any) -> bool:
    """Whether the item is the old one to the letter."""
    try:
        return change._old is not ABSENT and bool(item == change._old)
    except ArithmeticError:  # a signalling NaN
        return False


def _is_read_from(image: Any, item: Mapping[str, Any]) -> bool:
    """Whether an item that looks like wire is a Python item: the one that the image holds."""
    from ddbstream._values.attribute_values import read_map

    try:
        return bool(image) and image is not ABSENT and same(read_map(image), item)
    except DDBStreamError:
        return False


def _check_all_gone(change: Diff, item: Any, gives: FormName) -> None:
    form = WIRE if gives == "wire" else PYTHON
    if patched({} if item is None else item, _edits_in(change, gives), form):
        raise DiffError("the item is not what the diff starts from")


def _edits_in(change: Diff, form: FormName) -> list[Edit]:
    """The edits with values of that form."""
    if form == change._form:
        return change._edits
    convert = _read if form == "python" else _written
    return [
        (
            parts,
            old if old is ABSENT else convert(old, parts, new),
            new if new is ABSENT else convert(new, parts, old),
        )
        for parts, old, new in change._edits
    ]


def _read(value: Any, parts: Parts, _: Any) -> Any:
    return WIRE.read(value, parts)


def _written(value: Any, parts: Parts, other: Any) -> Any:
    """A Python value as a wire value; an empty set is of the type of what it changed from or to."""
    if is_set(value) and not value and is_set(other):
        return {kind_of(other): []}
    return WIRE.written(value, parts)


def _applied_to_model(change: Diff, item: Any) -> Any:
    from ddbstream._model import codec_for

    codec: Codec[Any] | None = change._new_codec
    wire: Mapping[str, Any] = {}
    if item is not None and not isinstance(item, Mapping):
        own = codec_for(type(item), None if codec is None else codec.registry)
        wire = own.encode(item)
        if codec is None or codec.model is None:
            codec = own
    result = patched(wire, _edits_in(change, "wire"), WIRE)
    if change._new is None:
        if result:
            raise DiffError("the item is not what the diff starts from")
        return None
    assert codec is not None
    return codec.decode(result)


def composed(first: Diff, second: Diff) -> Diff:
    """See `Diff.__or__`."""
    for one, other in ((first, second), (second, first)):
        if one._old is ABSENT and not one._edits:
            return other
    if first._old is ABSENT or second._old is ABSENT:
        raise DiffError("made of changes alone: only diffs of whole items can be joined")
    if first._form != second._form:
        first, second = _of_one_form(first, second)
    if (first._new is None) is not (second._old is None) or (
        first._new is not None and _between((first, "_new"), (second, "_old"))
    ):
        raise DiffError("the second diff does not start where the first one ends")
    made = first._like(_between((first, "_old"), (second, "_new")))
    made._gives = _typing(second, first)._gives
    made._guessed = first._guessed and second._guessed
    made._hidden = tuple(dict.fromkeys((*first._hidden, *second._hidden)))
    made._keys = first._keys or second._keys
    return made


def _of_one_form(first: Diff, second: Diff) -> tuple[Diff, Diff]:
    """The two diffs in one form, if one of them can be read in that of the other."""
    if _is_formless(first):
        return _in_form(first, second._form), second
    if _is_formless(second):
        return first, _in_form(second, first._form)
    if not first._new and not second._old:
        # Nothing in the middle: a form that was a guess can be the other as well.
        if first._form == "wire" and first._guessed:
            return _in_form(first, "python"), second
        if second._form == "wire" and second._guessed:
            return first, _in_form(second, "python")
    raise DiffError(
        expected="two diffs of one form", found=f"{first._form} and {second._form} items"
    )


def _is_formless(change: Diff) -> bool:
    """Whether it has no item that is of one form rather than of the other."""
    return not change._old and not change._new


def _in_form(change: Diff, form: FormName) -> Diff:
    made = diff(change._old, change._new, lists=change._lists, wire=form == "wire")
    made._hidden, made._keys = change._hidden, change._keys
    return made


def _typing(change: Diff, other: Diff) -> Diff:
    """The diff that knows of what type the items at that end of the two are."""
    return other if _is_formless(change) else change


_Side = tuple[Diff, Literal["_old", "_new"]]


def _between(before: _Side, after: _Side) -> Diff:
    """The diff of an item of one diff and an item of another."""
    (first, _), (second, _) = before, after
    old, new = (getattr(change, side) for change, side in (before, after))
    lists: Lists = "align" if "align" in (first._lists, second._lists) else "index"
    if first._form == "python":
        return diff(old, new, lists=lists, wire=False)
    sources = _source_of(before), _source_of(after)
    codec = _typing(second, first)._new_codec
    made = diff_images(old, new, codec, lists=lists, sources=sources)
    made._old_codec = _typing(first, second)._old_codec
    return made


def _source_of(side: _Side) -> Source | None:
    change, name = side
    return None if change._sources is None else change._sources[name == "_new"]


def python_items(change: Diff) -> tuple[list[Edit], Any, Any]:
    """The edits, the old and the new item with Python values; `ABSENT` is an item not known."""
    from ddbstream._values.attribute_values import read_map

    if change._form == "python":
        return change._edits, change._old, change._new
    old, new = (None if item is None else read_map(item) for item in (change._old, change._new))
    return _edits_in(change, "python"), old, new
