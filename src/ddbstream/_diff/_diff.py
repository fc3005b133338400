"""`Diff` and the two ways to make one.

Theory of operation: a diff keeps the edits in the form its items had (`_compare`), and the items. The
changes that it shows are made of the edits when first asked for: on the wire form, that is when the
values that differ are decoded, through the model where one is bound. A diff whose changes nobody reads
has decoded nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Union, overload

from ddbstream._attribute_value import is_binary
from ddbstream._diff._changes import Added, Change, Removed, Replaced, SetChanged, _Change
from ddbstream._diff._compare import Edit, decoded, python_edits, wire_edits
from ddbstream._diff._patch import PYTHON, WIRE, copied, inverted, patched
from ddbstream._diff._path import Parts, Path, parse_path
from ddbstream._diff._values import ABSENT, are_sets
from ddbstream.exceptions import DDBStreamError, DiffError

if TYPE_CHECKING:
    from ddbstream._diff._path import Parts
    from ddbstream._model import Codec

__all__ = ["Diff", "diff", "diff_images"]


class Diff:
    """What changed between two items: an ordered, hashable collection of changes.

    Iterating gives `Added`, `Removed`, `Replaced` and `SetChanged` in order of their paths. Two diffs are
    equal when their changes are. An empty diff is false.
    """

    __slots__ = (
        "_changes",
        "_edits",
        "_form",
        "_gives",
        "_hash",
        "_new",
        "_new_codec",
        "_old",
        "_old_codec",
        "_typed",
    )

    _changes: tuple[Change, ...] | None
    _edits: list[Edit]
    _form: Literal["wire", "python"]
    _gives: Literal["wire", "python", "model"]
    _old: Any
    _new: Any
    _old_codec: Codec[Any] | None
    _new_codec: Codec[Any] | None

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        """A diff of these changes, as a test writes what it expects.

        It compares, prints, applies and inverts like any other; what needs the whole items raises.
        """
        edits = []
        for change in changes:
            parts = change.path.parts
            if isinstance(change, Added):
                edits.append((parts, ABSENT, change.value))
            elif isinstance(change, Removed):
                edits.append((parts, change.value, ABSENT))
            elif isinstance(change, SetChanged):
                edits.append((parts, change.removed, change.added))
            else:
                edits.append((parts, change.old, change.new))
        edits.sort(key=_by_path)
        self._fill(edits, "python", ABSENT, ABSENT)

    def _fill(
        self,
        edits: list[Edit],
        form: Literal["wire", "python"],
        old: Any,
        new: Any,
        old_codec: Codec[Any] | None = None,
        new_codec: Codec[Any] | None = None,
        gives: Literal["wire", "python", "model"] | None = None,
    ) -> Diff:
        self._edits = edits
        self._form = form
        self._old = old
        self._new = new
        self._old_codec = old_codec
        self._new_codec = new_codec
        self._gives = gives or form
        self._changes = None
        return self

    # --- the collection -------------------------------------------------------------------------

    def _all(self) -> tuple[Change, ...]:
        changes = self._changes
        if changes is None:
            change = self._change
            changes = self._changes = tuple([change(*edit) for edit in self._edits])
        return changes

    def _change(self, parts: Parts, old: Any, new: Any) -> Change:
        path = Path.of(parts)
        if self._form == "wire":
            if old is ABSENT:
                return Added(path, decoded(new, path))
            if new is ABSENT:
                return Removed(path, decoded(old, path))
            before, after = decoded(old, path), decoded(new, path)
            if before.__class__ is set and old.keys() == new.keys():
                return SetChanged(path, after - before, before - after)
            return Replaced(path, before, after)
        if old is ABSENT:
            return Added(path, new)
        if new is ABSENT:
            return Removed(path, old)
        if are_sets(old, new):
            return SetChanged(path, frozenset(new) - frozenset(old), frozenset(old) - frozenset(new))
        return Replaced(path, old, new)

    def __iter__(self) -> Iterator[Change]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._edits)

    def __bool__(self) -> bool:
        return bool(self._edits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diff):
            return NotImplemented
        return len(self._edits) == len(other._edits) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __contains__(self, path: object) -> bool:
        """Whether the value at that path (of an attribute, or of a model's field) changed."""
        if isinstance(path, _Change):
            return path in self._all()
        if not isinstance(path, (str, tuple)):
            return False
        return any(self._between(parts) for parts in self._places(path))

    @overload
    def __getitem__(self, path: int) -> Change: ...
    @overload
    def __getitem__(self, path: str | Parts) -> Change: ...
    def __getitem__(self, path: Union[int, str, Parts]) -> Change:
        """The change at that path, or at that position among the changes.

        A path inside of what came or went as a whole gives its own part of it; a path to a map or list
        that changed inside gives a `Replaced` of the whole.

        Raises:
            KeyError: Nothing changed there.
        """
        if isinstance(path, int):
            return self._all()[path]
        for parts in self._places(path):
            found = self._between(parts)
            if found:
                return self._change(parts, *found)
        raise KeyError(path)

    def _places(self, path: str | Parts) -> Iterator[Parts]:
        parts = parse_path(path)
        yield parts
        codec = self._new_codec or self._old_codec
        if codec is not None:
            attribute = codec.attributes.get(parts[0])  # type: ignore[call-overload]
            if attribute is not None and attribute != parts[0]:
                yield (attribute, *parts[1:])

    def _between(self, parts: Parts) -> tuple[Any, Any] | None:
        """The old and new value at that path, if they differ."""
        depth = len(parts)
        for edited, old, new in self._edits:
            if edited[:depth] == parts:
                if len(edited) == depth:
                    return old, new
                if self._old is ABSENT:
                    raise DiffError("made of changes alone: it does not know the whole value", path=Path.of(parts))
                return self._at(self._old, parts), self._at(self._new, parts)
            if parts[: len(edited)] == edited:
                before = self._within(old, parts[len(edited) :])
                after = self._within(new, parts[len(edited) :])
                form = WIRE if self._form == "wire" else PYTHON
                if before is after or (before is not ABSENT and after is not ABSENT and form.same(before, after, parts)):
                    return None
                return before, after
        return None

    def _at(self, item: Any, parts: Parts) -> Any:
        if item is None:
            return ABSENT
        return self._within(item.get(parts[0], ABSENT), parts[1:])

    def _within(self, value: Any, parts: Parts) -> Any:
        form = WIRE if self._form == "wire" else PYTHON
        for part in parts:
            if value is ABSENT:
                return ABSENT
            inner = form.inner(value)
            if isinstance(part, str):
                value = inner.get(part, ABSENT) if isinstance(inner, Mapping) else ABSENT
            elif inner is None or isinstance(inner, Mapping) or part >= len(inner):
                value = ABSENT
            else:
                value = inner[part]
        return value

    # --- what can be done with it ---------------------------------------------------------------

    def apply(self, item: Any) -> Any:
        """The item after this change, in the form that it was given in: ``d.apply(old) == new``.

        Args:
            item: A wire item, a Python item, a model, or ``None`` for no item.

        Raises:
            DiffError: The item is not what the diff starts from.
        """
        gives = self._gives if item is None else self._form_of(item)
        if item is None and self._old is not None and self._old is not ABSENT:
            raise DiffError("there is no item, and the diff starts from one")
        if gives == "model":
            return self._apply_to_model(item)
        if self._new is None:
            return None
        result = {} if item is None else item
        if gives == self._form:
            if self._old is not ABSENT and item == self._old:
                # To the letter: with the new item's spelling of numbers and order of sets.
                return copied(self._new)
            return patched(result, self._edits, WIRE if gives == "wire" else PYTHON)
        return patched(result, self._edits_as(gives), WIRE if gives == "wire" else PYTHON)

    def _form_of(self, item: Any) -> Literal["wire", "python", "model"]:
        if not isinstance(item, Mapping):
            return "model"
        if self._form == "python" and self._old is not ABSENT:
            return "python"
        if not item:
            return self._form
        return "wire" if looks_wire(item) else "python"

    def _edits_as(self, form: str) -> list[Edit]:
        from ddbstream._attribute_value import to_attribute_value

        def converted(parts: Parts, value: Any) -> Any:
            if value is ABSENT:
                return value
            return decoded(value, parts) if form == "python" else to_attribute_value(value)

        return [
            (parts, converted(parts, old), converted(parts, new))
            for parts, old, new in self._edits
        ]

    def _apply_to_model(self, item: Any) -> Any:
        from ddbstream._model import codec_for

        wire = {}
        codec = self._new_codec
        if item is not None:
            own = codec_for(type(item))
            codec = codec if codec is not None and codec.model is not None else own
            wire = own.encode(item)
        if self._new is None:
            return None
        edits = self._edits if self._form == "wire" else self._edits_as("wire")
        assert codec is not None
        return codec.decode(patched(wire, edits, WIRE))

    def invert(self) -> Diff:
        """The change that leads back: ``d.invert().apply(new) == old``."""
        return Diff.__new__(Diff)._fill(
            inverted(self._edits),
            self._form,
            self._new,
            self._old,
            self._new_codec,
            self._old_codec,
            self._gives,
        )

    def __str__(self) -> str:
        """One line a change."""
        from ddbstream._diff._render import described

        return described(self)

    def __repr__(self) -> str:
        return f"Diff({list(self._all())!r})"


def _by_path(edit: Edit) -> tuple[Any, ...]:
    # Positions sort as numbers, and never meet a name in one list or map; should they, names go last.
    parts, old, new = edit
    return tuple((part.__class__ is str, part) for part in parts), new is not ABSENT


def diff(old: Any, new: Any, *, wire: bool | None = None) -> Diff:
    """What changed between two items.

    Args:
        old: A wire item (``{"price": {"N": "1"}}``), a Python item (``{"price": 1}``), a model instance,
            or ``None`` for no item.
        new: As ``old``, in the same form.
        wire: Whether the items are wire items, where their look would deceive: by default, items are wire
            items if every attribute of both is a map of one DynamoDB type tag and a fitting value.

    Raises:
        DecodeError: A wire value that differs is malformed.
        EncodeError: A model's value cannot be written.
        DiffError: The two are no items, of two forms, or nested too deeply to compare.
    """
    models = [
        None if item is None or isinstance(item, Mapping) else type(item) for item in (old, new)
    ]
    if models != [None, None]:
        return _diff_models(old, new)
    made = None if wire is False else _diff_wire(old, new, certain=bool(wire))
    if made is not None:
        return made
    edits = _whole(old, new) if old is None or new is None else python_edits(old, new)
    return Diff.__new__(Diff)._fill(edits, "python", old, new)


def _diff_wire(old: Any, new: Any, *, certain: bool) -> Diff | None:
    """The diff of two wire items; ``None`` if they do not look so, unless it is certain that they are.

    What is equal in both need be looked at once, and what differs is in the edits.
    """
    if not certain and not looks_wire(old or new):
        return None
    try:
        made = diff_images(old, new)
        made._gives = "wire"
        for parts, _, after in made._edits:
            if not certain and len(parts) == 1 and after is not ABSENT and not _looks_tagged(after):
                return None
    except DDBStreamError:
        if certain or looks_wire(new):
            raise
        return None
    return made


def _diff_models(old: Any, new: Any) -> Diff:
    from ddbstream._model import codec_for

    if isinstance(old, Mapping) or isinstance(new, Mapping):
        raise DiffError(
            expected="two items of one form",
            found=f"{type(old).__name__} and {type(new).__name__}",
        )
    old_codec = None if old is None else codec_for(type(old))
    new_codec = None if new is None else codec_for(type(new))
    images = (
        None if old_codec is None else old_codec.encode(old),
        None if new_codec is None else new_codec.encode(new),
    )
    made = diff_images(*images, codec=new_codec or old_codec)
    made._old_codec = old_codec or new_codec
    made._gives = "model"
    return made


def diff_images(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, codec: Codec[Any] | None = None
) -> Diff:
    """What changed between two wire items; ``None`` is no item.

    Args:
        old: The item before, in either wire form.
        new: The item after.
        codec: What types the values of the diff; without one they are untyped.

    Raises:
        DecodeError: A value that differs is malformed.
        DiffError: The items are nested too deeply to compare.
    """
    edits = _whole(old, new) if old is None or new is None else wire_edits(old, new)
    gives: Literal["wire", "python", "model"] = "wire"
    if codec is not None:
        gives = "python" if codec.model is None else "model"
    made = Diff.__new__(Diff)
    return made._fill(edits, "wire", old, new, codec, codec, gives)


def _whole(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Edit]:
    if old is not None:
        return [((name,), old[name], ABSENT) for name in sorted(old)]
    if new is not None:
        return [((name,), ABSENT, new[name]) for name in sorted(new)]
    return []


def looks_wire(item: Any) -> bool:
    """Whether every attribute is a map of one DynamoDB type tag and a payload of its type."""
    if not item or not isinstance(item, Mapping):
        return False
    find = _PAYLOADS.get
    for value in item.values():
        if value.__class__ is dict and len(value) == 1:
            for tag in value:
                break
            if value[tag].__class__ is find(tag):
                continue
        if not _looks_tagged(value):
            return False
    return True


# What the payload of a tag nearly always is.
_PAYLOADS: Final[dict[Any, type]] = {
    "S": str,
    "N": str,
    "B": bytes,
    "BOOL": bool,
    "NULL": bool,
    "L": list,
    "M": dict,
    "SS": list,
    "NS": list,
    "BS": list,
}


def _looks_tagged(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((tag, payload),) = value.items()
    if tag in ("S", "N"):
        return isinstance(payload, str)
    if tag == "M":
        return isinstance(payload, Mapping)
    if tag in ("BOOL", "NULL"):
        return isinstance(payload, bool)
    if tag == "B":
        return isinstance(payload, str) or is_binary(payload)
    return tag in ("L", "SS", "NS", "BS") and isinstance(payload, (list, tuple, set, frozenset))
