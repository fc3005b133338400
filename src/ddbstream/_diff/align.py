"""Lists aligned: the fewest insertions, removals and replacements that make one list of another.

The measure is Levenshtein's: each costs one. Among scripts of equal cost the one wins whose
replacements pair the members most alike, so that an element that moved and changed a little is
shown as changed, not as another one.

The table is filled only in a band around its diagonal that is doubled until the cost fits in it
(Ukkonen, *Algorithms for approximate string matching*, 1985): near-equal lists take linear time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ddbstream._diff.compare import Edit, check_name
from ddbstream._diff.edits import by_place
from ddbstream._diff.forms import Form
from ddbstream._diff.values import ABSENT, canonical
from ddbstream._values.paths import Parts
from ddbstream.exceptions import DiffError

__all__ = ["aligned_edits"]

# A band of this many cells takes about a second; a cell of two maps counts once more for each ten
# attributes. Lists that differ more are compared by position between their common start and end:
# right, but not minimal.
_MOST_CELLS: Final = 1_000_000

_STEP: Final = 1 << 32  # one operation; below it, how unlike the paired members are
_KEEP, _REMOVE, _ADD = 0, 1, 2

Pair = tuple["int | None", "int | None"]


def aligned_edits(old: Mapping[str, Any], new: Mapping[str, Any], form: Form) -> list[Edit]:
    """The edits between two items, with their lists aligned.

    Raises:
        DecodeError: A value is malformed.
        DiffError: The items are nested too deeply to compare.
    """
    edits: list[Edit] = []
    try:
        _maps(old, new, (), form, edits)
    except RecursionError:
        raise DiffError("nested too deeply to compare") from None
    return sorted(edits, key=by_place)


def _maps(
    old: Mapping[str, Any], new: Mapping[str, Any], at: Parts, form: Form, edits: list[Edit]
) -> None:
    for name in (*old, *new):
        check_name(name, at)
    for name, before in old.items():
        if name in new:
            _values(before, new[name], (*at, name), form, edits)
        else:
            edits.append(((*at, name), before, ABSENT))
    edits.extend(((*at, name), ABSENT, new[name]) for name in new if name not in old)


def _values(old: Any, new: Any, path: Parts, form: Form, edits: list[Edit]) -> None:
    before, after = form.inner(old), form.inner(new)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        _maps(before, after, path, form, edits)
    elif isinstance(before, Sequence) and isinstance(after, Sequence):
        _lists(before, after, path, form, edits)
    elif not form.same(old, new, path):
        edits.append((path, old, new))


def _lists(
    old: Sequence[Any], new: Sequence[Any], path: Parts, form: Form, edits: list[Edit]
) -> None:
    if old == new:
        return
    values = [
        [form.read(value, (*path, position)) for position, value in enumerate(members)]
        for members in (old, new)
    ]
    for left, right in _pairs(*values):
        if right is None:
            assert left is not None
            edits.append(((*path, left), old[left], ABSENT))
        elif left is None:
            edits.append(((*path, right), ABSENT, new[right]))
        else:
            _values(old[left], new[right], (*path, left), form, edits)


def _pairs(old: list[Any], new: list[Any]) -> list[Pair]:
    """Positions in both lists of what is kept or replaced, in one of what is removed or added."""
    tokens: dict[Any, int] = {}
    left = [tokens.setdefault(canonical(value), len(tokens)) for value in old]
    right = [tokens.setdefault(canonical(value), len(tokens)) for value in new]
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    table = _Table(left[start : len(left) - end], right[start : len(right) - end])
    table.look_into(old[start : len(left) - end], new[start : len(right) - end])
    pairs: list[Pair] = []
    for i, j in table.script():
        if i is None or j is None or left[start + i] != right[start + j]:
            pairs.append((None if i is None else start + i, None if j is None else start + j))
    return pairs


class _Table:
    """The table of costs: at row i, column j that of making ``new[:j]`` of ``old[:i]``."""

    def __init__(self, old: list[int], new: list[int]) -> None:
        self._old, self._new = old, new
        self._unlike: dict[tuple[int, int], int] = {}
        self._inside: dict[int, tuple[frozenset[Any], frozenset[Any]]] = {}

    @property
    def _members(self) -> list[frozenset[Any]]:
        return [names for names, _ in self._inside.values()]

    def look_into(self, old: list[Any], new: list[Any]) -> None:
        """Keep the names of each map among the members, and its attributes: each read once."""
        for token, value in zip((*self._old, *self._new), (*old, *new), strict=True):
            if isinstance(value, Mapping) and token not in self._inside:
                attributes = frozenset((name, canonical(inner)) for name, inner in value.items())
                self._inside[token] = frozenset(value), attributes

    def script(self) -> list[Pair]:
        rows, columns = len(self._old), len(self._new)
        width = max(abs(rows - columns), 1)
        weight = 1 + max([len(member) for member in self._members], default=0) // 10
        while (rows + 1) * min(2 * width + 1, columns + 1) * weight <= _MOST_CELLS:
            cost, steps = self._filled(width)
            # A script that leaves the band has more than `width` operations.
            if cost // _STEP <= width or width >= max(rows, columns):
                return self._walked(steps)
            width *= 2
        shared = min(rows, columns)
        return [
            *((i, i) for i in range(shared)),
            *((i, None) for i in range(shared, rows)),
            *((None, j) for j in range(shared, columns)),
        ]

    def _filled(self, width: int) -> tuple[int, list[dict[int, int]]]:
        never = _STEP * (len(self._old) + len(self._new) + 1)
        above: dict[int, int] = {}
        steps: list[dict[int, int]] = []
        for i in range(len(self._old) + 1):
            row: dict[int, int] = {}
            taken: dict[int, int] = {}
            for j in range(max(0, i - width), min(len(self._new), i + width) + 1):
                best, step = (0, _KEEP) if i == j == 0 else (never, _KEEP)
                if i and j:
                    best = above.get(j - 1, never) + self._replacing(i - 1, j - 1)
                if i and above.get(j, never) + _STEP < best:
                    best, step = above[j] + _STEP, _REMOVE
                if j and row.get(j - 1, never) + _STEP < best:
                    best, step = row[j - 1] + _STEP, _ADD
                row[j], taken[j] = best, step
            above = row
            steps.append(taken)
        return above.get(len(self._new), never), steps

    def _walked(self, steps: list[dict[int, int]]) -> list[Pair]:
        pairs: list[Pair] = []
        i, j = len(self._old), len(self._new)
        while i or j:
            step = steps[i][j]
            if step != _ADD:
                i -= 1
            if step != _REMOVE:
                j -= 1
            pairs.append((None if step == _ADD else i, None if step == _REMOVE else j))
        return pairs[::-1]

    def _replacing(self, i: int, j: int) -> int:
        """What it costs to make ``new[j]`` of ``old[i]``: nothing where they are the same."""
        pair = self._old[i], self._new[j]
        if pair[0] == pair[1]:
            return 0
        cost = self._unlike.get(pair)
        if cost is None:
            cost = self._unlike[pair] = _STEP + self._unlikeness(*pair)
        return cost

    def _unlikeness(self, old: int, new: int) -> int:
        """For two maps, how many names differ; for anything else, more than most maps have."""
        before, after = self._inside.get(old), self._inside.get(new)
        if before is None or after is None:
            return 1000
        return min(len(before[0] | after[0]) - len(before[1] & after[1]), 999)
