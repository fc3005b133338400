"""Edits applied to an item, and turned round.

Positions: on its way through a list, a path names positions of the **old** item; only where
something is added does the last position name one of the **new** item. So in each list the
replacements and inner edits come first, then the removals from the end, then the additions from the
start. (Without alignment, old and new positions are the same.)

An edit is applied only to what it starts from: a removal removes the value it says, an addition
finds nothing there, a set gains what it lacks and loses what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ddbstream._diff.changes import Added, DiffChange, Removed, Replaced, SetChanged
from ddbstream._diff.compare import Edit
from ddbstream._diff.forms import Form, copied
from ddbstream._diff.values import ABSENT, without
from ddbstream._values.paths import Parts, Path
from ddbstream.exceptions import DiffError

__all__ = ["by_place", "edits_of", "in_order", "inverted", "moved", "moves", "new_place", "patched"]


class Moved(NamedTuple):
    """What one list lost and gained, in order of the positions.

    Attributes:
        removed: Positions of the old list.
        added: Positions of the new list.
        pushed: For each addition, the position, after the removals, from which it pushes on.
    """

    removed: list[int]
    added: list[int]
    pushed: list[int]


Moves = Mapping[Parts, Moved]


def patched(item: Mapping[str, Any], edits: Sequence[Edit], form: Form) -> dict[str, Any]:
    """The item with the edits made. The item itself is not changed; what no edit touches is shared.

    Raises:
        DiffError: The item is not what the edits start from.
    """
    try:
        return _map(item, edits, (), form)
    except RecursionError:
        raise DiffError("nested too deeply to apply a diff to") from None


def _misfit(path: Parts) -> DiffError:
    return DiffError("the item is not what the diff starts from", path=Path.of(path))


def _grouped(edits: Sequence[Edit], depth: int) -> dict[Any, list[Edit]]:
    groups: dict[Any, list[Edit]] = {}
    for edit in edits:
        groups.setdefault(edit[0][depth], []).append(edit)
    return groups


def _map(items: Mapping[str, Any], edits: Sequence[Edit], at: Parts, form: Form) -> dict[str, Any]:
    result = dict(items)
    for name, group in _grouped(edits, len(at)).items():
        value = _value(result.get(name, ABSENT), group, (*at, name), form)
        if value is ABSENT:
            del result[name]
        else:
            result[name] = value
    return result


def _split(edits: Sequence[Edit], depth: int) -> tuple[list[Edit], list[Edit], list[Edit]]:
    """The edits of one list: what stays but changes, what goes (last first), what comes."""
    inner, removals, additions = [], [], []
    for edit in edits:
        parts, old, new = edit
        if len(parts) > depth or (old is not ABSENT and new is not ABSENT):
            inner.append(edit)
        elif new is ABSENT:
            removals.append(edit)
        else:
            additions.append(edit)
    removals.sort(key=_place, reverse=True)
    additions.sort(key=_place)
    return inner, removals, additions


def _place(edit: Edit) -> int:
    return _last(edit[0])


def _last(parts: Parts) -> int:
    last = parts[-1]
    assert isinstance(last, int)
    return last


def _list(items: Sequence[Any], edits: Sequence[Edit], at: Parts, form: Form) -> list[Any]:
    result = list(items)
    inner, removals, additions = _split(edits, len(at) + 1)
    for position, group in _grouped(inner, len(at)).items():
        path = (*at, position)
        if position >= len(result):
            raise _misfit(path)
        result[position] = _value(result[position], group, path, form)
    for path, old, _ in removals:
        position = _last(path)
        if position >= len(result) or not form.same(result[position], old, path):
            raise _misfit(path)
        del result[position]
    for path, _, new in additions:
        if _last(path) > len(result):
            raise _misfit(path)
        result.insert(_last(path), copied(new))
    return result


def _value(current: Any, edits: list[Edit], path: Parts, form: Form) -> Any:
    """The value at ``path`` after the edits at or below it; `ABSENT` where it goes."""
    parts, old, new = edits[0]
    if len(parts) > len(path):
        inner = None if current is ABSENT else form.inner(current)
        position = parts[len(path)]
        if isinstance(inner, Mapping) and isinstance(position, str):
            return form.rebuilt(_map(inner, edits, path, form))
        if isinstance(inner, Sequence) and isinstance(position, int):
            return form.rebuilt(_list(inner, edits, path, form))
        raise _misfit(path)
    if current is ABSENT or old is ABSENT:
        if current is not old:
            raise _misfit(path)
    elif new is not ABSENT and form.are_sets(old, new):
        return _changed_set(current, old, new, path, form)
    elif not form.same(current, old, path):
        raise _misfit(path)
    return new if new is ABSENT else copied(new)


def _changed_set(current: Any, old: Any, new: Any, path: Parts, form: Form) -> Any:
    if not form.are_sets(current, old):
        raise _misfit(path)
    before, after, has = (form.read(value, path) for value in (old, new, current))
    lost, gained = without(before, after), without(after, before)
    if without(lost, has) or len(without(gained, has)) < len(gained):
        raise _misfit(path)
    return form.changed_set(current, lost, new, path)


def in_order(edits: Sequence[Edit], depth: int = 0) -> Iterator[Edit]:
    """The edits in an order in which they can be made one after the other.

    When the turn of an edit comes, its path is the one of its place at that time.
    """
    inner: Sequence[Edit] = edits
    removals: list[Edit] = []
    additions: list[Edit] = []
    if edits and isinstance(edits[0][0][depth], int):
        inner, removals, additions = _split(edits, depth + 1)
    for group in _grouped(inner, depth).values():
        if len(group[0][0]) == depth + 1:
            yield group[0]
        else:
            yield from in_order(group, depth + 1)
    yield from removals
    yield from additions


def inverted(edits: Sequence[Edit]) -> list[Edit]:
    """The edits that lead back."""
    moving = moves(edits)
    result = []
    for parts, old, new in edits:
        # The last position of an addition or a removal is in the coordinates that the other has
        # too.
        if old is ABSENT or new is ABSENT:
            place = (*moved(parts[:-1], moving), parts[-1])
        else:
            place = moved(parts, moving)
        result.append((place, new, old))
    result.sort(key=by_place)
    return result


def edits_of(changes: Iterable[DiffChange]) -> list[Edit]:
    """The edits of changes that somebody wrote.

    Raises:
        DiffError: They cannot be the changes of one item.
    """
    edits: list[Edit] = []
    for change in changes:
        match change:
            case Added(path, value):
                edits.append((path.parts, ABSENT, value))
            case Removed(path, value):
                edits.append((path.parts, value, ABSENT))
            case Replaced(path, old, new):
                edits.append((path.parts, old, new))
            case SetChanged(path, added, removed):
                edits.append((path.parts, removed, added))
            case _:
                raise DiffError(expected="a change", found=type(change).__name__)
    edits.sort(key=by_place)
    # What comes into a list is at a position of the new one, where the old one may have another.
    coming: list[Parts] = []
    others: list[Parts] = []
    for parts, old, _ in edits:
        (coming if old is ABSENT and isinstance(parts[-1], int) else others).append(parts)
    for parts, following in (*pairwise(coming), *pairwise(others)):
        if following[: len(parts)] == parts:
            raise DiffError("two changes at one place", path=Path.of(following))
    kinds: dict[Parts, type] = {}
    for parts, _, _ in edits:
        for depth, part in enumerate(parts):
            if kinds.setdefault(parts[:depth], part.__class__) is not part.__class__:
                raise DiffError("a map and a list at one place", path=Path.of(parts[:depth]))
    return edits


def by_place(edit: Edit) -> tuple[Any, ...]:
    """Sorts edits by path; at one position of a list, what goes is first, what comes last."""
    parts, old, new = edit
    # Text and positions meet only in edits written by hand; positions go first.
    place = tuple([(part.__class__ is str, part) for part in parts])
    return place, new is not ABSENT, old is ABSENT


def moves(edits: Sequence[Edit]) -> Moves:
    """The positions removed and added in each list (by its old path) that lost or gained any."""
    found: dict[Parts, Moved] = {}
    for parts, old, new in edits:
        if parts[-1].__class__ is int and (old is ABSENT or new is ABSENT):
            removed, added, _ = found.setdefault(parts[:-1], Moved([], [], []))
            (added if old is ABSENT else removed).append(_last(parts))
    for removed, added, pushed in found.values():
        removed.sort()
        added.sort()
        pushed += [position - before for before, position in enumerate(added)]
    return found


def moved(parts: Parts, moving: Moves) -> Parts:
    """The path in the new item of what stands at ``parts`` in the old one, and still is there."""
    if not moving:
        return parts
    # Late: most diffs move nothing.
    from bisect import bisect_left, bisect_right

    result = list(parts)
    for depth, part in enumerate(parts):
        if isinstance(part, int) and parts[:depth] in moving:
            removed, _, pushed = moving[parts[:depth]]
            position = part - bisect_left(removed, part)
            result[depth] = position + bisect_right(pushed, position)
    return tuple(result)


def new_place(parts: Parts, before: Any, moving: Moves) -> Parts:
    """Where in the new item the new value of an edit is.

    Args:
        parts: The edit's path.
        before: Its old value: what comes into a list is at its position in the new one.
        moving: What moved by all of the edits.
    """
    if before is ABSENT:
        return (*moved(parts[:-1], moving), parts[-1])
    return moved(parts, moving)
