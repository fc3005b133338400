"""Edits applied to an item, and turned round.

Positions: on its way through a list, a path names positions of the **old** item; only where something is
added does the last position name one of the **new** item. So in each list the replacements and inner
edits come first, then the removals from the end, then the additions from the start. (Without alignment,
old and new positions are the same.)

An edit is applied only to what it starts from: a removal removes the value it says, an addition finds
nothing there, a set gains what it lacks and loses what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from ddbstream._diff._compare import Edit, decoded
from ddbstream._diff._path import Parts, Path
from ddbstream._diff._values import ABSENT, are_sets, kind_of, same
from ddbstream.exceptions import DiffError

__all__ = ["PYTHON", "WIRE", "Form", "copied", "inverted", "patched"]


class Form(Protocol):
    """How values of one form are opened, compared and copied."""

    def inner(self, value: Any) -> Any:
        """The ``dict`` or ``list`` in a map or a list; ``None`` in anything else."""

    def rebuilt(self, inner: Any) -> Any:
        """A value of that ``dict`` or ``list``."""

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        """Whether two values are the same DynamoDB value."""

    def are_sets(self, a: Any, b: Any) -> bool:
        """Whether both are sets of one type."""

    def members(self, value: Any, path: Parts) -> Any:
        """A set's members as Python values."""

    def changed_set(self, value: Any, lost: Any, gained: Any, path: Parts) -> Any:
        """The set without the members ``lost`` and with those that the set ``gained`` has more."""


class _Wire:
    def inner(self, value: Any) -> Any:
        if isinstance(value, Mapping) and len(value) == 1:
            for tag in ("M", "L"):
                if tag in value:
                    return value[tag]
        return None

    def rebuilt(self, inner: Any) -> Any:
        return {"M" if isinstance(inner, Mapping) else "L": inner}

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        return bool(a == b) or same(decoded(a, path), decoded(b, path))

    def are_sets(self, a: Any, b: Any) -> bool:
        if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
            return False
        return a.keys() == b.keys() and len(a) == 1 and next(iter(a)) in ("SS", "NS", "BS")

    def members(self, value: Any, path: Parts) -> Any:
        return decoded(value, path)

    def changed_set(self, value: Any, lost: Any, gained: Any, path: Parts) -> Any:
        ((tag, payload),) = value.items()
        has = decoded(value, path)
        kept = [text for text in payload if not _members(tag, [text], path) <= lost]
        return {tag: kept + [t for t in gained[tag] if not _members(tag, [t], path) <= has]}


def _members(tag: str, members: list[Any], path: Parts) -> set[Any]:
    found = decoded({tag: members}, path)
    assert isinstance(found, set)
    return found


class _Python:
    def inner(self, value: Any) -> Any:
        return value if kind_of(value) in ("M", "L") else None

    def rebuilt(self, inner: Any) -> Any:
        return inner

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        return same(a, b)

    def are_sets(self, a: Any, b: Any) -> bool:
        return are_sets(a, b)

    def members(self, value: Any, path: Parts) -> Any:
        return frozenset(value)

    def changed_set(self, value: Any, lost: Any, gained: Any, path: Parts) -> Any:
        return type(value)((frozenset(value) - lost) | frozenset(gained))


WIRE: Final[Form] = _Wire()
PYTHON: Final[Form] = _Python()


def patched(item: Mapping[str, Any], edits: Sequence[Edit], form: Form) -> dict[str, Any]:
    """The item with the edits made. The item itself is not changed; what no edit touches is shared.

    Raises:
        DiffError: The item is not what the edits start from.
    """
    try:
        result = _map(item, edits, (), form)
    except RecursionError:
        raise DiffError("nested too deeply to apply a diff to") from None
    return result


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
        path = (*at, name)
        value = _value(result.get(name, ABSENT), group, path, form)
        if value is ABSENT:
            del result[name]
        else:
            result[name] = value
    return result


def _list(items: Sequence[Any], edits: Sequence[Edit], at: Parts, form: Form) -> list[Any]:
    result = list(items)
    depth = len(at) + 1
    removals: list[int] = []
    additions: list[tuple[int, Any]] = []
    inner: list[Edit] = []
    for edit in edits:
        parts, old, new = edit
        if len(parts) > depth or (old is not ABSENT and new is not ABSENT):
            inner.append(edit)
        elif new is ABSENT:
            _position(parts, result, len(result) - 1)
            if not form.same(result[parts[-1]], old, parts):  # type: ignore[call-overload]
                raise _misfit(parts)
            removals.append(parts[-1])  # type: ignore[arg-type]
        else:
            additions.append((parts[-1], new))  # type: ignore[arg-type]
    for position, group in _grouped(inner, depth - 1).items():
        path = (*at, position)
        _position(path, result, len(result) - 1)
        result[position] = _value(result[position], group, path, form)
    for position in sorted(removals, reverse=True):
        del result[position]
    for position, value in sorted(additions, key=lambda pair: pair[0]):
        _position((*at, position), result, len(result))
        result.insert(position, copied(value))
    return result


def _position(path: Parts, items: list[Any], last: int) -> None:
    if path[-1].__class__ is not int or path[-1] > last:  # type: ignore[operator]
        raise _misfit(path)


def _value(current: Any, edits: list[Edit], path: Parts, form: Form) -> Any:
    """The value at ``path`` after the edits at or below it; `ABSENT` where it goes."""
    parts, old, new = edits[0]
    if len(parts) > len(path):
        inner = None if current is ABSENT else form.inner(current)
        next_part = parts[len(path)]
        if isinstance(inner, Mapping) and isinstance(next_part, str):
            return form.rebuilt(_map(inner, edits, path, form))
        if isinstance(inner, Sequence) and isinstance(next_part, int):
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
    before, after = form.members(old, path), form.members(new, path)
    has = form.members(current, path)
    if not before - after <= has or (after - before) & has:
        raise _misfit(path)
    return form.changed_set(current, before - after, new, path)


def copied(value: Any) -> Any:
    """A copy of the containers, so that who changes the result does not change the diff."""
    if value.__class__ is dict:
        return {name: copied(inner) for name, inner in value.items()}
    if value.__class__ is list:
        return [copied(inner) for inner in value]
    if value.__class__ is set:
        return set(value)
    return value


def inverted(edits: Sequence[Edit]) -> list[Edit]:
    """The edits that lead back."""
    moved = _moves(edits)
    result = [
        (_moved(parts, moved, keep_last=old is ABSENT or new is ABSENT), new, old)
        for parts, old, new in edits
    ]
    # At one position of an aligned list something can go and something else come: removals first.
    result.sort(key=lambda edit: (edit[0], edit[2] is not ABSENT))
    return result


def _moves(edits: Sequence[Edit]) -> dict[Parts, tuple[list[int], list[int]]]:
    """For each list (by its old path) that gained or lost members: positions removed, positions added."""
    moves: dict[Parts, tuple[list[int], list[int]]] = {}
    for parts, old, new in edits:
        if parts[-1].__class__ is int and (old is ABSENT or new is ABSENT):
            removed, added = moves.setdefault(parts[:-1], ([], []))
            (added if old is ABSENT else removed).append(parts[-1])  # type: ignore[arg-type]
    return moves


def _moved(
    parts: Parts, moves: Mapping[Parts, tuple[list[int], list[int]]], *, keep_last: bool
) -> Parts:
    """The path in the new item of what stands at ``parts`` in the old one."""
    if not moves:
        return parts
    result = list(parts)
    for depth, part in enumerate(parts):
        if part.__class__ is int and not (keep_last and depth == len(parts) - 1):
            removed, added = moves.get(parts[:depth], ((), ()))
            position = part - sum(gone < part for gone in removed)  # type: ignore[operator]
            for come in sorted(added):
                position += come <= position
            result[depth] = position
    return tuple(result)
