"""A diff as the arguments of ``update_item``, which turns the old item into the new one.

Rules of DynamoDB that shape it (developer guide, *Update expressions*, *Expression attribute
names*, *Quotas: expression parameters*):

* An expression is at most 4 KB of text; a condition has at most 300 operators.
* No two paths of an expression overlap, so a set that gains and loses members cannot use ``ADD``
  and ``DELETE`` both: it is set as a whole.
* ``ADD`` and ``DELETE`` are for top-level attributes.
* Positions in a list are those before the update, whatever else the expression removes. What is set
  beyond a list's end is appended. Nothing inserts into the middle: such a list is set as a whole.
* No set is empty: ``DELETE`` of the last member removes the attribute.

Every name and value goes through a placeholder: the list of reserved words has grown before. The
placeholders are the names themselves where that is possible (``SET #price = :price``), and counted
(``#n0``) where the readable ones do not fit. An expression that is still too long sets whole
attributes, beginning with the one whose changes take the most text.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ddbstream._diff.edits import Moves, moved, moves
from ddbstream._diff.values import ABSENT, are_sets, dynamodb_type, is_set, without
from ddbstream._values.attribute_values import to_attribute_value
from ddbstream._values.paths import Parts, Path
from ddbstream.exceptions import DiffError, EncodeError

if TYPE_CHECKING:
    from ddbstream._diff.compare import Edit

__all__ = ["Condition", "update_expression"]

# Quotas: "Maximum length of any expression string: 4 KB", all ASCII here.
_MOST_TEXT: Final = 4096
# Quotas: "The maximum number of operators or functions in an expression is 300"; n comparisons take
# n - 1 ANDs.
_MOST_COMPARISONS: Final = 150

_CLAUSES: Final = ("SET", "REMOVE", "ADD", "DELETE")

Condition = bool | Literal["changes", "item"]


class _Action(NamedTuple):
    """One action of an update expression, or one comparison of a condition."""

    clause: str
    parts: Parts
    value: Any


def update_expression(
    edits: Sequence[Edit], old: Any, new: Any, *, keys: Iterable[str], condition: Condition
) -> dict[str, Any]:
    """The arguments of ``update_item``, but for ``TableName`` and ``Key``.

    Args:
        edits: The edits, with Python values.
        old: The Python item before; ``None`` for no item, `ABSENT` where it is not known.
        new: The Python item after.
        keys: The table's key attributes: an update cannot set them.
        condition: See `Diff.to_update_expression`.

    Raises:
        DiffError: There is no such update.
        EncodeError: A value cannot be stored.
    """
    if new is None:
        raise DiffError("the item was removed: that is delete_item, and no update")
    if condition not in (True, False, "item", "changes"):
        raise DiffError('condition is True, False, "item" or "changes"')
    keys = frozenset(keys)
    for parts, before, _ in edits:
        if parts[0] in keys and (before is not ABSENT or len(parts) > 1):
            raise DiffError("a key attribute cannot be updated", path=Path.of(parts))
    placed = _placed([edit for edit in edits if edit[0][0] not in keys], old, new)

    def made(changes: Sequence[Edit]) -> dict[str, Any] | None:
        return _fitting(changes, old, new, keys, condition)

    arguments = made(placed)
    if arguments is not None:
        return arguments
    names = _longest_first(placed, old)
    # The fewest whole attributes that are short enough, by halving: each try writes everything.
    fewest, most = 1, len(names)
    while fewest < most:
        middle = (fewest + most) // 2
        if made(_coarser(placed, names[:middle], old, new)) is None:
            fewest = middle + 1
        else:
            most = middle
    arguments = made(_coarser(placed, names[:fewest], old, new))
    if arguments is None:
        raise DiffError("longer than DynamoDB's 4 KB of text and 300 operators: put the item")
    return arguments


def _fitting(
    changes: Sequence[Edit], old: Any, new: Any, keys: frozenset[str], condition: Condition
) -> dict[str, Any] | None:
    """The arguments for these changes; None if they are longer than DynamoDB takes."""
    actions = [action for action in (_action(*change, new) for change in changes) if action]
    comparisons = _comparisons(changes, old, keys, condition)
    if len(comparisons) > _MOST_COMPARISONS:
        return None
    for readable in (True, False):
        made = _arguments(actions, comparisons, _Placeholders(readable=readable))
        if all(len(made.get(name, "")) <= _MOST_TEXT for name in _EXPRESSIONS):
            return made
    return None


_EXPRESSIONS: Final = ("UpdateExpression", "ConditionExpression")


# --- what to do ---------------------------------------------------------------------------------


def _placed(edits: Sequence[Edit], old: Any, new: Any) -> list[Edit]:
    """The edits at the places that an update has for them, which are those before the update."""
    moving = moves(edits)
    whole = dict.fromkeys(_lists_inserted_into(moving, new))
    placed = [(path, _at(old, path), _at(new, moved(path, moving))) for path in whole]
    for parts, before, after in edits:
        if _is_inside(parts, whole):
            continue
        place = parts
        if before is ABSENT and isinstance(parts[-1], int):
            # At the end of the list, which is further on before what goes has gone.
            removed = moving[parts[:-1]].removed
            place = (*parts[:-1], parts[-1] + len(removed))
        placed.append((place, before, after))
    return placed


def _is_inside(parts: Parts, places: Container[Parts]) -> bool:
    return any(parts[:length] in places for length in range(1, len(parts)))


def _lists_inserted_into(moving: Moves, new: Any) -> list[Parts]:
    """The outermost lists that gain a member elsewhere than at their end."""
    found: dict[Parts, None] = {}
    for path, (_, added, _) in sorted(moving.items(), key=lambda pair: len(pair[0])):
        if not added or _is_inside(path, found):
            continue
        if new is ABSENT:
            raise _unknown(path)
        length = len(_at(new, moved(path, moving)))
        if added != list(range(length - len(added), length)):
            found[path] = None
    return list(found)


def _coarser(changes: Sequence[Edit], names: Sequence[str | int], old: Any, new: Any) -> list[Edit]:
    """The same changes, with these attributes changed as a whole."""
    whole = frozenset(names)
    rest = [change for change in changes if change[0][0] not in whole]
    return [*rest, *[((name,), old[name], new[name]) for name in names]]


def _longest_first(changes: Sequence[Edit], old: Any) -> list[str | int]:
    """The attributes that change inside, beginning with the one whose changes take most text.

    Raises:
        DiffError: None does, or their whole values are not known.
    """
    texts: dict[str | int, int] = {}
    for parts, _, _ in changes:
        if len(parts) > 1:
            texts[parts[0]] = texts.get(parts[0], 0) + len(parts)
    if not texts:
        raise DiffError("longer than DynamoDB's 4 KB of text and 300 operators: put the item")
    if old is ABSENT:
        raise DiffError("made from changes alone, and too long for one expression")
    return sorted(texts, key=texts.__getitem__, reverse=True)


def _action(parts: Parts, before: Any, after: Any, new: Any) -> _Action | None:
    if before is not ABSENT and after is not ABSENT and are_sets(before, after):
        lost, gained = without(before, after), without(after, before)
        if len(parts) == 1 and not (lost and gained):
            return _Action("ADD" if gained else "DELETE", parts, _stored(gained or lost, parts))
        if new is ABSENT:
            raise _unknown(parts)
    if after is ABSENT or _is_empty_set(after):
        nothing_there = before is ABSENT or _is_empty_set(before)
        return None if nothing_there else _Action("REMOVE", parts, None)
    return _Action("SET", parts, _stored(after, parts))


def _stored(value: Any, parts: Parts) -> Any:
    try:
        return to_attribute_value(_storable(value))
    except EncodeError as error:
        raise error.located(Path.of(parts)) from None


def _storable(value: Any) -> Any:
    """The value without the empty sets in its maps, where DynamoDB has nothing."""
    kind = dynamodb_type(value)
    if kind == "M":
        return {name: _storable(each) for name, each in value.items() if not _is_empty_set(each)}
    return [_storable(each) for each in value] if kind == "L" else value


def _is_empty_set(value: Any) -> bool:
    return is_set(value) and not value


def _unknown(parts: Parts) -> DiffError:
    return DiffError(
        "made from changes alone: it does not know the whole value", path=Path.of(parts)
    )


def _at(item: Any, parts: Parts) -> Any:
    for part in parts:
        item = item[part]
    return item


# --- what to ask first --------------------------------------------------------------------------


def _comparisons(
    changes: Sequence[Edit], old: Any, keys: frozenset[str], condition: Condition
) -> list[_Action]:
    if condition is False:
        return []
    pairs = [(parts, before) for parts, before, _ in changes]
    if old is ABSENT:
        for parts, before, after in changes:
            if after is not ABSENT and before is not ABSENT and are_sets(before, after):
                raise _unknown(parts)
    elif condition != "changes":
        # Inside of an attribute that is compared as a whole, there is nothing more to ask.
        pairs = [pair for pair in pairs if len(pair[0]) == 1 and pair[1] is ABSENT]
        pairs += [((name,), value) for name, value in (old or {}).items()]
    if old is None:
        pairs += [((name,), ABSENT) for name in sorted(keys)]
    return [
        _Action("attribute_not_exists", parts, None)
        if value is ABSENT or _is_empty_set(value)
        else _Action("=", parts, _stored(value, parts))
        for parts, value in pairs
    ]


# --- how to say it ------------------------------------------------------------------------------


class _Placeholders:
    """The names and values of an expression, by placeholder."""

    def __init__(self, *, readable: bool) -> None:
        self._readable = readable
        self._by_name: dict[str, str] = {}
        self._alike: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def path(self, parts: Parts) -> str:
        text = ""
        for part in parts:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                text += f".{self._name(part)}" if text else self._name(part)
        return text

    def _name(self, name: str) -> str:
        placeholder = self._by_name.get(name)
        if placeholder is None:
            placeholder = self._by_name[name] = self._free("#", "n", (name,), self.names)
            self.names[placeholder] = name
        return placeholder

    def value(self, value: Any, parts: Parts, prefix: str = "") -> str:
        placeholder = self._free(":", "v", (prefix, *parts) if prefix else parts, self.values)
        self.values[placeholder] = value
        return placeholder

    def _free(self, sign: str, letter: str, parts: Parts, taken: dict[str, Any]) -> str:
        """A placeholder that is not taken: sign, then letters, digits and underscores."""
        if self._readable:
            words = re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(map(str, parts))).strip("_")
            if words and len(words) <= 40:
                placeholder = sign + words
                while placeholder in taken:
                    # from where the last one that reads alike has stopped
                    count = self._alike[sign + words] = self._alike.get(sign + words, 1) + 1
                    placeholder = f"{sign}{words}_{count}"
                return placeholder
        count = len(taken)
        while (placeholder := f"{sign}{letter}{count}") in taken:
            count += 1
        return placeholder


def _arguments(
    actions: Sequence[_Action], comparisons: Sequence[_Action], using: _Placeholders
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    clauses = []
    for clause in _CLAUSES:
        said = [_said(action, using) for action in actions if action.clause == clause]
        if said:
            clauses.append(f"{clause} {', '.join(said)}")
    if clauses:
        made["UpdateExpression"] = " ".join(clauses)
    if comparisons:
        made["ConditionExpression"] = " AND ".join(_compared(each, using) for each in comparisons)
    if using.names:
        made["ExpressionAttributeNames"] = using.names
    if using.values:
        made["ExpressionAttributeValues"] = using.values
    return made


def _said(action: _Action, using: _Placeholders) -> str:
    path = using.path(action.parts)
    if action.clause == "REMOVE":
        return path
    value = using.value(action.value, action.parts)
    return f"{path} = {value}" if action.clause == "SET" else f"{path} {value}"


def _compared(comparison: _Action, using: _Placeholders) -> str:
    path = using.path(comparison.parts)
    if comparison.clause == "=":
        return f"{path} = {using.value(comparison.value, comparison.parts, 'old')}"
    return f"attribute_not_exists({path})"
