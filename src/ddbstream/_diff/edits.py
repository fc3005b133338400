"""`Diff`: what changed between two items.

Theory of operation: a diff keeps the edits in the form its items had (`_compare`), and the items.
The changes that it shows are made of the edits when first asked for: on the wire form, that is when
the values that differ are decoded, through the model where one is bound. A diff whose changes
nobody reads has decoded nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from ddbstream._diff.changes import Added, Change, Removed, Replaced, SetChanged
from ddbstream._diff.compare import Edit, decoded
from ddbstream._diff.errors import Sources, explained, explaining
from ddbstream._diff.values import ABSENT, are_sets, without
from ddbstream._values.paths import Parts, Path
from ddbstream.exceptions import DDBStreamError

if TYPE_CHECKING:
    from typing import final

    from ddbstream._diff.update_expression import Condition
    from ddbstream._model import Codec
else:

    def final(cls):
        return cls


__all__ = ["Diff"]

FormName = Literal["wire", "python"]
Gives = Literal["wire", "python", "model"]
Lists = Literal["index", "align"]


@final
class Diff:
    """What changed between two items: an ordered, hashable collection of changes.

    Iterating gives `Added`, `Removed`, `Replaced` and `SetChanged` in the order of their paths. Two
    diffs are equal when their changes are, whatever items they come from. An empty diff is false.

    Made by `diff` and by ``record.diff``. A diff made of changes alone, as a test writes what it
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
        "_form",
        "_gives",
        "_guessed",
        "_hidden",
        "_keys",
        "_lists",
        "_new",
        "_new_codec",
        "_new_obj",
        "_old",
        "_old_codec",
        "_old_obj",
        "_sources",
    )

    _changes: tuple[Change, ...] | None
    _edits: list[Edit]
    _form: FormName
    _gives: Gives
    _guessed: bool
    _hidden: tuple[tuple[str | int | None, ...], ...]
    _keys: tuple[str, ...]
    _lists: Lists
    _old: Any
    _new: Any
    _old_codec: Codec[Any] | None
    _new_codec: Codec[Any] | None
    _old_obj: Any
    _new_obj: Any
    _sources: Sources | None

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        from ddbstream._diff.patch import edits_of

        self._fill(edits_of(changes), "python", ABSENT, ABSENT)

    def _fill(
        self,
        edits: list[Edit],
        form: FormName,
        old: Any,
        new: Any,
        codecs: tuple[Codec[Any] | None, Codec[Any] | None] = (None, None),
    ) -> Diff:
        self._edits = edits
        self._form = self._gives = form
        self._old = old
        self._new = new
        self._old_codec, self._new_codec = codecs
        self._changes = self._old_obj = self._new_obj = None
        self._hidden = self._keys = ()
        self._lists = "index"
        self._sources = None
        self._guessed = False
        return self

    def _like(self, made: Diff) -> Diff:
        """``made``, with what this diff was asked for besides its changes."""
        made._gives, made._lists = self._gives, self._lists
        made._hidden, made._keys = self._hidden, self._keys
        made._guessed = self._guessed
        return made

    # --- the collection -------------------------------------------------------------------------

    def _all(self) -> tuple[Change, ...]:
        changes = self._changes
        if changes is None:
            try:
                change = self._change_as()
                changes = tuple([change(Path.of(at), old, new) for at, old, new in self._edits])
                if self._hidden:
                    from ddbstream._diff.render import redact

                    redact(changes, self._hidden)
            except (DDBStreamError, RecursionError) as error:
                raise explained(self, error) from None
            self._changes = changes
        return changes

    def _change_as(self) -> Callable[[Path, Any, Any], Change]:
        """What makes a change of an edit of this diff."""
        if self._form == "python":
            return _changed
        if self._new_codec is None or self._new_codec.model is None:
            return _changed_on_wire
        return self._typed_change

    def _typed_change(self, path: Path, old: Any, new: Any) -> Change:
        from ddbstream._diff.typed import typed_values

        return _changed(path, *typed_values(self, path.parts, old, new))

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

    @explaining
    def __contains__(self, path: object) -> bool:
        """Whether the value at that path changed; or whether this is one of the changes.

        A path begins with an attribute's name, or with a field's where a model is bound.
        """
        if not isinstance(path, (str, tuple)):
            return path in self._all()
        try:
            return self._between(self._place(path)) is not None
        except KeyError:
            return False

    @explaining
    def __getitem__(self, path: int | str | Parts) -> Change:
        """The change at that path, or at that position among the changes.

        A path inside of what came or went as a whole gives its own part of it; a path to a map or
        list that changed inside gives a `Replaced` of the whole.

        Raises:
            KeyError: Nothing changed there; also a DiffError if it is no document path.
            IndexError: There are fewer changes.
        """
        if isinstance(path, int):
            return self._all()[path]
        parts = self._place(path)
        found = self._between(parts)
        if found is None:
            raise KeyError(path)
        changes = (self._change_as()(Path.of(parts), *found),)
        if self._hidden:
            from ddbstream._diff.render import redact

            redact(changes, self._hidden)
        return changes[0]

    def get(self, path: str | Parts, default: Any = None) -> Any:
        """The change at that path, or ``default`` where nothing changed."""
        try:
            return self[path]
        except KeyError:
            return default

    def _place(self, path: str | Parts) -> Parts:
        from ddbstream._diff.lookup import place

        return place(self, path)

    def _between(self, parts: Parts) -> tuple[Any, Any] | None:
        from ddbstream._diff.lookup import between

        return between(self, parts)

    # --- what can be done with it ---------------------------------------------------------------

    @explaining
    def apply(self, item: Any) -> Any:
        """The item after this change: ``d.apply(old) == new``.

        Args:
            item: A wire item, a Python item, a model instance, or ``None`` or ``{}`` for no item;
                the result has its form, and for no item and an empty one that of the diff's values.
                The item itself is not changed.

        Raises:
            DiffError: The item is not what the diff starts from.
        """
        from ddbstream._diff.apply import applied

        return applied(self, item)

    def invert(self) -> Diff:
        """The change that leads back: ``d.invert().apply(new) == old``."""
        from ddbstream._diff.patch import inverted

        made = Diff.__new__(Diff)._fill(
            inverted(self._edits),
            self._form,
            self._new,
            self._old,
            (self._new_codec, self._old_codec),
        )
        if self._sources is not None:
            made._sources = self._sources[1], self._sources[0]
        return self._like(made)

    @explaining
    def __or__(self, other: object) -> Diff:
        """This change and then the other, as one: of successive records of an item, for instance.

        Raises:
            DiffError: The other does not start where this one ends.
        """
        from ddbstream._diff.apply import composed

        if not isinstance(other, Diff):
            return NotImplemented
        return composed(self, other)

    @explaining
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
        from ddbstream._diff.apply import python_items
        from ddbstream._diff.update_expression import update_expression

        edits, old, new = python_items(self)
        names = self._keys if keys is None else keys
        return update_expression(edits, old, new, keys=names, condition=condition)

    @explaining
    def to_json_patch(self, *, test: bool = False) -> list[dict[str, Any]]:
        """The diff as a JSON Patch (`RFC 6902`_) of the item as JSON.

        In that JSON numbers are numbers (whole ones exact, others the nearest double), binaries
        base64 text, and sets sorted arrays.

        Args:
            test: Begin each replacement and removal with a ``test`` of what is there.

        Raises:
            DiffError: A value has no JSON form, or one of the items is none.

        .. _RFC 6902: https://www.rfc-editor.org/rfc/rfc6902
        """
        from ddbstream._diff.json_forms import json_patch

        return json_patch(self, test=test)

    @explaining
    def to_dict(self) -> dict[str, Any]:
        """The diff for an audit log: plain JSON, described by ``docs/diff.schema.json``.

        Values are in DynamoDB's JSON, exact; redacted ones are left out.

        Raises:
            EncodeError: A Python value has no DynamoDB form.
        """
        from ddbstream._diff.json_forms import audit_form

        return audit_form(self)

    def redact(self, *paths: str) -> Diff:
        """The same diff, with these paths' values hidden from ``str``, ``repr`` and `to_dict`.

        What the diff does stays: its changes still have the values, and so has
        `to_update_expression`.

        Args:
            paths: Document paths; what is inside of them is hidden too. ``[*]`` is any position.
        """
        from ddbstream._diff.render import parse_hidden

        made = Diff.__new__(Diff)._fill(
            self._edits, self._form, self._old, self._new, (self._old_codec, self._new_codec)
        )
        self._like(made)
        made._sources = self._sources
        codec = self._new_codec or self._old_codec
        made._hidden = (*self._hidden, *(parse_hidden(path, codec) for path in paths))
        return made

    @explaining
    def describe(self, *, values: bool = True) -> str:
        """What changed, one line a change; without ``values``, only where and how."""
        from ddbstream._diff.render import described

        return described(self, values=values)

    def __str__(self) -> str:
        return self.describe()

    def __repr__(self) -> str:
        return f"Diff({list(self._all())!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the items: whoever reads it is told what changed, and not all the rest.
        return _unpickled, (self._all(), self._hidden)


def _unpickled(changes: tuple[Change, ...], hidden: tuple[Any, ...]) -> Diff:
    made = Diff(changes)
    made._hidden = hidden
    return made


def _changed_on_wire(path: Path, old: Any, new: Any) -> Change:
    """The change from one wire value to another, without a model."""
    if old is ABSENT:
        return Added(path, decoded(new, path))
    if new is ABSENT:
        return Removed(path, decoded(old, path))
    before, after = decoded(old, path), decoded(new, path)
    if before.__class__ is set and old.keys() == new.keys():
        return SetChanged(path, after - before, before - after)
    return Replaced(path, before, after)


def _changed(path: Path, old: Any, new: Any) -> Change:
    """The change from one Python value to another."""
    if old is ABSENT:
        return Added(path, new)
    if new is ABSENT:
        return Removed(path, old)
    if are_sets(old, new):
        return SetChanged(path, without(new, old), without(old, new))
    return Replaced(path, old, new)
