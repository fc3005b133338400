"""`Diff`: what changed between two items, made by `diff` and by ``record.diff``.

Theory of operation: a diff keeps its edits, in the form its items had, and the two items, each with
its model and where it came from. The changes that it shows are made from the edits when first asked
for: on the wire form, that is when the values that differ are decoded, through the model where one
is bound. A diff whose changes nobody reads has decoded nothing.

What a diff can do is in the modules below this one, as functions over edits and sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

from ddbstream._diff.apply import applied, in_python
from ddbstream._diff.changes import Added, DiffChange, Removed, Replaced, SetChanged
from ddbstream._diff.compare import Edit, decoded, python_edits, whole_edits, wire_edits
from ddbstream._diff.edits import edits_of, inverted, moves, new_place
from ddbstream._diff.forms import PYTHON, WIRE, Form, copied
from ddbstream._diff.lookup import Found, paths_asked_for, values_at
from ddbstream._diff.render import Hidden, described, parse_hidden, redact
from ddbstream._diff.sides import Side, Source, located
from ddbstream._diff.values import ABSENT, are_sets, without
from ddbstream._values.paths import Parts, Path
from ddbstream._values.tags import TAGS
from ddbstream._values.wire_form import is_wire_item, is_wire_value
from ddbstream.exceptions import DDBStreamError, DecodeError, DiffError

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec, TypeVar, final

    from ddbstream._diff.update_expression import Condition
    from ddbstream._model import Codec

    P = ParamSpec("P")
    R = TypeVar("R")
else:

    def final(cls):
        return cls


__all__ = ["Diff", "diff", "diff_images"]

Lists = Literal["index", "align"]

_Images = tuple[Any, Any, "Codec[Any] | None", Source | None, Source | None]
"""An old and a new wire item, their codec, and where the two are from."""

_UNKNOWN: Final = Side(PYTHON, ABSENT)


def _explaining(method: Callable[Concatenate[Diff, P], R]) -> Callable[Concatenate[Diff, P], R]:
    """A method of `Diff` whose errors are `_explained`."""

    @wraps(method)
    def call(self: Diff, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (DDBStreamError, RecursionError) as error:
            raise self._explained(error) from None

    return call


@final
class Diff:
    """What changed between two items: an ordered, hashable collection of changes.

    Iterating gives `Added`, `Removed`, `Replaced` and `SetChanged` in the order of their paths. Two
    diffs are equal when their changes are, whatever items they come from. An empty diff is false.

    Made by `diff` and by ``record.diff``. A diff made from changes alone, as a test writes what it
    expects, compares, prints, applies and inverts like any other; what needs the whole items raises
    a DiffError.

    Args:
        changes: The changes, in any order.

    Raises:
        DiffError: Two of the changes are at one place, or one inside of the other.
    """

    __slots__ = (
        "_changes",
        "_edits",
        "_guessed",
        "_hidden",
        "_images",
        "_keys",
        "_lists",
        "_sides",
    )

    _changes: tuple[DiffChange, ...] | None
    _edits: Sequence[Edit]
    _images: _Images | None  # what the sides are made from at their first use
    _sides: tuple[Side, Side] | None
    _lists: Lists
    _keys: tuple[str, ...]
    _hidden: tuple[Hidden, ...]
    _guessed: bool  # nobody said that the items are wire items

    def __init__(self, changes: Iterable[DiffChange] = ()) -> None:
        self._fill(edits_of(changes), _UNKNOWN, _UNKNOWN)

    def _fill(
        self,
        edits: Sequence[Edit],
        old: Side,
        new: Side,
        lists: Lists = "index",
        keys: tuple[str, ...] = (),
        hidden: tuple[Hidden, ...] = (),
        *,
        guessed: bool = False,
    ) -> Diff:
        self._changes = None
        self._edits = edits
        self._images = None
        self._sides = old, new
        self._lists = lists
        self._keys = keys
        self._hidden = hidden
        self._guessed = guessed
        return self

    def _fill_with_images(
        self, edits: Sequence[Edit], images: _Images, lists: Lists, keys: tuple[str, ...]
    ) -> Diff:
        """A record's diff: its changes need no sides, and few are asked for more."""
        self._changes = self._sides = None
        self._edits = edits
        self._images = images
        self._lists = lists
        self._keys = keys
        self._hidden = ()
        self._guessed = False
        return self

    def _both(self) -> tuple[Side, Side]:
        sides = self._sides
        if sides is None:
            assert self._images is not None
            old, new, codec, old_source, new_source = self._images
            sides = Side(WIRE, old, codec, old_source), Side(WIRE, new, codec, new_source)
            self._sides = sides
        return sides

    @property
    def _old(self) -> Side:
        return self._both()[0]

    @property
    def _new(self) -> Side:
        return self._both()[1]

    def _like(self, edits: Sequence[Edit], old: Side, new: Side) -> Diff:
        """A diff of these edits, with what this one was asked for."""
        return Diff.__new__(Diff)._fill(
            edits, old, new, self._lists, self._keys, self._hidden, guessed=self._guessed
        )

    def _explained(self, error: DDBStreamError | RecursionError) -> DDBStreamError:
        """The error to raise instead: it says where, as far as the diff knows."""
        if isinstance(error, RecursionError):
            error = DiffError("nested too deeply")
        if self._guessed and isinstance(error, DecodeError) and "wire=False" not in error.problem:
            problem = error.problem or f"expected {error.expected}, got {error.found}"
            error.problem = f"{problem} (wire=False is for Python items that look like wire items)"
        return located(error, self._old, self._new)

    # --- the collection -------------------------------------------------------------------------

    def _all(self) -> tuple[DiffChange, ...]:
        changes = self._changes
        if changes is None:
            try:
                changes = self._changed(self._edits)
            except (DDBStreamError, RecursionError) as error:
                raise self._explained(error) from None
            self._changes = changes
        return changes

    def _changed(self, edits: Iterable[Edit], place: Parts | None = None) -> tuple[DiffChange, ...]:
        """Edits of this diff as changes; one that was asked for has its place in the new item."""
        images = self._images
        form, codec = (WIRE, images[2]) if images is not None else (self._old.form, self._new.codec)
        typed = form is WIRE and codec is not None and codec.model is not None
        if typed:
            changes = tuple(self._typed_changes(edits, place))
        else:
            change = _change if form is PYTHON else _change_of_wire
            changes = tuple([change(Path.of(parts), old, new) for parts, old, new in edits])
        if self._hidden:
            redact(changes, self._hidden, typed=typed)
        return changes

    def _typed_changes(self, edits: Iterable[Edit], place: Parts | None) -> Iterator[DiffChange]:
        # A diff without a model loads none.
        from ddbstream._diff.typed import typed_values

        moving, old, new = moves(self._edits), self._old, self._new
        for edit in edits:
            at = place or new_place(edit[0], edit[1], moving)
            yield _change(Path.of(edit[0]), *typed_values(edit, at, old, new))

    def __iter__(self) -> Iterator[DiffChange]:
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

    @_explaining
    def __contains__(self, path: object) -> bool:
        """Whether the value at that path changed; or whether this is one of the changes.

        A path begins with an attribute's name, or with a field's where a model is bound.
        """
        if not isinstance(path, (str, tuple)):
            return path in self._all()
        try:
            return self._found(path) is not None
        except KeyError:
            return False

    @_explaining
    def __getitem__(self, path: int | str | Parts) -> DiffChange:
        """The change at that path, or at that position among the changes.

        A path inside of what came or went as a whole gives its own part of it; a path to a map or
        list that changed inside gives a `Replaced` of the whole.

        Raises:
            KeyError: Nothing changed there; also a DiffError if it is no document path.
            IndexError: There are fewer changes.
        """
        if isinstance(path, int):
            return self._all()[path]
        found = self._found(path)
        if found is None:
            raise KeyError(path)
        parts, values = found
        return self._changed([(parts, values.old, values.new)], values.place)[0]

    def _found(self, path: str | Parts) -> tuple[Parts, Found] | None:
        """What changed at that path, in attribute names."""
        for parts in paths_asked_for(path, self._new.codec or self._old.codec):
            values = values_at(parts, self._edits, self._old, self._new)
            if values is not None:
                return parts, values
        return None

    def get(self, path: int | str | Parts, default: Any = None) -> Any:
        """The change at that path, or ``default`` where nothing changed."""
        try:
            return self[path]
        except (KeyError, IndexError):
            return default

    # --- what can be done with it ---------------------------------------------------------------

    @_explaining
    def apply(self, item: Any) -> Any:
        """The item after this change: ``d.apply(old) == new``.

        Args:
            item: A wire item, a Python item, a model instance, or ``None`` or ``{}`` for no item;
                the result has its form, and for no item and an empty one that of the diff's values.
                The item itself is not changed.

        Raises:
            DiffError: The item is not what the diff starts from.
        """
        return applied(item, self._edits, self._old, self._new)

    def invert(self) -> Diff:
        """The change that leads back: ``d.invert().apply(new) == old``."""
        return self._like(inverted(self._edits), self._new, self._old)

    @_explaining
    def __or__(self, other: object) -> Diff:
        """This change and then the other, as one: of successive records of an item, for instance.

        Raises:
            DiffError: The other does not start where this one ends.
        """
        return _composed(self, other) if isinstance(other, Diff) else NotImplemented

    @_explaining
    def to_update_expression(
        self, *, keys: Iterable[str] | None = None, condition: Condition = False
    ) -> dict[str, Any]:
        """The arguments of a boto3 client's ``update_item``, but for ``TableName`` and ``Key``.

        ``client.update_item(TableName=…, Key=…, **d.to_update_expression())`` turns the old item
        into the new one. An empty diff gives no arguments, which update nothing.

        Args:
            keys: The table's key attributes, which an update cannot set: they are left out. Needed
                only where the diff adds them (an insert); a record's diff knows them.
            condition: ``True`` or ``"item"``: update only if every attribute of the item still is
                as the diff's old item has it, and what the diff adds is not there. ``"changes"``:
                look only at what changes.

        Raises:
            DiffError: No update does it: the item was removed, a key changed, or the expression is
                longer than DynamoDB takes even if it sets whole attributes.
            EncodeError: A value cannot be stored.
        """
        # Most programs ask for none.
        from ddbstream._diff.update_expression import update_expression

        edits, old, new = in_python(self._edits, self._old, self._new)
        names = self._keys if keys is None else keys
        return update_expression(edits, old, new, keys=names, condition=condition)

    @_explaining
    def to_json_patch(self, *, test: bool = False) -> list[dict[str, Any]]:
        """The diff as a JSON Patch of the item as JSON, as RFC 6902 has it.

        In that JSON numbers are numbers (whole ones exact, others the nearest double), binaries
        base64 text, and sets sorted arrays.

        Args:
            test: Begin each replacement and removal with a ``test`` of what is there.

        Raises:
            DiffError: A value has no JSON form, or one of the items is none.

        Source: https://www.rfc-editor.org/rfc/rfc6902
        """
        # Most programs ask for none.
        from ddbstream._diff.json_forms import json_patch

        return json_patch(*in_python(self._edits, self._old, self._new), test=test)

    @_explaining
    def to_dict(self) -> dict[str, Any]:
        """The diff for an audit log: plain JSON, described by ``docs/diff.schema.json``.

        Values are in DynamoDB's JSON, exact; redacted ones are left out.

        Raises:
            EncodeError: A Python value has no DynamoDB form.
        """
        # Most programs ask for none.
        from ddbstream._diff.json_forms import audit_form

        return audit_form(self._edits, self._old.form, self._hidden)

    def redact(self, *paths: str) -> Diff:
        """The same diff, with these paths' values hidden from ``str``, ``repr`` and `to_dict`.

        What the diff does stays: its changes still have the values, and so has
        `to_update_expression`.

        Args:
            paths: Document paths; what is inside of them is hidden too. ``[*]`` is any position.
        """
        made = self._like(self._edits, self._old, self._new)
        codec = self._new.codec or self._old.codec
        hidden = chain.from_iterable(parse_hidden(path, codec) for path in paths)
        made._hidden = tuple(dict.fromkeys((*self._hidden, *hidden)))
        return made

    @_explaining
    def describe(self, *, values: bool = True) -> str:
        """What changed, one line a change; without ``values``, only where and how."""
        return described(self, values=values)

    def __str__(self) -> str:
        return self.describe()

    def __repr__(self) -> str:
        return f"Diff({list(self._all())!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the items: whoever reads it is told what changed, and not all the rest.
        return _unpickled, (self._all(), self._hidden)


def _unpickled(changes: tuple[DiffChange, ...], hidden: tuple[Hidden, ...]) -> Diff:
    made = Diff(changes)
    made._hidden = hidden
    return made


def _change_of_wire(path: Path, old: Any, new: Any) -> DiffChange:
    """The change from one wire value to another, without a model."""
    if old is ABSENT:
        return Added(path, decoded(new, path))
    if new is ABSENT:
        return Removed(path, decoded(old, path))
    before, after = decoded(old, path), decoded(new, path)
    if before.__class__ is set and old.keys() == new.keys():
        return SetChanged(path, after - before, before - after)
    return Replaced(path, before, after)


def _change(path: Path, old: Any, new: Any) -> DiffChange:
    """The change from one Python value to another."""
    if old is ABSENT:
        return Added(path, new)
    if new is ABSENT:
        return Removed(path, old)
    if are_sets(old, new):
        return SetChanged(path, without(new, old), without(old, new))
    return Replaced(path, old, new)


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
            made = _diff_of_models(old, new, lists)
        elif wire:
            made = diff_images(old, new, lists=lists)
        else:
            guessed = _guessed_wire_diff(old, new, lists) if wire is None else None
            made = _diff_of_python(old, new, lists) if guessed is None else guessed
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
    sources: tuple[Source | None, Source | None] = (None, None),
) -> Diff:
    """What changed between two wire items; ``None`` is no item.

    Args:
        old: The item before, in either wire form.
        new: The item after.
        codec: What types the values of the diff; without one they are untyped.
        lists: As for `diff`.
        keys: The table's key attributes, for the update expression to leave out.
        sources: Where the old and the new image are from, for the errors of the diff to say.

    Raises:
        DecodeError: A value that differs is malformed.
        DiffError: The items are nested too deeply to compare.
    """
    old_source, new_source = sources
    if type(old) is dict and type(new) is dict and lists == "index":
        try:
            edits = wire_edits(old, new)  # nearly every record's, so without a further call
        except (ArithmeticError, DDBStreamError):
            pass  # said in words below
        else:
            images = old, new, codec, old_source, new_source
            return Diff.__new__(Diff)._fill_with_images(edits, images, lists, tuple(keys))
    sides = Side(WIRE, old, codec, old_source), Side(WIRE, new, codec, new_source)
    return _diff_of_wire(*sides, lists, tuple(keys))


def _diff_of_wire(old: Side, new: Side, lists: Lists, keys: tuple[str, ...] = ()) -> Diff:
    before, after = old.item, new.item
    try:
        _check_items(before, after)
        edits = _edits(before, after, WIRE, lists)
    except ArithmeticError:  # no wire value has one, and it refuses to be compared
        raise DecodeError(expected="attribute values", found="a signalling NaN") from None
    except DDBStreamError as error:
        raise located(error, old, new) from None
    return Diff.__new__(Diff)._fill(edits, old, new, lists, keys)


def _edits(old: Any, new: Any, form: Form, lists: Lists) -> list[Edit]:
    """The edits between two items of a form."""
    if old is None or new is None:
        return whole_edits(old, new)
    if lists == "align":
        # Few programs ask for alignment.
        from ddbstream._diff.align import aligned_edits

        return aligned_edits(old, new, form)
    return wire_edits(old, new) if form is WIRE else python_edits(old, new)


def _check_items(*items: object) -> None:
    for item in items:
        if not _is_item(item):
            raise DecodeError(
                expected="an item (a map of attribute values)", found=type(item).__name__
            )


def _is_item(item: Any) -> bool:
    return item.__class__ is dict or item is None or isinstance(item, Mapping)


def _guessed_wire_diff(old: Any, new: Any, lists: Lists) -> Diff | None:
    """The diff of what may be two wire items; ``None`` if they cannot be read so.

    What is equal in both items is no change in either form, so it gets only a superficial look.
    """
    if not _may_be_wire_item(old or new):
        return None
    try:
        made = diff_images(old, new, lists=lists)
        for _, before, after in made._edits:
            if not (_may_be_wire_value(before) and _may_be_wire_value(after)):
                return None
        made._guessed = True
        made._all()
    except DDBStreamError:
        return None
    return made


def _may_be_wire_item(item: Any) -> bool:
    """Whether every attribute is a map of one tag: at the speed of C, for the usual item."""
    if item.__class__ is dict:
        values = item.values()
        if {*map(type, values)} == {dict}:
            return {*map(len, values)} == {1} and TAGS.issuperset(chain.from_iterable(values))
    return is_wire_item(item)


def _may_be_wire_value(value: Any) -> bool:
    if value.__class__ is dict and len(value) == 1:
        (tag,) = value
        if tag in {"S", "N"} and value[tag].__class__ is str:
            return True
    return value is ABSENT or is_wire_value(value)


def _diff_of_python(old: Any, new: Any, lists: Lists) -> Diff:
    # The caller goes on using Python items; the diff is of how they are now.
    edits = [
        (parts, copied(before), copied(after))
        for parts, before, after in _edits(old, new, PYTHON, lists)
    ]
    sides = Side(PYTHON, copied(old)), Side(PYTHON, copied(new))
    return Diff.__new__(Diff)._fill(edits, *sides, lists)


def _diff_of_models(old: Any, new: Any, lists: Lists) -> Diff:
    # A diff of items loads no model.
    from ddbstream._model import codec_for

    if isinstance(old, Mapping) or isinstance(new, Mapping):
        raise DiffError(
            expected="two items of one form",
            found=f"{type(old).__name__} and {type(new).__name__}",
        )
    codecs = [None if item is None else codec_for(type(item)) for item in (old, new)]
    before, after = (
        Side(WIRE, None if codec is None else codec.encode(item), codec, instance=item)
        for item, codec in zip((old, new), codecs, strict=True)
    )
    # What came or went has the one model that there is on both of its sides.
    before.codec, after.codec = codecs[0] or codecs[1], codecs[1] or codecs[0]
    return _diff_of_wire(before, after, lists)


# --- two diffs, one after the other -------------------------------------------------------------


def _composed(first: Diff, second: Diff) -> Diff:
    """See `Diff.__or__`."""
    for one, other in ((first, second), (second, first)):
        if one._old.item is ABSENT and not one._edits:
            return other
    if first._old.item is ABSENT or second._old.item is ABSENT:
        raise DiffError("made from changes alone: only diffs of whole items can be joined")
    if first._old.form is not second._old.form:
        first, second = _in_one_form(first, second)
    lists: Lists = "align" if "align" in (first._lists, second._lists) else "index"
    end, start = first._new, second._old
    if (end.item is None) is not (start.item is None) or (
        end.item is not None and _between(end, start, lists)
    ):
        raise DiffError("the second diff does not start where the first one ends")
    old, new = first._old, second._new
    if _is_formless(first):  # it does not know the model of an item that it has nothing of
        old = Side(old.form, old.item, start.codec, old.source)
    if _is_formless(second):
        new = Side(new.form, new.item, end.codec, new.source)
    made = _between(old, new, lists)
    made._guessed = first._guessed and second._guessed
    made._hidden = tuple(dict.fromkeys((*first._hidden, *second._hidden)))
    made._keys = first._keys or second._keys
    return made


def _between(old: Side, new: Side, lists: Lists) -> Diff:
    if old.form is PYTHON:
        return diff(old.item, new.item, lists=lists, wire=False)
    return _diff_of_wire(old, new, lists)


def _in_one_form(first: Diff, second: Diff) -> tuple[Diff, Diff]:
    """The two diffs in one form, if one of them can be read in that of the other."""
    if _is_formless(first):
        return _in_form(first, second._old.form), second
    if _is_formless(second):
        return first, _in_form(second, first._old.form)
    if not first._new.item and not second._old.item:
        # Nothing in the middle: a form that was a guess can be the other as well.
        if first._old.form is WIRE and first._guessed:
            return _in_form(first, PYTHON), second
        if second._old.form is WIRE and second._guessed:
            return first, _in_form(second, PYTHON)
    raise DiffError(
        expected="two diffs of one form",
        found=f"{first._old.form.name} and {second._old.form.name} items",
    )


def _is_formless(change: Diff) -> bool:
    """Whether neither of its items has an attribute, and so either form would do."""
    return not change._old.item and not change._new.item


def _in_form(change: Diff, form: Form) -> Diff:
    made = diff(change._old.item, change._new.item, lists=change._lists, wire=form is WIRE)
    made._hidden, made._keys = change._hidden, change._keys
    return made
