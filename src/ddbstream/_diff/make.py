"""The ways to make a `Diff`, and how wire items are told from Python items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from ddbstream._diff.compare import Edit, check_name, python_edits, wire_edits
from ddbstream._diff.edits import Diff, Lists
from ddbstream._diff.errors import Sources, in_images
from ddbstream._diff.values import ABSENT
from ddbstream._values.tags import TAGS
from ddbstream._values.wire_form import is_wire_item, is_wire_value
from ddbstream.exceptions import DDBStreamError, DecodeError, DiffError

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["diff", "diff_images"]


def diff(
    old: Any,
    new: Any,
    *,
    lists: Lists = "index",
    redact: Iterable[str] = (),
    wire: bool | None = None,
) -> Diff:
    """What changed between two items.

    Args:
        old: A wire item (``{"price": {"N": "1"}}``), a Python item (``{"price": 1}``), a model
            instance, or ``None`` for no item.
        new: As ``old``, in the same form.
        lists: How lists are compared: ``"index"``, position by position, or ``"align"``, by the
            fewest insertions, removals and replacements. In an aligned diff a path has positions of
            the old list, and for an addition ends in its position in the new one.
        redact: Paths whose values are hidden from ``str``, ``repr`` and ``to_dict``: see
            `Diff.redact`.
        wire: Whether the items are wire items. By default they are if every attribute of both is a
            map of one DynamoDB type tag, and what differs can be read so. That is a guess: say
            ``wire=False`` of Python items that may be made of nothing but such maps, and
            ``wire=True`` for a malformed wire item to be an error.

    Raises:
        DecodeError: A wire value that differs is malformed.
        EncodeError: A model's value cannot be written.
        DiffError: The two are no items, of two forms, or nested too deeply to compare.
    """
    if lists not in ("index", "align"):
        raise DiffError('lists is "index" or "align"')
    try:
        if not (_is_item(old) and _is_item(new)):
            made = _diff_models(old, new, lists)
        else:
            found = None if wire is False else _diff_wire(old, new, lists, certain=bool(wire))
            made = _diff_python(old, new, lists) if found is None else found
    except RecursionError:
        raise DiffError("nested too deeply to compare") from None
    if redact:
        made = made.redact(*((redact,) if isinstance(redact, str) else redact))
    return made


def diff_images(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    codec: Codec[Any] | None = None,
    *,
    lists: Lists = "index",
    keys: Iterable[str] = (),
    sources: Sources | None = None,
) -> Diff:
    """What changed between two wire items; ``None`` is no item.

    Args:
        old: The item before, in either wire form.
        new: The item after.
        codec: What types the values of the diff; without one they are untyped.
        lists: As for `diff`.
        keys: The table's key attributes, for the update expression to leave out.
        sources: Where the images are from, for the errors of the diff to say.

    Raises:
        DecodeError: A value that differs is malformed.
        DiffError: The items are nested too deeply to compare.
    """
    try:
        if old.__class__ is not dict or new.__class__ is not dict:
            _check_items(old, new)
        if old is None or new is None:
            edits = _whole(old, new)
        elif lists == "align":
            from ddbstream._diff.align import aligned_edits
            from ddbstream._diff.forms import WIRE

            edits = aligned_edits(old, new, WIRE)
        else:
            edits = wire_edits(old, new)
    except ArithmeticError:  # no wire value has one, and it refuses to be compared
        raise DecodeError(expected="attribute values", found="a signalling NaN") from None
    except DDBStreamError as error:
        raise in_images(error, ((old, codec), (new, codec)), sources) from None
    made = Diff.__new__(Diff)._fill(edits, "wire", old, new, (codec, codec))
    made._lists = lists
    made._keys = tuple(keys)
    made._sources = sources
    if codec is not None:
        made._gives = "python" if codec.model is None else "model"
    return made


def _diff_wire(old: Any, new: Any, lists: Lists, *, certain: bool) -> Diff | None:
    """The diff of two wire items; ``None`` if they cannot be read so, unless that is certain.

    What is equal in both items is no change in either form, and so is looked at superficially.
    """
    if not certain and not _may_be_wire(old or new):
        return None
    try:
        made = diff_images(old, new, lists=lists)
        if not certain:
            for _, before, after in made._edits:
                if not (_may_be_tagged(before) and _may_be_tagged(after)):
                    return None
            made._guessed = True
            made._all()
    except DDBStreamError:
        if certain:
            raise
        return None
    return made


def _is_item(item: Any) -> bool:
    return item.__class__ is dict or item is None or isinstance(item, Mapping)


def _may_be_wire(item: Any) -> bool:
    """Whether every attribute is a map of one tag: at the speed of C, for the usual item."""
    if item.__class__ is dict:
        values = item.values()
        if {*map(type, values)} == {dict}:
            return {*map(len, values)} == {1} and TAGS.issuperset(chain.from_iterable(values))
    return is_wire_item(item)


def _diff_python(old: Any, new: Any, lists: Lists) -> Diff:
    from ddbstream._diff.forms import PYTHON, copied

    if old is None or new is None:
        edits = _whole(old, new)
    elif lists == "align":
        from ddbstream._diff.align import aligned_edits

        edits = aligned_edits(old, new, PYTHON)
    else:
        edits = python_edits(old, new)
    # Python items go on being used by who made them; the diff is of how they are now.
    edits = [(parts, copied(before), copied(after)) for parts, before, after in edits]
    made = Diff.__new__(Diff)._fill(edits, "python", copied(old), copied(new))
    made._lists = lists
    return made


def _diff_models(old: Any, new: Any, lists: Lists) -> Diff:
    from ddbstream._model import codec_for

    if isinstance(old, Mapping) or isinstance(new, Mapping):
        raise DiffError(
            expected="two items of one form",
            found=f"{type(old).__name__} and {type(new).__name__}",
        )
    codecs = [None if item is None else codec_for(type(item)) for item in (old, new)]
    images = [
        None if codec is None else codec.encode(item)
        for codec, item in zip(codecs, (old, new), strict=True)
    ]
    made = diff_images(images[0], images[1], codecs[1] or codecs[0], lists=lists)
    made._old_codec = codecs[0] or codecs[1]
    made._old_obj, made._new_obj = old, new
    return made


def _check_items(*items: object) -> None:
    for item in items:
        if item is not None and not isinstance(item, Mapping):
            raise DecodeError(
                expected="an item (a map of attribute values)", found=type(item).__name__
            )


def _whole(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Edit]:
    item = new if old is None else old
    if item is None:
        return []
    for name in item:
        check_name(name, ())
    if old is None:
        return [((name,), ABSENT, item[name]) for name in sorted(item)]
    return [((name,), item[name], ABSENT) for name in sorted(item)]


# --- wire or Python -----------------------------------------------------------------------------


def _may_be_tagged(value: Any) -> bool:
    if value.__class__ is dict and len(value) == 1:
        (tag,) = value
        if tag in {"S", "N"} and value[tag].__class__ is str:
            return True
    return value is ABSENT or is_wire_value(value)
